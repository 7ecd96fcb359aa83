/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "common/tpm.h"

#define NO_SESSIONS 0x8001u
#define SESSIONS 0x8002u
#define PASSWORD 0x40000009u
#define NONE 0x0010u
#define SHA256 0x000bu
#define RSA 0x0001u
#define ECC 0x0023u
#define AES 0x0006u
#define CFB 0x0043u
#define ECDSA 0x0018u
#define P256 0x0003u

/* PolicySecret of the endorsement hierarchy, as the EK Credential Profile's templates L-1 and L-2 have it. */
static const uint8_t ek_policy[TPM_DIGEST] = {
	0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xb3, 0xf8, 0x1a, 0x90, 0xcc, 0x8d, 0x46, 0xa5, 0xd7, 0x24,
	0xfd, 0x52, 0xd7, 0x6e, 0x06, 0x52, 0x0b, 0x64, 0xf2, 0xa1, 0xda, 0x1b, 0x33, 0x14, 0x69, 0xaa,
};
#define EK_ATTRIBUTES 0x000300b2u /* fixedTPM fixedParent sensitiveDataOrigin adminWithPolicy restricted decrypt */
#define AK_ATTRIBUTES 0x00050472u /* fixedTPM fixedParent sensitiveDataOrigin userWithAuth noDA restricted sign */
#define COUNTER_ATTRIBUTES 0x02040014u /* authread, no_da, counter, authwrite; not orderly: it never jumps */

/* ------------------------------------------------------------------ words */
static void add(struct tpm_message *message, const void *data, size_t size)
{
	if (size > sizeof(message->data) - message->size) {
		message->full = true;
		return;
	}
	if (size > 0)
		memcpy(message->data + message->size, data, size);
	message->size += size;
}

static void add8(struct tpm_message *message, unsigned value)
{
	add(message, &(uint8_t){ (uint8_t)value }, 1);
}

static void add16(struct tpm_message *message, unsigned value)
{
	add(message, (uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

static void add32(struct tpm_message *message, uint32_t value)
{
	add16(message, value >> 16);
	add16(message, value & 0xffff);
}

/* A TPM2B. */
static void add_sized(struct tpm_message *message, const void *data, size_t size)
{
	add16(message, (unsigned)size);
	add(message, data, size);
}

static void put16(struct tpm_message *message, size_t at, size_t value)
{
	message->data[at] = (uint8_t)(value >> 8);
	message->data[at + 1] = (uint8_t)value;
}

static void begin(struct tpm_message *message, unsigned tag, uint32_t code)
{
	message->size = 0;
	message->full = false;
	add16(message, tag);
	add32(message, 0);
	add32(message, code);
}

static void end(struct tpm_message *message)
{
	put16(message, 4, message->size); /* the upper half stays 0: a message has at most 4096 bytes */
}

/* The same, empty password `count` times, or a policy session in the last place. */
static void add_sessions(struct tpm_message *message, unsigned count, uint32_t policy)
{
	add32(message, 9 * count);
	for (unsigned i = 0; i < count; i++) {
		bool is_policy = policy != 0 && i + 1 == count;

		add32(message, is_policy ? policy : PASSWORD);
		add16(message, 0);
		add8(message, is_policy ? 1 : 0); /* continueSession: it is flushed as any other */
		add16(message, 0);
	}
}

static void add_selection(struct tpm_message *message, uint32_t mask)
{
	add32(message, 1);
	add16(message, SHA256);
	add8(message, 3);
	for (unsigned i = 0; i < 3; i++)
		add8(message, mask >> 8 * i & 0xff);
}

/* ------------------------------------------------------------------ templates */
/* `unique` of an EK is zeros; that of the AK tells it from another program's key of the same kind. */
static void add_template(struct tpm_message *message, enum tpm_template template)
{
	static const uint8_t zeros[256];
	static const uint8_t name[32] = "repave-ak";
	size_t at = message->size;
	bool ak = template == TPM_TEMPLATE_AK;

	add16(message, 0);
	add16(message, template == TPM_TEMPLATE_EK_RSA ? RSA : ECC);
	add16(message, SHA256);
	add32(message, ak ? AK_ATTRIBUTES : EK_ATTRIBUTES);
	add_sized(message, ek_policy, ak ? 0 : sizeof(ek_policy));
	if (ak) {
		add16(message, NONE);
		add16(message, ECDSA);
		add16(message, SHA256);
	} else {
		add16(message, AES);
		add16(message, 128);
		add16(message, CFB);
		add16(message, NONE);
	}
	if (template == TPM_TEMPLATE_EK_RSA) {
		add16(message, 2048);
		add32(message, 0); /* 65537 */
		add_sized(message, zeros, 256);
	} else {
		add16(message, P256);
		add16(message, NONE);
		add_sized(message, ak ? name : zeros, 32);
		add_sized(message, zeros, 32);
	}
	put16(message, at, message->size - at - 2);
}

/* What stands before `unique`: 2 bytes of size, then the same for each key that a template makes. */
bool tpm_public_fits(const struct tpm_bytes *public_area, enum tpm_template template)
{
	struct tpm_message wanted = { 0 };
	size_t unique = template == TPM_TEMPLATE_EK_RSA ? 2 + 256 : 2 * (2 + 32), own;

	add_template(&wanted, template);
	own = wanted.size - 2 - unique;
	return public_area->size == wanted.size - 2 && memcmp(public_area->data, wanted.data + 2, own) == 0;
}

bool tpm_index_is_counter(const struct tpm_index *index)
{
	return (index->attributes & ~TPM_NV_WRITTEN) == COUNTER_ATTRIBUTES && index->size == 8;
}

/* ------------------------------------------------------------------ commands */
void tpm_command_startup(struct tpm_message *ret_command)
{
	begin(ret_command, NO_SESSIONS, 0x144);
	add16(ret_command, 0); /* CLEAR */
	end(ret_command);
}

void tpm_command_pcr_read(struct tpm_message *ret_command, uint32_t mask)
{
	begin(ret_command, NO_SESSIONS, 0x17e);
	add_selection(ret_command, mask);
	end(ret_command);
}

void tpm_command_pcr_extend(struct tpm_message *ret_command, unsigned pcr, const uint8_t digest[TPM_DIGEST])
{
	begin(ret_command, SESSIONS, 0x182);
	add32(ret_command, pcr);
	add_sessions(ret_command, 1, 0);
	add32(ret_command, 1);
	add16(ret_command, SHA256);
	add(ret_command, digest, TPM_DIGEST);
	end(ret_command);
}

void tpm_command_create_primary(struct tpm_message *ret_command, enum tpm_template template)
{
	begin(ret_command, SESSIONS, 0x131);
	add32(ret_command, TPM_ENDORSEMENT);
	add_sessions(ret_command, 1, 0);
	add16(ret_command, 4); /* TPM2B_SENSITIVE_CREATE: no password, no data */
	add32(ret_command, 0);
	add_template(ret_command, template);
	add16(ret_command, 0); /* outsideInfo */
	add32(ret_command, 0); /* no PCRs */
	end(ret_command);
}

void tpm_command_read_public(struct tpm_message *ret_command, uint32_t handle)
{
	begin(ret_command, NO_SESSIONS, 0x173);
	add32(ret_command, handle);
	end(ret_command);
}

void tpm_command_flush(struct tpm_message *ret_command, uint32_t handle)
{
	begin(ret_command, NO_SESSIONS, 0x165);
	add32(ret_command, handle);
	end(ret_command);
}

void tpm_command_start_policy(struct tpm_message *ret_command, const uint8_t nonce[16])
{
	begin(ret_command, NO_SESSIONS, 0x176);
	add32(ret_command, 0x40000007); /* TPM_RH_NULL: unsalted */
	add32(ret_command, 0x40000007); /* and unbound */
	add_sized(ret_command, nonce, 16);
	add16(ret_command, 0);
	add8(ret_command, 1); /* TPM_SE_POLICY */
	add16(ret_command, NONE);
	add16(ret_command, SHA256);
	end(ret_command);
}

void tpm_command_policy_secret(struct tpm_message *ret_command, uint32_t session)
{
	begin(ret_command, SESSIONS, 0x151);
	add32(ret_command, TPM_ENDORSEMENT);
	add32(ret_command, session);
	add_sessions(ret_command, 1, 0);
	add16(ret_command, 0); /* nonceTPM */
	add16(ret_command, 0); /* cpHashA */
	add16(ret_command, 0); /* policyRef */
	add32(ret_command, 0); /* expiration */
	end(ret_command);
}

void tpm_command_activate(struct tpm_message *ret_command, uint32_t ak, uint32_t ek, uint32_t session, const struct tpm_bytes *credential,
			  const struct tpm_bytes *secret)
{
	begin(ret_command, SESSIONS, 0x147);
	add32(ret_command, ak);
	add32(ret_command, ek);
	add_sessions(ret_command, 2, session);
	add(ret_command, credential->data, credential->size);
	add(ret_command, secret->data, secret->size);
	end(ret_command);
}

void tpm_command_quote(struct tpm_message *ret_command, uint32_t ak, const void *nonce, size_t nonce_size, uint32_t mask)
{
	begin(ret_command, SESSIONS, 0x158);
	add32(ret_command, ak);
	add_sessions(ret_command, 1, 0);
	add_sized(ret_command, nonce, nonce_size);
	add16(ret_command, NONE); /* the key's own scheme */
	add_selection(ret_command, mask);
	end(ret_command);
}

void tpm_command_nv_read_public(struct tpm_message *ret_command, uint32_t index)
{
	begin(ret_command, NO_SESSIONS, 0x169);
	add32(ret_command, index);
	end(ret_command);
}

void tpm_command_nv_read(struct tpm_message *ret_command, uint32_t index, size_t offset, size_t size)
{
	begin(ret_command, SESSIONS, 0x14e);
	add32(ret_command, index);
	add32(ret_command, index);
	add_sessions(ret_command, 1, 0);
	add16(ret_command, (unsigned)size);
	add16(ret_command, (unsigned)offset);
	end(ret_command);
}

void tpm_command_nv_increment(struct tpm_message *ret_command, uint32_t index)
{
	begin(ret_command, SESSIONS, 0x134);
	add32(ret_command, index);
	add32(ret_command, index);
	add_sessions(ret_command, 1, 0);
	end(ret_command);
}

void tpm_command_nv_undefine(struct tpm_message *ret_command, uint32_t index)
{
	begin(ret_command, SESSIONS, 0x122);
	add32(ret_command, TPM_OWNER);
	add32(ret_command, index);
	add_sessions(ret_command, 1, 0);
	end(ret_command);
}

void tpm_command_nv_define_counter(struct tpm_message *ret_command, uint32_t index)
{
	begin(ret_command, SESSIONS, 0x12a);
	add32(ret_command, TPM_OWNER);
	add_sessions(ret_command, 1, 0);
	add16(ret_command, 0);  /* no password */
	add16(ret_command, 14); /* TPM2B_NV_PUBLIC */
	add32(ret_command, index);
	add16(ret_command, SHA256);
	add32(ret_command, COUNTER_ATTRIBUTES);
	add16(ret_command, 0);
	add16(ret_command, 8);
	end(ret_command);
}

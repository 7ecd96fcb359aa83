/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "common/tpm.h"

#define SHA256 0x000bu

/* ------------------------------------------------------------------ results */
#define FORMAT_ONE 0x080u /* the number is in the lower six bits, and says which handle, session or parameter in others */

static bool is_format_one(uint32_t result, uint32_t number)
{
	return result <= 0xfff && (result & FORMAT_ONE) != 0 && (result & 0x3f) == number;
}

bool tpm_result_is_again(uint32_t result)
{
	/* NV_RATE, RETRY, YIELDED, TESTING. */
	return result == 0x920 || result == 0x922 || result == 0x908 || result == 0x90a;
}

bool tpm_result_is_absent(uint32_t result)
{
	return is_format_one(result, 0x0b);
}

bool tpm_result_is_denied(uint32_t result)
{
	/* AUTH_FAIL, BAD_AUTH; AUTH_UNAVAILABLE, LOCKOUT, and HIERARCHY of one that is switched off. */
	return is_format_one(result, 0x0e) || is_format_one(result, 0x22) || is_format_one(result, 0x05) || result == 0x12f || result == 0x921;
}

/* ------------------------------------------------------------------ words */
struct reader {
	const uint8_t *data;
	size_t size;
	bool bad;
};

static const uint8_t *take(struct reader *reader, size_t size)
{
	static const uint8_t zeros[TPM_BLOB_MOST];
	const uint8_t *data = reader->data;

	if (reader->bad || size > reader->size || size > sizeof(zeros)) {
		reader->bad = true;
		return size <= sizeof(zeros) ? zeros : NULL;
	}
	reader->data += size;
	reader->size -= size;
	return data;
}

static unsigned take8(struct reader *reader)
{
	return take(reader, 1)[0];
}

static unsigned take16(struct reader *reader)
{
	const uint8_t *p = take(reader, 2);

	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t take32(struct reader *reader)
{
	uint32_t high = take16(reader);

	return high << 16 | take16(reader);
}

/* A TPM2B. */
static void take_sized(struct reader *reader, struct tpm_bytes *ret_bytes)
{
	size_t size = take16(reader);
	const uint8_t *data;

	ret_bytes->size = 0;
	if (size > sizeof(ret_bytes->data) || size > reader->size)
		reader->bad = true;
	if (reader->bad)
		return;
	data = take(reader, size);
	memcpy(ret_bytes->data, data, size);
	ret_bytes->size = size;
}

static int end(const struct reader *reader)
{
	return reader->bad ? -EBADMSG : 0;
}

/* ------------------------------------------------------------------ the frame */
size_t tpm_answer_size(const uint8_t header[10])
{
	size_t size = (size_t)header[2] << 24 | (size_t)header[3] << 16 | (size_t)header[4] << 8 | header[5];

	return size >= 10 && size <= TPM_MESSAGE_MOST ? size : 0;
}

int tpm_answer_parse(const void *data, size_t size, struct tpm_answer *ret_answer)
{
	struct reader reader = { .data = data, .size = size };
	unsigned tag;

	*ret_answer = (struct tpm_answer){ 0 };
	if (size < 10 || tpm_answer_size(data) != size)
		return -EBADMSG;
	tag = take16(&reader);
	take32(&reader);
	ret_answer->result = take32(&reader);
	ret_answer->sessions = tag == 0x8002;
	ret_answer->handle = reader.data;
	ret_answer->size = reader.size;
	/* A TPM 1.2 answers with its own tag. */
	return (tag == 0x8001 || tag == 0x8002) && (ret_answer->result == 0 || size == 10) ? 0 : -EBADMSG;
}

/* At the parameters; with sessions they say how long they are, and what follows them isn't looked at: no session here has a secret. */
static struct reader parameters(const struct tpm_answer *answer, uint32_t *ret_handle)
{
	struct reader reader = { .data = answer->handle, .size = answer->size, .bad = answer->result != 0 };

	if (ret_handle != NULL)
		*ret_handle = take32(&reader);
	if (answer->sessions) {
		size_t size = take32(&reader);

		if (size > reader.size)
			reader.bad = true;
		else
			reader.size = size;
	}
	return reader;
}

/* ------------------------------------------------------------------ answers */
int tpm_answer_pcrs(const struct tpm_answer *answer, uint32_t *ret_mask, uint8_t ret_values[TPM_PCRS][TPM_DIGEST])
{
	struct reader reader = parameters(answer, NULL);
	uint32_t mask = 0;
	size_t selected;

	*ret_mask = 0;
	take32(&reader); /* pcrUpdateCounter */
	if (take32(&reader) != 1 || take16(&reader) != SHA256)
		return -EBADMSG;
	selected = take8(&reader);
	if (selected > 4)
		return -EBADMSG;
	for (size_t i = 0; i < selected; i++)
		mask |= (uint32_t)take8(&reader) << 8 * i;
	if (mask >> TPM_PCRS != 0 || take32(&reader) != (uint32_t)__builtin_popcount(mask))
		return -EBADMSG;
	for (unsigned pcr = 0; pcr < TPM_PCRS; pcr++) {
		if ((mask >> pcr & 1) == 0)
			continue;
		if (take16(&reader) != TPM_DIGEST)
			return -EBADMSG;
		memcpy(ret_values[pcr], take(&reader, TPM_DIGEST), TPM_DIGEST);
	}
	if (reader.bad)
		return -EBADMSG;
	*ret_mask = mask;
	return 0;
}

int tpm_answer_created(const struct tpm_answer *answer, uint32_t *ret_handle, struct tpm_bytes *ret_public)
{
	struct reader reader = parameters(answer, ret_handle);

	take_sized(&reader, ret_public);
	return ret_public->size > TPM_PUBLIC_MOST ? -EBADMSG : end(&reader);
}

int tpm_answer_public(const struct tpm_answer *answer, struct tpm_bytes *ret_public)
{
	struct reader reader = parameters(answer, NULL);

	take_sized(&reader, ret_public);
	return ret_public->size > TPM_PUBLIC_MOST ? -EBADMSG : end(&reader);
}

int tpm_answer_session(const struct tpm_answer *answer, uint32_t *ret_handle)
{
	struct reader reader = parameters(answer, ret_handle);
	struct tpm_bytes nonce;

	take_sized(&reader, &nonce);
	return end(&reader);
}

int tpm_answer_activated(const struct tpm_answer *answer, struct tpm_bytes *ret_credential)
{
	struct reader reader = parameters(answer, NULL);

	take_sized(&reader, ret_credential);
	return end(&reader);
}

int tpm_answer_quote(const struct tpm_answer *answer, struct tpm_bytes *ret_attest, struct tpm_bytes *ret_signature)
{
	struct reader reader = parameters(answer, NULL);

	ret_signature->size = 0;
	take_sized(&reader, ret_attest);
	if (reader.bad || reader.size > sizeof(ret_signature->data))
		return -EBADMSG;
	/* A TPMT_SIGNATURE has no size of its own: it is what is left. */
	ret_signature->size = reader.size;
	memcpy(ret_signature->data, take(&reader, reader.size), ret_signature->size);
	return 0;
}

int tpm_answer_nv_public(const struct tpm_answer *answer, struct tpm_index *ret_index)
{
	struct reader reader = parameters(answer, NULL);
	struct tpm_bytes policy;

	take16(&reader);
	take32(&reader);
	take16(&reader);
	ret_index->attributes = take32(&reader);
	take_sized(&reader, &policy);
	ret_index->size = take16(&reader);
	/* A policy is another way to write it. */
	if (policy.size > 0 && !reader.bad)
		ret_index->attributes |= 0x00080008; /* POLICYWRITE, POLICYREAD: not ours, whatever it says */
	return end(&reader);
}

int tpm_answer_nv_read(const struct tpm_answer *answer, struct tpm_bytes *ret_data)
{
	struct reader reader = parameters(answer, NULL);

	take_sized(&reader, ret_data);
	return end(&reader);
}

size_t tpm_certificate_size(const uint8_t *data, size_t size)
{
	size_t length;

	/* A DER sequence with a length of two bytes: no certificate of a key is shorter. */
	if (size < 4 || data[0] != 0x30 || data[1] != 0x82)
		return 0;
	length = 4 + ((size_t)data[2] << 8 | data[3]);
	return length <= size ? length : 0;
}

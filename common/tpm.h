/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The few commands of TPM 2.0 (TCG Library Specification, part 3) that measuring, attesting and counting take: bytes to a TPM, bytes
 * from it, no I/O. All words are big-endian.
 *
 *   command  tag be16 | size be32 | code be32 | handles be32… | with tag 8002: size of sessions be32, sessions | parameters
 *   answer   tag be16 | size be32 | result be32 | a new handle be32 | with tag 8002: size of parameters be32 | parameters | sessions
 *
 * No authorization here has a secret: hierarchies, keys and indices of ours have empty passwords, and a TPM's endorsement key is used by
 * its standard policy (the endorsement hierarchy's password, empty too). What must not be moved back is a counter, and what must not be
 * forged is signed by a key that never leaves the TPM. */
#ifndef COMMON_TPM_H
#define COMMON_TPM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TPM_MESSAGE_MOST 4096u
#define TPM_DIGEST 32u              /* SHA-256, the only bank that is used */
#define TPM_PCRS 24u
#define TPM_PUBLIC_MOST 768u        /* a TPMT_PUBLIC */
#define TPM_BLOB_MOST 1024u         /* a credential, an encrypted secret, a TPMS_ATTEST, a TPMT_SIGNATURE */
#define TPM_NV_PIECE 512u           /* every TPM reads so much of an index at once */

#define TPM_OWNER 0x40000001u
#define TPM_ENDORSEMENT 0x4000000bu
#define TPM_EK_CERTIFICATE_RSA 0x01c00002u  /* TCG EK Credential Profile: L-1 and L-2 */
#define TPM_EK_CERTIFICATE_ECC 0x01c0000au
#define TPM_EK_RSA 0x81010001u      /* where manufacturers keep the key made from L-1 */
#define TPM_FLOOR 0x01801fa0u       /* our counter, among the owner's indices */

struct tpm_bytes {
	size_t size;
	uint8_t data[TPM_BLOB_MOST];
};

struct tpm_message {
	size_t size;
	bool full; /* something didn't fit: not to be sent */
	uint8_t data[TPM_MESSAGE_MOST];
};

/* What an endorsement key is made from (L-1 and L-2), and our attestation key: ECDSA on P-256, restricted to what the TPM itself says,
 * `unique` "repave-ak": the same at each call until the TPM's endorsement seed changes. */
enum tpm_template { TPM_TEMPLATE_EK_RSA, TPM_TEMPLATE_EK_ECC, TPM_TEMPLATE_AK };

/* ------------------------------------------------------------------ commands */
void tpm_command_startup(struct tpm_message *ret_command);
/* Those of `mask` (bit n: PCR n); an answer has at most eight. */
void tpm_command_pcr_read(struct tpm_message *ret_command, uint32_t mask);
void tpm_command_pcr_extend(struct tpm_message *ret_command, unsigned pcr, const uint8_t digest[TPM_DIGEST]);
/* A primary key of the endorsement hierarchy. */
void tpm_command_create_primary(struct tpm_message *ret_command, enum tpm_template template);
void tpm_command_read_public(struct tpm_message *ret_command, uint32_t handle);
void tpm_command_flush(struct tpm_message *ret_command, uint32_t handle);
/* An unbound, unsalted policy session; the nonce is the caller's random number. */
void tpm_command_start_policy(struct tpm_message *ret_command, const uint8_t nonce[16]);
/* The endorsement hierarchy's password, for a session. */
void tpm_command_policy_secret(struct tpm_message *ret_command, uint32_t session);
/* What only this TPM can open, and only for this `ak`: `credential` is a TPM2B_ID_OBJECT, `secret` a TPM2B_ENCRYPTED_SECRET. */
void tpm_command_activate(struct tpm_message *ret_command, uint32_t ak, uint32_t ek, uint32_t session, const struct tpm_bytes *credential,
			  const struct tpm_bytes *secret);
void tpm_command_quote(struct tpm_message *ret_command, uint32_t ak, const void *nonce, size_t nonce_size, uint32_t mask);
void tpm_command_nv_read_public(struct tpm_message *ret_command, uint32_t index);
/* With the index's own, empty password. */
void tpm_command_nv_read(struct tpm_message *ret_command, uint32_t index, size_t offset, size_t size);
void tpm_command_nv_increment(struct tpm_message *ret_command, uint32_t index);
void tpm_command_nv_undefine(struct tpm_message *ret_command, uint32_t index);
/* A counter, which begins where the highest that this TPM ever had ended. */
void tpm_command_nv_define_counter(struct tpm_message *ret_command, uint32_t index);

/* ------------------------------------------------------------------ answers */
struct tpm_answer {
	uint32_t result;            /* 0: the command was carried out */
	const uint8_t *handle;      /* where handles and parameters begin */
	size_t size;                /* bytes from there to the end */
	bool sessions;
};

/* Results (part 2, 6.6) that mean something here. */
bool tpm_result_is_again(uint32_t result);      /* nothing is wrong; not now */
bool tpm_result_is_absent(uint32_t result);     /* there is no such object or index */
bool tpm_result_is_denied(uint32_t result);     /* somebody set a password */
#define TPM_RESULT_INITIALIZE 0x100u            /* nobody has started it up */

/* Bytes that an answer has: at least 10. 0: it isn't one. */
size_t tpm_answer_size(const uint8_t header[10]);
/* All below: 0, or -EBADMSG for what isn't such an answer. They point into `data`. */
int tpm_answer_parse(const void *data, size_t size, struct tpm_answer *ret_answer);
/* The values of `*ret_mask`'s PCRs, each at its number; the others aren't touched. */
int tpm_answer_pcrs(const struct tpm_answer *answer, uint32_t *ret_mask, uint8_t ret_values[TPM_PCRS][TPM_DIGEST]);
int tpm_answer_created(const struct tpm_answer *answer, uint32_t *ret_handle, struct tpm_bytes *ret_public);
int tpm_answer_public(const struct tpm_answer *answer, struct tpm_bytes *ret_public);
int tpm_answer_session(const struct tpm_answer *answer, uint32_t *ret_handle);
int tpm_answer_activated(const struct tpm_answer *answer, struct tpm_bytes *ret_credential);
int tpm_answer_quote(const struct tpm_answer *answer, struct tpm_bytes *ret_attest, struct tpm_bytes *ret_signature);

struct tpm_index {
	uint32_t attributes;
	size_t size;
};
#define TPM_NV_WRITTEN 0x20000000u

int tpm_answer_nv_public(const struct tpm_answer *answer, struct tpm_index *ret_index);
int tpm_answer_nv_read(const struct tpm_answer *answer, struct tpm_bytes *ret_data);

/* Whether an index is the counter that tpm_command_nv_define_counter makes: nothing that goes backwards. */
bool tpm_index_is_counter(const struct tpm_index *index);
/* Whether a public area is what the template makes (its own part, `unique`, aside). */
bool tpm_public_fits(const struct tpm_bytes *public_area, enum tpm_template template);
/* Bytes of the certificate at the beginning of an index, which may be longer than what it holds; 0: none. */
size_t tpm_certificate_size(const uint8_t *data, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a TPM 2.0 hands out, as its structures (TPM 2.0 Library, Part 2) are on the wire: big-endian, each variable part behind its length of
 * 16 bits. Only what Repave's keys are. Pure: bytes in, structs out, and nothing in them was verified.
 *
 *   TPMT_PUBLIC     type, nameAlg, objectAttributes(32), authPolicy, parameters of the type, unique (RSA: modulus; ECC: x, y)
 *   TPMS_ATTEST     ff 54 43 47, 80 18 (quote), qualifiedSigner, extraData, clock(64) resetCount(32) restartCount(32) safe(8),
 *                   firmwareVersion(64), PCR selections(32: how many; hash, size(8), bit map), pcrDigest
 *   TPMT_SIGNATURE  00 18 (ECDSA), hash, r, s
 */
#ifndef CONTROL_TPM_FORMAT_H
#define CONTROL_TPM_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/names.h"

#define TPM_PUBLIC_MOST 1024u
#define TPM_ATTEST_MOST 1024u
#define TPM_SIGNATURE_MOST 256u
#define TPM_DIGEST 32u          /* SHA-256 is the only hash here */
#define TPM_NAME (2u + TPM_DIGEST)
#define TPM_RSA_BYTES 256u      /* RSA 2048 is the only size here */
#define TPM_POINT 32u           /* a coordinate of P-256 */
#define TPM_NONCE_MOST 64u

#define TPM_HASH_SHA256 0x000bu
#define TPM_SCHEME_NULL 0x0010u
#define TPM_SCHEME_ECDSA 0x0018u

/* objectAttributes */
#define TPM_FIXED_TPM 0x00000002u
#define TPM_FIXED_PARENT 0x00000010u
#define TPM_OWN_SECRET 0x00000020u   /* sensitiveDataOrigin: the TPM made it */
#define TPM_RESTRICTED 0x00010000u
#define TPM_DECRYPT 0x00020000u
#define TPM_SIGN 0x00040000u

enum tpm_key { TPM_RSA_2048, TPM_ECC_P256 };

struct tpm_public {
	enum tpm_key key;
	uint32_t attributes;
	bool wraps;                       /* symmetric part: AES-128 in CFB mode */
	uint16_t scheme, scheme_hash;     /* TPM_SCHEME_NULL: none */
	uint32_t exponent;                /* RSA */
	uint8_t modulus[TPM_RSA_BYTES];
	uint8_t x[TPM_POINT], y[TPM_POINT];
	uint8_t name[TPM_NAME];           /* nameAlg, and the SHA-256 of the whole structure */
};

struct tpm_quote {
	uint8_t extra[TPM_NONCE_MOST];
	size_t extra_size;
	uint64_t clock;                   /* milliseconds */
	uint32_t resets, restarts;        /* power-ons, and wake-ups since: together they name a boot */
	uint32_t pcrs;                    /* bit n: PCR n of the SHA-256 bank is in it */
	uint8_t digest[TPM_DIGEST];       /* SHA-256 over those PCRs, ascending */
};

struct tpm_signature {
	uint8_t r[TPM_POINT], s[TPM_POINT];
};

/* Each: 0, or -EINVAL with a sentence; also for what follows the structure. */
int tpm_public_parse(const uint8_t *data, size_t size, struct tpm_public *ret_public, char ret_error[ERROR_TEXT]);
int tpm_quote_parse(const uint8_t *data, size_t size, struct tpm_quote *ret_quote, char ret_error[ERROR_TEXT]);
int tpm_signature_parse(const uint8_t *data, size_t size, struct tpm_signature *ret_signature, char ret_error[ERROR_TEXT]);

/* Whether a key may be what it is offered as: an endorsement key decrypts, an attestation key signs what the TPM itself says (restricted, ECDSA
 * P-256 with SHA-256), and both are bound to their TPM. 0, or -EINVAL with a sentence. */
int tpm_endorsement_check(const struct tpm_public *public, char ret_error[ERROR_TEXT]);
int tpm_attestation_check(const struct tpm_public *public, char ret_error[ERROR_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is computed with a TPM's keys: whether a quote is signed, a secret that only one TPM can open (TPM 2.0 Library, Part 1, "Credential
 * Protection"), and whose an endorsement key is. */
#ifndef CONTROL_TPM_CRYPTO_H
#define CONTROL_TPM_CRYPTO_H

#include <stdint.h>

#include "common/bytes.h"
#include "control/tpm-format.h"

#define TPM_CREDENTIAL 32u
#define TPM_SEED 32u
#define EK_CERTIFICATE_MOST 4096u
#define CA_BUNDLE_MOST (64u * 1024)
#define EK_REVOCATIONS_MOST (256u * 1024)

/* Whether the attestation key signed the quote's bytes. 0, or -EKEYREJECTED with a sentence. */
int tpm_quote_verify(const struct tpm_public *ak, const uint8_t *quote, size_t size, const struct tpm_signature *signature,
		     char ret_error[ERROR_TEXT]);

/* Random bytes for what follows: 0 or an error. */
typedef int (*tpm_random)(void *context, unsigned char *bytes, size_t size);
/* The system's. */
int tpm_random_system(void *context, unsigned char *bytes, size_t size);

/* Wraps `credential` so that only the TPM with the key `ek` gives it out, and only where the key of that name is loaded: appends a TPM2B_ID_OBJECT
 * and a TPM2B_ENCRYPTED_SECRET. 0, -EINVAL (the key is no good) with a sentence, or -ENOMEM. */
int tpm_credential_make(const struct tpm_public *ek, const uint8_t ak_name[TPM_NAME], const uint8_t credential[TPM_CREDENTIAL], tpm_random random,
			struct buffer *ret_object, struct buffer *ret_secret, char ret_error[ERROR_TEXT]);
/* Key derivation functions of Part 1: KDFa in counter mode, `u` and `v` being the contexts; KDFe of an exchanged secret. 0 or -EIO. */
struct tpm_part {
	const void *data;
	size_t size;
};
int tpm_kdfa(const uint8_t key[TPM_SEED], const char *label, struct tpm_part u, struct tpm_part v, uint8_t *ret_key, size_t size);
int tpm_kdfe(const uint8_t z[TPM_POINT], const char *label, struct tpm_part u, struct tpm_part v, uint8_t ret_key[TPM_SEED]);

/* Whether the certificate (DER) is about this key, of an endorsement key if it says of what, and verifies now under one of the authorities (PEM,
 * one after the other, followed by a NUL that `size` doesn't count; NULL: there are none), and isn't in one of their lists of what they revoked (the
 * same). A list that should have been renewed counts still. 0; -EINVAL (it isn't about the key, or can't be read), -EKEYREJECTED (nobody vouches
 * for it) or -EKEYREVOKED, with a sentence. */
int ek_certificate_check(const uint8_t *certificate, size_t size, const struct tpm_public *ek, const struct buffer *authorities,
			 const struct buffer *revocations, char ret_error[ERROR_TEXT]);

/* One authority's list of what it revoked. */
struct ek_revocations {
	char issuer[256];              /* printable */
	char id[2 * TPM_DIGEST + 1];   /* SHA-256 of the issuer's name in DER, in hexadecimal: a newer list is about the same */
	struct buffer der;             /* owned */
	int64_t from, until;           /* seconds since 1970; `until` is when it should be renewed, 0: it doesn't say */
	size_t count;                  /* certificates in it */
};
/* Reads one, in PEM or DER, that one of the authorities (as above) signed. 0 (the caller frees `der`); -EINVAL or -EKEYREJECTED with a sentence; -ENOMEM. */
int ek_revocations_parse(const struct buffer *data, const struct buffer *authorities, struct ek_revocations *ret_list, char ret_error[ERROR_TEXT]);

/* Certificates of a bundle in PEM, each an authority's: calls `each` with its DER, the subject and the SHA-256 of the DER. Stops when that returns
 * non-zero, and returns it; -EINVAL with a sentence for a bundle with anything else in it, or nothing. */
int ca_bundle_each(const char *pem, int (*each)(void *context, const uint8_t *der, size_t size, const char *subject, const uint8_t digest[TPM_DIGEST]),
		   void *context, char ret_error[ERROR_TEXT]);

/* The DER of the one certificate in PEM, whose key signed `data` (RSA PKCS #1 v1.5 with SHA-256). 0; -EINVAL or -EKEYREJECTED with a sentence; -ENOMEM. */
int tpm_expected_verify(const char *certificate, const void *data, size_t size, const uint8_t *signature, size_t signature_size,
			struct buffer *ret_der, char ret_error[ERROR_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Public keys of TUF metadata, and whether they made a signature. Verification only.
 *
 *   keytype                        scheme                  keyval.public
 *   "ed25519"                      "ed25519"               64 hexadecimal digits (RFC 8032)
 *   "ecdsa", "ecdsa-sha2-nistp256" "ecdsa-sha2-nistp256"   PEM of a SubjectPublicKeyInfo; signature in DER, over SHA-256
 *   "rsa"                          "rsassa-pss-sha256"     PEM of a SubjectPublicKeyInfo; MGF1 with SHA-256, any salt */
#ifndef SIGNING_VERIFY_KEY_H
#define SIGNING_VERIFY_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/pk.h>

#include "signing/json.h"
#include "signing/sha256.h"

#define VERIFY_RSA_BITS_LEAST 2048u /* the specification's */
#define VERIFY_RSA_BITS_MOST 8192u  /* ours: a signature must not cost seconds */
#define VERIFY_SIGNATURE_MOST (VERIFY_RSA_BITS_MOST / 8)

enum verify_kind { VERIFY_ED25519, VERIFY_P256, VERIFY_RSA_PSS };

struct verify_key {
	enum verify_kind kind;
	uint8_t ed25519[32];
	mbedtls_pk_context pk;            /* of the other kinds; holds memory */
	uint8_t fingerprint[SHA256_SIZE]; /* of the key itself: the same for two writings of one key */
};

/* What is signed. The hash is for the kinds that don't hash the message themselves, made when the first of them asks. */
struct verify_message {
	const void *data;
	size_t size;
	bool is_hashed;
	uint8_t sha256[SHA256_SIZE];
};

/* `key` is an object as metadata has it; fields beyond those above are let be. 0; -ENOTSUP for a type and scheme that
 * isn't above; -EINVAL for one that is damaged, of another curve or size, or whose text holds anything else; -ENOMEM.
 * The caller calls verify_key_release. */
int verify_key_parse(struct tree key, struct verify_key *ret_key);
void verify_key_release(struct verify_key *key);

void verify_message_init(const void *data, size_t size, struct verify_message *ret_message);
/* `signature` is a string of hexadecimal digits. false for anything that isn't a sound signature of this message. */
bool verify_key_check(struct verify_key *key, struct verify_message *message, struct tree signature);

#endif

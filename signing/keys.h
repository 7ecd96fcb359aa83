/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys: making them, signing with them, and their public halves as TUF metadata has them. No I/O. Never linked into
 * what a node runs. Files of keys are signing/key-file.h. */
#ifndef SIGNING_KEYS_H
#define SIGNING_KEYS_H

#include <jansson.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define KEYS_MOST 64
#define KEY_NAME_MOST 64

/* RSA keys sign elsewhere (openssl, a token): only their public halves are known here. */
enum key_type { KEY_ED25519, KEY_P256, KEY_RSA };

#define KEY_SECRET_SIZE 32u       /* the seed of RFC 8032, or the scalar of P-256, big-endian */
#define KEY_SIGNATURE_MOST 72u    /* bytes: Ed25519 64, DER of ECDSA P-256 at most 72 */

struct signing_key {
	enum key_type type;
	char keyid[65];
	char name[KEY_NAME_MOST + 1]; /* for people; may be empty */
	uint8_t public[65];           /* Ed25519: 32 bytes; P-256: the uncompressed point */
	uint8_t secret[crypto_sign_ed25519_SECRETKEYBYTES]; /* Ed25519: as libsodium has it; P-256: the scalar */
};

struct signing_keys {
	struct signing_key *keys; /* NULL when empty */
	size_t count;
};

/* "ed25519", "p256", "rsa": what people write. */
const char *key_type_name(enum key_type type);

/* A new random key, Ed25519 or P-256, without a name. 0, -EINVAL or -ENOMEM. */
int signing_key_generate(enum key_type type, struct signing_key *ret_key);
/* The key of KEY_SECRET_SIZE bytes. 0, -EINVAL (no such secret of that type) or -ENOMEM. */
int signing_key_from_secret(enum key_type type, const uint8_t secret[KEY_SECRET_SIZE], struct signing_key *ret_key);
/* The Ed25519 key of a 32-byte seed. 0 or -ENOMEM. */
int signing_key_from_seed(const uint8_t seed[crypto_sign_ed25519_SEEDBYTES], struct signing_key *ret_key);
/* The secret that signing_key_from_secret takes. */
void signing_key_secret(const struct signing_key *key, uint8_t ret_secret[KEY_SECRET_SIZE]);

/* The public half as TUF metadata has it. A new reference, or NULL when out of memory. */
json_t *signing_key_public(const struct signing_key *key);

/* The hexadecimal signature of `size` bytes: at most 2 * KEY_SIGNATURE_MOST digits and a NUL (129 bytes for Ed25519).
 * 0, or -EIO when mbedTLS fails. */
int signing_key_sign(const struct signing_key *key, const void *data, size_t size, char *ret_signature);

/* Appends to `keys`. 0 or -ENOMEM. */
int signing_keys_add(struct signing_keys *keys, const struct signing_key *key);
/* Wipes and frees. */
void signing_keys_release(struct signing_keys *keys);

/* The type of a public key of TUF metadata. 0, or -EINVAL when it is none that Repave checks. */
int public_key_type(const json_t *key, enum key_type *ret_type);

/* A public key in PEM ("BEGIN PUBLIC KEY": Ed25519, P-256, or RSA of 2048 to 8192 bits) as TUF metadata has it: a new
 * reference. 0; -EINVAL with a sentence in ret_error (160 bytes) that says what it is instead; -ENOMEM. */
int public_key_from_pem(const void *text, size_t size, json_t **ret_key, char ret_error[160]);
/* The inverse: appends PEM. 0, -EINVAL or -ENOMEM. */
int public_key_to_pem(const json_t *key, struct buffer *ret_text);

/* Whether a name of a key or of a delegated role is one: [A-Za-z0-9._-]{1,64}, beginning with a letter or digit. */
bool is_key_name(const char *name);

#endif

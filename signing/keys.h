/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signing keys and their files. Never linked into what a node runs.
 *
 * A key file is <folder>/<role>-<number>.key, mode 0600, JSON:
 *   { "format": 1, "role": "targets", "keytype": "ed25519", "scheme": "ed25519",
 *     "public": "64 hex digits", "seed": "64 hex digits: the secret of RFC 8032" } */
#ifndef SIGNING_KEYS_H
#define SIGNING_KEYS_H

#include <jansson.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stddef.h>
#include <stdint.h>

#include "signing/format.h"

#define KEYS_MOST 64

struct signing_key {
	char keyid[65];
	uint8_t public[crypto_sign_ed25519_PUBLICKEYBYTES];
	uint8_t secret[crypto_sign_ed25519_SECRETKEYBYTES];
};

struct signing_keys {
	struct signing_key *keys; /* NULL when empty */
	size_t count;
};

/* A new random key. 0 or -ENOMEM. */
int signing_key_generate(struct signing_key *ret_key);
/* The key of a 32-byte seed. 0 or -ENOMEM. */
int signing_key_from_seed(const uint8_t seed[crypto_sign_ed25519_SEEDBYTES], struct signing_key *ret_key);

/* The public half as TUF metadata has it. A new reference, or NULL when out of memory. */
json_t *signing_key_public(const struct signing_key *key);

/* The hexadecimal signature of `size` bytes. */
void signing_key_sign(const struct signing_key *key, const void *data, size_t size,
		      char ret_signature[2 * crypto_sign_ed25519_BYTES + 1]);

/* Writes the key file; never over an existing one. 0 or -errno. */
int signing_key_store(const char *folder, enum tuf_type role, unsigned number, const struct signing_key *key);

/* Appends to `keys`. 0 or -ENOMEM. */
int signing_keys_add(struct signing_keys *keys, const struct signing_key *key);
/* All keys of a role in a folder, none being no error. Says on stderr what is wrong: -EINVAL (bad file),
 * -EACCES (others may read it), or the error of open/read. The caller calls signing_keys_release. */
int signing_keys_load(const char *folder, enum tuf_type role, struct signing_keys *ret_keys);
/* Wipes and frees. */
void signing_keys_release(struct signing_keys *keys);

#endif

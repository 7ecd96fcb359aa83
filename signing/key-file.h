/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of keys. Never linked into what a node runs.
 *
 * NAME.key, mode 0600, a secret key:
 *   { "format": 2, "name": "alice", "roles": ["root"], "created": "2030-01-01T00:00:00Z", "expires": "…" (optional),
 *     "keytype": "ed25519", "scheme": "ed25519", "keyval": { "public": "…" },        as in TUF metadata
 *     "secret": { "kdf": "argon2id", "passes": 3, "memory": 67108864, "salt": "32 hex digits",
 *                 "cipher": "xchacha20-poly1305", "nonce": "48 hex digits", "sealed": "96 hex digits" } }
 * or, not encrypted, "secret": { "plain": "64 hex digits" }. `sealed` is the secret of signing/keys.h with its
 * tag; the canonical form of everything but "secret" is authenticated with it. `roles` are those that the key may sign
 * for; none means any.
 *
 * NAME.pub, a public key with its name: { "format": 2, "name": "bob", "keytype": …, "scheme": …, "keyval": … }
 *
 * The first format ("format": 1, with "role", "public" and "seed", not encrypted) is read, not written. */
#ifndef SIGNING_KEY_FILE_H
#define SIGNING_KEY_FILE_H

#include <stdbool.h>

#include "signing/keys.h"

#define KEY_FILE_MOST 8192u
#define KEY_ROLES_MOST 16

struct key_file {
	char name[KEY_NAME_MOST + 1]; /* "" in the first format */
	char keyid[65];
	enum key_type type;
	json_t *public;               /* as in TUF metadata */
	json_t *roles;                /* list of strings */
	int64_t created, expires;     /* 0: unknown; never */
	bool has_secret, is_encrypted;
	json_t *json;                 /* all of it, secret included: wiped by jansson's free that key_file_setup sets */
};

/* Parses a .key or .pub file. 0; -EINVAL with a sentence in ret_error (160 bytes); -ENOMEM. The caller calls
 * key_file_release. */
int key_file_parse(const void *text, size_t size, struct key_file *ret_file, char ret_error[160]);
void key_file_release(struct key_file *file);

/* The key itself. `passphrase` is NULL or a text. 0; -EACCES when it is encrypted and the passphrase is NULL or
 * wrong; -EINVAL when secret and public halves don't belong together; -ENOMEM (also: not enough for Argon2). */
int key_file_open(const struct key_file *file, const char *passphrase, struct signing_key *ret_key);

/* Appends the text of a file for `key`, whose name is taken from it. `roles` may be NULL, `expires` 0, `passphrase` NULL
 * (not encrypted). 0, -EINVAL or -ENOMEM. */
int key_file_format(const struct signing_key *key, json_t *roles, int64_t created, int64_t expires,
		    const char *passphrase, struct buffer *ret_text);
/* Appends the text of a .pub file. 0 or -ENOMEM. */
int public_file_format(const char *name, const json_t *public, struct buffer *ret_text);

/* Reads a .key, a .pub or PEM of a public key. Says on stderr what is wrong: 0; -EINVAL (no such file of ours); -EACCES (a
 * secret that others may read); or the error of open/read. A PEM file's key is named after the file. */
int key_file_load(const char *path, struct key_file *ret_file);

/* Makes jansson wipe what it frees. Call once, before any JSON is made. */
void key_file_setup(void);

/* Wipes and frees. */
void secret_buffer_release(struct buffer *buffer);

#endif

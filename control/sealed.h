/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets at rest: what the database holds is useless to who has only the database.
 *
 *   the key        32 random bytes as 64 lower-case hexadecimal digits and a newline, in the state folder's file secret.key, mode
 *                  0600; or in systemd's credential repave-secret ($CREDENTIALS_DIRECTORY), which goes first
 *   sealed text    "1:" key id, 8 digits ":" base64( nonce, 24 bytes | XChaCha20-Poly1305 of the secret, 16 bytes longer than it )
 *
 * The key id is the beginning of the key's BLAKE2b hash: it tells a wrong key from a damaged text. What a secret is for is
 * authenticated with it, so that it opens nowhere else. */
#ifndef CONTROL_SEALED_H
#define CONTROL_SEALED_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define SEALING_KEY_FILE "secret.key"
#define SEALING_CREDENTIAL "repave-secret"
#define SEALED_SECRET_MOST 4096u

struct sealing_key {
	uint8_t bytes[32];
	char id[9];
};

/* Makes the key's file at `path`, which must not exist. 0 or -errno; logs the cause. */
int sealing_key_make(const char *path);
/* Reads a key. 0; -EACCES when others may read the file; -EINVAL; -errno; logs the cause. */
int sealing_key_load(const char *path, struct sealing_key *ret_key);
/* systemd's credential, or else the state folder's, which is made when there is none. The same errors. */
int sealing_key_find(const char *state, struct sealing_key *ret_key);
void sealing_key_wipe(struct sealing_key *key);

/* Adds the sealed text to `ret_text`. `purpose` is what it is bound to. 0, -EINVAL (too long) or -ENOMEM. */
int sealed_close(const struct sealing_key *key, const char *purpose, const char *secret, struct buffer *ret_text);
/* Adds the secret, which the caller wipes. 0; -ENOKEY (sealed with another key); -EBADMSG (damaged, or for another purpose); -ENOMEM. */
int sealed_open(const struct sealing_key *key, const char *purpose, const char *text, struct buffer *ret_secret);

#endif

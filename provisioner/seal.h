/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What has to lie on a disk for a moment and must not be read there: encrypted and authenticated with a key that is used once
 * (ChaCha20-Poly1305, RFC 8439, nonce 0). No I/O.
 *
 *   ciphertext, as long as the text | tag (16) */
#ifndef PROVISIONER_SEAL_H
#define PROVISIONER_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define SEAL_KEY_SIZE 32u
#define SEAL_TAG_SIZE 16u

/* Appends the sealed `text`. `key` must never seal another one. 0, -ENOMEM or -EIO. */
int seal(const uint8_t key[SEAL_KEY_SIZE], const void *text, size_t size, struct buffer *ret_sealed);
/* Appends what was sealed. 0; -EBADMSG when the key is another one or a bit was changed; -ENOMEM. Nothing is appended on error. */
int unseal(const uint8_t key[SEAL_KEY_SIZE], const void *sealed, size_t size, struct buffer *ret_text);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256: the CPU's own instructions where it has them, else mbedTLS. */
#ifndef SIGNING_SHA256_H
#define SIGNING_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32u

/* Holds no memory of its own: a copy goes on from where the original was, and there is nothing to release. */
struct sha256 {
	uint32_t state[8];
	uint64_t size;     /* bytes so far */
	uint8_t tail[64];  /* the last size % 64 of them */
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t size);
void sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE]);
void sha256_once(const void *data, size_t size, uint8_t ret_digest[SHA256_SIZE]);

/* `count` digests, one after the other, of the messages that begin as `prefix` did and go on with `size` bytes of `data`, the next
 * message's bytes following the last one's. Faster than one by one. */
void sha256_many(const struct sha256 *prefix, const uint8_t *data, size_t size, size_t count, uint8_t *ret_digests);

#endif

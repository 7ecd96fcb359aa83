/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-256, by mbedTLS. */
#ifndef SIGNING_SHA256_H
#define SIGNING_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include <mbedtls/sha256.h>

#define SHA256_SIZE 32u

/* Contexts of mbedTLS hold no memory of their own, so there is nothing to release. */
struct sha256 {
	mbedtls_sha256_context context;
};

void sha256_init(struct sha256 *sha);
void sha256_update(struct sha256 *sha, const void *data, size_t size);
void sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE]);
void sha256_once(const void *data, size_t size, uint8_t ret_digest[SHA256_SIZE]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/sha256.h"

#include <stdlib.h>

/* mbedTLS can only fail here when a hardware driver does, and none is built in. A wrong digest must never
 * leave this file, so such a failure ends the program. */
static void must(int r)
{
	if (r != 0)
		abort();
}

void sha256_init(struct sha256 *sha)
{
	mbedtls_sha256_init(&sha->context);
	must(mbedtls_sha256_starts_ret(&sha->context, 0));
}

void sha256_update(struct sha256 *sha, const void *data, size_t size)
{
	if (size > 0)
		must(mbedtls_sha256_update_ret(&sha->context, data, size));
}

void sha256_final(struct sha256 *sha, uint8_t ret_digest[SHA256_SIZE])
{
	must(mbedtls_sha256_finish_ret(&sha->context, ret_digest));
}

void sha256_once(const void *data, size_t size, uint8_t ret_digest[SHA256_SIZE])
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, data, size);
	sha256_final(&sha, ret_digest);
}

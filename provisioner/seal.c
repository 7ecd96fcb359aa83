/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/seal.h"

#include <errno.h>
#include <mbedtls/chachapoly.h>
#include <mbedtls/platform_util.h>
#include <stdlib.h>

static const uint8_t nonce[12];

static int with_key(const uint8_t key[SEAL_KEY_SIZE], const uint8_t *in, size_t size, uint8_t tag[SEAL_TAG_SIZE], bool encrypt,
		    uint8_t *out)
{
	mbedtls_chachapoly_context context;
	int r;

	mbedtls_chachapoly_init(&context);
	r = mbedtls_chachapoly_setkey(&context, key);
	if (r == 0 && encrypt)
		r = mbedtls_chachapoly_encrypt_and_tag(&context, size, nonce, NULL, 0, in, out, tag) == 0 ? 0 : -EIO;
	else if (r == 0)
		r = mbedtls_chachapoly_auth_decrypt(&context, size, nonce, NULL, 0, tag, in, out) == 0 ? 0 : -EBADMSG;
	else
		r = -EIO;
	mbedtls_chachapoly_free(&context);
	return r;
}

int seal(const uint8_t key[SEAL_KEY_SIZE], const void *text, size_t size, struct buffer *ret_sealed)
{
	uint8_t tag[SEAL_TAG_SIZE], *out = malloc(size + 1);
	int r = out != NULL ? with_key(key, text, size, tag, true, out) : -ENOMEM;

	if (r == 0)
		r = buffer_add(ret_sealed, out, size);
	if (r == 0)
		r = buffer_add(ret_sealed, tag, sizeof(tag));
	free(out);
	return r;
}

int unseal(const uint8_t key[SEAL_KEY_SIZE], const void *sealed, size_t size, struct buffer *ret_text)
{
	const uint8_t *in = sealed;
	uint8_t tag[SEAL_TAG_SIZE], *out;
	int r;

	if (size < SEAL_TAG_SIZE)
		return -EBADMSG;
	size -= SEAL_TAG_SIZE;
	out = malloc(size + 1);
	if (out == NULL)
		return -ENOMEM;
	for (size_t i = 0; i < SEAL_TAG_SIZE; i++)
		tag[i] = in[size + i];
	r = with_key(key, in, size, tag, false, out);
	if (r == 0)
		r = buffer_add(ret_text, out, size);
	mbedtls_platform_zeroize(out, size);
	free(out);
	return r;
}

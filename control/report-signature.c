// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/report-signature.h"

#include <errno.h>
#include <sodium/core.h>
#include <sodium/crypto_sign.h>
#include <string.h>

#define HEAD "-----BEGIN PUBLIC KEY-----"
#define TAIL "-----END PUBLIC KEY-----"

_Static_assert(crypto_sign_SEEDBYTES == REPORT_SEED_SIZE && crypto_sign_PUBLICKEYBYTES == REPORT_KEY_SIZE &&
	       crypto_sign_BYTES == REPORT_SIGNATURE_SIZE, "sizes of Ed25519");

/* SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING { the key } } */
static const uint8_t prefix[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };

int report_key_derive(const uint8_t seed[REPORT_SEED_SIZE], uint8_t ret_public[REPORT_KEY_SIZE])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES];
	int r = sodium_init() < 0 || crypto_sign_seed_keypair(ret_public, secret, seed) ? -EIO : 0;

	explicit_bzero(secret, sizeof secret);
	return r;
}

int report_sign(const uint8_t seed[REPORT_SEED_SIZE], const void *data, size_t size, uint8_t ret_signature[REPORT_SIGNATURE_SIZE])
{
	uint8_t secret[crypto_sign_SECRETKEYBYTES], public[REPORT_KEY_SIZE];
	int r = -EIO;

	if (sodium_init() >= 0 && !crypto_sign_seed_keypair(public, secret, seed) &&
	    !crypto_sign_detached(ret_signature, NULL, data, size, secret))
		r = 0;
	explicit_bzero(secret, sizeof secret);
	return r;
}

bool report_signature_fits(const uint8_t public[REPORT_KEY_SIZE], const void *data, size_t size,
			   const uint8_t signature[REPORT_SIGNATURE_SIZE])
{
	return sodium_init() >= 0 && crypto_sign_verify_detached(signature, data, size, public) == 0;
}

int report_key_format(const uint8_t public[REPORT_KEY_SIZE], struct buffer *ret_text)
{
	uint8_t info[sizeof prefix + REPORT_KEY_SIZE];
	struct buffer base64 = { 0 };
	int r;

	memcpy(info, prefix, sizeof prefix);
	memcpy(info + sizeof prefix, public, REPORT_KEY_SIZE);
	r = base64_format(info, sizeof info, &base64);
	if (!r)
		r = buffer_printf(ret_text, HEAD "\n%s\n" TAIL "\n", (const char *)base64.data);
	buffer_release(&base64);
	return r;
}

/* What stands between the lines, without its line ends. 0, -EINVAL or -ENOMEM. */
static int take_body(const char *text, struct buffer *ret_base64)
{
	const char *at = strstr(text, HEAD), *end = at ? strstr(at, "\n" TAIL) : NULL;
	int r = 0;

	if (!end || (size_t)(end - at) > REPORT_KEY_TEXT_MOST)
		return -EINVAL;
	for (at += strlen(HEAD); at < end && !r; at++)
		if (*at != '\n' && *at != '\r')
			r = buffer_add(ret_base64, at, 1);
	return r;
}

int report_key_parse(const char *text, uint8_t ret_public[REPORT_KEY_SIZE], char ret_error[ERROR_TEXT])
{
	struct buffer base64 = { 0 }, info = { 0 };
	int r = take_body(text, &base64);

	if (!r)
		r = base64.data ? base64_parse((const char *)base64.data, &info) : -EINVAL;
	if (!r && (info.size != sizeof prefix + REPORT_KEY_SIZE || memcmp(info.data, prefix, sizeof prefix)))
		r = -EINVAL;
	if (!r)
		memcpy(ret_public, info.data + sizeof prefix, REPORT_KEY_SIZE);
	buffer_release(&base64);
	buffer_release(&info);
	return r == -EINVAL ? refused(ret_error, "it isn't a public Ed25519 key in PEM, as `repave report key` prints one") : r;
}

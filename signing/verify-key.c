/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/verify-key.h"

#include <errno.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdlib.h>
#include <string.h>

#include <mbedtls/ecp.h>
#include <mbedtls/error.h>
#include <mbedtls/pem.h>
#include <mbedtls/rsa.h>

/* An RSA key of 8192 bits is 1,500 characters long. */
#define PEM_MOST 4096u
#define DER_MOST 2048u
/* A larger exponent only costs time; all that are in use have 2 to 17 bits. */
#define EXPONENT_BITS_MOST 64u

static const char pem_begin[] = "-----BEGIN PUBLIC KEY-----", pem_end[] = "-----END PUBLIC KEY-----";

static int errno_of(int r)
{
	return r == MBEDTLS_ERR_PK_ALLOC_FAILED || r == MBEDTLS_ERR_PEM_ALLOC_FAILED || r == MBEDTLS_ERR_MPI_ALLOC_FAILED ||
			       r == MBEDTLS_ERR_ECP_ALLOC_FAILED ?
		       -ENOMEM :
		       -EINVAL;
}

/* ------------------------------------------------------------------ keys */

static int parse_der(const uint8_t *der, size_t size, struct verify_key *key)
{
	uint8_t again[DER_MOST], *p = (uint8_t *)(uintptr_t)der;
	int written, r = mbedtls_pk_parse_subpubkey(&p, der + size, &key->pk);

	if (r != 0)
		return errno_of(r);
	/* One key has one writing: nothing behind it, no other encoding of lengths, curves or points. Written from the end
	 * of the buffer on. */
	written = mbedtls_pk_write_pubkey_der(&key->pk, again, sizeof(again));
	if (written < 0 || (size_t)written != size || memcmp(again + sizeof(again) - size, der, size) != 0)
		return -EINVAL;
	sha256_once(der, size, key->fingerprint);
	return 0;
}

static int parse_pem(const char *text, struct verify_key *key)
{
	mbedtls_pem_context pem;
	size_t used = 0;
	int r;

	/* mbedTLS would look for the first line anywhere. */
	if (strncmp(text, pem_begin, strlen(pem_begin)) != 0)
		return -EINVAL;
	mbedtls_pem_init(&pem);
	r = mbedtls_pem_read_buffer(&pem, pem_begin, pem_end, (const unsigned char *)text, NULL, 0, &used);
	if (r != 0)
		r = errno_of(r);
	else if (text[used + strspn(text + used, " \t\r\n")] != '\0')
		r = -EINVAL;
	else
		r = parse_der(pem.buf, pem.buflen, key);
	mbedtls_pem_free(&pem);
	return r;
}

static bool is_p256(const mbedtls_pk_context *pk)
{
	return mbedtls_pk_get_type(pk) == MBEDTLS_PK_ECKEY && mbedtls_pk_ec(*pk)->grp.id == MBEDTLS_ECP_DP_SECP256R1;
}

static bool is_sound_rsa(const mbedtls_pk_context *pk)
{
	size_t bits = mbedtls_pk_get_bitlen(pk);

	return mbedtls_pk_get_type(pk) == MBEDTLS_PK_RSA && bits >= VERIFY_RSA_BITS_LEAST && bits <= VERIFY_RSA_BITS_MOST &&
	       mbedtls_mpi_bitlen(&mbedtls_pk_rsa(*pk)->E) <= EXPONENT_BITS_MOST;
}

static int parse_pk(struct tree public, struct verify_key *key)
{
	char text[PEM_MOST];
	int r = tree_string(public, text, sizeof(text));

	if (r < 0)
		return -EINVAL;
	r = parse_pem(text, key);
	if (r == 0 && !(key->kind == VERIFY_P256 ? is_p256(&key->pk) : is_sound_rsa(&key->pk)))
		r = -EINVAL;
	return r;
}

static int kind_of(struct tree key, enum verify_kind *ret_kind)
{
	static const struct {
		const char *type, *scheme;
		enum verify_kind kind;
	} kinds[] = {
		{ "ed25519", "ed25519", VERIFY_ED25519 },
		{ "ecdsa", "ecdsa-sha2-nistp256", VERIFY_P256 },
		{ "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", VERIFY_P256 },
		{ "rsa", "rsassa-pss-sha256", VERIFY_RSA_PSS },
	};
	struct tree type = tree_get(key, "keytype"), scheme = tree_get(key, "scheme");

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (tree_is(type, kinds[i].type) && tree_is(scheme, kinds[i].scheme)) {
			*ret_kind = kinds[i].kind;
			return 0;
		}
	return -ENOTSUP;
}

int verify_key_parse(struct tree key, struct verify_key *ret_key)
{
	struct tree public = tree_get(tree_get(key, "keyval"), "public");
	struct verify_key found = { 0 };
	int r = kind_of(key, &found.kind);

	if (r < 0)
		return r;
	mbedtls_pk_init(&found.pk);
	if (found.kind == VERIFY_ED25519) {
		r = tree_hex(public, found.ed25519, sizeof(found.ed25519)) < 0 ? -EINVAL : 0;
		sha256_once(found.ed25519, sizeof(found.ed25519), found.fingerprint);
	} else {
		r = parse_pk(public, &found);
	}
	if (r < 0) {
		verify_key_release(&found);
		return r;
	}
	*ret_key = found;
	return 0;
}

void verify_key_release(struct verify_key *key)
{
	mbedtls_pk_free(&key->pk);
}

/* ------------------------------------------------------------------ signatures */

void verify_message_init(const void *data, size_t size, struct verify_message *ret_message)
{
	*ret_message = (struct verify_message){ .data = data, .size = size };
}

static const uint8_t *sha256_of(struct verify_message *message)
{
	if (!message->is_hashed)
		sha256_once(message->data, message->size, message->sha256);
	message->is_hashed = true;
	return message->sha256;
}

bool verify_key_check(struct verify_key *key, struct verify_message *message, struct tree signature)
{
	const mbedtls_pk_rsassa_pss_options pss = { MBEDTLS_MD_SHA256, MBEDTLS_RSA_SALT_LEN_ANY };
	uint8_t bytes[VERIFY_SIGNATURE_MOST];
	size_t size = tree_string_size(signature) / 2;

	if (size == 0 || size > sizeof(bytes) || tree_hex(signature, bytes, size) < 0)
		return false;
	switch (key->kind) {
	case VERIFY_ED25519:
		return size == crypto_sign_ed25519_BYTES &&
		       crypto_sign_ed25519_verify_detached(bytes, message->data, message->size, key->ed25519) == 0;
	case VERIFY_P256:
		return mbedtls_pk_verify(&key->pk, MBEDTLS_MD_SHA256, sha256_of(message), SHA256_SIZE, bytes, size) == 0;
	case VERIFY_RSA_PSS:
		return mbedtls_pk_verify_ext(MBEDTLS_PK_RSASSA_PSS, &pss, &key->pk, MBEDTLS_MD_SHA256, sha256_of(message),
					     SHA256_SIZE, bytes, size) == 0;
	}
	return false;
}

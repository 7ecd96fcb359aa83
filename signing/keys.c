/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/keys.h"

#include <errno.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/pk.h>
#include <sodium/core.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "signing/document-json.h"
#include "signing/sha256.h"

#define PEM_MOST 16384u

/* SubjectPublicKeyInfo of Ed25519 (RFC 8410): the same 12 bytes before every key. */
static const uint8_t ed25519_prefix[] = { 0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00 };
static const char pem_begin[] = "-----BEGIN PUBLIC KEY-----", pem_end[] = "-----END PUBLIC KEY-----";

const char *key_type_name(enum key_type type)
{
	static const char *const names[] = { "ed25519", "p256", "rsa" };

	return names[type];
}

bool is_key_name(const char *name)
{
	size_t size = strlen(name);

	return size > 0 && size <= KEY_NAME_MOST && name[0] != '.' && name[0] != '-' && name[0] != '_' &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == size;
}

/* ------------------------------------------------------------------ P-256, by mbedTLS */

static int random_bytes(void *context, unsigned char *ret_data, size_t size)
{
	(void)context;
	randombytes_buf(ret_data, size);
	return 0;
}

/* An mbedTLS key pair of the scalar; the public point is computed. 0, -EINVAL or -ENOMEM. */
static int load_p256(mbedtls_ecp_keypair *pair, const uint8_t secret[KEY_SECRET_SIZE])
{
	int r = mbedtls_ecp_group_load(&pair->grp, MBEDTLS_ECP_DP_SECP256R1);

	if (r == 0)
		r = mbedtls_mpi_read_binary(&pair->d, secret, KEY_SECRET_SIZE);
	if (r == 0 && mbedtls_ecp_check_privkey(&pair->grp, &pair->d) != 0)
		return -EINVAL;
	if (r == 0)
		r = mbedtls_ecp_mul(&pair->grp, &pair->Q, &pair->d, &pair->grp.G, random_bytes, NULL);
	return r == 0 ? 0 : -ENOMEM;
}

static int init_p256(const uint8_t secret[KEY_SECRET_SIZE], struct signing_key *key)
{
	mbedtls_ecp_keypair pair;
	size_t size;
	int r;

	mbedtls_ecp_keypair_init(&pair);
	r = load_p256(&pair, secret);
	if (r == 0 && mbedtls_ecp_point_write_binary(&pair.grp, &pair.Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, key->public,
						     sizeof(key->public)) != 0)
		r = -ENOMEM;
	memcpy(key->secret, secret, KEY_SECRET_SIZE);
	mbedtls_ecp_keypair_free(&pair);
	return r;
}

/* `bytes` is a SubjectPublicKeyInfo. 0 or -ENOMEM. */
static int format_pem(const uint8_t *bytes, size_t size, struct buffer *ret_text)
{
	struct buffer base64 = { 0 };
	int r = base64_format(bytes, size, &base64);

	if (r == 0)
		r = buffer_printf(ret_text, "%s\n", pem_begin);
	for (size_t at = 0; r == 0 && at < base64.size; at += 64)
		r = buffer_printf(ret_text, "%.64s\n", (const char *)base64.data + at);
	if (r == 0)
		r = buffer_printf(ret_text, "%s\n", pem_end);
	buffer_release(&base64);
	return r;
}

/* SubjectPublicKeyInfo of P-256 (RFC 5480): the same 26 bytes before every uncompressed point. */
static int p256_pem(const uint8_t point[65], struct buffer *ret_text)
{
	static const uint8_t prefix[] = { 0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
					  0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00 };
	uint8_t bytes[sizeof(prefix) + 65];

	memcpy(bytes, prefix, sizeof(prefix));
	memcpy(bytes + sizeof(prefix), point, 65);
	return format_pem(bytes, sizeof(bytes), ret_text);
}

static int sign_p256(const struct signing_key *key, const void *data, size_t size, char *ret_signature)
{
	uint8_t digest[SHA256_SIZE], signature[MBEDTLS_ECDSA_MAX_LEN];
	mbedtls_ecp_keypair pair;
	size_t length = 0;
	int r;

	mbedtls_ecp_keypair_init(&pair);
	sha256_once(data, size, digest);
	r = load_p256(&pair, key->secret);
	if (r == 0 && (mbedtls_ecdsa_write_signature(&pair, MBEDTLS_MD_SHA256, digest, sizeof(digest), signature, &length,
						     random_bytes, NULL) != 0 || length > KEY_SIGNATURE_MOST))
		r = -EIO;
	if (r == 0)
		hex_format(signature, length, ret_signature);
	mbedtls_ecp_keypair_free(&pair);
	return r;
}

/* ------------------------------------------------------------------ keys that sign */

static json_t *public_json(const char *keytype, const char *scheme, const char *public)
{
	return json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval", "public", public);
}

json_t *signing_key_public(const struct signing_key *key)
{
	char public[2 * crypto_sign_ed25519_PUBLICKEYBYTES + 1];
	struct buffer pem = { 0 };
	json_t *json = NULL;

	if (key->type == KEY_ED25519) {
		hex_format(key->public, crypto_sign_ed25519_PUBLICKEYBYTES, public);
		return public_json("ed25519", "ed25519", public);
	}
	if (p256_pem(key->public, &pem) == 0)
		json = public_json("ecdsa", "ecdsa-sha2-nistp256", (const char *)pem.data);
	buffer_release(&pem);
	return json;
}

int signing_key_from_secret(enum key_type type, const uint8_t secret[KEY_SECRET_SIZE], struct signing_key *ret_key)
{
	struct signing_key key = { .type = type };
	json_t *public;
	int r = type == KEY_RSA ? -EINVAL : 0;

	if (r == 0 && type == KEY_P256)
		r = init_p256(secret, &key);
	else if (r == 0)
		crypto_sign_ed25519_seed_keypair(key.public, key.secret, secret);
	if (r == 0) {
		public = signing_key_public(&key);
		r = public ? json_keyid(public, key.keyid) : -ENOMEM;
		json_decref(public);
	}
	if (r == 0)
		*ret_key = key;
	sodium_memzero(&key, sizeof(key));
	return r;
}

int signing_key_from_seed(const uint8_t seed[crypto_sign_ed25519_SEEDBYTES], struct signing_key *ret_key)
{
	return signing_key_from_secret(KEY_ED25519, seed, ret_key);
}

void signing_key_secret(const struct signing_key *key, uint8_t ret_secret[KEY_SECRET_SIZE])
{
	if (key->type == KEY_ED25519)
		crypto_sign_ed25519_sk_to_seed(ret_secret, key->secret);
	else
		memcpy(ret_secret, key->secret, KEY_SECRET_SIZE);
}

int signing_key_generate(enum key_type type, struct signing_key *ret_key)
{
	uint8_t secret[KEY_SECRET_SIZE];
	int r;

	if (sodium_init() < 0)
		return -ENOMEM;
	do {
		/* A scalar of P-256 is below the group's order; 32 random bytes nearly always are. */
		randombytes_buf(secret, sizeof(secret));
		r = signing_key_from_secret(type, secret, ret_key);
	} while (r == -EINVAL && type == KEY_P256);
	sodium_memzero(secret, sizeof(secret));
	return r;
}

int signing_key_sign(const struct signing_key *key, const void *data, size_t size, char *ret_signature)
{
	uint8_t signature[crypto_sign_ed25519_BYTES];

	if (key->type == KEY_P256)
		return sign_p256(key, data, size, ret_signature);
	crypto_sign_ed25519_detached(signature, NULL, data, size, key->secret);
	hex_format(signature, sizeof(signature), ret_signature);
	return 0;
}

int signing_keys_add(struct signing_keys *keys, const struct signing_key *key)
{
	/* Not realloc: that could leave a copy of a secret behind. */
	struct signing_key *more = calloc(keys->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (keys->count > 0) {
		memcpy(more, keys->keys, keys->count * sizeof(*more));
		sodium_memzero(keys->keys, keys->count * sizeof(*keys->keys));
	}
	more[keys->count++] = *key;
	free(keys->keys);
	keys->keys = more;
	return 0;
}

void signing_keys_release(struct signing_keys *keys)
{
	if (keys->keys)
		sodium_memzero(keys->keys, keys->count * sizeof(*keys->keys));
	free(keys->keys);
	memset(keys, 0, sizeof(*keys));
}

/* ------------------------------------------------------------------ public keys of others */

int public_key_type(const json_t *key, enum key_type *ret_type)
{
	const char *type = json_get_string(key, "keytype"), *scheme = json_get_string(key, "scheme");

	if (!type || !scheme)
		return -EINVAL;
	if (strcmp(scheme, "ed25519") == 0 && strcmp(type, "ed25519") == 0)
		*ret_type = KEY_ED25519;
	else if (strcmp(scheme, "ecdsa-sha2-nistp256") == 0 && (strcmp(type, "ecdsa") == 0 || strcmp(type, scheme) == 0))
		*ret_type = KEY_P256;
	else if (strcmp(scheme, "rsassa-pss-sha256") == 0 && strcmp(type, "rsa") == 0)
		*ret_type = KEY_RSA;
	else
		return -EINVAL;
	return 0;
}

/* The bytes between the lines BEGIN PUBLIC KEY and END PUBLIC KEY. 0, -EINVAL or -ENOMEM. */
static int decode_pem(const char *text, struct buffer *ret_bytes)
{
	const char *begin = strstr(text, pem_begin), *end = begin ? strstr(begin, pem_end) : NULL;
	struct buffer base64 = { 0 };
	int r = end ? 0 : -EINVAL;

	for (const char *p = begin ? begin + strlen(pem_begin) : NULL; r == 0 && p < end; p++)
		if (!strchr(" \r\n\t", *p))
			r = buffer_add(&base64, p, 1);
	if (r == 0)
		r = base64.size > 0 ? base64_parse((const char *)base64.data, ret_bytes) : -EINVAL;
	buffer_release(&base64);
	return r;
}

static int refuse(char error[160], const char *why)
{
	snprintf(error, 160, "%s", why);
	return -EINVAL;
}

/* What mbedTLS knows: P-256 and RSA, written anew so that one key has one text and so one key id. */
static int parse_with_mbedtls(const struct buffer *bytes, json_t **ret_key, char error[160])
{
	struct buffer pem = { 0 };
	mbedtls_pk_context pk;
	uint8_t der[2048];
	int r = 0, size;

	mbedtls_pk_init(&pk);
	if (mbedtls_pk_parse_public_key(&pk, bytes->data, bytes->size) != 0)
		r = refuse(error, "holds no public key of a known kind: Ed25519, P-256 and RSA are known");
	else if (mbedtls_pk_can_do(&pk, MBEDTLS_PK_RSA) && (mbedtls_pk_get_bitlen(&pk) < 2048 ||
							    mbedtls_pk_get_bitlen(&pk) > 8192))
		r = refuse(error, "holds an RSA key whose size isn't from 2048 to 8192 bits");
	else if (mbedtls_pk_can_do(&pk, MBEDTLS_PK_ECKEY) && mbedtls_pk_ec(pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1)
		r = refuse(error, "holds a key of another curve than P-256");
	if (r == 0) {
		size = mbedtls_pk_write_pubkey_der(&pk, der, sizeof(der));
		r = size > 0 ? format_pem(der + sizeof(der) - size, (size_t)size, &pem) : -ENOMEM;
	}
	if (r == 0) {
		*ret_key = mbedtls_pk_can_do(&pk, MBEDTLS_PK_RSA) ?
			public_json("rsa", "rsassa-pss-sha256", (const char *)pem.data) :
			public_json("ecdsa", "ecdsa-sha2-nistp256", (const char *)pem.data);
		r = *ret_key ? 0 : -ENOMEM;
	}
	mbedtls_pk_free(&pk);
	buffer_release(&pem);
	return r;
}

int public_key_from_pem(const void *text, size_t size, json_t **ret_key, char ret_error[160])
{
	struct buffer copy = { 0 }, bytes = { 0 };
	char public[2 * crypto_sign_ed25519_PUBLICKEYBYTES + 1];
	int r = size > 0 && size <= PEM_MOST && !memchr(text, 0, size) ? buffer_add(&copy, text, size) : -EINVAL;

	*ret_key = NULL;
	if (r == 0 && strstr((const char *)copy.data, "PRIVATE KEY"))
		r = refuse(ret_error, "holds a private key: give the public one (openssl pkey -pubout)");
	else if (r < 0 || (r = decode_pem((const char *)copy.data, &bytes)) == -EINVAL)
		r = refuse(ret_error, "is no sound PEM of a public key (BEGIN PUBLIC KEY)");
	if (r == 0 && bytes.size == sizeof(ed25519_prefix) + 32 &&
	    memcmp(bytes.data, ed25519_prefix, sizeof(ed25519_prefix)) == 0) {
		hex_format(bytes.data + sizeof(ed25519_prefix), 32, public);
		*ret_key = public_json("ed25519", "ed25519", public);
		r = *ret_key ? 0 : -ENOMEM;
	} else if (r == 0) {
		r = parse_with_mbedtls(&bytes, ret_key, ret_error);
	}
	if (copy.data)
		sodium_memzero(copy.data, copy.size);
	buffer_release(&copy);
	buffer_release(&bytes);
	return r;
}

int public_key_to_pem(const json_t *key, struct buffer *ret_text)
{
	const char *public = json_get_string(json_object_get(key, "keyval"), "public");
	uint8_t bytes[sizeof(ed25519_prefix) + 32];
	enum key_type type;

	if (!public || public_key_type(key, &type) < 0)
		return -EINVAL;
	if (type != KEY_ED25519)
		return buffer_add(ret_text, public, strlen(public));
	memcpy(bytes, ed25519_prefix, sizeof(ed25519_prefix));
	if (hex_parse(public, bytes + sizeof(ed25519_prefix), 32) < 0)
		return -EINVAL;
	return format_pem(bytes, sizeof(bytes), ret_text);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/secureboot.h"

#include <errno.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>
#include <stdio.h>
#include <string.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/sha256.h"

#define KEY_BITS 2048
#define TEXT_MOST 8192
#define SERIAL_SIZE 16
/* Firmware has no trustworthy clock and looks at neither; Linux wants the time of a signature between them. */
#define VALID_FROM "20000101000000"
#define VALID_UNTIL "20991231235959"

struct maker {
	mbedtls_entropy_context entropy;
	mbedtls_ctr_drbg_context random;
	mbedtls_pk_context key;
	mbedtls_x509write_cert certificate;
	mbedtls_mpi serial;
};

static int fail(int code, const char *what, const char *whose)
{
	char text[128] = "";

	mbedtls_strerror(code, text, sizeof(text));
	return log_error(-EIO, "can't %s %s (%s)", what, whose, text);
}

static void maker_init(struct maker *maker)
{
	mbedtls_entropy_init(&maker->entropy);
	mbedtls_ctr_drbg_init(&maker->random);
	mbedtls_pk_init(&maker->key);
	mbedtls_x509write_crt_init(&maker->certificate);
	mbedtls_mpi_init(&maker->serial);
}

static void maker_release(struct maker *maker)
{
	mbedtls_mpi_free(&maker->serial);
	mbedtls_x509write_crt_free(&maker->certificate);
	mbedtls_pk_free(&maker->key);
	mbedtls_ctr_drbg_free(&maker->random);
	mbedtls_entropy_free(&maker->entropy);
}

static int seed(struct maker *maker)
{
	return mbedtls_ctr_drbg_seed(&maker->random, mbedtls_entropy_func, &maker->entropy, NULL, 0);
}

static int make_key(struct maker *maker)
{
	int r = seed(maker);

	if (!r)
		r = mbedtls_pk_setup(&maker->key, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA));
	return r ? r : mbedtls_rsa_gen_key(mbedtls_pk_rsa(maker->key), mbedtls_ctr_drbg_random, &maker->random, KEY_BITS, 65537);
}

static int fill_certificate(struct maker *maker, const char *name, const char *owner)
{
	mbedtls_x509write_cert *certificate = &maker->certificate;
	unsigned char serial[SERIAL_SIZE];
	char subject[160];
	int r = mbedtls_ctr_drbg_random(&maker->random, serial, sizeof(serial));

	snprintf(subject, sizeof(subject), "CN=%s %s", owner, name);
	serial[0] = (unsigned char)((serial[0] & 0x3f) | 0x40); /* positive, without a leading zero byte */
	mbedtls_x509write_crt_set_version(certificate, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(certificate, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(certificate, &maker->key);
	mbedtls_x509write_crt_set_issuer_key(certificate, &maker->key);
	if (!r)
		r = mbedtls_mpi_read_binary(&maker->serial, serial, sizeof(serial));
	if (!r)
		r = mbedtls_x509write_crt_set_serial(certificate, &maker->serial);
	if (!r)
		r = mbedtls_x509write_crt_set_subject_name(certificate, subject);
	if (!r)
		r = mbedtls_x509write_crt_set_issuer_name(certificate, subject);
	if (!r)
		r = mbedtls_x509write_crt_set_validity(certificate, VALID_FROM, VALID_UNTIL);
	if (!r)
		r = mbedtls_x509write_crt_set_basic_constraints(certificate, 1, 0);
	if (!r)
		r = mbedtls_x509write_crt_set_subject_key_identifier(certificate);
	return r ? r : mbedtls_x509write_crt_set_authority_key_identifier(certificate);
}

static int store(const char *folder, const char *name, const char *ending, const void *data, size_t size, mode_t mode)
{
	char path[4096];
	int r;

	if (snprintf(path, sizeof(path), "%s/%s.%s", folder, name, ending) >= (int)sizeof(path))
		return log_error(-ENAMETOOLONG, "%s", folder);
	r = file_store(path, data, size, mode);
	return r < 0 ? log_error(r, "can't write %s", path) : 0;
}

static int store_pair(struct maker *maker, const char *folder, const char *name)
{
	unsigned char text[TEXT_MOST], der[TEXT_MOST];
	int r = mbedtls_pk_write_key_pem(&maker->key, text, sizeof(text)), size;

	if (r)
		return fail(r, "write the key of", name);
	r = store(folder, name, "key", text, strlen((char *)text), 0600);
	explicit_bzero(text, sizeof(text));
	if (r < 0)
		return r;
	r = mbedtls_x509write_crt_pem(&maker->certificate, text, sizeof(text), mbedtls_ctr_drbg_random, &maker->random);
	if (r)
		return fail(r, "write the certificate of", name);
	r = store(folder, name, "crt", text, strlen((char *)text), 0644);
	if (r < 0)
		return r;
	size = mbedtls_x509write_crt_der(&maker->certificate, der, sizeof(der), mbedtls_ctr_drbg_random, &maker->random);
	if (size < 0)
		return fail(size, "write the certificate of", name);
	/* It was written from the end. */
	return store(folder, name, "cer", der + sizeof(der) - (size_t)size, (size_t)size, 0644);
}

int secureboot_make_pair(const char *folder, const char *name, const char *owner)
{
	struct maker maker;
	int r;

	maker_init(&maker);
	r = make_key(&maker);
	if (r == 0)
		r = fill_certificate(&maker, name, owner);
	r = r ? fail(r, "make the key of", name) : store_pair(&maker, folder, name);
	maker_release(&maker);
	return r;
}

int secureboot_sign_bytes(const char *key, const void *data, size_t size, struct buffer *ret_text)
{
	unsigned char signature[MBEDTLS_PK_SIGNATURE_MAX_SIZE];
	uint8_t digest[SHA256_SIZE];
	struct maker maker;
	size_t length = 0;
	int r;

	sha256_once(data, size, digest);
	maker_init(&maker);
	r = seed(&maker);
	if (!r)
		r = mbedtls_pk_parse_keyfile(&maker.key, key, NULL);
	if (!r && mbedtls_pk_get_type(&maker.key) != MBEDTLS_PK_RSA)
		r = MBEDTLS_ERR_PK_TYPE_MISMATCH;
	if (!r)
		r = mbedtls_pk_sign(&maker.key, MBEDTLS_MD_SHA256, digest, sizeof(digest), signature, &length, mbedtls_ctr_drbg_random,
				    &maker.random);
	r = r ? fail(r, "sign with", key) : base64_format(signature, length, ret_text);
	maker_release(&maker);
	return r;
}

int secureboot_check_bytes(const char *certificate, const void *data, size_t size, const char *text)
{
	struct buffer signature = { 0 };
	uint8_t digest[SHA256_SIZE];
	mbedtls_x509_crt crt;
	int r = base64_parse(text, &signature);

	if (r < 0) {
		buffer_release(&signature);
		return log_error(r, "the signature isn't base64");
	}
	sha256_once(data, size, digest);
	mbedtls_x509_crt_init(&crt);
	r = mbedtls_x509_crt_parse_file(&crt, certificate);
	if (r)
		r = fail(r, "read", certificate);
	else if (mbedtls_pk_get_type(&crt.pk) != MBEDTLS_PK_RSA ||
		 mbedtls_pk_verify(&crt.pk, MBEDTLS_MD_SHA256, digest, sizeof(digest), signature.data, signature.size) != 0)
		r = log_error(-EBADMSG, "the signature isn't one by %s over these bytes", certificate);
	mbedtls_x509_crt_free(&crt);
	buffer_release(&signature);
	return r;
}

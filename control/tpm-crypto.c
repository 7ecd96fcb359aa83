// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tpm-crypto.h"

#include <errno.h>
#include <mbedtls/aes.h>
#include <mbedtls/ecdh.h>
#include <mbedtls/ecdsa.h>
#include <mbedtls/md.h>
#include <mbedtls/pk.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crl.h>
#include <mbedtls/x509_crt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "signing/sha256.h"

static const mbedtls_md_info_t *sha256_info(void)
{
	return mbedtls_md_info_from_type(MBEDTLS_MD_SHA256);
}

/* ------------------------------------------------------------------ quotes */

static int read_point(mbedtls_ecp_group *group, mbedtls_ecp_point *point, const struct tpm_public *key)
{
	uint8_t raw[1 + 2 * TPM_POINT] = { 0x04 };
	int r = mbedtls_ecp_group_load(group, MBEDTLS_ECP_DP_SECP256R1);

	memcpy(raw + 1, key->x, TPM_POINT);
	memcpy(raw + 1 + TPM_POINT, key->y, TPM_POINT);
	if (!r)
		r = mbedtls_ecp_point_read_binary(group, point, raw, sizeof raw);
	return r ? r : mbedtls_ecp_check_pubkey(group, point);
}

int tpm_quote_verify(const struct tpm_public *ak, const uint8_t *quote, size_t size, const struct tpm_signature *signature,
		     char ret_error[ERROR_TEXT])
{
	uint8_t digest[SHA256_SIZE];
	mbedtls_ecp_group group;
	mbedtls_ecp_point point;
	mbedtls_mpi r, s;
	int failed;

	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&point);
	mbedtls_mpi_init(&r);
	mbedtls_mpi_init(&s);
	sha256_once(quote, size, digest);
	failed = ak->key == TPM_ECC_P256 ? read_point(&group, &point, ak) : -1;
	if (!failed)
		failed = mbedtls_mpi_read_binary(&r, signature->r, sizeof signature->r);
	if (!failed)
		failed = mbedtls_mpi_read_binary(&s, signature->s, sizeof signature->s);
	if (!failed)
		failed = mbedtls_ecdsa_verify(&group, digest, sizeof digest, &point, &r, &s);
	mbedtls_mpi_free(&s);
	mbedtls_mpi_free(&r);
	mbedtls_ecp_point_free(&point);
	mbedtls_ecp_group_free(&group);
	if (!failed)
		return 0;
	refused(ret_error, "the quote isn't signed by the attestation key that was offered: it is another TPM's, or was changed");
	return -EKEYREJECTED;
}

/* ------------------------------------------------------------------ credentials */

int tpm_random_system(void *context, unsigned char *bytes, size_t size)
{
	(void)context;
	while (size) {
		size_t some = size < 256 ? size : 256;

		if (getrandom(bytes, some, 0) != (ssize_t)some)
			return MBEDTLS_ERR_ECP_RANDOM_FAILED;
		bytes += some;
		size -= some;
	}
	return 0;
}

static void put_be(uint8_t *to, uint32_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		to[i] = (uint8_t)(value >> 8 * (bytes - 1 - i));
}

int tpm_kdfa(const uint8_t key[TPM_SEED], const char *label, struct tpm_part u, struct tpm_part v, uint8_t *ret_key, size_t size)
{
	uint8_t block[SHA256_SIZE], number[4], bits[4];
	mbedtls_md_context_t hmac;
	int r;

	mbedtls_md_init(&hmac);
	r = mbedtls_md_setup(&hmac, sha256_info(), 1);
	put_be(bits, (uint32_t)(8 * size), 4);
	for (uint32_t i = 1; !r && size; i++) {
		size_t some = size < sizeof block ? size : sizeof block;

		put_be(number, i, 4);
		/* The label's NUL is part of it. */
		if (mbedtls_md_hmac_starts(&hmac, key, TPM_SEED) || mbedtls_md_hmac_update(&hmac, number, sizeof number) ||
		    mbedtls_md_hmac_update(&hmac, (const uint8_t *)label, strlen(label) + 1) || mbedtls_md_hmac_update(&hmac, u.data, u.size) ||
		    mbedtls_md_hmac_update(&hmac, v.data, v.size) || mbedtls_md_hmac_update(&hmac, bits, sizeof bits))
			r = -1;
		if (!r)
			r = mbedtls_md_hmac_finish(&hmac, block);
		memcpy(ret_key, block, some);
		ret_key += some;
		size -= some;
	}
	explicit_bzero(block, sizeof block);
	mbedtls_md_free(&hmac);
	return r ? -EIO : 0;
}

/* One block is all that is asked for here. */
int tpm_kdfe(const uint8_t z[TPM_POINT], const char *label, struct tpm_part u, struct tpm_part v, uint8_t ret_key[TPM_SEED])
{
	static const uint8_t first[4] = { 0, 0, 0, 1 };
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, first, sizeof first);
	sha256_update(&sha, z, TPM_POINT);
	sha256_update(&sha, label, strlen(label) + 1);
	sha256_update(&sha, u.data, u.size);
	sha256_update(&sha, v.data, v.size);
	sha256_final(&sha, ret_key);
	explicit_bzero(&sha, sizeof sha);
	return 0;
}

/* The seed, encrypted for an RSA key. */
static int share_rsa(const struct tpm_public *ek, tpm_random random, uint8_t seed[TPM_SEED], struct buffer *secret)
{
	uint8_t wrapped[2 + TPM_RSA_BYTES], exponent[4];
	mbedtls_rsa_context rsa;
	int r;

	mbedtls_rsa_init(&rsa, MBEDTLS_RSA_PKCS_V21, MBEDTLS_MD_SHA256);
	put_be(exponent, ek->exponent, 4);
	r = random(NULL, seed, TPM_SEED);
	if (!r)
		r = mbedtls_rsa_import_raw(&rsa, ek->modulus, TPM_RSA_BYTES, NULL, 0, NULL, 0, NULL, 0, exponent, sizeof exponent);
	if (!r)
		r = mbedtls_rsa_complete(&rsa);
	if (!r)
		r = mbedtls_rsa_check_pubkey(&rsa);
	put_be(wrapped, TPM_RSA_BYTES, 2);
	/* The label's NUL is part of it. */
	if (!r)
		r = mbedtls_rsa_rsaes_oaep_encrypt(&rsa, random, NULL, MBEDTLS_RSA_PUBLIC, (const uint8_t *)"IDENTITY", sizeof "IDENTITY", TPM_SEED,
						   seed, wrapped + 2);
	mbedtls_rsa_free(&rsa);
	return r ? -EINVAL : buffer_add(secret, wrapped, sizeof wrapped);
}

/* The seed, agreed on with an elliptic key: what is sent is a point. */
static int share_ecc(const struct tpm_public *ek, tpm_random random, uint8_t seed[TPM_SEED], struct buffer *secret)
{
	uint8_t z[TPM_POINT], raw[1 + 2 * TPM_POINT], wrapped[2 + 2 * (2 + TPM_POINT)];
	mbedtls_ecp_point theirs, ours;
	mbedtls_ecp_group group;
	mbedtls_mpi key, shared;
	size_t size;
	int r;

	mbedtls_ecp_group_init(&group);
	mbedtls_ecp_point_init(&theirs);
	mbedtls_ecp_point_init(&ours);
	mbedtls_mpi_init(&key);
	mbedtls_mpi_init(&shared);
	r = read_point(&group, &theirs, ek);
	if (!r)
		r = mbedtls_ecdh_gen_public(&group, &key, &ours, random, NULL);
	if (!r)
		r = mbedtls_ecdh_compute_shared(&group, &shared, &theirs, &key, random, NULL);
	if (!r)
		r = mbedtls_mpi_write_binary(&shared, z, sizeof z);
	if (!r)
		r = mbedtls_ecp_point_write_binary(&group, &ours, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, raw, sizeof raw);
	if (!r) {
		put_be(wrapped, sizeof wrapped - 2, 2);
		put_be(wrapped + 2, TPM_POINT, 2);
		memcpy(wrapped + 4, raw + 1, TPM_POINT);
		put_be(wrapped + 4 + TPM_POINT, TPM_POINT, 2);
		memcpy(wrapped + 6 + TPM_POINT, raw + 1 + TPM_POINT, TPM_POINT);
		tpm_kdfe(z, "IDENTITY", (struct tpm_part){ raw + 1, TPM_POINT }, (struct tpm_part){ ek->x, TPM_POINT }, seed);
	}
	explicit_bzero(z, sizeof z);
	mbedtls_mpi_free(&shared);
	mbedtls_mpi_free(&key);
	mbedtls_ecp_point_free(&ours);
	mbedtls_ecp_point_free(&theirs);
	mbedtls_ecp_group_free(&group);
	return r ? -EINVAL : buffer_add(secret, wrapped, sizeof wrapped);
}

/* The credential behind its length, encrypted. */
static int encrypt(const uint8_t seed[TPM_SEED], const uint8_t name[TPM_NAME], const uint8_t credential[TPM_CREDENTIAL],
		   uint8_t ret_text[2 + TPM_CREDENTIAL])
{
	uint8_t key[16], iv[16] = { 0 }, plain[2 + TPM_CREDENTIAL];
	mbedtls_aes_context aes;
	size_t offset = 0;
	int r = tpm_kdfa(seed, "STORAGE", (struct tpm_part){ name, TPM_NAME }, (struct tpm_part){ "", 0 }, key, sizeof key);

	put_be(plain, TPM_CREDENTIAL, 2);
	memcpy(plain + 2, credential, TPM_CREDENTIAL);
	mbedtls_aes_init(&aes);
	if (!r)
		r = mbedtls_aes_setkey_enc(&aes, key, 128);
	if (!r)
		r = mbedtls_aes_crypt_cfb128(&aes, MBEDTLS_AES_ENCRYPT, sizeof plain, &offset, iv, plain, ret_text);
	mbedtls_aes_free(&aes);
	explicit_bzero(key, sizeof key);
	explicit_bzero(plain, sizeof plain);
	return r ? -EINVAL : 0;
}

/* HMAC over text and name. */
static int protect(const uint8_t seed[TPM_SEED], const uint8_t name[TPM_NAME], const uint8_t text[2 + TPM_CREDENTIAL],
		   uint8_t ret_hmac[SHA256_SIZE])
{
	uint8_t key[SHA256_SIZE], both[2 + TPM_CREDENTIAL + TPM_NAME];
	int r = tpm_kdfa(seed, "INTEGRITY", (struct tpm_part){ "", 0 }, (struct tpm_part){ "", 0 }, key, sizeof key);

	memcpy(both, text, 2 + TPM_CREDENTIAL);
	memcpy(both + 2 + TPM_CREDENTIAL, name, TPM_NAME);
	if (!r)
		r = mbedtls_md_hmac(sha256_info(), key, sizeof key, both, sizeof both, ret_hmac);
	explicit_bzero(key, sizeof key);
	return r ? -EINVAL : 0;
}

int tpm_credential_make(const struct tpm_public *ek, const uint8_t ak_name[TPM_NAME], const uint8_t credential[TPM_CREDENTIAL], tpm_random random,
			struct buffer *ret_object, struct buffer *ret_secret, char ret_error[ERROR_TEXT])
{
	uint8_t seed[TPM_SEED] = { 0 }, object[2 + 2 + SHA256_SIZE + 2 + TPM_CREDENTIAL];
	uint8_t *text = object + 4 + SHA256_SIZE;
	int r = ek->key == TPM_RSA_2048 ? share_rsa(ek, random, seed, ret_secret) : share_ecc(ek, random, seed, ret_secret);

	if (!r)
		r = encrypt(seed, ak_name, credential, text);
	if (!r)
		r = protect(seed, ak_name, text, object + 4);
	explicit_bzero(seed, sizeof seed);
	put_be(object, sizeof object - 2, 2);
	put_be(object + 2, SHA256_SIZE, 2);
	if (!r)
		r = buffer_add(ret_object, object, sizeof object);
	return r == -EINVAL ? refused(ret_error, "the endorsement key is no key that anything can be encrypted for") : r;
}

/* ------------------------------------------------------------------ whose key it is */

static bool same_rsa(mbedtls_pk_context *pk, const struct tpm_public *ek)
{
	uint8_t modulus[TPM_RSA_BYTES], exponent[4], said[4];

	if (mbedtls_pk_get_type(pk) != MBEDTLS_PK_RSA || mbedtls_pk_get_len(pk) != TPM_RSA_BYTES)
		return false;
	put_be(said, ek->exponent, 4);
	return !mbedtls_rsa_export_raw(mbedtls_pk_rsa(*pk), modulus, sizeof modulus, NULL, 0, NULL, 0, NULL, 0, exponent, sizeof exponent) &&
	       !memcmp(modulus, ek->modulus, sizeof modulus) && !memcmp(exponent, said, sizeof said);
}

static bool same_ecc(mbedtls_pk_context *pk, const struct tpm_public *ek)
{
	mbedtls_ecp_keypair *pair;
	uint8_t raw[1 + 2 * TPM_POINT];
	size_t size;

	if (mbedtls_pk_get_type(pk) != MBEDTLS_PK_ECKEY)
		return false;
	pair = mbedtls_pk_ec(*pk);
	return pair->grp.id == MBEDTLS_ECP_DP_SECP256R1 &&
	       !mbedtls_ecp_point_write_binary(&pair->grp, &pair->Q, MBEDTLS_ECP_PF_UNCOMPRESSED, &size, raw, sizeof raw) &&
	       size == sizeof raw && !memcmp(raw + 1, ek->x, TPM_POINT) && !memcmp(raw + 1 + TPM_POINT, ek->y, TPM_POINT);
}

/* An authority may vouch for other keys than those of TPMs, and whoever has one can say what he likes of it: a TLS server's. Where a certificate says what
 * its key is for, that must be this (TCG EK Credential Profile: tcg-kp-EKCertificate, 2.23.133.8.1; it decrypts, or agrees on a key). */
static bool is_for_ek(const mbedtls_x509_crt *certificate)
{
	static const char purpose[] = "\x67\x81\x05\x08\x01";

	return !certificate->ca_istrue && !mbedtls_x509_crt_check_extended_key_usage(certificate, purpose, sizeof purpose - 1) &&
	       (!mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_KEY_ENCIPHERMENT) ||
		!mbedtls_x509_crt_check_key_usage(certificate, MBEDTLS_X509_KU_KEY_AGREEMENT));
}

/* A sentence on mbedTLS's reasons. */
static int refuse_chain(uint32_t flags, char error[ERROR_TEXT])
{
	const char *why = flags & MBEDTLS_X509_BADCRL_NOT_TRUSTED ? "its authority's list of revoked ones (`repave tpm list`) doesn't verify" :
			  flags & MBEDTLS_X509_BADCERT_NOT_TRUSTED ? "none of the authorities that `repave tpm ca add` was given signed it" :
			  flags & MBEDTLS_X509_BADCERT_EXPIRED ? "it has expired" :
			  flags & MBEDTLS_X509_BADCERT_FUTURE ? "it isn't valid yet; look at this machine's clock" : "it doesn't verify";

	if (flags & MBEDTLS_X509_BADCERT_REVOKED) {
		refused(error, "the TPM's endorsement certificate was revoked by the authority that signed it");
		return -EKEYREVOKED;
	}
	refused(error, "nobody vouches for the TPM's endorsement certificate: %s", why);
	return -EKEYREJECTED;
}

/* A list that is older than it should be still says what was revoked, and says nothing against the others: who forgets to renew it is warned by
 * `repave status`, and the fleet boots. */
#define STALE_LIST ((uint32_t)(MBEDTLS_X509_BADCRL_EXPIRED | MBEDTLS_X509_BADCRL_FUTURE))

static int verify_chain(mbedtls_x509_crt *certificate, mbedtls_x509_crt *trusted, mbedtls_x509_crl *revoked, char error[ERROR_TEXT])
{
	uint32_t flags = 0;
	int r = mbedtls_x509_crt_verify(certificate, trusted, revoked, NULL, &flags, NULL, NULL);

	if (!r || (r == MBEDTLS_ERR_X509_CERT_VERIFY_FAILED && flags && !(flags & ~STALE_LIST)))
		return 0;
	return refuse_chain(flags & ~STALE_LIST, error);
}

int ek_certificate_check(const uint8_t *certificate, size_t size, const struct tpm_public *ek, const struct buffer *authorities,
			 const struct buffer *revocations, char ret_error[ERROR_TEXT])
{
	mbedtls_x509_crt parsed, trusted;
	mbedtls_x509_crl revoked;
	int r = 0;

	mbedtls_x509_crt_init(&parsed);
	mbedtls_x509_crt_init(&trusted);
	mbedtls_x509_crl_init(&revoked);
	if (size > EK_CERTIFICATE_MOST || mbedtls_x509_crt_parse_der(&parsed, certificate, size)) {
		r = refused(ret_error, "the TPM's endorsement certificate can't be read; `repave tpm allow` takes the TPM by its key");
	} else if (ek->key == TPM_RSA_2048 ? !same_rsa(&parsed.pk, ek) : !same_ecc(&parsed.pk, ek)) {
		r = refused(ret_error, "the endorsement certificate is about another key than the one that was offered");
	} else if (!is_for_ek(&parsed)) {
		r = refused(ret_error, "the certificate isn't one of an endorsement key, by what it says of its key's use");
	} else if (authorities && authorities->size && mbedtls_x509_crt_parse(&trusted, authorities->data, authorities->size + 1)) {
		r = refused(ret_error, "the stored authorities of TPMs can't be read");
	} else if (revocations && revocations->size && mbedtls_x509_crl_parse(&revoked, revocations->data, revocations->size + 1)) {
		r = refused(ret_error, "the stored lists of revoked certificates can't be read");
	} else if (!authorities || !authorities->size) {
		r = refuse_chain(MBEDTLS_X509_BADCERT_NOT_TRUSTED, ret_error);
	} else {
		r = verify_chain(&parsed, &trusted, &revoked, ret_error);
	}
	mbedtls_x509_crl_free(&revoked);
	mbedtls_x509_crt_free(&trusted);
	mbedtls_x509_crt_free(&parsed);
	return r;
}

/* Whether one of the authorities signed the list, and may. */
static bool is_signed(const mbedtls_x509_crl *list, mbedtls_x509_crt *authorities)
{
	const mbedtls_md_info_t *info = mbedtls_md_info_from_type(list->sig_md);
	uint8_t hash[MBEDTLS_MD_MAX_SIZE];

	if (!info || mbedtls_md(info, list->tbs.p, list->tbs.len, hash))
		return false;
	for (mbedtls_x509_crt *one = authorities; one && one->raw.len; one = one->next)
		if (one->subject_raw.len == list->issuer_raw.len && !memcmp(one->subject_raw.p, list->issuer_raw.p, list->issuer_raw.len) &&
		    !mbedtls_x509_crt_check_key_usage(one, MBEDTLS_X509_KU_CRL_SIGN) &&
		    !mbedtls_pk_verify_ext(list->sig_pk, list->sig_opts, &one->pk, list->sig_md, hash, mbedtls_md_get_size(info), list->sig.p, list->sig.len))
			return true;
	return false;
}

/* 0 for none. */
static int64_t seconds_of(const mbedtls_x509_time *time)
{
	struct tm tm = { .tm_year = time->year - 1900, .tm_mon = time->mon - 1, .tm_mday = time->day, .tm_hour = time->hour, .tm_min = time->min,
			 .tm_sec = time->sec };

	return time->year ? (int64_t)timegm(&tm) : 0;
}

static int take_list(const mbedtls_x509_crl *list, struct ek_revocations *ret_list)
{
	uint8_t digest[TPM_DIGEST];

	if (mbedtls_x509_dn_gets(ret_list->issuer, sizeof ret_list->issuer, &list->issuer) < 0 ||
	    !text_printable(ret_list->issuer, strlen(ret_list->issuer)))
		strcpy(ret_list->issuer, "?");
	sha256_once(list->issuer_raw.p, list->issuer_raw.len, digest);
	hex_format(digest, TPM_DIGEST, ret_list->id);
	ret_list->from = seconds_of(&list->this_update);
	ret_list->until = seconds_of(&list->next_update);
	for (const mbedtls_x509_crl_entry *entry = &list->entry; entry && entry->serial.len; entry = entry->next)
		ret_list->count++;
	return buffer_add(&ret_list->der, list->raw.p, list->raw.len);
}

int ek_revocations_parse(const struct buffer *data, const struct buffer *authorities, struct ek_revocations *ret_list, char ret_error[ERROR_TEXT])
{
	static const char begin[] = "-----BEGIN X509 CRL-----";
	bool is_pem = data->size && memmem(data->data, data->size, begin, sizeof begin - 1);
	mbedtls_x509_crt trusted;
	mbedtls_x509_crl list;
	int r = 0;

	*ret_list = (struct ek_revocations){ 0 };
	mbedtls_x509_crt_init(&trusted);
	mbedtls_x509_crl_init(&list);
	if (!data->size || data->size > EK_REVOCATIONS_MOST)
		r = refused(ret_error, "a list of revoked certificates has at most %u KiB", EK_REVOCATIONS_MOST >> 10);
	else if (is_pem ? mbedtls_x509_crl_parse(&list, data->data, data->size + 1) : mbedtls_x509_crl_parse_der(&list, data->data, data->size))
		r = refused(ret_error, "that isn't a list of revoked certificates (CRL) in PEM or DER");
	else if (list.next)
		r = refused(ret_error, "there is more than one list in it; add each by itself");
	else if (!authorities || !authorities->size || mbedtls_x509_crt_parse(&trusted, authorities->data, authorities->size + 1) ||
		 !is_signed(&list, &trusted)) {
		refused(ret_error, "none of the authorities that `repave tpm ca add` was given signed this list; add its authority first");
		r = -EKEYREJECTED;
	} else if (mbedtls_x509_time_is_future(&list.this_update)) {
		r = refused(ret_error, "the list isn't valid yet; look at this machine's clock");
	} else {
		r = take_list(&list, ret_list);
	}
	mbedtls_x509_crl_free(&list);
	mbedtls_x509_crt_free(&trusted);
	return r;
}

int ca_bundle_each(const char *pem, int (*each)(void *context, const uint8_t *der, size_t size, const char *subject, const uint8_t digest[TPM_DIGEST]),
		   void *context, char ret_error[ERROR_TEXT])
{
	mbedtls_x509_crt parsed;
	uint8_t digest[TPM_DIGEST];
	char subject[256];
	int r = 0;

	mbedtls_x509_crt_init(&parsed);
	if (strnlen(pem, CA_BUNDLE_MOST + 1) > CA_BUNDLE_MOST)
		r = refused(ret_error, "the authorities' certificates are longer than %u KiB", CA_BUNDLE_MOST >> 10);
	/* More than 0: so many in it couldn't be read. */
	else if (mbedtls_x509_crt_parse(&parsed, (const uint8_t *)pem, strlen(pem) + 1))
		r = refused(ret_error, "that isn't a file of certificates in PEM, or one of them can't be read");
	for (const mbedtls_x509_crt *one = &parsed; !r && one; one = one->next) {
		if (mbedtls_x509_dn_gets(subject, sizeof subject, &one->subject) < 0)
			strcpy(subject, "?");
		if (!one->ca_istrue) {
			r = refused(ret_error, "the certificate of %.200s isn't an authority's",
				    text_printable(subject, strlen(subject)) ? subject : "?");
			break;
		}
		sha256_once(one->raw.p, one->raw.len, digest);
		r = each(context, one->raw.p, one->raw.len, text_printable(subject, strlen(subject)) ? subject : "?", digest);
	}
	mbedtls_x509_crt_free(&parsed);
	return r;
}

int tpm_expected_verify(const char *certificate, const void *data, size_t size, const uint8_t *signature, size_t signature_size,
			struct buffer *ret_der, char ret_error[ERROR_TEXT])
{
	uint8_t digest[SHA256_SIZE];
	mbedtls_x509_crt parsed;
	int r = 0;

	mbedtls_x509_crt_init(&parsed);
	sha256_once(data, size, digest);
	if (strnlen(certificate, CA_BUNDLE_MOST + 1) > CA_BUNDLE_MOST ||
	    mbedtls_x509_crt_parse(&parsed, (const uint8_t *)certificate, strlen(certificate) + 1) || parsed.next) {
		r = refused(ret_error, "the certificate isn't one certificate in PEM");
	} else if (mbedtls_pk_get_type(&parsed.pk) != MBEDTLS_PK_RSA ||
		   mbedtls_pk_verify(&parsed.pk, MBEDTLS_MD_SHA256, digest, sizeof digest, signature, signature_size)) {
		refused(ret_error, "the expected values aren't signed by the key of that certificate, or were changed since");
		r = -EKEYREJECTED;
	} else {
		r = buffer_add(ret_der, parsed.raw.p, parsed.raw.len);
	}
	mbedtls_x509_crt_free(&parsed);
	return r;
}

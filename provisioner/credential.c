/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/credential.h"

#include <errno.h>
#include <mbedtls/ecp.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/json.h"

/* The kernel's own; an entropy collector of a library has nothing better in a machine that has just started. */
static int random_bytes(void *context, unsigned char *ret_data, size_t size)
{
	(void)context;
	while (size > 0) {
		ssize_t n = getrandom(ret_data, size, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return MBEDTLS_ERR_ECP_RANDOM_FAILED;
		ret_data += n;
		size -= (size_t)n;
	}
	return 0;
}

void credential_wipe(struct credential *credential)
{
	explicit_bzero(credential, sizeof(*credential));
}

/* ------------------------------------------------------------------ keys */
int credential_make(struct credential *ret_credential)
{
	mbedtls_pk_context pk;
	int r;

	credential_wipe(ret_credential);
	mbedtls_pk_init(&pk);
	r = mbedtls_pk_setup(&pk, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY));
	if (r == 0)
		r = mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(pk), random_bytes, NULL);
	if (r == 0)
		r = mbedtls_pk_write_key_pem(&pk, (unsigned char *)ret_credential->key, sizeof(ret_credential->key));
	mbedtls_pk_free(&pk);
	if (r == 0)
		return 0;
	credential_wipe(ret_credential);
	return -EIO;
}

/* 0 or -EINVAL. mbedTLS counts the NUL of PEM text. */
static int key_parse(const char *pem, mbedtls_pk_context *pk)
{
	if (mbedtls_pk_parse_key(pk, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0) != 0 ||
	    !mbedtls_pk_can_do(pk, MBEDTLS_PK_ECKEY) || mbedtls_pk_ec(*pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1)
		return -EINVAL;
	return 0;
}

bool credential_sound(const struct credential *credential)
{
	mbedtls_pk_context pk;
	bool sound;

	mbedtls_pk_init(&pk);
	sound = key_parse(credential->key, &pk) == 0 && mbedtls_pk_check_pair(&pk, &pk) == 0;
	mbedtls_pk_free(&pk);
	return sound;
}

int credential_request(const struct credential *credential, const char *name, char ret_pem[CREDENTIAL_REQUEST_MOST])
{
	mbedtls_x509write_csr csr;
	mbedtls_pk_context pk;
	char subject[80];
	int r;

	mbedtls_pk_init(&pk);
	mbedtls_x509write_csr_init(&csr);
	snprintf(subject, sizeof(subject), "CN=%.64s", name);
	r = key_parse(credential->key, &pk);
	if (r == 0) {
		mbedtls_x509write_csr_set_key(&csr, &pk);
		mbedtls_x509write_csr_set_md_alg(&csr, MBEDTLS_MD_SHA256);
		r = mbedtls_x509write_csr_set_subject_name(&csr, subject);
	}
	if (r == 0)
		r = mbedtls_x509write_csr_pem(&csr, (unsigned char *)ret_pem, CREDENTIAL_REQUEST_MOST, random_bytes, NULL);
	mbedtls_x509write_csr_free(&csr);
	mbedtls_pk_free(&pk);
	return r == 0 ? 0 : -EIO;
}

/* ------------------------------------------------------------------ certificates */
/* Exactly one attribute of that kind, with that value. */
static bool subject_is(const mbedtls_x509_name *subject, const char *oid, size_t oid_size, const char *value)
{
	unsigned found = 0;
	bool equal = false;

	for (; subject != NULL; subject = subject->next) {
		if (subject->oid.len != oid_size || memcmp(subject->oid.p, oid, oid_size) != 0)
			continue;
		found++;
		equal = subject->val.len == strlen(value) && memcmp(subject->val.p, value, subject->val.len) == 0;
	}
	return found == 1 && equal;
}

static int64_t seconds_of(const mbedtls_x509_time *time)
{
	struct tm utc = { .tm_year = time->year - 1900, .tm_mon = time->mon - 1, .tm_mday = time->day, .tm_hour = time->hour,
			  .tm_min = time->min, .tm_sec = time->sec };

	return (int64_t)timegm(&utc);
}

static int refuse(char ret_error[CREDENTIAL_ERROR], const char *why)
{
	snprintf(ret_error, CREDENTIAL_ERROR, "%s", why);
	return -EINVAL;
}

static int check(const mbedtls_x509_crt *certificate, const mbedtls_pk_context *key, const char *name, const char *unit,
		 char ret_error[CREDENTIAL_ERROR])
{
	if (certificate->next != NULL)
		return refuse(ret_error, "there is more than one certificate");
	if (!subject_is(&certificate->subject, MBEDTLS_OID_AT_CN, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_CN), name))
		return refuse(ret_error, "the certificate is another node's");
	if (!subject_is(&certificate->subject, MBEDTLS_OID_AT_ORG_UNIT, MBEDTLS_OID_SIZE(MBEDTLS_OID_AT_ORG_UNIT), unit))
		return refuse(ret_error, "the certificate is of another kind");
	/* By what the key's text says is public: to compute that takes a slow server longer than the rest of this. */
	if (!mbedtls_pk_can_do(&certificate->pk, MBEDTLS_PK_ECKEY) ||
	    mbedtls_pk_ec(certificate->pk)->grp.id != MBEDTLS_ECP_DP_SECP256R1 ||
	    mbedtls_ecp_point_cmp(&mbedtls_pk_ec(certificate->pk)->Q, &mbedtls_pk_ec(*key)->Q) != 0)
		return refuse(ret_error, "the certificate is for another key");
	return 0;
}

int credential_take(struct credential *credential, const char *certificate, const char *name, const char *unit,
		    char ret_error[CREDENTIAL_ERROR])
{
	size_t size = strnlen(certificate, CREDENTIAL_CERTIFICATE_MOST);
	mbedtls_x509_crt parsed;
	mbedtls_pk_context key;
	int r;

	mbedtls_x509_crt_init(&parsed);
	mbedtls_pk_init(&key);
	if (size == 0 || size == CREDENTIAL_CERTIFICATE_MOST ||
	    mbedtls_x509_crt_parse(&parsed, (const unsigned char *)certificate, size + 1) != 0)
		r = refuse(ret_error, "the certificate can't be read");
	else if (key_parse(credential->key, &key) < 0)
		r = refuse(ret_error, "the key can't be read");
	else
		r = check(&parsed, &key, name, unit, ret_error);
	if (r == 0) {
		memmove(credential->certificate, certificate, size + 1);
		credential->from = seconds_of(&parsed.valid_from);
		credential->until = seconds_of(&parsed.valid_to);
	}
	mbedtls_pk_free(&key);
	mbedtls_x509_crt_free(&parsed);
	return r;
}

/* ------------------------------------------------------------------ in STATE */
int credential_parse(const json_t *member, const char *node, struct credential *ret_credential, char ret_error[CREDENTIAL_ERROR])
{
	const char *key = json_get_string(member, "key"), *certificate = json_get_string(member, "certificate");
	const char *whose = json_get_string(member, "node");
	mbedtls_pk_context pk;
	int r = -EINVAL;

	credential_wipe(ret_credential);
	ret_error[0] = '\0';
	if (member == NULL)
		return -ENOENT;
	if (whose != NULL && strcmp(whose, node) != 0) {
		snprintf(ret_error, CREDENTIAL_ERROR, "it is another server's (%.36s)", whose);
		return -ENOENT;
	}
	mbedtls_pk_init(&pk);
	if (whose != NULL && key != NULL && strlen(key) < CREDENTIAL_KEY_MOST)
		r = key_parse(key, &pk);
	mbedtls_pk_free(&pk);
	if (r < 0) {
		snprintf(ret_error, CREDENTIAL_ERROR, "the key can't be read");
		return -ENOENT;
	}
	strcpy(ret_credential->key, key);
	if (certificate != NULL)
		credential_take(ret_credential, certificate, node, "node", ret_error);
	return 0;
}

json_t *credential_format(const struct credential *credential, const char *node)
{
	json_t *member = json_pack("{s:s,s:s}", "node", node, "key", credential->key);

	if (member != NULL && credential->certificate[0] != '\0')
		json_object_set_new(member, "certificate", json_string(credential->certificate));
	return member;
}

/* ------------------------------------------------------------------ what to do */
enum credential_step credential_step(const struct credential *credential, int64_t now)
{
	if (credential->certificate[0] == '\0')
		return CREDENTIAL_ENROL;
	return now >= credential->from + (credential->until - credential->from) / 2 ? CREDENTIAL_RENEW : CREDENTIAL_USE;
}

bool credential_refused(unsigned status)
{
	return status == 401 || status == 403;
}

enum credential_next credential_next(enum credential_step step, unsigned status)
{
	if (status == 200)
		return CREDENTIAL_HAVE;
	if (step == CREDENTIAL_RENEW)
		return CREDENTIAL_GO_ON;
	if (status == 202)
		return CREDENTIAL_WAIT;
	return status == 429 || status >= 500 ? CREDENTIAL_LATER : CREDENTIAL_REFUSED;
}

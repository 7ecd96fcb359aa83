/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stage 1's key and certificate: made, kept, read back from a STATE that anybody may have written, and what follows from answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/pk.h>
#include <mbedtls/x509_crt.h>
#include <mbedtls/x509_csr.h>

#include "common/json.h"
#include "provisioner/credential.h"

#define NODE "5e70a7e0-0000-4000-8000-000000000001"
#define OTHER "5e70a7e0-0000-4000-8000-000000000002"
#define BEGIN INT64_C(1767225600) /* 2026-01-01 */
#define END INT64_C(1798761600)   /* 2027-01-01 */

static mbedtls_entropy_context entropy;
static mbedtls_ctr_drbg_context random_source;

static int set_up(void **state)
{
	(void)state;
	mbedtls_entropy_init(&entropy);
	mbedtls_ctr_drbg_init(&random_source);
	return mbedtls_ctr_drbg_seed(&random_source, mbedtls_entropy_func, &entropy, NULL, 0);
}

static int tear_down(void **state)
{
	(void)state;
	mbedtls_ctr_drbg_free(&random_source);
	mbedtls_entropy_free(&entropy);
	return 0;
}

static void read_key(const char *pem, mbedtls_pk_context *pk)
{
	mbedtls_pk_init(pk);
	assert_int_equal(mbedtls_pk_parse_key(pk, (const unsigned char *)pem, strlen(pem) + 1, NULL, 0), 0);
}

/* What a control unit would answer; here each key signs for itself, for nobody looks at who signed. */
static const char *certify(const struct credential *credential, const char *subject)
{
	static char pem[CREDENTIAL_CERTIFICATE_MOST];
	mbedtls_x509write_cert certificate;
	mbedtls_pk_context key;
	mbedtls_mpi serial;

	read_key(credential->key, &key);
	mbedtls_mpi_init(&serial);
	mbedtls_mpi_lset(&serial, 7);
	mbedtls_x509write_crt_init(&certificate);
	mbedtls_x509write_crt_set_version(&certificate, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&certificate, &key);
	mbedtls_x509write_crt_set_issuer_key(&certificate, &key);
	assert_int_equal(mbedtls_x509write_crt_set_serial(&certificate, &serial), 0);
	assert_int_equal(mbedtls_x509write_crt_set_subject_name(&certificate, subject), 0);
	assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&certificate, "CN=fleet"), 0);
	assert_int_equal(mbedtls_x509write_crt_set_validity(&certificate, "20260101000000", "20270101000000"), 0);
	assert_int_equal(mbedtls_x509write_crt_pem(&certificate, (unsigned char *)pem, sizeof(pem), mbedtls_ctr_drbg_random, &random_source), 0);
	mbedtls_x509write_crt_free(&certificate);
	mbedtls_mpi_free(&serial);
	mbedtls_pk_free(&key);
	return pem;
}

static void make(struct credential *credential)
{
	assert_int_equal(credential_make(credential), 0);
}

static void test_each_key_is_another_and_signs_its_request(void **state)
{
	struct credential a = { 0 }, b = { 0 };
	char request[CREDENTIAL_REQUEST_MOST];
	mbedtls_x509_csr csr;
	mbedtls_pk_context key;

	(void)state;
	make(&a);
	make(&b);
	assert_string_not_equal(a.key, b.key);
	assert_int_equal(credential_request(&a, NODE, request), 0);
	mbedtls_x509_csr_init(&csr);
	assert_int_equal(mbedtls_x509_csr_parse(&csr, (const unsigned char *)request, strlen(request) + 1), 0);
	read_key(a.key, &key);
	assert_int_equal(mbedtls_pk_check_pair(&csr.pk, &key), 0);
	assert_int_equal(csr.sig_md, MBEDTLS_MD_SHA256);
	mbedtls_pk_free(&key);
	mbedtls_x509_csr_free(&csr);
}

static void test_certificate_of_another_key_or_node_or_kind_is_refused(void **state)
{
	static const struct { const char *subject; int result; } cases[] = {
		{ "CN=" NODE ",OU=node", 0 },
		{ "OU=node,CN=" NODE, 0 },
		{ "CN=" OTHER ",OU=node", -EINVAL },
		{ "CN=" NODE ",OU=agent", -EINVAL },
		{ "CN=" NODE, -EINVAL },
		{ "OU=node", -EINVAL },
		{ "CN=" NODE "0,OU=node", -EINVAL },
	};
	struct credential mine = { 0 }, other = { 0 };
	char error[CREDENTIAL_ERROR], two[2 * CREDENTIAL_CERTIFICATE_MOST];
	const char *pem;

	(void)state;
	make(&mine);
	make(&other);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (credential_take(&mine, certify(&mine, cases[i].subject), NODE, "node", error) != cases[i].result)
			fail_msg("%s", cases[i].subject);
		assert_int_equal(mine.certificate[0] != '\0', cases[i].result == 0 || i > 1);
	}
	memset(mine.certificate, 0, sizeof(mine.certificate));
	assert_int_equal(credential_take(&mine, certify(&other, "CN=" NODE ",OU=node"), NODE, "node", error), -EINVAL);
	assert_string_equal(error, "the certificate is for another key");
	pem = certify(&mine, "CN=" NODE ",OU=node");
	snprintf(two, sizeof(two), "%s%s", pem, pem);
	assert_int_equal(credential_take(&mine, two, NODE, "node", error), -EINVAL);
	assert_int_equal(credential_take(&mine, "", NODE, "node", error), -EINVAL);
	memset(two, 'A', sizeof(two));
	two[sizeof(two) - 1] = '\0';
	assert_int_equal(credential_take(&mine, two, NODE, "node", error), -EINVAL);
	assert_int_equal(mine.certificate[0], '\0');
	assert_int_equal(credential_take(&mine, certify(&mine, "CN=" NODE ",OU=node"), NODE, "node", error), 0);
	assert_int_equal(mine.from, BEGIN);
	assert_int_equal(mine.until, END);
}

static void test_identity_survives_state(void **state)
{
	struct credential credential = { 0 }, again;
	char error[CREDENTIAL_ERROR];
	json_t *member;

	(void)state;
	make(&credential);
	for (unsigned with = 0; with < 2; with++) {
		if (with)
			assert_int_equal(credential_take(&credential, certify(&credential, "CN=" NODE ",OU=node"), NODE, "node", error), 0);
		member = credential_format(&credential, NODE);
		assert_int_equal(credential_parse(member, NODE, &again, error), 0);
		assert_string_equal(error, "");
		assert_memory_equal(&again, &credential, sizeof(again));
		/* Another server, into which the disk was put. */
		assert_int_equal(credential_parse(member, OTHER, &again, error), -ENOENT);
		assert_non_null(strstr(error, "another server's"));
		assert_int_equal(again.key[0], '\0');
		json_decref(member);
	}
	assert_int_equal(credential_parse(NULL, NODE, &again, error), -ENOENT);
	assert_string_equal(error, "");
}

/* Every flipped byte of key or certificate: no crash, and never a certificate that isn't the key's. */
static void test_damaged_identity_is_left_out(void **state)
{
	struct credential credential = { 0 }, damaged;
	char error[CREDENTIAL_ERROR], text[CREDENTIAL_CERTIFICATE_MOST];
	unsigned without_key = 0, without_certificate = 0;

	(void)state;
	make(&credential);
	assert_int_equal(credential_take(&credential, certify(&credential, "CN=" NODE ",OU=node"), NODE, "node", error), 0);
	for (unsigned of_certificate = 0; of_certificate < 2; of_certificate++) {
		const char *good = of_certificate ? credential.certificate : credential.key;

		for (size_t at = 0; at < strlen(good); at++) {
			json_t *member = credential_format(&credential, NODE);
			int r;

			strcpy(text, good);
			text[at] = text[at] == 'Q' ? 'R' : 'Q';
			json_object_set_new(member, of_certificate ? "certificate" : "key", json_string(text));
			r = credential_parse(member, NODE, &damaged, error);
			without_key += r < 0;
			without_certificate += r == 0 && damaged.certificate[0] == '\0';
			assert_int_equal(error[0] == '\0', r == 0 && damaged.certificate[0] != '\0');
			json_decref(member);
		}
	}
	assert_in_range(without_key, 50, strlen(credential.key));
	assert_in_range(without_certificate, 100, strlen(credential.certificate) + strlen(credential.key));
}

/* The public half of one key beside the private one of another: no request with it would ever be taken. */
static void test_key_of_two_halves_is_noticed(void **state)
{
	struct credential a = { 0 }, b = { 0 }, mixed = { 0 };
	mbedtls_pk_context one, two;

	(void)state;
	make(&a);
	make(&b);
	assert_true(credential_sound(&a));
	read_key(a.key, &one);
	read_key(b.key, &two);
	assert_int_equal(mbedtls_ecp_copy(&mbedtls_pk_ec(one)->Q, &mbedtls_pk_ec(two)->Q), 0);
	assert_int_equal(mbedtls_pk_write_key_pem(&one, (unsigned char *)mixed.key, sizeof(mixed.key)), 0);
	assert_false(credential_sound(&mixed));
	assert_false(credential_sound(&(struct credential){ .key = "" }));
	mbedtls_pk_free(&one);
	mbedtls_pk_free(&two);
}

static void test_state_of_other_types_is_left_out(void **state)
{
	static const char *const texts[] = { "{}", "[]", "{\"node\":1}", "{\"node\":\"" NODE "\"}", "{\"key\":\"\"}",
					     "{\"node\":\"" NODE "\",\"key\":\"\"}", "{\"node\":\"" NODE "\",\"key\":{},\"certificate\":\"\"}" };
	struct credential credential;
	char error[CREDENTIAL_ERROR], why[160];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		json_t *member = json_parse(texts[i], strlen(texts[i]), why);

		assert_non_null(member);
		assert_int_equal(credential_parse(member, NODE, &credential, error), -ENOENT);
		assert_string_equal(error, "the key can't be read");
		json_decref(member);
	}
}

static void test_renewed_in_the_second_half_of_its_life(void **state)
{
	struct credential credential = { .from = 1000, .until = 3000 };

	(void)state;
	assert_int_equal(credential_step(&credential, 1500), CREDENTIAL_ENROL);
	strcpy(credential.certificate, "x");
	assert_int_equal(credential_step(&credential, 0), CREDENTIAL_USE);
	assert_int_equal(credential_step(&credential, 1000), CREDENTIAL_USE);
	assert_int_equal(credential_step(&credential, 1999), CREDENTIAL_USE);
	assert_int_equal(credential_step(&credential, 2000), CREDENTIAL_RENEW);
	assert_int_equal(credential_step(&credential, 2999), CREDENTIAL_RENEW);
	/* The clock may be wrong; whether it ended the control unit says. */
	assert_int_equal(credential_step(&credential, 3000), CREDENTIAL_RENEW);
	assert_int_equal(credential_step(&credential, INT64_MAX), CREDENTIAL_RENEW);
}

static void test_what_follows_from_each_answer(void **state)
{
	static const struct { unsigned status; enum credential_next by_token, renewal; bool refused; } cases[] = {
		{ 200, CREDENTIAL_HAVE, CREDENTIAL_HAVE, false },
		{ 202, CREDENTIAL_WAIT, CREDENTIAL_GO_ON, false },
		{ 204, CREDENTIAL_REFUSED, CREDENTIAL_GO_ON, false },
		{ 301, CREDENTIAL_REFUSED, CREDENTIAL_GO_ON, false },
		{ 400, CREDENTIAL_REFUSED, CREDENTIAL_GO_ON, false },
		{ 401, CREDENTIAL_REFUSED, CREDENTIAL_GO_ON, true },
		{ 403, CREDENTIAL_REFUSED, CREDENTIAL_GO_ON, true },
		{ 404, CREDENTIAL_REFUSED, CREDENTIAL_GO_ON, false },
		{ 429, CREDENTIAL_LATER, CREDENTIAL_GO_ON, false },
		{ 500, CREDENTIAL_LATER, CREDENTIAL_GO_ON, false },
		{ 503, CREDENTIAL_LATER, CREDENTIAL_GO_ON, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(credential_next(CREDENTIAL_ENROL, cases[i].status), cases[i].by_token);
		assert_int_equal(credential_next(CREDENTIAL_RENEW, cases[i].status), cases[i].renewal);
		assert_int_equal(credential_refused(cases[i].status), cases[i].refused);
	}
}

static void test_wiped_means_all_of_it(void **state)
{
	static const struct credential none;
	struct credential credential = { 0 };

	(void)state;
	make(&credential);
	credential_wipe(&credential);
	assert_memory_equal(&credential, &none, sizeof(none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_key_is_another_and_signs_its_request),
		cmocka_unit_test(test_certificate_of_another_key_or_node_or_kind_is_refused),
		cmocka_unit_test(test_identity_survives_state),
		cmocka_unit_test(test_damaged_identity_is_left_out),
		cmocka_unit_test(test_key_of_two_halves_is_noticed),
		cmocka_unit_test(test_state_of_other_types_is_left_out),
		cmocka_unit_test(test_renewed_in_the_second_half_of_its_life),
		cmocka_unit_test(test_what_follows_from_each_answer),
		cmocka_unit_test(test_wiped_means_all_of_it),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What a TPM says, from what a swtpm said once (control/test/make-tpm-data): parsed, verified and judged; cut and forged. */
#include <errno.h>
#include <mbedtls/oid.h>
#include <mbedtls/rsa.h>
#include <mbedtls/x509_crt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/file.h"
#include "common/json.h"
#include "control/attest-policy.h"
#include "control/attest-request.h"
#include "control/tpm-judge.h"
#include "signing/sha256.h"

#define DATA "control/test/data/tpm/"

static struct buffer load(const char *name)
{
	struct buffer data = { 0 };
	char path[128];

	snprintf(path, sizeof path, DATA "%s", name);
	assert_int_equal(file_load(path, 1 << 20, &data), 0);
	return data;
}

static struct attest_request load_attest(const char *name)
{
	struct buffer body = load(name);
	struct attest_request request;
	char error[ERROR_TEXT];

	assert_int_equal(attest_request_parse(body.data, body.size, &request, error), 0);
	buffer_release(&body);
	return request;
}

static struct quote_request load_quote(const char *name, bool by_agent)
{
	struct buffer body = load(name);
	struct quote_request request;
	char error[ERROR_TEXT];

	assert_int_equal(quote_request_parse(body.data, body.size, by_agent, &request, error), 0);
	buffer_release(&body);
	return request;
}

/* ------------------------------------------------------------------ structures */

static void keys_of_a_tpm(void **state)
{
	struct attest_request own = load_attest("attest.json"), foreign = load_attest("foreign.json");
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(own.ek.key, TPM_RSA_2048);
	assert_int_equal(own.ek.exponent, 65537);
	assert_int_equal(own.ak.key, TPM_ECC_P256);
	assert_int_equal(tpm_endorsement_check(&own.ek, error), 0);
	assert_int_equal(tpm_attestation_check(&own.ak, error), 0);
	assert_int_equal(tpm_endorsement_check(&own.ak, error), -EINVAL);
	assert_int_equal(tpm_attestation_check(&own.ek, error), -EINVAL);
	assert_memory_not_equal(own.ek.name, foreign.ek.name, TPM_NAME);
	attest_request_release(&foreign);
	attest_request_release(&own);
}

/* Each attribute that the checks ask for. */
static void keys_without_an_attribute(void **state)
{
	static const uint32_t needed[] = { TPM_FIXED_TPM, TPM_FIXED_PARENT, TPM_OWN_SECRET, TPM_RESTRICTED };
	struct attest_request request = load_attest("attest.json");
	char error[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
		struct tpm_public ek = request.ek, ak = request.ak;

		ek.attributes &= ~needed[i];
		ak.attributes &= ~needed[i];
		assert_int_equal(tpm_endorsement_check(&ek, error), -EINVAL);
		assert_int_equal(tpm_attestation_check(&ak, error), -EINVAL);
	}
	request.ak.attributes |= TPM_DECRYPT;
	assert_int_equal(tpm_attestation_check(&request.ak, error), -EINVAL);
	request.ek.attributes |= TPM_SIGN;
	assert_int_equal(tpm_endorsement_check(&request.ek, error), -EINVAL);
	attest_request_release(&request);
}

/* Every shorter piece of a structure is refused, and one byte more. */
static void cut_structures(void **state)
{
	struct buffer body = load("attest.json"), more = load("quote.json"), bytes[3] = { { 0 } };
	static const char *const keys[] = { "ek_public", "quote", "signature" };
	char why[160], error[ERROR_TEXT];
	json_t *roots[2];

	(void)state;
	roots[0] = json_parse(body.data, body.size, why);
	roots[1] = json_parse(more.data, more.size, why);
	for (size_t i = 0; i < 3; i++) {
		const char *text = json_get_string(roots[i ? 1 : 0], keys[i]);
		struct tpm_public public;
		struct tpm_quote quote;
		struct tpm_signature signature;

		assert_int_equal(base64_parse(text, &bytes[i]), 0);
		assert_int_equal(buffer_add(&bytes[i], "x", 1), 0);
		for (size_t size = 0; size <= bytes[i].size; size++) {
			/* Of its own, so that a byte beyond is found. */
			uint8_t *copy = malloc(size + !size);
			int r;

			memcpy(copy, bytes[i].data, size);
			r = i == 0 ? tpm_public_parse(copy, size, &public, error) : i == 1 ? tpm_quote_parse(copy, size, &quote, error) :
				     tpm_signature_parse(copy, size, &signature, error);
			assert_int_equal(r, size + 1 == bytes[i].size ? 0 : -EINVAL);
			free(copy);
		}
		buffer_release(&bytes[i]);
	}
	json_decref(roots[0]);
	json_decref(roots[1]);
	buffer_release(&body);
	buffer_release(&more);
}

/* ------------------------------------------------------------------ keys */

static void quotes_are_signed(void **state)
{
	struct attest_request own = load_attest("attest.json"), foreign = load_attest("foreign.json");
	struct quote_request quote = load_quote("quote.json", false);
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(tpm_quote_verify(&own.ak, quote.quote.data, quote.quote.size, &quote.signature, error), 0);
	assert_int_equal(tpm_quote_verify(&foreign.ak, quote.quote.data, quote.quote.size, &quote.signature, error), -EKEYREJECTED);
	assert_int_equal(tpm_quote_verify(&own.ek, quote.quote.data, quote.quote.size, &quote.signature, error), -EKEYREJECTED);
	for (size_t i = 0; i < quote.quote.size; i += 7) {
		quote.quote.data[i] ^= 1;
		assert_int_equal(tpm_quote_verify(&own.ak, quote.quote.data, quote.quote.size, &quote.signature, error), -EKEYREJECTED);
		quote.quote.data[i] ^= 1;
	}
	memset(&quote.signature, 0, sizeof quote.signature);
	assert_int_equal(tpm_quote_verify(&own.ak, quote.quote.data, quote.quote.size, &quote.signature, error), -EKEYREJECTED);
	assert_true(judge_values(&quote.parsed, quote.values));
	quote.values[7][0] ^= 1;
	assert_false(judge_values(&quote.parsed, quote.values));
	quote_request_release(&quote);
	attest_request_release(&foreign);
	attest_request_release(&own);
}

/* Computed apart, by Python's hmac and hashlib. */
static void derived_keys(void **state)
{
	uint8_t key[32], made[48], wanted[48];

	(void)state;
	for (uint8_t i = 0; i < sizeof key; i++)
		key[i] = i;
	assert_int_equal(tpm_kdfa(key, "STORAGE", (struct tpm_part){ "name", 4 }, (struct tpm_part){ "", 0 }, made, 16), 0);
	hex_parse("97f1ccec355e7643a61c69d29ad6404d", wanted, 16);
	assert_memory_equal(made, wanted, 16);
	assert_int_equal(tpm_kdfa(key, "INTEGRITY", (struct tpm_part){ "", 0 }, (struct tpm_part){ "", 0 }, made, 32), 0);
	hex_parse("bacf689f634ece301e1f1b15b072d9c87db6a69585db42b1a0cb8f73ebe2692e", wanted, 32);
	assert_memory_equal(made, wanted, 32);
	assert_int_equal(tpm_kdfa(key, "LONG", (struct tpm_part){ "u", 1 }, (struct tpm_part){ "v", 1 }, made, 48), 0);
	hex_parse("6bd3291c93f2195c8c8c0bc6b0d23d4a6628f2eb7c1049edbb89bde7321ca2666aa224779950e4de137e631842724bbc", wanted, 48);
	assert_memory_equal(made, wanted, 48);
	assert_int_equal(tpm_kdfe(key, "IDENTITY", (struct tpm_part){ "u", 1 }, (struct tpm_part){ "v", 1 }, made), 0);
	hex_parse("6da5229474212b74b25f47aa9ae51924928bba8b9a403fbe3de337df72d00b8c", wanted, 32);
	assert_memory_equal(made, wanted, 32);
}

/* That the TPM opens it is shown by attestation-works; here sizes, and that nothing is made for a key that is none. */
static void credentials(void **state)
{
	struct attest_request request = load_attest("attest.json");
	uint8_t credential[TPM_CREDENTIAL] = { 1, 2, 3 };
	struct buffer object = { 0 }, secret = { 0 };
	struct tpm_public point = request.ak;
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(tpm_credential_make(&request.ek, request.ak.name, credential, tpm_random_system, &object, &secret, error), 0);
	assert_int_equal(object.size, 2 + 34 + 34);
	assert_int_equal(secret.size, 2 + 256);
	assert_null(memmem(object.data, object.size, credential, sizeof credential));
	buffer_release(&object);
	buffer_release(&secret);
	assert_int_equal(tpm_credential_make(&point, request.ak.name, credential, tpm_random_system, &object, &secret, error), 0);
	assert_int_equal(secret.size, 2 + 68);
	buffer_release(&object);
	buffer_release(&secret);
	point.y[31] ^= 1; /* not on the curve */
	assert_int_equal(tpm_credential_make(&point, request.ak.name, credential, tpm_random_system, &object, &secret, error), -EINVAL);
	assert_int_equal(secret.size, 0);
	memset(request.ek.modulus, 0, sizeof request.ek.modulus);
	assert_int_equal(tpm_credential_make(&request.ek, request.ak.name, credential, tpm_random_system, &object, &secret, error), -EINVAL);
	assert_int_equal(object.size + secret.size, 0);
	attest_request_release(&request);
}

static void certificates(void **state)
{
	struct attest_request own = load_attest("attest.json"), foreign = load_attest("foreign.json");
	struct buffer ca = load("ca.pem"), none = { 0 };
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(ek_certificate_check(own.certificate.data, own.certificate.size, &foreign.ek, &ca, NULL, error), -EINVAL);
	assert_non_null(strstr(error, "another key"));
	assert_int_equal(ek_certificate_check(foreign.certificate.data, foreign.certificate.size, &foreign.ek, &ca, NULL, error), -EKEYREJECTED);
	assert_non_null(strstr(error, "none of the authorities"));
	assert_int_equal(ek_certificate_check(own.certificate.data, own.certificate.size, &own.ek, &none, NULL, error), -EKEYREJECTED);
	for (size_t size = 0; size < own.certificate.size; size += 13)
		assert_int_equal(ek_certificate_check(own.certificate.data, size, &own.ek, &ca, NULL, error), -EINVAL);
	buffer_release(&ca);
	attest_request_release(&foreign);
	attest_request_release(&own);
}

/* An authority's key, and a certificate by it for an endorsement key that isn't one of a TPM. */
struct issuer {
	mbedtls_pk_context key, subject;
	struct buffer pem;
};

static void write_certificate(struct issuer *issuer, mbedtls_pk_context *subject, const char *name, const uint8_t *usage, size_t size, bool is_ca,
			      bool in_pem, struct buffer *ret_bytes)
{
	mbedtls_x509write_cert certificate;
	uint8_t bytes[4096];
	mbedtls_mpi serial;
	int n;

	mbedtls_mpi_init(&serial);
	mbedtls_x509write_crt_init(&certificate);
	assert_int_equal(mbedtls_mpi_lset(&serial, 7), 0);
	mbedtls_x509write_crt_set_version(&certificate, MBEDTLS_X509_CRT_VERSION_3);
	mbedtls_x509write_crt_set_md_alg(&certificate, MBEDTLS_MD_SHA256);
	mbedtls_x509write_crt_set_subject_key(&certificate, subject);
	mbedtls_x509write_crt_set_issuer_key(&certificate, &issuer->key);
	assert_int_equal(mbedtls_x509write_crt_set_serial(&certificate, &serial), 0);
	assert_int_equal(mbedtls_x509write_crt_set_subject_name(&certificate, name), 0);
	assert_int_equal(mbedtls_x509write_crt_set_issuer_name(&certificate, "CN=authority"), 0);
	assert_int_equal(mbedtls_x509write_crt_set_validity(&certificate, "20200101000000", "20991231235959"), 0);
	assert_int_equal(mbedtls_x509write_crt_set_basic_constraints(&certificate, is_ca, -1), 0);
	if (size)
		assert_int_equal(mbedtls_x509write_crt_set_extension(&certificate, MBEDTLS_OID_EXTENDED_KEY_USAGE,
								     MBEDTLS_OID_SIZE(MBEDTLS_OID_EXTENDED_KEY_USAGE), 0, usage, size), 0);
	if (in_pem) {
		assert_int_equal(mbedtls_x509write_crt_pem(&certificate, bytes, sizeof bytes, tpm_random_system, NULL), 0);
		assert_int_equal(buffer_add(ret_bytes, bytes, strlen((char *)bytes)), 0);
	} else {
		n = mbedtls_x509write_crt_der(&certificate, bytes, sizeof bytes, tpm_random_system, NULL);
		assert_true(n > 0);
		/* It was written from the end. */
		assert_int_equal(buffer_add(ret_bytes, bytes + sizeof bytes - n, (size_t)n), 0);
	}
	mbedtls_x509write_crt_free(&certificate);
	mbedtls_mpi_free(&serial);
}

static void issuer_init(struct issuer *issuer, const struct tpm_public *ek)
{
	static const uint8_t exponent[] = { 1, 0, 1 };

	*issuer = (struct issuer){ 0 };
	mbedtls_pk_init(&issuer->key);
	mbedtls_pk_init(&issuer->subject);
	assert_int_equal(mbedtls_pk_setup(&issuer->key, mbedtls_pk_info_from_type(MBEDTLS_PK_ECKEY)), 0);
	assert_int_equal(mbedtls_ecp_gen_key(MBEDTLS_ECP_DP_SECP256R1, mbedtls_pk_ec(issuer->key), tpm_random_system, NULL), 0);
	assert_int_equal(mbedtls_pk_setup(&issuer->subject, mbedtls_pk_info_from_type(MBEDTLS_PK_RSA)), 0);
	assert_int_equal(mbedtls_rsa_import_raw(mbedtls_pk_rsa(issuer->subject), ek->modulus, TPM_RSA_BYTES, NULL, 0, NULL, 0, NULL, 0, exponent,
						sizeof exponent), 0);
	assert_int_equal(mbedtls_rsa_complete(mbedtls_pk_rsa(issuer->subject)), 0);
	write_certificate(issuer, &issuer->key, "CN=authority", NULL, 0, true, true, &issuer->pem);
}

/* The authority is trusted, and signed it: but for a TLS server, or another authority. */
static void certificates_for_other_keys(void **state)
{
	static const uint8_t ek_usage[] = { 0x30, 7, 6, 5, 0x67, 0x81, 5, 8, 1 };
	static const uint8_t server_usage[] = { 0x30, 10, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1 };
	static const struct {
		const uint8_t *usage;
		size_t size;
		bool is_ca;
		int result;
	} cases[] = {
		{ ek_usage, sizeof ek_usage, false, 0 }, { NULL, 0, false, 0 }, { server_usage, sizeof server_usage, false, -EINVAL },
		{ ek_usage, sizeof ek_usage, true, -EINVAL },
	};
	struct attest_request own = load_attest("attest.json");
	char error[ERROR_TEXT];
	struct issuer issuer;

	(void)state;
	issuer_init(&issuer, &own.ek);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buffer der = { 0 };

		write_certificate(&issuer, &issuer.subject, "CN=key", cases[i].usage, cases[i].size, cases[i].is_ca, false, &der);
		assert_int_equal(ek_certificate_check(der.data, der.size, &own.ek, &issuer.pem, NULL, error), cases[i].result);
		if (cases[i].result)
			assert_non_null(strstr(error, "isn't one of an endorsement key"));
		buffer_release(&der);
	}
	buffer_release(&issuer.pem);
	mbedtls_pk_free(&issuer.subject);
	mbedtls_pk_free(&issuer.key);
	attest_request_release(&own);
}

/* ------------------------------------------------------------------ logs */

static void firmware_logs(void **state)
{
	struct quote_request quote = load_quote("quote.json", false);
	struct buffer bytes = load("firmware.log");
	struct firmware_log log;
	uint8_t value[TPM_DIGEST];
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(firmware_log_parse(bytes.data, bytes.size, &log, error), 0);
	for (uint32_t pcr = 0; pcr < 12; pcr++) {
		if (!(PCRS_QUOTED & 1u << pcr))
			continue;
		firmware_log_replay(&log, pcr, value);
		assert_memory_equal(value, quote.values[pcr], sizeof value);
	}
	firmware_log_release(&log);
	quote_request_release(&quote);
	buffer_release(&bytes);
}

/* Cut anywhere it is refused, or has fewer events. */
static void truncated_logs(void **state)
{
	struct buffer bytes = load("firmware.log");
	struct firmware_log log;
	char error[ERROR_TEXT];
	size_t whole;

	(void)state;
	assert_int_equal(firmware_log_parse(bytes.data, bytes.size, &log, error), 0);
	whole = log.count;
	firmware_log_release(&log);
	for (size_t size = 0; size < bytes.size; size++) {
		uint8_t *copy = malloc(size + !size);

		memcpy(copy, bytes.data, size);
		if (!firmware_log_parse(copy, size, &log, error)) {
			assert_true(log.count < whole);
			firmware_log_release(&log);
		}
		free(copy);
	}
	buffer_release(&bytes);
}

/* Room after the last event, and the locality in which PCR 0 began. */
static void odd_logs(void **state)
{
	static const uint8_t locality[] = { 0, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 0x0b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
					    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 17, 0, 0, 0, 'S', 't', 'a', 'r', 't', 'u', 'p', 'L', 'o', 'c', 'a', 'l', 'i',
					    't', 'y', 0, 3 };
	struct buffer bytes = load("firmware.log");
	uint8_t value[TPM_DIGEST], zeros[100] = { 0 };
	struct firmware_log log;
	char error[ERROR_TEXT];

	(void)state;
	bytes.size = 32 + get_le32(bytes.data + 28); /* the first event alone */
	buffer_add(&bytes, locality, sizeof locality);
	buffer_add(&bytes, zeros, sizeof zeros);
	assert_int_equal(firmware_log_parse(bytes.data, bytes.size, &log, error), 0);
	assert_int_equal(log.count, 0);
	firmware_log_replay(&log, 0, value);
	assert_int_equal(value[31], 3);
	firmware_log_replay(&log, 1, value);
	assert_memory_equal(value, zeros, sizeof value);
	firmware_log_replay(&log, 17, value);
	assert_int_equal(value[0], 0xff);
	firmware_log_release(&log);
	buffer_release(&bytes);
}

static void own_events(void **state)
{
	struct quote_request quote = load_quote("system.json", true);
	struct repave_events events;
	char error[ERROR_TEXT];
	json_t *record;

	(void)state;
	assert_int_equal(repave_events_parse(quote.events, &events, error), 0);
	assert_int_equal(events.count, 5);
	assert_memory_equal(events.value, quote.values[PCR_REPAVE], TPM_DIGEST);
	assert_string_equal(repave_event_find(&events, "repave.assignment"), "7");
	assert_null(repave_event_find(&events, "repave.rescue"));
	record = json_array_get(quote.events, 1);
	json_object_set_new(json_object_get(record, "content"), "data", json_string("cc"));
	assert_int_equal(repave_events_parse(quote.events, &events, error), -EINVAL);
	assert_non_null(strstr(error, "its digest isn't that of its content"));
	json_object_set_new(record, "pcr", json_integer(9));
	assert_int_equal(repave_events_parse(quote.events, &events, error), -EINVAL);
	json_array_remove(quote.events, 0);
	assert_int_equal(repave_events_parse(quote.events, &events, error), -EINVAL);
	assert_int_equal(repave_events_parse(NULL, &events, error), 0);
	assert_int_equal(events.count, 0);
	quote_request_release(&quote);
}

/* ------------------------------------------------------------------ judging */

struct bench {
	struct quote_request quote;
	struct buffer bytes;
	struct firmware_log log;
	struct repave_events events;
	struct expected_set set;
	struct judge_input input;
	struct judgement judgement;
};

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof *b);
	struct buffer document = load("expected.json");
	char error[ERROR_TEXT];

	b->quote = load_quote("quote.json", false);
	b->bytes = load("firmware.log");
	assert_int_equal(firmware_log_parse(b->bytes.data, b->bytes.size, &b->log, error), 0);
	assert_int_equal(expected_set_parse(document.data, document.size, &b->set, error), 0);
	b->set.certificate = load("db.der");
	buffer_release(&document);
	b->input = (struct judge_input){ .pcrs = b->quote.parsed.pcrs, .log = &b->log, .events = &b->events, .sets = &b->set, .set_count = 1 };
	memcpy(b->input.values, b->quote.values, sizeof b->input.values);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	expected_set_release(&b->set);
	firmware_log_release(&b->log);
	quote_request_release(&b->quote);
	buffer_release(&b->bytes);
	free(b);
	return 0;
}

/* Judges a boot of which `pcr` was measured as the log now says. */
static const char *judged(struct bench *b, int pcr, enum attest_level level)
{
	if (pcr >= 0)
		firmware_log_replay(&b->log, (uint32_t)pcr, b->input.values[pcr]);
	assert_int_equal(judge_boot(&b->input, &b->judgement), 0);
	json_decref(b->judgement.firmware);
	assert_int_equal(b->judgement.level, level);
	return b->judgement.text;
}

static size_t event_of(const struct bench *b, uint32_t pcr, uint32_t type)
{
	for (size_t i = 0; i < b->log.count; i++)
		if (b->log.events[i].pcr == pcr && b->log.events[i].type == type)
			return i;
	fail();
	return 0;
}

static void a_good_boot(void **state)
{
	struct bench *b = *state;

	assert_non_null(strstr(judged(b, -1, LEVEL_ATTESTED), "stage1 7"));
	assert_ptr_equal(b->judgement.set, &b->set);
	assert_int_equal(b->judgement.pcr, -1);
}

/* OVMF with Secure Boot and a signed boot image of Repave's kind: its log, the values that the guest's kernel read, and what `build-media pcrs` had
 * computed before. */
static void real_firmware(void **state)
{
	struct buffer bytes = load("ovmf.log"), document = load("ovmf-expected.json"), text = load("ovmf-values.json");
	struct repave_events none = { 0 };
	struct expected_set set;
	struct firmware_log log;
	struct judge_input input = { .pcrs = PCRS_QUOTED, .log = &log, .events = &none, .sets = &set, .set_count = 1 };
	struct judgement j;
	char error[ERROR_TEXT], why[160], key[12];
	json_t *values = json_parse(text.data, text.size, why);

	(void)state;
	assert_int_equal(firmware_log_parse(bytes.data, bytes.size, &log, error), 0);
	assert_int_equal(log.count, 38);
	assert_int_equal(expected_set_parse(document.data, document.size, &set, error), 0);
	set.certificate = load("ovmf-db.der");
	for (unsigned pcr = 0; pcr < PCRS; pcr++) {
		snprintf(key, sizeof key, "%u", pcr);
		if (PCRS_QUOTED & 1u << pcr)
			assert_int_equal(json_get_hex(values, key, input.values[pcr], TPM_DIGEST), 0);
	}
	assert_int_equal(judge_boot(&input, &j), 0);
	assert_string_equal(j.text, "boot image stage1 1795219200, by Secure Boot; firmware seen for the first time");
	/* What it measured of boot variables isn't kept: only the separator. */
	assert_int_equal(json_array_size(json_object_get(json_object_get(j.firmware, "1"), "events")), 1);
	json_decref(j.firmware);
	json_decref(values);
	expected_set_release(&set);
	firmware_log_release(&log);
	buffer_release(&text);
	buffer_release(&document);
	buffer_release(&bytes);
}

static void foreign_image_named(void **state)
{
	struct bench *b = *state;
	size_t at = event_of(b, 4, EVENT_APPLICATION);

	b->log.events[at].digest[0] ^= 1;
	assert_non_null(strstr(judged(b, 4, LEVEL_FAILED), "foreign boot image"));
	assert_int_equal(b->judgement.pcr, 4);
	assert_int_equal(b->judgement.event, at + 1);
}

/* Called a mark, it isn't one: the digest isn't its text's. */
static void image_in_disguise(void **state)
{
	struct bench *b = *state;
	size_t at = event_of(b, 4, EVENT_APPLICATION);

	b->log.events[at].digest[0] ^= 1;
	b->log.events[at].type = EVENT_ACTION;
	assert_non_null(strstr(judged(b, 4, LEVEL_FAILED), "isn't a boot image"));
	b->log.events[at].type = EVENT_SEPARATOR;
	assert_non_null(strstr(judged(b, 4, LEVEL_FAILED), "isn't a boot image"));
}

/* The digest of an image is one of bytes that everybody has: they fit the event, and are no text. */
static void image_with_its_bytes_as_a_mark(void **state)
{
	static const uint8_t image[96] = "MZ\x90\0a program of UEFI, as Authenticode hashes it";
	struct bench *b = *state;
	struct firmware_event *event = &b->log.events[event_of(b, 4, EVENT_APPLICATION)];

	event->type = EVENT_ACTION;
	event->data = image;
	event->size = sizeof image;
	sha256_once(image, sizeof image, event->digest);
	assert_non_null(strstr(judged(b, 4, LEVEL_FAILED), "isn't a boot image"));
}

/* EV_OMIT_BOOT_DEVICE_EVENTS, in the place of the action. */
static void another_mark(void **state)
{
	struct bench *b = *state;
	struct firmware_event *event = &b->log.events[event_of(b, 4, EVENT_ACTION)];

	event->type = 0x12;
	event->data = (const uint8_t *)"BOOT ATTEMPTS OMITTED";
	event->size = 21;
	sha256_once(event->data, event->size, event->digest);
	judged(b, 4, LEVEL_ATTESTED);
	event->digest[0] ^= 1;
	assert_non_null(strstr(judged(b, 4, LEVEL_FAILED), "isn't a boot image"));
}

/* Started without Secure Boot, a system measures behind it what would have been measured with it. */
static void secure_boot_said_later(void **state)
{
	struct bench *b = *state;
	size_t at = event_of(b, 7, EVENT_VARIABLE), other = event_of(b, 5, EVENT_ACTION);
	struct firmware_event *event = &b->log.events[at];
	uint8_t off[128];

	assert_true(event->size <= sizeof off && other > event_of(b, 7, EVENT_SEPARATOR));
	memcpy(off, event->data, event->size);
	off[event->size - 1] = 0;
	b->log.events[other] = *event;
	event->data = off;
	sha256_once(off, event->size, event->digest);
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "Secure Boot is off"));
	/* Under any other name. */
	event->type = 0x5;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "Secure Boot is off"));
	event->type = EVENT_ACTION;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "Secure Boot is off"));
	event->data = (const uint8_t *)"DMA Protection Disabled";
	event->size = 23;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "isn't what was measured"));
	event->type = EVENT_SEPARATOR;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "isn't what was measured"));
	event->pcr = 6;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "nothing of Secure Boot"));
}

/* A log that says one thing, where another was measured. */
static void said_but_not_measured(void **state)
{
	static const uint8_t off;
	struct bench *b = *state;
	size_t at = event_of(b, 7, EVENT_VARIABLE);
	uint8_t copy[128], digest[TPM_DIGEST];
	struct firmware_event *event = &b->log.events[at];

	assert_true(event->size <= sizeof copy);
	memcpy(copy, event->data, event->size);
	copy[event->size - 1] = off;
	sha256_once(copy, event->size, digest);
	memcpy(event->digest, digest, sizeof digest);
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "isn't what was measured"));
	event->data = copy;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "Secure Boot is off"));
	event->pcr = 6;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "nothing of Secure Boot"));
}

static void foreign_authority(void **state)
{
	struct bench *b = *state;
	size_t at = event_of(b, 7, EVENT_AUTHORITY);

	b->set.certificate.data[100] ^= 1;
	assert_non_null(strstr(judged(b, -1, LEVEL_FAILED), "another certificate"));
	assert_int_equal(b->judgement.event, at + 1);
	b->set.certificate.data[100] ^= 1;
	b->log.events[at].digest[0] ^= 1;
	assert_non_null(strstr(judged(b, 7, LEVEL_FAILED), "no certificate"));
}

static void other_parts_and_initrd(void **state)
{
	struct bench *b = *state;

	b->set.initrd[0] ^= 1;
	assert_non_null(strstr(judged(b, -1, LEVEL_FAILED), "PCR 9"));
	b->set.has_initrd = false;
	judged(b, -1, LEVEL_ATTESTED);
	b->set.parts[0] ^= 1;
	assert_non_null(strstr(judged(b, -1, LEVEL_FAILED), "PCR 11"));
	b->input.set_count = 0;
	assert_non_null(strstr(judged(b, -1, LEVEL_NONE), "repave tpm expect add"));
}

/* Any value of a PCR that is judged, other than the log's. */
static void wrong_values(void **state)
{
	static const int pcrs[] = { 0, 1, 2, 3, 4, 7, 8, 9, 11 };
	struct bench *b = *state;
	char name[12];

	for (size_t i = 0; i < sizeof pcrs / sizeof pcrs[0]; i++) {
		b->input.values[pcrs[i]][5] ^= 1;
		snprintf(name, sizeof name, "PCR %d", pcrs[i]);
		assert_non_null(strstr(judged(b, -1, LEVEL_FAILED), name));
		assert_int_equal(b->judgement.pcr, pcrs[i]);
		b->input.values[pcrs[i]][5] ^= 1;
	}
	b->input.pcrs &= ~(1u << 7);
	assert_non_null(strstr(judged(b, -1, LEVEL_FAILED), "isn't about all"));
}

static void changed_firmware_named(void **state)
{
	struct bench *b = *state;
	size_t at = event_of(b, 2, 0x80000008u);
	json_t *then;

	assert_int_equal(judge_boot(&b->input, &b->judgement), 0);
	then = b->judgement.firmware;
	b->input.firmware = then;
	assert_non_null(strstr(judged(b, -1, LEVEL_ATTESTED), "as accepted"));
	b->log.events[at].digest[0] ^= 1;
	assert_non_null(strstr(judged(b, 2, LEVEL_FAILED), "repave tpm accept"));
	assert_int_equal(b->judgement.pcr, 2);
	assert_int_equal(b->judgement.event, at + 1);
	b->log.events[at].digest[0] ^= 1;
	b->log.events[at].pcr = 3; /* one less in PCR 2 */
	judged(b, 2, LEVEL_FAILED);
	firmware_log_replay(&b->log, 3, b->input.values[3]);
	assert_non_null(strstr(judged(b, 2, LEVEL_FAILED), "PCR 2"));
	json_decref(then);
}

/* Boot variables may change; what is only called one may not. */
static void boot_order(void **state)
{
	static const uint8_t order[] = { 1, 0 };
	struct bench *b = *state;
	size_t at = event_of(b, 1, EVENT_BOOT_VARIABLE);
	struct firmware_event *event = &b->log.events[at];
	uint8_t copy[128];
	json_t *then;

	assert_int_equal(judge_boot(&b->input, &b->judgement), 0);
	then = b->judgement.firmware;
	b->input.firmware = then;
	assert_true(event->size <= sizeof copy);
	memcpy(copy, event->data, event->size);
	memcpy(copy + event->size - sizeof order, order, sizeof order);
	event->data = copy;
	sha256_once(order, sizeof order, event->digest);
	judged(b, 1, LEVEL_ATTESTED);
	event->digest[0] ^= 1;
	assert_non_null(strstr(judged(b, 1, LEVEL_FAILED), "PCR 1"));
	json_decref(then);
}

static void a_rescue_shell(void **state)
{
	struct bench *b = *state;
	uint8_t both[2 * TPM_DIGEST] = { 0 };

	sha256_once("shell", 5, both + TPM_DIGEST);
	b->events.count = 1;
	b->events.items[0] = (struct repave_event){ "repave.rescue", "shell" };
	sha256_once(both, sizeof both, b->events.value);
	assert_non_null(strstr(judged(b, -1, LEVEL_FAILED), "PCR 8")); /* which was measured, but isn't in the log */
	memcpy(b->input.values[PCR_REPAVE], b->events.value, TPM_DIGEST);
	assert_non_null(strstr(judged(b, -1, LEVEL_FAILED), "repave.rescue"));
	b->events.count = 0;
	memset(b->events.value, 0, TPM_DIGEST);
	memset(b->input.values[PCR_REPAVE], 0, TPM_DIGEST);
	b->set.rescue_shell = true;
	assert_non_null(strstr(judged(b, -1, LEVEL_NONE), "rescue shell"));
}

static void a_running_system(void **state)
{
	struct bench *b = *state;
	struct quote_request system = load_quote("system.json", true);
	struct judge_assigned assigned = { .number = 7 };
	struct judge_input input = { .pcrs = system.parsed.pcrs };
	struct repave_events events;
	struct judgement j;
	char error[ERROR_TEXT];

	memset(assigned.os, 'a', 64);
	assert_int_equal(repave_events_parse(system.events, &events, error), 0);
	input.events = &events;
	memcpy(input.values, system.values, sizeof input.values);
	judge_system(&input, b->input.values, &assigned, &j);
	assert_int_equal(j.level, LEVEL_ATTESTED);
	assigned.number = 8;
	judge_system(&input, b->input.values, &assigned, &j);
	assert_int_equal(j.level, LEVEL_FAILED);
	assert_non_null(strstr(j.text, "repave.assignment"));
	assigned.number = 7;
	assigned.os[0] = 'b';
	judge_system(&input, b->input.values, &assigned, &j);
	assert_non_null(strstr(j.text, "the operating system"));
	assigned.os[0] = 'a';
	memset(assigned.app, 'c', 64);
	judge_system(&input, b->input.values, &assigned, &j);
	assert_non_null(strstr(j.text, "the application"));
	assigned.app[0] = 0;
	input.values[4][0] ^= 1;
	judge_system(&input, b->input.values, &assigned, &j);
	assert_int_equal(j.pcr, 4);
	input.values[4][0] ^= 1;
	/* After a reset nothing is measured, and nothing is claimed. */
	memset(&events, 0, sizeof events);
	memset(input.values[PCR_REPAVE], 0, TPM_DIGEST);
	judge_system(&input, b->input.values, &assigned, &j);
	assert_int_equal(j.level, LEVEL_NONE);
	quote_request_release(&system);
}

static void expected_values(void **state)
{
	static const char *const bad[] = {
		"{}", "[]", "{\"format\":2}", "{\"format\":1,\"name\":\"a\",\"version\":\"1\",\"pcr4\":[]}",
		"{\"format\":1,\"name\":\"a\",\"version\":\"1\",\"pcr4\":[\"00\"]}",
		"{\"format\":1,\"name\":\"a\\u0007\",\"version\":\"1\",\"pcr4\":[\"00\"]}",
	};
	struct expected_set set;
	char error[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_int_equal(expected_set_parse(bad[i], strlen(bad[i]), &set, error), -EINVAL);
}

static void policies(void **state)
{
	enum attest_policy policy;

	(void)state;
	assert_int_equal(attest_policy_parse("required", &policy), 0);
	assert_int_equal(policy, ATTEST_REQUIRED);
	assert_string_equal(attest_policy_name(ATTEST_PREFERRED), "preferred");
	assert_int_equal(attest_policy_parse("on", &policy), -EINVAL);
}

#define judging(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_of_a_tpm), cmocka_unit_test(keys_without_an_attribute), cmocka_unit_test(cut_structures),
		cmocka_unit_test(quotes_are_signed), cmocka_unit_test(derived_keys), cmocka_unit_test(credentials), cmocka_unit_test(certificates), cmocka_unit_test(certificates_for_other_keys),
		cmocka_unit_test(firmware_logs), cmocka_unit_test(truncated_logs), cmocka_unit_test(odd_logs), cmocka_unit_test(own_events),
		cmocka_unit_test(expected_values), cmocka_unit_test(policies), judging(a_good_boot), cmocka_unit_test(real_firmware), judging(foreign_image_named),
		judging(image_in_disguise), judging(image_with_its_bytes_as_a_mark), judging(another_mark),
		judging(secure_boot_said_later), judging(said_but_not_measured), judging(foreign_authority), judging(other_parts_and_initrd),
		judging(wrong_values), judging(changed_firmware_named), judging(boot_order), judging(a_rescue_shell), judging(a_running_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

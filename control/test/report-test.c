// SPDX-License-Identifier: GPL-2.0-or-later
/* The report for auditors: what is within policy, what stands in the files, and whose signature fits. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/report-signature.h"
#include "control/report.h"

#define NOW INT64_C(1800000000)

/* RFC 8032, 7.1, TEST 3. */
static const char seed_text[] = "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7";
static const char key_text[] = "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025";
static const char signature_text[] = "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
				     "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a";
static const uint8_t message[] = { 0xaf, 0x82 };

static void test_signature_is_that_of_rfc_8032(void **state)
{
	uint8_t seed[32], key[32], signature[64], wanted[64];

	(void)state;
	assert_int_equal(hex_parse(seed_text, seed, 32), 0);
	assert_int_equal(report_key_derive(seed, key), 0);
	assert_int_equal(hex_parse(key_text, wanted, 32), 0);
	assert_memory_equal(key, wanted, 32);
	assert_int_equal(report_sign(seed, message, sizeof message, signature), 0);
	assert_int_equal(hex_parse(signature_text, wanted, 64), 0);
	assert_memory_equal(signature, wanted, 64);
	assert_true(report_signature_fits(key, message, sizeof message, signature));
}

static void test_any_flipped_bit_is_seen(void **state)
{
	uint8_t key[32], signature[64], text[] = { 0xaf, 0x82 };

	(void)state;
	hex_parse(key_text, key, 32);
	hex_parse(signature_text, signature, 64);
	for (size_t bit = 0; bit < 8 * sizeof text; bit++) {
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(report_signature_fits(key, text, sizeof text, signature));
		text[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = 0; bit < 8 * sizeof signature; bit++) {
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(report_signature_fits(key, text, sizeof text, signature));
		signature[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	assert_false(report_signature_fits(key, text, 1, signature));
}

static void test_key_that_isnt_ed25519_is_refused(void **state)
{
	static const char *const wrong[] = {
		"", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
		"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----\n",
		/* X25519 */
		"-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n",
	};
	uint8_t key[32], again[32];
	struct buffer text = { 0 };
	char why[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(report_key_parse(wrong[i], key, why), -EINVAL);
	hex_parse(key_text, key, 32);
	assert_int_equal(report_key_format(key, &text), 0);
	assert_int_equal(report_key_parse((const char *)text.data, again, why), 0);
	assert_memory_equal(key, again, 32);
	buffer_release(&text);
}

static void expect(enum report_verdict verdict, struct report_facts facts)
{
	facts.now = NOW;
	assert_int_equal(report_judge(&facts), verdict);
}

static void test_verdicts(void **state)
{
	(void)state;
	expect(REPORT_UNKNOWN, (struct report_facts){ .limit = 60 });
	expect(REPORT_UNKNOWN, (struct report_facts){ .reimaged = NOW + 1, .limit = 60 });
	expect(REPORT_UNLIMITED, (struct report_facts){ .reimaged = NOW - 1000000 });
	expect(REPORT_WITHIN, (struct report_facts){ .reimaged = NOW - 60, .limit = 60 });
	expect(REPORT_OVERDUE, (struct report_facts){ .reimaged = NOW - 61, .limit = 60 });
	expect(REPORT_EXEMPT, (struct report_facts){ .reimaged = NOW - 61, .limit = 60, .exempt = true });
	expect(REPORT_WITHIN, (struct report_facts){ .reimaged = NOW - 61, .limit = 60, .is_off = true });
	/* A campaign's deadline makes older ones overdue, whatever their limit. */
	expect(REPORT_WITHIN, (struct report_facts){ .reimaged = NOW - 61, .deadline = NOW + 1, .ordered = NOW - 50 });
	expect(REPORT_OVERDUE, (struct report_facts){ .reimaged = NOW - 61, .deadline = NOW - 1, .ordered = NOW - 50 });
	expect(REPORT_WITHIN, (struct report_facts){ .reimaged = NOW - 40, .deadline = NOW - 1, .ordered = NOW - 50 });
}

static void test_no_field_of_csv_is_a_formula_or_breaks_out(void **state)
{
	json_t *report = json_pack("{ss sI s{sI} s[{ss ss ss sn sI}]}", "made", "2027-01-15T08:00:00Z", "audit", (json_int_t)7, "totals", "nodes",
				   (json_int_t)1, "nodes", "node", "5e70", "name", "a\",\"b", "reason", "=cmd|' /C calc'!A0", "app", "age_s",
				   (json_int_t)-5);
	struct buffer text = { 0 };

	(void)state;
	assert_non_null(report);
	assert_int_equal(report_format_csv(report, &text), 0);
	assert_non_null(strstr((const char *)text.data, "\"a\"\",\"\"b\""));
	assert_non_null(strstr((const char *)text.data, "\"'=cmd|' /C calc'!A0\""));
	assert_null(strstr((const char *)text.data, ",\"=cmd"));
	assert_non_null(strstr((const char *)text.data, "audit 7"));
	buffer_release(&text);
	json_decref(report);
}

static void test_times_are_utc(void **state)
{
	char text[32];

	(void)state;
	setenv("TZ", "CET-1", 1);
	report_time(NOW, text);
	assert_string_equal(text, "2027-01-15T08:00:00Z");
	report_time(0, text);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signature_is_that_of_rfc_8032),
		cmocka_unit_test(test_any_flipped_bit_is_seen),
		cmocka_unit_test(test_key_that_isnt_ed25519_is_refused),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_no_field_of_csv_is_a_formula_or_breaks_out),
		cmocka_unit_test(test_times_are_utc),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

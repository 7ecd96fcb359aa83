// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "control/sanitizing.h"

#define HEAD "{\"format\":1,\"order\":\"00112233445566778899aabbccddeeff\",\"boot_id\":\"01234567-89ab-cdef-0123-456789abcdef\","
#define REST "\"memory\":\"requested\",\"key_renewed\":true,"
#define DISK "\"disk\":{\"name\":\"vda\",\"size\":1000,\"cleared\":900,\"discarded\":800,\"erased\":0,\"offloaded\":false}}"

static int parse(const char *text, struct cleared *ret_cleared)
{
	char why[ERROR_TEXT] = "";
	int r = cleared_parse(text, strlen(text), ret_cleared, why);

	if (r == -EINVAL)
		assert_true(why[0] != 0);
	return r;
}

static void test_what_stage_1_says_is_taken(void **state)
{
	struct cleared cleared;

	(void)state;
	assert_int_equal(parse(HEAD REST DISK, &cleared), 0);
	assert_string_equal(cleared.order, "00112233445566778899aabbccddeeff");
	assert_string_equal(cleared.memory, "requested");
	assert_true(cleared.key_renewed);
	assert_string_equal(cleared.attestation, "");
	assert_int_equal(cleared.disk.cleared, 900);
	assert_int_equal(parse(HEAD REST "\"disk\":null}", &cleared), 0);
	assert_string_equal(cleared.disk.name, "");
	assert_int_equal(parse(HEAD REST "\"attestation\":\"00112233445566778899aabbccddeeff\",\"disk\":null}", &cleared), 0);
	assert_string_equal(cleared.attestation, "00112233445566778899aabbccddeeff");
}

static void test_what_makes_no_sense_is_refused(void **state)
{
	static const char *const texts[] = {
		"", "{}", "[]", HEAD "\"memory\":\"requested\"}", HEAD "\"memory\":\"forgot\",\"key_renewed\":true,\"disk\":null}",
		HEAD REST "\"attestation\":\"0011\",\"disk\":null}", HEAD REST "\"attestation\":null,\"disk\":null}",
		HEAD REST "\"disk\":7}", HEAD REST "\"disk\":{\"name\":\"vda\"}}",
		HEAD REST "\"disk\":{\"name\":\"../x\",\"size\":1,\"cleared\":1,\"discarded\":1,\"erased\":0,\"offloaded\":true}}",
		HEAD REST "\"disk\":{\"name\":\"vda\",\"size\":1,\"cleared\":2,\"discarded\":1,\"erased\":0,\"offloaded\":true}}",
		HEAD REST "\"disk\":{\"name\":\"vda\",\"size\":9,\"cleared\":2,\"discarded\":3,\"erased\":0,\"offloaded\":true}}",
		HEAD REST "\"disk\":{\"name\":\"vda\",\"size\":9,\"cleared\":-2,\"discarded\":0,\"erased\":0,\"offloaded\":true}}",
		"{\"format\":2,\"order\":\"00112233445566778899aabbccddeeff\",\"boot_id\":\"01234567-89ab-cdef-0123-456789abcdef\"," REST DISK,
		"{\"format\":1,\"order\":\"00112233445566778899AABBCCDDEEFF\",\"boot_id\":\"01234567-89ab-cdef-0123-456789abcdef\"," REST DISK,
		"{\"format\":1,\"order\":\"00112233445566778899aabbccddeeff\",\"boot_id\":\"01234567\"," REST DISK,
	};
	struct cleared cleared;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(parse(texts[i], &cleared), -EINVAL);
}

static void test_stored_is_what_was(void **state)
{
	struct sanitizing s = { .from = "acme", .to = "bold", .reason = "passes", .ordered = 1, .began = 2, .cleared = 3, .keys = 1,
				.memory_zeroed = true, .proved = true }, again;
	json_t *stored;

	(void)state;
	strcpy(s.order, "00112233445566778899aabbccddeeff");
	assert_int_equal(parse(HEAD REST DISK, &s.done), 0);
	stored = sanitizing_format(&s);
	assert_non_null(stored);
	assert_int_equal(sanitizing_read(stored, &again), 0);
	/* The order stands with the whole. */
	strcpy(again.done.order, s.done.order);
	assert_memory_equal(&again, &s, sizeof s);
	/* As before there was this. */
	json_object_del(stored, "memory_zeroed");
	json_object_del(stored, "proved");
	assert_int_equal(sanitizing_read(stored, &again), 0);
	assert_false(again.memory_zeroed || again.proved);
	json_object_set_new(stored, "began", json_integer(-1));
	assert_int_equal(sanitizing_read(stored, &again), -EINVAL);
	json_object_del(stored, "from");
	assert_int_equal(sanitizing_read(stored, &again), -EINVAL);
	json_decref(stored);
}

static void test_record_names_what_was_done(void **state)
{
	struct sanitizing s = { .id = 7, .from = "acme", .to = "bold", .reason = "passes", .ordered = 1, .began = 2, .cleared = 3, .ended = 4, .keys = 1,
				.memory_after = "cleared", .memory_zeroed = true };
	struct buffer text = { 0 };
	char why[160];
	json_t *record;

	(void)state;
	assert_int_equal(parse(HEAD REST DISK, &s.done), 0);
	assert_int_equal(sanitizing_record(&s, "web1", 5, 4711, &text), 0);
	record = json_parse(text.data, text.size, why);
	assert_string_equal(json_get_string(record, "report"), "sanitize");
	assert_string_equal(json_get_string(record, "step"), "ended");
	assert_string_equal(json_get_string(record, "from"), "acme");
	assert_string_equal(json_get_string(record, "ended"), "1970-01-01T00:00:04Z");
	assert_string_equal(json_get_string(json_object_get(record, "disk"), "zeros"), "written");
	assert_int_equal(json_integer_value(json_object_get(record, "keys_destroyed")), 1);
	assert_true(json_is_true(json_object_get(record, "memory_zeroed_by_kernel")));
	assert_false(json_is_true(json_object_get(record, "proved_by_tpm")));
	assert_string_equal(json_get_string(record, "proof"), "not proved by a TPM");
	json_decref(record);
	buffer_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_stage_1_says_is_taken),
		cmocka_unit_test(test_what_makes_no_sense_is_refused),
		cmocka_unit_test(test_stored_is_what_was),
		cmocka_unit_test(test_record_names_what_was_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

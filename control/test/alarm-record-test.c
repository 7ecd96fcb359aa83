// SPDX-License-Identifier: GPL-2.0-or-later
/* Which alarms count, and what of them must outlive the control unit. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/alarm-record.h"

#define NOW 1767225600

static void test_what_a_stranger_can_cause_cuts_nobody_off_unless_it_is_wanted(void **state)
{
	json_t *kinds = json_pack("[ss]", "login", "port");

	(void)state;
	assert_true(alarm_kind_counts(NULL, "verity"));
	assert_true(alarm_kind_counts(NULL, "module"));
	assert_true(alarm_kind_counts(NULL, "operator"));
	assert_false(alarm_kind_counts(NULL, "login"));
	assert_false(alarm_kind_counts(NULL, "port"));
	assert_false(alarm_kind_counts(NULL, "verit"));
	assert_true(alarm_kind_counts(kinds, "login"));
	assert_false(alarm_kind_counts(kinds, "verity"));
	assert_true(alarm_kind_counts(kinds, "operator"));
	json_decref(kinds);
}

static void test_list_that_is_no_list_of_kinds_is_refused(void **state)
{
	static const char *const bad[] = { "\"verity\"", "[1]", "[\"\"]", "[\"Verity\"]", "[\"a\\u0000b\"]", "[\"aaaaaaaaaaaaaaaaaaaaaaaa\"]", "{}" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		json_t *kinds = json_loads(bad[i], JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);

		assert_non_null(kinds);
		assert_false(alarm_kinds_valid(kinds));
		json_decref(kinds);
	}
}

static void test_first_alarm_is_kept_as_the_cause(void **state)
{
	struct node_alarms alarms = { 0 };

	(void)state;
	node_alarms_add(&alarms, "file", "/usr/bin/ls was changed", NOW);
	node_alarms_add(&alarms, "port", "9", NOW + 1);
	assert_int_equal(alarms.pending, 2);
	assert_string_equal(alarms.kind, "file");
	assert_int_equal(alarms.since, NOW);
	node_alarms_settle(&alarms);
	assert_int_equal(alarms.pending, 0);
	node_alarms_add(&alarms, "port", "9", NOW + 2);
	assert_string_equal(alarms.kind, "port");
}

static void test_cuts_of_yesterday_and_of_a_wrong_clock_dont_count(void **state)
{
	struct node_alarms alarms = { 0 };

	(void)state;
	node_alarms_cut(&alarms, NOW - ALARM_CUTS_SECONDS);
	node_alarms_cut(&alarms, NOW - 10);
	node_alarms_cut(&alarms, NOW);
	node_alarms_cut(&alarms, NOW + 1000000);
	assert_int_equal(node_alarms_cuts(&alarms, NOW, ALARM_CUTS_SECONDS), 2);
	assert_int_equal(node_alarms_cuts(&alarms, NOW, 10), 1);
	for (unsigned i = 0; i < 3 * ALARM_CUTS_KEPT; i++)
		node_alarms_cut(&alarms, NOW);
	assert_int_equal(node_alarms_cuts(&alarms, NOW, 1), ALARM_CUTS_KEPT);
}

static void test_what_is_stored_is_read_as_it_was(void **state)
{
	struct node_alarms alarms = { 0 }, read;
	json_t *stored;

	(void)state;
	node_alarms_add(&alarms, "keys", "root's", NOW);
	node_alarms_cut(&alarms, NOW - 5);
	stored = node_alarms_format(&alarms);
	assert_int_equal(node_alarms_parse(stored, &read), 0);
	assert_memory_equal(&alarms, &read, sizeof read);
	json_object_set_new(stored, "pending", json_integer(-1));
	assert_int_equal(node_alarms_parse(stored, &read), -EINVAL);
	json_decref(stored);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_a_stranger_can_cause_cuts_nobody_off_unless_it_is_wanted),
		cmocka_unit_test(test_list_that_is_no_list_of_kinds_is_refused),
		cmocka_unit_test(test_first_alarm_is_kept_as_the_cause),
		cmocka_unit_test(test_cuts_of_yesterday_and_of_a_wrong_clock_dont_count),
		cmocka_unit_test(test_what_is_stored_is_read_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

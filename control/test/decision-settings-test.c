// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/decision-settings.h"

/* Of what was never given; the caller releases on 0. */
static int change(const char *decisions, const char *rules, struct decision_settings *ret_settings, char error[ERROR_TEXT])
{
	json_t *change = decisions ? json_loads(decisions, 0, NULL) : NULL;
	json_t *list = rules ? json_loads(rules, JSON_DECODE_ANY, NULL) : NULL;
	struct decision_settings before;
	int r;

	assert_int_equal(decision_settings_init(&before), 0);
	r = decision_settings_change(&before, change, list, ret_settings, error);
	decision_settings_release(&before);
	json_decref(change);
	json_decref(list);
	return r;
}

static void test_nothing_given_is_the_shipped_matrix(void **state)
{
	struct decision_settings settings;

	(void)state;
	assert_int_equal(decision_settings_init(&settings), 0);
	assert_true(settings.acts);
	assert_true(settings.rules.count > 10);
	assert_null(settings.rules_given);
	decision_settings_release(&settings);
}

static void test_members_are_taken(void **state)
{
	struct decision_settings s;
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(change("{\"mode\": \"advise\", \"tick\": \"500ms\", \"spares\": \"25%\", \"spares_least\": 2, \"spare_off\": \"10m\","
				" \"alarms\": [\"verity\"], \"cuts\": 5, \"cuts_within\": \"1m\", \"evidence\": \"8MiB\"}", NULL, &s, error), 0);
	assert_false(s.acts);
	assert_true(s.tick == 0.5 && s.spare_ratio == 0.25 && s.spares_least == 2 && s.spare_off == 600);
	assert_true(s.cuts_most == 5 && s.cuts_within == 60 && s.evidence == 8u << 20);
	decision_settings_release(&s);
}

static void test_wrong_members_are_named(void **state)
{
	static const char *const wrong[][2] = {
		{ "{\"mode\": \"maybe\"}", "mode" }, { "{\"tick\": \"0s\"}", "tick" }, { "{\"tick\": 5}", "tick" }, { "{\"spares\": \"half\"}", "spares" },
		{ "{\"spares_least\": -1}", "spares_least" }, { "{\"evidence\": \"8 MB\"}", "evidence" }, { "{\"evidence\": \"4096MiB\"}", "evidence" },
		{ "{\"cuts_within\": \"soon\"}", "cuts_within" }, { "{\"colour\": 1}", "colour" }, { "[]", "mapping" } };
	struct decision_settings s;
	char error[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		assert_int_equal(change(wrong[i][0], NULL, &s, error), -EINVAL);
		assert_non_null(strstr(error, wrong[i][1]));
	}
}

static void test_a_bad_rule_is_named_and_changes_nothing(void **state)
{
	struct decision_settings s;
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(change(NULL, "[{\"rule\": \"a\", \"when\": [\"users > many\"], \"do\": \"add\"}]", &s, error), -EINVAL);
	assert_non_null(strstr(error, "\"a\""));
}

static void test_null_brings_the_shipped_back(void **state)
{
	struct decision_settings own, again;
	json_t *null = json_null(), *mode = json_loads("{\"mode\": null}", 0, NULL);
	char error[ERROR_TEXT];

	(void)state;
	assert_int_equal(change("{\"mode\": \"advise\"}", "[]", &own, error), 0);
	assert_int_equal(own.rules.count, 0);
	assert_int_equal(decision_settings_change(&own, mode, null, &again, error), 0);
	assert_true(again.rules.count > 10 && again.acts && !again.rules_given);
	decision_settings_release(&own);
	decision_settings_release(&again);
	json_decref(mode);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_given_is_the_shipped_matrix), cmocka_unit_test(test_members_are_taken),
		cmocka_unit_test(test_wrong_members_are_named), cmocka_unit_test(test_a_bad_rule_is_named_and_changes_nothing),
		cmocka_unit_test(test_null_brings_the_shipped_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

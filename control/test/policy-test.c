// SPDX-License-Identifier: GPL-2.0-or-later
/* A group's policy: what it is when nothing is said, what is said, and what contradicts itself. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/policy.h"

static int parse(const char *text, struct policy *policy, char why[ERROR_TEXT])
{
	json_t *object = json_loads(text, 0, NULL);
	int r;

	assert_non_null(object);
	why[0] = '\0';
	r = policy_parse(object, 2, policy, why);
	json_decref(object);
	return r;
}

static void test_what_is_left_out(void **state)
{
	char why[ERROR_TEXT];
	struct policy p;

	(void)state;
	assert_int_equal(policy_parse(NULL, 3, &p, why), 0);
	assert_true(p.limits[LIMIT_FIRST] == 0 && p.limits[LIMIT_USERS_HIGH] == 400);
	assert_int_equal(p.minimum, 3);
	assert_int_equal(policy_pace(&p, 100), 1);
	policy_release(&p);
	assert_int_equal(parse("{\"first\": \"15m\"}", &p, why), 0);
	assert_true(p.limits[LIMIT_FIRST] == 900 && p.limits[LIMIT_SECOND] == 1800 && p.grace == 600);
	policy_release(&p);
	assert_int_equal(parse("{\"first\": \"100h\"}", &p, why), 0);
	assert_true(p.limits[LIMIT_FIRST] == 360000);
	policy_release(&p);
}

static void test_all_of_it(void **state)
{
	char why[ERROR_TEXT];
	struct policy p;

	(void)state;
	assert_int_equal(parse("{\"first\": \"30s\", \"second\": \"40s\", \"grace\": \"10s\", \"jitter\": \"10%\", \"users_high\": 50, \"users_low\": 5,"
			       " \"load_high\": 1.5, \"load_low\": 0.2, \"response_high\": \"2s\", \"maximum\": 8, \"pace\": \"20%\", \"settle\": \"1m\","
			       " \"failures\": 2, \"rack\": 1, \"priority\": 7, \"place\": {\"site\": \"stockholm\", \"rack\": \"r7\", \"only\": true}, \"when\": {\"windows\": [\"00:00-01:00\"]}}", &p, why), 0);
	assert_true(p.grace == 10 && p.limits[LIMIT_RESPONSE_HIGH] == 2000 && p.limits[LIMIT_LOAD_LOW] == 0.2 && p.jitter == 0.1);
	assert_int_equal(p.maximum, 8);
	assert_int_equal(p.settle, 60);
	assert_true(p.rack_pace == 1 && p.priority == 7 && p.place_only);
	assert_string_equal(p.site, "stockholm");
	assert_string_equal(p.rack, "r7");
	assert_int_equal(policy_pace(&p, 4), 1);
	assert_int_equal(policy_pace(&p, 11), 2);
	assert_non_null(p.calendar);
	policy_release(&p);
}

static void test_contradictions_and_nonsense_are_refused(void **state)
{
	static const char *const bad[][2] = {
		{ "[]", "mapping" }, { "{\"colour\": 1}", "colour" }, { "{\"first\": 900}", "first" }, { "{\"first\": \"1s\"}", "10 s" },
		{ "{\"first\": \"1h\", \"second\": \"30m\"}", "before" }, { "{\"second\": \"30m\"}", "need first" }, { "{\"jitter\": \"10%\"}", "need first" },
		{ "{\"users_high\": 5, \"users_low\": 5}", "less" }, { "{\"users_high\": -1}", "negative" }, { "{\"load_high\": 1, \"load_low\": 2}", "less" },
		{ "{\"response_high\": 5}", "500ms" }, { "{\"response_high\": \"5x\"}", "500ms" }, { "{\"response_high\": \"-5ms\"}", "500ms" },
		{ "{\"place\": \"x\"}", "place" }, { "{\"place\": {\"only\": true}}", "only" }, { "{\"place\": {\"site\": \"a b\"}}", "site" },
		{ "{\"place\": {\"row\": \"1\"}}", "no other" }, { "{\"rack\": 0}", "rack" }, { "{\"priority\": -1}", "priority" },
		{ "{\"pace\": 0}", "pace" }, { "{\"pace\": \"0%\"}", "pace" }, { "{\"pace\": \"101%\"}", "pace" }, { "{\"first\": \"1h\", \"jitter\": \"60%\"}", "jitter" },
		{ "{\"maximum\": 1}", "minimum" }, { "{\"when\": {\"windows\": [\"x\"]}}", "when: window 1" }, { "{\"settle\": 5}", "settle" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		char why[ERROR_TEXT];
		struct policy p;

		if (parse(bad[i][0], &p, why) != -EINVAL || !strstr(why, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_left_out),
		cmocka_unit_test(test_all_of_it),
		cmocka_unit_test(test_contradictions_and_nonsense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

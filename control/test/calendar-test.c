// SPDX-License-Identifier: GPL-2.0-or-later
/* When plans may go on: weeks, nights over midnight, summer time, and what is no calendar. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/calendar.h"

#define MONDAY 1768176000 /* 2026-01-12 00:00 UTC */
#define HOUR 3600
#define DAY 86400

static struct calendar *parse(const char *text)
{
	struct calendar *calendar = NULL;
	json_t *object = json_loads(text, 0, NULL);
	char why[ERROR_TEXT] = "";

	assert_non_null(object);
	if (calendar_parse(object, &calendar, why) < 0)
		fail_msg("%s", why);
	json_decref(object);
	return calendar;
}

static void test_night_over_midnight_and_weekend(void **state)
{
	struct calendar *c = parse("{\"windows\": [\"Mon-Fri 22:00-05:00\", \"Sat,Sun 10:00-24:00\"]}");

	(void)state;
	assert_false(calendar_is_open(c, MONDAY + 4 * HOUR)); /* Sunday's window ended at midnight */
	assert_false(calendar_is_open(c, MONDAY + 22 * HOUR - 1));
	assert_true(calendar_is_open(c, MONDAY + 22 * HOUR));
	assert_true(calendar_is_open(c, MONDAY + DAY + 5 * HOUR - 1));
	assert_false(calendar_is_open(c, MONDAY + DAY + 5 * HOUR));
	assert_true(calendar_is_open(c, MONDAY + 5 * DAY + 4 * HOUR)); /* Saturday, begun on Friday */
	assert_false(calendar_is_open(c, MONDAY + 5 * DAY + 9 * HOUR));
	assert_true(calendar_is_open(c, MONDAY + 7 * DAY - 1));
	assert_false(calendar_is_open(c, MONDAY + 7 * DAY));
	assert_int_equal(calendar_change(c, MONDAY + 1), MONDAY + 22 * HOUR);
	assert_int_equal(calendar_change(c, MONDAY + 23 * HOUR), MONDAY + DAY + 5 * HOUR);
	assert_true(calendar_hour(c, MONDAY + 90 * 60) == 1.5);
	calendar_release(c);
}

static void test_week_that_goes_over_its_end(void **state)
{
	struct calendar *c = parse("{\"windows\": [\"Sat-Mon 00:00-01:00\"]}");

	(void)state;
	assert_true(calendar_is_open(c, MONDAY));
	assert_false(calendar_is_open(c, MONDAY + DAY));
	assert_false(calendar_is_open(c, MONDAY + 4 * DAY));
	assert_true(calendar_is_open(c, MONDAY + 5 * DAY));
	assert_true(calendar_is_open(c, MONDAY + 6 * DAY));
	calendar_release(c);
}

static void test_summer_time_moves_the_window(void **state)
{
	struct calendar *c = parse("{\"zone\": \"Europe/Stockholm\", \"windows\": [\"03:00-04:00\"]}");
	struct calendar *gone = parse("{\"zone\": \"Europe/Stockholm\", \"windows\": [\"02:00-03:00\"]}");
	int64_t change = 1774746000; /* 2026-03-29 01:00 UTC: 02:00 becomes 03:00 */

	(void)state;
	assert_true(calendar_is_open(c, MONDAY + 2 * HOUR));
	assert_false(calendar_is_open(c, MONDAY + 3 * HOUR));
	assert_false(calendar_is_open(c, change - 1));
	assert_true(calendar_is_open(c, change));
	assert_false(calendar_is_open(c, change + HOUR));
	assert_false(calendar_is_open(gone, change - 1));
	assert_false(calendar_is_open(gone, change));
	assert_true(calendar_is_open(gone, change - DAY));
	assert_int_equal(calendar_change(gone, change - 1), change + DAY - HOUR);
	calendar_release(c);
	calendar_release(gone);
}

static void test_exceptions_close_whole_days(void **state)
{
	struct calendar *c = parse("{\"windows\": [\"00:00-24:00\"], \"except\": [\"2026-01-13\", \"2026-01-15/2026-01-16\"]}");
	struct calendar *only = parse("{\"except\": [\"2026-01-12\"]}");

	(void)state;
	assert_true(calendar_is_open(c, MONDAY));
	assert_false(calendar_is_open(c, MONDAY + DAY));
	assert_true(calendar_is_open(c, MONDAY + 2 * DAY));
	assert_false(calendar_is_open(c, MONDAY + 3 * DAY));
	assert_false(calendar_is_open(c, MONDAY + 5 * DAY - 1));
	assert_true(calendar_is_open(c, MONDAY + 5 * DAY));
	assert_false(calendar_is_open(only, MONDAY));
	assert_int_equal(calendar_change(only, MONDAY), MONDAY + DAY);
	assert_int_equal(calendar_change(only, MONDAY + DAY), 0);
	calendar_release(c);
	calendar_release(only);
}

static void test_without_a_calendar_any_time_is_right(void **state)
{
	(void)state;
	assert_true(calendar_is_open(NULL, MONDAY));
	assert_int_equal(calendar_change(NULL, MONDAY), 0);
	assert_true(calendar_hour(NULL, MONDAY + 30 * 60) == 0.5);
}

static void test_what_is_no_calendar_is_refused(void **state)
{
	static const char *const bad[] = { "[]", "{\"zone\": \"Mars/Olympus\"}", "{\"zone\": \"../../etc/passwd\"}", "{\"zone\": \"/etc/localtime\"}",
					   "{\"zone\": 5}", "{\"windows\": []}", "{\"windows\": [\"22:00\"]}", "{\"windows\": [\"22:00-24:01\"]}",
					   "{\"windows\": [\"22:60-23:00\"]}", "{\"windows\": [\"22:00-22:00\"]}", "{\"windows\": [\"24:00-01:00\"]}",
					   "{\"windows\": [\"Mon-22:00-23:00\"]}", "{\"windows\": [\"Mond 22:00-23:00\"]}", "{\"windows\": [\"Mon, 22:00-23:00\"]}",
					   "{\"windows\": [5]}", "{\"windows\": [\"\"]}", "{\"except\": [\"2026-02-29\"]}", "{\"except\": [\"2026-01-02/2026-01-01\"]}",
					   "{\"except\": [\"2026-1-2\"]}", "{\"colour\": 1}" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct calendar *calendar = NULL;
		json_t *object = json_loads(bad[i], 0, NULL);
		char why[ERROR_TEXT] = "";

		assert_non_null(object);
		if (calendar_parse(object, &calendar, why) != -EINVAL || !why[0])
			fail_msg("%s was taken", bad[i]);
		json_decref(object);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_night_over_midnight_and_weekend),
		cmocka_unit_test(test_week_that_goes_over_its_end),
		cmocka_unit_test(test_summer_time_moves_the_window),
		cmocka_unit_test(test_exceptions_close_whole_days),
		cmocka_unit_test(test_without_a_calendar_any_time_is_right),
		cmocka_unit_test(test_what_is_no_calendar_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

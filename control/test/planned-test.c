// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "control/hints.h"
#include "control/planned.h"

#define T0 INT64_C(1796083200) /* 2026-12-01T00:00Z, a Tuesday */

static int parse(const char *text, int64_t now, struct planned *ret_event, char error[ERROR_TEXT])
{
	json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
	int r = planned_parse(object, now, ret_event, error);

	json_decref(object);
	return r;
}

/* An hour from T0 + 2 h on, as seen by a group of two and a spare. */
static struct planned event_of(const char *more)
{
	struct planned event;
	char text[300], why[ERROR_TEXT] = "";

	snprintf(text, sizeof text, "{\"kind\": \"maintenance\", \"from\": \"2026-12-01T02:00Z\", \"to\": \"2026-12-01T04:00+01:00\"%s}", more);
	assert_int_equal(parse(text, T0, &event, why), 0);
	return event;
}

static struct planned_view view_of(int64_t now)
{
	return (struct planned_view){ .now = now, .start_s = 60, .exists = true, .in_group = true, .serving = true, .others = 1, .minimum = 1 };
}

static void test_times_of_all_forms(void **state)
{
	struct planned event = event_of("");

	(void)state;
	assert_int_equal(event.from, T0 + 7200);
	assert_int_equal(event.to, T0 + 10800);
	planned_release(&event);
}

static void test_what_makes_no_sense_is_refused(void **state)
{
	static const char *const wrong[] = {
		"7", "[]", "{}", "{\"kind\": \"party\", \"from\": 1, \"to\": 2}", "{\"kind\": \"backup\", \"from\": 2, \"to\": 2}",
		"{\"kind\": \"backup\", \"from\": \"2026-13-01T02:00Z\", \"to\": 99999999999}", "{\"kind\": \"backup\", \"from\": -1, \"to\": 2}",
		"{\"kind\": \"backup\", \"from\": \"2026-12-01T02:00\", \"to\": \"2026-12-01T03:00\"}",
		"{\"kind\": \"backup\", \"from\": \"2026-12-01T02:00+9:99\", \"to\": \"2026-12-01T03:00Z\"}",
		"{\"kind\": \"backup\", \"from\": 1, \"to\": 2, \"when\": {\"windows\": [\"Sun 02:00-04:00\"]}}", "{\"kind\": \"backup\", \"when\": {}}",
		"{\"kind\": \"backup\", \"when\": {\"windows\": [\"Mon-Sun 00:00-24:00\"]}}", "{\"kind\": \"backup\", \"from\": 1, \"to\": 2, \"lead\": -1}",
		"{\"kind\": \"backup\", \"from\": 1, \"to\": 2, \"lead\": \"90000s\"}", "{\"kind\": \"backup\", \"from\": 1, \"to\": 2, \"reason\": \"a\\nb\"}",
		"{\"kind\": \"backup\", \"from\": 1, \"to\": 2, \"colour\": 1}", "{\"kind\": \"backup\", \"from\": 1, \"to\": 2, \"force\": \"yes\"}",
	};
	struct planned event;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char why[ERROR_TEXT] = "";

		assert_int_equal(parse(wrong[i], 1, &event, why), -EINVAL);
		assert_string_not_equal(why, "");
	}
}

static void test_a_spare_comes_first_and_goes_last(void **state)
{
	struct planned event = event_of(", \"lead\": \"10m\"");
	struct planned_view view = view_of(T0);

	(void)state;
	view.spare_free = true;
	assert_int_equal(planned_look(&event, &view), 0);
	view.now = event.from - 600;
	assert_int_equal(planned_look(&event, &view), PLANNED_TAKE_SPARE);
	strcpy(event.spare, "spare");
	/* There are enough others, but the spare is on its way, and there is time. */
	assert_int_equal(planned_look(&event, &view), 0);
	view.spare_serves = true;
	view.others = 2;
	assert_int_equal(planned_look(&event, &view), PLANNED_SET_ASIDE);
	assert_int_equal(event.step, PLANNED_ASIDE);
	assert_true(view.now < event.from);
	view.aside = true;
	view.serving = false;
	assert_int_equal(planned_look(&event, &view), 0);
	view.now = event.from;
	assert_int_equal(planned_look(&event, &view), PLANNED_THROW_OUT);
	assert_int_equal(planned_look(&event, &view), 0);
	view.now = event.to;
	assert_int_equal(planned_look(&event, &view), PLANNED_CLEAR);
	view.aside = false;
	assert_int_equal(planned_look(&event, &view), 0);
	view.serving = true;
	assert_int_equal(planned_look(&event, &view), PLANNED_RELEASE_SPARE | PLANNED_NEXT);
	assert_int_equal(event.step, PLANNED_OVER);
	planned_release(&event);
}

static void test_the_group_keeps_its_minimum(void **state)
{
	struct planned event = event_of("");
	struct planned_view view = view_of(event.from - 600);

	(void)state;
	view.others = 1;
	view.minimum = 2;
	assert_int_equal(planned_look(&event, &view), 0);
	assert_int_equal(planned_look(&event, &view), PLANNED_TELL_SHORT);
	for (; view.now < event.to; view.now += 60)
		assert_int_equal(planned_look(&event, &view), 0);
	assert_int_equal(planned_look(&event, &view), PLANNED_TELL_MISSED | PLANNED_NEXT);
	planned_release(&event);
	/* Unless a person says otherwise. */
	event = event_of(", \"force\": true");
	view.now = event.from - 600;
	planned_look(&event, &view);
	assert_int_equal(planned_look(&event, &view), PLANNED_SET_ASIDE);
	planned_release(&event);
}

static void test_the_last_server_of_a_service_without_a_minimum_stays(void **state)
{
	struct planned event = event_of("");
	struct planned_view view = view_of(event.from - 600);

	(void)state;
	view.others = view.minimum = 0;
	planned_look(&event, &view);
	assert_int_equal(planned_look(&event, &view), PLANNED_TELL_SHORT);
	planned_release(&event);
}

static void test_a_spare_that_never_serves_holds_nobody_up(void **state)
{
	struct planned event = event_of("");
	struct planned_view view = view_of(event.from - 600);

	(void)state;
	view.spare_free = true;
	assert_int_equal(planned_look(&event, &view), PLANNED_TAKE_SPARE);
	strcpy(event.spare, "spare");
	assert_int_equal(planned_look(&event, &view), 0);
	view.now = event.from;
	assert_int_equal(planned_look(&event, &view), PLANNED_SET_ASIDE);
	planned_release(&event);
}

static void test_backups_throw_nobody_out(void **state)
{
	struct planned event;
	struct planned_view view = view_of(T0 + 7200);
	char why[ERROR_TEXT];

	(void)state;
	assert_int_equal(parse("{\"kind\": \"backup\", \"from\": \"2026-12-01T02:00Z\", \"to\": \"2026-12-01T03:00Z\"}", T0, &event, why), 0);
	planned_look(&event, &view);
	assert_int_equal(planned_look(&event, &view), PLANNED_SET_ASIDE);
	view.aside = true;
	assert_int_equal(planned_look(&event, &view), 0);
	planned_release(&event);
}

static void test_removed_in_its_window_it_comes_back(void **state)
{
	struct planned event = event_of("");
	struct planned_view view = view_of(T0 + 7200);

	(void)state;
	planned_look(&event, &view);
	planned_look(&event, &view);
	view.aside = true;
	planned_cancel(&event, view.now);
	assert_int_equal(planned_look(&event, &view), PLANNED_CLEAR);
	planned_release(&event);
}

static void test_a_control_unit_that_was_away_begins_nothing_late(void **state)
{
	struct planned event = event_of("");
	struct planned_view view = view_of(event.to + 5);

	(void)state;
	assert_int_equal(planned_look(&event, &view), PLANNED_TELL_MISSED | PLANNED_NEXT);
	planned_release(&event);
}

static void test_weekly_ones_come_again(void **state)
{
	struct planned event;
	char why[ERROR_TEXT];

	(void)state;
	assert_int_equal(parse("{\"kind\": \"backup\", \"when\": {\"windows\": [\"Sun 02:00-04:00\"]}}", T0, &event, why), 0);
	assert_int_equal(event.from, T0 + 5 * 86400 + 7200);
	assert_int_equal(event.to, event.from + 7200);
	event.step = PLANNED_OVER;
	assert_int_equal(planned_next(&event, event.to + 60), 0);
	assert_int_equal(event.step, PLANNED_WAITING);
	assert_int_equal(event.from, T0 + 12 * 86400 + 7200);
	/* Made in the middle of a window: the next one. */
	planned_release(&event);
	assert_int_equal(parse("{\"kind\": \"backup\", \"when\": {\"windows\": [\"Tue 00:00-01:00\"]}}", T0 + 60, &event, why), 0);
	assert_int_equal(event.from, T0 + 7 * 86400);
	planned_release(&event);
}

static void test_what_is_stored_comes_back(void **state)
{
	struct planned event = event_of(", \"reason\": \"new memory\", \"force\": true"), again;
	json_t *stored, *twice;

	(void)state;
	event.id = 7;
	strcpy(event.node, "5e70a7e0-0000-4000-8000-000000000001");
	strcpy(event.spare, "5e70a7e0-0000-4000-8000-000000000002");
	event.step = PLANNED_ASIDE;
	event.thrown = true;
	stored = planned_format(&event);
	assert_int_equal(planned_restore(stored, &again), 0);
	twice = planned_format(&again);
	assert_true(json_equal(stored, twice));
	json_decref(twice);
	planned_release(&again);
	json_object_set_new(stored, "step", json_string("flying"));
	assert_int_equal(planned_restore(stored, &again), -EINVAL);
	json_decref(stored);
	planned_release(&event);
}

static int parse_hint(const char *text, struct hint *ret_hint)
{
	json_t *object = json_loads(text, JSON_DECODE_ANY, NULL);
	char why[ERROR_TEXT];
	int r = hint_parse(object, T0, ret_hint, why);

	json_decref(object);
	return r;
}

static void test_hints(void **state)
{
	static const char *const wrong[] = {
		"[]", "{\"group\": \"web\", \"users\": \"50%\", \"at\": 1796083260}", "{\"group\": \"web\", \"users\": \"-101%\", \"at\": 1796083260}",
		"{\"group\": \"web\", \"users\": -1, \"at\": 1796083260}", "{\"group\": \"../web\", \"users\": 1, \"at\": 1796083260}",
		"{\"group\": \"web\", \"users\": 1, \"at\": 1}", "{\"group\": \"web\", \"users\": 1, \"at\": 1796083260, \"until\": 1796083260}",
		"{\"group\": \"web\", \"users\": \"+99999999%\", \"at\": 1796083260}", "{\"group\": \"web\", \"at\": 1796083260, \"x\": 1}",
	};
	struct hint hint;

	(void)state;
	assert_int_equal(parse_hint("{\"group\": \"web\", \"users\": \"+50%\", \"at\": 1796083260}", &hint), 0);
	assert_int_equal(hint.until, hint.at + HINT_LASTS);
	assert_true(hint_expects(&hint, 400) == 600);
	/* Once it has begun those who came aren't counted twice. */
	hint.base = 400;
	assert_true(hint_expects(&hint, 590) == 600);
	assert_int_equal(parse_hint("{\"group\": \"web\", \"users\": 250, \"at\": 1796083260, \"until\": 1796083300}", &hint), 0);
	assert_true(hint_expects(&hint, 10) == 250);
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_int_equal(parse_hint(wrong[i], &hint), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times_of_all_forms),
		cmocka_unit_test(test_what_makes_no_sense_is_refused),
		cmocka_unit_test(test_a_spare_comes_first_and_goes_last),
		cmocka_unit_test(test_the_group_keeps_its_minimum),
		cmocka_unit_test(test_the_last_server_of_a_service_without_a_minimum_stays),
		cmocka_unit_test(test_a_spare_that_never_serves_holds_nobody_up),
		cmocka_unit_test(test_backups_throw_nobody_out),
		cmocka_unit_test(test_removed_in_its_window_it_comes_back),
		cmocka_unit_test(test_a_control_unit_that_was_away_begins_nothing_late),
		cmocka_unit_test(test_weekly_ones_come_again),
		cmocka_unit_test(test_what_is_stored_comes_back),
		cmocka_unit_test(test_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When the control unit asks a node's service, what it makes of the answer, and when a difference to the agent's word is news. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/probe-record.h"

static const struct probe_result good = { 3.5, "" }, bad = { 3000, "no connection in time" };

static void test_a_difference_is_told_once_after_three_failures(void **state)
{
	struct probe_record record = { 0 };

	(void)state;
	for (unsigned i = 1; i < PROBE_FAILURES; i++)
		assert_int_equal(probe_note(&record, &bad, true, i), PROBE_NO_NEWS);
	assert_int_equal(probe_note(&record, &bad, true, 10), PROBE_UNREACHED);
	assert_int_equal(probe_note(&record, &bad, true, 11), PROBE_NO_NEWS);
	assert_int_equal(record.failures, PROBE_FAILURES + 1);
	assert_string_equal(record.error, "no connection in time");
	assert_int_equal(probe_note(&record, &good, true, 12), PROBE_REACHED);
	assert_int_equal(probe_note(&record, &good, true, 13), PROBE_NO_NEWS);
	assert_true(record.ok && !record.failures && record.at == 13);
}

static void test_one_success_between_failures_is_no_difference(void **state)
{
	struct probe_record record = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(probe_note(&record, i % PROBE_FAILURES == 2 ? &good : &bad, true, i + 1), PROBE_NO_NEWS);
}

static void test_an_unhealthy_application_is_the_lifes_affair(void **state)
{
	struct probe_record record = { 0 };

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		assert_int_equal(probe_note(&record, &bad, false, i + 1), PROBE_NO_NEWS);
	/* What wasn't told isn't taken back, either. */
	assert_int_equal(probe_note(&record, &good, false, 30), PROBE_NO_NEWS);
}

static void test_an_agent_that_turns_content_makes_it_news(void **state)
{
	struct probe_record record = { 0 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		probe_note(&record, &bad, false, i + 1);
	assert_int_equal(probe_note(&record, &bad, true, 6), PROBE_UNREACHED);
}

static void test_a_fleet_is_spread_over_the_interval(void **state)
{
	unsigned begun[10] = { 0 };

	(void)state;
	for (unsigned n = 0; n < 280; n++) {
		struct probe_record record = { 0 };
		char id[40];

		snprintf(id, sizeof id, "5e70a7e0-0000-4000-8000-%012x", n);
		begun[0] += probe_due(&record, id, 100000, 5000);
		for (unsigned t = 0; t < 10; t++)
			begun[t] += probe_due(&record, id, 100499 + t * 500, 5000);
	}
	for (unsigned t = 0; t < 10; t++)
		assert_in_range(begun[t], 1, 80);
}

static void test_one_that_is_under_way_isnt_asked_again(void **state)
{
	struct probe_record record = { 0 };

	(void)state;
	assert_false(probe_due(&record, "a", 1000, 5000) && probe_due(&record, "a", 1000, 5000));
	assert_true(record.under_way || probe_due(&record, "a", 6000, 5000));
	assert_false(probe_due(&record, "a", 60000, 5000));
	probe_note(&record, &good, true, 60001);
	assert_true(probe_due(&record, "a", 60002, 5000));
}

static int status_of(const char *text, unsigned *ret_status)
{
	return probe_status(text, strlen(text), ret_status);
}

static void test_what_isnt_http_is_no_status(void **state)
{
	static const char *const others[] = { "SSH-2.0-dropbear_2022", "HTTP/2.0 200 OK", "HTTP/1.1 2x0 OK", "HTTP/1.1x200 OK", "http/1.1 200 OK", "\n" };
	unsigned status = 0;

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(status_of(others[i], &status), -EPROTO);
	assert_int_equal(status_of("HTTP/1.1 20", &status), -EAGAIN);
	assert_int_equal(status_of("", &status), -EAGAIN);
	assert_int_equal(status_of("HTTP/1.0 503", &status), 0);
	assert_int_equal(status, 503);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_difference_is_told_once_after_three_failures),
		cmocka_unit_test(test_one_success_between_failures_is_no_difference),
		cmocka_unit_test(test_an_unhealthy_application_is_the_lifes_affair),
		cmocka_unit_test(test_an_agent_that_turns_content_makes_it_news),
		cmocka_unit_test(test_a_fleet_is_spread_over_the_interval),
		cmocka_unit_test(test_one_that_is_under_way_isnt_asked_again),
		cmocka_unit_test(test_what_isnt_http_is_no_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

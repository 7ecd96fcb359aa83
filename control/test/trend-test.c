// SPDX-License-Identifier: GPL-2.0-or-later
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/trend.h"

static void test_straight_line_and_noise(void **state)
{
	struct trend t = { 0 };

	(void)state;
	for (int i = 0; i < 200; i++)
		trend_add(&t, 1e9 + 5 * i, 100 + 2.5 * 5 * i + (i % 2 ? 3 : -3));
	assert_true(fabs(trend_slope(&t, 60) - 2.5) < 0.1);
	assert_true(fabs(trend_slope(&t, 300) - 2.5) < 0.01);
}

static void test_old_samples_dont_count(void **state)
{
	struct trend t = { 0 };

	(void)state;
	for (int i = 0; i < 30; i++)
		trend_add(&t, i, i < 10 ? 1000 - 100 * i : 3 * i);
	assert_true(fabs(trend_slope(&t, 15) - 3) < 1e-9);
}

static void test_too_few_samples_say_nothing(void **state)
{
	struct trend t = { 0 };

	(void)state;
	assert_true(isnan(trend_slope(&t, 60)));
	for (int i = 0; i < 3; i++)
		trend_add(&t, i * 30, 5);
	assert_true(isnan(trend_slope(&t, 60)));
	/* A clock that stands still, and what nobody knows. */
	trend_add(&t, 60, 7);
	trend_add(&t, 59, 7);
	trend_add(&t, 90, NAN);
	assert_true(isnan(trend_slope(&t, 60)));
	trend_add(&t, 61, 5);
	assert_false(isnan(trend_slope(&t, 90)));
	assert_true(isnan(trend_slope(&t, 1000)));
}

static void test_most_of_the_last_samples(void **state)
{
	struct trend t = { 0 };

	(void)state;
	assert_true(isnan(trend_most(&t, 60)));
	for (int i = 0; i < 100; i++)
		trend_add(&t, i, i == 50 ? 900 : i);
	assert_true(trend_most(&t, 60) == 900);
	assert_true(trend_most(&t, 48) == 99);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_straight_line_and_noise),
		cmocka_unit_test(test_old_samples_dont_count),
		cmocka_unit_test(test_too_few_samples_say_nothing),
		cmocka_unit_test(test_most_of_the_last_samples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

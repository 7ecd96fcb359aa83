// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "control/renewal.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOW INT64_C(1800000000)
#define DAY_SECONDS INT64_C(86400)

static struct renewal_policy policy(bool online)
{
	struct renewal_policy p = renewal_policy_default;

	p.online = online;
	return p;
}

static struct role_state role(enum tuf_type type, int64_t left)
{
	struct role_state r = { .type = type, .version = 3, .expires = NOW + left };

	strcpy(r.name, tuf_type_name(type));
	return r;
}

static struct role_state account(int64_t left)
{
	struct role_state r = role(TUF_TARGETS, left);

	r.delegated = true;
	strcpy(r.name, "acme");
	return r;
}

/* ------------------------------------------------------------------ what an operator writes */

static void test_durations_with_each_unit(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} good[] = { { "45s", 45 }, { "30m", 1800 }, { "12h", 43200 }, { "7d", 7 * DAY_SECONDS }, { "3650d", 3650 * DAY_SECONDS },
		     { "0000001d", DAY_SECONDS } };
	char error[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		int64_t seconds = 0;

		assert_int_equal(duration_parse(good[i].text, &seconds, error), 0);
		assert_int_equal(seconds, good[i].seconds);
	}
}

static void test_durations_that_are_none_are_refused(void **state)
{
	static const char *const bad[] = { "", "d", "7", "0d", "-1d", "+1d", " 7d", "7 d", "7dd", "7D", "1.5d", "3651d", "87601h",
					   "99999999s", "99999999999999999999d", "7d,", "\033[31m7d" };
	char error[ERROR_TEXT];
	int64_t seconds = 4711;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		error[0] = 0;
		assert_int_equal(duration_parse(bad[i], &seconds, error), -EINVAL);
		assert_non_null(strstr(error, "such as 7d"));
		assert_true(text_printable(error, strlen(error)));
	}
	assert_int_equal(seconds, 4711);
}

static void test_warnings_out_of_order_are_refused(void **state)
{
	static const char *const bad[] = { "", ",", "30d,", ",7d", "7d,30d", "7d,7d", "5d,4d,3d,2d,1d", "30d;7d", "30days",
					   "30d,0000000000000000000000000007d" };
	struct renewal_policy p = policy(false), before = p;
	char error[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		assert_int_equal(renewal_warnings_parse(bad[i], &p, error), -EINVAL);
	assert_memory_equal(&p, &before, sizeof p);
	assert_int_equal(renewal_warnings_parse("60d,14d,36h,30m", &p, error), 0);
	assert_int_equal(p.warning_count, 4);
	assert_int_equal(p.warnings[2], 36 * 3600);
}

/* ------------------------------------------------------------------ renewing */

static void test_timestamp_is_due_at_half_of_its_life(void **state)
{
	struct renewal_policy p = policy(true);
	struct role_state r = role(TUF_TIMESTAMP, 7 * DAY_SECONDS);

	(void)state;
	assert_int_equal(renewal_due(&p, &r), NOW + 7 * DAY_SECONDS / 2);
	r = role(TUF_SNAPSHOT, 14 * DAY_SECONDS);
	assert_int_equal(renewal_due(&p, &r), NOW + 7 * DAY_SECONDS);
}

static void test_offline_roles_are_never_due(void **state)
{
	struct renewal_policy p = policy(true);
	struct role_state items[] = { role(TUF_ROOT, -5), role(TUF_TARGETS, 3), account(-1) };
	struct role_list list = { items, COUNT(items) };

	(void)state;
	assert_int_equal(renewal_due_first(&p, &list), RENEWAL_NEVER);
}

static void test_delegated_role_named_timestamp_is_not_renewed(void **state)
{
	struct renewal_policy p = policy(true);
	struct role_state r = account(DAY_SECONDS);

	(void)state;
	strcpy(r.name, "timestamp");
	assert_int_equal(renewal_due(&p, &r), RENEWAL_NEVER);
}

static void test_without_keys_nothing_is_due(void **state)
{
	struct renewal_policy p = policy(false);
	struct role_state items[] = { role(TUF_TIMESTAMP, 1), role(TUF_SNAPSHOT, 1) };
	struct role_list list = { items, COUNT(items) };

	(void)state;
	assert_int_equal(renewal_due_first(&p, &list), RENEWAL_NEVER);
}

static void test_the_first_due_role_counts(void **state)
{
	struct renewal_policy p = policy(true);
	struct role_state items[] = { role(TUF_ROOT, 1), role(TUF_TIMESTAMP, 6 * DAY_SECONDS), role(TUF_SNAPSHOT, 8 * DAY_SECONDS) };
	struct role_list list = { items, COUNT(items) };

	(void)state;
	assert_int_equal(renewal_due_first(&p, &list), NOW + DAY_SECONDS);
	items[1].expires += 30 * DAY_SECONDS;
	assert_true(renewal_due_first(&p, &list) == NOW + DAY_SECONDS);
	items[2].expires += DAY_SECONDS;
	assert_true(renewal_due_first(&p, &list) == NOW + 2 * DAY_SECONDS);
}

static void test_failures_come_slower_up_to_an_hour(void **state)
{
	(void)state;
	assert_int_equal(renewal_retry(1, NOW, RENEWAL_NEVER), NOW + 60);
	assert_int_equal(renewal_retry(2, NOW, RENEWAL_NEVER), NOW + 120);
	assert_int_equal(renewal_retry(6, NOW, RENEWAL_NEVER), NOW + 1920);
	assert_int_equal(renewal_retry(7, NOW, RENEWAL_NEVER), NOW + 3600);
	assert_int_equal(renewal_retry(4000000000u, NOW, RENEWAL_NEVER), NOW + 3600);
}

static void test_failures_near_the_expiry_are_tried_again_before_it(void **state)
{
	int64_t now = NOW, expires = NOW + 600;
	unsigned tries = 0;

	(void)state;
	while (now < expires) {
		now = renewal_retry(++tries, now, expires);
		assert_true(tries < 100);
	}
	assert_true(tries >= 8);
	assert_int_equal(renewal_retry(9, expires + 1, expires), expires + 1 + 3600);
}

/* ------------------------------------------------------------------ warning */

static void test_each_threshold_is_one_step(void **state)
{
	struct renewal_policy p = policy(true);
	static const struct {
		int64_t left;
		unsigned step;
	} cases[] = { { 30 * DAY_SECONDS + 1, 0 }, { 30 * DAY_SECONDS, 1 }, { 7 * DAY_SECONDS + 1, 1 }, { 7 * DAY_SECONDS, 2 },
		      { 1, 2 }, { 0, RENEWAL_EXPIRED }, { -1, RENEWAL_EXPIRED } };

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct role_state root = role(TUF_ROOT, cases[i].left), targets = role(TUF_TARGETS, cases[i].left),
				  delegated = account(cases[i].left);

		assert_int_equal(renewal_step(&p, &root, NOW), cases[i].step);
		assert_int_equal(renewal_step(&p, &targets, NOW), cases[i].step);
		assert_int_equal(renewal_step(&p, &delegated, NOW), cases[i].step);
	}
}

static void test_healthy_renewal_gives_no_warning(void **state)
{
	struct renewal_policy p = policy(true);

	(void)state;
	/* All that a timestamp goes through while renewal is on time, and an hour late. */
	for (int64_t left = 7 * DAY_SECONDS; left >= 7 * DAY_SECONDS / 2 - 3600; left -= 600) {
		struct role_state r = role(TUF_TIMESTAMP, left);

		assert_int_equal(renewal_step(&p, &r, NOW), 0);
	}
}

static void test_failing_renewal_is_told_at_a_quarter(void **state)
{
	struct renewal_policy p = policy(true);
	struct role_state r = role(TUF_TIMESTAMP, 7 * DAY_SECONDS / 4);
	char sentence[ERROR_TEXT];

	(void)state;
	assert_int_equal(renewal_step(&p, &r, NOW), 1);
	renewal_sentence(&p, &r, NOW, sentence);
	assert_non_null(strstr(sentence, "renewal fails"));
}

static void test_forgotten_renewal_by_hand_is_told_at_half_and_at_a_quarter(void **state)
{
	struct renewal_policy p = policy(false);
	struct role_state half = role(TUF_SNAPSHOT, 7 * DAY_SECONDS), quarter = role(TUF_SNAPSHOT, 7 * DAY_SECONDS / 2);
	char sentence[ERROR_TEXT];

	(void)state;
	assert_int_equal(renewal_step(&p, &half, NOW), 1);
	assert_int_equal(renewal_step(&p, &quarter, NOW), 2);
	half.expires++;
	assert_int_equal(renewal_step(&p, &half, NOW), 0);
	renewal_sentence(&p, &quarter, NOW, sentence);
	assert_non_null(strstr(sentence, "--online-keys"));
}

static void test_sentences_name_role_time_and_next_step(void **state)
{
	struct renewal_policy p = policy(true);
	struct role_state roles[] = { role(TUF_ROOT, 29 * DAY_SECONDS), role(TUF_TARGETS, 3 * 3600), account(0) };
	static const char *const expected[] = { "root metadata expires in 29 days (2027-02-", "targets metadata expires in 3 hours (",
						"delegated role acme metadata expired (2027-01-15T08:00:00Z): " };
	char sentence[ERROR_TEXT];

	(void)state;
	for (size_t i = 0; i < COUNT(roles); i++) {
		renewal_sentence(&p, &roles[i], NOW, sentence);
		assert_int_equal(strncmp(sentence, expected[i], strlen(expected[i])), 0);
		assert_non_null(strstr(sentence, "repave-sign"));
	}
}

static void test_expiry_wakes_the_check(void **state)
{
	struct role_state items[] = { role(TUF_ROOT, 900), role(TUF_TIMESTAMP, 0), account(300) };
	struct role_list list = { items, COUNT(items) }, none = { 0 };

	(void)state;
	assert_int_equal(renewal_first_expiry(&list, NOW), NOW + 300);
	assert_int_equal(renewal_first_expiry(&list, NOW + 300), NOW + 900);
	assert_true(renewal_first_expiry(&list, NOW + 900) == RENEWAL_NEVER);
	assert_true(renewal_first_expiry(&none, NOW) == RENEWAL_NEVER);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations_with_each_unit),
		cmocka_unit_test(test_durations_that_are_none_are_refused),
		cmocka_unit_test(test_warnings_out_of_order_are_refused),
		cmocka_unit_test(test_timestamp_is_due_at_half_of_its_life),
		cmocka_unit_test(test_offline_roles_are_never_due),
		cmocka_unit_test(test_delegated_role_named_timestamp_is_not_renewed),
		cmocka_unit_test(test_without_keys_nothing_is_due),
		cmocka_unit_test(test_the_first_due_role_counts),
		cmocka_unit_test(test_failures_come_slower_up_to_an_hour),
		cmocka_unit_test(test_failures_near_the_expiry_are_tried_again_before_it),
		cmocka_unit_test(test_each_threshold_is_one_step),
		cmocka_unit_test(test_healthy_renewal_gives_no_warning),
		cmocka_unit_test(test_failing_renewal_is_told_at_a_quarter),
		cmocka_unit_test(test_forgotten_renewal_by_hand_is_told_at_half_and_at_a_quarter),
		cmocka_unit_test(test_sentences_name_role_time_and_next_step),
		cmocka_unit_test(test_expiry_wakes_the_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

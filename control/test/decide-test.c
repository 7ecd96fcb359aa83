// SPDX-License-Identifier: GPL-2.0-or-later
/* Decisions: the reference fleet's cases one by one. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/test/decide-fleet.h"

static void test_quiet_fleet_gives_no_decision(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	ask(&f);
	assert_int_equal(f.out.count, 0);
	assert_int_equal(f.out.spares_there, 2);
	assert_int_equal(f.out.spares_wanted, 2);
	f.nodes[5].life = LIFE_FAILED;
	f.nodes[5].retries = 1;
	ask(&f);
	assert_int_equal(f.out.spares_there, 1);
	assert_int_equal(f.out.spares_wanted, 2);
	decisions_release(&f.out);
}

static void test_failed_server_is_replaced_by_the_least_used_spare(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[2].life = LIFE_FAILED;
	f.nodes[2].users = NAN;
	f.nodes[4].uses = 3;
	d = only(&f);
	assert_int_equal(d->verdict, VERDICT_DO);
	assert_int_equal(d->action, RULE_REPLACE);
	assert_int_equal(d->node, 2);
	assert_int_equal(d->spare, 5);
	assert_int_equal(d->group, 2);
	f.nodes[4].life = f.nodes[5].life = LIFE_MAINTENANCE;
	d = only(&f);
	assert_int_equal(d->spare, DECIDE_NOBODY);
	assert_non_null(strstr(d->reason, "started anew"));
	f.nodes[2].retries = 1;
	ask(&f);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DENIED);
	decisions_release(&f.out);
}

static void test_failed_server_without_work_is_tried_once(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[5].life = LIFE_FAILED;
	assert_int_equal(only(&f)->action, RULE_RETRY);
	f.nodes[5].retries = 1;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	decisions_release(&f.out);
}

static void test_peak_begins_above_its_limit(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[1].users = 400;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.nodes[1].users = 401;
	d = only(&f);
	assert_int_equal(d->action, RULE_ADD);
	assert_int_equal(d->group, 1);
	assert_int_equal(d->node, 4);
	assert_false(d->moves);
	/* As many as it takes. */
	f.nodes[1].users = 801;
	ask(&f);
	assert_int_equal(f.out.count, 2);
	/* Who is on the way counts. */
	f.nodes[4].group = 1;
	f.nodes[4].life = LIFE_BOOTING;
	f.nodes[4].users = 0;
	f.nodes[1].users = 700;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	decisions_release(&f.out);
}

static void test_jump_of_users_takes_no_more_than_they_need(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[1].users = 800;
	f.groups[1].trend = 100;
	assert_int_equal(only(&f)->action, RULE_ADD);
	assert_string_equal(matrix.items[f.out.items[0].rule].name, "trend");
	decisions_release(&f.out);
}

static void test_trend_adds_before_the_limit_is_crossed(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[1].users = 300;
	f.groups[1].trend = 1.5;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.groups[1].trend = 2;
	assert_int_equal(only(&f)->action, RULE_ADD);
	assert_string_equal(matrix.items[f.out.items[0].rule].name, "trend");
	decisions_release(&f.out);
}

static void test_without_spares_the_server_without_users_moves(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[4].life = f.nodes[5].life = LIFE_MAINTENANCE;
	f.nodes[1].users = 500;
	ask(&f);
	assert_int_equal(f.out.count, 1);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DENIED);
	/* A group without a minimum, and nobody there. */
	f.groups[3].policy.minimum = 0;
	f.nodes[3].users = 0;
	d = only(&f);
	assert_int_equal(d->verdict, VERDICT_DO);
	assert_int_equal(d->node, 3);
	assert_int_equal(d->action, RULE_MOVE);
	assert_int_equal(d->from, 3);
	assert_int_equal(d->group, 1);
	decisions_release(&f.out);
}

static void test_lowest_donor_by_users_and_time_to_release(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[4].group = f.nodes[5].group = 3;
	f.nodes[4].life = f.nodes[5].life = LIFE_SERVING;
	f.nodes[3].users = f.nodes[5].users = 30;
	f.nodes[3].release_s = 4000;
	f.nodes[4].release_s = 9000;
	f.nodes[5].release_s = 40;
	f.nodes[1].users = 500;
	d = only(&f);
	assert_int_equal(d->node, 5);
	assert_true(d->moves);
	/* Both estimates, for who wonders. */
	assert_non_null(strstr(d->reason, "s6: 30 users, 40 s to release; rather than s4: 30 users, 4000 s to release"));
	/* Fewer users who would have to be thrown out are worse than more who leave. */
	f.nodes[3].users = 1;
	assert_int_equal(only(&f)->node, 5);
	f.nodes[3].release_s = 300;
	assert_int_equal(only(&f)->node, 3);
	decisions_release(&f.out);
}

static void test_maximum_denies(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.groups[1].policy.maximum = 1;
	f.nodes[1].users = 500;
	d = only(&f);
	assert_int_equal(d->verdict, VERDICT_DENIED);
	assert_int_equal(d->denial, DENIAL_SLA_MAX);
	assert_non_null(strstr(d->reason, "maximum of 1"));
	decisions_release(&f.out);
}

static void test_age_waits_for_users_and_then_asks_them_to_leave(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[0].up = 1000;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.nodes[0].users = 0;
	f.groups[0].policy.limits[LIMIT_USERS_LOW] = 0;
	d = only(&f);
	assert_int_equal(d->action, RULE_REIMAGE);
	assert_int_equal(d->urgency, URGENCY_WAIT);
	assert_int_equal(d->spare, 4);
	f.nodes[0].users = 7;
	f.nodes[0].up = 1800;
	assert_int_equal(only(&f)->urgency, URGENCY_NOTIFY);
	f.nodes[0].busy = true;
	f.nodes[0].urgency = URGENCY_NOTIFY;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	/* It waits for its users by itself, and then it is asked for. */
	f.nodes[0].urgency = URGENCY_WAIT;
	d = only(&f);
	assert_int_equal(d->verdict, VERDICT_HURRY);
	assert_int_equal(d->urgency, URGENCY_NOTIFY);
	decisions_release(&f.out);
}

static void test_oldest_goes_first(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[4].group = f.nodes[5].group = 0;
	f.nodes[4].life = f.nodes[5].life = LIFE_SERVING;
	f.nodes[0].up = 1900;
	f.nodes[4].up = 2100;
	f.nodes[5].up = 2000;
	ask(&f);
	assert_int_equal(f.out.count, 3);
	assert_int_equal(f.out.items[0].node, 4);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DO);
	assert_int_equal(f.out.items[1].node, 5);
	assert_int_equal(f.out.items[1].verdict, VERDICT_LATER);
	decisions_release(&f.out);
}

static void test_campaign_ends_at_its_deadline(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[0].due = 5;
	assert_int_equal(only(&f)->urgency, URGENCY_NOTIFY);
	f.groups[0].window_open = false;
	assert_int_equal(only(&f)->verdict, VERDICT_LATER);
	f.nodes[0].due = 0;
	assert_int_equal(only(&f)->verdict, VERDICT_DO);
	assert_int_equal(f.out.items[0].urgency, URGENCY_EVICT);
	decisions_release(&f.out);
}

static void test_plans_wait_for_window_pace_settling_and_failures(void **state)
{
	static const char *const because[] = { "window", "on their way", "just come back", "didn't come back" };
	struct fig4 f;

	(void)state;
	for (int i = 0; i < 4; i++) {
		draw_fig4(&f);
		f.nodes[5].group = 0;
		f.nodes[5].life = LIFE_SERVING;
		f.nodes[0].up = i == 0 ? 1000 : 2000;
		f.nodes[0].users = 0;
		f.groups[0].window_open = i != 0;
		f.nodes[5].busy = i == 1;
		f.groups[0].policy.settle = 60;
		f.groups[0].returned = i == 2 ? NOW - 59 : NOW - 60;
		f.groups[0].policy.failures_most = 2;
		f.groups[0].failures = i == 3 ? 2 : 1;
		f.groups[0].policy.limits[LIMIT_USERS_LOW] = 0;
		assert_int_equal(only(&f)->verdict, VERDICT_LATER);
		assert_non_null(strstr(f.out.items[0].reason, because[i]));
		decisions_release(&f.out);
	}
}

static void test_alarm_cuts_power_at_once_and_a_spare_comes(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[0].alarms = 1;
	f.groups[0].window_open = false;
	ask(&f);
	assert_int_equal(f.out.count, 2);
	assert_int_equal(f.out.items[0].action, RULE_CUT);
	assert_int_equal(f.out.items[1].action, RULE_ADD);
	assert_int_equal(f.out.items[1].group, 0);
	f.nodes[0].cuts = 3;
	ask(&f);
	assert_int_equal(f.out.items[0].action, RULE_QUARANTINE);
	/* Also in the midst of a restart. */
	f.nodes[0].cuts = 0;
	f.nodes[0].busy = true;
	ask(&f);
	assert_int_equal(f.out.items[0].action, RULE_CUT);
	decisions_release(&f.out);
}

static void test_lull_sends_one_home_and_not_back_again(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[4].group = 1;
	f.nodes[4].life = LIFE_SERVING;
	f.nodes[1].users = 9;
	f.nodes[4].users = 3;
	d = only(&f);
	assert_int_equal(d->action, RULE_REMOVE);
	assert_int_equal(d->node, 4);
	f.cooling[0] = (struct cooling){ d->rule, DECIDE_NOBODY, 1, NOW + 1 };
	f.seen.cooling_count = 1;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.seen.now = NOW + 1;
	ask(&f);
	assert_int_equal(f.out.count, 1);
	decisions_release(&f.out);
}

static void test_spare_of_the_same_place_comes_first(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[1].users = 401;
	f.groups[1].site = "stockholm";
	f.nodes[5].site = "stockholm";
	f.nodes[5].uses = 9;
	assert_int_equal(only(&f)->node, 5);
	decisions_release(&f.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet_fleet_gives_no_decision),
		cmocka_unit_test(test_failed_server_is_replaced_by_the_least_used_spare),
		cmocka_unit_test(test_failed_server_without_work_is_tried_once),
		cmocka_unit_test(test_peak_begins_above_its_limit),
		cmocka_unit_test(test_trend_adds_before_the_limit_is_crossed), cmocka_unit_test(test_jump_of_users_takes_no_more_than_they_need),
		cmocka_unit_test(test_without_spares_the_server_without_users_moves),
		cmocka_unit_test(test_lowest_donor_by_users_and_time_to_release),
		cmocka_unit_test(test_maximum_denies),
		cmocka_unit_test(test_age_waits_for_users_and_then_asks_them_to_leave),
		cmocka_unit_test(test_oldest_goes_first),
		cmocka_unit_test(test_campaign_ends_at_its_deadline),
		cmocka_unit_test(test_plans_wait_for_window_pace_settling_and_failures),
		cmocka_unit_test(test_alarm_cuts_power_at_once_and_a_spare_comes),
		cmocka_unit_test(test_lull_sends_one_home_and_not_back_again),
		cmocka_unit_test(test_spare_of_the_same_place_comes_first),
	};

	return run_with_matrix(tests, sizeof tests / sizeof tests[0]);
}

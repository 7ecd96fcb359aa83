// SPDX-License-Identifier: GPL-2.0-or-later
/* Campaigns: how fast they go, what they leave alone, and what people may write. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "control/campaign.h"
#include "control/moment.h"
#include "control/reimage-plan.h"

#define NOW INT64_C(1800000000)
#define FLEETS 2000
#define NODES_MOST 60
#define GROUPS_HERE 4

static struct rule_list matrix;

/* ------------------------------------------------------------------ fleets */

struct fleet_of_test {
	struct seen_group groups[GROUPS_HERE];
	struct seen_node nodes[NODES_MOST];
	char names[NODES_MOST][24];
	struct snapshot seen;
	size_t members[GROUPS_HERE];
	struct campaign campaign;
	struct reimage_plan plan;
};

static void draw(struct fleet_of_test *f, size_t groups, size_t each, size_t spares)
{
	*f = (struct fleet_of_test){ 0 };
	for (size_t i = 0; i < groups; i++)
		f->groups[i] = (struct seen_group){ .name = "g", .policy = { .minimum = 1, .pace = 1, .grace = 60 }, .window_open = true, .trend = NAN,
						    .start_s = 60, .site = "" };
	for (size_t i = 0; i < groups * each + spares; i++) {
		bool spare = i >= groups * each;

		snprintf(f->names[i], sizeof f->names[i], "s%zu", i);
		f->nodes[i] = (struct seen_node){ .id = f->names[i], .name = f->names[i], .group = spare ? DECIDE_NOBODY : i / each,
						  .life = spare ? LIFE_SPARE : LIFE_SERVING, .up = 1000 + (double)i, .users = 0, .load = 0.2,
						  .response = 5, .due = 0, .release_s = NAN, .site = "", .rack = "", .warm_for = DECIDE_NOBODY };
	}
	for (size_t i = 0; i < groups; i++)
		f->members[i] = each;
	f->seen = (struct snapshot){ .now = NOW, .nodes = f->nodes, .node_count = groups * each + spares, .groups = f->groups,
				     .group_count = groups, .rules = &matrix };
	f->campaign = (struct campaign){ .began = NOW, .deadline = NOW + 4 * 3600, .serving = 0.8, .forced = true };
}

static void plan(struct fleet_of_test *f)
{
	reimage_plan_release(&f->plan);
	assert_int_equal(reimage_plan(&f->seen, &f->campaign, f->campaign.deadline + 3600, &f->plan), 0);
}

/* How many of the group's servers aren't there at this moment, and nobody in their place. */
static size_t away(const struct fleet_of_test *f, size_t group, int64_t at)
{
	size_t count = 0;

	for (size_t i = 0; i < f->seen.node_count; i++)
		count += f->nodes[i].group == group && f->plan.items[i].begins && f->plan.items[i].spare == DECIDE_NOBODY &&
			 f->plan.items[i].begins <= at && at < f->plan.items[i].ends;
	return count;
}

/* ------------------------------------------------------------------ pace */

static void test_pace_is_just_enough(void **state)
{
	(void)state;
	srand(6);
	for (int i = 0; i < 100000; i++) {
		size_t remaining = 1 + (size_t)rand() % 500, pace;
		double left = 1 + rand() % 20000, takes = 1 + rand() % 600;
		double rounds = floor(0.8 * left / takes);

		pace = campaign_pace(remaining, left, takes);
		assert_in_range(pace, 1, remaining);
		if (rounds < 1) {
			assert_int_equal(pace, remaining);
			continue;
		}
		assert_true((double)pace * rounds >= (double)remaining);
		assert_true(pace == 1 || (double)(pace - 1) * rounds < (double)remaining);
	}
	assert_int_equal(campaign_pace(7, -100, 60), 7);
	assert_int_equal(campaign_pace(0, 100, 60), 1);
}

static void test_whole_night_goes_one_after_the_other(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 10, 0);
	plan(&f);
	assert_int_equal(f.plan.begun, 10);
	assert_int_equal(f.plan.below, 0);
	for (size_t i = 0; i < 10; i++)
		assert_true(away(&f, 0, f.plan.items[i].begins) == 1);
	assert_true(f.plan.ends <= f.campaign.deadline);
	reimage_plan_release(&f.plan);
}

static void test_little_time_goes_several_at_once(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 10, 0);
	f.campaign.deadline = NOW + 480; /* rounds of a minute: two at once are just enough */
	plan(&f);
	assert_int_equal(f.plan.begun, 10);
	assert_int_equal(f.plan.below, 0);
	assert_true(away(&f, 0, NOW) == 2);
	assert_true(f.plan.ends <= f.campaign.deadline);
	reimage_plan_release(&f.plan);
}

static void test_too_little_time_breaks_the_share_only_at_the_last_moment(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 10, 0);
	f.campaign.deadline = NOW + 200;
	plan(&f);
	assert_int_equal(f.plan.begun, 10);
	assert_true(f.plan.below > 0);
	assert_true(f.plan.ends <= f.campaign.deadline);
	for (size_t i = 0; i < 10; i++) {
		const struct planned *item = &f.plan.items[i];

		if (item->below)
			assert_int_equal(item->urgency, URGENCY_EVICT);
		else
			assert_true(away(&f, 0, item->begins) <= 2);
	}
	reimage_plan_release(&f.plan);
}

static void test_unforced_is_late_rather_than_below_the_share(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 10, 0);
	f.campaign.deadline = NOW + 200;
	f.campaign.forced = false;
	plan(&f);
	assert_int_equal(f.plan.begun, 10);
	assert_int_equal(f.plan.below, 0);
	assert_true(f.plan.ends > f.campaign.deadline);
	for (size_t i = 0; i < 10; i++)
		assert_true(away(&f, 0, f.plan.items[i].begins) <= 2);
	reimage_plan_release(&f.plan);
}

static void test_old_servers_dont_break_the_share(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 10, 0);
	f.groups[0].policy.limits[LIMIT_FIRST] = 10;
	f.groups[0].policy.limits[LIMIT_SECOND] = 20;
	f.campaign.deadline = NOW + 300;
	plan(&f);
	for (size_t i = 0; i < 10; i++)
		if (!f.plan.items[i].below)
			assert_true(away(&f, 0, f.plan.items[i].begins) <= 2);
	reimage_plan_release(&f.plan);
}

static void test_spare_stands_in_where_the_share_leaves_nobody(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 2, 1);
	f.nodes[2].due = NAN;
	plan(&f);
	assert_int_equal(f.plan.begun, 2);
	assert_int_equal(f.plan.below, 0);
	assert_int_equal(f.plan.items[0].spare, 2);
	assert_int_equal(f.plan.items[1].spare, 2);
	reimage_plan_release(&f.plan);
}

static void test_half_of_the_spares_stays(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 2, 4);
	plan(&f);
	assert_int_equal(f.plan.begun, 6);
	for (size_t i = 2; i < 6; i++) {
		size_t gone = 0;

		for (size_t j = 2; j < 6; j++)
			gone += f.plan.items[j].begins <= f.plan.items[i].begins && f.plan.items[i].begins < f.plan.items[j].ends;
		assert_in_range(gone, 1, 2);
	}
	reimage_plan_release(&f.plan);
}

static void test_closed_window_holds_it_only_if_wanted(void **state)
{
	struct fleet_of_test f;
	json_t *when = json_pack("{s[s]}", "windows", "Mon-Sun 22:00-23:00");
	char why[ERROR_TEXT];

	(void)state;
	draw(&f, 1, 4, 0); /* NOW is 08:00 UTC */
	assert_int_equal(calendar_parse(when, &f.groups[0].policy.calendar, why), 0);
	f.campaign.deadline = NOW + 20 * 3600;
	f.campaign.serving = 0.5;
	plan(&f);
	assert_int_equal(f.plan.items[3].begins, NOW);
	f.campaign.in_windows = true;
	plan(&f);
	assert_int_equal(f.plan.begun, 4);
	for (size_t i = 0; i < 4; i++)
		assert_true(f.plan.items[i].begins >= NOW + 14 * 3600 && f.plan.items[i].begins < NOW + 15 * 3600);
	calendar_release(f.groups[0].policy.calendar);
	reimage_plan_release(&f.plan);
	json_decref(when);
}

static void test_exempt_and_done_are_left_alone(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 4, 0);
	f.nodes[1].exempt = true;
	f.nodes[2].due = NAN;
	plan(&f);
	assert_int_equal(f.plan.begun, 2);
	assert_int_equal(f.plan.items[1].begins, 0);
	assert_int_equal(f.plan.items[2].begins, 0);
	assert_int_equal(f.plan.left, 0);
	reimage_plan_release(&f.plan);
}

static void test_failed_servers_stop_it(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 4, 0);
	f.groups[0].policy.failures_most = 2;
	f.groups[0].failures = 2;
	plan(&f);
	assert_int_equal(f.plan.begun, 0);
	assert_int_equal(f.plan.left, 4);
	assert_non_null(strstr(f.plan.items[0].reason, "didn't come back"));
	reimage_plan_release(&f.plan);
}

static void test_age_alone_is_planned_too(void **state)
{
	struct fleet_of_test f;

	(void)state;
	draw(&f, 1, 3, 0);
	for (size_t i = 0; i < 3; i++)
		f.nodes[i].due = NAN;
	f.nodes[1].users = 5;
	f.groups[0].policy.limits[LIMIT_FIRST] = 3600;
	f.groups[0].policy.limits[LIMIT_SECOND] = 7200;
	assert_int_equal(reimage_plan(&f.seen, NULL, NOW + 86400, &f.plan), 0);
	assert_in_range(f.plan.items[2].begins, NOW + 2598, NOW + 2800);
	assert_int_equal(f.plan.items[2].first, NOW + 2598);
	assert_in_range(f.plan.items[1].begins, NOW + 6199, NOW + 6400);
	assert_int_equal(f.plan.items[1].urgency, URGENCY_NOTIFY);
	reimage_plan_release(&f.plan);
}

/* Any fleet: never below the share but at the last moment, and done by the deadline wherever it is forced. */
static void test_any_fleet_keeps_share_and_deadline(void **state)
{
	size_t planned = 0, below = 0;

	(void)state;
	srand(7);
	for (int i = 0; i < FLEETS; i++) {
		size_t groups = 1 + (size_t)rand() % GROUPS_HERE, each = 1 + (size_t)rand() % 12;
		struct fleet_of_test f;

		draw(&f, groups, each, (size_t)rand() % 4);
		f.campaign.deadline = NOW + 300 + rand() % 20000;
		f.campaign.serving = (rand() % 101) / 100.0;
		f.campaign.forced = rand() % 2;
		for (size_t n = 0; n < f.seen.node_count; n++) {
			f.nodes[n].users = rand() % 3 ? 0 : rand() % 50;
			f.nodes[n].exempt = rand() % 10 == 0;
		}
		for (size_t g = 0; g < groups; g++)
			f.groups[g].policy.settle = (uint32_t)rand() % 60;
		plan(&f);
		for (size_t n = 0; n < groups * each; n++) {
			const struct planned *item = &f.plan.items[n];
			size_t least = (size_t)fmax(1, ceil(f.campaign.serving * (double)each - 1e-9));

			if (f.nodes[n].exempt)
				assert_int_equal(item->begins, 0);
			if (!item->begins)
				continue;
			planned++;
			below += item->below;
			assert_true(!item->below || f.campaign.forced);
			if (!item->below && item->spare == DECIDE_NOBODY)
				assert_true(each - away(&f, f.nodes[n].group, item->begins) >= least);
		}
		if (f.campaign.forced)
			assert_int_equal(f.plan.left, 0);
		if (f.campaign.forced && f.plan.ends > f.campaign.deadline)
			fail_msg("fleet %d: %lld s late", i, (long long)(f.plan.ends - f.campaign.deadline));
		reimage_plan_release(&f.plan);
	}
	print_message("%d fleets, %zu reimages planned, %zu of them at the last moment\n", FLEETS, planned, below);
}

/* ------------------------------------------------------------------ what people write */

static void refuse(const char *text, const char *part)
{
	json_t *body = json_loads(text, 0, NULL);
	struct campaign campaign;
	char why[ERROR_TEXT] = "";

	assert_non_null(body);
	assert_int_equal(campaign_parse(body, "uid 0", NOW, &campaign, why), -EINVAL);
	if (!strstr(why, part))
		fail_msg("\"%s\" isn't in: %s", part, why);
	json_decref(body);
}

static void test_bad_campaigns_are_refused(void **state)
{
	(void)state;
	refuse("{}", "deadline");
	refuse("{\"deadline\": 1}", "ahead");
	refuse("{\"deadline\": 18000000000}", "within a year");
	refuse("{\"deadline\": -5}", "deadline");
	refuse("{\"deadline\": 1800003600, \"serving\": 80}", "share");
	refuse("{\"deadline\": 1800003600, \"serving\": \"80%\"}", "share");
	refuse("{\"deadline\": 1800003600, \"forced\": 1}", "forced");
	refuse("{\"deadline\": 1800003600, \"groups\": \"web\"}", "groups");
	refuse("{\"deadline\": 1800003600, \"nodes\": [\"a b\"]}", "nodes");
	refuse("{\"deadline\": 1800003600, \"name\": \"a\\nb\"}", "name");
	refuse("{\"deadline\": 1800003600, \"reason\": 5}", "reason");
	refuse("{\"deadline\": 1800003600, \"speed\": 5}", "speed");
}

static void test_stored_campaign_is_the_same(void **state)
{
	json_t *body = json_pack("{sI ss ss s[ss] s[s] sf sb}", "deadline", (json_int_t)(NOW + 60), "name", "openssh", "reason", "CVE", "groups", "web", "mail",
				 "nodes", "5e70a7e0-0000-4000-8000-000000000001", "serving", 0.8, "forced", 0);
	struct campaign campaign, again;
	json_t *stored, *twice;
	char why[ERROR_TEXT];

	(void)state;
	assert_int_equal(campaign_parse(body, "anna", NOW, &campaign, why), 0);
	campaign.state = CAMPAIGN_STOPPED;
	stored = campaign_format(&campaign);
	assert_int_equal(campaign_read(stored, &again), 0);
	twice = campaign_format(&again);
	assert_true(json_equal(stored, twice));
	assert_string_equal(again.by, "anna");
	assert_true(campaign_covers(&again, "x", "web"));
	assert_true(campaign_covers(&again, "5e70a7e0-0000-4000-8000-000000000001", ""));
	assert_false(campaign_covers(&again, "x", "db"));
	assert_false(campaign_covers(&again, "x", ""));
	json_object_set_new(stored, "serving", json_real(7));
	assert_int_equal(campaign_read(stored, &campaign), -EINVAL);
	campaign_release(&campaign);
	campaign_release(&again);
	json_decref(stored);
	json_decref(twice);
	json_decref(body);
}

static void test_exemption_for_ever_is_refused(void **state)
{
	struct exemption exemption;
	char why[ERROR_TEXT];
	json_t *body = json_pack("{sI ss}", "until", (json_int_t)(NOW + 90 * 86400), "reason", "batch run");

	(void)state;
	assert_int_equal(exemption_parse(body, NOW, &exemption, why), 0);
	assert_int_equal(exemption.until, NOW + 90 * 86400);
	json_object_set_new(body, "until", json_integer(NOW + 90 * 86400 + 1));
	assert_int_equal(exemption_parse(body, NOW, &exemption, why), -EINVAL);
	json_object_set_new(body, "until", json_integer(NOW));
	assert_int_equal(exemption_parse(body, NOW, &exemption, why), -EINVAL);
	json_object_set_new(body, "until", json_integer(NOW + 5));
	json_object_set_new(body, "reason", json_string(""));
	assert_int_equal(exemption_parse(body, NOW, &exemption, why), -EINVAL);
	json_object_del(body, "until");
	assert_int_equal(exemption_parse(body, NOW, &exemption, why), -EINVAL);
	json_decref(body);
}

static void expect_moment(const char *text, bool past, int64_t time)
{
	int64_t found = 0;
	char why[ERROR_TEXT];

	if (moment_parse(text, NOW, past, &found, why) < 0 || found != time)
		fail_msg("%s: %lld, not %lld", text, (long long)found, (long long)time);
}

static void test_times_are_local_and_lie_ahead(void **state)
{
	int64_t found;
	char why[ERROR_TEXT];

	(void)state;
	/* 2027-01-15 08:00:00 UTC is 09:00 there. */
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	expect_moment("4h", false, NOW + 4 * 3600);
	expect_moment("4h", true, NOW - 4 * 3600);
	expect_moment("22:00", false, NOW + 13 * 3600);
	expect_moment("08:30", false, NOW + 23 * 3600 + 1800);
	expect_moment("09:00", false, NOW + 86400);
	expect_moment("08:30:30", true, NOW - 1770);
	expect_moment("2027-01-15 22:00", false, NOW + 13 * 3600);
	expect_moment("2027-01-15T22:00:00Z", false, NOW + 14 * 3600);
	expect_moment("2027-07-15 10:00Z", false, NOW + 181 * 86400 + 7200);
	expect_moment("2027-01-15", false, NOW - 9 * 3600);
	for (const char *const *text = (const char *const[]){ "", "25:00", "22:60", "22", "2027-02-30", "2027-13-01", "22:00x", "now", "-4h", "2027-01-15 ",
							      "2027-01-15T", "4h30m", NULL }; *text; text++)
		if (!moment_parse(*text, NOW, false, &found, why))
			fail_msg("\"%s\" was taken", *text);
}

static int load_matrix(void **state)
{
	json_t *list = json_loads(rules_default, 0, NULL);
	char why[ERROR_TEXT];
	int r = rule_list_parse(list, &matrix, why);

	(void)state;
	json_decref(list);
	return r;
}

static int release_matrix(void **state)
{
	(void)state;
	rule_list_release(&matrix);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pace_is_just_enough),
		cmocka_unit_test(test_whole_night_goes_one_after_the_other),
		cmocka_unit_test(test_little_time_goes_several_at_once),
		cmocka_unit_test(test_too_little_time_breaks_the_share_only_at_the_last_moment),
		cmocka_unit_test(test_unforced_is_late_rather_than_below_the_share),
		cmocka_unit_test(test_old_servers_dont_break_the_share),
		cmocka_unit_test(test_spare_stands_in_where_the_share_leaves_nobody),
		cmocka_unit_test(test_half_of_the_spares_stays),
		cmocka_unit_test(test_closed_window_holds_it_only_if_wanted),
		cmocka_unit_test(test_exempt_and_done_are_left_alone),
		cmocka_unit_test(test_failed_servers_stop_it),
		cmocka_unit_test(test_age_alone_is_planned_too),
		cmocka_unit_test(test_any_fleet_keeps_share_and_deadline),
		cmocka_unit_test(test_bad_campaigns_are_refused),
		cmocka_unit_test(test_stored_campaign_is_the_same),
		cmocka_unit_test(test_exemption_for_ever_is_refused),
		cmocka_unit_test(test_times_are_local_and_lie_ahead),
	};

	return cmocka_run_group_tests(tests, load_matrix, release_matrix);
}

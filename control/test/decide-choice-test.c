// SPDX-License-Identifier: GPL-2.0-or-later
/* Decisions: who comes and who goes, what is to come, and what is held back. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/test/decide-fleet.h"

static void test_spare_that_is_on_and_holds_the_images_comes_first(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[1].users = 401;
	f.nodes[5].warm_for = 1;
	assert_int_equal(only(&f)->node, 5);
	/* But wear is shared: who was used more waits. */
	f.nodes[5].uses = 1;
	assert_int_equal(only(&f)->node, 4);
	/* Who is off takes longer, and costs more to start. */
	f.nodes[4].off = true;
	assert_int_equal(only(&f)->node, 5);
	decisions_release(&f.out);
}

static void test_spares_wear_evenly_over_twenty_replacements(void **state)
{
	unsigned uses[6] = { 0 };
	struct fig4 f;

	(void)state;
	for (int i = 0; i < 20; i++) {
		const struct decision *d;

		draw_fig4(&f);
		f.nodes[4].uses = uses[4];
		f.nodes[5].uses = uses[5];
		f.nodes[4].warm_for = 2;
		f.nodes[2].life = LIFE_FAILED;
		d = only(&f);
		uses[d->spare]++;
		assert_true(uses[4] <= uses[5] + 1 && uses[5] <= uses[4] + 1);
		decisions_release(&f.out);
	}
}

static void test_one_spare_replaces_any_system(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[5].life = LIFE_MAINTENANCE;
	for (size_t i = 0; i < 4; i++) {
		f.nodes[i].life = LIFE_FAILED;
		assert_int_equal(only(&f)->spare, 4);
		assert_int_equal(f.out.items[0].group, i);
		f.nodes[i].life = LIFE_SERVING;
	}
	decisions_release(&f.out);
}

static void test_only_servers_of_the_same_segment_are_chosen(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[1].users = 401;
	strcpy(f.groups[1].policy.rack, "r2");
	f.nodes[4].rack = "r1";
	f.nodes[5].rack = "r2";
	assert_int_equal(only(&f)->node, 5);
	f.nodes[5].rack = "r3";
	assert_int_equal(only(&f)->node, 4);
	f.groups[1].policy.place_only = true;
	assert_int_equal(only(&f)->denial, DENIAL_NO_RESOURCE);
	decisions_release(&f.out);
}

static void test_hint_adds_before_it_comes_true(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[1].users = 300;
	f.groups[1].expected_users = 450;
	f.groups[1].expected_at = NOW + 61;
	f.groups[1].expected_until = NOW + 661;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.groups[1].expected_at = NOW + 60;
	assert_int_equal(only(&f)->action, RULE_ADD);
	assert_int_equal(f.out.items[0].group, 1);
	/* A burst that is over before a server could be of use. */
	f.groups[1].expected_until = NOW + 70;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.groups[1].expected_at = NOW;
	f.groups[1].expected_until = NOW + 10;
	f.nodes[1].users = 450;
	assert_int_equal(only(&f)->verdict, VERDICT_LATER);
	assert_non_null(strstr(f.out.items[0].reason, "over in 10 s"));
	/* More than the hint had said is another matter. */
	f.nodes[1].users = 500;
	assert_int_equal(only(&f)->verdict, VERDICT_DO);
	decisions_release(&f.out);
}

static void test_nobody_goes_home_just_before_a_hint_comes_true(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[4].group = 1;
	f.nodes[4].life = LIFE_SERVING;
	f.nodes[1].users = f.nodes[4].users = 5;
	f.groups[1].expected_users = 450;
	f.groups[1].expected_at = NOW + 500;
	f.groups[1].expected_until = NOW + 5000;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.groups[1].expected_at = NOW + 3600;
	assert_int_equal(only(&f)->action, RULE_REMOVE);
	decisions_release(&f.out);
}

static void test_scarce_spare_goes_to_the_group_under_most_pressure(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[5].life = LIFE_MAINTENANCE;
	f.nodes[0].users = 410;
	f.nodes[2].users = 800;
	ask(&f);
	assert_int_equal(f.out.count, 2);
	assert_int_equal(f.out.items[0].group, 2);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DO);
	assert_int_equal(f.out.items[1].denial, DENIAL_NO_RESOURCE);
	/* Unless another one was promised more. */
	f.groups[0].policy.priority = 5;
	ask(&f);
	assert_int_equal(f.out.items[0].group, 0);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DO);
	assert_int_equal(f.out.items[1].denial, DENIAL_PRIORITY);
	decisions_release(&f.out);
}

static void test_guaranteed_servers_come_before_comfort_of_others(void **state)
{
	const struct decision *d;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[4].life = f.nodes[5].life = LIFE_MAINTENANCE;
	f.nodes[0].life = LIFE_QUARANTINED;
	f.nodes[3].group = 1;
	f.groups[3].policy.minimum = 0;
	f.nodes[1].users = 390;
	f.nodes[3].users = 380;
	d = only(&f);
	assert_int_equal(d->action, RULE_MOVE);
	assert_int_equal(d->group, 0);
	assert_int_equal(d->node, 3);
	decisions_release(&f.out);
}

static void test_storm_of_alarms_stops_the_cuts(void **state)
{
	struct fig4 f;
	size_t cut = 0;

	(void)state;
	draw_fig4(&f);
	for (size_t i = 0; i < 6; i++) {
		f.nodes[i].group = 0;
		f.nodes[i].life = LIFE_SERVING;
		f.nodes[i].alarms = 1;
		f.groups[i % 4].policy.minimum = 0;
	}
	ask(&f);
	for (size_t i = 0; i < f.out.count; i++) {
		cut += f.out.items[i].verdict == VERDICT_DO;
		if (f.out.items[i].verdict == VERDICT_DENIED) {
			assert_int_equal(f.out.items[i].denial, DENIAL_SECURITY);
			assert_non_null(strstr(f.out.items[i].reason, "a person must look"));
		}
	}
	assert_int_equal(cut, 3);
	assert_int_equal(f.out.count, 6);
	f.groups[0].cuts = 3;
	ask(&f);
	for (size_t i = 0; i < f.out.count; i++)
		assert_int_equal(f.out.items[i].verdict, VERDICT_DENIED);
	/* One server's own storm ends in its quarantine. */
	for (size_t i = 1; i < 6; i++)
		f.nodes[i].alarms = 0;
	f.nodes[0].cuts = 3;
	assert_int_equal(only(&f)->action, RULE_QUARANTINE);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DO);
	decisions_release(&f.out);
}

static void test_one_at_a_time_in_a_rack(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	for (size_t i = 0; i < 4; i++) {
		f.nodes[i].up = 2000;
		f.nodes[i].rack = i < 2 ? "r1" : "r2";
		f.groups[i].policy.rack_pace = 1;
		f.groups[i].policy.minimum = 0;
	}
	f.nodes[3].busy = true;
	f.nodes[3].urgency = URGENCY_NOTIFY;
	ask(&f);
	assert_int_equal(f.out.count, 3);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DO);
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(f.out.items[i].verdict, VERDICT_LATER);
		assert_non_null(strstr(f.out.items[i].reason, "in its rack"));
	}
	decisions_release(&f.out);
}

static void test_last_server_of_a_service_goes_after_a_spare_came(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.groups[0].policy.minimum = 0;
	f.nodes[0].up = 2000;
	assert_int_equal(only(&f)->spare, 4);
	/* Without one, new users wait: nobody promised them a server. */
	f.nodes[4].life = f.nodes[5].life = LIFE_MAINTENANCE;
	assert_int_equal(only(&f)->spare, DECIDE_NOBODY);
	assert_int_equal(f.out.items[0].verdict, VERDICT_DO);
	decisions_release(&f.out);
}

static void test_half_of_the_spares_stay_while_others_are_reimaged(void **state)
{
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[3].group = DECIDE_NOBODY;
	f.nodes[3].life = LIFE_SPARE;
	f.groups[3].policy.minimum = 0;
	for (size_t i = 3; i < 6; i++)
		f.nodes[i].due = 100;
	assert_int_equal(only(&f)->action, RULE_REIMAGE);
	decisions_release(&f.out);
}

static void test_rule_moves_servers_by_the_hour(void **state)
{
	const struct decision *d;
	struct rule_list nights = parse_rules("[{\"rule\": \"nights\", \"when\": [\"os = os1\", \"app = ap1\", \"hour >= 22\"], \"do\": \"move\","
					      " \"to\": \"ap2-os2\"}, {\"rule\": \"else\", \"when\": [\"app = ap1\", \"os = os2\", \"hour >= 22\"], \"do\": \"add\","
					      " \"to\": \"nowhere\"}]");
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.seen.rules = &nights;
	f.nodes[4].group = 0;
	f.nodes[4].life = LIFE_SERVING;
	ask(&f);
	assert_int_equal(f.out.count, 0);
	f.groups[0].hour = 22;
	d = only(&f);
	assert_int_equal(d->action, RULE_MOVE);
	assert_int_equal(d->from, 0);
	assert_int_equal(d->group, 3);
	f.groups[3].policy.maximum = 1;
	assert_int_equal(only(&f)->denial, DENIAL_SLA_MAX);
	f.groups[3].policy.maximum = 0;
	f.nodes[4].life = LIFE_SPARE;
	f.nodes[4].group = DECIDE_NOBODY;
	assert_int_equal(only(&f)->denial, DENIAL_SLA_MIN);
	f.groups[0].hour = 12;
	f.groups[2].hour = 23;
	assert_non_null(strstr(only(&f)->reason, "no group \"nowhere\""));
	decisions_release(&f.out);
	rule_list_release(&nights);
}

static void test_load_of_others_and_of_the_fleet(void **state)
{
	struct facts facts;
	struct fig4 f;

	(void)state;
	draw_fig4(&f);
	f.nodes[0].users = 150;
	f.nodes[0].load = 0.8;
	f.nodes[0].site = "x";
	f.nodes[0].rack = "r1";
	f.groups[0].account = "acme";
	f.groups[0].trend = 0.5;
	assert_int_equal(decide_measure(&f.seen, 0, &facts), 0);
	assert_true(facts.values[MEASURE_FLEET_USERS] == 300 && facts.values[MEASURE_OTHERS_USERS] == 50);
	assert_true(fabs(facts.values[MEASURE_OTHERS_LOAD] - 0.2) < 1e-9 && fabs(facts.values[MEASURE_FLEET_LOAD] - 0.35) < 1e-9);
	assert_true(facts.values[MEASURE_USERS_TREND] == 30 && facts.values[MEASURE_USERS_SOON] == 180 && facts.values[MEASURE_SPARES] == 2);
	assert_string_equal(facts.texts[ATTRIBUTE_OS], "os1");
	assert_string_equal(facts.texts[ATTRIBUTE_ACCOUNT], "acme");
	assert_string_equal(facts.texts[ATTRIBUTE_SITE], "x");
	assert_string_equal(facts.texts[ATTRIBUTE_RACK], "r1");
	assert_int_equal(decide_measure_group(&f.seen, 0, &facts), 0);
	assert_true(isnan(facts.values[MEASURE_UP]) && facts.values[MEASURE_GROUP_USERS] == 150);
	assert_int_equal(decide_measure(&f.seen, 4, &facts), 0);
	assert_true(isnan(facts.values[MEASURE_GROUP_USERS]) && facts.values[MEASURE_FLEET_USERS] == 300);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spare_that_is_on_and_holds_the_images_comes_first),
		cmocka_unit_test(test_spares_wear_evenly_over_twenty_replacements),
		cmocka_unit_test(test_one_spare_replaces_any_system),
		cmocka_unit_test(test_only_servers_of_the_same_segment_are_chosen),
		cmocka_unit_test(test_hint_adds_before_it_comes_true),
		cmocka_unit_test(test_nobody_goes_home_just_before_a_hint_comes_true),
		cmocka_unit_test(test_scarce_spare_goes_to_the_group_under_most_pressure),
		cmocka_unit_test(test_guaranteed_servers_come_before_comfort_of_others),
		cmocka_unit_test(test_storm_of_alarms_stops_the_cuts),
		cmocka_unit_test(test_one_at_a_time_in_a_rack),
		cmocka_unit_test(test_last_server_of_a_service_goes_after_a_spare_came),
		cmocka_unit_test(test_half_of_the_spares_stay_while_others_are_reimaged),
		cmocka_unit_test(test_rule_moves_servers_by_the_hour),
		cmocka_unit_test(test_load_of_others_and_of_the_fleet),
	};

	return run_with_matrix(tests, sizeof tests / sizeof tests[0]);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots as text: nothing is lost, and nothing from outside is believed. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/history.h"
#include "control/snapshot-text.h"

#define FLEETS 2000
#define NODES 12u
#define GROUPS 3u

static uint64_t state = 88172645463325252u;

/* xorshift64: the same fleets each time. */
static unsigned roll(unsigned below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned)(state % below);
}

static double maybe(unsigned below)
{
	return roll(4) ? roll(below) + roll(1000) / 1000.0 : NAN;
}

static void draw_node(struct fleet_snapshot *s, size_t i)
{
	char text[24];

	snprintf(text, sizeof text, "s%zu", i);
	s->nodes[i] = (struct seen_node){ .id = fleet_snapshot_keep(s, text), .name = fleet_snapshot_keep(s, roll(2) ? text : ""),
					  .group = roll(3) ? roll(GROUPS) : DECIDE_NOBODY, .life = (enum life_state)roll(LIFE_STATES), .busy = !roll(5),
					  .goes = !roll(9), .urgency = (enum restart_urgency)roll(4), .taken = !roll(9), .off = !roll(5),
					  .exempt = !roll(9), .up = maybe(5000), .jitter = roll(2) ? 0 : roll(90) / 7.0, .users = maybe(900),
					  .load = maybe(4), .response = maybe(900), .alarms = roll(8) ? 0 : roll(3), .cuts = roll(5), .retries = roll(3),
					  .due = roll(4) ? NAN : (double)roll(5000) - 1000, .uses = roll(4), .release_s = maybe(100),
					  .site = fleet_snapshot_keep(s, roll(2) ? "x" : ""), .rack = fleet_snapshot_keep(s, roll(2) ? "r1" : "r2"),
					  .warm_for = roll(4) ? DECIDE_NOBODY : roll(GROUPS) };
	if (s->nodes[i].life == LIFE_SPARE)
		s->nodes[i].group = DECIDE_NOBODY;
}

static void draw_group(struct fleet_snapshot *s, size_t i)
{
	static const char *const names[] = { "web", "mail", "db" };

	s->groups[i] = (struct seen_group){ .name = fleet_snapshot_keep(s, names[i]), .window_open = roll(2), .failures = roll(3),
					    .returned = 1800000000 - (int)roll(90), .trend = maybe(9), .users_most = maybe(900), .load_most = maybe(3),
					    .start_s = roll(90), .hour = roll(24), .site = "", .os = fleet_snapshot_keep(s, "minimal@3"),
					    .app = fleet_snapshot_keep(s, names[i]), .account = "", .expected_users = maybe(2000),
					    .expected_at = 1800000000 + (int)roll(600), .expected_until = 1800001000, .cuts = roll(4),
					    .policy = { .limits = { [LIMIT_FIRST] = 900, [LIMIT_SECOND] = 1800, [LIMIT_USERS_HIGH] = 400,
								    [LIMIT_USERS_LOW] = 20, [LIMIT_LOAD_HIGH] = 1.5 },
							.grace = 600, .minimum = roll(3), .maximum = roll(2) ? 0 : 2 + roll(4), .pace = 1 + roll(2),
							.pace_share = roll(2) * 0.2, .rack_pace = roll(3), .settle = roll(60), .failures_most = roll(4),
							.priority = roll(4), .place_only = !roll(4) } };
	strcpy(s->groups[i].policy.site, roll(2) ? "x" : "");
	strcpy(s->groups[i].policy.rack, roll(3) ? "" : "r1");
}

static void draw(struct fleet_snapshot *s)
{
	json_t *rules = json_loads(rules_default, 0, NULL);
	char why[ERROR_TEXT];

	assert_int_equal(fleet_snapshot_init(s, NODES, GROUPS, 2, 4096), 0);
	assert_int_equal(rule_list_parse(rules, &s->rules, why), 0);
	json_decref(rules);
	for (size_t i = 0; i < NODES; i++)
		draw_node(s, i);
	for (size_t i = 0; i < GROUPS; i++)
		draw_group(s, i);
	s->cooling[0] = (struct cooling){ .rule = roll(10), .node = roll(NODES), .group = DECIDE_NOBODY, .until = 1800000050 };
	s->cooling[1] = (struct cooling){ .rule = roll(10), .node = DECIDE_NOBODY, .group = roll(GROUPS), .until = 1800000050 };
	s->seen.cooling_count = 2;
	s->seen.now = 1800000000;
	s->seen.spare_ratio = 0.5;
	s->seen.spares_least = 1;
	s->seen.cuts_most = roll(4);
	s->seen.cuts_within = 600;
	s->seen.spare_cuts = roll(3);
}

static json_t *decisions_of(const struct fleet_snapshot *s, size_t *count)
{
	struct decisions out;
	json_t *list;

	assert_int_equal(decide(&s->seen, &out), 0);
	list = decisions_format(&s->seen, &out);
	*count += out.count;
	decisions_release(&out);
	return list;
}

/* Through bytes, as the journal keeps it. */
static void test_what_was_decided_is_decided_again_from_the_text(void **unused)
{
	size_t decided = 0, again = 0;

	(void)unused;
	for (unsigned i = 0; i < FLEETS; i++) {
		struct fleet_snapshot first, second;
		char why[ERROR_TEXT] = "", *text, *other;
		json_t *object, *before, *after;

		draw(&first);
		object = snapshot_format(&first);
		text = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
		json_decref(object);
		object = json_loads(text, 0, NULL);
		if (snapshot_parse(object, &second, why) < 0)
			fail_msg("%s", why);
		json_decref(object);
		object = snapshot_format(&second);
		other = json_dumps(object, JSON_COMPACT | JSON_SORT_KEYS);
		json_decref(object);
		assert_string_equal(text, other);
		before = decisions_of(&first, &decided);
		after = decisions_of(&second, &again);
		assert_true(json_equal(before, after));
		json_decref(before);
		json_decref(after);
		free(text);
		free(other);
		fleet_snapshot_release(&first);
		fleet_snapshot_release(&second);
	}
	printf("%d fleets, %zu decisions\n", FLEETS, decided);
	assert_true(decided > FLEETS);
}

static void refuse(const char *text, const char *part)
{
	json_t *object = json_loads(text, 0, NULL);
	struct fleet_snapshot snapshot;
	char why[ERROR_TEXT] = "";

	assert_non_null(object);
	assert_int_equal(snapshot_parse(object, &snapshot, why), -EINVAL);
	if (!strstr(why, part))
		fail_msg("\"%s\" isn't in: %s", part, why);
	json_decref(object);
}

#define REST "\"cooling\":[],\"rules\":[]}"
static void test_what_points_outside_is_refused(void **unused)
{
	(void)unused;
	refuse("{}", "format");
	refuse("{\"format\":1,\"nodes\":{},\"groups\":[]," REST, "lists");
	refuse("{\"format\":1,\"nodes\":[3],\"groups\":[]," REST, "nodes");
	refuse("{\"format\":1,\"nodes\":[{\"id\":\"a\",\"life\":\"serving\",\"group\":0}],\"groups\":[]," REST, "\"group\"");
	refuse("{\"format\":1,\"nodes\":[{\"id\":\"a\",\"life\":\"serving\",\"group\":-1}],\"groups\":[{\"name\":\"g\"}]," REST, "\"group\"");
	refuse("{\"format\":1,\"nodes\":[{\"id\":\"a\",\"life\":\"serving\",\"warm_for\":1}],\"groups\":[{\"name\":\"g\"}]," REST, "warm_for");
	refuse("{\"format\":1,\"nodes\":[{\"id\":\"a\",\"life\":\"dead\"}],\"groups\":[]," REST, "\"life\"");
	refuse("{\"format\":1,\"nodes\":[{\"id\":\"a\\u001b\",\"life\":\"serving\"}],\"groups\":[]," REST, "\"id\"");
	refuse("{\"format\":1,\"nodes\":[{\"id\":\"a\",\"life\":\"serving\",\"users\":1e99}],\"groups\":[]," REST, "\"users\"");
	refuse("{\"format\":1,\"nodes\":[{\"id\":\"a\",\"life\":\"serving\",\"alarms\":4294967296}],\"groups\":[]," REST, "\"alarms\"");
	refuse("{\"format\":1,\"nodes\":[],\"groups\":[{\"name\":\"g\",\"window_open\":1}]," REST, "window_open");
	refuse("{\"format\":1,\"nodes\":[],\"groups\":[],\"cooling\":[{\"rule\":0}],\"rules\":[]}", "\"rule\"");
	refuse("{\"format\":1,\"nodes\":[],\"groups\":[],\"cooling\":[],\"rules\":[{}]}", "rule 1");
}

static void test_a_text_that_is_too_long_is_refused(void **unused)
{
	char text[600], name[SNAPSHOT_TEXT_MOST + 2];

	(void)unused;
	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	snprintf(text, sizeof text, "{\"format\":1,\"nodes\":[{\"id\":\"%s\",\"life\":\"serving\"}],\"groups\":[]," REST, name);
	refuse(text, "\"id\"");
}

static void test_history_survives_the_store(void **unused)
{
	struct history history = { 0 }, again;
	json_t *text;

	(void)unused;
	history.uses = 7;
	history.retries = 1;
	strcpy(history.failed, "web");
	text = history_format(&history);
	assert_int_equal(history_parse(text, &again), 0);
	assert_memory_equal(&history, &again, sizeof history);
	json_object_set_new(text, "uses", json_integer(-1));
	assert_int_equal(history_parse(text, &again), -EINVAL);
	json_decref(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_decided_is_decided_again_from_the_text),
		cmocka_unit_test(test_what_points_outside_is_refused),
		cmocka_unit_test(test_a_text_that_is_too_long_is_refused),
		cmocka_unit_test(test_history_survives_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

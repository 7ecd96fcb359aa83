// SPDX-License-Identifier: GPL-2.0-or-later
/* Decisions about any fleet: what must hold of all of them, over random ones, and that fleets left alone become quiet. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/test/decide-fleet.h"

#define FLEETS 20000
#define SEED 20261122u
#define NODES_MOST 40
#define GROUPS_MOST_HERE 6
#define REPLAYS 300
#define ROUNDS 600
#define QUIET_ROUNDS 60          /* at the end: longer than any cool-down of the matrix */
#define ROUND_SECONDS 60

struct any {
	struct seen_group groups[GROUPS_MOST_HERE];
	struct seen_node nodes[NODES_MOST];
	struct snapshot seen;
	struct cooling cooling[512];
	double carried[GROUPS_MOST_HERE], arrives[NODES_MOST];
};

static uint64_t random_state;

static unsigned below(unsigned limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % limit;
}

static double unknown_or(double value)
{
	return below(8) ? value : NAN;
}

static void draw_group(struct seen_group *g)
{
	static const char *const names[] = { "web", "shop" };

	*g = (struct seen_group){ .name = names[below(2)], .policy = reference, .window_open = below(2), .failures = below(3), .returned = NOW - below(100),
				  .trend = unknown_or((double)below(20) - 10), .users_most = below(500), .start_s = below(100), .hour = below(24),
				  .site = below(2) ? "a" : "", .os = "os1@2", .expected_users = below(900), .cuts = below(4) };
	g->expected_at = below(2) ? 0 : NOW + (int64_t)below(300) - 100;
	g->expected_until = g->expected_at ? g->expected_at + below(300) : 0;
	g->policy.minimum = below(5);
	g->policy.maximum = below(2) ? 0 : g->policy.minimum + below(4);
	g->policy.pace = below(3);
	g->policy.rack_pace = below(3);
	g->policy.priority = below(3);
	g->policy.limits[LIMIT_LOAD_HIGH] = below(2) ? 1.5 : 0;
	g->policy.limits[LIMIT_LOAD_LOW] = below(2) ? 0.4 : 0;
	g->policy.limits[LIMIT_RESPONSE_HIGH] = below(2) ? 2000 : 0;
	g->policy.settle = below(50);
	g->policy.failures_most = below(3);
	strcpy(g->policy.site, below(3) ? "" : "b");
	strcpy(g->policy.rack, below(4) ? "" : "r1");
	g->policy.place_only = !below(3);
}

static void draw_node(struct seen_node *n, unsigned groups)
{
	static const char *const racks[] = { "", "r1", "r2", "r3" };

	*n = (struct seen_node){ .id = "n", .name = "", .group = groups && below(4) ? below(groups) : DECIDE_NOBODY, .life = (enum life_state)below(LIFE_STATES),
				 .busy = !below(4), .goes = !below(3), .urgency = (enum restart_urgency)below(4), .exempt = !below(10), .off = !below(3),
				 .up = unknown_or(below(3000)), .jitter = below(100), .users = unknown_or(below(3) ? below(900) : 0), .load = unknown_or(below(3)),
				 .response = unknown_or(below(3000)), .alarms = !below(12), .cuts = below(5), .retries = below(2),
				 .due = below(3) ? NAN : (double)below(2000) - 100, .uses = below(9), .release_s = unknown_or(below(999)),
				 .site = below(2) ? "a" : "b", .rack = racks[below(4)], .warm_for = below(2) && groups ? below(groups) : DECIDE_NOBODY };
	/* A spare has no group. */
	if (n->life == LIFE_SPARE)
		n->group = DECIDE_NOBODY;
}

static void draw_any(struct any *f, const struct rule_list *rules)
{
	unsigned groups = below(GROUPS_MOST_HERE + 1), nodes = below(NODES_MOST + 1);

	memset(f, 0, sizeof *f);
	for (unsigned i = 0; i < groups; i++)
		draw_group(&f->groups[i]);
	for (unsigned i = 0; i < nodes; i++)
		draw_node(&f->nodes[i], groups);
	f->seen = (struct snapshot){ .now = NOW, .nodes = f->nodes, .node_count = nodes, .groups = f->groups, .group_count = groups, .rules = rules,
				     .cooling = f->cooling, .spare_ratio = 0.5, .cuts_most = below(4), .cuts_within = 600, .spare_cuts = below(3) };
}

/* ------------------------------------------------------------------ what must hold */

static bool is_ready(const struct seen_node *n)
{
	return n->life == LIFE_SERVING && !n->busy;
}

/* No node twice, whether it is whom a decision is about or the spare of one; rules in their order. */
static void check_form(const struct any *f, const struct decisions *out)
{
	unsigned seen[NODES_MOST] = { 0 };

	assert_true(out->count <= f->seen.node_count + f->seen.group_count * f->seen.rules->count);
	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];

		if (d->node != DECIDE_NOBODY)
			assert_int_equal(seen[d->node]++, 0);
		if (d->spare != DECIDE_NOBODY)
			assert_int_equal(seen[d->spare]++, 0);
		assert_true(d->node < f->seen.node_count || d->node == DECIDE_NOBODY);
		assert_true(d->reason[0] && memchr(d->reason, '\0', sizeof d->reason));
		assert_true((d->verdict == VERDICT_DENIED) == (d->denial != DENIAL_NONE));
		assert_true(d->moves == (d->action == RULE_MOVE && d->verdict == VERDICT_DO));
		if (d->moves)
			assert_true(d->from == f->nodes[d->node].group && d->from != d->group);
		assert_true(i == 0 || out->items[i - 1].rule <= d->rule);
	}
}

/* A decision that takes a ready server of the group away for a plan's sake. */
static bool takes(const struct any *f, const struct decision *d, size_t group)
{
	return d->verdict == VERDICT_DO && d->node != DECIDE_NOBODY && f->nodes[d->node].group == group && is_ready(&f->nodes[d->node]) &&
	       d->action != RULE_CUT && d->action != RULE_QUARANTINE;
}

/* Plans never take a group below its minimum, but by a hard rule that says so; nor beyond its pace. */
static void check_minimum_and_pace(const struct any *f, const struct decisions *out, size_t group)
{
	size_t ready = 0, leave = 0, planned = 0, busy = 0, alone = 0;
	const struct policy *policy = &f->groups[group].policy;

	for (size_t i = 0; i < f->seen.node_count; i++) {
		busy += f->nodes[i].group == group && f->nodes[i].busy && !f->nodes[i].goes;
		ready += f->nodes[i].group == group && is_ready(&f->nodes[i]);
	}
	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		bool ours = d->node != DECIDE_NOBODY && f->nodes[d->node].group == group && is_ready(&f->nodes[d->node]);

		ready -= ours && d->verdict == VERDICT_DO && (d->action == RULE_CUT || d->action == RULE_QUARANTINE);
		if (!takes(f, d, group))
			continue;
		planned += d->action == RULE_REIMAGE;
		leave += d->spare == DECIDE_NOBODY;
		if (strstr(d->reason, "falls below its minimum")) {
			assert_true(f->seen.rules->items[d->rule].hard);
			alone++;
		}
	}
	if (planned)
		assert_true(busy + planned <= (policy->pace ? policy->pace : 1));
	if (leave && !alone)
		assert_true(ready >= leave + policy->minimum);
}

static void check_racks(const struct any *f, const struct decisions *out)
{
	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		const struct seen_node *n = d->node == DECIDE_NOBODY ? NULL : &f->nodes[d->node];
		size_t there = 0;

		if (!n || d->action != RULE_REIMAGE || d->verdict != VERDICT_DO || !n->rack[0] || n->group == DECIDE_NOBODY ||
		    !f->groups[n->group].policy.rack_pace)
			continue;
		for (size_t j = 0; j < f->seen.node_count; j++)
			there += !strcmp(f->nodes[j].rack, n->rack) && f->nodes[j].busy && !f->nodes[j].goes;
		for (size_t j = 0; j <= i; j++)
			there += out->items[j].action == RULE_REIMAGE && out->items[j].verdict == VERDICT_DO && !strcmp(f->nodes[out->items[j].node].rack, n->rack);
		assert_true(there <= f->groups[n->group].policy.rack_pace);
	}
}

static bool fits(const struct any *f, size_t node, size_t group)
{
	const struct policy *p = &f->groups[group].policy;

	return !p->place_only || ((!p->site[0] || !strcmp(p->site, f->nodes[node].site)) && (!p->rack[0] || !strcmp(p->rack, f->nodes[node].rack)));
}

static bool used(const struct decisions *out, size_t node)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].node == node || out->items[i].spare == node)
			return true;
	return false;
}

/* The last server of a service doesn't go while a spare could come first, nor into another group while somebody uses it. */
static void check_last(const struct any *f, const struct decisions *out, size_t group)
{
	size_t stay = 0;
	const struct decision *last = NULL;

	for (size_t i = 0; i < f->seen.node_count; i++)
		stay += f->nodes[i].group == group && is_ready(&f->nodes[i]);
	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		bool ours = d->node != DECIDE_NOBODY && f->nodes[d->node].group == group && is_ready(&f->nodes[d->node]) && d->verdict == VERDICT_DO;

		stay -= ours;
		if (takes(f, d, group))
			last = d;
	}
	if (stay || !last || last->spare != DECIDE_NOBODY)
		return;
	assert_true(last->action != RULE_REMOVE);
	assert_true(last->action != RULE_MOVE || f->nodes[last->node].users == 0);
	for (size_t i = 0; last->action == RULE_REIMAGE && i < f->seen.node_count; i++) {
		const struct seen_node *n = &f->nodes[i];

		assert_false(n->life == LIFE_SPARE && !n->busy && !n->alarms && !used(out, i) && fits(f, i, group));
	}
}

static bool counts(const struct seen_node *n)
{
	if (n->life == LIFE_SERVING)
		return !n->busy || !n->goes;
	return n->life == LIFE_ENROLLED || n->life == LIFE_BOOTING || n->life == LIFE_REBOOTING || n->life == LIFE_SUSPECT ||
	       (n->life == LIFE_DRAINING && n->busy && !n->goes);
}

static void check_maximum(const struct any *f, const struct decisions *out, size_t group)
{
	size_t added = 0, servers = 0;

	for (size_t i = 0; i < f->seen.node_count; i++)
		servers += f->nodes[i].group == group && counts(&f->nodes[i]);
	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		bool gone = d->node != DECIDE_NOBODY && f->nodes[d->node].group == group && counts(&f->nodes[d->node]);

		servers -= gone && d->verdict == VERDICT_DO && (d->action == RULE_CUT || d->action == RULE_QUARANTINE);
		if ((d->action == RULE_ADD || d->action == RULE_MOVE) && d->verdict == VERDICT_DO && d->group == group) {
			added++;
			assert_true(fits(f, d->node, group));
		}
	}
	if (added && f->groups[group].policy.maximum)
		assert_true(servers + added <= f->groups[group].policy.maximum);
	/* One group doesn't give a server away and ask for one. */
	for (size_t i = 0; added && i < out->count; i++)
		if (out->items[i].verdict == VERDICT_DO && (out->items[i].moves || out->items[i].action == RULE_REMOVE))
			assert_true(f->nodes[out->items[i].node].group != group);
}

static void check_people(const struct any *f, const struct decisions *out)
{
	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		const struct seen_node *n = d->node == DECIDE_NOBODY ? NULL : &f->nodes[d->node];

		if (!n || d->verdict == VERDICT_DENIED)
			continue;
		/* What a person set aside stays there, and exceptions hold against plans. */
		assert_true(n->life != LIFE_QUARANTINED && n->life != LIFE_MAINTENANCE);
		if (d->action == RULE_REIMAGE || d->action == RULE_REMOVE || d->action == RULE_MOVE)
			assert_false(n->exempt);
		if (d->verdict == VERDICT_DO && d->action != RULE_CUT && d->action != RULE_QUARANTINE)
			assert_false(n->busy);
		if (d->verdict == VERDICT_HURRY)
			assert_true(n->busy && d->urgency > n->urgency);
	}
}

static void check_storm(const struct any *f, const struct decisions *out, size_t group)
{
	unsigned cuts = group == DECIDE_NOBODY ? f->seen.spare_cuts : f->groups[group].cuts, most = f->seen.cuts_most;

	for (size_t i = 0; i < out->count && most; i++) {
		const struct decision *d = &out->items[i];

		if (d->node == DECIDE_NOBODY || f->nodes[d->node].group != group || (d->action != RULE_CUT && d->action != RULE_QUARANTINE))
			continue;
		if (d->verdict == VERDICT_DO)
			assert_true(cuts++ < most || (d->action == RULE_QUARANTINE && f->nodes[d->node].cuts >= cuts - 1));
		else
			assert_true(cuts >= most && d->denial == DENIAL_SECURITY);
	}
}

static void check_all(const struct any *f, const struct decisions *out)
{
	check_form(f, out);
	check_people(f, out);
	check_racks(f, out);
	check_storm(f, out, DECIDE_NOBODY);
	for (size_t g = 0; g < f->seen.group_count; g++) {
		check_minimum_and_pace(f, out, g);
		check_maximum(f, out, g);
		check_last(f, out, g);
		check_storm(f, out, g);
	}
}

static void try_fleets(const struct rule_list *rules, const char *what)
{
	size_t decided = 0, by_verdict[4] = { 0 };
	static struct any f;

	random_state = SEED;
	for (int i = 0; i < FLEETS; i++) {
		struct decisions out, again;

		draw_any(&f, rules);
		assert_int_equal(decide(&f.seen, &out), 0);
		assert_int_equal(decide(&f.seen, &again), 0);
		assert_int_equal(out.count, again.count);
		for (size_t j = 0; j < out.count; j++)
			assert_memory_equal(&out.items[j], &again.items[j], sizeof out.items[j]);
		check_all(&f, &out);
		decided += out.count;
		for (size_t j = 0; j < out.count; j++)
			by_verdict[out.items[j].verdict]++;
		decisions_release(&out);
		decisions_release(&again);
	}
	print_message("%s, seed %u: %d fleets, %zu decisions: %zu do, %zu hurry, %zu later, %zu denied\n", what, SEED, FLEETS, decided,
		      by_verdict[VERDICT_DO], by_verdict[VERDICT_HURRY], by_verdict[VERDICT_LATER], by_verdict[VERDICT_DENIED]);
}

static void test_any_fleet_under_the_shipped_matrix(void **state)
{
	(void)state;
	try_fleets(&matrix, "shipped matrix");
}

static void test_any_fleet_under_rules_that_move(void **state)
{
	struct rule_list rules = parse_rules("[{\"rule\": \"a\", \"when\": [\"alarms > 0\"], \"do\": \"cut\"}, {\"rule\": \"b\", \"when\": [\"hour >= 12\", \"group = web\"],"
					     " \"do\": \"move\", \"to\": \"shop\"}, {\"rule\": \"c\", \"when\": [\"others_load > 1\"], \"do\": \"add\", \"to\": \"web\"},"
					     " {\"rule\": \"d\", \"when\": [\"users_most < 200\"], \"do\": \"remove\"}, {\"rule\": \"e\", \"when\": [\"rack != r1\", \"due > 0s\"],"
					     " \"do\": \"reimage\", \"urgency\": \"handover\"}, {\"rule\": \"f\", \"when\": [\"missing > 0\"], \"do\": \"add\"}]");

	(void)state;
	try_fleets(&rules, "rules that move");
	rule_list_release(&rules);
}

/* ------------------------------------------------------------------ nothing wrong */

static void test_fleets_in_which_nothing_is_wrong_are_left_alone(void **state)
{
	static struct any f;

	(void)state;
	random_state = SEED;
	for (int i = 0; i < FLEETS; i++) {
		struct decisions out;

		draw_any(&f, &matrix);
		for (size_t g = 0; g < f.seen.group_count; g++) {
			f.groups[g].policy.minimum = 0;
			f.groups[g].policy.limits[LIMIT_LOAD_LOW] = 0;
			f.groups[g].trend = 0;
			f.groups[g].expected_until = 0;
		}
		for (size_t n = 0; n < f.seen.node_count; n++) {
			struct seen_node *node = &f.nodes[n];

			if (node->life == LIFE_FAILED)
				node->life = LIFE_MAINTENANCE;
			node->alarms = 0;
			node->due = NAN;
			node->up = fmin(node->up, 899 - node->jitter);
			node->users = 20 + below(381);
			node->load = fmin(node->load, 1.5);
			node->response = fmin(node->response, 2000);
		}
		/* Users of those who are on their way somewhere else would be too many for the others. */
		for (size_t n = 0; n < f.seen.node_count; n++)
			if (!counts(&f.nodes[n]))
				f.nodes[n].users = 0;
		assert_int_equal(decide(&f.seen, &out), 0);
		if (out.count)
			fail_msg("fleet %d: %s", i, out.items[0].reason);
		decisions_release(&out);
	}
	print_message("seed %u: %d fleets, no decision\n", SEED, FLEETS);
}

/* ------------------------------------------------------------------ replays */

static void boot(struct any *f, size_t node, size_t group, double seconds)
{
	struct seen_node *n = &f->nodes[node];

	n->group = group;
	n->life = LIFE_BOOTING;
	n->busy = true;
	n->goes = false;
	f->arrives[node] = seconds;
	n->alarms = 0;
	n->users = 0;
}

static void carry_out(struct any *f, const struct decision *d)
{
	const struct rule *rule = &f->seen.rules->items[d->rule];

	if (d->verdict != VERDICT_DO)
		return;
	if (rule->cool_down && f->seen.cooling_count < 512)
		f->cooling[f->seen.cooling_count++] = (struct cooling){ d->rule, rule_is_for_nodes(rule) ? d->node : DECIDE_NOBODY,
									 rule_is_for_nodes(rule) ? DECIDE_NOBODY : d->group, f->seen.now + rule->cool_down };
	if (d->spare != DECIDE_NOBODY)
		boot(f, d->spare, f->nodes[d->node].group, 60);
	if (d->action == RULE_QUARANTINE)
		f->nodes[d->node].life = LIFE_QUARANTINED;
	else if (d->action == RULE_REPLACE && d->spare != DECIDE_NOBODY)
		f->nodes[d->node].life = LIFE_MAINTENANCE;
	else
		boot(f, d->node, d->action == RULE_ADD || d->action == RULE_MOVE ? d->group : d->action == RULE_REMOVE ? DECIDE_NOBODY : f->nodes[d->node].group, 60);
}

/* As many users as at first, spread evenly over those who serve; what was booting comes to serve. */
static void live_on(struct any *f)
{
	f->seen.now += ROUND_SECONDS;
	for (size_t i = 0; i < f->seen.node_count; i++) {
		struct seen_node *n = &f->nodes[i];

		if (n->life == LIFE_BOOTING && (f->arrives[i] -= ROUND_SECONDS) <= 0) {
			n->life = n->group == DECIDE_NOBODY ? LIFE_SPARE : LIFE_SERVING;
			n->busy = false;
		}
	}
	for (size_t g = 0; g < f->seen.group_count; g++) {
		size_t ready = 0;

		for (size_t i = 0; i < f->seen.node_count; i++)
			ready += f->nodes[i].group == g && is_ready(&f->nodes[i]);
		for (size_t i = 0; i < f->seen.node_count; i++)
			if (f->nodes[i].group == g) {
				f->nodes[i].users = is_ready(&f->nodes[i]) ? f->carried[g] / (double)ready : 0;
				f->nodes[i].load = f->nodes[i].users / 300;
				f->nodes[i].response = 10 + f->nodes[i].users;
			}
	}
}

static void draw_calm(struct any *f)
{
	draw_any(f, &matrix);
	f->seen.cuts_most = 0;
	for (size_t g = 0; g < f->seen.group_count; g++) {
		f->groups[g].policy.limits[LIMIT_FIRST] = f->groups[g].policy.limits[LIMIT_SECOND] = 0;
		f->groups[g].policy.limits[LIMIT_USERS_LOW] = 40 * (1 + below(5));
		f->groups[g].trend = 0;
		f->groups[g].users_most = 0;
		f->carried[g] = below(3000);
		f->groups[g].policy.maximum = 0;
	}
	for (size_t i = 0; i < f->seen.node_count; i++) {
		struct seen_node *n = &f->nodes[i];

		n->due = NAN;
		n->busy = false;
		n->life = n->group == DECIDE_NOBODY ? LIFE_SPARE : LIFE_SERVING;
	}
}

/* Whoever went doesn't come back: with the same users for ten hours, the last of them is still. */
static void test_fleets_left_alone_become_quiet(void **state)
{
	static struct any f;
	size_t done = 0, last = 0;

	(void)state;
	random_state = SEED;
	for (int i = 0; i < REPLAYS; i++) {
		draw_calm(&f);
		for (int round = 0; round < ROUNDS; round++) {
			struct decisions out;

			live_on(&f);
			assert_int_equal(decide(&f.seen, &out), 0);
			check_form(&f, &out);
			for (size_t j = 0; j < out.count; j++) {
				if (out.items[j].verdict == VERDICT_DO) {
					if (round >= ROUNDS - QUIET_ROUNDS)
						fail_msg("fleet %d, round %d: %s: %s", i, round, rule_action_name(out.items[j].action), out.items[j].reason);
					done++;
					last = (size_t)round > last ? (size_t)round : last;
				}
				carry_out(&f, &out.items[j]);
			}
			decisions_release(&out);
		}
	}
	print_message("seed %u: %d fleets for ten hours each, %zu decisions, the last after %zu s\n", SEED, REPLAYS, done, last * ROUND_SECONDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_fleet_under_the_shipped_matrix),
		cmocka_unit_test(test_any_fleet_under_rules_that_move),
		cmocka_unit_test(test_fleets_in_which_nothing_is_wrong_are_left_alone),
		cmocka_unit_test(test_fleets_left_alone_become_quiet),
	};

	return run_with_matrix(tests, sizeof tests / sizeof tests[0]);
}

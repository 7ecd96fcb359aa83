// SPDX-License-Identifier: GPL-2.0-or-later
/* The rule matrix: what is refused, and a table with the cases in which each shipped rule fires and doesn't. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/test/decide-fleet.h"

/* ------------------------------------------------------------------ rules */

static void refuse(const char *text, const char *part)
{
	json_t *list = json_loads(text, 0, NULL);
	struct rule_list rules;
	char why[ERROR_TEXT] = "";

	assert_non_null(list);
	assert_int_equal(rule_list_parse(list, &rules, why), -EINVAL);
	if (!strstr(why, part))
		fail_msg("\"%s\" isn't in: %s", part, why);
	json_decref(list);
}

static void test_bad_rules_are_refused_with_their_name(void **state)
{
	(void)state;
	refuse("{}", "list");
	refuse("[{\"when\": [\"users > 1\"], \"do\": \"add\"}]", "rule 1");
	refuse("[{\"rule\": \"x\", \"when\": [], \"do\": \"cut\"}]", "\"x\"");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > 1\"], \"do\": \"explode\"}]", "\"do\"");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > 1\"], \"do\": \"add\"}]", "one server");
	refuse("[{\"rule\": \"x\", \"when\": [\"userz > 1\"], \"do\": \"cut\"}]", "userz");
	refuse("[{\"rule\": \"x\", \"when\": [\"users >> 1\"], \"do\": \"cut\"}]", "compared by");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > 1m\"], \"do\": \"cut\"}]", "a number");
	refuse("[{\"rule\": \"x\", \"when\": [\"age > 10\"], \"do\": \"cut\"}]", "s, m, h or d");
	refuse("[{\"rule\": \"x\", \"when\": [\"age > users_high\"], \"do\": \"cut\"}]", "different things");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > inf\"], \"do\": \"cut\"}]", "a number");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > 1 2\"], \"do\": \"cut\"}]", "MEASURE OPERATOR VALUE");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > 1\"], \"do\": \"cut\", \"cool_down\": 5}]", "cool_down");
	refuse("[{\"rule\": \"x\", \"when\": [\"group > web\"], \"do\": \"cut\"}]", "by = or !=");
	refuse("[{\"rule\": \"x\", \"when\": [\"rack = r1\"], \"do\": \"add\"}]", "one server");
	refuse("[{\"rule\": \"x\", \"when\": [\"users != 1\"], \"do\": \"cut\"}]", "compared by");
	refuse("[{\"rule\": \"x\", \"when\": [\"hour >= 22\"], \"do\": \"move\"}]", "needs \"to\"");
	refuse("[{\"rule\": \"x\", \"when\": [\"hour >= 22\"], \"do\": \"remove\", \"to\": \"web\"}]", "\"add\" and \"move\"");
	refuse("[{\"rule\": \"x\", \"when\": [\"hour >= 22\"], \"do\": \"move\", \"to\": \"No Group\"}]", "name of a group");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > 1\"], \"do\": \"cut\", \"colour\": 5}]", "colour");
	refuse("[{\"rule\": \"x\", \"when\": [\"users > 1\"], \"do\": \"cut\"}, {\"rule\": \"x\", \"when\": [\"users > 1\"], \"do\": \"cut\"}]", "rule 2");
}

/* ------------------------------------------------------------------ names */

static void test_conditions_over_names(void **state)
{
	static const struct {
		const char *condition, *os, *site;
		bool holds;
	} cases[] = {
		{ "os = minimal", "minimal", "", true }, { "os = minimal", "minimal@3", "", true }, { "os = minimal@3", "minimal@3", "", true },
		{ "os = minimal@3", "minimal@31", "", false }, { "os = mini", "minimal", "", false }, { "os != minimal", "minimal@3", "", false },
		{ "os != debian", "minimal@3", "", true }, { "site = none", "", "", true }, { "site = none", "", NULL, true },
		{ "site != none", "", "berlin", true }, { "site = berlin", "", "berlin", true }, { "site = berlin", "", NULL, false },
	};
	static const double limits[LIMITS];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct facts facts = { .texts = { [ATTRIBUTE_OS] = cases[i].os, [ATTRIBUTE_SITE] = cases[i].site } };
		struct rule rule = { .conditions = 1 };
		char why[ERROR_TEXT];

		assert_int_equal(condition_parse(cases[i].condition, &rule.when[0], why), 0);
		if (rule_holds(&rule, &facts, limits) != cases[i].holds)
			fail_msg("%s with %s", cases[i].condition, cases[i].os);
		rule_explain(&rule, &facts, limits, why);
		assert_non_null(strstr(why, " is "));
	}
}

/* ------------------------------------------------------------------ each rule of the shipped matrix */

enum knob { UP, USERS, ALARMS, CUTS, LIFE, RETRIES, DUE, LOAD, RESPONSE, GROUP, BUSY, OFFSET_OF_GROUPS,
	    TREND = OFFSET_OF_GROUPS, USERS_MOST, LOAD_MOST, MINIMUM, MAXIMUM, LOAD_HIGH, LOAD_LOW, RESPONSE_HIGH, NO_USERS_LOW, WINDOW_SHUT };

/* A quiet figure 4 with up to five changes: of node or group `of`. */
struct change {
	enum knob knob;
	size_t of;
	double value;
};

#define CHANGES 5
#define NO_SPARE { LIFE, 4, LIFE_MAINTENANCE }, { LIFE, 5, LIFE_MAINTENANCE }
#define SECOND_SERVER { GROUP, 4, 1 }, { LIFE, 4, LIFE_SERVING }

static const struct row {
	const char *rule;
	struct change changes[CHANGES];
	bool fires;
	enum verdict verdict;
	enum denial denial;
	size_t node;
} rows[] = {
	{ "alarm, again", { { ALARMS, 0, 1 }, { CUTS, 0, 3 } }, true, VERDICT_DO, DENIAL_NONE, 0 },
	{ "alarm, again", { { ALARMS, 0, 1 }, { CUTS, 0, 2 } }, false, 0, 0, 0 },
	{ "alarm", { { ALARMS, 0, 1 } }, true, VERDICT_DO, DENIAL_NONE, 0 },
	{ "alarm", { { ALARMS, 0, 1 }, { BUSY, 0, 1 }, { WINDOW_SHUT, 0, 0 } }, true, VERDICT_DO, DENIAL_NONE, 0 },
	{ "alarm", { { ALARMS, 0, 0 } }, false, 0, 0, 0 },
	{ "alarm", { { ALARMS, 0, 1 }, { LIFE, 0, LIFE_QUARANTINED } }, false, 0, 0, 0 },
	{ "failed", { { LIFE, 2, LIFE_FAILED } }, true, VERDICT_DO, DENIAL_NONE, 2 },
	{ "failed", { { LIFE, 2, LIFE_SUSPECT } }, false, 0, 0, 0 },
	{ "failed", { { LIFE, 2, LIFE_FAILED }, { RETRIES, 2, 1 }, NO_SPARE }, true, VERDICT_DENIED, DENIAL_NO_RESOURCE, 2 },
	{ "failed, no work", { { LIFE, 5, LIFE_FAILED } }, true, VERDICT_DO, DENIAL_NONE, 5 },
	{ "failed, no work", { { LIFE, 5, LIFE_FAILED }, { RETRIES, 5, 1 } }, false, 0, 0, 0 },
	{ "below minimum", { { MINIMUM, 0, 2 } }, true, VERDICT_DO, DENIAL_NONE, 4 },
	{ "below minimum", { { MINIMUM, 0, 2 }, NO_SPARE }, true, VERDICT_DENIED, DENIAL_NO_RESOURCE, DECIDE_NOBODY },
	{ "below minimum", { { MINIMUM, 0, 1 } }, false, 0, 0, 0 },
	{ "deadline", { { DUE, 1, 0 }, { WINDOW_SHUT, 1, 0 } }, true, VERDICT_DO, DENIAL_NONE, 1 },
	{ "deadline", { { DUE, 1, 1 } }, false, 0, 0, 0 },
	{ "old", { { UP, 3, 1800 }, { WINDOW_SHUT, 3, 0 } }, true, VERDICT_DO, DENIAL_NONE, 3 },
	{ "old", { { UP, 3, 1799 } }, false, 0, 0, 0 },
	{ "campaign", { { DUE, 1, 1 } }, true, VERDICT_DO, DENIAL_NONE, 1 },
	{ "campaign", { { DUE, 1, 1 }, { WINDOW_SHUT, 1, 0 } }, true, VERDICT_LATER, DENIAL_NONE, 1 },
	{ "campaign", { { DUE, 1, NAN } }, false, 0, 0, 0 },
	{ "trend", { { USERS, 1, 300 }, { TREND, 1, 1.7 } }, true, VERDICT_DO, DENIAL_NONE, 4 },
	{ "trend", { { USERS, 1, 300 }, { TREND, 1, 1.6 } }, false, 0, 0, 0 },
	{ "peak", { { USERS, 1, 401 } }, true, VERDICT_DO, DENIAL_NONE, 4 },
	{ "peak", { { USERS, 1, 400 } }, false, 0, 0, 0 },
	{ "peak", { { USERS, 1, 401 }, { MAXIMUM, 1, 1 } }, true, VERDICT_DENIED, DENIAL_SLA_MAX, DECIDE_NOBODY },
	{ "peak", { { USERS, 1, 401 }, NO_SPARE }, true, VERDICT_DENIED, DENIAL_NO_RESOURCE, DECIDE_NOBODY },
	{ "load", { { LOAD_HIGH, 1, 1.5 }, { LOAD, 1, 1.6 } }, true, VERDICT_DO, DENIAL_NONE, 4 },
	{ "load", { { LOAD_HIGH, 1, 1.5 }, { LOAD, 1, 1.5 } }, false, 0, 0, 0 },
	{ "load", { { LOAD_HIGH, 1, 1.5 }, { LOAD, 1, NAN } }, false, 0, 0, 0 },
	{ "slow", { { RESPONSE_HIGH, 1, 500 }, { RESPONSE, 1, 2000 } }, true, VERDICT_DO, DENIAL_NONE, 4 },
	{ "slow", { { RESPONSE_HIGH, 1, 500 }, { RESPONSE, 1, 500 } }, false, 0, 0, 0 },
	{ "lull", { SECOND_SERVER, { USERS, 1, 9 }, { USERS, 4, 3 } }, true, VERDICT_DO, DENIAL_NONE, 4 },
	{ "lull", { SECOND_SERVER, { USERS, 1, 9 }, { USERS, 4, 3 }, { USERS_MOST, 1, 40 } }, false, 0, 0, 0 },
	{ "lull", { { USERS, 1, 9 } }, true, VERDICT_DENIED, DENIAL_SLA_MIN, DECIDE_NOBODY },
	{ "lull", { { USERS, 1, 20 } }, false, 0, 0, 0 },
	{ "idle", { SECOND_SERVER, { LOAD_LOW, 1, 0.3 }, { NO_USERS_LOW, 1, 0 } }, true, VERDICT_DO, DENIAL_NONE, 1 },
	{ "idle", { SECOND_SERVER, { LOAD_LOW, 1, 0.3 }, { NO_USERS_LOW, 1, 0 }, { LOAD_MOST, 1, 0.3 } }, false, 0, 0, 0 },
	{ "due", { { UP, 0, 900 }, { USERS, 0, 0 }, { NO_USERS_LOW, 0, 0 } }, true, VERDICT_DO, DENIAL_NONE, 0 },
	{ "due", { { UP, 0, 900 }, { USERS, 0, 1 } }, false, 0, 0, 0 },
	{ "due", { { UP, 0, 899 }, { USERS, 0, 0 }, { NO_USERS_LOW, 0, 0 } }, false, 0, 0, 0 },
};

static void turn_node(struct seen_node *n, enum knob knob, double value)
{
	switch (knob) {
	case UP: n->up = value; break;
	case USERS: n->users = value; break;
	case ALARMS: n->alarms = (unsigned)value; break;
	case CUTS: n->cuts = (unsigned)value; break;
	case LIFE: n->life = (enum life_state)value; break;
	case RETRIES: n->retries = (unsigned)value; break;
	case DUE: n->due = value; break;
	case LOAD: n->load = value; break;
	case RESPONSE: n->response = value; break;
	case GROUP: n->group = (size_t)value; break;
	case BUSY: n->busy = true; break;
	default: fail_msg("knob %d", knob);
	}
}

static void turn_group(struct seen_group *g, enum knob knob, double value)
{
	double *limits = g->policy.limits;

	switch (knob) {
	case TREND: g->trend = value; break;
	case USERS_MOST: g->users_most = value; break;
	case LOAD_MOST: g->load_most = value; break;
	case MINIMUM: g->policy.minimum = (unsigned)value; break;
	case MAXIMUM: g->policy.maximum = (unsigned)value; break;
	case LOAD_HIGH: limits[LIMIT_LOAD_HIGH] = value; break;
	case LOAD_LOW: limits[LIMIT_LOAD_LOW] = value; break;
	case RESPONSE_HIGH: limits[LIMIT_RESPONSE_HIGH] = value; break;
	case NO_USERS_LOW: limits[LIMIT_USERS_LOW] = 0; break;
	case WINDOW_SHUT: g->window_open = false; break;
	default: fail_msg("knob %d", knob);
	}
}

static const struct decision *find_decision(const struct decisions *out, size_t rule)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].rule == rule)
			return &out->items[i];
	return NULL;
}

static void check_row(const struct row *row, size_t number)
{
	size_t rule = find_rule(&matrix, row->rule);
	const struct decision *d;
	struct fig4 f;

	draw_fig4(&f);
	/* A change that is all zeros is none: node 0 with up-time 0, which it is nowhere. */
	for (size_t i = 0; i < CHANGES; i++) {
		const struct change *c = &row->changes[i];

		if (c->knob == UP && c->value == 0)
			break;
		if (c->knob < OFFSET_OF_GROUPS)
			turn_node(&f.nodes[c->of], c->knob, c->value);
		else
			turn_group(&f.groups[c->of], c->knob, c->value);
	}
	ask(&f);
	d = find_decision(&f.out, rule);
	if (!d != !row->fires)
		fail_msg("row %zu: %s %s", number, row->rule, d ? "fires" : "doesn't fire");
	if (d && (d->verdict != row->verdict || d->denial != row->denial || d->node != row->node || d->action != matrix.items[rule].action))
		fail_msg("row %zu: %s: %s, %s, node %zu: %s", number, row->rule, verdict_name(d->verdict), denial_name(d->denial), d->node, d->reason);
	decisions_release(&f.out);
}

static void test_each_rule_of_the_shipped_matrix(void **state)
{
	unsigned *fired = test_calloc(matrix.count, sizeof *fired), *silent = test_calloc(matrix.count, sizeof *silent);
	size_t count = sizeof rows / sizeof rows[0];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		check_row(&rows[i], i);
		(rows[i].fires ? fired : silent)[find_rule(&matrix, rows[i].rule)]++;
	}
	for (size_t i = 0; i < matrix.count; i++)
		if (!fired[i] || !silent[i])
			fail_msg("no row for \"%s\" that fires, or none that doesn't", matrix.items[i].name);
	print_message("%zu rows for %zu rules\n", count, matrix.count);
	test_free(fired);
	test_free(silent);
}

/* An alarm beats a failure, a failure what a group lacks, that a plan, and a plan a peak. */
static void test_order_when_several_fire(void **state)
{
	static const char *const order[] = { "alarm, again", "alarm", "failed", "failed, no work", "below minimum", "deadline", "old", "campaign",
					     "trend", "peak", "load", "slow", "lull", "idle", "due" };
	struct fig4 f;

	(void)state;
	assert_int_equal(matrix.count, sizeof order / sizeof order[0]);
	for (size_t i = 0; i < matrix.count; i++)
		assert_string_equal(matrix.items[i].name, order[i]);
	draw_fig4(&f);
	f.nodes[0].alarms = 1;
	f.nodes[1].users = 401;
	f.nodes[2].life = LIFE_FAILED;
	ask(&f);
	assert_int_equal(f.out.count, 4);
	assert_int_equal(f.out.items[0].action, RULE_CUT);
	assert_int_equal(f.out.items[1].action, RULE_REPLACE);
	assert_int_equal(f.out.items[2].group, 0);
	/* Both spares have work by then. */
	assert_int_equal(f.out.items[3].verdict, VERDICT_DENIED);
	assert_int_equal(f.out.items[3].group, 1);
	decisions_release(&f.out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_rules_are_refused_with_their_name),
		cmocka_unit_test(test_conditions_over_names),
		cmocka_unit_test(test_each_rule_of_the_shipped_matrix),
		cmocka_unit_test(test_order_when_several_fire),
	};

	return run_with_matrix(tests, sizeof tests / sizeof tests[0]);
}

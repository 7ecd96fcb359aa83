// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/test/decide-fleet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rule_list matrix;

const struct policy reference = { .limits = { [LIMIT_FIRST] = 900, [LIMIT_SECOND] = 1800, [LIMIT_USERS_HIGH] = 400, [LIMIT_USERS_LOW] = 20 },
				  .minimum = 1, .pace = 1, .grace = 600 };

struct rule_list parse_rules(const char *text)
{
	json_t *list = json_loads(text, 0, NULL);
	struct rule_list rules;
	char why[ERROR_TEXT] = "it isn't JSON";

	if (!list || rule_list_parse(list, &rules, why) < 0) {
		print_error("%s: %s\n", text, why);
		abort();
	}
	json_decref(list);
	return rules;
}

size_t find_rule(const struct rule_list *rules, const char *name)
{
	size_t i = 0;

	while (strcmp(rules->items[i].name, name))
		i++;
	return i;
}

void draw_fig4(struct fig4 *f)
{
	static const char *const names[] = { "s1", "s2", "s3", "s4", "s5", "s6" };
	static const char *const groups[] = { "ap1-os1", "ap2-os1", "ap1-os2", "ap2-os2" };
	static const char *const os[] = { "os1", "os1", "os2@4", "os2@4" }, *const app[] = { "ap1", "ap2", "ap1", "ap2" };

	*f = (struct fig4){ 0 };
	for (size_t i = 0; i < 4; i++)
		f->groups[i] = (struct seen_group){ .name = groups[i], .policy = reference, .window_open = true, .trend = NAN, .start_s = 60, .site = "",
						    .os = os[i], .app = app[i], .hour = 12 };
	for (size_t i = 0; i < 6; i++)
		f->nodes[i] = (struct seen_node){ .id = names[i], .name = names[i], .group = i < 4 ? i : DECIDE_NOBODY, .life = i < 4 ? LIFE_SERVING : LIFE_SPARE,
						  .up = 100, .users = 50, .load = 0.2, .response = 5, .due = NAN, .release_s = NAN, .site = "", .rack = "",
						  .warm_for = DECIDE_NOBODY };
	f->seen = (struct snapshot){ .now = NOW, .nodes = f->nodes, .node_count = 6, .groups = f->groups, .group_count = 4, .rules = &matrix,
				     .cooling = f->cooling, .spare_ratio = 0.5, .spares_least = 1, .cuts_most = 3, .cuts_within = 600 };
}

void ask(struct fig4 *f)
{
	decisions_release(&f->out);
	assert_int_equal(decide(&f->seen, &f->out), 0);
}

const struct decision *only(struct fig4 *f)
{
	ask(f);
	if (f->out.count != 1) {
		for (size_t i = 0; i < f->out.count; i++)
			print_error("%s %s: %s\n", verdict_name(f->out.items[i].verdict), rule_action_name(f->out.items[i].action), f->out.items[i].reason);
		fail_msg("%zu decisions", f->out.count);
	}
	return &f->out.items[0];
}

int run_with_matrix(const struct CMUnitTest *tests, size_t count)
{
	int failed;

	matrix = parse_rules(rules_default);
	failed = _cmocka_run_group_tests("decisions", tests, count, NULL, NULL);
	rule_list_release(&matrix);
	return failed;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* decide-times [NODES…]: how long a round of decisions takes, for fleets in which nothing is wrong, of an ordinary moment, and in which
 * everything goes wrong at once. A line of JSON for each size; processor time of one thread, the median of several rounds. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/decide.h"

#define ROUNDS 15
#define NODES_OF_A_GROUP 50
#define NODES_OF_A_RACK 40
#define MOMENTS 3

/* Of how many servers one is so; 0: none. */
static const struct moment {
	const char *name;
	unsigned failed, alarmed, old, leaving;
	double users;            /* per server */
	double trend;            /* of a group, at most */
} moments[MOMENTS] = {
	{ .name = "quiet", .users = 200 },
	{ .name = "ordinary", .failed = 1000, .alarmed = 2000, .old = 50, .leaving = 50, .users = 300, .trend = 40 },
	{ .name = "disaster", .failed = 5, .alarmed = 10, .old = 2, .leaving = 10, .users = 450, .trend = 100 },
};

struct fleet {
	struct seen_node *nodes;
	struct seen_group *groups;
	char (*names)[24];
	struct cooling *cooling;
	struct snapshot seen;
};

static uint64_t random_state = 1;

static unsigned below(unsigned limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(random_state >> 33) % limit;
}

static bool is_so(unsigned of)
{
	return of && !below(of);
}

static void draw_node(struct seen_node *n, size_t group, const struct moment *m, const char *name, const char *rack)
{
	bool spare = group == DECIDE_NOBODY;

	*n = (struct seen_node){ .id = name, .name = name, .group = group, .life = spare ? LIFE_SPARE : LIFE_SERVING, .up = below(3000), .jitter = below(300),
				 .users = spare ? 0 : m->users * (0.8 + 0.4 * below(1000) / 1000), .load = 0.5, .response = 20, .due = NAN, .uses = below(20),
				 .release_s = below(900), .site = below(2) ? "stockholm" : "berlin", .rack = rack, .warm_for = DECIDE_NOBODY };
	n->busy = is_so(m->leaving);
	n->urgency = URGENCY_WAIT;
	if (!spare && is_so(m->failed))
		n->life = LIFE_FAILED;
	n->alarms = is_so(m->alarmed);
	if (is_so(m->old))
		n->up = 7200;
}

static void draw_groups(struct fleet *f, size_t groups, const struct moment *m)
{
	for (size_t g = 0; g < groups; g++) {
		double trend = m->trend * ((double)below(1000) / 500 - 1) / 60;

		f->groups[g] = (struct seen_group){
			.name = f->names[g], .window_open = true, .trend = trend, .users_most = 0, .start_s = 60, .hour = 12, .site = below(2) ? "berlin" : "",
			.os = "minimal@1", .app = "web", .account = "",
			.policy = { .limits = { [LIMIT_FIRST] = 3600, [LIMIT_SECOND] = 7200, [LIMIT_USERS_HIGH] = 400, [LIMIT_USERS_LOW] = 100, [LIMIT_LOAD_HIGH] = 2,
				    [LIMIT_RESPONSE_HIGH] = 500 }, .minimum = NODES_OF_A_GROUP / 2, .pace_share = 0.2, .rack_pace = 4, .grace = 600,
				    .priority = below(3) },
		};
	}
}

static int draw(struct fleet *f, size_t nodes, const struct rule_list *rules, const struct moment *m)
{
	size_t groups = nodes / NODES_OF_A_GROUP ? nodes / NODES_OF_A_GROUP : 1, cooling = groups;

	f->nodes = calloc(nodes, sizeof *f->nodes);
	f->groups = calloc(groups, sizeof *f->groups);
	f->names = calloc(nodes, sizeof *f->names);
	f->cooling = calloc(cooling, sizeof *f->cooling);
	if (!f->nodes || !f->groups || !f->names || !f->cooling)
		return -1;
	for (size_t i = 0; i < nodes; i++)
		snprintf(f->names[i], sizeof f->names[i], "n%zu", i);
	draw_groups(f, groups, m);
	/* One of four is a spare. */
	for (size_t i = 0; i < nodes; i++)
		draw_node(&f->nodes[i], i % 4 ? (i - i / 4) % groups : DECIDE_NOBODY, m, f->names[i], f->names[i / NODES_OF_A_RACK]);
	for (size_t i = 0; i < cooling; i++)
		f->cooling[i] = (struct cooling){ below((unsigned)rules->count), DECIDE_NOBODY, below((unsigned)groups), 1060 };
	f->seen = (struct snapshot){ .now = 1000, .nodes = f->nodes, .node_count = nodes, .groups = f->groups, .group_count = groups, .rules = rules,
				     .cooling = f->cooling, .cooling_count = cooling, .spare_ratio = 0.25, .cuts_most = 3, .cuts_within = 600 };
	return 0;
}

static void release(struct fleet *f)
{
	free(f->nodes);
	free(f->groups);
	free(f->names);
	free(f->cooling);
}

static int compare(const void *a, const void *b)
{
	double first = *(const double *)a, second = *(const double *)b;

	return first < second ? -1 : first > second;
}

static int measure(size_t nodes, const struct rule_list *rules, const struct moment *m)
{
	double taken[ROUNDS];
	struct decisions out = { 0 };
	struct fleet f = { 0 };
	size_t count = 0;
	int r = draw(&f, nodes, rules, m);

	for (int i = 0; r == 0 && i < ROUNDS; i++) {
		struct timespec before, after;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
		r = decide(&f.seen, &out);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
		taken[i] = (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6;
		count = out.count;
		decisions_release(&out);
	}
	release(&f);
	if (r < 0)
		return r;
	qsort(taken, ROUNDS, sizeof taken[0], compare);
	printf("{\"nodes\": %zu, \"moment\": \"%s\", \"decisions\": %zu, \"ms\": %.3f, \"most_ms\": %.3f}\n", nodes, m->name, count, taken[ROUNDS / 2],
	       taken[ROUNDS - 1]);
	return 0;
}

int main(int argc, char *argv[])
{
	json_t *list = json_loads(rules_default, 0, NULL);
	struct rule_list rules;
	char why[ERROR_TEXT];
	int r = rule_list_parse(list, &rules, why);

	json_decref(list);
	if (r < 0)
		return 1;
	for (int i = 1; i < argc && r == 0; i++) {
		char *end;
		unsigned long nodes = strtoul(argv[i], &end, 10);

		if (*end || nodes < 4 || nodes > 10000000) {
			fprintf(stderr, "decide-times: \"%s\" isn't a number of nodes from 4 to 10000000\n", argv[i]);
			r = 2;
		}
		for (int m = 0; m < MOMENTS && r == 0; m++)
			r = measure(nodes, &rules, &moments[m]) < 0;
	}
	rule_list_release(&rules);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/reimage-plan.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOOKS_MOST 5000
#define LOOKS_LEAST 200
#define LOOKS_OF_NODES 4000000  /* looks times nodes: about a second */

struct future {
	struct snapshot now;         /* its nodes, groups and rules are those below */
	struct seen_node *nodes;
	struct seen_group *groups;
	struct rule_list rules;      /* those that reimage; items are copies without anything owned */
	const struct campaign *campaign;
	double *since;               /* by node: when it served first; NAN */
	double *ends;                /* of those on their way; NAN for others */
	size_t *spare_of;            /* who stands in */
	bool *remains;               /* the campaign is to reach it */
	bool *began_before;          /* on its way already */
	size_t before;               /* so many of them aren't back */
	struct reimage_plan *plan;
	int64_t until;
	double step_least, step_most;
};

static struct seen_group *group_of_node(struct future *f, size_t node)
{
	return f->nodes[node].group == DECIDE_NOBODY ? NULL : &f->groups[f->nodes[node].group];
}

/* ------------------------------------------------------------------ beginning */

static int copy_rules(struct future *f, const struct rule_list *rules)
{
	f->rules.items = calloc(rules->count + 1, sizeof *f->rules.items);
	if (!f->rules.items)
		return -ENOMEM;
	for (size_t i = 0; i < rules->count; i++)
		if (rules->items[i].action == RULE_REIMAGE)
			f->rules.items[f->rules.count++] = rules->items[i];
	return 0;
}

static void choose_steps(struct future *f, size_t nodes)
{
	double looks = LOOKS_OF_NODES / (double)(nodes + 1), all = (double)(f->until - f->now.now);

	looks = fmin(fmax(looks, LOOKS_LEAST), LOOKS_MOST);
	f->step_least = fmax(ceil(all / looks), 1);
	f->step_most = fmax(ceil(all / LOOKS_LEAST), f->step_least);
}

static int begin(struct future *f, const struct snapshot *seen)
{
	size_t n = seen->node_count;

	f->now = *seen;
	f->nodes = calloc(n + 1, sizeof *f->nodes);
	f->groups = calloc(seen->group_count + 1, sizeof *f->groups);
	f->since = calloc(n + 1, sizeof *f->since);
	f->ends = calloc(n + 1, sizeof *f->ends);
	f->spare_of = calloc(n + 1, sizeof *f->spare_of);
	f->remains = calloc(n + 1, sizeof *f->remains);
	f->began_before = calloc(n + 1, sizeof *f->began_before);
	f->plan->items = calloc(n + 1, sizeof *f->plan->items);
	if (!f->nodes || !f->groups || !f->since || !f->ends || !f->spare_of || !f->remains || !f->began_before || !f->plan->items ||
	    copy_rules(f, seen->rules) < 0)
		return -ENOMEM;
	memcpy(f->nodes, seen->nodes, n * sizeof *f->nodes);
	memcpy(f->groups, seen->groups, seen->group_count * sizeof *f->groups);
	f->now.nodes = f->nodes;
	f->now.groups = f->groups;
	f->now.rules = &f->rules;
	/* Cool-downs are of rules by their number in the other list. */
	f->now.cooling_count = 0;
	f->plan->count = n;
	f->plan->from = seen->now;
	choose_steps(f, n);
	for (size_t i = 0; i < n; i++) {
		f->since[i] = (double)seen->now - seen->nodes[i].up;
		f->remains[i] = f->campaign && !isnan(seen->nodes[i].due);
		f->spare_of[i] = f->plan->items[i].spare = DECIDE_NOBODY;
		f->ends[i] = seen->nodes[i].busy ? (double)seen->now + campaign_takes(group_of_node(f, i), &f->nodes[i]) : NAN;
		f->began_before[i] = seen->nodes[i].busy;
		f->before += seen->nodes[i].busy;
	}
	return 0;
}

static void end(struct future *f)
{
	free(f->nodes);
	free(f->groups);
	free(f->rules.items);
	free(f->since);
	free(f->ends);
	free(f->spare_of);
	free(f->remains);
	free(f->began_before);
}

static void note_ages(struct future *f)
{
	for (size_t i = 0; i < f->plan->count; i++) {
		const struct seen_group *group = group_of_node(f, i);
		double from = f->since[i] - f->nodes[i].jitter;

		if (!group || isnan(from))
			continue;
		if (group->policy.limits[LIMIT_FIRST] > 0)
			f->plan->items[i].first = (int64_t)(from + group->policy.limits[LIMIT_FIRST]);
		if (group->policy.limits[LIMIT_SECOND] > 0)
			f->plan->items[i].second = (int64_t)(from + group->policy.limits[LIMIT_SECOND]);
	}
}

/* ------------------------------------------------------------------ a look */

/* Whose spare a snapshot's are isn't known: those that were taken before are free when all who went before are back. */
static void free_spares(struct future *f, size_t node)
{
	if (f->spare_of[node] != DECIDE_NOBODY)
		f->nodes[f->spare_of[node]].taken = false;
	f->spare_of[node] = DECIDE_NOBODY;
	if (!f->began_before[node])
		return;
	f->began_before[node] = false;
	if (--f->before)
		return;
	for (size_t i = 0; i < f->plan->count; i++)
		if (f->nodes[i].life == LIFE_SPARE)
			f->nodes[i].taken = false;
}

/* Who is back by now. */
static void return_some(struct future *f)
{
	for (size_t i = 0; i < f->plan->count; i++) {
		struct seen_node *node = &f->nodes[i];
		struct seen_group *group = group_of_node(f, i);

		if (!(f->ends[i] <= (double)f->now.now))
			continue;
		node->busy = false;
		f->since[i] = f->ends[i];
		f->ends[i] = NAN;
		f->remains[i] = false;
		free_spares(f, i);
		if (node->goes) {
			node->group = DECIDE_NOBODY;
			node->life = LIFE_SPARE;
			node->goes = false;
		} else if (group) {
			node->life = LIFE_SERVING;
			group->returned = (int64_t)f->since[i];
		}
	}
}

static int see(struct future *f)
{
	for (size_t i = 0; i < f->plan->count; i++) {
		f->nodes[i].up = (double)f->now.now - f->since[i];
		f->nodes[i].due = f->remains[i] ? 0 : NAN;
	}
	for (size_t i = 0; i < f->now.group_count; i++) {
		f->groups[i].window_open = calendar_is_open(f->groups[i].policy.calendar, f->now.now);
		f->groups[i].hour = calendar_hour(f->groups[i].policy.calendar, f->now.now);
	}
	if (!f->campaign)
		return 0;
	return campaign_see(f->campaign, f->now.now, f->groups, f->now.group_count, f->nodes, f->plan->count);
}

static void begin_one(struct future *f, const struct decision *d)
{
	struct planned *item = &f->plan->items[d->node];
	struct seen_node *node = &f->nodes[d->node];
	const struct seen_group *group = group_of_node(f, d->node);
	double takes = campaign_takes(group, node) - (group ? group->policy.settle : 0);

	if (d->spare != DECIDE_NOBODY) {
		f->nodes[d->spare].taken = true;
		f->spare_of[d->node] = d->spare;
		/* At the last moment nobody waits for it. */
		takes += node->due <= 0 ? 0 : campaign_start(group);
	}
	node->busy = true;
	f->ends[d->node] = (double)f->now.now + takes;
	if (item->begins)
		return;
	item->begins = f->now.now;
	item->ends = (int64_t)f->ends[d->node];
	item->urgency = d->urgency;
	item->spare = d->spare;
	item->below = node->due <= 0;
	strcpy(item->reason, d->reason);
	f->plan->begun++;
	f->plan->below += item->below;
	if (item->ends > f->plan->ends)
		f->plan->ends = item->ends;
}

static int look(struct future *f)
{
	struct decisions out;
	int r = see(f);

	if (!r)
		r = decide(&f->now, &out);
	if (r < 0)
		return r;
	for (size_t i = 0; i < out.count; i++) {
		const struct decision *d = &out.items[i];

		if (d->verdict == VERDICT_DO)
			begin_one(f, d);
		else if (d->verdict == VERDICT_LATER && !f->plan->items[d->node].begins)
			strcpy(f->plan->items[d->node].reason, d->reason);
	}
	decisions_release(&out);
	return 0;
}

/* ------------------------------------------------------------------ the next one */

static void sooner(const struct future *f, double *next, double at)
{
	if (at > (double)f->now.now && at < *next)
		*next = at;
}

/* When something may become another; at least a step on, and at most the longest: the pace of a campaign changes by itself. */
static double find_next(struct future *f)
{
	double next = (double)f->now.now + f->step_most;

	for (size_t i = 0; i < f->plan->count; i++) {
		const struct seen_group *group = group_of_node(f, i);
		double born = f->since[i] - f->nodes[i].jitter;

		sooner(f, &next, f->ends[i]);
		if (!group || f->nodes[i].busy)
			continue;
		sooner(f, &next, born + group->policy.limits[LIMIT_FIRST]);
		sooner(f, &next, born + group->policy.limits[LIMIT_SECOND]);
		if (f->remains[i])
			sooner(f, &next, (double)f->now.now + f->nodes[i].due);
	}
	for (size_t i = 0; i < f->now.group_count; i++) {
		sooner(f, &next, (double)f->groups[i].returned + f->groups[i].policy.settle);
		if (f->groups[i].policy.calendar)
			sooner(f, &next, (double)calendar_change(f->groups[i].policy.calendar, f->now.now));
	}
	return fmax(ceil(next), (double)f->now.now + f->step_least);
}

/* Nothing is left that could begin. */
static bool is_over(const struct future *f)
{
	for (size_t i = 0; i < f->plan->count; i++) {
		if (!f->plan->items[i].begins && !f->campaign && !f->nodes[i].exempt)
			return false;
		if (f->remains[i] && !f->plan->items[i].begins && !f->nodes[i].exempt)
			return false;
	}
	return true;
}

int reimage_plan(const struct snapshot *snapshot, const struct campaign *campaign, int64_t until, struct reimage_plan *ret_plan)
{
	struct reimage_plan plan = { .until = until };
	struct future f = { .campaign = campaign, .plan = &plan, .until = until };
	int r = begin(&f, snapshot);

	if (!r)
		note_ages(&f);
	while (!r && f.now.now <= until && !is_over(&f)) {
		return_some(&f);
		r = look(&f);
		f.now.now = (int64_t)find_next(&f);
	}
	for (size_t i = 0; !r && i < plan.count; i++)
		plan.left += f.remains[i] && !plan.items[i].begins && !f.nodes[i].exempt && !snapshot->nodes[i].busy;
	end(&f);
	if (r < 0) {
		reimage_plan_release(&plan);
		return r;
	}
	*ret_plan = plan;
	return 0;
}

void reimage_plan_release(struct reimage_plan *plan)
{
	free(plan->items);
	*plan = (struct reimage_plan){ 0 };
}

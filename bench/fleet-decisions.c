// SPDX-License-Identifier: GPL-2.0-or-later
#include "bench/fleet-model.h"

#include <math.h>
#include <time.h>

static void start_leaving(struct world *w, const struct decision *d, size_t goes_to)
{
	struct server *s = &w->server[d->node];

	s->doing = DOING_LEAVE;
	s->goes_to = goes_to;
	s->asked = 0;
	s->stand_in = d->spare;
	w->node[d->node].busy = true;
	w->node[d->node].urgency = d->urgency;
	w->node[d->node].goes = goes_to != w->node[d->node].group;
	if (d->spare != DECIDE_NOBODY) {
		w->node[d->spare].uses++;
		world_boot(w, d->spare, w->node[d->node].group);
	}
}

static void cool_down(struct world *w, const struct decision *d)
{
	const struct rule *rule = &w->rules.items[d->rule];
	bool nodes = rule_is_for_nodes(rule);

	if (!rule->cool_down)
		return;
	w->cooling[w->cooling_next++ % COOLING_MOST] = (struct cooling){ d->rule, nodes ? d->node : DECIDE_NOBODY, nodes ? DECIDE_NOBODY : d->group,
									 (int64_t)w->now + rule->cool_down };
	w->seen.cooling_count = w->cooling_next < COOLING_MOST ? w->cooling_next : COOLING_MOST;
}

static void cut(struct world *w, size_t node)
{
	w->sums.thrown_out += (size_t)w->node[node].users;
	w->sums.alarms++;
	w->node[node].busy = true;
	w->node[node].alarms = 0;
	w->server[node].asked = 0;
	world_boot(w, node, w->node[node].group);
}

/* The failed one is away for as long as its repair takes. */
static void replace(struct world *w, const struct decision *d)
{
	w->node[d->node].retries++;
	if (d->spare == DECIDE_NOBODY) {
		world_boot(w, d->node, d->group);
		return;
	}
	w->node[d->spare].uses++;
	world_boot(w, d->spare, d->group);
	w->node[d->node].group = DECIDE_NOBODY;
	w->server[d->node].doing = DOING_REPAIR;
	w->server[d->node].until = w->now + REPAIR_SECONDS;
}

static void do_it(struct world *w, const struct decision *d)
{
	switch (d->action) {
	case RULE_REIMAGE:
		start_leaving(w, d, w->node[d->node].group);
		break;
	case RULE_REMOVE:
		start_leaving(w, d, DECIDE_NOBODY);
		break;
	case RULE_MOVE:
		start_leaving(w, d, d->group);
		break;
	case RULE_CUT:
	case RULE_QUARANTINE:
		cut(w, d->node);
		break;
	case RULE_ADD:
		w->node[d->node].uses++;
		world_boot(w, d->node, d->group);
		break;
	case RULE_REPLACE:
		replace(w, d);
		break;
	default:
		w->node[d->node].retries++;
		world_boot(w, d->node, DECIDE_NOBODY);
		break;
	}
}

static void carry_out(struct world *w, const struct decision *d)
{
	if (w->tell)
		w->tell(w, d);
	w->sums.denials += d->verdict == VERDICT_DENIED;
	w->sums.later += d->verdict == VERDICT_LATER;
	if (d->verdict == VERDICT_HURRY)
		w->node[d->node].urgency = d->urgency;
	if (d->verdict != VERDICT_DO)
		return;
	w->sums.decisions++;
	w->sums.by_action[d->action]++;
	cool_down(w, d);
	do_it(w, d);
}

static void look(struct world *w)
{
	for (size_t g = 0; g < w->groups; g++) {
		struct group *group = &w->group[g];

		trend_add(&group->trend, w->now, group->demand);
		w->seen_group[g].trend = trend_slope(&group->trend, TREND_SECONDS);
		w->seen_group[g].users_most = trend_most(&group->trend, TREND_SECONDS);
		w->seen_group[g].hour = fmod(w->now / 3600, 24);
	}
	w->seen.now = (int64_t)w->now;
}

int world_decide(struct world *w)
{
	struct timespec before, after;
	struct decisions out;
	double ms;
	int r;

	look(w);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	r = decide(&w->seen, &out);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	if (r < 0)
		return r;
	ms = (double)(after.tv_sec - before.tv_sec) * 1e3 + (double)(after.tv_nsec - before.tv_nsec) / 1e6;
	w->sums.decide_most_ms = fmax(w->sums.decide_most_ms, ms);
	w->sums.decide_sum_ms += ms;
	w->sums.decide_count++;
	for (size_t i = 0; i < out.count; i++)
		carry_out(w, &out.items[i]);
	decisions_release(&out);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decide.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/decide-work.h"

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = { "do", "hurry", "later", "denied" };

	return names[verdict];
}

const char *denial_name(enum denial denial)
{
	static const char *const names[] = { "", "sla_max", "sla_min", "no_resource", "priority", "security" };

	return names[denial];
}

bool decide_is_ready(const struct seen_node *node)
{
	return node->life == LIFE_SERVING && !node->busy;
}

bool decide_is_free_spare(const struct seen_node *node)
{
	return node->life == LIFE_SPARE && !node->busy && !node->taken && !node->alarms;
}

struct tally *decide_tally(const struct work *w, size_t group)
{
	return &w->tallies[group == DECIDE_NOBODY ? w->seen->group_count : group];
}

/* ------------------------------------------------------------------ measuring */

static double mean(double sum, size_t count)
{
	return count ? sum / (double)count : NAN;
}

static double per_server(double users, const struct tally *tally)
{
	return tally->known_users ? mean(users, tally->ready + tally->coming) : NAN;
}

static double measure_node(const struct seen_node *n, enum measure measure)
{
	switch (measure) {
	case MEASURE_UP:
		return n->up;
	case MEASURE_AGE:
		return n->up + n->jitter;
	case MEASURE_USERS:
		return n->users;
	case MEASURE_LOAD:
		return n->load;
	case MEASURE_RESPONSE:
		return n->response;
	case MEASURE_ALARMS:
		return n->alarms;
	case MEASURE_CUTS:
		return n->cuts;
	case MEASURE_FAILED:
		return n->life == LIFE_FAILED;
	case MEASURE_RETRIES:
		return n->retries;
	case MEASURE_DUE:
		return n->due;
	default:
		return n->group != DECIDE_NOBODY;
	}
}

/* Of all servers but those of a group; DECIDE_NOBODY: of all. */
static double measure_others(const struct work *w, size_t group, bool load)
{
	static const struct tally none;
	const struct tally *own = group == DECIDE_NOBODY ? &none : &w->tallies[group], *all = &w->fleet;

	if (load)
		return mean(all->load - own->load, all->known_load - own->known_load);
	return mean(all->users - own->users, all->ready + all->coming - own->ready - own->coming);
}

static double measure_group(const struct work *w, size_t group, enum measure measure)
{
	const struct seen_group *seen = &w->seen->groups[group];
	const struct tally *tally = &w->tallies[group];

	switch (measure) {
	case MEASURE_SERVERS:
		return (double)(tally->ready + tally->coming);
	case MEASURE_MISSING:
		return fmax((double)seen->policy.minimum - (double)(tally->ready + tally->coming), 0);
	case MEASURE_GROUP_USERS:
		return tally->known_users ? tally->users : NAN;
	case MEASURE_USERS_PER_SERVER:
		return per_server(tally->users, tally);
	case MEASURE_USERS_SOON:
		return per_server(decide_users_in(w, group, seen->start_s), tally);
	case MEASURE_USERS_MOST:
		return per_server(fmax(tally->users, seen->users_most), tally);
	case MEASURE_USERS_TREND:
		return 60 * seen->trend;
	case MEASURE_GROUP_LOAD:
		return mean(tally->load, tally->known_load);
	case MEASURE_LOAD_MOST:
		return tally->known_load ? fmax(mean(tally->load, tally->known_load), seen->load_most) : NAN;
	case MEASURE_GROUP_RESPONSE:
		return mean(tally->response, tally->known_response);
	case MEASURE_HOUR:
		return seen->hour;
	default:
		return NAN;
	}
}

static double measure_one(const struct work *w, size_t node, size_t group, enum measure measure)
{
	if (measure < MEASURE_FIRST_OF_GROUP)
		return node == DECIDE_NOBODY ? NAN : measure_node(&w->seen->nodes[node], measure);
	switch (measure) {
	case MEASURE_OTHERS_USERS:
	case MEASURE_OTHERS_LOAD:
		return measure_others(w, group, measure == MEASURE_OTHERS_LOAD);
	case MEASURE_FLEET_USERS:
		return w->fleet.users;
	case MEASURE_FLEET_LOAD:
		return mean(w->fleet.load, w->fleet.known_load);
	case MEASURE_SPARES:
		return (double)w->spare_count;
	default:
		return group == DECIDE_NOBODY ? NAN : measure_group(w, group, measure);
	}
}

static const char *name_one(const struct work *w, size_t node, size_t group, enum attribute attribute)
{
	const struct seen_group *g = group == DECIDE_NOBODY ? NULL : &w->seen->groups[group];
	const struct seen_node *n = node == DECIDE_NOBODY ? NULL : &w->seen->nodes[node];

	switch (attribute) {
	case ATTRIBUTE_GROUP:
		return g ? g->name : "";
	case ATTRIBUTE_OS:
		return g ? g->os : "";
	case ATTRIBUTE_APP:
		return g ? g->app : "";
	case ATTRIBUTE_ACCOUNT:
		return g ? g->account : "";
	case ATTRIBUTE_SITE:
		if (n)
			return n->site;
		return g && g->policy.site[0] ? g->policy.site : g ? g->site : "";
	default:
		return n ? n->rack : "";
	}
}

void decide_measure_for(const struct work *w, const struct rule *rule, size_t node, size_t group, struct facts *ret_facts)
{
	for (unsigned i = 0; rule && i < rule->conditions; i++) {
		const struct condition *c = &rule->when[i];

		if (c->by_text)
			ret_facts->texts[c->attribute] = name_one(w, node, group, c->attribute);
		else
			ret_facts->values[c->measure] = measure_one(w, node, group, c->measure);
	}
	if (rule)
		return;
	for (int i = 0; i < MEASURES; i++)
		ret_facts->values[i] = measure_one(w, node, group, (enum measure)i);
	for (int i = 0; i < ATTRIBUTES; i++)
		ret_facts->texts[i] = name_one(w, node, group, (enum attribute)i);
}

static int measure_all(const struct snapshot *snapshot, size_t node, size_t group, struct facts *ret_facts)
{
	struct work w = { 0 };
	int r = decide_begin(&w, snapshot);

	if (!r)
		decide_measure_for(&w, NULL, node, group, ret_facts);
	decide_end(&w);
	return r;
}

int decide_measure(const struct snapshot *snapshot, size_t node, struct facts *ret_facts)
{
	return measure_all(snapshot, node, snapshot->nodes[node].group, ret_facts);
}

int decide_measure_group(const struct snapshot *snapshot, size_t group, struct facts *ret_facts)
{
	return measure_all(snapshot, DECIDE_NOBODY, group, ret_facts);
}

/* ------------------------------------------------------------------ deciding */

/* Of nobody's group there are none. */
static const double no_limits[LIMITS];

static const double *limits_of(const struct work *w, size_t group)
{
	return group == DECIDE_NOBODY ? no_limits : w->seen->groups[group].policy.limits;
}

struct decision *decide_on(struct work *w, enum verdict verdict, size_t rule, size_t node, size_t group, const struct facts *facts)
{
	const struct rule *r = &w->seen->rules->items[rule];
	struct decision *d;

	if (w->out->count == w->room) {
		size_t room = w->room ? 2 * w->room : 64;
		struct decision *items = realloc(w->out->items, room * sizeof *items);

		if (!items)
			return NULL;
		w->out->items = items;
		w->room = room;
	}
	d = &w->out->items[w->out->count++];
	/* Also what lies between the members, so that equal decisions are equal bytes. */
	memset(d, 0, sizeof *d);
	d->verdict = verdict;
	d->action = r->action;
	d->urgency = r->urgency;
	d->rule = rule;
	d->node = node;
	d->group = group;
	d->spare = d->from = DECIDE_NOBODY;
	rule_explain(r, facts, limits_of(w, group), d->reason);
	return d;
}

void decide_add_reason(struct decision *decision, const char *format, ...)
{
	size_t used = strlen(decision->reason);
	va_list list;

	va_start(list, format);
	vsnprintf(decision->reason + used, sizeof decision->reason - used, format, list);
	va_end(list);
}

uint64_t decide_node_rules(const struct snapshot *seen, size_t node)
{
	const struct seen_node *n = &seen->nodes[node];
	const double *limits = n->group == DECIDE_NOBODY ? no_limits : seen->groups[n->group].policy.limits;
	uint64_t found = 0;

	for (size_t i = 0; i < seen->rules->count; i++) {
		const struct rule *r = &seen->rules->items[i];
		bool holds = rule_is_for_nodes(r);

		for (unsigned j = 0; j < r->conditions && holds; j++) {
			const struct condition *c = &r->when[j];

			if (!c->by_text && c->measure < MEASURE_FIRST_OF_GROUP)
				holds = condition_compare(c, measure_node(n, c->measure), limits);
		}
		found |= (uint64_t)holds << i;
	}
	return found;
}

static int ask_groups(struct work *w, size_t rule)
{
	const struct rule *r = &w->seen->rules->items[rule];
	struct facts facts = { 0 };
	int failed = 0;

	for (size_t i = 0; i < w->seen->group_count && !failed; i++) {
		size_t group = w->order[i];

		/* Who gives one away at this moment would take it back. */
		if (w->tallies[group].grows || w->tallies[group].shrinks)
			continue;
		decide_measure_for(w, r, DECIDE_NOBODY, group, &facts);
		if (rule_holds(r, &facts, limits_of(w, group)))
			failed = decide_group(w, rule, group, &facts);
	}
	return failed;
}

static int ask_nodes(struct work *w, size_t rule)
{
	const struct rule *r = &w->seen->rules->items[rule];
	struct facts facts = { 0 };
	int failed = 0;

	for (size_t i = 0; i < w->oldest_count && !failed; i++) {
		size_t node = w->oldest[i].node, group;

		if (!(w->oldest[i].rules >> rule & 1) || w->decided[node])
			continue;
		group = w->seen->nodes[node].group;
		decide_measure_for(w, r, node, group, &facts);
		if (rule_holds(r, &facts, limits_of(w, group)))
			failed = decide_node(w, rule, node, &facts);
	}
	return failed;
}

static void count_spares(const struct work *w, struct decisions *out)
{
	out->spares_there = w->spare_count;
	out->spares_wanted = (size_t)ceil(w->seen->spare_ratio * (double)w->fleet.members);
	if (out->spares_wanted < w->seen->spares_least)
		out->spares_wanted = w->seen->spares_least;
}

int decide(const struct snapshot *snapshot, struct decisions *ret_decisions)
{
	struct decisions out = { 0 };
	struct work w = { .out = &out };
	int r = decide_begin(&w, snapshot);

	if (!r)
		count_spares(&w, &out);
	for (size_t i = 0; !r && i < snapshot->rules->count; i++)
		r = rule_is_for_nodes(&snapshot->rules->items[i]) ? ask_nodes(&w, i) : ask_groups(&w, i);
	decide_end(&w);
	if (r < 0) {
		decisions_release(&out);
		return r;
	}
	*ret_decisions = out;
	return 0;
}

void decisions_release(struct decisions *decisions)
{
	free(decisions->items);
	*decisions = (struct decisions){ 0 };
}

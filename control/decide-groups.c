// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decide-work.h"

#include <errno.h>
#include <math.h>
#include <string.h>

/* Whether a rule is about what a group must have, not about what would be good for it. */
static bool is_pressing(const struct rule *rule)
{
	for (unsigned i = 0; i < rule->conditions; i++)
		if (!rule->when[i].by_text && rule->when[i].measure == MEASURE_MISSING)
			return true;
	return false;
}

/* How many servers would be enough. */
static size_t needed(const struct work *w, const struct rule *rule, size_t group, const struct facts *facts)
{
	double high = w->seen->groups[group].policy.limits[LIMIT_USERS_HIGH], servers, missing, more = 1;
	const struct tally *tally = &w->tallies[group];

	servers = (double)(tally->ready + tally->coming);
	for (unsigned i = 0; i < rule->conditions; i++) {
		const struct condition *c = &rule->when[i];

		if (c->by_text)
			continue;
		if (c->measure == MEASURE_MISSING)
			more = fmax(more, facts->values[MEASURE_MISSING]);
		if ((c->measure == MEASURE_USERS_SOON || c->measure == MEASURE_USERS_PER_SERVER) && high > 0) {
			missing = ceil(facts->values[c->measure] * servers / high) - servers;
			/* A jump looks like a steep trend: beyond what is there already a trend brings a tenth at a time. A hint is a figure. */
			if (c->measure == MEASURE_USERS_SOON && !w->seen->groups[group].expected_until)
				missing = fmin(missing, fmax(ceil(facts->values[MEASURE_USERS_PER_SERVER] * servers / high) - servers,
							     ceil(servers / 10)));
			more = fmax(more, missing);
		}
	}
	/* That nobody is there is to be told, too. */
	return (size_t)fmin(more, fmax(1, (double)w->seen->node_count));
}

/* ------------------------------------------------------------------ larger */

static int deny(struct work *w, size_t rule, size_t group, const struct facts *facts, enum denial denial)
{
	const struct seen_group *seen = &w->seen->groups[group];
	struct decision *d = decide_on(w, VERDICT_DENIED, rule, DECIDE_NOBODY, group, facts);

	if (!d)
		return -ENOMEM;
	d->denial = denial;
	if (denial == DENIAL_SLA_MAX)
		decide_add_reason(d, "; but %s has its maximum of %u servers", seen->name, seen->policy.maximum);
	else if (denial == DENIAL_SLA_MIN)
		decide_add_reason(d, "; but it has its minimum of %u servers", seen->policy.minimum ? seen->policy.minimum : 1);
	else if (denial == DENIAL_PRIORITY)
		decide_add_reason(d, "; but a group of higher priority got the last spare, and no other group can do without a server");
	else
		decide_add_reason(d, "; but no spare is free, and no other group can do without a server");
	return 0;
}

static bool is_full(const struct work *w, size_t group)
{
	unsigned maximum = w->seen->groups[group].policy.maximum;

	return maximum && w->tallies[group].ready + w->tallies[group].coming >= maximum;
}

static void explain_move(struct work *w, struct decision *d, size_t second)
{
	char text[128];

	decide_describe_leaver(&w->seen->nodes[d->node], text);
	decide_add_reason(d, "; %.63s can do without %s", w->seen->groups[d->from].name, text);
	if (second == DECIDE_NOBODY)
		return;
	decide_describe_leaver(&w->seen->nodes[second], text);
	decide_add_reason(d, "; rather than %s", text);
}

/* `node` of another group comes to `group`. */
static int move(struct work *w, size_t rule, size_t node, size_t second, size_t group, const struct facts *facts)
{
	struct decision *d = decide_on(w, VERDICT_DO, rule, node, group, facts);

	if (!d)
		return -ENOMEM;
	d->action = RULE_MOVE;
	d->moves = true;
	d->from = w->seen->nodes[node].group;
	explain_move(w, d, second);
	decide_leaves(w, &w->seen->nodes[node], false);
	w->tallies[d->from].shrinks = true;
	w->decided[node] = true;
	w->tallies[group].coming++;
	return 0;
}

static int add_one(struct work *w, size_t rule, size_t group, const struct facts *facts, bool *ret_denied)
{
	const struct seen_group *seen = &w->seen->groups[group];
	size_t node, second;

	*ret_denied = is_full(w, group);
	if (*ret_denied)
		return deny(w, rule, group, facts, DENIAL_SLA_MAX);
	node = decide_take_spare(w, group, seen->site);
	if (node != DECIDE_NOBODY) {
		w->tallies[group].coming++;
		return decide_on(w, VERDICT_DO, rule, node, group, facts) ? 0 : -ENOMEM;
	}
	node = decide_find_donor(w, group, is_pressing(&w->seen->rules->items[rule]), &second);
	if (node != DECIDE_NOBODY)
		return move(w, rule, node, second, group, facts);
	*ret_denied = true;
	return deny(w, rule, group, facts, w->taken && w->top_taker > seen->policy.priority ? DENIAL_PRIORITY : DENIAL_NO_RESOURCE);
}

static int decide_add(struct work *w, size_t rule, size_t group, size_t target, const struct facts *facts)
{
	const struct rule *r = &w->seen->rules->items[rule];
	size_t more = needed(w, r, group, facts);
	bool denied = false;
	int failed = 0;

	w->tallies[target].grows = true;
	if (!is_pressing(r) && decide_peak_passes(w, group)) {
		struct decision *d = decide_on(w, VERDICT_LATER, rule, DECIDE_NOBODY, target, facts);

		if (d)
			decide_add_reason(d, "; but it will be over in %lld s, and a server takes %.0f s to start",
					  (long long)(w->seen->groups[group].expected_until - w->seen->now), w->seen->groups[group].start_s);
		return d ? 0 : -ENOMEM;
	}
	while (!failed && more-- && !denied)
		failed = add_one(w, rule, target, facts, &denied);
	return failed;
}

/* ------------------------------------------------------------------ smaller */

static int remove_one(struct work *w, size_t rule, size_t group, const struct facts *facts, bool *ret_end)
{
	struct tally *tally = &w->tallies[group];
	size_t second, node = decide_find_leaver(w, group, DECIDE_NOBODY, &second);
	struct decision *d;
	char text[128];

	*ret_end = node == DECIDE_NOBODY;
	if (*ret_end)
		return 0;
	d = decide_on(w, VERDICT_DO, rule, node, group, facts);
	if (!d)
		return -ENOMEM;
	decide_describe_leaver(&w->seen->nodes[node], text);
	decide_add_reason(d, "; %s", text);
	w->decided[node] = true;
	tally->shrinks = true;
	decide_leaves(w, &w->seen->nodes[node], false);
	return 0;
}

/* The last server of a group never becomes a spare: nobody would see users come. */
static bool is_least(const struct work *w, size_t group)
{
	unsigned minimum = w->seen->groups[group].policy.minimum;

	return w->tallies[group].ready <= (minimum ? minimum : 1);
}

static int decide_remove(struct work *w, size_t rule, size_t group, const struct facts *facts)
{
	struct tally *tally = &w->tallies[group];
	size_t most = policy_pace(&w->seen->groups[group].policy, tally->members);
	bool end = false;
	int failed = 0;

	if (is_least(w, group) && tally->ready && !tally->coming)
		return deny(w, rule, group, facts, DENIAL_SLA_MIN);
	while (!failed && !end && most-- && !is_least(w, group) && decide_can_spare_one(w, group, false))
		failed = remove_one(w, rule, group, facts, &end);
	return failed;
}

static int decide_move(struct work *w, size_t rule, size_t group, size_t target, const struct facts *facts)
{
	size_t node, second;

	if (group == target || w->tallies[target].shrinks)
		return 0;
	if (is_full(w, target))
		return deny(w, rule, target, facts, DENIAL_SLA_MAX);
	if (is_least(w, group) && !w->tallies[group].coming)
		return deny(w, rule, group, facts, DENIAL_SLA_MIN);
	if (is_least(w, group) || !decide_can_spare_one(w, group, false))
		return 0;
	node = decide_find_leaver(w, group, target, &second);
	w->tallies[target].grows |= node != DECIDE_NOBODY;
	return node == DECIDE_NOBODY ? 0 : move(w, rule, node, second, target, facts);
}

/* ------------------------------------------------------------------ whose */

/* Who gets the server; whether there is such a group. */
static bool find_target(const struct work *w, const struct rule *rule, size_t group, size_t *ret_target)
{
	*ret_target = group;
	if (!rule->to[0])
		return true;
	for (size_t i = 0; i < w->seen->group_count; i++)
		if (!strcmp(w->seen->groups[i].name, rule->to)) {
			*ret_target = i;
			return true;
		}
	return false;
}

int decide_group(struct work *w, size_t rule, size_t group, const struct facts *facts)
{
	const struct rule *r = &w->seen->rules->items[rule];
	size_t target;

	if (!find_target(w, r, group, &target)) {
		struct decision *d = decide_on(w, VERDICT_DENIED, rule, DECIDE_NOBODY, group, facts);

		if (!d)
			return -ENOMEM;
		d->denial = DENIAL_NO_RESOURCE;
		decide_add_reason(d, "; but there is no group \"%.63s\"", r->to);
		return 0;
	}
	if (decide_cools(w, rule, DECIDE_NOBODY, target))
		return 0;
	if (r->action == RULE_ADD)
		return w->tallies[target].shrinks || (target != group && w->tallies[target].grows) ? 0 : decide_add(w, rule, group, target, facts);
	return r->action == RULE_MOVE ? decide_move(w, rule, group, target, facts) : decide_remove(w, rule, group, facts);
}

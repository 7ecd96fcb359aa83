// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decide-work.h"

#include <errno.h>
#include <math.h>

/* Of the spares, at most this share is reimaged at once: the others may be needed. */
#define SPARES_AT_ONCE 2

/* ------------------------------------------------------------------ plans */

/* What a campaign is still to reach goes at the campaign's pace, and not below its share until the last moment, however old it is. */
static bool is_of_campaign(const struct seen_node *node)
{
	return !isnan(node->due);
}

static bool is_hard(const struct rule *rule, const struct seen_node *node)
{
	return rule->hard && !(node->due > 0);
}

static size_t pace_of(const struct work *w, size_t node, const struct tally *tally)
{
	size_t group = w->seen->nodes[node].group;

	if (group != DECIDE_NOBODY && is_of_campaign(&w->seen->nodes[node]) && w->seen->groups[group].campaign_pace)
		return w->seen->groups[group].campaign_pace;
	if (group != DECIDE_NOBODY)
		return policy_pace(&w->seen->groups[group].policy, tally->members);
	return (w->spare_count + tally->leaving) / SPARES_AT_ONCE ? (w->spare_count + tally->leaving) / SPARES_AT_ONCE : 1;
}

static bool rack_is_busy(const struct work *w, size_t node, const struct policy *policy)
{
	return policy->rack_pace && w->racks.of[node] != DECIDE_NOBODY && w->racks.value[w->racks.of[node]] >= policy->rack_pace;
}

/* How many must go on serving; 0: nobody said. */
static size_t least_known(const struct seen_group *group, const struct seen_node *node)
{
	bool more = is_of_campaign(node) && group->serving_least > group->policy.minimum;

	return more ? group->serving_least : group->policy.minimum;
}

/* Why a planned reimage has to wait; NULL: nothing is in its way. */
static const char *obstacle(const struct work *w, const struct rule *rule, size_t node)
{
	const struct seen_node *n = &w->seen->nodes[node];
	size_t index = n->group;
	const struct seen_group *group = index == DECIDE_NOBODY ? NULL : &w->seen->groups[index];
	const struct tally *tally = decide_tally(w, index);

	if (tally->leaving >= pace_of(w, node, tally))
		return "others of its group are on their way";
	if (!group)
		return NULL;
	/* Whoever comes back in a moment spares a spare its start. */
	if (is_of_campaign(n) && !is_hard(rule, n) && tally->coming && tally->ready <= least_known(group, n))
		return "others of its group are on their way";
	if (!is_hard(rule, n) && !group->window_open && !(is_of_campaign(n) && group->campaign_any_time))
		return "its group's window is closed";
	if (group->policy.failures_most && group->failures >= group->policy.failures_most)
		return "too many of its group didn't come back; look at them, then clear them";
	if (rack_is_busy(w, node, &group->policy))
		return "others in its rack are on their way";
	if (w->seen->now < group->returned + (int64_t)group->policy.settle)
		return "the one before it has just come back";
	return NULL;
}

static void goes_on_its_way(struct work *w, size_t node)
{
	const struct seen_node *n = &w->seen->nodes[node];

	decide_forget_spare(w, node);
	decide_leaves(w, n, true);
	decide_tally(w, n->group)->leaving++;
	if (w->by_rack && w->racks.of[node] != DECIDE_NOBODY)
		w->racks.value[w->racks.of[node]]++;
}

/* As many as its group must have, and one at least, serve without it: else a spare comes first. Returns whether it is needed, and no
 * spare is free. */
static bool needs_stand_in(struct work *w, size_t node, size_t *ret_spare)
{
	const struct seen_node *n = &w->seen->nodes[node];
	size_t least;

	*ret_spare = DECIDE_NOBODY;
	if (n->group == DECIDE_NOBODY)
		return false;
	least = least_known(&w->seen->groups[n->group], n);
	if (decide_tally(w, n->group)->ready > (least ? least : 1))
		return false;
	*ret_spare = decide_take_spare(w, n->group, n->site);
	/* A group without a minimum may do without, for as long as a boot takes. */
	return *ret_spare == DECIDE_NOBODY && least;
}

/* A hard plan may take a group below its minimum. It waits for a spare that will be free soon, but not for longer than the group's
 * grace after its time. */
static bool may_go_alone(const struct work *w, const struct rule *rule, const struct seen_node *n)
{
	const struct policy *policy = &w->seen->groups[n->group].policy;

	if (!is_hard(rule, n))
		return false;
	return !(w->returning || w->taken) || n->due <= 0 || n->up + n->jitter >= policy->limits[LIMIT_SECOND] + policy->grace;
}

static int decide_reimage(struct work *w, size_t rule, size_t node, const struct facts *facts)
{
	const struct seen_node *n = &w->seen->nodes[node];
	const struct rule *r = &w->seen->rules->items[rule];
	size_t stand_in = DECIDE_NOBODY;
	bool alone = false;
	struct decision *d;
	const char *why;

	if (n->exempt || (n->life != LIFE_SERVING && !decide_is_free_spare(n)))
		return 0;
	why = obstacle(w, r, node);
	/* A spare that has to wait may be needed elsewhere in this round. */
	if (why && n->group == DECIDE_NOBODY)
		return 0;
	if (!why)
		alone = needs_stand_in(w, node, &stand_in);
	if (alone && !may_go_alone(w, r, n))
		why = "too few of its group would serve, and no spare is free";
	d = decide_on(w, why ? VERDICT_LATER : VERDICT_DO, rule, node, n->group, facts);
	if (!d)
		return -ENOMEM;
	w->decided[node] = true;
	if (why) {
		decide_add_reason(d, "; but %s", why);
		return 0;
	}
	d->spare = stand_in;
	if (alone)
		decide_add_reason(d, "; its group falls below its minimum, for no spare is free");
	if (stand_in != DECIDE_NOBODY)
		decide_add_reason(d, "; %s serves before it goes", decide_node_name(&w->seen->nodes[stand_in]));
	goes_on_its_way(w, node);
	return 0;
}

static int decide_hurry(struct work *w, size_t rule, size_t node, const struct facts *facts)
{
	const struct rule *r = &w->seen->rules->items[rule];
	const struct seen_node *n = &w->seen->nodes[node];

	if (r->action != RULE_REIMAGE || n->exempt || r->urgency <= n->urgency)
		return 0;
	w->decided[node] = true;
	return decide_on(w, VERDICT_HURRY, rule, node, n->group, facts) ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ failures and alarms */

static int decide_replace(struct work *w, size_t rule, size_t node, const struct facts *facts)
{
	const struct seen_node *n = &w->seen->nodes[node];
	size_t spare = decide_take_spare(w, n->group, n->site);
	bool hopeless = spare == DECIDE_NOBODY && n->retries > 0;
	struct decision *d = decide_on(w, hopeless ? VERDICT_DENIED : VERDICT_DO, rule, node, n->group, facts);

	if (!d)
		return -ENOMEM;
	d->spare = spare;
	w->decided[node] = true;
	if (hopeless) {
		d->denial = DENIAL_NO_RESOURCE;
		decide_add_reason(d, "; no spare is free, and starting it anew didn't help");
		return 0;
	}
	if (spare == DECIDE_NOBODY)
		decide_add_reason(d, "; no spare is free, so it is started anew itself");
	else
		decide_add_reason(d, "; %s does its work", decide_node_name(&w->seen->nodes[spare]));
	decide_tally(w, n->group)->coming++;
	return 0;
}

/* Alarms of many servers of a group within a short time are false more often than not, and to cut them all would be the attack. One
 * server's own storm ends in its quarantine. */
static bool is_storm(const struct work *w, enum rule_action action, const struct seen_node *n)
{
	unsigned cuts = decide_tally(w, n->group)->cuts;

	if (!w->seen->cuts_most || cuts < w->seen->cuts_most)
		return false;
	return action != RULE_QUARANTINE || n->cuts < cuts;
}

static int decide_alarm(struct work *w, size_t rule, size_t node, const struct facts *facts)
{
	const struct seen_node *n = &w->seen->nodes[node];
	bool storm = is_storm(w, w->seen->rules->items[rule].action, n);
	struct tally *tally = decide_tally(w, n->group);
	struct decision *d = decide_on(w, storm ? VERDICT_DENIED : VERDICT_DO, rule, node, n->group, facts);

	if (!d)
		return -ENOMEM;
	w->decided[node] = true;
	if (storm) {
		d->denial = DENIAL_SECURITY;
		decide_add_reason(d, "; but %u of its group were cut within %u s: a person must look", tally->cuts, (unsigned)w->seen->cuts_within);
		return 0;
	}
	tally->cuts++;
	decide_forget_spare(w, node);
	decide_leaves(w, n, false);
	return 0;
}

static int decide_retry(struct work *w, size_t rule, size_t node, const struct facts *facts)
{
	w->decided[node] = true;
	return decide_on(w, VERDICT_DO, rule, node, w->seen->nodes[node].group, facts) ? 0 : -ENOMEM;
}

/* Somebody is at it, or a person has set it aside. */
static bool is_out_of_reach(const struct seen_node *node)
{
	return node->life == LIFE_QUARANTINED || node->life == LIFE_MAINTENANCE || node->life == LIFE_REBOOTING || node->life == LIFE_ENROLLED;
}

int decide_node(struct work *w, size_t rule, size_t node, const struct facts *facts)
{
	enum rule_action action = w->seen->rules->items[rule].action;
	const struct seen_node *n = &w->seen->nodes[node];

	if (is_out_of_reach(n) || decide_cools(w, rule, node, DECIDE_NOBODY))
		return 0;
	if (action == RULE_CUT || action == RULE_QUARANTINE)
		return decide_alarm(w, rule, node, facts);
	if (n->busy)
		return decide_hurry(w, rule, node, facts);
	if (action == RULE_REIMAGE)
		return decide_reimage(w, rule, node, facts);
	if (n->life != LIFE_FAILED)
		return 0;
	return action == RULE_REPLACE && n->group != DECIDE_NOBODY ? decide_replace(w, rule, node, facts) : decide_retry(w, rule, node, facts);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/snapshot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/alarm.h"
#include "control/balancer.h"
#include "control/campaigns.h"
#include "control/dispatch.h"
#include "control/peers.h"

#define REST_NODES 1000u        /* so many are looked at in a few milliseconds */
#define REST_NANOSECONDS 1000000L
#define TREND_TICKS 12.0        /* over which a trend is looked at */
#define MOST_TICKS 24.0         /* of which the most is looked at */
#define NODE_TEXTS (NODE_ID_SIZE + 1 + HOST_NAME_MOST + 1 + 2 * (PLACE_MOST + 1))
#define GROUP_TEXTS (GROUP_NAME_MOST + 1 + 2 * (IMAGE_SPEC_MOST + 1) + ACCOUNT_MOST + 1)

struct snapshot_sources snapshot_sources;

bool snapshot_settled(const struct control *control)
{
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);

		if (node->group[0] && peers_returning(control, node) &&
		    (node->life.state == LIFE_SERVING || node->life.state == LIFE_DRAINING || node->life.state == LIFE_SUSPECT))
			return false;
	}
	return true;
}

/* What is of no group and no spare is in a person's hands: nothing is decided about it. */
static bool is_concerned(const struct node *node)
{
	return node->group[0] || node->spare;
}

static size_t count_concerned(const struct control *control)
{
	size_t count = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		count += is_concerned(fleet_node(control->fleet, i));
	return count;
}

/* ------------------------------------------------------------------ nodes */

/* Persons and machines that use it; NAN when not everybody can be counted. */
static double users_of(const struct control *control, const struct node *node, const struct balancer_view *view)
{
	double users;

	if (!peers_heard(control, node) || (peers_balanced(control, node) && !view->complete))
		return NAN;
	users = node->live->figures.users;
	if (view->known)
		return users + (double)view->sessions;
	return users + (node->live->figures.has_application ? node->live->figures.peers : 0);
}

static double response_of(const struct node *node, const struct balancer_view *view)
{
	if (view->known && view->response_ms)
		return (double)view->response_ms;
	return node->probe.at && node->probe.ok ? node->probe.milliseconds : NAN;
}

static double load_of(const struct control *control, const struct node *node)
{
	json_int_t cpus = json_integer_value(json_object_get(node->inventory, "cpus"));

	return peers_heard(control, node) ? node->live->figures.load / (double)(cpus > 0 ? cpus : 1) : NAN;
}

/* The same in all of a boot, 0 to 1: by its nonce (FNV-1a). */
static double chance_of(const struct node *node)
{
	uint32_t hash = 2166136261u;

	for (const char *at = node->boot.nonce; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	return hash / 4294967296.0;
}

static bool has_served(const struct node *node)
{
	enum life_state state = node->life.state;

	if (state == LIFE_SUSPECT || state == LIFE_FAILED)
		state = node->life.before;
	return state == LIFE_SERVING || state == LIFE_DRAINING || state == LIFE_SPARE;
}

static size_t find_group(const struct group_list *groups, const char *name)
{
	size_t low = 0, high = groups->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(groups->items[middle].name, name);

		if (!order)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return DECIDE_NOBODY;
}

/* The first group that it could join without a restart. */
static size_t warm_for(const struct control *control, const struct node *node)
{
	const struct group_list *groups = fleet_groups(control->fleet);

	if (!node_runs(node) || !peers_heard(control, node) || !strcmp(node->history.used, node->boot.nonce))
		return DECIDE_NOBODY;
	for (size_t i = 0; i < groups->count; i++)
		if (!strcmp(groups->items[i].os, node->assignment.os) && !strcmp(groups->items[i].app, node->assignment.app) &&
		    peers_fits(control, node, &groups->items[i]))
			return i;
	return DECIDE_NOBODY;
}

static void see_restart(const struct node *node, struct seen_node *seen)
{
	const struct restart_record *record = node->restart;

	seen->busy = record != NULL;
	seen->goes = record && (record->restart.kind == RESTART_RELEASE || record->to[0]);
	/* Whose users are gone can't be hurried. */
	seen->urgency = !record ? URGENCY_WAIT : record->restart.step > RESTART_AT_RELEASE ? URGENCY_EVICT : record->restart.urgency;
}

/* One that is being replaced is nobody's concern, and who comes is counted on already. */
static void see_replacement(const struct group_list *groups, const struct replacements *all, const struct node *node, struct seen_node *seen)
{
	const struct replacement *coming = all->count ? replacement_by(all, node->id) : NULL;

	if (all->count && replacement_of(all, node->id))
		seen->busy = seen->goes = true;
	if (!coming)
		return;
	seen->taken = seen->busy = true;
	seen->life = LIFE_REBOOTING;
	seen->group = find_group(groups, coming->group);
}

static void see_node(struct control *control, const struct replacements *replacements, struct fleet_snapshot *to, const struct node *node,
		     int64_t now, struct seen_node *seen)
{
	const struct group_list *groups = fleet_groups(control->fleet);
	const char *name = assignment_host_name(&node->assignment);
	struct balancer_view view = { 0 };
	const struct policy *policy;

	balancer_look(control, node->id, &view);
	*seen = (struct seen_node){ .id = fleet_snapshot_keep(to, node->id), .name = fleet_snapshot_keep(to, name ? name : ""),
				    .group = node->group[0] ? find_group(groups, node->group) : DECIDE_NOBODY, .life = node->life.state,
				    .off = node->life.state == LIFE_SPARE && !peers_heard(control, node),
				    .up = node_runs(node) && has_served(node) ? (double)(now - node->boot.updated) : NAN,
				    .users = users_of(control, node, &view), .load = load_of(control, node), .response = response_of(node, &view),
				    .alarms = alarm_pending(node), .cuts = alarm_cuts(node, now), .retries = node->history.retries,
				    .due = NAN, .uses = node->history.uses,
				    .release_s = NAN, .site = fleet_snapshot_keep(to, node->site), .rack = fleet_snapshot_keep(to, node->rack),
				    .warm_for = node->life.state == LIFE_SPARE ? warm_for(control, node) : DECIDE_NOBODY };
	if (seen->group != DECIDE_NOBODY) {
		policy = &groups->items[seen->group].policy;
		seen->jitter = chance_of(node) * policy->jitter * policy->limits[LIMIT_FIRST];
	}
	see_restart(node, seen);
	see_replacement(groups, replacements, node, seen);
}

/* ------------------------------------------------------------------ groups */

struct sums {
	double users, load;
	unsigned members, known, known_load, failures, cuts;
};

/* Over the last `window` seconds; NAN without samples. */
static double most_of(const struct trend *trend, double now, double window)
{
	double most = NAN;

	for (size_t i = 0; i < trend->count; i++)
		if (now - trend->times[i] <= window)
			most = fmax(most, trend->values[i]);
	return most;
}

static void see_group(struct control *control, struct learned *learned, struct fleet_snapshot *to, const struct group *group,
		      const struct sums *sums, int64_t now, struct seen_group *seen)
{
	struct learned_group *past = learned_group(learned, group->name);
	double clock = (double)dispatch_clock() / 1000, tick = control->decisions.tick;

	*seen = (struct seen_group){ .name = fleet_snapshot_keep(to, group->name), .policy = group->policy, .failures = sums->failures,
				     .window_open = calendar_is_open(group->policy.calendar, now), .trend = NAN,
				     .start_s = learned_start_time(learned, group), .hour = calendar_hour(group->policy.calendar, now), .site = "",
				     .os = fleet_snapshot_keep(to, group->os), .app = fleet_snapshot_keep(to, group->app),
				     .account = fleet_snapshot_keep(to, group->account), .users_most = NAN, .load_most = NAN, .cuts = sums->cuts,
				     .expected_users = NAN };
	if (snapshot_sources.expect)
		snapshot_sources.expect(control, group, now, seen);
	seen->policy.calendar = NULL;
	if (!past)
		return;
	seen->returned = past->returned;
	if (sums->known == sums->members && sums->members)
		trend_add(&past->users, clock, sums->users);
	if (sums->known_load)
		trend_add(&past->load, clock, sums->load / sums->known_load);
	seen->trend = trend_slope(&past->users, TREND_TICKS * tick);
	seen->users_most = most_of(&past->users, clock, MOST_TICKS * tick);
	seen->load_most = most_of(&past->load, clock, MOST_TICKS * tick);
}

static void see_groups(struct control *control, struct learned *learned, struct fleet_snapshot *to, const struct sums *sums, int64_t now)
{
	const struct group_list *groups = fleet_groups(control->fleet);

	for (size_t i = 0; i < groups->count; i++)
		see_group(control, learned, to, &groups->items[i], &sums[i], now, &to->groups[i]);
	for (size_t i = 0; i < to->seen.node_count; i++) {
		struct seen_node *node = &to->nodes[i];
		const struct learned_group *past;

		if (node->group == DECIDE_NOBODY)
			continue;
		past = learned_group(learned, groups->items[node->group].name);
		node->release_s = node->users == 0 ? 0 : past ? past->release : NAN;
	}
}

static void sum_up(const struct control *control, int64_t now, struct fleet_snapshot *snapshot, struct sums *sums)
{
	const struct group_list *groups = fleet_groups(control->fleet);

	for (size_t i = 0; i < snapshot->seen.node_count; i++) {
		const struct seen_node *node = &snapshot->nodes[i];
		const struct node *real = fleet_get(control->fleet, node->id);
		size_t group = real && real->history.failed[0] ? find_group(groups, real->history.failed) : DECIDE_NOBODY;

		if (!real)
			continue;
		if (group != DECIDE_NOBODY)
			sums[group].failures++;
		if (node->group == DECIDE_NOBODY)
			snapshot->seen.spare_cuts += alarm_cuts_within(control, real, now);
		else
			sums[node->group].cuts += alarm_cuts_within(control, real, now);
		if (node->group == DECIDE_NOBODY || node->life == LIFE_FAILED || node->taken)
			continue;
		sums[node->group].members++;
		if (!isnan(node->load)) {
			sums[node->group].known_load++;
			sums[node->group].load += node->load;
		}
		if (isnan(node->users))
			continue;
		sums[node->group].known++;
		sums[node->group].users += node->users;
	}
	/* A storm is over when a person says so. */
	for (size_t i = 0; i < groups->count; i++)
		if (alarm_storm(control, groups->items[i].name) && sums[i].cuts < control->decisions.cuts_most)
			sums[i].cuts = control->decisions.cuts_most;
}

/* ------------------------------------------------------------------ all of it */

static int copy_rules(const struct rule_list *from, struct rule_list *ret_rules)
{
	*ret_rules = (struct rule_list){ .items = calloc(from->count + 1, sizeof *from->items), .count = from->count };
	if (!ret_rules->items)
		return -ENOMEM;
	memcpy(ret_rules->items, from->items, from->count * sizeof *from->items);
	return 0;
}

static size_t find_node(const struct fleet_snapshot *snapshot, const char *id)
{
	size_t low = 0, high = snapshot->seen.node_count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = strcmp(snapshot->nodes[middle].id, id);

		if (!order)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return DECIDE_NOBODY;
}

static void see_cooling(const struct control *control, const struct learned *learned, struct fleet_snapshot *to)
{
	for (size_t i = 0; i < learned->cooling_count; i++) {
		const struct learned_cooling *from = &learned->cooling[i];
		struct cooling c = { .rule = DECIDE_NOBODY, .node = from->node[0] ? find_node(to, from->node) : DECIDE_NOBODY,
				     .group = from->group[0] ? find_group(fleet_groups(control->fleet), from->group) : DECIDE_NOBODY,
				     .until = from->until };

		for (size_t r = 0; r < to->rules.count; r++)
			if (!strcmp(to->rules.items[r].name, from->rule))
				c.rule = r;
		if (c.rule != DECIDE_NOBODY && (c.node != DECIDE_NOBODY || c.group != DECIDE_NOBODY))
			to->cooling[to->seen.cooling_count++] = c;
	}
}

/* Gives the lock to whoever waits for it; false when the fleet is another one then. */
static bool rest(struct control *control)
{
	const struct timespec pause = { 0, REST_NANOSECONDS };
	const struct group_list before = *fleet_groups(control->fleet);
	size_t nodes = fleet_count(control->fleet), concerned = count_concerned(control);

	pthread_mutex_unlock(&control->lock);
	nanosleep(&pause, NULL);
	pthread_mutex_lock(&control->lock);
	return fleet_groups(control->fleet)->items == before.items && fleet_groups(control->fleet)->count == before.count &&
	       fleet_count(control->fleet) == nodes && count_concerned(control) == concerned;
}

/* 0, or -EAGAIN when the fleet changed meanwhile. */
static int see_nodes(struct control *control, const struct replacements *replacements, struct fleet_snapshot *to, bool rests, int64_t now)
{
	size_t at = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		if (rests && i && i % REST_NODES == 0 && !rest(control))
			return -EAGAIN;
		if (is_concerned(fleet_node(control->fleet, i)) && at < to->seen.node_count)
			see_node(control, replacements, to, fleet_node(control->fleet, i), now, &to->nodes[at++]);
	}
	return at == to->seen.node_count ? 0 : -EAGAIN;
}

int snapshot_take(struct control *control, struct learned *learned, const struct replacements *replacements, bool rests, int64_t now,
		  struct fleet_snapshot *ret_snapshot)
{
	size_t nodes = count_concerned(control), groups = fleet_groups(control->fleet)->count;
	const struct decision_settings *settings = &control->decisions;
	struct sums *sums = calloc(groups + 1, sizeof *sums);
	struct fleet_snapshot *to = ret_snapshot;
	int r = fleet_snapshot_init(to, nodes, groups, learned->cooling_count, nodes * NODE_TEXTS + groups * GROUP_TEXTS);

	if (!r)
		r = sums ? copy_rules(&settings->rules, &to->rules) : -ENOMEM;
	if (r < 0) {
		fleet_snapshot_release(to);
		free(sums);
		return r;
	}
	to->rules_given = settings->rules_given && !json_is_null(settings->rules_given) ? json_incref(settings->rules_given) : NULL;
	to->seen.now = now;
	to->seen.spare_ratio = settings->spare_ratio;
	to->seen.spares_least = settings->spares_least;
	to->seen.cuts_most = settings->cuts_most;
	to->seen.cuts_within = settings->cuts_within;
	r = see_nodes(control, replacements, to, rests, now);
	if (r < 0) {
		fleet_snapshot_release(to);
		free(sums);
		return r;
	}
	sum_up(control, now, to, sums);
	see_groups(control, learned, to, sums, now);
	see_cooling(control, learned, to);
	free(sums);
	r = campaigns_fill(control, now, to->groups, groups, to->nodes, nodes);
	if (r < 0)
		fleet_snapshot_release(to);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/replacement.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "common/log.h"
#include "control/balancer.h"
#include "control/deeds.h"
#include "control/journal.h"
#include "control/learned.h"
#include "control/place.h"
#include "control/power.h"

#define KIND "replacement"
#define FENCE_TRIES 3u
#define FENCE_PAUSE_MS 2000

enum fence { FENCE_WAITS, FENCE_OFF, FENCE_NOBODY, FENCE_FAILED };

/* ------------------------------------------------------------------ keeping */

static int put(struct control *control, const struct replacement *one)
{
	json_t *value = json_pack("{ss ss ss sI}", "spare", one->spare, "group", one->group, "rule", one->rule, "row", (json_int_t)one->row);
	int r = value ? store_put_memory(control->store, KIND, one->node, value) : -ENOMEM;

	json_decref(value);
	return r;
}

static int add(struct replacements *all, const struct replacement *one)
{
	struct replacement *grown = reallocarray(all->items, all->count + 1, sizeof *grown);

	if (!grown)
		return -ENOMEM;
	all->items = grown;
	grown[all->count++] = *one;
	return 0;
}

static int load(void *context, const char *kind, const char *name, const json_t *value)
{
	const char *spare = json_get_string(value, "spare"), *group = json_get_string(value, "group"), *rule = json_get_string(value, "rule");
	struct replacement one = { .row = (uint64_t)json_integer_value(json_object_get(value, "row")) };

	if (strcmp(kind, KIND) || !spare || !group || !rule)
		return 0;
	snprintf(one.node, sizeof one.node, "%s", name);
	snprintf(one.spare, sizeof one.spare, "%s", spare);
	snprintf(one.group, sizeof one.group, "%s", group);
	snprintf(one.rule, sizeof one.rule, "%s", rule);
	return add(context, &one);
}

int replacements_load(struct control *control, struct replacements *ret_replacements)
{
	*ret_replacements = (struct replacements){ 0 };
	return store_each_memory(control->store, load, ret_replacements);
}

void replacements_release(struct replacements *replacements)
{
	free(replacements->items);
	*replacements = (struct replacements){ 0 };
}

const struct replacement *replacement_of(const struct replacements *all, const char *node)
{
	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->items[i].node, node))
			return &all->items[i];
	return NULL;
}

const struct replacement *replacement_by(const struct replacements *all, const char *spare)
{
	for (size_t i = 0; i < all->count; i++)
		if (!strcmp(all->items[i].spare, spare))
			return &all->items[i];
	return NULL;
}

int replacement_begin(struct control *control, struct replacements *all, const struct replacement *begun)
{
	int r = balancer_want(control, begun->node, BALANCER_MAINT);

	if (!r)
		r = put(control, begun);
	return r < 0 ? r : add(all, begun);
}

/* ------------------------------------------------------------------ going on */

static void use_power(struct control *control, struct replacement *one, int64_t clock)
{
	char why[ERROR_TEXT] = "";
	int r;

	if (one->acted && clock - one->acted < FENCE_PAUSE_MS)
		return;
	one->acted = clock;
	one->tries++;
	r = power_start(control->power, one->node, POWER_OFF, &one->job, why);
	if (r < 0) {
		one->job = 0;
		log_warning("power off of failed node %s: %s", one->node, why);
	}
}

/* Whether the failed server can do no harm any more. */
static enum fence look_at_fence(struct control *control, struct replacement *one, int64_t clock)
{
	struct power_job job = { 0 };
	int r;

	if (!power_has(control->power, one->node))
		return FENCE_NOBODY;
	if (one->job) {
		r = power_result(control->power, one->job, &job);
		if (r == -EAGAIN)
			return FENCE_WAITS;
		one->job = 0;
		if (!r && !job.failed && job.state == POWER_STATE_OFF)
			return FENCE_OFF;
	}
	if (one->tries == FENCE_TRIES)
		return FENCE_FAILED;
	use_power(control, one, clock);
	return FENCE_WAITS;
}

static int tell_fence(struct control *control, const struct replacement *one, enum fence fence)
{
	const char *name = dispatch_name(control, one->node);

	if (fence == FENCE_OFF)
		return control_event(control, time(NULL), one->node, SEVERITY_NOTICE, "fenced", NULL, "%s has failed, and its power is off", name);
	return control_event(control, time(NULL), one->node, SEVERITY_ALARM, "not-fenced", NULL,
			     "%s has failed and %s; the balancer sends it nobody, and what it may still do elsewhere isn't known", name,
			     fence == FENCE_NOBODY ? "has no power control: `repave node power set`" : "its power couldn't be switched off");
}

/* The spare goes to work, and the failed one leaves the group: it is none of the group's any more when it comes back. */
static int swap(struct control *control, const struct replacement *one, enum fence fence)
{
	struct node *node = fleet_get(control->fleet, one->node), *spare = fleet_get(control->fleet, one->spare);
	char by[RESTART_BY_MOST + 1], reason[REASON_MOST + 1], why[ERROR_TEXT] = "";
	struct deed_order order = { .by = by, .reason = reason, .urgency = URGENCY_EVICT, .grace = -1 };
	uint64_t restart = 0;
	struct deeds deeds;
	int r = deeds_begin(&deeds, control);

	if (r < 0)
		return r;
	snprintf(by, sizeof by, "rule %s", one->rule);
	snprintf(reason, sizeof reason, "instead of %.80s, which failed", dispatch_name(control, one->node));
	r = tell_fence(control, one, fence);
	if (!r)
		r = dispatch_save_node(&deeds.saved, node);
	if (!r)
		r = place_node(control, one->node, NULL, time(NULL), why);
	if (!r)
		r = balancer_want(control, one->node, BALANCER_READY);
	if (!r)
		r = deed_join(&deeds, spare, one->group, &order, &restart, why);
	if (!r)
		r = journal_follow(control, one->row, restart ? JOURNAL_GRANTED : JOURNAL_DONE, restart);
	if (!r)
		r = store_put_memory(control->store, KIND, one->node, NULL);
	r = deeds_end(&deeds, r);
	return r < 0 ? log_error(r, "%s can't stand in for %s: %s", one->spare, one->node, why) : 0;
}

/* It isn't to be any more, or can't be: what is to be done is decided anew. */
static int give_up(struct control *control, const struct replacement *one, enum journal_state state)
{
	struct node *node = fleet_get(control->fleet, one->node);
	struct deeds deeds;
	int r = deeds_begin(&deeds, control);

	if (r < 0)
		return r;
	if (node)
		r = dispatch_save_node(&deeds.saved, node);
	if (!r && node)
		r = balancer_want(control, one->node, BALANCER_READY);
	if (!r)
		r = journal_follow(control, one->row, state, 0);
	if (!r)
		r = store_put_memory(control->store, KIND, one->node, NULL);
	return deeds_end(&deeds, r);
}

/* True when it is over. */
static bool look(struct control *control, struct replacement *one)
{
	const struct node *node = fleet_get(control->fleet, one->node), *spare = fleet_get(control->fleet, one->spare);
	enum fence fence;
	int r;

	if (!node || strcmp(node->group, one->group) || !spare || !spare->spare || spare->restart || spare->life.state != LIFE_SPARE)
		return give_up(control, one, JOURNAL_FAILED) == 0;
	/* Heard again before anything was done about its power. */
	if (node->life.state != LIFE_FAILED && !one->acted)
		return give_up(control, one, JOURNAL_CANCELLED) == 0;
	fence = look_at_fence(control, one, dispatch_clock());
	if (fence == FENCE_WAITS)
		return false;
	r = swap(control, one, fence);
	return !r || (r != -EIO && r != -ENOMEM && give_up(control, one, JOURNAL_FAILED) == 0);
}

bool replacements_look(struct control *control, struct replacements *all)
{
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++)
		if (!look(control, &all->items[i]))
			all->items[kept++] = all->items[i];
	all->count = kept;
	return kept > 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/campaign-view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/decider.h"
#include "control/dispatch.h"
#include "control/reimage-plan.h"
#include "control/report.h"

#define LATE_SECONDS 86400 /* how far beyond a deadline a plan looks: so that who misses it is told by how much */

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static json_t *time_or_null(int64_t seconds)
{
	return seconds ? json_integer((json_int_t)seconds) : json_null();
}

/* The keys of a set; null for everything. */
static json_t *list_names(json_t *names)
{
	json_t *list = names ? json_array() : json_null(), *value;
	const char *name;

	json_object_foreach(names, name, value)
		json_array_append_new(list, json_string(name));
	return list;
}

json_t *campaign_describe(const struct campaign *c)
{
	return json_pack("{sI so ss so so so sI sI so sf sb sb ss so}", "id", (json_int_t)c->id, "name", text_or_null(c->name), "by", c->by, "reason",
			 text_or_null(c->reason), "groups", list_names(c->groups), "nodes", list_names(c->nodes), "began", (json_int_t)c->began,
			 "deadline", (json_int_t)c->deadline, "ended", time_or_null(c->ended), "serving", c->serving, "forced", (int)c->forced,
			 "windows", (int)c->in_windows, "state", campaign_state_name(c->state), "note", text_or_null(c->note));
}

json_t *exemption_describe(const struct control *control, const struct exemption *e)
{
	const struct node *node = fleet_get(control->fleet, e->node);

	return json_pack("{sI ss so ss ss sI sI so}", "id", (json_int_t)e->id, "node", e->node, "name",
			 text_or_null(node ? assignment_host_name(&node->assignment) : NULL), "by", e->by, "reason", e->reason, "since",
			 (json_int_t)e->since, "until", (json_int_t)e->until, "ended", time_or_null(e->ended));
}

/* ------------------------------------------------------------------ plans */

static int compare_id(const void *id, const void *node)
{
	return strcmp(id, ((const struct seen_node *)node)->id);
}

/* Who stands in for another one is a spare that is taken, until that one is back. Nodes are in the order of their ids. */
static void give_back_spares(struct control *control, struct fleet_snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->seen.node_count; i++) {
		const struct restart_record *restart = dispatch_of(control, snapshot->nodes[i].id);
		struct seen_node *spare = restart && restart->spare[0] ? bsearch(restart->spare, snapshot->nodes, snapshot->seen.node_count,
										 sizeof *snapshot->nodes, compare_id) : NULL;

		if (!spare)
			continue;
		spare->group = DECIDE_NOBODY;
		spare->life = LIFE_SPARE;
		spare->taken = true;
		spare->busy = false;
	}
}

/* As decisions would see the fleet if this campaign ran. */
static int draw(struct control *control, const struct campaign *campaign, int64_t now, struct fleet_snapshot *ret_snapshot)
{
	const struct group_list *groups = fleet_groups(control->fleet);
	int r = decider_snapshot(control, now, ret_snapshot);

	if (r < 0)
		return r;
	give_back_spares(control, ret_snapshot);
	campaigns_mark(control, campaign, now, ret_snapshot->nodes, ret_snapshot->seen.node_count);
	/* Windows open and close as the plan goes on. */
	for (size_t i = 0; i < groups->count; i++)
		ret_snapshot->groups[i].policy.calendar = groups->items[i].policy.calendar;
	return 0;
}

static json_t *describe_planned(struct control *control, const struct fleet_snapshot *picture, const struct reimage_plan *plan,
				const struct campaign *campaign, size_t i, int64_t now)
{
	const struct node *node = fleet_node(control->fleet, i);
	const struct planned *item = &plan->items[i];
	const char *spare = item->spare == DECIDE_NOBODY ? NULL : picture->nodes[item->spare].name;
	enum reach reach = campaign ? campaign_reach(control, campaign, node, now) : REACH_NONE;
	const struct exemption *exemption = exemption_of(control, node->id, now);

	return json_pack("{ss so so so so so so so so so sb so so}", "node", node->id, "name", text_or_null(picture->nodes[i].name), "group",
			 text_or_null(node->group), "state", campaign ? json_string(reach_name(reach)) : json_null(), "first",
			 time_or_null(item->first), "second", time_or_null(item->second), "begins", time_or_null(item->begins), "ends",
			 time_or_null(item->ends), "urgency", item->begins ? json_string(restart_urgency_name(item->urgency)) : json_null(), "spare",
			 spare && !spare[0] ? json_string(picture->nodes[item->spare].id) : text_or_null(spare), "below", (int)item->below,
			 "reason", text_or_null(item->reason), "exempt_until", time_or_null(exemption ? exemption->until : 0));
}

static json_t *list_planned(struct control *control, const struct fleet_snapshot *picture, const struct reimage_plan *plan,
			    const struct campaign *campaign, int64_t now)
{
	json_t *list = json_array();

	for (size_t i = 0; i < plan->count; i++)
		if (!campaign || campaign_reach(control, campaign, fleet_node(control->fleet, i), now) != REACH_NONE)
			json_array_append_new(list, describe_planned(control, picture, plan, campaign, i, now));
	return list;
}

/* A plan with its nodes; `*ret_ends` is when the last one is over, 0 when one never is. */
static int look_ahead(struct control *control, const struct campaign *campaign, int64_t now, struct reimage_plan *ret_plan, json_t **ret_nodes)
{
	int64_t until = now + PLAN_SECONDS;
	struct fleet_snapshot picture;
	int r = draw(control, campaign, now, &picture);

	if (r < 0)
		return r;
	if (campaign)
		until = (campaign->deadline > now ? campaign->deadline : now) + LATE_SECONDS;
	r = reimage_plan(&picture.seen, campaign, until, ret_plan);
	if (!r)
		*ret_nodes = list_planned(control, &picture, ret_plan, campaign, now);
	fleet_snapshot_release(&picture);
	return r;
}

json_t *campaign_describe_plan(struct control *control, const struct campaign *campaign, int64_t now)
{
	struct reimage_plan plan = { 0 };
	json_t *nodes = NULL, *all;
	bool holds;

	if (look_ahead(control, campaign, now, &plan, &nodes) < 0)
		return NULL;
	holds = campaign && !plan.left && plan.ends <= campaign->deadline;
	all = json_pack("{sI sI so so so sI sI so}", "now", (json_int_t)now, "until", (json_int_t)plan.until, "campaign",
			campaign ? campaign_describe(campaign) : json_null(), "ends", time_or_null(plan.ends), "holds",
			campaign ? json_boolean(holds) : json_null(), "begun", (json_int_t)plan.begun, "below", (json_int_t)plan.below, "nodes", nodes);
	reimage_plan_release(&plan);
	return all;
}

/* ------------------------------------------------------------------ how far it is */

static json_t *count_reaches(const struct control *control, const struct campaign *campaign, int64_t now)
{
	static const char *const names[REACHES] = { "", "done", "under_way", "waits", "exempt", "off", "set_aside", "failed" };
	size_t counts[REACHES] = { 0 }, total = 0;
	json_t *object = json_object();

	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		counts[campaign_reach(control, campaign, fleet_node(control->fleet, i), now)]++;
	for (int reach = REACH_NONE + 1; reach < REACHES; reach++) {
		json_object_set_new(object, names[reach], json_integer((json_int_t)counts[reach]));
		total += counts[reach];
	}
	json_object_set_new(object, "total", json_integer((json_int_t)total));
	return object;
}

/* Those under way say at which step. */
static void add_steps(struct control *control, json_t *nodes)
{
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node) {
		const struct restart_record *restart = dispatch_of(control, json_get_string(node, "node"));

		json_object_set_new(node, "step", restart ? json_string(restart_step_name(restart->restart.step)) : json_null());
		json_object_set_new(node, "waits", restart ? text_or_null(restart->waits) : json_null());
	}
}

json_t *campaign_describe_state(struct control *control, const struct campaign *campaign, int64_t now)
{
	json_t *all = campaign_describe(campaign), *plan = NULL, *nodes = NULL;

	/* Of one that is over only what was is true: its nodes were reimaged since for other reasons. */
	if (campaign->state == CAMPAIGN_RUNNING || campaign->state == CAMPAIGN_STOPPED) {
		plan = campaign_describe_plan(control, campaign, now);
		nodes = json_incref(json_object_get(plan, "nodes"));
		add_steps(control, nodes);
	}
	json_object_set_new(all, "counts", count_reaches(control, campaign, now));
	json_object_set_new(all, "now", json_integer((json_int_t)now));
	json_object_set_new(all, "ends", plan ? json_incref(json_object_get(plan, "ends")) : json_null());
	json_object_set_new(all, "holds", plan ? json_incref(json_object_get(plan, "holds")) : json_null());
	json_object_set_new(all, "node_states", nodes ? nodes : json_null());
	json_decref(plan);
	return all;
}

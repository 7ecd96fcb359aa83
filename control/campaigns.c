// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/campaigns.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/decider.h"
#include "control/dispatch.h"
#include "control/journal.h"
#include "control/lifecycle.h"
#include "control/store-campaigns.h"

struct campaigns {
	bool runs;
	struct campaign running;
	struct exemption *exemptions; /* that hold; owned */
	size_t count, room;
	json_t *places;               /* owned; node id: its place in that */
};

static const char *const reaches[REACHES] = { "none", "done", "under way", "waits", "exempt", "off", "set aside", "failed" };

const char *reach_name(enum reach reach)
{
	return reaches[reach];
}

/* ------------------------------------------------------------------ loading */

static int adopt_exemption(struct campaigns *campaigns, const struct exemption *exemption)
{
	if (campaigns->count == campaigns->room) {
		struct exemption *grown = reallocarray(campaigns->exemptions, campaigns->room + 64, sizeof *grown);

		if (!grown)
			return -ENOMEM;
		campaigns->exemptions = grown;
		campaigns->room += 64;
	}
	if (json_object_set_new(campaigns->places, exemption->node, json_integer((json_int_t)campaigns->count)) < 0)
		return -ENOMEM;
	campaigns->exemptions[campaigns->count++] = *exemption;
	return 0;
}

static void drop_exemption(struct campaigns *campaigns, size_t at)
{
	json_object_del(campaigns->places, campaigns->exemptions[at].node);
	campaigns->exemptions[at] = campaigns->exemptions[--campaigns->count];
	if (at < campaigns->count)
		json_integer_set(json_object_get(campaigns->places, campaigns->exemptions[at].node), (json_int_t)at);
}

static int take_exemption(void *context, const struct exemption *exemption)
{
	return adopt_exemption(context, exemption);
}

static int take_campaign(void *context, struct campaign *campaign)
{
	struct campaigns *campaigns = context;

	if (campaign->state == CAMPAIGN_RUNNING && !campaigns->runs) {
		campaigns->runs = true;
		campaigns->running = *campaign;
	} else {
		campaign_release(campaign);
	}
	return 0;
}

int campaigns_load(struct control *control, struct campaigns **ret_campaigns)
{
	struct campaigns *campaigns = calloc(1, sizeof *campaigns);
	int r = -ENOMEM;

	if (campaigns)
		campaigns->places = json_object();
	if (campaigns && campaigns->places)
		r = store_each_campaign(control->store, 0, CAMPAIGNS_KEPT, take_campaign, campaigns);
	if (!r)
		r = store_each_exemption(control->store, true, EXEMPTIONS_KEPT, take_exemption, campaigns);
	if (r < 0) {
		campaigns_free(campaigns);
		return r;
	}
	if (campaigns->runs)
		log_info("campaign %llu goes on", (unsigned long long)campaigns->running.id);
	*ret_campaigns = campaigns;
	return 0;
}

void campaigns_free(struct campaigns *campaigns)
{
	if (!campaigns)
		return;
	campaign_release(&campaigns->running);
	free(campaigns->exemptions);
	json_decref(campaigns->places);
	free(campaigns);
}

/* ------------------------------------------------------------------ what is */

const struct campaign *campaigns_running(const struct control *control)
{
	return control->campaigns && control->campaigns->runs ? &control->campaigns->running : NULL;
}

const struct exemption *exemption_of(const struct control *control, const char *node, int64_t now)
{
	const struct campaigns *campaigns = control->campaigns;
	const json_t *place = campaigns ? json_object_get(campaigns->places, node) : NULL;
	const struct exemption *exemption = place ? &campaigns->exemptions[json_integer_value(place)] : NULL;

	return exemption && now < exemption->until ? exemption : NULL;
}

bool exemption_holds(const struct control *control, const struct node *node, int64_t now)
{
	return exemption_of(control, node->id, now) != NULL;
}

/* Within the second in which it was ordered a boot may have been before it: that one is done again. */
static bool was_started_since(const struct node *node, int64_t began)
{
	return node->booted_once && node->boot.started > began && (node->boot.event == BOOT_KEXEC || node->boot.event == BOOT_RESET);
}

enum reach campaign_reach(const struct control *control, const struct campaign *campaign, const struct node *node, int64_t now)
{
	const struct restart_record *restart = dispatch_of(control, node->id);

	if (!campaign_covers(campaign, node->id, node->group))
		return REACH_NONE;
	if (was_started_since(node, campaign->began))
		return restart && restart->restart.kind == RESTART_REIMAGE ? REACH_UNDER_WAY : REACH_DONE;
	if (restart || node->life.state == LIFE_BOOTING || node->life.state == LIFE_REBOOTING)
		return REACH_UNDER_WAY;
	switch (node->life.state) {
	case LIFE_FAILED:
		return REACH_FAILED;
	case LIFE_ENROLLED:
	case LIFE_QUARANTINED:
	case LIFE_MAINTENANCE:
		return REACH_ASIDE;
	default:
		break;
	}
	if (exemption_holds(control, node, now))
		return REACH_EXEMPT;
	return node->life.state == LIFE_SPARE && !node->live ? REACH_OFF : REACH_WAITS;
}

void campaigns_mark(const struct control *control, const struct campaign *campaign, int64_t now, struct seen_node *nodes, size_t node_count)
{
	for (size_t i = 0; i < node_count; i++) {
		const struct node *node = fleet_get(control->fleet, nodes[i].id);
		enum reach reach = node && campaign ? campaign_reach(control, campaign, node, now) : REACH_NONE;

		nodes[i].exempt = node && exemption_holds(control, node, now);
		nodes[i].due = reach == REACH_WAITS || reach == REACH_UNDER_WAY ? 0 : NAN;
	}
}

int campaigns_fill(const struct control *control, int64_t now, struct seen_group *groups, size_t group_count, struct seen_node *nodes,
		   size_t node_count)
{
	const struct campaign *campaign = campaigns_running(control);

	int r;

	campaigns_mark(control, campaign, now, nodes, node_count);
	if (!campaign)
		return 0;
	r = campaign_see(campaign, now, groups, group_count, nodes, node_count);
	for (size_t i = 0; i < group_count; i++) {
		const struct group *group = group_list_find(fleet_groups(control->fleet), groups[i].name);

		groups[i].serving_least = group ? group->serving_least : 0;
	}
	return r;
}

/* For restarts, which look several times a second. */
static void set_shares(struct control *control)
{
	const struct campaign *campaign = campaigns_running(control);
	const struct group_list *groups = fleet_groups(control->fleet);

	for (size_t i = 0; i < groups->count; i++)
		groups->items[i].serving_least = 0;
	for (size_t i = 0; campaign && i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		const struct node *spare = node->restart && node->restart->spare[0] ? fleet_get(control->fleet, node->restart->spare) : NULL;
		struct group *group = node->group[0] ? group_list_find(groups, node->group) : NULL;

		/* Members, for now; but whoever stands in for one makes no more of them. */
		if (group && !(spare && !strcmp(spare->group, node->group)))
			group->serving_least++;
	}
	for (size_t i = 0; i < groups->count; i++)
		groups->items[i].serving_least = campaign ? campaign_share(campaign, groups->items[i].serving_least) : 0;
}

/* ------------------------------------------------------------------ what people order */

/* In place of host names and beginnings of ids, which may mean another node tomorrow. */
static int resolve_nodes(const struct control *control, struct campaign *campaign, char error[ERROR_TEXT])
{
	json_t *ids = json_object(), *value;
	const struct node *node;
	const char *name;
	int r = ids ? 0 : -ENOMEM;

	json_object_foreach(campaign->nodes, name, value) {
		if (!r)
			r = fleet_find(control->fleet, name, &node, error);
		if (!r && json_object_set_new(ids, node->id, json_true()) < 0)
			r = -ENOMEM;
	}
	if (r < 0) {
		json_decref(ids);
		return r;
	}
	json_decref(campaign->nodes);
	campaign->nodes = ids;
	return 0;
}

int campaigns_parse(const struct control *control, const json_t *body, const char *by, int64_t now, struct campaign *ret_campaign,
		    char ret_error[ERROR_TEXT])
{
	int r = campaign_parse(body, by, now, ret_campaign, ret_error);
	const char *name;
	json_t *value;

	if (r < 0)
		return r;
	json_object_foreach(ret_campaign->groups, name, value)
		if (!r && !group_list_find(fleet_groups(control->fleet), name)) {
			snprintf(ret_error, ERROR_TEXT, "there is no group %.63s; `repave group list` shows them", name);
			r = -ENOENT;
		}
	if (!r && ret_campaign->nodes)
		r = resolve_nodes(control, ret_campaign, ret_error);
	if (r < 0)
		campaign_release(ret_campaign);
	return r;
}

/* "campaign 3 (openssh)" */
static void name_campaign(const struct campaign *campaign, char ret_name[CAMPAIGN_NAME_MOST + 48])
{
	snprintf(ret_name, CAMPAIGN_NAME_MOST + 48, "campaign %llu%s%s%s", (unsigned long long)campaign->id, campaign->name[0] ? " (" : "",
		 campaign->name, campaign->name[0] ? ")" : "");
}

/* What a person (or, for `by` NULL, the course of things) decided, among the decisions of rules. Within a transaction. */
static int note(struct control *control, const char *by, const char *action, const char *node, const char *reason, int64_t now)
{
	char origin[CAMPAIGN_BY_MOST + 16];
	uint64_t row;
	struct journal_entry entry = { .time = now, .origin = origin, .rule = "", .action = action, .verdict = "do", .urgency = "", .node = node,
				       .group = "", .spare = "", .reason = reason, .state = JOURNAL_DONE };

	snprintf(origin, sizeof origin, "%s%s", by ? "operator " : "plan", by ? by : "");
	return journal_add(control, &entry, &row);
}

/* Stores it with an event and its row in the journal, all or nothing. */
static int store_with_event(struct control *control, struct campaign *campaign, enum severity severity, const char *kind, const char *by,
			    const char *what, int64_t now)
{
	char name[CAMPAIGN_NAME_MOST + 48], reason[ERROR_TEXT];
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_put_campaign(control->store, campaign);
	name_campaign(campaign, name);
	if (!r)
		r = control_event(control, now, "", severity, kind, json_pack("{sI sI}", "campaign", (json_int_t)campaign->id, "deadline",
									      (json_int_t)campaign->deadline), "%s %s", name, what);
	snprintf(reason, sizeof reason, "%s %s", name, what);
	if (!r)
		r = note(control, by, "reimage", "", reason, now);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

int campaigns_start(struct control *control, struct campaign *campaign, int64_t now, char ret_error[ERROR_TEXT])
{
	struct campaigns *all = control->campaigns;
	char what[CAMPAIGN_BY_MOST + REASON_MOST + 32];
	int r;

	if (all->runs) {
		snprintf(ret_error, ERROR_TEXT, "campaign %llu runs; `repave reimage stop` stops it first", (unsigned long long)all->running.id);
		campaign_release(campaign);
		return -EBUSY;
	}
	snprintf(what, sizeof what, "was started by %s%s%s", campaign->by, campaign->reason[0] ? ": " : "", campaign->reason);
	r = store_with_event(control, campaign, SEVERITY_NOTICE, "campaign", campaign->by, what, now);
	if (r < 0) {
		campaign_release(campaign);
		return r;
	}
	all->running = *campaign;
	all->runs = true;
	set_shares(control);
	decider_wake(control);
	return 0;
}

/* What rules began since the campaign, as far as it can still be undone. */
static size_t cancel_begun(struct control *control, const struct campaign *campaign, const char *by)
{
	size_t cancelled = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		const struct restart_record *restart = dispatch_of(control, node->id), *ended;
		char why[ERROR_TEXT];

		if (!restart || restart->restart.kind != RESTART_REIMAGE || strncmp(restart->by, "rule", 4) ||
		    restart->started / 1000 < campaign->began || !campaign_covers(campaign, node->id, node->group))
			continue;
		cancelled += dispatch_cancel(control, node->id, by, &ended, why) == 0;
	}
	return cancelled;
}

int campaigns_stop(struct control *control, uint64_t id, const char *by, bool cancels, int64_t now, size_t *ret_cancelled,
		   uint64_t *ret_id, char ret_error[ERROR_TEXT])
{
	struct campaigns *all = control->campaigns;
	struct campaign stopped = all->running;
	char what[CAMPAIGN_BY_MOST + 32];
	int r;

	if (!all->runs || (id && id != stopped.id)) {
		snprintf(ret_error, ERROR_TEXT, "no such campaign runs; `repave reimage list` shows them");
		return -ENOENT;
	}
	stopped.state = CAMPAIGN_STOPPED;
	snprintf(stopped.note, sizeof stopped.note, "stopped by %s", by);
	snprintf(what, sizeof what, "was stopped by %s", by);
	r = store_with_event(control, &stopped, SEVERITY_NOTICE, "campaign", by, what, now);
	if (r < 0)
		return r;
	all->runs = false;
	set_shares(control);
	*ret_id = stopped.id;
	*ret_cancelled = cancels ? cancel_begun(control, &stopped, by) : 0;
	campaign_release(&all->running);
	return 0;
}

struct search {
	bool found;
	struct campaign campaign;
};

static int find_stopped(void *context, struct campaign *campaign)
{
	struct search *search = context;

	if (search->found || campaign->state != CAMPAIGN_STOPPED) {
		campaign_release(campaign);
		return 0;
	}
	search->campaign = *campaign;
	search->found = true;
	return 0;
}

int campaigns_resume(struct control *control, uint64_t id, int64_t deadline, const char *by, int64_t now, uint64_t *ret_id,
		     char ret_error[ERROR_TEXT])
{
	struct campaigns *all = control->campaigns;
	struct search search = { 0 };
	char what[CAMPAIGN_BY_MOST + 32];
	int r;

	if (all->runs) {
		snprintf(ret_error, ERROR_TEXT, "campaign %llu runs", (unsigned long long)all->running.id);
		return -EBUSY;
	}
	if (deadline && (deadline <= now || deadline - now > CAMPAIGN_SECONDS_MOST))
		return refused(ret_error, "the deadline must lie ahead, and within a year");
	r = store_each_campaign(control->store, id, CAMPAIGNS_KEPT, find_stopped, &search);
	if (!r && !search.found) {
		snprintf(ret_error, ERROR_TEXT, "no such campaign was stopped; `repave reimage list` shows them");
		r = -ENOENT;
	}
	if (!r) {
		search.campaign.state = CAMPAIGN_RUNNING;
		search.campaign.note[0] = '\0';
		if (deadline) {
			search.campaign.deadline = deadline;
			search.campaign.told_late = false;
		}
		snprintf(what, sizeof what, "goes on by order of %s", by);
		r = store_with_event(control, &search.campaign, SEVERITY_NOTICE, "campaign", by, what, now);
	}
	if (r < 0) {
		campaign_release(&search.campaign);
		return r;
	}
	all->running = search.campaign;
	all->runs = true;
	set_shares(control);
	*ret_id = search.campaign.id;
	decider_wake(control);
	return 0;
}

/* ------------------------------------------------------------------ exemptions */

/* Within a transaction. */
static int store_end(struct control *control, const struct exemption *exemption, const char *by, const char *why, int64_t now)
{
	struct exemption ended = *exemption;
	char reason[ERROR_TEXT];
	int r;

	ended.ended = now;
	snprintf(reason, sizeof reason, "its exemption from reimages by %s (%s) %s", ended.by, ended.reason, why);
	r = store_put_exemption(control->store, &ended);
	if (!r)
		r = control_event(control, now, ended.node, SEVERITY_NOTICE, "exemption", NULL, "%s", reason);
	return r ? r : note(control, by, "exempt", ended.node, reason, now);
}

static int end_exemption(struct control *control, size_t at, const char *by, const char *why, int64_t now)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_end(control, &control->campaigns->exemptions[at], by, why, now);
	if (r < 0) {
		store_rollback(control->store);
		return r;
	}
	r = store_commit(control->store);
	if (!r)
		drop_exemption(control->campaigns, at);
	return r;
}

static int find_exemption(const struct control *control, const char *node, size_t *ret_at)
{
	const json_t *place = json_object_get(control->campaigns->places, node);

	*ret_at = (size_t)json_integer_value(place);
	return place ? 0 : -ENOENT;
}

int exemptions_add(struct control *control, struct exemption *exemption, int64_t now)
{
	struct campaigns *all = control->campaigns;
	size_t at;
	bool replaces = !find_exemption(control, exemption->node, &at);
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = replaces ? store_end(control, &all->exemptions[at], exemption->by, "was replaced", now) : 0;
	if (!r)
		r = store_put_exemption(control->store, exemption);
	if (!r)
		r = control_event(control, now, exemption->node, SEVERITY_NOTICE, "exemption", json_pack("{sI}", "until", (json_int_t)exemption->until),
				  "exempt from reimages by %s: %s", exemption->by, exemption->reason);
	if (!r)
		r = note(control, exemption->by, "exempt", exemption->node, exemption->reason, now);
	if (r < 0) {
		store_rollback(control->store);
		return r;
	}
	r = store_commit(control->store);
	if (!r && replaces)
		drop_exemption(all, at);
	/* Stored, and without memory for it taken up at the next start. */
	return r ? r : adopt_exemption(all, exemption);
}

int exemptions_end(struct control *control, const char *node, const char *by, int64_t now, char ret_error[ERROR_TEXT])
{
	char why[CAMPAIGN_BY_MOST + 32];
	size_t at;

	if (find_exemption(control, node, &at) < 0) {
		snprintf(ret_error, ERROR_TEXT, "it isn't exempt; `repave reimage exempt --list` shows who is");
		return -ENOENT;
	}
	snprintf(why, sizeof why, "was ended by %s", by);
	return end_exemption(control, at, by, why, now);
}

/* ------------------------------------------------------------------ as time goes by */

static void end_if_done(struct control *control, int64_t now)
{
	struct campaigns *all = control->campaigns;
	struct campaign ended = all->running;
	size_t counts[REACHES] = { 0 };

	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		counts[campaign_reach(control, &ended, fleet_node(control->fleet, i), now)]++;
	if (counts[REACH_WAITS] || counts[REACH_UNDER_WAY])
		return;
	ended.state = counts[REACH_FAILED] ? CAMPAIGN_FAILED : CAMPAIGN_DONE;
	ended.ended = now;
	snprintf(ended.note, sizeof ended.note, "%zu reimaged, %zu exempt, %zu off, %zu set aside, %zu failed%s", counts[REACH_DONE],
		 counts[REACH_EXEMPT], counts[REACH_OFF], counts[REACH_ASIDE], counts[REACH_FAILED], now > ended.deadline ? "; late" : "");
	if (store_with_event(control, &ended, counts[REACH_FAILED] ? SEVERITY_WARNING : SEVERITY_NOTICE, "campaign", NULL, ended.note, now) < 0)
		return;
	all->runs = false;
	campaign_release(&all->running);
}

static void tell_late(struct control *control, int64_t now)
{
	struct campaign told = control->campaigns->running;

	if (told.told_late || now <= told.deadline)
		return;
	told.told_late = true;
	if (!store_with_event(control, &told, SEVERITY_ALARM, "campaign-late", NULL, "isn't done at its deadline; `repave reimage status` shows why", now))
		control->campaigns->running.told_late = true;
}

void campaigns_round(struct control *control)
{
	struct campaigns *all = control->campaigns;
	int64_t now = control_lock(control);

	for (size_t i = all ? all->count : 0; i-- > 0;)
		if (now >= all->exemptions[i].until)
			end_exemption(control, i, NULL, "has expired", now);
	if (all && all->runs)
		tell_late(control, now);
	if (all && all->runs)
		end_if_done(control, now);
	if (all)
		set_shares(control);
	control_leave(control);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Collects the report on reimages: from boots, restarts, policies, exemptions and the running campaign. */
#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "control/campaign-view.h"
#include "control/dispatch.h"
#include "control/report.h"
#include "control/store-campaigns.h"

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static json_t *time_text(int64_t seconds)
{
	char text[32];

	report_time(seconds, text);
	return text_or_null(text);
}

/* ------------------------------------------------------------------ its last boot that arrived */

/* The root hash that stage 1 reported for the target; null without. */
static json_t *root_hash_of(const json_t *images, const char *target)
{
	const json_t *image;
	size_t i;

	json_array_foreach(json_iterable(images), i, image) {
		const char *named = json_get_string(image, "target");

		if (named && target[0] && !strcmp(named, target))
			return text_or_null(json_get_string(image, "root_hash"));
	}
	return json_null();
}

struct last {
	int64_t at;                /* 0: none */
	json_t *members;           /* owned */
};

static void take_boot(struct last *last, const struct boot *boot)
{
	last->at = boot->started;
	last->members = json_pack("{so so so so}", "os", text_or_null(boot->os_target), "app", text_or_null(boot->app_target), "os_root_hash",
				  root_hash_of(boot->images, boot->os_target), "app_root_hash", root_hash_of(boot->images, boot->app_target));
}

static bool has_arrived(const struct boot *boot)
{
	return boot->event == BOOT_KEXEC || boot->event == BOOT_RESET;
}

static int look_at_boot(void *context, struct boot *boot)
{
	struct last *last = context;

	if (!last->at && has_arrived(boot))
		take_boot(last, boot);
	boot_release(boot);
	return 0;
}

static void find_last(struct control *control, const struct node *node, struct last *ret_last)
{
	*ret_last = (struct last){ 0 };
	if (node->booted_once && has_arrived(&node->boot))
		take_boot(ret_last, &node->boot);
	else if (node->booted_once)
		store_each_boot(control->store, node->id, BOOTS_KEPT, look_at_boot, ret_last);
}

/* ------------------------------------------------------------------ why */

struct cause {
	int64_t at;
	const json_t *campaigns;   /* newest first */
	json_t *members;
};

/* "campaign 3 (openssh): CVE-2026-1": a rule's own reason is what it measured, which an auditor doesn't ask for. */
static json_t *campaign_reason(const json_t *campaigns, int64_t at)
{
	const json_t *campaign;
	size_t i;

	json_array_foreach(json_iterable(campaigns), i, campaign) {
		const char *name = json_get_string(campaign, "name"), *reason = json_get_string(campaign, "reason");
		json_int_t ended = json_integer_value(json_object_get(campaign, "ended"));

		if (json_integer_value(json_object_get(campaign, "began")) <= at && (!ended || ended >= at))
			return json_sprintf("campaign %lld%s%s%s%s%s", (long long)json_integer_value(json_object_get(campaign, "id")), name ? " (" : "",
					    name ? name : "", name ? ")" : "", reason ? ": " : "", reason ? reason : "");
	}
	return NULL;
}

static json_t *reason_of(const struct cause *cause, const struct restart_record *record)
{
	bool is_campaign = !strcmp(record->by, "rule campaign") || !strcmp(record->by, "rule deadline");
	json_t *reason = is_campaign ? campaign_reason(cause->campaigns, record->started / 1000) : NULL;

	return reason ? reason : json_string(record->reason[0] ? record->reason : restart_kind_name(record->restart.kind));
}

/* The restart in whose course that boot began; 1 ends the search. */
static int look_at_restart(void *context, struct restart_record *record)
{
	struct cause *cause = context;
	int64_t at = cause->at;
	bool is_it = record->started / 1000 <= at && (!record->ended || record->ended / 1000 >= at);
	bool is_past = record->ended && record->ended / 1000 < at;

	if (is_it)
		cause->members = json_pack("{ss so sI}", "by", record->by, "reason", reason_of(cause, record), "restart", (json_int_t)record->id);
	restart_record_release(record);
	return is_it || is_past;
}

static json_t *find_cause(struct control *control, const struct node *node, const json_t *campaigns, int64_t at)
{
	struct cause cause = { .at = at, .campaigns = campaigns };
	struct restart_filter filter = { .node = node->id, .most = 20 };

	if (at)
		store_each_restart(control->store, &filter, look_at_restart, &cause);
	if (cause.members)
		return cause.members;
	return json_pack("{so so so}", "by", json_null(), "reason", at ? json_string("power-on") : json_null(), "restart", json_null());
}

/* ------------------------------------------------------------------ a node */

static double limit_of(const struct control *control, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);
	double second = group ? group->policy.limits[LIMIT_SECOND] : 0;

	/* When it is due its users have that time to leave. */
	return second > 0 ? second + group->policy.grace : 0;
}

static enum report_verdict judge(const struct control *control, const struct node *node, int64_t at, double limit, int64_t now)
{
	const struct campaign *campaign = campaigns_running(control);
	bool meant = campaign && campaign_covers(campaign, node->id, node->group);
	struct report_facts facts = { .now = now, .reimaged = at, .limit = limit, .deadline = meant ? campaign->deadline : 0,
				      .ordered = meant ? campaign->began : 0, .exempt = exemption_holds(control, node, now),
				      .is_off = node->life.state == LIFE_SPARE && !node->live };

	return report_judge(&facts);
}

static void add_exemption(const struct control *control, const struct node *node, int64_t now, json_t *object)
{
	const struct exemption *exemption = exemption_of(control, node->id, now);

	json_object_set_new(object, "exempt_until", time_text(exemption ? exemption->until : 0));
	json_object_set_new(object, "exempt_by", text_or_null(exemption ? exemption->by : NULL));
	json_object_set_new(object, "exempt_reason", text_or_null(exemption ? exemption->reason : NULL));
}

static json_t *describe(struct control *control, const struct node *node, const json_t *campaigns, int64_t since, int64_t now,
			enum report_verdict *ret_verdict, bool *ret_since)
{
	double limit = limit_of(control, node);
	struct last last;
	json_t *object, *cause;

	find_last(control, node, &last);
	cause = find_cause(control, node, campaigns, last.at);
	*ret_verdict = judge(control, node, last.at, limit, now);
	*ret_since = last.at && last.at >= since;
	object = json_pack("{ss so so ss so so so ss}", "node", node->id, "name", text_or_null(assignment_host_name(&node->assignment)), "group",
			   text_or_null(node->group), "life", life_name(node->life.state), "reimaged", time_text(last.at), "age_s",
			   last.at ? json_integer((json_int_t)(now - last.at)) : json_null(), "limit_s",
			   limit > 0 ? json_integer((json_int_t)limit) : json_null(), "verdict", report_verdict_name(*ret_verdict));
	if (!last.members)
		last.members = json_pack("{sn sn sn sn}", "os", "app", "os_root_hash", "app_root_hash");
	json_object_update(object, last.members);
	json_object_update(object, cause);
	add_exemption(control, node, now, object);
	if (since)
		json_object_set_new(object, "since", json_boolean(*ret_since));
	json_decref(last.members);
	json_decref(cause);
	return object;
}

/* ------------------------------------------------------------------ all of it */

static json_int_t newest_audit(struct control *control)
{
	struct store_filter filter = { .after = -1, .most = 1, .node = "" };
	json_t *list = NULL;
	json_int_t sequence = 0;

	if (!store_list(control->store, STORE_AUDIT, &filter, &list))
		sequence = json_integer_value(json_object_get(json_array_get(list, json_array_size(list) - 1), "sequence"));
	json_decref(list);
	return sequence;
}

static int append(void *context, struct campaign *campaign)
{
	int r = json_array_append_new(context, campaign_describe(campaign));

	campaign_release(campaign);
	return r ? -ENOMEM : 0;
}

json_t *reimage_report(struct control *control, int64_t since, int64_t now)
{
	static const char *const names[REPORT_VERDICTS] = { "within", "overdue", "exempt", "no_limit", "unknown" };
	const struct campaign *campaign = campaigns_running(control);
	json_t *totals = json_object(), *nodes = json_array(), *campaigns = json_array();
	size_t counts[REPORT_VERDICTS] = { 0 }, reimaged_since = 0;

	/* What can't be read stands in no reason. */
	store_each_campaign(control->store, 0, CAMPAIGNS_KEPT, append, campaigns);
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		enum report_verdict verdict;
		bool is_since;

		json_array_append_new(nodes, describe(control, fleet_node(control->fleet, i), campaigns, since, now, &verdict, &is_since));
		counts[verdict]++;
		reimaged_since += is_since;
	}
	json_decref(campaigns);
	for (int verdict = 0; verdict < REPORT_VERDICTS; verdict++)
		json_object_set_new(totals, names[verdict], json_integer((json_int_t)counts[verdict]));
	json_object_set_new(totals, "nodes", json_integer((json_int_t)fleet_count(control->fleet)));
	if (since)
		json_object_set_new(totals, "since", json_integer((json_int_t)reimaged_since));
	return json_pack("{si ss so sI so so so so}", "format", 1, "report", "reimage", "made", time_text(now), "audit", newest_audit(control), "since",
			 time_text(since), "campaign", campaign ? campaign_describe(campaign) : json_null(), "totals", totals, "nodes", nodes);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/alarm.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "control/decider.h"
#include "control/dispatch.h"
#include "control/store-alarms.h"

#define STORMS "alarm_storms"   /* {"GROUP": since} */

static const struct node_alarms none;

static const struct node_alarms *alarms_of(const struct node *node)
{
	return node->alarms ? node->alarms : &none;
}

static int store_alarms(struct control *control, struct node *node, const struct node_alarms *next)
{
	int r = 0;

	if (!node->alarms) {
		node->alarms = calloc(1, sizeof *node->alarms);
		if (!node->alarms)
			return -ENOMEM;
	}
	r = store_put_alarms(control->store, node->id, next);
	if (!r)
		*node->alarms = *next;
	return r;
}

static int take_up(void *context, const char *id, const struct node_alarms *alarms)
{
	struct node *node = fleet_get(((struct control *)context)->fleet, id);

	if (!node)
		return 0;
	node->alarms = calloc(1, sizeof *node->alarms);
	if (!node->alarms)
		return -ENOMEM;
	*node->alarms = *alarms;
	return 0;
}

int alarm_load(struct control *control)
{
	int r = store_each_alarms(control->store, take_up, control);

	if (!r)
		r = store_get_setting(control->store, STORMS, &control->storms);
	if (!r && !control->storms)
		control->storms = json_object();
	return !r && !control->storms ? -ENOMEM : r;
}

/* ------------------------------------------------------------------ one node */

/* What the system that is on its way out still says. */
static bool is_being_cut(const struct node *node, const char *boot_id)
{
	const struct restart_record *record = node->restart;

	return record && record->restart.kind == RESTART_CUT && (!boot_id || !strcmp(record->boot_id, boot_id));
}

int alarm_raise(struct control *control, struct node *node, const char *boot_id, const char *kind, const char *text, int64_t now)
{
	struct node_alarms next = *alarms_of(node);

	if (!alarm_kind_counts(json_object_get(control->decisions.given, "alarms"), kind) || is_being_cut(node, boot_id))
		return 0;
	node_alarms_add(&next, kind, text, now);
	decider_wake(control);
	return store_alarms(control, node, &next);
}

unsigned alarm_pending(const struct node *node)
{
	return alarms_of(node)->pending;
}

unsigned alarm_cuts(const struct node *node, int64_t now)
{
	return node_alarms_cuts(alarms_of(node), now, ALARM_CUTS_SECONDS);
}

unsigned alarm_cuts_within(const struct control *control, const struct node *node, int64_t now)
{
	return node_alarms_cuts(alarms_of(node), now, control->decisions.cuts_within);
}

int alarm_settle(struct control *control, struct node *node)
{
	struct node_alarms next = *alarms_of(node);

	if (!next.pending)
		return 0;
	node_alarms_settle(&next);
	return store_alarms(control, node, &next);
}

int alarm_forget(struct control *control, struct node *node)
{
	int r = node->alarms ? store_put_alarms(control->store, node->id, NULL) : 0;

	if (r < 0)
		return r;
	free(node->alarms);
	node->alarms = NULL;
	return 0;
}

json_t *alarm_describe(const struct node *node, int64_t now)
{
	const struct node_alarms *alarms = node->alarms;
	unsigned cuts = alarm_cuts(node, now);

	if (!alarms || (!alarms->pending && !cuts))
		return json_null();
	return json_pack("{sI sI ss ss sI}", "pending", (json_int_t)alarms->pending, "since", (json_int_t)alarms->since, "kind", alarms->kind, "text",
			 alarms->text, "cuts", (json_int_t)cuts);
}

/* ------------------------------------------------------------------ storms */

int64_t alarm_storm(const struct control *control, const char *group)
{
	return json_integer_value(json_object_get(control->storms, group));
}

static unsigned cuts_of_group(const struct control *control, const char *group, int64_t now)
{
	unsigned cuts = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);

		if (node->alarms && !strcmp(node->group, group))
			cuts += alarm_cuts_within(control, node, now);
	}
	return cuts;
}

/* Of memory only what is stored, too. `since` 0 ends it. */
static int store_storm(struct control *control, const char *group, int64_t since)
{
	json_t *next = json_deep_copy(control->storms);
	int r = next ? 0 : -ENOMEM;

	if (!r && since)
		r = json_object_set_new(next, group, json_integer((json_int_t)since)) < 0 ? -ENOMEM : 0;
	else if (!r)
		json_object_del(next, group);
	if (!r)
		r = store_put_setting(control->store, STORMS, next);
	if (r < 0) {
		json_decref(next);
		return r;
	}
	json_decref(control->storms);
	control->storms = next;
	return 0;
}

static int begin_storm(struct control *control, const struct node *node, int64_t now)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_storm(control, node->group, now);
	if (!r)
		r = control_event(control, now, node->id, SEVERITY_ALARM, "alarm-storm", json_pack("{ss}", "group", node->group),
				  "group %s had %u servers cut off within %u s, and alarms go on: they are left to people now; look at them, then"
				  " `repave group clear %s`", node->group, control->decisions.cuts_most,
				  control->decisions.cuts_within, node->group);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

int alarm_leave_to_people(struct control *control, const struct node *node)
{
	return !node->group[0] || alarm_storm(control, node->group) ? 0 : begin_storm(control, node, time(NULL));
}

static int refuse_storm(struct control *control, const struct node *node, char ret_error[ERROR_TEXT])
{
	int r = alarm_leave_to_people(control, node);

	if (r < 0)
		return r;
	refused(ret_error, "too many alarms in group %s: its servers aren't cut off until a person has looked; `repave group clear %s`",
		node->group, node->group);
	return -EDQUOT;
}

int alarm_clear_storm(struct control *control, const char *group)
{
	int r = 0;

	for (size_t i = 0; !r && i < fleet_count(control->fleet); i++) {
		struct node *node = fleet_at(control->fleet, i);

		if (node->alarms && !strcmp(node->group, group))
			r = alarm_forget(control, node);
	}
	return r < 0 ? r : store_storm(control, group, 0);
}

/* ------------------------------------------------------------------ the cut */

static int cut(struct control *control, struct node *node, const char *by, const char *reason, int64_t now, uint64_t *ret_restart,
	       char ret_error[ERROR_TEXT])
{
	struct restart_wish wish = { .kind = RESTART_CUT, .urgency = URGENCY_EVICT, .limits = restart_limits_default, .by = by };
	const struct restart_record *record = NULL;
	struct node_alarms next = *alarms_of(node);
	char kept[REASON_MOST + 1];
	int r;

	text_copy_printable(reason, REASON_MOST, kept);
	wish.reason = kept;

	wish.limits.evidence = control->decisions.evidence ? ALARM_EVIDENCE_MILLISECONDS : 0;
	r = dispatch_cut(control, node, &wish, &record, ret_error);
	if (r < 0)
		return r;
	*ret_restart = record->id;
	/* It goes on, whether or not this is remembered: then it would be cut once more. */
	node_alarms_settle(&next);
	node_alarms_cut(&next, now);
	return store_alarms(control, node, &next);
}

int alarm_cut(struct control *control, const char *text, const char *by, const char *reason, uint64_t *ret_restart, char ret_error[ERROR_TEXT])
{
	int64_t now = time(NULL);
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	if (r < 0)
		return r;
	/* Without a group it has no users whom the next cut would leave with nothing. */
	if (node->group[0] && control->decisions.cuts_most &&
	    (alarm_storm(control, node->group) || cuts_of_group(control, node->group, now) >= control->decisions.cuts_most))
		return refuse_storm(control, node, ret_error);
	return cut(control, fleet_get(control->fleet, node->id), by, reason, now, ret_restart, ret_error);
}

int alarm_cut_by_person(struct control *control, const char *text, const char *by, const char *reason, uint64_t *ret_restart,
			char ret_error[ERROR_TEXT])
{
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	return r < 0 ? r : cut(control, fleet_get(control->fleet, node->id), by, reason, time(NULL), ret_restart, ret_error);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What people order. */
#include "control/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "control/dispatch-deeds.h"
#include "control/lifecycle.h"

/* Whether what it is to boot is there, after the change (or NULL), which is made at the step "select". */
static int check_images(struct control *control, const struct node *node, const json_t *change, char ret_error[ERROR_TEXT])
{
	const struct image *os, *app;
	struct assignment changed;
	int r = assignment_copy(&node->assignment, &changed);

	if (r < 0)
		return r;
	if (!changed.os[0] && !change)
		r = refused(ret_error, "nothing is assigned to it; `repave assign` first");
	if (!r && change)
		r = assignment_change(&changed, change, ret_error);
	if (!r)
		r = resolve_images(catalogue_images(control->catalogue), changed.os, changed.app[0] ? changed.app : NULL, &os, &app, ret_error);
	assignment_release(&changed);
	return r;
}

/* The same, with the images of the group that it is to join. */
static int check_change(struct control *control, const struct node *node, const struct restart_wish *wish, char ret_error[ERROR_TEXT])
{
	const struct group *to = wish->to ? group_list_find(fleet_groups(control->fleet), wish->to) : NULL;
	json_t *change;
	int r;

	if (!wish->to)
		return check_images(control, node, wish->change, ret_error);
	if (!to)
		return refused(ret_error, "there is no group %.63s", wish->to);
	change = group_assignment(to);
	r = change ? check_images(control, node, change, ret_error) : -ENOMEM;
	json_decref(change);
	return r;
}

static int fill(struct restart_record *record, const struct node *node, const struct restart_wish *wish)
{
	int64_t clock = dispatch_clock();

	*record = (struct restart_record){ .started = dispatch_time(), .clock = clock, .steps = json_array() };
	strcpy(record->node, node->id);
	snprintf(record->by, sizeof record->by, "%s", wish->by);
	snprintf(record->reason, sizeof record->reason, "%s", wish->reason);
	strcpy(record->nonce, node->booted_once ? node->boot.nonce : "");
	strcpy(record->boot_id, node->live ? node->channel.boot_id : "");
	strcpy(record->to, wish->to ? wish->to : "");
	if (wish->change)
		record->change = json_deep_copy(wish->change);
	restart_begin(&record->restart, wish->kind, wish->urgency, &wish->limits, clock);
	record->restart.forced = wish->forced;
	return record->steps && (record->change || !wish->change) ? 0 : -ENOMEM;
}

static int store_new(struct control *control, struct restart_record *record)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_put_restart(control->store, record);
	if (!r)
		r = control_event(control, time(NULL), record->node, SEVERITY_NOTICE, "restart",
				  json_pack("{sI ss}", "restart", (json_int_t)record->id, "step", "begin"), "%s %s, urgency %s, ordered by %s%s%s",
				  restart_kind_name(record->restart.kind), dispatch_name(control, record->node),
				  restart_urgency_name(record->restart.urgency), record->by, record->reason[0] ? ": " : "", record->reason);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

/* Of a spare that was switched off no agent is missed until it has booted. */
static int expect_silence(struct control *control, const char *id, enum restart_kind kind)
{
	struct node *node = fleet_get(control->fleet, id);

	if (kind == RESTART_RELEASE || node->life.state != LIFE_BOOTING || lifecycle_silence(control, node) < SILENT_INTERVALS)
		return 0;
	return lifecycle_move(control, node, LIFE_OFF, time(NULL), "it is off, and is being started");
}

int dispatch_begin(struct control *control, const char *text, const struct restart_wish *wish, const struct restart_record **ret_record,
		   char ret_error[ERROR_TEXT])
{
	struct restart_record record, *added = NULL;
	const struct restart_record *present;
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	if (r < 0)
		return r;
	present = node->restart;
	if (present) {
		snprintf(ret_error, ERROR_TEXT, "a %s of %s is under way since %.0f s (step %s); `repave node urgency` hurries it, `repave node cancel`"
			 " ends it", restart_kind_name(present->restart.kind), dispatch_name(control, node->id),
			 (double)(dispatch_time() - present->started) / 1000, restart_step_name(present->restart.step));
		return -EEXIST;
	}
	/* What is to be cut off is, though its images may be gone. */
	r = wish->kind == RESTART_RELEASE || wish->kind == RESTART_CUT ? 0 : check_change(control, node, wish, ret_error);
	if (r < 0)
		return r;
	r = fill(&record, node, wish);
	if (!r)
		r = expect_silence(control, node->id, wish->kind);
	if (!r)
		r = store_new(control, &record);
	if (r < 0) {
		restart_record_release(&record);
		return r;
	}
	/* Stored, and without memory for it taken up at the next start. */
	r = dispatch_add(control, &record, &added);
	if (!r)
		*ret_record = added;
	dispatch_wake(control);
	return r;
}

static int find_active(struct control *control, const char *text, struct restart_record **ret_record, char ret_error[ERROR_TEXT])
{
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	if (r < 0)
		return r;
	*ret_record = node->restart;
	if (!*ret_record)
		snprintf(ret_error, ERROR_TEXT, "no restart of %s is under way; `repave restart list` shows those that were",
			 dispatch_name(control, node->id));
	return *ret_record ? 0 : -ENOENT;
}

static int too_late(const struct restart_record *record, char ret_error[ERROR_TEXT])
{
	snprintf(ret_error, ERROR_TEXT, "too late: its users are gone, and it is at the step \"%s\" since %.0f s",
		 restart_step_name(record->restart.step), (double)(dispatch_clock() - record->restart.since) / 1000);
	return -EBUSY;
}

int dispatch_cancel(struct control *control, const char *text, const char *by, const struct restart_record **ret_record,
		    char ret_error[ERROR_TEXT])
{
	struct restart_record *record;
	int64_t now = dispatch_clock();
	struct restart after;
	unsigned deeds;
	int r = find_active(control, text, &record, ret_error);

	if (r < 0)
		return r;
	after = record->restart;
	if (restart_cancel(&after, now, &deeds) < 0)
		return too_late(record, ret_error);
	r = dispatch_advance(control, record, &after, deeds, now);
	if (!r)
		log_info("operator %s: the %s of %s is cancelled", by, restart_kind_name(after.kind), dispatch_name(control, record->node));
	*ret_record = record;
	return r;
}

int dispatch_hurry(struct control *control, const char *text, enum restart_urgency urgency, const struct restart_record **ret_record,
		   char ret_error[ERROR_TEXT])
{
	struct restart_record *record;
	int64_t now = dispatch_clock();
	struct restart after;
	int r = find_active(control, text, &record, ret_error);

	if (r < 0)
		return r;
	after = record->restart;
	if (restart_hurry(&after, urgency, now) < 0)
		return too_late(record, ret_error);
	r = dispatch_advance(control, record, &after, 0, now);
	dispatch_wake(control);
	*ret_record = record;
	return r;
}

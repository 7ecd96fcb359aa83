// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decider-deeds.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "control/alarm.h"
#include "control/deeds.h"
#include "control/learned.h"

static const char *id_of(const struct decider_view *view, size_t node)
{
	return node == DECIDE_NOBODY ? "" : view->seen->nodes[node].id;
}

static const char *group_name(const struct decider_view *view, size_t group)
{
	return group == DECIDE_NOBODY ? "" : view->seen->groups[group].name;
}

static const struct rule *rule_of(const struct decider_view *view, const struct decision *d)
{
	return &view->seen->rules->items[d->rule];
}

/* ------------------------------------------------------------------ still so? */

static bool is_as_seen(const struct decider_view *view, size_t at)
{
	const struct seen_node *seen = &view->seen->nodes[at];
	const struct node *node = fleet_get(view->control->fleet, seen->id);

	if (!node || node->life.state != seen->life || (node->restart != NULL) != seen->busy)
		return false;
	return !strcmp(node->group, group_name(view, seen->group)) && !replacement_by(view->replacements, node->id);
}

bool decider_still_holds(const struct decider_view *view, const struct decision *d)
{
	const struct node *node = d->node == DECIDE_NOBODY ? NULL : fleet_get(view->control->fleet, id_of(view, d->node));

	if (d->group != DECIDE_NOBODY && !group_list_find(fleet_groups(view->control->fleet), group_name(view, d->group)))
		return false;
	/* Whatever it does meanwhile. */
	if (d->action == RULE_CUT || d->action == RULE_QUARANTINE)
		return node && alarm_pending(node);
	if (d->spare != DECIDE_NOBODY && d->action == RULE_REPLACE && !is_as_seen(view, d->spare))
		return false;
	return d->node == DECIDE_NOBODY || is_as_seen(view, d->node);
}

/* ------------------------------------------------------------------ writing down */

static void put_real(json_t *object, const char *name, double value)
{
	if (isfinite(value))
		json_object_set_new(object, name, json_real(value));
}

/* What was measured of the node, in figures. */
static json_t *describe(const struct decider_view *view, const struct decision *d)
{
	json_t *object = json_object();

	if (d->node != DECIDE_NOBODY) {
		const struct seen_node *node = &view->seen->nodes[d->node];

		put_real(object, "up", node->up);
		put_real(object, "users", node->users);
		put_real(object, "load", node->load);
		put_real(object, "response", node->response);
		put_real(object, "release", node->release_s);
	}
	if (d->group != DECIDE_NOBODY) {
		put_real(object, "start", view->seen->groups[d->group].start_s);
		put_real(object, "trend", view->seen->groups[d->group].trend);
	}
	if (d->from != DECIDE_NOBODY)
		json_object_set_new(object, "from", json_string(view->seen->groups[d->from].name));
	if (d->denial)
		json_object_set_new(object, "denial", json_string(denial_name(d->denial)));
	return object;
}

int decider_note(const struct decider_view *view, const struct decision *d, enum journal_state state, uint64_t restart, const char *why,
		 uint64_t *ret_row)
{
	char reason[2 * ERROR_TEXT];
	json_t *data = describe(view, d);
	struct journal_entry entry = { .time = view->now, .round = view->round, .origin = "rule", .rule = rule_of(view, d)->name,
				       .action = rule_action_name(d->action), .verdict = verdict_name(d->verdict),
				       .urgency = restart_urgency_name(d->urgency), .node = id_of(view, d->node),
				       .group = group_name(view, d->group), .spare = id_of(view, d->spare), .reason = reason, .data = data,
				       .restart = restart, .state = state };
	int r;

	snprintf(reason, sizeof reason, "%s%s%s", d->reason, why[0] ? "; " : "", why);
	r = journal_add(view->control, &entry, ret_row);
	json_decref(data);
	return r;
}

/* ------------------------------------------------------------------ doing */

struct doing {
	const struct decider_view *view;
	const struct decision *d;
	struct node *node;
	struct deeds deeds;
	struct deed_order order;
	char by[RESTART_BY_MOST + 1];
	uint64_t restart, row;
	bool noted;
	char why[ERROR_TEXT];
};

/* Of a failed server: its power, and its system anew, once. */
static int start_anew(struct doing *doing)
{
	struct deed_order order = doing->order;
	int r = dispatch_save_node(&doing->deeds.saved, doing->node);

	order.urgency = URGENCY_EVICT;
	doing->node->history.retries++;
	if (!r)
		r = learned_put_node(doing->view->control, doing->node);
	return r < 0 ? r : deed_restart(&doing->deeds, doing->node, RESTART_REBOOT, NULL, &order, &doing->restart, doing->why);
}

static int replace(struct doing *doing)
{
	const struct decider_view *view = doing->view;
	const struct decision *d = doing->d;
	struct replacement begun = { 0 };
	int r;

	if (d->spare == DECIDE_NOBODY)
		return start_anew(doing);
	r = dispatch_save_node(&doing->deeds.saved, doing->node);
	if (!r)
		r = decider_note(view, d, JOURNAL_GRANTED, 0, "", &doing->row);
	doing->noted = true;
	snprintf(begun.node, sizeof begun.node, "%s", doing->node->id);
	snprintf(begun.spare, sizeof begun.spare, "%s", id_of(view, d->spare));
	snprintf(begun.group, sizeof begun.group, "%s", doing->node->group);
	snprintf(begun.rule, sizeof begun.rule, "%s", rule_of(view, d)->name);
	begun.row = doing->row;
	return r < 0 ? r : replacement_begin(view->control, view->replacements, &begun);
}

static int add(struct doing *doing)
{
	const char *group = group_name(doing->view, doing->d->group);

	if (doing->d->moves)
		return deed_restart(&doing->deeds, doing->node, RESTART_REIMAGE, group, &doing->order, &doing->restart, doing->why);
	return deed_join(&doing->deeds, doing->node, group, &doing->order, &doing->restart, doing->why);
}

static int hurry(struct doing *doing)
{
	const struct restart_record *record;
	int r = dispatch_hurry(doing->view->control, doing->node->id, doing->d->urgency, &record, doing->why);

	if (!r)
		doing->restart = record->id;
	return r;
}

static int act(struct doing *doing)
{
	const struct decision *d = doing->d;

	if (d->verdict == VERDICT_HURRY)
		return hurry(doing);
	switch (d->action) {
	case RULE_REIMAGE: return deed_restart(&doing->deeds, doing->node, RESTART_REIMAGE, NULL, &doing->order, &doing->restart, doing->why);
	case RULE_QUARANTINE: return deed_quarantine(&doing->deeds, doing->node, &doing->order, doing->why);
	case RULE_REPLACE: return replace(doing);
	case RULE_RETRY: return start_anew(doing);
	case RULE_ADD:
	case RULE_MOVE: return add(doing);
	case RULE_REMOVE: return deed_restart(&doing->deeds, doing->node, RESTART_RELEASE, NULL, &doing->order, &doing->restart, doing->why);
	case RULE_CUT:
	case RULE_ACTIONS: break;
	}
	return -EINVAL;
}

static int cool_down(const struct decider_view *view, const struct decision *d)
{
	const struct rule *rule = rule_of(view, d);
	bool of_node = rule_is_for_nodes(rule);

	if (!rule->cool_down || d->verdict != VERDICT_DO)
		return 0;
	return learned_cool(view->control, view->learned, rule->name, of_node ? id_of(view, d->node) : "",
			    of_node ? "" : group_name(view, d->group), view->now + rule->cool_down);
}

static int note_done(struct doing *doing)
{
	bool lasts = doing->restart != 0;
	int r = 0;

	if (!doing->noted)
		r = decider_note(doing->view, doing->d, lasts ? JOURNAL_GRANTED : JOURNAL_DONE, doing->restart, "", &doing->row);
	return r < 0 ? r : cool_down(doing->view, doing->d);
}

/* In a transaction: the deed and its row. */
static int do_together(struct doing *doing)
{
	size_t replacements = doing->view->replacements->count;
	int r = deeds_begin(&doing->deeds, doing->view->control);

	if (r < 0)
		return r;
	r = act(doing);
	if (!r)
		r = note_done(doing);
	r = deeds_end(&doing->deeds, r);
	if (r < 0)
		doing->view->replacements->count = replacements;
	return r;
}

static int cut(struct doing *doing)
{
	int r = alarm_cut(doing->view->control, doing->node->id, doing->by, doing->d->reason, &doing->restart, doing->why);

	return r < 0 ? r : note_done(doing);
}

/* It can't be done, which is noted; and that a failed server was tried. */
static int note_failure(struct doing *doing)
{
	bool was_tried = doing->d->action == RULE_RETRY || (doing->d->action == RULE_REPLACE && doing->d->spare == DECIDE_NOBODY);
	int r = decider_note(doing->view, doing->d, JOURNAL_FAILED, 0, doing->why, &doing->row);

	if (r < 0 || !was_tried)
		return r;
	doing->node->history.retries++;
	return learned_put_node(doing->view->control, doing->node);
}

int decider_do(const struct decider_view *view, const struct decision *d, uint64_t *ret_row, bool *ret_failed)
{
	struct doing doing = { .view = view, .d = d, .node = fleet_get(view->control->fleet, id_of(view, d->node)) };
	int r;

	snprintf(doing.by, sizeof doing.by, "rule %s", rule_of(view, d)->name);
	doing.order = (struct deed_order){ .by = doing.by, .reason = d->reason, .urgency = d->urgency,
					   .grace = d->group == DECIDE_NOBODY ? -1 : view->seen->groups[d->group].policy.grace };
	r = d->action == RULE_CUT && d->verdict == VERDICT_DO ? cut(&doing) : do_together(&doing);
	*ret_failed = r < 0 && r != -EIO && r != -ENOMEM;
	if (*ret_failed)
		r = note_failure(&doing);
	*ret_row = doing.row;
	return r;
}

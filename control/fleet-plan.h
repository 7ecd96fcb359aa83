/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a fleet file would change, and changing it: all or nothing. Within control_enter. */
#ifndef CONTROL_FLEET_PLAN_H
#define CONTROL_FLEET_PLAN_H

#include "control/balancer.h"
#include "control/control.h"
#include "control/messages.h"
#include "control/planned.h"

struct fleet_plan {
	json_t *changes;                /* list of texts: "+ group web: …", "~ node s1: …", "- group old"; owned */
	bool has_groups, has_balancer, has_settings, has_decisions, has_events, has_notify;
	struct planned *events;         /* owned; all that there will be */
	size_t event_count;
	struct group_list groups;       /* all of them, as they will be */
	struct fleet_draft *drafts;     /* nodes that change */
	size_t count, room;
	struct balancer_settings balancer;
	struct settings settings;
	struct message_settings notify;
	struct decision_settings decisions;
};

/* Compares `fleet` (the JSON of a fleet file, from outside) with what is. Groups that it doesn't name go, if it names any; of nodes only those
 * named change, and the members of groups that do. 0 (the caller releases); -EINVAL, -ENOENT, -ENOTUNIQ, -EEXIST or -EMEDIUMTYPE with a
 * sentence; -ENOMEM. */
int fleet_plan_make(const struct control *control, const json_t *fleet, struct fleet_plan *ret_plan, char ret_error[ERROR_TEXT]);
void fleet_plan_release(struct fleet_plan *plan);
/* Stores it in one transaction, then adopts it. 0, or -errno with nothing changed. */
int fleet_plan_apply(struct control *control, struct fleet_plan *plan, int64_t now);

/* The fleet as such JSON: planning it changes nothing. A new reference; NULL when out of memory. */
json_t *fleet_export(const struct control *control);

#endif

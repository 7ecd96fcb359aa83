/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Security alarms of the fleet: which are pending, and the cut that answers them. All within control_enter.
 *
 *   agent, operator ──alarm_raise──> pending ──rule "alarm"────────> alarm_cut ──> cut (control/restart.h)
 *                                      │  └────rule "alarm, again"──> quarantine ──> alarm_settle
 *                                      └──more cuts of its group than `cuts` within `cuts_within`: storm, until a person clears it
 */
#ifndef CONTROL_ALARM_H
#define CONTROL_ALARM_H

#include "control/alarm-record.h"
#include "control/control.h"

#define ALARM_EVIDENCE_MILLISECONDS 20000 /* for an agent to send it; then the power is cut all the same */

/* Reads what is pending. 0 or -errno. */
int alarm_load(struct control *control);

/* Of a kind that counts, the node has one more, about which rules decide; of another it is nothing. Of a system that is being cut off it is
 * nothing new. Within the caller's transaction, or without one. 0, -ENOMEM or -EIO. */
int alarm_raise(struct control *control, struct node *node, const char *boot_id, const char *kind, const char *text, int64_t now);
/* How many nothing was done about yet. */
unsigned alarm_pending(const struct node *node);
/* How often its power was cut for one within a day. */
unsigned alarm_cuts(const struct node *node, int64_t now);
/* The same within the time in which a group has only so many (`cuts_within` of decisions). */
unsigned alarm_cuts_within(const struct control *control, const struct node *node, int64_t now);
/* Something was done about all that are pending. 0 or -EIO. */
int alarm_settle(struct control *control, struct node *node);
/* A person has looked at it: its cuts count no more either. 0 or -EIO. */
int alarm_forget(struct control *control, struct node *node);

/* Cuts the node off: out of the balancer with its users, its power, then the same assignment again with every block checked. `by` and
 * `reason` are for people. 0 with the restart's number; -EDQUOT: the group had too many (told as an alarm once); -ENOENT, -EINVAL with
 * a sentence; -EIO, -ENOMEM. */
int alarm_cut(struct control *control, const char *node, const char *by, const char *reason, uint64_t *ret_restart, char ret_error[ERROR_TEXT]);
/* The same for a person, who knows how many there were. It counts, too. */
int alarm_cut_by_person(struct control *control, const char *node, const char *by, const char *reason, uint64_t *ret_restart,
			char ret_error[ERROR_TEXT]);

/* The node's group has had so many cuts that its alarms are for people from now on: told once, as an alarm. 0 or -EIO. */
int alarm_leave_to_people(struct control *control, const struct node *node);
/* Whether the group's alarms are for people only, and since when; 0: they aren't. */
int64_t alarm_storm(const struct control *control, const char *group);
/* A person has looked: what is pending of its servers is forgotten, and its cuts count anew. 0 or -EIO. */
int alarm_clear_storm(struct control *control, const char *group);

/* For people and programs; null when there is nothing. A new reference. */
json_t *alarm_describe(const struct node *node, int64_t now);

#endif

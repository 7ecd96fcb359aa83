/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the rules will do about reimages, and when: control/decide.h asked again and again with the time going on. Pure.
 *
 * Users are taken to stay as many as there are now, and each start to take as long as it was learned. */
#ifndef CONTROL_REIMAGE_PLAN_H
#define CONTROL_REIMAGE_PLAN_H

#include "control/campaign.h"

struct planned {
	int64_t first, second;   /* seconds since 1970 when it is due by its age; 0: never, or not known */
	int64_t begins, ends;    /* 0: not within the plan's time */
	enum restart_urgency urgency;
	bool below;              /* fewer than are to serve will, or users are thrown out for the deadline's sake */
	size_t spare;            /* who serves meanwhile; DECIDE_NOBODY for nobody */
	char reason[ERROR_TEXT]; /* why then, or why not */
};

struct reimage_plan {
	struct planned *items;   /* owned; by node, as in the snapshot */
	size_t count;
	int64_t from, until;     /* the time that was looked at */
	int64_t ends;            /* the last one; 0 for none */
	size_t begun, below;     /* how many begin; of them those that are `below` */
	size_t left;             /* of the campaign: not begun within the time, though nothing but time is in the way */
};

/* Looks ahead from the snapshot's time until `until` at most, in which each node's first reimage counts; `campaign` may be NULL. With one,
 * nodes that it is still to reach have any number as `due`, others NAN. 0 (the caller releases) or -ENOMEM. */
int reimage_plan(const struct snapshot *snapshot, const struct campaign *campaign, int64_t until, struct reimage_plan *ret_plan);
void reimage_plan_release(struct reimage_plan *plan);

#endif

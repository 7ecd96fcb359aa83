/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fleet as decisions see it: a copy of what is known now. Within control_lock. */
#ifndef CONTROL_SNAPSHOT_H
#define CONTROL_SNAPSHOT_H

#include "control/learned.h"
#include "control/replacement.h"
#include "control/snapshot-text.h"

/* What others know; NULL for nothing. */
struct snapshot_sources {
	/* Fills in what is expected of a group's users: expected_users, expected_at, expected_until. */
	void (*expect)(struct control *control, const struct group *group, int64_t now, struct seen_group *seen);
};
extern struct snapshot_sources snapshot_sources;

/* Takes one. Samples users for their trends. With `rests` the lock is given back now and then. 0 (the caller releases); -EAGAIN: the fleet
 * changed meanwhile; -ENOMEM. */
int snapshot_take(struct control *control, struct learned *learned, const struct replacements *replacements, bool rests, int64_t now,
		  struct fleet_snapshot *ret_snapshot);
/* Whether it is known who serves: after the control unit's start agents need time to come back. */
bool snapshot_settled(const struct control *control);

#endif

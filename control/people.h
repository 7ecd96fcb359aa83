/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people said of the time to come: planned events and hints. In memory and in the store. All within control_enter or control_lock; what is
 * changed is durable when it returns 0. */
#ifndef CONTROL_PEOPLE_H
#define CONTROL_PEOPLE_H

#include "control/control.h"
#include "control/hints.h"
#include "control/planned.h"
#include "control/user-request.h"

#define PLANNED_KEPT 50u   /* that are over */

struct people {
	struct planned *events;   /* owned, ordered by id */
	struct hint *hints;       /* owned, ordered by id */
	struct user_request *requests; /* owned; those that are pending */
	size_t event_count, hint_count, request_count;
	uint64_t next;            /* id */
};

/* Reads what the store has. 0 or -errno; logs the cause. */
int people_new(struct control *control, struct people **ret_people);
void people_free(struct people *people);
/* Writes all of it, within or without a transaction. 0 or -errno. */
int people_store(struct control *control);

/* Adds one, which is taken over on success, and gives it its id. 0; -EDQUOT with a sentence; -ENOMEM, -EIO. */
int people_add_event(struct control *control, struct planned *event, char ret_error[ERROR_TEXT]);
/* Ends one, and undoes what was done for it. 0; -ENOENT with a sentence; -EIO. */
int people_cancel_event(struct control *control, uint64_t id, int64_t now, char ret_error[ERROR_TEXT]);
/* Replaces all that aren't over by others (ids 0): one that is there already stays as it is. Within the caller's transaction: 0, -EDQUOT, -ENOMEM or
 * -EIO. After it, in any case, people_end_change: it takes the others over, or with `failed` leaves them, and all is as it was before. */
struct people_change {
	struct planned *before;   /* as they were; owned */
	size_t count;
	uint64_t next;
};
int people_replace_events(struct control *control, const struct planned *events, size_t count, int64_t now, struct people_change *ret_change);
void people_end_change(struct control *control, struct people_change *change, struct planned *events, size_t count, bool failed);
/* Those that aren't over, as a fleet file has them; a new reference. `people` may be NULL. */
json_t *people_export_events(const struct people *people);
int people_add_hint(struct control *control, const struct hint *hint, char ret_error[ERROR_TEXT]);
int people_remove_hint(struct control *control, uint64_t id, char ret_error[ERROR_TEXT]);

/* What is expected of a group that has `users` now: the hint that holds, else the next one. False without. */
bool people_expect(const struct control *control, const char *group, double users, int64_t now, double *ret_users, int64_t *ret_at, int64_t *ret_until);

struct seen_group;
/* For struct snapshot_sources. */
void people_expect_group(struct control *control, const struct group *group, int64_t now, struct seen_group *seen);

/* How long a server takes until it does the work of the event's node, in seconds: as learned, or 60. */
int64_t people_start_time(const struct control *control, const struct planned *event);
/* One look at all of them; each second. */
void people_round(struct control *control, int64_t now);

#endif

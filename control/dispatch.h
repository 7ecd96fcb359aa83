/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Carries restarts out: looks at each several times a second, does what control/restart.h says, and keeps it in the store, so that
 * they go on after the control unit's own restart. */
#ifndef CONTROL_DISPATCH_H
#define CONTROL_DISPATCH_H

#include "control/control.h"
#include "control/restart-record.h"

struct dispatch;

#define DISPATCH_HOLD_MS 5     /* a round gives the control lock back when it has had it for so long */

/* Takes up what was under way. 0 or -errno. */
int dispatch_new(struct control *control, struct dispatch **ret_dispatch);
/* 0 or -errno. */
int dispatch_start(struct dispatch *dispatch);
/* NULL is nothing. Ends the thread. */
void dispatch_free(struct dispatch *dispatch);

/* What an operator orders. Borrowed. */
struct restart_wish {
	enum restart_kind kind;
	enum restart_urgency urgency;
	struct restart_limits limits;
	const json_t *change;     /* to the assignment; NULL for none */
	const char *to;           /* a group that it joins once its users have left, with that group's images; NULL for none */
	bool forced;              /* below its group's minimum, too */
	const char *by, *reason;  /* reason "" without */
};

/* All within control_enter; records are borrowed until the lock is given back. */

/* Begins one. 0; -ENOENT or -ENOTUNIQ (no such node), -EEXIST (one is under way), -EINVAL (the change can't be), with a sentence; -EIO. */
int dispatch_begin(struct control *control, const char *node, const struct restart_wish *wish, const struct restart_record **ret_record,
		   char ret_error[ERROR_TEXT]);
/* Ends that of a node before its shutdown. 0; -ENOENT, -ENOTUNIQ, -EBUSY (too late) with a sentence; -EIO. */
int dispatch_cancel(struct control *control, const char *node, const char *by, const struct restart_record **ret_record,
		    char ret_error[ERROR_TEXT]);
/* Cuts the node off, in place of whatever is under way for it: `wish` of the kind RESTART_CUT. 0; -EEXIST (it is being cut off already), with a
 * sentence; -EIO, -ENOMEM. */
int dispatch_cut(struct control *control, struct node *node, const struct restart_wish *wish, const struct restart_record **ret_record,
		 char ret_error[ERROR_TEXT]);
/* Changes its urgency. The same errors. */
int dispatch_hurry(struct control *control, const char *node, enum restart_urgency urgency, const struct restart_record **ret_record,
		   char ret_error[ERROR_TEXT]);

/* The node with this id asks what to boot, in a boot with this nonce: what is to be selected first is. */
void dispatch_asked(struct control *control, const char *id, const char *nonce);
/* Whether the boot that the node asks for is to compare every block. */
bool dispatch_checks_all(const struct control *control, const char *id);
/* The one that is under way for the node; NULL without. */
const struct restart_record *dispatch_of(const struct control *control, const char *id);
/* How many are under way. */
size_t dispatch_count(const struct control *control);
/* One round: a look at each. Within control_lock, which it gives back between looks. Only for the thread, and for tests without it. */
void dispatch_round(struct control *control);

/* Milliseconds by a clock that never jumps while the control unit runs: for what lasts. When it starts they are those since 1970. */
int64_t dispatch_clock(void);
/* Milliseconds since 1970: for people. */
int64_t dispatch_time(void);

#endif

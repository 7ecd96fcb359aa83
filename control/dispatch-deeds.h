/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ends of a look: what is seen of the fleet (control/dispatch-view.c), and what is done to it. Only for control/dispatch*.c,
 * control/deeds.c and control/replacement.c. */
#ifndef CONTROL_DISPATCH_DEEDS_H
#define CONTROL_DISPATCH_DEEDS_H

#include "control/dispatch.h"

/* `fresh`: other servers are counted now; else what was counted within the last second may do. */
void dispatch_observe(struct control *control, struct restart_record *record, bool fresh, int64_t now, struct restart_view *ret_view);

/* What deeds change in memory, as it was: the store forgets a transaction that fails, and memory must, too. */
struct dispatch_saved {
	struct dispatch_saved_node {
		struct node *node;            /* borrowed */
		struct life life;
		int64_t life_since;
		char life_reason[LIFE_REASON_MOST + 1], boot_failure[LIFE_REASON_MOST + 1], group[GROUP_NAME_MOST + 1];
		bool spare;
		enum balancer_want want;
		struct history history;
		struct assignment assignment; /* owned */
		uint64_t last_order;          /* 0 without */
	} nodes[3];                           /* the restart's own, its spare, and the one before */
	size_t count;
	struct group *group;                  /* borrowed; NULL: none was changed */
	bool denied;
};

/* Before the first change. 0 or -ENOMEM. */
int dispatch_save_node(struct dispatch_saved *saved, struct node *node);
void dispatch_save_group(struct dispatch_saved *saved, struct group *group);
/* After the transaction: to be called in any case, with `failed` memory is as it was. */
void dispatch_end_saved(struct dispatch_saved *saved, bool failed);

/* What is done about the power. Not within a transaction: jobs store themselves, before they begin. */
void dispatch_use_power(struct control *control, struct restart_record *record, unsigned deeds, int64_t now);
/* Does all other deeds, within the caller's transaction. 0 or -errno: then the caller rolls back. */
int dispatch_do(struct control *control, struct restart_record *record, unsigned deeds, struct dispatch_saved *saved, int64_t now);
/* Of a node that is forgotten: undoes what was done to others for its restart. The same. */
int dispatch_undo(struct control *control, struct restart_record *record, struct dispatch_saved *saved);

/* Goes on with a restart: what `after` says was done or reached, from `record->restart` on, and the deeds for it, in one transaction:
 * after a crash both were done, or neither. On failure nothing has changed, and it is tried again. 0 or -errno. */
int dispatch_advance(struct control *control, struct restart_record *record, const struct restart *after, unsigned deeds, int64_t clock);
/* One that was stored goes on from now on; takes its content over, also on error. 0 or -ENOMEM. */
int dispatch_add(struct control *control, struct restart_record *record, struct restart_record **ret_added);
/* Forgets those that were added since dispatch_count() was `count`: their transaction failed. */
void dispatch_forget_added(struct control *control, size_t count);
/* Lets the thread look at once. */
void dispatch_wake(struct control *control);
/* The host name of a node, or its id. */
const char *dispatch_name(const struct control *control, const char *id);

#endif

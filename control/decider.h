/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the fleet each tick, or when something happened, decides (control/decide.h), and does it. A thread of its own.
 *
 *   snapshot, within the lock ──> decide, without it ──> each decision: journal and deed in one transaction, if the node is still as it was seen
 */
#ifndef CONTROL_DECIDER_H
#define CONTROL_DECIDER_H

#include "control/control.h"
#include "control/snapshot.h"

#define DECIDER_HOLD_MS 5      /* a round gives the control lock back when it has had it for so long */
#define DECIDER_ROUND_MS 1000  /* and looks anew after so long */

struct decider;

/* Reads what was learned and what was under way. Needs the control unit's dispatch and balancer. 0 or -errno; logs the cause. */
int decider_new(struct control *control, struct decider **ret_decider);
/* 0 or -errno. */
int decider_start(struct decider *decider);
/* Both: NULL is nothing. Ends the thread: nothing is begun any more. */
void decider_stop(struct decider *decider);
void decider_free(struct decider *decider);

/* All of these within control_enter or control_lock. */

/* Something happened that may call for a decision. */
void decider_wake(struct control *control);
/* A restart has ended: what follows from it for journal, learning and the history of its node. Within its transaction. 0 or -errno. */
int decider_restart_ended(struct control *control, const struct restart_record *record);
/* What a decision would be made from now. 0 (the caller releases); -ENOENT: nothing is decided; -ENOMEM. */
int decider_snapshot(struct control *control, int64_t now, struct fleet_snapshot *ret_snapshot);
/* A person looked at a node that failed, or (`node` NULL) at all of a group that didn't come back: plans may go on. 0 or -EIO. */
int decider_cleared(struct control *control, struct node *node, const char *group);
/* How long the node's next start is expected to take until it serves, in seconds: as its group's starts, or its own images', took before. */
double decider_start_time(const struct control *control, const struct node *node);
/* One round. Gives the lock back now and then. Only for the thread, and for tests without it. */
void decider_round(struct control *control);

#endif

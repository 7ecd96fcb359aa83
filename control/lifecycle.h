/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Moves nodes through their lives (control/life.h): stores each change with its event. Within control_enter. */
#ifndef CONTROL_LIFECYCLE_H
#define CONTROL_LIFECYCLE_H

#include "control/control.h"

/* 0; -EINVAL when nobody may do that in this state; -EIO. `reason` is a sentence for people. */
int lifecycle_move(struct control *control, struct node *node, enum life_cause cause, int64_t now, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Stage 1 asked what to boot: whatever ran there before runs no more. 0 or -EIO. */
int lifecycle_asked(struct control *control, struct node *node, int64_t now);
/* The agent was heard, with figures that say how its application is; node->live is up to date. 0 or -EIO. */
int lifecycle_heard(struct control *control, struct node *node, int64_t now);
/* Whether its silence is anybody's alarm: a spare, or what a person set aside, may be off. */
bool lifecycle_is_missed(const struct node *node);
/* How long nothing was heard of the node's agent, by the monitor's clock (control/monitor.h), in intervals; -1 of one that nobody waits
 * for. */
int64_t lifecycle_silence(const struct control *control, const struct node *node);
/* The monitor's look at one node: silence, and boots that take too long. With `held_back` none becomes failed. True when something was
 * stored. */
bool lifecycle_watch(struct control *control, struct node *node, bool held_back, int64_t now);

#define BOOT_LONG_SECONDS 900     /* longer is worth a warning */
#define RETURN_SECONDS 75         /* agents come back within that time after a control unit that was away: they wait up to 60 s */

#endif

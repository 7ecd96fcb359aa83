/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Looks at the freshness of everything: silent agents, boots that take too long, orders whose time is over. A thread of its own, with another one
 * that watches it.
 *
 * Silence is counted by the monitor's clock, which goes on by a second for each round at most: a control unit that stood still itself
 * (stopped, its machine paused, its disk stuck) must not take a fleet for dead that it didn't listen to. Nor one that it had no time for, as when
 * all come back at once: while connections wait to be taken in or answers are late, nobody is silent, and afterwards each has its time again. */
#ifndef CONTROL_MONITOR_H
#define CONTROL_MONITOR_H

#include "control/control.h"

#define MONITOR_ROUND_MS 500
#define MONITOR_STALL_SECONDS 5    /* without a round: an alarm */
#define MONITOR_CHANGES_MOST 200u  /* stored in one round: who waits for the lock isn't held up long when a whole fleet goes silent */

#define MONITOR_BUSY_MS 1500       /* connections that waited so long, answers that were so late, a round that came so late: it couldn't listen */
#define MONITOR_BUSY_TOLD_SECONDS 10   /* so long on end: an event */
#define MONITOR_BUSY_SECONDS 300   /* so long on end: an alarm, and silence counts again: whoever keeps it busy must not hide a dead fleet */

#define MONITOR_MASS_LEAST 5u      /* agents; fewer that fall silent are no mass */
#define MONITOR_MASS_SECONDS 300   /* so long none of a mass counts as failed */

struct monitor;

/* Starts the threads. 0 or -errno; logs the cause. */
int monitor_start(struct control *control, struct monitor **ret_monitor);
/* Ends them. */
void monitor_stop(struct monitor *monitor);

/* How the monitor itself is, a new reference: {"clock_seconds", "round_seconds", "stalls", "longest_stall_seconds"}. Within control_enter. */
json_t *monitor_describe(const struct monitor *monitor);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control unit does by itself from time to time: a backup of its database each day, and checkpoints, which nobody waits for. */
#ifndef CONTROL_CHORES_H
#define CONTROL_CHORES_H

struct chores;

/* Starts the thread; the store lies at `path`. 0 or -errno; logs the cause. */
int chores_start(const char *path, struct chores **ret_chores);
/* Ends it; a backup under way is finished. */
void chores_stop(struct chores *chores);

#endif

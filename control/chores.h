/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control unit does by itself from time to time: a backup of its database each day, checkpoints, which nobody waits for, a look
 * whether a store that took no changes takes them again, and planned events. */
#ifndef CONTROL_CHORES_H
#define CONTROL_CHORES_H

#include "control/control.h"

struct chores;

/* Starts the thread. `control` must outlive it. 0 or -errno; logs the cause. */
int chores_start(struct control *control, struct chores **ret_chores);
/* Ends it; a backup under way is finished. Not within control_lock. */
void chores_stop(struct chores *chores);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Brings messages from the store to their targets, one at a time for each target, so that a slow one keeps nobody waiting but itself. What isn't taken is
 * tried again, later each time; a message may arrive twice after a crash, with the same id. A thread, and one for each message on its way. */
#ifndef CONTROL_MESSENGER_H
#define CONTROL_MESSENGER_H

#include "control/message-desk.h"

/* Starts it. 0 or -errno; logs the cause. */
int messenger_start(struct control *control);
/* Ends it; what is on its way is broken off, and sent again after the next start. Not within control_enter. */
void messenger_stop(struct control *control);
/* There is something to do. From any thread; NULL is none. */
void messenger_wake(struct messenger *messenger);

#endif

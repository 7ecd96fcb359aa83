/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server asked for what is another one's: images, assignment, keys. It is refused elsewhere; here somebody hears of it. */
#ifndef CONTROL_FOREIGN_H
#define CONTROL_FOREIGN_H

#include "control/control.h"

/* The event "foreign", an alarm, at most one in a minute for each node: a server can ask as often as it likes. Within control_lock. */
void foreign_note(struct control *control, struct node *node, int64_t now, const char *format, ...) __attribute__((format(printf, 4, 5)));

#endif

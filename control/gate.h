/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may fetch images: a server in its stage 1 those that are assigned to it (entitled.h), and whoever isn't one of the fleet's servers
 * (caches, mirrors, people) all. A server that runs its operating system, and so its users and whoever took it over, gets none: it has no
 * business with the second memory location. What a server has no right to is an event (foreign.h).
 *
 * Told apart by the address, for images travel by plain HTTP: an address from which a server asked what to boot. Where several are behind one
 * address, it gets what any of them may have. */
#ifndef CONTROL_GATE_H
#define CONTROL_GATE_H

#include "control/control.h"

struct gate;

/* 0 or -ENOMEM. */
int gate_new(struct control *control, struct gate **ret_gate);
void gate_free(struct gate *gate);

/* Whether `path` below the repository may not go to `address` now, with a sentence. Takes the control lock; called from any thread. */
bool gate_refuses(struct gate *gate, const char *path, const char *address, char ret_why[ERROR_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions that are answered later: at their time, or as soon as there is something to say. One thread resumes all that are due at
 * once, HOLD_TICK_MS apart at least: the HTTP library looks through every held connection each time one is resumed. */
#ifndef CONTROL_HOLDS_H
#define CONTROL_HOLDS_H

#include "control/http-server.h"
#include "control/names.h"

#define HOLD_TICK_MS 20

struct holds;

/* One held question. `node` is the holder's; the rest is of holds.c. */
struct held {
	char node[NODE_ID_SIZE + 1];
	struct held *previous, *next;
	struct hold_queue *queue;   /* NULL: it was resumed */
	void *connection;
	int64_t due_ms;
};

/* Starts the thread. 0 or -errno; logs the cause. */
int holds_start(struct holds **ret_holds);
/* Resumes all, and holds nothing any more. Before the HTTP server ends. */
void holds_end(struct holds *holds);
void holds_free(struct holds *holds);

/* Holds the call for `seconds`, or for a second at most when `soon`. The call comes again with call->held, which is then the caller's to free.
 * NULL when it can't be held: answer at once. */
struct held *holds_add(struct holds *holds, const struct http_call *call, const char *node, unsigned seconds, bool soon);
/* Lets it be answered now. Harmless when that is under way. */
void holds_wake(struct holds *holds, struct held *held);

#endif

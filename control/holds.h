/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions that are answered later: at their time, or as soon as there is something to say. One thread resumes all that are due at
 * once, HOLD_TICK_MS apart at least: the HTTP library looks through every held connection each time one is resumed.
 *
 * Those that came in a rush would all be due in a rush, and so on for ever. So each may be answered up to a tenth of its time early, when
 * the fewest others are: after a few rounds they come evenly. */
#ifndef CONTROL_HOLDS_H
#define CONTROL_HOLDS_H

#include "control/http-server.h"
#include "control/names.h"

#define HOLD_TICK_MS 40
#define HOLD_SECONDS_MOST 300

struct holds;

/* One held question. `node` is the holder's; the rest is of holds.c. */
struct held {
	char node[NODE_ID_SIZE + 1];
	struct held *previous, *next;
	struct hold_queue *queue;   /* NULL: it was resumed */
	void *connection;
	int64_t due_ms;             /* when an answer was promised, by CLOCK_MONOTONIC; 0: it was woken before */
};

/* Starts the thread. 0 or -errno; logs the cause. */
int holds_start(struct holds **ret_holds);
/* Resumes all, and holds nothing any more. Before the HTTP server ends. */
void holds_end(struct holds *holds);
void holds_free(struct holds *holds);

/* Holds the call for `seconds` (at most HOLD_SECONDS_MOST), or for a second at most when `soon`. The call comes again with call->held, which is then the caller's to free.
 * NULL when it can't be held: answer at once. */
struct held *holds_add(struct holds *holds, const struct http_call *call, const char *node, unsigned seconds, bool soon);
/* Lets it be answered now. Harmless when that is under way. */
void holds_wake(struct holds *holds, struct held *held);
/* Milliseconds that an answer, made now, comes after its time; -1 when it was woken before that. */
int64_t held_late(const struct held *held);

#endif

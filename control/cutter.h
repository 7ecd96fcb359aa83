/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Says to HAProxies what can't wait for the balancer's round, in a thread of its own: one HAProxy that hangs holds a round up for seconds. */
#ifndef CONTROL_CUTTER_H
#define CONTROL_CUTTER_H

#define CUTTER_ASK_MS 400 /* for one HAProxy to obey */

struct cutter;

/* 0 or -errno; logs the cause. */
int cutter_new(struct cutter **ret_cutter);
/* NULL is nothing. What wasn't said yet isn't. */
void cutter_free(struct cutter *cutter);

/* Has the line said at once; both texts are copied. From any thread. 0 or -ENOMEM. */
int cutter_say(struct cutter *cutter, const char *socket, const char *line);

#endif

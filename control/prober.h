/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks the service of every node that serves, once in each interval of the agents, at the address and port where HAProxy has it: a thread
 * of its own, many at a time, none for long. What it finds stands in node->probe. */
#ifndef CONTROL_PROBER_H
#define CONTROL_PROBER_H

#include "control/control.h"

struct prober;

#define PROBER_AT_ONCE 128u
#define PROBER_MOST_MS 3000 /* for one answer */

/* 0 or -errno; logs the cause. */
int prober_start(struct control *control, struct prober **ret_prober);
/* NULL is nothing. */
void prober_stop(struct prober *prober);

/* For people: null before the first answer. A new reference. Within control_enter. */
json_t *prober_describe(const struct node *node, int64_t steady_ms);

#endif

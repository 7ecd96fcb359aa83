/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of a node for decisions, whatever becomes of the control unit. Pure. */
#ifndef CONTROL_HISTORY_H
#define CONTROL_HISTORY_H

#include <jansson.h>
#include <stdint.h>

#include "control/names.h"

#define HISTORY_GROUP_MOST 63u

struct history {
	unsigned uses;                       /* times that it was taken as a spare */
	unsigned retries;                    /* restarts since it failed, until it has served for long or a person cleared it */
	char used[NONCE_SIZE + 1];           /* the last boot in which it worked for a group; "" for none */
	char failed[HISTORY_GROUP_MOST + 1]; /* the group that it didn't come back to, until a person clears that; "" for none */
};

/* A new reference; NULL when out of memory. */
json_t *history_format(const struct history *history);
/* 0 or -EINVAL. */
int history_parse(const json_t *object, struct history *ret_history);

#endif

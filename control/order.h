/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An order to a node's agent, as it is in memory while it isn't answered, and in the store. */
#ifndef CONTROL_ORDER_H
#define CONTROL_ORDER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/agent-status.h"

#define ORDER_ACTION_MOST 31u

/* Stored: waiting until it ended; SENT is known in memory only, as an agent tells a repeated order by its number. */
enum order_state { ORDER_WAITING, ORDER_SENT, ORDER_DONE, ORDER_FAILED, ORDER_REFUSED, ORDER_EXPIRED, ORDER_VOID };

struct order {
	struct order *next;              /* the node's next one, with a higher number */
	uint64_t number;
	int64_t created, expires;        /* seconds since 1970 */
	char action[ORDER_ACTION_MOST + 1];
	char boot_id[BOOT_ID_SIZE + 1];  /* the only boot that it is for; "": any */
	json_t *arguments;               /* owned; an object */
	bool sent;
};

void order_free(struct order *order);
/* Frees the whole list. */
void order_free_all(struct order *first);

/* "waiting", "sent", "done", "failed", "refused", "expired", "void". */
const char *order_state_name(enum order_state state);
/* 0 or -EINVAL. */
int order_state_parse(const char *text, enum order_state *ret_state);

#endif

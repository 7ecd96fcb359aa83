// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/order.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const names[] = { [ORDER_WAITING] = "waiting", [ORDER_SENT] = "sent", [ORDER_DONE] = "done", [ORDER_FAILED] = "failed",
				     [ORDER_REFUSED] = "refused", [ORDER_EXPIRED] = "expired", [ORDER_VOID] = "void" };

void order_free(struct order *order)
{
	if (!order)
		return;
	json_decref(order->arguments);
	free(order);
}

void order_free_all(struct order *first)
{
	while (first) {
		struct order *next = first->next;

		order_free(first);
		first = next;
	}
}

const char *order_state_name(enum order_state state)
{
	return names[state];
}

int order_state_parse(const char *text, enum order_state *ret_state)
{
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		if (!strcmp(text, names[i])) {
			*ret_state = (enum order_state)i;
			return 0;
		}
	}
	return -EINVAL;
}

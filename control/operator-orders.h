/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about orders to agents. Each within control_enter, with the whole answer made; `body` is JSON of any kind, from
 * outside. */
#ifndef CONTROL_OPERATOR_ORDERS_H
#define CONTROL_OPERATOR_ORDERS_H

#include "control/control.h"

/* {"action": "notice", "logout", "run" or "log", "arguments", "seconds": until it expires}. */
void operator_order(struct control *control, const char *node, const json_t *body, int64_t now, struct http_answer *answer);
/* The newest, or the one of the call's argument "order". */
void operator_list_orders(struct control *control, const char *node, const struct http_call *call, struct http_answer *answer);

/* What lists show of a node's agent: null before it was heard in this boot. A new reference. */
json_t *operator_describe_agent(const struct node *node, int64_t steady_ms);
/* Everything that it measured; null before. */
json_t *operator_describe_measures(const struct node *node);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about groups, the fleet file and the balancers. Each within control_enter, with the whole answer made; `body` is JSON of
 * any kind, from outside. */
#ifndef CONTROL_OPERATOR_BALANCER_H
#define CONTROL_OPERATOR_BALANCER_H

#include "control/control.h"

void operator_export_fleet(const struct control *control, struct http_answer *answer);
/* What a fleet file would change; the call has it as its body. */
void operator_plan_fleet(const struct control *control, const json_t *body, struct http_answer *answer);
/* {"fleet": …, "expect": list of changes as they were shown, or absent}. */
void operator_apply_fleet(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_list_groups(struct control *control, struct http_answer *answer);
/* {"denied": true or false} */
void operator_deny_group(struct control *control, const char *group, const json_t *body, int64_t now, struct http_answer *answer);
void operator_show_balancer(const struct control *control, struct http_answer *answer);
/* Arguments socket and privileged. */
void operator_print_balancer(const struct control *control, const struct http_call *call, struct http_answer *answer);
/* {"want": "ready", "drain" or "maint"} */
void operator_balance_node(struct control *control, const char *node, const json_t *body, int64_t now, struct http_answer *answer);
/* For a node's summary: null when no HAProxy has it. A new reference. */
json_t *operator_describe_balancing(const struct control *control, const struct node *node);

#endif

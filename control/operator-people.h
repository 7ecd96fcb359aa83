/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about planned events and hints; as those of control/operator-identity.h. */
#ifndef CONTROL_OPERATOR_PEOPLE_H
#define CONTROL_OPERATOR_PEOPLE_H

#include "control/control.h"

void operator_list_planned(const struct control *control, struct http_answer *answer);
void operator_plan_event(struct control *control, const json_t *body, const char *by, int64_t now, struct http_answer *answer);
void operator_cancel_planned(struct control *control, const char *id, int64_t now, struct http_answer *answer);
/* A user's request that is pending at the node. */
void operator_refuse_request(struct control *control, const char *node, struct http_answer *answer);
void operator_list_hints(const struct control *control, struct http_answer *answer);
void operator_hint(struct control *control, const json_t *body, const char *by, int64_t now, struct http_answer *answer);
void operator_end_hint(struct control *control, const char *id, struct http_answer *answer);

#endif

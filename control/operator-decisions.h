/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operators are told of decisions: part of docs/openapi.yaml. Within control_enter. */
#ifndef CONTROL_OPERATOR_DECISIONS_H
#define CONTROL_OPERATOR_DECISIONS_H

#include "control/control.h"

void operator_list_decisions(struct control *control, const struct http_call *call, struct http_answer *answer);
void operator_list_rounds(struct control *control, const struct http_call *call, struct http_answer *answer);
void operator_show_round(struct control *control, const char *text, struct http_answer *answer);
/* What a decision would be made from now. */
void operator_show_snapshot(struct control *control, int64_t now, struct http_answer *answer);
/* A person looked at a group's servers that didn't come back: its plans may go on. */
void operator_clear_group(struct control *control, const char *name, struct http_answer *answer);

#endif

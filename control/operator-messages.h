/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about messages (control/message-desk.h). Within control_enter. */
#ifndef CONTROL_OPERATOR_MESSAGES_H
#define CONTROL_OPERATOR_MESSAGES_H

#include "control/control.h"

void operator_list_targets(struct control *control, struct http_answer *answer);
void operator_list_messages(struct control *control, const struct http_call *call, struct http_answer *answer);
void operator_test_target(struct control *control, const char *name, int64_t now, struct http_answer *answer);
void operator_retry_messages(struct control *control, const char *name, int64_t now, struct http_answer *answer);
void operator_drop_messages(struct control *control, const char *name, const json_t *body, struct http_answer *answer);

#endif

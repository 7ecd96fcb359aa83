/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls by which servers join, leave and change groups; as those of control/operator-identity.h. `by` is who asks. */
#ifndef CONTROL_OPERATOR_REQUESTS_H
#define CONTROL_OPERATOR_REQUESTS_H

#include "control/control.h"

void operator_alloc(struct control *control, const char *group, const json_t *body, const char *by, struct http_answer *answer);
void operator_release(struct control *control, const char *node, const json_t *body, const char *by, struct http_answer *answer);
void operator_move(struct control *control, const char *node, const json_t *body, const char *by, struct http_answer *answer);

#endif

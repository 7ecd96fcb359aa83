/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about restarts; as those of control/operator-identity.h. */
#ifndef CONTROL_OPERATOR_RESTARTS_H
#define CONTROL_OPERATOR_RESTARTS_H

#include "control/control.h"

/* Those under way and the newest that ended; with the call's argument `node` of that node, with `active` only those under way. */
void operator_list_restarts(struct control *control, const struct http_call *call, struct http_answer *answer);
void operator_show_restart(struct control *control, const char *id, struct http_answer *answer);
/* Of a node; `by` is who orders it. */
void operator_restart(struct control *control, const char *node, const json_t *body, const char *by, struct http_answer *answer);
void operator_hurry(struct control *control, const char *node, const json_t *body, struct http_answer *answer);
void operator_cancel(struct control *control, const char *node, const char *by, struct http_answer *answer);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about identities: tokens, operators, machines that wait, allow list, settings, audit log, events. Each within
 * control_enter, with the whole answer made; `body` is JSON of any kind, from outside. */
#ifndef CONTROL_OPERATOR_IDENTITY_H
#define CONTROL_OPERATOR_IDENTITY_H

#include "control/control.h"

void operator_list(struct control *control, enum store_list which, const char *key, struct http_answer *answer);
/* Audit log or events, as the call's arguments after, most, node and severity say. */
void operator_list_log(struct control *control, enum store_list which, const char *key, const struct http_call *call,
		       struct http_answer *answer);
void operator_make_token(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_revoke_token(struct control *control, const char *id, int64_t now, struct http_answer *answer);
void operator_add(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_remove(struct control *control, const char *name, struct http_answer *answer);
/* `body` may be null, or name the key that is meant. */
void operator_judge(struct control *control, const char *node, const json_t *body, bool approve, int64_t now, struct http_answer *answer);
void operator_remove_node(struct control *control, const char *node, int64_t now, struct http_answer *answer);
void operator_allow(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_set(struct control *control, const json_t *body, struct http_answer *answer);

#endif

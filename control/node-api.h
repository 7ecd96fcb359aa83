/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What nodes may call: "Node and control unit" of docs/protocol.md. */
#ifndef CONTROL_NODE_API_H
#define CONTROL_NODE_API_H

#include "control/control.h"
#include "control/http-server.h"

/* For struct http_service; `context` is a struct control. */
void node_api_admit(void *context, const struct http_call *call, struct http_answer *answer);
/* How long a call's body may be: quotes carry the firmware's log. */
size_t node_api_body_most(const struct http_call *call);
void node_api_answer(void *context, const struct http_call *call, struct http_answer *answer);

#endif

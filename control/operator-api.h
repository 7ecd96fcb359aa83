/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the operator may call, over the Unix socket or TLS: "Operator" of docs/protocol.md. */
#ifndef CONTROL_OPERATOR_API_H
#define CONTROL_OPERATOR_API_H

#include "control/control.h"
#include "control/http-server.h"

#define OPERATOR_BODY_MOST (1024u * 1024)

/* For struct http_service; `context` is a struct control. Who may what: control/access.h. */
void operator_api_answer(void *context, const struct http_call *call, struct http_answer *answer);

#endif

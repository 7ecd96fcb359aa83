/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef CONTROL_OPERATOR_LOGS_H
#define CONTROL_OPERATOR_LOGS_H

#include "control/control.h"
#include "control/http-server.h"

/* "GET /v1/nodes/{}/logs?kind=KIND&boot=N": what the node said, oldest first; of the last boot N is 0, of the one before 1. */
void operator_list_logs(struct control *control, const char *node, const struct http_call *call, struct http_answer *answer);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about clearing servers; as those of control/operator-identity.h. */
#ifndef CONTROL_OPERATOR_TENANCY_H
#define CONTROL_OPERATOR_TENANCY_H

#include "control/control.h"

/* Arguments node=NODE and most=N: how servers were cleared, each with its signed record. */
void operator_report_sanitizings(struct control *control, const struct http_call *call, struct http_answer *answer);
/* Orders it for the node's next start. */
void operator_sanitize(struct control *control, const char *node, const char *by, int64_t now, struct http_answer *answer);

#endif

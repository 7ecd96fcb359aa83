/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How operators' calls are answered. */
#ifndef CONTROL_OPERATOR_ANSWER_H
#define CONTROL_OPERATOR_ANSWER_H

#include "control/http-server.h"

/* 200 with `json`, which is taken over; 500 when it is NULL, for lack of memory. */
void answer_json(struct http_answer *answer, json_t *json);
/* The status that suits `error` (negative errno), and `why`, a sentence; "" for what only the log should say. */
void answer_failure(struct http_answer *answer, int error, const char *why);

#endif

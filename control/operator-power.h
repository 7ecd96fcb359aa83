/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What operators call about servers' power. Each within control_enter, with the whole answer made; `node` as an operator names it, `body`
 * JSON of any kind, from outside. */
#ifndef CONTROL_OPERATOR_POWER_H
#define CONTROL_OPERATOR_POWER_H

#include "control/control.h"

void operator_show_power(struct control *control, const char *node, struct http_answer *answer);
void operator_set_power(struct control *control, const char *node, const json_t *body, int64_t now, struct http_answer *answer);
void operator_remove_power(struct control *control, const char *node, struct http_answer *answer);
void operator_start_power(struct control *control, const char *node, const json_t *body, struct http_answer *answer);
void operator_show_power_job(struct control *control, const char *number, struct http_answer *answer);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about alarms. Within control_enter, with the whole answer made; `body` is JSON of any kind, from outside. */
#ifndef CONTROL_OPERATOR_ALARMS_H
#define CONTROL_OPERATOR_ALARMS_H

#include "control/control.h"

/* {"reason": "…"}: an alarm of this node, by a person or a tool; the rules decide what follows. */
void operator_raise_alarm(struct control *control, const char *node, const json_t *body, const char *who, int64_t now, struct http_answer *answer);
/* The same, and it is cut off, whatever the rules say. */
void operator_cut(struct control *control, const char *node, const json_t *body, const char *who, struct http_answer *answer);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's calls about monitors (control/relays.h). Within control_enter. */
#ifndef CONTROL_OPERATOR_MONITORS_H
#define CONTROL_OPERATOR_MONITORS_H

#include "control/control.h"

void operator_list_monitors(struct control *control, struct http_answer *answer);
void operator_make_monitor(struct control *control, const json_t *body, int64_t now, struct http_answer *answer);
void operator_revoke_monitor(struct control *control, const char *name, int64_t now, struct http_answer *answer);
void operator_give_to_monitor(struct control *control, const char *node, const json_t *body, struct http_answer *answer);

#endif

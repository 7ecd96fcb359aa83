/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The operator's call that sets a node aside, and brings it back. Within control_enter, with the whole answer made; `body` is JSON of any
 * kind, from outside. */
#ifndef CONTROL_OPERATOR_LIFE_H
#define CONTROL_OPERATOR_LIFE_H

#include "control/control.h"

/* {"move": "quarantine", "maintenance" or "clear", "reason"}; `who` ordered it. */
void operator_move_life(struct control *control, const char *node, const json_t *body, const char *who, int64_t now,
			struct http_answer *answer);

/* The same for a plan: LIFE_MAINTAIN or LIFE_CLEAR. 0; -EBUSY with a sentence where its life doesn't allow it; -EIO. */
int life_set_aside(struct control *control, struct node *node, enum life_cause cause, const char *reason, const char *who, int64_t now,
		   char ret_error[ERROR_TEXT]);

#endif

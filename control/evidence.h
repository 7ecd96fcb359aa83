/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What servers said of themselves before they were cut off: taken in pieces, kept in the state folder, never opened here.
 *
 *   STATE/evidence/RESTART.tar     mode 0600; ".part" while it comes
 *
 * A table of the store says of each which node, when, how many bytes, and their SHA-256 as they arrived. */
#ifndef CONTROL_EVIDENCE_H
#define CONTROL_EVIDENCE_H

#include "control/control.h"

#define EVIDENCE_KEPT 64u   /* times what one may have, in all: then nothing is taken any more, and nothing older is lost */

/* Forgets what a control unit that ended had begun to take. 0 or -errno; logs the cause. */
int evidence_new(struct control *control);
void evidence_free(struct control *control);

/* A piece from the node's agent, for the order that its cut gave it. Takes and gives back the control lock. */
void evidence_take(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer);

/* For operators, within control_enter: those of a node, newest first; and a part of one, from ?offset= on. */
void evidence_list(struct control *control, const char *node, struct http_answer *answer);
void evidence_fetch(struct control *control, const char *restart, const struct http_call *call, struct http_answer *answer);

#endif

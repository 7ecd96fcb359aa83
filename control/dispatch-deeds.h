/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ends of a look: what is seen of the fleet, and what is done to it. Only for control/dispatch.c. */
#ifndef CONTROL_DISPATCH_DEEDS_H
#define CONTROL_DISPATCH_DEEDS_H

#include "control/dispatch.h"

void dispatch_observe(struct control *control, struct restart_record *record, int64_t now, struct restart_view *ret_view);
/* Does the deeds; what was done before, it leaves. Called again when it fails, or when the control unit ended before the record was
 * stored. 0 or -errno. */
int dispatch_do(struct control *control, struct restart_record *record, unsigned deeds, int64_t now);
/* Of a node that is forgotten: undoes what was done to others for its restart. */
void dispatch_undo(struct control *control, struct restart_record *record);

#endif

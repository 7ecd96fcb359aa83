/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Spares that nobody needs for long are switched off, where they can be switched on again. Within control_lock. */
#ifndef CONTROL_IDLE_H
#define CONTROL_IDLE_H

#include "control/replacement.h"

/* Looks at all spares, and switches off those that were idle for as long as the settings say. */
void idle_look(struct control *control, const struct replacements *replacements, int64_t now);

#endif

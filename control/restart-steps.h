/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What control/restart.c and control/restart-cut.c share; nobody else includes it. */
#ifndef CONTROL_RESTART_STEPS_H
#define CONTROL_RESTART_STEPS_H

#include "control/restart.h"

/* The next step begins; returns the deeds. */
unsigned restart_move(struct restart *restart, enum restart_step step, int64_t now, unsigned deeds);
/* Ends it with this sentence; the same. */
unsigned restart_fail(struct restart *restart, int64_t now, const char *why);
/* One look at a cut, until the old system is gone: its steps from drain to shutdown. */
unsigned restart_look_cut(struct restart *restart, const struct restart_view *view);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the present users of a node can go on at another one. */
#ifndef CONTROL_HANDOVER_H
#define CONTROL_HANDOVER_H

#include "control/control.h"

/* 0 when its group's service says that sessions are shared, and another server of the group serves or a spare can come; -EINVAL with a sentence;
 * -ENOENT or -ENOTUNIQ for the node's name. Within control_enter. */
int handover_check(const struct control *control, const char *node, char ret_error[ERROR_TEXT]);

#endif

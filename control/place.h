/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Puts a node into a group or among the spares, with all that follows from it. */
#ifndef CONTROL_PLACE_H
#define CONTROL_PLACE_H

#include "control/control.h"

/* The node with this id becomes a member of the group, with its images, or for `group` NULL a spare, with the images that it has. Within
 * control_enter. 0; -ENOENT, -EINVAL or -EMEDIUMTYPE with a sentence; -EIO, -ENOMEM. */
int place_node(struct control *control, const char *id, const char *group, int64_t now, char ret_error[ERROR_TEXT]);

/* Its life, after its membership changed: of one that became a spare, or was one. 0 or -EIO. */
int place_life(struct control *control, struct node *node, int64_t now);

#endif

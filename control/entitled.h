/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which images a server may fetch: those that are assigned to it, in any version, and the patches between them. Pure. */
#ifndef CONTROL_ENTITLED_H
#define CONTROL_ENTITLED_H

#include <stdbool.h>
#include <stddef.h>

#include "control/model.h"

#define ENTITLED_MOST 4u /* images of a node: OS and application of its assignment, and of its last boot */

/* The image that a path below the repository is a file of: "app/web/minimal" of "targets/app/web/minimal/HASH.VERSION.img.zst", and of what
 * lies beside it. False for what is no target. `ret_image` has TARGET_PATH_MOST + 1 bytes. */
bool entitled_image(const char *path, char *ret_image);
/* The same of a target as an assignment names it: "app/web/minimal/VERSION.img.zst". */
bool entitled_target(const char *target, char *ret_image);

/* Names of images that the node may have; returns how many. */
size_t entitled_list(const struct node *node, char ret_images[ENTITLED_MOST][TARGET_PATH_MOST + 1]);
bool entitled_to(const struct node *node, const char *image);

#endif

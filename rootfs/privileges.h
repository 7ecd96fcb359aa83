/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From root to an account with no rights, with no way back. */
#ifndef ROOTFS_PRIVILEGES_H
#define ROOTFS_PRIVILEGES_H

#include <sys/types.h>

/* The account `app` of every OS image (rootfs/overlay). Fixed, so that nothing has to be looked up. */
#define APP_ID 990

/* Drops every capability, also from the bounding set, sets no_new_privs, and becomes user and group `id` with no further group. What fails is
 * logged; 0 or -errno, and then the caller must end. */
int privileges_drop(uid_t id);

#endif

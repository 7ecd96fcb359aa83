/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Folders of H:, where somebody who isn't trusted may have written. */
#ifndef ROOTFS_FOLDER_H
#define ROOTFS_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

/* Opens the folder `name` below `parent`, never through a link; makes it when it is missing and `may_make`. A descriptor, or -errno. */
int folder_open(int parent, const char *name, mode_t mode, bool may_make);
/* Gives a folder that is still root's, for it was just made, to the account `id`, 0700; another one's stays as it is. 0 or -errno. */
int folder_give(int fd, uid_t id, bool read_only);

#endif

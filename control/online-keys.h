/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The folder of keys for snapshot and timestamp: whether others can read it, and whether its keys are the right ones. */
#ifndef CONTROL_ONLINE_KEYS_H
#define CONTROL_ONLINE_KEYS_H

#include "control/names.h"

/* The folder must be the caller's (or root's) alone and have keys for both roles, not encrypted; keys of other roles are warned of.
 * 0; -EACCES, -ENOKEY, -ENOTDIR or -errno with the cause logged. */
int online_keys_check(const char *folder);

/* Whether the keys are enough to sign for both roles of the repository as its present root has them. 0; -ENOKEY or -errno with a
 * sentence. Takes the repository's lock, and waits for it. */
int online_keys_compare(const char *folder, const char *repository_folder, char ret_error[ERROR_TEXT]);

#endif

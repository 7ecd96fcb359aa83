/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A backup out of its archive. */
#ifndef CONTROL_UNPACK_H
#define CONTROL_UNPACK_H

#include "control/backup-format.h"

/* Unpacks `from` ("-": standard input) into the empty folder `folder`, compares every byte with the manifest, and syncs it. 0 with the
 * manifest to release; -EBADMSG (damaged, or no backup); -errno; logs the cause. What was unpacked until then stays. */
int backup_unpack(const char *from, const char *folder, struct backup_manifest *ret_manifest);

#endif

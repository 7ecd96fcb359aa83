/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backup and restore of a control unit's state folder. On the control unit itself, by who may read the folder. All log the cause. */
#ifndef CONTROL_BACKUP_H
#define CONTROL_BACKUP_H

#include <stdbool.h>

#include "control/backup-format.h"

/* Writes a backup of `state` to the file `to` (mode 0600, which must not exist; "-": standard output), also while repaved runs: the
 * database is as it was at one moment, the other files are as they were together at another. 0 with the manifest to release;
 * -EEXIST; -errno; nothing is left behind on error. */
int backup_make(const char *state, const char *to, struct backup_manifest *ret_manifest);

/* Makes the state folder out of the backup `from`. All of it is unpacked beside the folder, checked and synced before the folder takes
 * its place in one step. One that isn't empty is refused (-EEXIST), or with `replace` kept under the name that `ret_kept` gives (malloc'd;
 * NULL for none). -EWOULDBLOCK while repaved runs; -EBADMSG (damaged); -EPROTO (of a newer version); -errno. */
int backup_restore(const char *from, const char *state, bool replace, struct backup_manifest *ret_manifest, char **ret_kept);

/* Puts the newest of the automatic backups that is sound in the place of the database; the one there was is kept beside it. Names,
 * malloc'd, of both. 0; -ENOENT (none is sound); -EWOULDBLOCK; -errno. */
int backup_restore_latest(const char *state, char **ret_taken, char **ret_kept);

#endif

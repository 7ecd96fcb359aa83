/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `home`, `app-run` and the agent know of H: in the running OS. */
#ifndef ROOTFS_HOME_H
#define ROOTFS_HOME_H

/* From stage 2, one line each: `choice` (common/home-choice.h), `node`, and with a partition H `device`, or `closed`: a sentence why it can't be
 * used. */
#define HOME_FOLDER "/run/repave/h"
/* {"format": 1, "choice": "local", "state": "mounted", "text": "a sentence, or empty"}: what became of it. It appears when the
 * application may start. States: none, mounted, read-only, waiting (the file system is being checked, or the server doesn't
 * answer; it goes on), failed. */
#define HOME_STATE HOME_FOLDER "/state"
#define HOME_MOUNT "/h"

#endif

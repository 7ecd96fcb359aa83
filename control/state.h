/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state folder of a control unit:
 *
 *   ca.pem  ca.key            the fleet's authority
 *   server.pem  server.key    this control unit's identity for the nodes
 *   join-token                what a node shows to enrol
 *   secret.key                seals the secrets in the database (control/sealed.h)
 *   repave.db                 the fleet
 *   root.json  tuf/           the trusted root of the repository, and what descends from it
 *   control.sock  lock        while repaved runs */
#ifndef CONTROL_STATE_H
#define CONTROL_STATE_H

#include <stddef.h>

#include "common/bytes.h"
#include "control/records.h"

#define STATE_DEFAULT "/var/lib/repave"

/* Makes the folder (mode 0700) with everything but the root of trust; `name` goes into the authority's name.
 * 0; -EEXIST when there is something already; -errno. Logs the cause; nothing is left behind on error. */
int state_make(const char *path, const char *name);

/* Opens the lock file and takes the lock, which lasts until the process ends. 0 and the descriptor in `ret_fd`;
 * -EWOULDBLOCK when another repaved has it; -ENOENT when this is no state folder; -errno. Logs the cause. */
int state_lock(const char *path, int *ret_fd);

/* One of its files, at most 64 KiB. 0 or -errno; logs the cause. */
int state_load(const char *path, const char *name, struct buffer *ret_data);
/* The join token. 0 or -errno; logs the cause. */
int state_load_token(const char *path, char ret_token[TOKEN_SIZE + 1]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a repository holds, for people and for machines. */
#ifndef SIGNING_SHOW_H
#define SIGNING_SHOW_H

#include <stdbool.h>
#include <stdint.h>

/* Prints what a node would accept from the repository at the time `now` (roles, their keys and delegations, targets) and what is
 * staged, as a table or as JSON. Says on stderr what doesn't verify. 0, -EBADMSG, -ESTALE or -errno. */
int repository_show(const char *folder, int64_t now, bool as_json);

/* Verifies all of it as a node would, beginning with the trusted root `root_file` (NULL: metadata/1.root.json): the chain of roots,
 * all roles, and length and hash of every target's file. Prints what was checked. 0, -EBADMSG, -ESTALE or -errno. */
int repository_check(const char *folder, const char *root_file, int64_t now, bool as_json);

#endif

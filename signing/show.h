/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SIGNING_SHOW_H
#define SIGNING_SHOW_H

#include <stdbool.h>
#include <stdint.h>

/* Prints what a node would accept from the repository at the time `now`: roles and targets, as a table or as JSON.
 * Says on stderr what doesn't verify. 0, -EBADMSG, -ESTALE or -errno. */
int repository_show(const char *folder, int64_t now, bool as_json);

#endif

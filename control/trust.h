/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which repository the control unit believes. */
#ifndef CONTROL_TRUST_H
#define CONTROL_TRUST_H

/* Makes `file` the root of trust of the state folder, and forgets what descended from another one. Does nothing when it
 * is the same. 0; -EINVAL when it is no root.json; -errno. Logs the cause; nothing changed on error. */
int trust_root(const char *state, const char *file);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

/* From now on this process can do what a network client needs, and nothing else: no programs, no processes, no writing to files, no
 * sockets but the Internet's. Whatever else it asks for fails with EPERM. 0 or -errno. */
int sandbox_enter(void);

#endif

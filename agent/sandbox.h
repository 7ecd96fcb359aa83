/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef AGENT_SANDBOX_H
#define AGENT_SANDBOX_H

#include <sys/types.h>

enum sandbox {
	SANDBOX_CLIENT,   /* what a network client needs: sockets of the Internet, files to read */
	SANDBOX_LISTENER, /* what takes connections on a socket that is there already: no other socket, no file */
	SANDBOX_VERITY,   /* what asks device-mapper for a table's status: that ioctl, and messages on a socket that is there already */
};

/* From now on this process can do that, and nothing else: no programs, no processes, no writing to files. Whatever else it asks for fails
 * with EPERM. 0 or -errno. */
int sandbox_enter(enum sandbox sandbox);

/* The same, and before that it becomes the account `user` when it is root, without a capability (SANDBOX_VERITY: with CAP_SYS_ADMIN and no
 * other), and ends with its parent. 0 or -errno. A kernel without seccomp is no error. */
int rights_give_up(uid_t user, enum sandbox sandbox);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user sees: a root of his own in a mount namespace of his own.
 *
 *   /C            the OS image, read-only          /bin /sbin /lib… /usr   links into /C
 *   /D            the application image, read-only /etc                    links into /C; passwd, group, host name and name servers as now
 *   /H            his folder of H:                 /dev /proc /tmp /var    devices that are nobody's, his processes, RAM of this session
 *
 * Nothing of it can be mounted, unmounted or written but /H and /tmp; nothing gives rights, and only C: and D: hold what can be run. */
#ifndef ROOTFS_SESSION_VIEW_H
#define ROOTFS_SESSION_VIEW_H

#include <stdint.h>

#define SESSION_TEXT 256u
#define SESSION_HOME "/H"

/* Builds it and moves this process into it, into /H. Wants to be root. 0; or -errno with a sentence in `ret_error`, and then the process may be
 * anywhere between the two and must end. `ret_notice` is "", or what the user should know. */
int view_enter(const char *name, uint32_t uid, const char *shell, char ret_notice[SESSION_TEXT], char ret_error[SESSION_TEXT]);

#endif

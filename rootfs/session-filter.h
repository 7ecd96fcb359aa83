/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls that users' programs and applications can do without, and that have been ways out of such views. */
#ifndef ROOTFS_SESSION_FILTER_H
#define ROOTFS_SESSION_FILTER_H

/* For this process and all that it starts; wants no_new_privs. EPERM for namespaces, mounts, kernel modules, keyrings, BPF and their like, for
 * system calls of other architectures, and for typing into a terminal (TIOCSTI). 0 or -errno. */
int session_filter(void);

#endif

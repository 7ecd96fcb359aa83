/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a daemon gives up before it serves, on top of what its service manager takes from it, and also where there is none. */
#ifndef COMMON_CONFINE_H
#define COMMON_CONFINE_H

#include <stdint.h>

#define CONFINE_KEEP(capability) (UINT64_C(1) << (capability))

/* For this process, its threads to come and all programs that it starts: no new rights by setuid programs; of root's capabilities those in
 * `capabilities` (bits of linux/capability.h) at most; and EPERM for system calls that change the kernel, other processes or what is mounted:
 * modules, kexec, BPF, performance counters, mounts, namespaces, swap, the clock, keyrings, ports of the hardware, memory of others, and for the
 * calls of other architectures. To be called before there are threads. 0 or -errno; a kernel without seccomp is no error. */
int confine(uint64_t capabilities);

#endif

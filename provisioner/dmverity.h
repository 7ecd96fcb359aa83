/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dm-verity devices, by the ioctls of /dev/mapper/control (Documentation/admin-guide/device-mapper/verity.rst of Linux). */
#ifndef PROVISIONER_DMVERITY_H
#define PROVISIONER_DMVERITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "provisioner/cmdline.h"

/* What a wrong block brings about: the reader gets EIO; or the kernel panics, which leaves a record in pstore and restarts as
 * /proc/sys/kernel/panic says; or it restarts at once and without a trace. */
enum on_corruption { CORRUPTION_EIO, CORRUPTION_PANIC, CORRUPTION_RESTART };

/* Opens /dev/mapper/`name` over `device`, which holds data, superblock and tree in a row: what is read from it agrees with the root
 * hash or isn't read; `answer` is what the first wrong block brings about.
 * 0 or -errno (-ENODEV: no dm-verity in this kernel). */
int dmverity_open(const char *name, const char *device, const struct boot_slot *slot, enum on_corruption answer);
/* Removes the device. 0 or -errno. */
int dmverity_close(const char *name);

/* Pure: the target's parameters. 0 or -ENOSPC. `device` as "MAJOR:MINOR". */
int dmverity_table(const char *device, const struct boot_slot *slot, enum on_corruption answer, char *ret_text, size_t room);

#endif

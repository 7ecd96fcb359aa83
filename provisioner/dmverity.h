/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dm-verity devices, by the ioctls of /dev/mapper/control (Documentation/admin-guide/device-mapper/verity.rst of Linux). */
#ifndef PROVISIONER_DMVERITY_H
#define PROVISIONER_DMVERITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "provisioner/cmdline.h"

/* Opens /dev/mapper/`name` over `device`, which holds data, superblock and tree in a row: what is read from it agrees with the root
 * hash or isn't read. With `panic` the kernel panics on the first wrong block; else reading it gives EIO.
 * 0 or -errno (-ENODEV: no dm-verity in this kernel). */
int dmverity_open(const char *name, const char *device, const struct boot_slot *slot, bool panic);
/* Removes the device. 0 or -errno. */
int dmverity_close(const char *name);

/* Pure: the target's parameters. 0 or -ENOSPC. `device` as "MAJOR:MINOR". */
int dmverity_table(const char *device, const struct boot_slot *slot, bool panic, char *ret_text, size_t room);

#endif

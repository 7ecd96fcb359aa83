/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Mapped devices of one target, by the ioctls of /dev/mapper/control (Documentation/admin-guide/device-mapper of Linux). */
#ifndef PROVISIONER_DEVMAPPER_H
#define PROVISIONER_DEVMAPPER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DEVMAPPER_TABLE_MOST 2048u

/* `device` as "MAJOR:MINOR". 0; -ENOTBLK; or -errno. */
int devmapper_number(const char *device, char ret_number[32]);
/* Makes /dev/mapper/`name`: `sectors` of 512 bytes, from one target of this type with these parameters. 0 or -errno (-ENODEV: no device mapper). */
int devmapper_open(const char *name, bool read_only, const char *type, uint64_t sectors, const char *table);
/* Removes it. 0 or -errno. */
int devmapper_close(const char *name);

#endif

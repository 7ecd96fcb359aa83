/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block devices as the kernel shows them in sysfs, and the device nodes of partitions. */
#ifndef PROVISIONER_BLOCKDEV_H
#define PROVISIONER_BLOCKDEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "provisioner/gpt.h"

#define BLOCKDEV_NAME 64

/* A whole disk that could hold our partitions: not removable, not a RAM, loop, optical, floppy
 * or mapped device, not empty. */
struct blockdev {
	char name[BLOCKDEV_NAME]; /* "vda" */
	uint64_t size;            /* bytes */
	bool read_only;
};

/* Lists such disks below `sys` ("/sys"), sorted by name as the kernel does (vda before vdb), those that are read-only last. Returns how many were written
 * to `ret_disks` (at most `most`), or -errno. */
int blockdev_list(const char *sys, struct blockdev *ret_disks, size_t most);

/* Size of a logical sector, or 0. `fd` may be a file (then 512). */
uint32_t blockdev_sector_size(int fd);
/* Reads the primary partition table of an open disk. As gpt_parse, or the error of reading. */
int blockdev_read_gpt(int fd, uint64_t size, struct gpt *ret_gpt);

/* The device node of the partition of `disk` that starts at `entry`, once the kernel has it and its size is right.
 * Waits at most `seconds`. 0 or -ENODEV. */
int blockdev_partition(const char *disk, const struct gpt *gpt, const struct gpt_entry *entry, unsigned seconds,
		       char ret_path[BLOCKDEV_NAME + 8]);

/* Looks once through all disks' tables for the partition with this GUID (lower-case text). 0 or -ENODEV. */
int blockdev_by_partuuid(const char *partuuid, char ret_path[BLOCKDEV_NAME + 8]);

#endif

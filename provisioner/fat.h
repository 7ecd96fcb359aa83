/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A FAT32 volume with a few files in its root folder, formed in memory, with no I/O (Microsoft's "FAT File System
 * Specification" 1.03; UEFI specification 2.10, 13.3). Firmware reads it once; Repave never reads one.
 *
 *   sector 0      boot sector: the geometry        sector 1   FSInfo        sectors 6, 7   both again
 *   sector 32     table of clusters, twice
 *   then          the root folder, one cluster; the files, each in one run. A cluster is a sector. */
#ifndef PROVISIONER_FAT_H
#define PROVISIONER_FAT_H

#include <stddef.h>
#include <stdint.h>

struct fat_file {
	const char *name; /* 11 characters: 8 of the name and 3 of its ending, upper case, padded with spaces */
	uint64_t size;    /* bytes */
	uint64_t offset;  /* filled in: where its bytes belong, from the beginning of the volume */
};

struct fat {
	uint32_t sector;       /* bytes: 512 or 4096 */
	uint32_t sectors;      /* of the volume */
	uint32_t table;        /* sectors of one table */
};

/* Places `count` (at most 15) files in a volume of `bytes` bytes. 0; -EINVAL for a volume that can't be FAT32 with clusters of one sector (32 MiB
 * and more, in sectors of 4096 bytes 257 MiB and more, 1 TiB at most); -ENOSPC. */
int fat_layout(uint64_t bytes, uint32_t sector, struct fat_file *files, size_t count, struct fat *ret_fat);
/* Bytes of all that comes before the files. */
size_t fat_head_size(const struct fat *fat);
/* Writes these, fat_head_size bytes. `serial` is the volume's number. */
void fat_format(const struct fat *fat, const struct fat_file *files, size_t count, uint32_t serial, uint8_t *ret_head);

#endif

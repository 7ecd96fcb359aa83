/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/fat.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"

#define RESERVED 32u
#define TABLES 2u
#define FIRST_CLUSTER 2u
#define CLUSTERS_LEAST 65525u /* with fewer, readers take it for FAT16 */
#define END_OF_CHAIN 0x0fffffffu
#define MEDIA 0xf8u /* a fixed disk */
#define FILES_MOST 15u
#define LABEL "REPAVE NEXT"
#define ENTRY 32u
#define READ_ONLY 0x01u
#define IS_LABEL 0x08u
#define FIRST_DAY 0x0021u /* 1980-01-01 */

static uint64_t clusters_of(const struct fat *fat, uint64_t size)
{
	return (size + fat->sector - 1) / fat->sector;
}

static uint32_t data_sector(const struct fat *fat)
{
	return RESERVED + TABLES * fat->table;
}

int fat_layout(uint64_t bytes, uint32_t sector, struct fat_file *files, size_t count, struct fat *ret_fat)
{
	uint64_t sectors = sector != 0 ? bytes / sector : 0, next = 1; /* cluster 0 of the data is the root folder */
	struct fat fat = { .sector = sector };

	if ((sector != 512 && sector != 4096) || sectors >= UINT32_C(1) << 28 || sectors < CLUSTERS_LEAST || count > FILES_MOST)
		return -EINVAL;
	fat.sectors = (uint32_t)sectors;
	/* An entry for each sector is a few more than there are clusters. */
	fat.table = (uint32_t)((sectors * 4 + sector - 1) / sector);
	if (sectors < data_sector(&fat) || sectors - data_sector(&fat) < CLUSTERS_LEAST)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		if (files[i].size > UINT32_MAX)
			return -ENOSPC;
		files[i].offset = (data_sector(&fat) + next) * sector;
		next += clusters_of(&fat, files[i].size);
	}
	if (next > sectors - data_sector(&fat))
		return -ENOSPC;
	*ret_fat = fat;
	return 0;
}

size_t fat_head_size(const struct fat *fat)
{
	return ((size_t)data_sector(fat) + 1) * fat->sector;
}

static uint32_t first_cluster(const struct fat *fat, const struct fat_file *file)
{
	return (uint32_t)(file->offset / fat->sector) - data_sector(fat) + FIRST_CLUSTER;
}

static void boot_sector_format(const struct fat *fat, uint32_t serial, uint8_t *at)
{
	static const uint8_t jump[] = { 0xeb, 0x58, 0x90 };

	memcpy(at, jump, sizeof(jump));
	memcpy(at + 3, "REPAVE  ", 8);
	put_le16(at + 11, (uint16_t)fat->sector);
	at[13] = 1; /* sectors of a cluster */
	put_le16(at + 14, RESERVED);
	at[16] = TABLES;
	at[21] = MEDIA;
	put_le16(at + 24, 63); /* a geometry that nobody uses, and some want */
	put_le16(at + 26, 255);
	put_le32(at + 32, fat->sectors);
	put_le32(at + 36, fat->table);
	put_le32(at + 44, FIRST_CLUSTER); /* the root folder */
	put_le16(at + 48, 1);             /* FSInfo */
	put_le16(at + 50, 6);             /* the copy of this sector */
	at[64] = 0x80;
	at[66] = 0x29; /* the next three are there */
	put_le32(at + 67, serial);
	memcpy(at + 71, LABEL, 11);
	memcpy(at + 82, "FAT32   ", 8);
	put_le16(at + 510, 0xaa55);
}

static void info_sector_format(uint8_t *at)
{
	put_le32(at, 0x41615252);
	put_le32(at + 484, 0x61417272);
	put_le32(at + 488, UINT32_MAX); /* free clusters: not counted */
	put_le32(at + 492, UINT32_MAX);
	put_le32(at + 508, 0xaa550000);
}

static void table_format(const struct fat *fat, const struct fat_file *files, size_t count, uint8_t *table)
{
	put_le32(table, 0x0fffff00u | MEDIA);
	put_le32(table + 4, END_OF_CHAIN);
	put_le32(table + 4 * (size_t)FIRST_CLUSTER, END_OF_CHAIN);
	for (size_t i = 0; i < count; i++) {
		uint32_t cluster = first_cluster(fat, &files[i]), left = (uint32_t)clusters_of(fat, files[i].size);

		for (; left > 0; left--, cluster++)
			put_le32(table + 4 * (size_t)cluster, left > 1 ? cluster + 1 : END_OF_CHAIN);
	}
}

static void entry_format(const char *name, uint8_t attributes, uint32_t cluster, uint32_t size, uint8_t *entry)
{
	memcpy(entry, name, 11);
	entry[11] = attributes;
	put_le16(entry + 16, FIRST_DAY);
	put_le16(entry + 18, FIRST_DAY);
	put_le16(entry + 20, (uint16_t)(cluster >> 16));
	put_le16(entry + 24, FIRST_DAY);
	put_le16(entry + 26, (uint16_t)cluster);
	put_le32(entry + 28, size);
}

void fat_format(const struct fat *fat, const struct fat_file *files, size_t count, uint32_t serial, uint8_t *ret_head)
{
	uint8_t *tables = ret_head + (size_t)RESERVED * fat->sector, *root = ret_head + (size_t)data_sector(fat) * fat->sector;
	size_t table = (size_t)fat->table * fat->sector;

	memset(ret_head, 0, fat_head_size(fat));
	for (size_t copy = 0; copy <= 6; copy += 6) {
		boot_sector_format(fat, serial, ret_head + copy * fat->sector);
		info_sector_format(ret_head + (copy + 1) * fat->sector);
	}
	table_format(fat, files, count, tables);
	memcpy(tables + table, tables, table);
	entry_format(LABEL, IS_LABEL, 0, 0, root);
	for (size_t i = 0; i < count; i++)
		entry_format(files[i].name, READ_ONLY, files[i].size > 0 ? first_cluster(fat, &files[i]) : 0,
			     (uint32_t)files[i].size, root + (i + 1) * ENTRY);
}

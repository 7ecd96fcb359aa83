/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/gpt.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

#define MIB (UINT64_C(1) << 20)
#define STATE_MIB 16u
#define H_LEAST_MIB 64u
/* Room for a large kernel and initrd, and for FAT32, which wants 65525 clusters of at least a sector. */
#define ESP_MIB 128u
#define ESP_MIB_4K 288u
#define SLOT_MIB_MOST (UINT64_C(1) << 24) /* 16 TiB: far from any overflow below */
#define HEADER_SIZE 92u
#define SIGNATURE "EFI PART"
#define REVISION 0x00010000u

/* Offsets in the header. */
enum {
	AT_SIGNATURE = 0, AT_REVISION = 8, AT_HEADER_SIZE = 12, AT_CRC = 16, AT_MY_LBA = 24, AT_OTHER_LBA = 32,
	AT_FIRST_USABLE = 40, AT_LAST_USABLE = 48, AT_GUID = 56, AT_TABLE_LBA = 72, AT_COUNT = 80,
	AT_ENTRY_SIZE = 84, AT_TABLE_CRC = 88,
};

static uint32_t crc32_of(const uint8_t *data, size_t size)
{
	uint32_t crc = 0xffffffffu;

	for (size_t i = 0; i < size; i++) {
		crc ^= data[i];
		for (unsigned bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
	}
	return ~crc;
}

/* ------------------------------------------------------------------ GUIDs */
/* The first three groups are little endian on the disk and big endian in text. */
static const uint8_t guid_order[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };

static bool dash_before(unsigned i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

void guid_format(const uint8_t guid[16], char ret_text[37])
{
	char *p = ret_text;

	for (unsigned i = 0; i < 16; i++) {
		if (dash_before(i))
			*p++ = '-';
		hex_format(&guid[guid_order[i]], 1, p);
		p += 2;
	}
}

int guid_parse(const char *text, uint8_t ret_guid[16])
{
	char digits[3] = "";

	if (strlen(text) != 36)
		return -EINVAL;
	for (unsigned i = 0; i < 16; i++) {
		if (dash_before(i) && *text++ != '-')
			return -EINVAL;
		memcpy(digits, text, 2);
		if (hex_parse(digits, &ret_guid[guid_order[i]], 1) < 0)
			return -EINVAL;
		text += 2;
	}
	return 0;
}

/* ------------------------------------------------------------------ what is ours */
static const struct {
	const char *name;
	unsigned kind; /* second group of the type GUID */
} parts[PARTS] = {
	[PART_STATE] = { "STATE", 1 }, [PART_C0] = { "C0", 2 }, [PART_C1] = { "C1", 2 },
	[PART_D0] = { "D0", 3 },       [PART_D1] = { "D1", 3 }, [PART_H] = { "H", 4 }, [PART_ESP] = { "ESP", 0 },
};

const char *part_name(enum part part)
{
	return parts[part].name;
}

void part_type(enum part part, uint8_t ret_type[16])
{
	char text[48];

	/* Firmware looks for this one (UEFI specification 2.10, 5.3.3). */
	if (part == PART_ESP)
		snprintf(text, sizeof(text), "c12a7328-f81f-11d2-ba4b-00a0c93ec93b");
	else
		snprintf(text, sizeof(text), "5e70a7e0-%04x-4b1d-8a5e-7265706176e0", parts[part].kind);
	guid_parse(text, ret_type);
}

int gpt_ours(const struct gpt *gpt, const struct gpt_entry *ret_parts[PARTS])
{
	uint8_t type[16];

	memset(ret_parts, 0, PARTS * sizeof(*ret_parts));
	for (unsigned i = 0; i < gpt->count; i++) {
		const struct gpt_entry *entry = &gpt->entries[i];
		unsigned part = 0;

		while (part < PARTS && strcmp(entry->name, parts[part].name) != 0)
			part++;
		if (part == PARTS || ret_parts[part] != NULL)
			return -EMEDIUMTYPE;
		part_type((enum part)part, type);
		if (memcmp(type, entry->type, 16) != 0)
			return -EMEDIUMTYPE;
		ret_parts[part] = entry;
	}
	for (unsigned part = 0; part < PARTS; part++)
		if (ret_parts[part] == NULL && part != PART_H && part != PART_ESP)
			return -EMEDIUMTYPE;
	return 0;
}

/* ------------------------------------------------------------------ parse */
static bool overlaps(const struct gpt *gpt, const struct gpt_entry *entry)
{
	for (unsigned i = 0; i < gpt->count; i++)
		if (entry->first <= gpt->entries[i].last && gpt->entries[i].first <= entry->last)
			return true;
	return false;
}

static void name_parse(const uint8_t *utf16, char ret_name[37])
{
	unsigned i;

	for (i = 0; i < 36; i++) {
		uint16_t c = get_le16(utf16 + 2 * i);

		if (c == 0)
			break;
		ret_name[i] = c >= 0x20 && c < 0x7f ? (char)c : '?';
	}
	ret_name[i] = '\0';
}

static int table_parse(const uint8_t *table, uint32_t count, struct gpt *gpt)
{
	static const uint8_t unused[16];

	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *raw = table + (size_t)i * GPT_ENTRY_SIZE;
		struct gpt_entry *entry = &gpt->entries[gpt->count];

		if (memcmp(raw, unused, 16) == 0)
			continue;
		memcpy(entry->type, raw, 16);
		memcpy(entry->guid, raw + 16, 16);
		entry->first = get_le64(raw + 32);
		entry->last = get_le64(raw + 40);
		entry->number = i + 1;
		name_parse(raw + 56, entry->name);
		if (entry->first < gpt->first_usable || entry->last > gpt->last_usable || entry->first > entry->last ||
		    overlaps(gpt, entry))
			return -EBADMSG;
		gpt->count++;
	}
	return 0;
}

/* `my`: the sector this header lies in. A table for more sectors than there are is told apart: such a disk has shrunk. */
static int header_check(const uint8_t *header, uint64_t my, const struct gpt *gpt)
{
	uint8_t copy[GPT_SECTOR_MOST];
	uint32_t size = get_le32(header + AT_HEADER_SIZE);

	if (memcmp(header + AT_SIGNATURE, SIGNATURE, 8) != 0)
		return -ENOENT;
	if (get_le32(header + AT_REVISION) != REVISION || size < HEADER_SIZE || size > gpt->sector_size)
		return -EBADMSG;
	memcpy(copy, header, size);
	put_le32(copy + AT_CRC, 0);
	if (crc32_of(copy, size) != get_le32(header + AT_CRC))
		return -EBADMSG;
	if (get_le64(header + AT_MY_LBA) != my || get_le32(header + AT_ENTRY_SIZE) != GPT_ENTRY_SIZE ||
	    get_le32(header + AT_COUNT) > GPT_ENTRIES)
		return -EBADMSG;
	return get_le64(header + AT_OTHER_LBA) >= gpt->sectors ? -EOVERFLOW : 0;
}

/* `data` are the `size` bytes of the disk from sector `start` on, with the header in sector `my`. */
static int copy_parse(const uint8_t *data, size_t size, uint64_t start, uint64_t my, uint32_t sector_size, uint64_t sectors,
		      struct gpt *ret_gpt)
{
	const uint8_t *header = data + (my - start) * sector_size;
	struct gpt *gpt = ret_gpt;
	uint64_t table_lba, at;
	uint32_t count;
	int r;

	memset(gpt, 0, sizeof(*gpt));
	gpt->sector_size = sector_size;
	gpt->sectors = sectors;
	r = header_check(header, my, gpt);
	if (r < 0)
		return r;
	gpt->first_usable = get_le64(header + AT_FIRST_USABLE);
	gpt->last_usable = get_le64(header + AT_LAST_USABLE);
	if (gpt->first_usable > gpt->last_usable || gpt->last_usable >= sectors)
		return -EBADMSG;
	memcpy(gpt->guid, header + AT_GUID, 16);

	table_lba = get_le64(header + AT_TABLE_LBA);
	count = get_le32(header + AT_COUNT);
	if (table_lba < 2 || table_lba < start || table_lba - start > size / sector_size ||
	    (table_lba >= gpt->first_usable && table_lba <= gpt->last_usable))
		return -EBADMSG;
	at = (table_lba - start) * sector_size;
	if (size - at < (size_t)count * GPT_ENTRY_SIZE ||
	    crc32_of(data + at, (size_t)count * GPT_ENTRY_SIZE) != get_le32(header + AT_TABLE_CRC))
		return -EBADMSG;
	return table_parse(data + at, count, gpt);
}

static bool size_ok(uint32_t sector_size, size_t size)
{
	return (sector_size == 512 || sector_size == GPT_SECTOR_MOST) && size >= 2 * (size_t)sector_size;
}

int gpt_parse(const uint8_t *head, size_t size, uint32_t sector_size, uint64_t sectors, struct gpt *ret_gpt)
{
	if (!size_ok(sector_size, size))
		return -EBADMSG;
	return copy_parse(head, size, 0, 1, sector_size, sectors, ret_gpt);
}

int gpt_parse_backup(const uint8_t *tail, size_t size, uint32_t sector_size, uint64_t sectors, struct gpt *ret_gpt)
{
	uint64_t start;

	if (!size_ok(sector_size, size) || size % sector_size != 0 || size / sector_size > sectors)
		return -EBADMSG;
	start = sectors - size / sector_size;
	return copy_parse(tail, size, start, sectors - 1, sector_size, sectors, ret_gpt);
}

/* ------------------------------------------------------------------ layout */
static void random_guid(const uint8_t random[16], uint8_t ret_guid[16])
{
	memcpy(ret_guid, random, 16);
	ret_guid[7] = (ret_guid[7] & 0x0f) | 0x40; /* version 4, RFC 4122 */
	ret_guid[8] = (ret_guid[8] & 0x3f) | 0x80;
}

static void add_part(struct gpt *gpt, enum part part, uint64_t first_mib, uint64_t mib, const uint8_t random[16])
{
	struct gpt_entry *entry = &gpt->entries[gpt->count++];

	memset(entry, 0, sizeof(*entry));
	part_type(part, entry->type);
	random_guid(random, entry->guid);
	entry->first = first_mib * MIB / gpt->sector_size;
	entry->last = (first_mib + mib) * MIB / gpt->sector_size - 1;
	memcpy(entry->name, parts[part].name, strlen(parts[part].name) + 1);
	entry->number = gpt->count;
}

static uint64_t esp_mib(uint32_t sector_size)
{
	return sector_size == 512 ? ESP_MIB : ESP_MIB_4K;
}

int gpt_add_esp(struct gpt *gpt, const uint8_t random[16])
{
	uint64_t per_mib = MIB / gpt->sector_size, mib = esp_mib(gpt->sector_size), end = (gpt->last_usable + 1) / per_mib, last = 0;

	for (unsigned i = 0; i < gpt->count; i++) {
		gpt->entries[i].number = i + 1; /* as gpt_format places them */
		if (gpt->entries[i].last > last)
			last = gpt->entries[i].last;
	}
	if (gpt->count == GPT_ENTRIES || end < mib || (end - mib) * per_mib <= last)
		return -ENOSPC;
	add_part(gpt, PART_ESP, end - mib, mib, random);
	return 0;
}

int gpt_layout(uint64_t sectors, uint32_t sector_size, uint64_t c_mib, uint64_t d_mib, bool esp,
	       const uint8_t random[(PARTS + 1) * 16], struct gpt *ret_gpt, uint64_t *ret_needed)
{
	struct gpt *gpt = ret_gpt;
	const uint64_t mib[PART_H] = { STATE_MIB, c_mib, c_mib, d_mib, d_mib };
	uint64_t next = 1, end, behind; /* MiB */

	if ((sector_size != 512 && sector_size != GPT_SECTOR_MOST) || c_mib == 0 || d_mib == 0 ||
	    c_mib > SLOT_MIB_MOST || d_mib > SLOT_MIB_MOST || sectors > UINT64_MAX / sector_size)
		return -EINVAL;
	/* The backup table takes the last MiB, the primary the first. */
	*ret_needed = (2 + STATE_MIB + 2 * c_mib + 2 * d_mib) * MIB;
	if (sectors * sector_size < *ret_needed)
		return -ENOSPC;
	memset(gpt, 0, sizeof(*gpt));
	gpt->sector_size = sector_size;
	gpt->sectors = sectors;
	gpt->first_usable = 2 + GPT_TABLE_SIZE / sector_size;
	gpt->last_usable = sectors - 2 - GPT_TABLE_SIZE / sector_size;
	random_guid(random + PARTS * 16, gpt->guid);
	end = sectors * sector_size / MIB - 1;
	for (unsigned part = 0; part < PART_H; part++) {
		add_part(gpt, (enum part)part, next, mib[part], random + part * 16);
		next += mib[part];
	}
	behind = esp && end - next >= esp_mib(sector_size) ? esp_mib(sector_size) : 0;
	if (end - next - behind >= H_LEAST_MIB)
		add_part(gpt, PART_H, next, end - next - behind, random + (size_t)PART_H * 16);
	if (behind > 0)
		add_part(gpt, PART_ESP, end - behind, behind, random + (size_t)PART_ESP * 16);
	return 0;
}

/* ------------------------------------------------------------------ format */
size_t gpt_primary_size(const struct gpt *gpt)
{
	return 2 * (size_t)gpt->sector_size + GPT_TABLE_SIZE;
}

size_t gpt_backup_size(const struct gpt *gpt)
{
	return gpt->sector_size + GPT_TABLE_SIZE;
}

uint64_t gpt_backup_offset(const struct gpt *gpt)
{
	return gpt->sectors * gpt->sector_size - gpt_backup_size(gpt);
}

static void protective_mbr_format(uint64_t sectors, uint8_t *mbr)
{
	uint8_t *entry = mbr + 446;
	uint64_t covered = sectors - 1;

	/* A BIOS starts whatever has the signature below; zeros would run on into the table. */
	mbr[0] = 0xcd;
	mbr[1] = 0x18;
	entry[2] = 2; /* starts at cylinder 0, head 0, sector 2 */
	entry[4] = 0xee;
	entry[5] = entry[6] = entry[7] = 0xff;
	put_le32(entry + 8, 1);
	put_le32(entry + 12, covered > UINT32_MAX ? UINT32_MAX : (uint32_t)covered);
	put_le16(mbr + 510, 0xaa55);
}

static void header_format(const struct gpt *gpt, uint64_t my, uint64_t other, uint64_t table, uint32_t table_crc,
			  uint8_t *header)
{
	memcpy(header + AT_SIGNATURE, SIGNATURE, 8);
	put_le32(header + AT_REVISION, REVISION);
	put_le32(header + AT_HEADER_SIZE, HEADER_SIZE);
	put_le64(header + AT_MY_LBA, my);
	put_le64(header + AT_OTHER_LBA, other);
	put_le64(header + AT_FIRST_USABLE, gpt->first_usable);
	put_le64(header + AT_LAST_USABLE, gpt->last_usable);
	memcpy(header + AT_GUID, gpt->guid, 16);
	put_le64(header + AT_TABLE_LBA, table);
	put_le32(header + AT_COUNT, GPT_ENTRIES);
	put_le32(header + AT_ENTRY_SIZE, GPT_ENTRY_SIZE);
	put_le32(header + AT_TABLE_CRC, table_crc);
	put_le32(header + AT_CRC, crc32_of(header, HEADER_SIZE));
}

void gpt_format(const struct gpt *gpt, uint8_t *ret_primary, uint8_t *ret_backup)
{
	uint8_t *table = ret_primary + 2 * (size_t)gpt->sector_size;
	uint64_t last = gpt->sectors - 1;
	uint32_t crc;

	memset(ret_primary, 0, gpt_primary_size(gpt));
	memset(ret_backup, 0, gpt_backup_size(gpt));
	for (unsigned i = 0; i < gpt->count; i++) {
		uint8_t *raw = table + (size_t)i * GPT_ENTRY_SIZE;

		memcpy(raw, gpt->entries[i].type, 16);
		memcpy(raw + 16, gpt->entries[i].guid, 16);
		put_le64(raw + 32, gpt->entries[i].first);
		put_le64(raw + 40, gpt->entries[i].last);
		for (unsigned c = 0; c < 36 && gpt->entries[i].name[c] != '\0'; c++)
			raw[56 + 2 * c] = (uint8_t)gpt->entries[i].name[c];
	}
	crc = crc32_of(table, GPT_TABLE_SIZE);
	protective_mbr_format(gpt->sectors, ret_primary);
	header_format(gpt, 1, last, 2, crc, ret_primary + gpt->sector_size);
	memcpy(ret_backup, table, GPT_TABLE_SIZE);
	header_format(gpt, last, 1, last - GPT_TABLE_SIZE / gpt->sector_size, crc, ret_backup + GPT_TABLE_SIZE);
}

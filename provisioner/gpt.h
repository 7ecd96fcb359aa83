/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GUID partition tables (UEFI specification 2.10, chapter 5), with no I/O, and Repave's own layout in one.
 *
 *   LBA 0         protective MBR (of its first 440 bytes two are an instruction, INT 18h, by which a BIOS goes on to the next device,
 *                 and the rest is zero: nothing boots from this disk)
 *   LBA 1         header
 *   LBA 2 …       128 entries of 128 bytes
 *   1 MiB …       STATE | C0 | C1 | D0 | D1 | H | ESP     each aligned to 1 MiB; ESP with UEFI firmware only
 *   end           entries and header again
 */
#ifndef PROVISIONER_GPT_H
#define PROVISIONER_GPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GPT_ENTRIES 128u
#define GPT_ENTRY_SIZE 128u
#define GPT_TABLE_SIZE (GPT_ENTRIES * GPT_ENTRY_SIZE)
#define GPT_SECTOR_MOST 4096u
/* Enough of a disk's beginning for gpt_parse, whatever the sector size. */
#define GPT_HEAD_SIZE (2 * GPT_SECTOR_MOST + GPT_TABLE_SIZE)

enum part { PART_STATE, PART_C0, PART_C1, PART_D0, PART_D1, PART_H, PART_ESP, PARTS };

struct gpt_entry {
	uint8_t type[16]; /* GUIDs as they lie on the disk (mixed endian) */
	uint8_t guid[16];
	uint64_t first; /* sectors, both ends inclusive */
	uint64_t last;
	char name[37]; /* ASCII; other characters as '?' */
	unsigned number; /* from 1 on: its place in the table */
};

struct gpt {
	uint8_t guid[16];
	uint32_t sector_size; /* 512 or 4096 */
	uint64_t sectors;     /* of the disk */
	uint64_t first_usable;
	uint64_t last_usable;
	unsigned count; /* used entries, in table order */
	struct gpt_entry entries[GPT_ENTRIES];
};

/* Lower-case text of a GUID as it lies on the disk. */
void guid_format(const uint8_t guid[16], char ret_text[37]);
/* The inverse, for exactly 36 characters of either case. 0 or -EINVAL. */
int guid_parse(const char *text, uint8_t ret_guid[16]);

/* The name in the table ("C0") and the type GUID of a partition of ours. */
const char *part_name(enum part part);
void part_type(enum part part, uint8_t ret_type[16]);

/* Parses the primary table from the first `size` bytes of a disk of `sectors` sectors.
 * 0; -ENOENT: no table there; -EOVERFLOW: a sound header, for a larger disk; -EBADMSG: a table that is damaged, or of a form that
 * isn't ours. */
int gpt_parse(const uint8_t *head, size_t size, uint32_t sector_size, uint64_t sectors, struct gpt *ret_gpt);
/* The same for the backup, from the last `size` bytes (whole sectors). */
int gpt_parse_backup(const uint8_t *tail, size_t size, uint32_t sector_size, uint64_t sectors, struct gpt *ret_gpt);

/* Is this table Repave's? All of STATE, C0, C1, D0, D1 once, H and ESP at most once, nothing else. Then ret_parts points
 * to the entries (H and ESP may be NULL). 0, or -EMEDIUMTYPE. */
int gpt_ours(const struct gpt *gpt, const struct gpt_entry *ret_parts[PARTS]);

/* Lays out a new disk, with an ESP where it is wanted and there is room for it. `random` is PARTS + 1 random GUIDs. 0, -EINVAL for
 * impossible sizes, or -ENOSPC when the disk is too small; `ret_needed` is then how many bytes it must have (else too, for information). */
int gpt_layout(uint64_t sectors, uint32_t sector_size, uint64_t c_mib, uint64_t d_mib, bool esp,
	       const uint8_t random[(PARTS + 1) * 16], struct gpt *ret_gpt, uint64_t *ret_needed);
/* Adds an ESP behind all others to a table of ours that has none. 0, or -ENOSPC when that isn't free. */
int gpt_add_esp(struct gpt *gpt, const uint8_t random[16]);

/* Sizes and places of what gpt_format writes: the primary at sector 0, the backup at the end. */
size_t gpt_primary_size(const struct gpt *gpt);
size_t gpt_backup_size(const struct gpt *gpt);
uint64_t gpt_backup_offset(const struct gpt *gpt);
/* `ret_primary` has gpt_primary_size bytes, `ret_backup` gpt_backup_size. */
void gpt_format(const struct gpt *gpt, uint8_t *ret_primary, uint8_t *ret_backup);

#endif

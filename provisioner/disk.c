/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "provisioner/ram.h"

#define MIB ((size_t)1 << 20)
#define DISKS_MOST 64
#define PIECE ((size_t)4096)
#define LOST_MOST 8u     /* pieces that can't be read */
#define BOOT_CODE 440u /* bytes of the first sector that a BIOS runs */
#define FLIPPED_MOST 16u /* bytes */
#define NODE_SECONDS 10u

/* ------------------------------------------------------------------ what is there */
/* Only for the message: an operator decides more easily when the system is named. */
static const struct {
	size_t offset;
	const char *magic;
	size_t size;
	const char *what;
} signatures[] = {
	{ 512, "EFI PART", 8, "a GPT partition table" },
	{ 4096, "EFI PART", 8, "a GPT partition table" },
	{ 0x438, "\x53\xef", 2, "an ext2/3/4 file system" },
	{ 0, "XFSB", 4, "an XFS file system" },
	{ 0x10040, "_BHRfS_M", 8, "a btrfs file system" },
	{ 0, "LUKS\xba\xbe", 6, "a LUKS encrypted volume" },
	{ 512, "LABELONE", 8, "an LVM physical volume" },
	{ 4096, "\xfc\x4e\x2b\xa9", 4, "a RAID member" },
	{ 4086, "SWAPSPACE2", 10, "swap space" },
	{ 3, "NTFS    ", 8, "an NTFS file system" },
	{ 0x8001, "CD001", 5, "an ISO 9660 image" },
	{ 0, "hsqs", 4, "a squashfs file system" },
	{ 54, "FAT", 3, "a FAT file system" },
	{ 82, "FAT32", 5, "a FAT file system" },
	{ 510, "\x55\xaa", 2, "an MBR partition table" },
};

static bool all_zero(const uint8_t *data, size_t size)
{
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

/* Volume names that initramfs/build-media gives: a disk with MBR, the same as an ESP without a table, an ISO. */
static bool is_boot_medium(const uint8_t *head, size_t size)
{
	static const struct {
		size_t offset;
		const char *name;
		size_t size;
	} media[] = { { MIB + 43, "REPAVE     FAT", 14 }, { 43, "REPAVE-EFI FAT", 14 }, { 0x8028, "REPAVE  ", 8 } };

	for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++)
		if (media[i].offset + media[i].size <= size &&
		    memcmp(head + media[i].offset, media[i].name, media[i].size) == 0)
			return true;
	return false;
}

static const char *name_content(const uint8_t *head, size_t size)
{
	for (size_t i = 0; i < sizeof(signatures) / sizeof(signatures[0]); i++)
		if (signatures[i].offset + signatures[i].size <= size &&
		    memcmp(head + signatures[i].offset, signatures[i].magic, signatures[i].size) == 0)
			return signatures[i].what;
	return "data of an unknown kind in its first MiB";
}

/* The edges of a disk. */
struct edges {
	uint8_t *head, *tail;
	size_t have; /* bytes of head */
	size_t edge; /* bytes of tail, and of head before the first partition */
	uint32_t sector;
	uint64_t sectors;
};

/* Whether what lies before the first partition is Repave's table with a few bytes flipped, or with sectors lost (all zero). Whoever
 * made the disk his own in the meantime has changed more. */
static bool merely_damaged(const struct edges *edges, const struct gpt *gpt)
{
	uint8_t *table = calloc(1, edges->edge), *backup = malloc(gpt_backup_size(gpt));
	size_t flipped = 0;
	bool merely = table != NULL && backup != NULL && gpt_primary_size(gpt) <= edges->edge;

	if (merely)
		gpt_format(gpt, table, backup);
	for (size_t at = 0; merely && at + edges->sector <= edges->edge; at += edges->sector) {
		if (all_zero(edges->head + at, edges->sector))
			continue;
		for (size_t i = at; i < at + edges->sector; i++)
			flipped += edges->head[i] != table[i];
	}
	free(backup);
	free(table);
	return merely && flipped <= FLIPPED_MOST;
}

/* Whether the disk's end holds nothing but parts of a backup table of ours: a power cut while it was made. */
static bool unfinished(const struct edges *edges)
{
	size_t table = edges->edge - GPT_TABLE_SIZE - edges->sector;
	uint8_t type[16], esp[16];

	part_type(PART_ESP, esp);
	if (!all_zero(edges->tail, table))
		return false;
	for (unsigned i = 0; i < GPT_ENTRIES; i++) {
		const uint8_t *entry = edges->tail + table + (size_t)i * GPT_ENTRY_SIZE;

		part_type(i < PARTS ? (enum part)i : PART_H, type);
		/* Without an H:, the ESP is in its place. */
		if (!all_zero(entry, GPT_ENTRY_SIZE) &&
		    (i >= PARTS || (memcmp(entry, type, 16) != 0 && (i != PART_H || memcmp(entry, esp, 16) != 0))))
			return false;
	}
	return all_zero(edges->tail + table + GPT_TABLE_SIZE, edges->sector) ||
	       memcmp(edges->tail + table + GPT_TABLE_SIZE, "EFI PART", 8) == 0;
}

/* What the kernel asks of the first sector before it looks at a GPT. */
static bool mbr_protects(const uint8_t *mbr)
{
	return memcmp(mbr + 510, "\x55\xaa", 2) == 0 && mbr[450] == 0xee && get_le32(mbr + 454) == 1;
}

/* A first sector that has code, or anything, but where its partitions would be: nobody's data are told of there. */
static bool no_partitions(const uint8_t *mbr)
{
	return all_zero(mbr + 446, 64);
}

/* Whether the protective record is as it was written, from the byte `from` on: those that no kernel asks for too. */
static bool mbr_as_made(const struct edges *edges, const struct gpt *gpt, size_t from)
{
	uint8_t *table = malloc(gpt_primary_size(gpt)), *backup = malloc(gpt_backup_size(gpt));
	bool same = table != NULL && backup != NULL;

	if (same) {
		gpt_format(gpt, table, backup);
		same = memcmp(edges->head + from, table + from, 512 - from) == 0;
	}
	free(backup);
	free(table);
	return same;
}

/* DISK_OURS or DISK_DAMAGED by either copy of the table; else DISK_FOREIGN. */
static enum disk_content look_at_tables(const struct edges *edges, struct gpt *gpt, int *ret_primary)
{
	const struct gpt_entry *parts[PARTS];
	struct gpt *backup = malloc(sizeof(*backup));
	enum disk_content content = DISK_FOREIGN;
	int other = -ENOMEM;

	*ret_primary = gpt_parse(edges->head, edges->edge, edges->sector, edges->sectors, gpt);
	if (backup != NULL)
		other = gpt_parse_backup(edges->tail, edges->edge, edges->sector, edges->sectors, backup);
	if (other == 0)
		other = gpt_ours(backup, parts);
	if (*ret_primary == 0 && gpt_ours(gpt, parts) == 0) {
		if (!mbr_as_made(edges, gpt, BOOT_CODE) && (merely_damaged(edges, gpt) || no_partitions(edges->head)))
			content = DISK_DAMAGED;
		else if (!mbr_protects(edges->head))
			content = DISK_FOREIGN;
		else /* boot code included: whoever was root here may have left some */
			content = other == 0 && memcmp(backup, gpt, sizeof(*gpt)) == 0 && mbr_as_made(edges, gpt, 0) ? DISK_OURS : DISK_DAMAGED;
	} else if (*ret_primary != 0 && other == 0 && merely_damaged(edges, backup)) {
		memcpy(gpt, backup, sizeof(*gpt));
		content = DISK_DAMAGED;
	}
	free(backup);
	return content;
}

static enum disk_content look_at(const struct edges *edges, struct gpt *gpt, char what[64])
{
	int r;
	enum disk_content content = look_at_tables(edges, gpt, &r);

	if (content != DISK_FOREIGN)
		return content;
	if (is_boot_medium(edges->head, edges->have)) {
		snprintf(what, 64, "the boot medium");
		return DISK_MEDIUM;
	}
	if (r == 0)
		snprintf(what, 64, "a GPT with %u foreign partition%s", gpt->count, gpt->count == 1 ? "" : "s");
	else if (r == -EBADMSG)
		snprintf(what, 64, "a damaged GPT partition table");
	else if (r == -EOVERFLOW)
		snprintf(what, 64, "a GPT partition table of a larger disk");
	else if (!all_zero(edges->head, edges->edge))
		snprintf(what, 64, "%s", name_content(edges->head, edges->edge));
	else if (!all_zero(edges->tail, edges->edge) && !unfinished(edges))
		snprintf(what, 64, "data in its last MiB");
	else
		return DISK_BLANK;
	return content;
}

/* What can't be read stays zero: one bad sector doesn't hide the rest. A disk that gives up often is given up. */
static int read_edge(int fd, uint8_t *data, size_t size, uint64_t offset, unsigned *lost)
{
	int r = read_full_at(fd, data, size, offset);

	for (size_t at = 0; r < 0 && at < size; at += PIECE) {
		size_t n = size - at < PIECE ? size - at : PIECE;
		int piece = read_full_at(fd, data + at, n, offset + at);

		if (piece < 0 && ++*lost > LOST_MOST)
			return piece;
		if (piece < 0)
			memset(data + at, 0, n);
	}
	return 0;
}

int disk_look(int fd, uint64_t size, struct gpt *ret_gpt, char ret_what[64])
{
	uint32_t sector = blockdev_sector_size(fd);
	struct edges edges = { .sector = sector, .sectors = sector != 0 ? size / sector : 0 };
	unsigned lost = 0;
	int r = -ENOMEM;

	edges.edge = size < MIB ? (size_t)size : MIB;
	edges.have = size < MIB + PIECE ? edges.edge : MIB + PIECE; /* with the first sector of a partition that begins at 1 MiB */
	edges.head = malloc(edges.have + 1);
	edges.tail = malloc(edges.edge + 1);
	ret_what[0] = '\0';
	if (edges.head != NULL && edges.tail != NULL)
		r = sector == 0 ? -EINVAL : 0;
	if (r == 0)
		r = read_edge(fd, edges.head, edges.have, 0, &lost);
	if (r == 0)
		r = read_edge(fd, edges.tail, edges.edge, size - edges.edge, &lost);
	if (r == 0)
		r = look_at(&edges, ret_gpt, ret_what);
	/* Nothing is to be inferred from what can't be read. */
	if (r != DISK_OURS && r != DISK_DAMAGED && lost > 0)
		r = -EIO;
	free(edges.tail);
	free(edges.head);
	return r;
}

static int open_disk(const char *name, int flags)
{
	char path[BLOCKDEV_NAME + 8];
	int fd;

	snprintf(path, sizeof(path), "/dev/%.63s", name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int look_by_name(const struct blockdev *device, struct gpt *ret_gpt, char ret_what[64])
{
	int fd = open_disk(device->name, O_RDONLY), r;

	if (fd < 0)
		return fd;
	r = disk_look(fd, device->size, ret_gpt, ret_what);
	close(fd);
	return r;
}

static void disk_set(struct disk *disk, const struct blockdev *device)
{
	snprintf(disk->name, sizeof(disk->name), "%.63s", device->name);
	disk->size = device->size;
	disk->read_only = device->read_only;
}

void disk_find(struct disk *ret_disk)
{
	struct blockdev devices[DISKS_MOST];
	int count = blockdev_list("/sys", devices, DISKS_MOST);
	char what[64];

	ret_disk->found = false;
	for (int i = 0; i < count; i++) {
		int content = look_by_name(&devices[i], &ret_disk->gpt, what);

		if (content != DISK_OURS && content != DISK_DAMAGED)
			continue;
		ret_disk->damaged = content == DISK_DAMAGED;
		disk_set(ret_disk, &devices[i]);
		gpt_ours(&ret_disk->gpt, ret_disk->parts);
		ret_disk->found = true;
		return;
	}
}

/* ------------------------------------------------------------------ making it ours */
int disk_refuse(const char *name, uint64_t size, const char *what, const char *node, char ret_error[SENTENCE])
{
	char text[16];

	return sentence(ret_error, -EMEDIUMTYPE,
			"disk %s (%s) holds %s and isn't Repave's: not touched. To erase it: repave assign %s --wipe", name,
			format_size(size, text), what, node);
}

static int too_small(const char *name, uint64_t size, uint64_t needed, char ret_error[SENTENCE])
{
	/* In MiB: two sizes that round to the same number of GiB explain nothing. */
	return sentence(ret_error, -ENOSPC, "disk %s has %" PRIu64 " MiB, but slots of the configured sizes need %" PRIu64
			" MiB: use a larger disk, or smaller slots (make menuconfig)", name, size / MIB, needed / MIB);
}

/* Whose data lay there before is nobody's question any more: the OS makes a file system only where it finds none of its beginning
 * or end (common/home-disk.h). */
static int wipe_home(int fd, const struct gpt *gpt, const uint8_t zeros[MIB])
{
	const struct gpt_entry *parts[PARTS];
	int r;

	if (gpt_ours(gpt, parts) < 0 || parts[PART_H] == NULL)
		return 0;
	r = write_full_at(fd, zeros, MIB, parts[PART_H]->first * gpt->sector_size);
	return r == 0 ? write_full_at(fd, zeros, MIB, (parts[PART_H]->last + 1) * gpt->sector_size - MIB) : r;
}

static int wipe_edges(int fd, const struct gpt *gpt)
{
	uint64_t size = gpt->sectors * gpt->sector_size, state = gpt->entries[PART_STATE].first * gpt->sector_size;
	uint64_t half = (gpt->entries[PART_STATE].last - gpt->entries[PART_STATE].first + 1) * gpt->sector_size / 2;
	uint8_t *zeros = calloc(1, MIB);
	int r = zeros != NULL ? 0 : -ENOMEM;

	if (r == 0)
		r = write_full_at(fd, zeros, MIB, size - MIB);
	/* Old records of a former life must not come back. */
	if (r == 0)
		r = write_full_at(fd, zeros, 4096, state);
	if (r == 0)
		r = write_full_at(fd, zeros, 4096, state + half);
	if (r == 0)
		r = wipe_home(fd, gpt, zeros);
	if (r == 0)
		r = write_full_at(fd, zeros, MIB, 0);
	free(zeros);
	return r;
}

/* The backup is on the disk before the primary begins: whatever a cut leaves of that one can be told from it, and a backup that is
 * cut itself lies on a disk that is blank otherwise (look_at). */
static int write_tables(int fd, const struct gpt *gpt)
{
	uint8_t *primary = malloc(gpt_primary_size(gpt)), *backup = malloc(gpt_backup_size(gpt));
	int r = primary == NULL || backup == NULL ? -ENOMEM : 0;

	if (r == 0) {
		gpt_format(gpt, primary, backup);
		r = write_full_at(fd, backup, gpt_backup_size(gpt), gpt_backup_offset(gpt));
	}
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	if (r == 0)
		r = write_full_at(fd, primary, gpt_primary_size(gpt), 0);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	free(backup);
	free(primary);
	return r;
}

int disk_mend_table(int fd, const struct disk *disk)
{
	/* A table that was moved to a larger disk keeps its end; the backup mustn't lie in it. */
	return disk->gpt.last_usable < gpt_backup_offset(&disk->gpt) / disk->gpt.sector_size ? write_tables(fd, &disk->gpt) : -EBADMSG;
}

int disk_write_table(int fd, struct disk *disk, const struct disk_needs *needs, char ret_error[SENTENCE])
{
	uint8_t random[(PARTS + 1) * 16];
	uint32_t sector = blockdev_sector_size(fd);
	uint64_t needed = 0;
	int r;

	if (sector == 0)
		return sentence(ret_error, -EINVAL, "disk %s has sectors of a size that isn't supported", disk->name);
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return sentence(ret_error, -EIO, "no random numbers");
	r = gpt_layout(disk->size / sector, sector, needs->slot_c_mib, needs->slot_d_mib, needs->uefi, random, &disk->gpt, &needed);
	if (r == -ENOSPC)
		return too_small(disk->name, disk->size, needed, ret_error);
	if (r == 0)
		r = wipe_edges(fd, &disk->gpt);
	if (r == 0)
		r = write_tables(fd, &disk->gpt);
	if (r < 0)
		return sentence(ret_error, r, "disk %s can't be partitioned: %s", disk->name, strerror(-r));
	gpt_ours(&disk->gpt, disk->parts);
	return 0;
}

static int take_table(int fd, const struct disk *disk, char ret_error[SENTENCE])
{
	const struct timespec moment = { .tv_nsec = 100 * 1000 * 1000 };

	/* Somebody may still be reading the old partitions. */
	for (unsigned try = 0; ioctl(fd, BLKRRPART) < 0; try++) {
		if (errno != EBUSY || try == 30)
			return sentence(ret_error, -errno, "the kernel doesn't take disk %s's new partition table: %s", disk->name,
					strerror(errno));
		nanosleep(&moment, NULL);
	}
	return 0;
}

static int make_ours(struct disk *disk, const struct disk_needs *needs, char ret_error[SENTENCE])
{
	int fd = open_disk(disk->name, O_RDWR | O_EXCL), r;

	if (fd < 0)
		return sentence(ret_error, fd, "disk %s can't be opened for writing: %s", disk->name, strerror(-fd));
	r = disk_write_table(fd, disk, needs, ret_error);
	if (r == 0)
		r = take_table(fd, disk, ret_error);
	close(fd);
	disk->found = r == 0;
	return r;
}

/* Disks that were laid out before there were ESPs. Without the room for one all stays as it is. */
static int add_esp(struct disk *disk, char ret_error[SENTENCE])
{
	uint8_t random[16];
	int fd, r;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random) || gpt_add_esp(&disk->gpt, random) < 0)
		return 0;
	fd = open_disk(disk->name, O_RDWR | O_EXCL);
	r = fd < 0 ? fd : write_tables(fd, &disk->gpt);
	if (r < 0)
		sentence(ret_error, r, "disk %s can't get an EFI system partition: %s", disk->name, strerror(-r));
	else
		r = take_table(fd, disk, ret_error);
	if (fd >= 0)
		close(fd);
	gpt_ours(&disk->gpt, disk->parts);
	return r;
}

int disk_mend(struct disk *disk, char ret_error[SENTENCE])
{
	int fd = open_disk(disk->name, O_RDWR | O_EXCL), r = fd;

	if (fd >= 0) {
		r = disk_mend_table(fd, disk);
		if (r == 0)
			r = take_table(fd, disk, ret_error);
		else
			sentence(ret_error, r, "the partition table of disk %s is damaged and can't be mended: %s: replace the disk",
				 disk->name, strerror(-r));
		close(fd);
	} else {
		sentence(ret_error, r, "disk %s can't be opened for writing: %s", disk->name, strerror(-r));
	}
	disk->damaged = r != 0;
	return r;
}

static bool slots_fit(const struct disk *disk, const struct disk_needs *needs)
{
	for (unsigned part = PART_C0; part <= PART_D1; part++) {
		uint64_t size = (disk->parts[part]->last - disk->parts[part]->first + 1) * disk->gpt.sector_size;

		if (size != (part <= PART_C1 ? needs->slot_c_mib : needs->slot_d_mib) * MIB)
			return false;
	}
	return true;
}

/* Chooses by reading only: the first blank disk that is large enough; with wipe, else the first foreign one that is.
 * The boot medium, which may lie on a large disk, is no disk at all here. */
static int choose(const struct disk_needs *needs, struct disk *disk, char ret_error[SENTENCE])
{
	struct blockdev devices[DISKS_MOST];
	int count = blockdev_list("/sys", devices, DISKS_MOST), chosen = -1, r = -ENODEV;
	uint64_t needed = (2 + 16 + 2 * needs->slot_c_mib + 2 * needs->slot_d_mib) * MIB;

	sentence(ret_error, r, "this server has no disk: one of %" PRIu64 " MiB or more is needed (is its driver in the initramfs?)",
		 needed / MIB);
	for (int i = 0; i < count; i++) {
		char what[64];
		int content = look_by_name(&devices[i], &disk->gpt, what);

		if (devices[i].read_only) {
			if (r == -ENODEV && content != DISK_MEDIUM)
				r = sentence(ret_error, -EROFS, "disk %s is read-only", devices[i].name);
		} else if (content == DISK_MEDIUM) {
			if (r == -ENODEV)
				sentence(ret_error, r, "disk %s is the boot medium and not touched: another one of %" PRIu64
					 " MiB or more is needed", devices[i].name, needed / MIB);
		} else if (content < 0) {
			if (r == -ENODEV)
				r = sentence(ret_error, content, "disk %s can't be read: %s", devices[i].name, strerror(-content));
		} else if (devices[i].size < needed) {
			if (r != -EMEDIUMTYPE)
				r = too_small(devices[i].name, devices[i].size, needed, ret_error);
		} else if (content == DISK_BLANK) {
			chosen = i;
			break;
		} else if (needs->wipe) {
			chosen = chosen < 0 ? i : chosen;
		} else if (r != -EMEDIUMTYPE) {
			r = disk_refuse(devices[i].name, devices[i].size, what, needs->node, ret_error);
		}
	}
	if (chosen < 0)
		return r;
	disk_set(disk, &devices[chosen]);
	return 0;
}

int disk_prepare(struct disk *disk, const struct disk_needs *needs, bool *ret_made, char ret_error[SENTENCE])
{
	int r;

	*ret_made = false;
	if (disk->found && (!needs->wipe || (slots_fit(disk, needs) && (!needs->reset || disk->parts[PART_ESP] != NULL))))
		return needs->uefi && disk->parts[PART_ESP] == NULL && !disk->read_only ? add_esp(disk, ret_error) : 0;
	if (disk->read_only)
		return sentence(ret_error, -EROFS, "disk %s is read-only", disk->name);
	if (!disk->found) {
		r = choose(needs, disk, ret_error);
		if (r < 0)
			return r;
	}
	r = make_ours(disk, needs, ret_error);
	*ret_made = r == 0;
	return r;
}

int disk_open_part(const struct disk *disk, enum part part, int *ret_fd, uint64_t *ret_size,
		   char ret_path[BLOCKDEV_NAME + 8], char ret_error[SENTENCE])
{
	const struct gpt_entry *entry = disk->parts[part];
	int r;

	if (disk->in_ram)
		return ram_open(part, ret_fd, ret_size, ret_path, BLOCKDEV_NAME + 8, ret_error);
	r = blockdev_partition(disk->name, &disk->gpt, entry, NODE_SECONDS, ret_path);

	if (r < 0)
		return sentence(ret_error, r, "partition %s of disk %s doesn't appear: does this kernel know GPT tables?",
				part_name(part), disk->name);
	*ret_fd = open(ret_path, (disk->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	if (*ret_fd < 0)
		return sentence(ret_error, -errno, "partition %s (%s) can't be opened: %s", part_name(part), ret_path,
				strerror(errno));
	*ret_size = (entry->last - entry->first + 1) * disk->gpt.sector_size;
	return 0;
}

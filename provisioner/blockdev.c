/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/blockdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"

#define SYSFS_SECTOR 512u /* of `size` and `start`, whatever the disk's own */
#define DISKS_MOST 64

static int read_number(const char *folder, const char *file, uint64_t *ret_value)
{
	char path[512];
	char *line;
	int r;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	line = read_line_of(path);
	if (line == NULL)
		return -ENOENT;
	r = parse_u64(line, ret_value);
	free(line);
	return r;
}

static bool starts_with_any(const char *name)
{
	static const char *const others[] = { "loop", "ram", "zram", "sr", "fd", "dm-", "md", "nbd", "mtdblock" };

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		if (strncmp(name, others[i], strlen(others[i])) == 0)
			return true;
	return false;
}

static int by_name(const void *a, const void *b)
{
	const struct blockdev *left = a, *right = b;
	size_t l = strlen(left->name), r = strlen(right->name);

	if (left->read_only != right->read_only)
		return left->read_only ? 1 : -1;
	/* vdz before vdaa. */
	return l != r ? (l < r ? -1 : 1) : strcmp(left->name, right->name);
}

int blockdev_list(const char *sys, struct blockdev *ret_disks, size_t most)
{
	char path[256], folder[512];
	struct dirent *entry;
	size_t count = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/block", sys);
	dir = opendir(path);
	if (dir == NULL)
		return -errno;
	while ((entry = readdir(dir)) != NULL && count < most) {
		uint64_t removable = 0, locked = 0, sectors = 0;

		if (entry->d_name[0] == '.' || starts_with_any(entry->d_name) || strlen(entry->d_name) >= BLOCKDEV_NAME)
			continue;
		snprintf(folder, sizeof(folder), "%s/%s", path, entry->d_name);
		read_number(folder, "removable", &removable);
		read_number(folder, "ro", &locked);
		if (removable || read_number(folder, "size", &sectors) < 0 || sectors == 0)
			continue;
		snprintf(ret_disks[count].name, BLOCKDEV_NAME, "%.63s", entry->d_name);
		ret_disks[count].read_only = locked != 0;
		ret_disks[count++].size = sectors * SYSFS_SECTOR;
	}
	closedir(dir);
	qsort(ret_disks, count, sizeof(*ret_disks), by_name);
	return (int)count;
}

uint32_t blockdev_sector_size(int fd)
{
	struct stat st;
	int size;

	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return 512;
	return ioctl(fd, BLKSSZGET, &size) == 0 && (size == 512 || size == 4096) ? (uint32_t)size : 0;
}

int blockdev_read_gpt(int fd, uint64_t size, struct gpt *ret_gpt)
{
	uint32_t sector = blockdev_sector_size(fd);
	uint8_t *head;
	int r;

	if (sector == 0 || size < GPT_HEAD_SIZE)
		return -ENOENT;
	head = malloc(GPT_HEAD_SIZE);
	if (head == NULL)
		return -ENOMEM;
	r = read_full_at(fd, head, GPT_HEAD_SIZE, 0);
	if (r == 0)
		r = gpt_parse(head, GPT_HEAD_SIZE, sector, size / sector, ret_gpt);
	free(head);
	return r;
}

/* Looks in /sys/block/DISK/ for the child that starts and ends where the table says. */
static int find_partition(const char *disk, const struct gpt *gpt, const struct gpt_entry *entry,
			  char ret_path[BLOCKDEV_NAME + 8])
{
	uint64_t factor = gpt->sector_size / SYSFS_SECTOR;
	char path[128], folder[512];
	struct dirent *child;
	int r = -ENODEV;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/block/%s", disk);
	dir = opendir(path);
	if (dir == NULL)
		return -ENODEV;
	while (r < 0 && (child = readdir(dir)) != NULL) {
		uint64_t start, size;

		if (strncmp(child->d_name, disk, strlen(disk)) != 0 || strlen(child->d_name) >= BLOCKDEV_NAME)
			continue;
		snprintf(folder, sizeof(folder), "%s/%s", path, child->d_name);
		if (read_number(folder, "start", &start) < 0 || read_number(folder, "size", &size) < 0)
			continue;
		if (start != entry->first * factor || size != (entry->last - entry->first + 1) * factor)
			continue;
		snprintf(ret_path, BLOCKDEV_NAME + 8, "/dev/%.63s", child->d_name);
		r = access(ret_path, F_OK) == 0 ? 0 : -ENODEV;
	}
	closedir(dir);
	return r;
}

int blockdev_partition(const char *disk, const struct gpt *gpt, const struct gpt_entry *entry, unsigned seconds,
		       char ret_path[BLOCKDEV_NAME + 8])
{
	const struct timespec moment = { .tv_nsec = 50 * 1000 * 1000 };
	int r = find_partition(disk, gpt, entry, ret_path);

	for (unsigned try = 0; r < 0 && try < seconds * 20; try++) {
		nanosleep(&moment, NULL);
		r = find_partition(disk, gpt, entry, ret_path);
	}
	return r;
}

static int find_in_disk(const char *disk, uint64_t size, const uint8_t guid[16], struct gpt *gpt,
			char ret_path[BLOCKDEV_NAME + 8])
{
	char path[BLOCKDEV_NAME + 8];
	int fd, r;

	snprintf(path, sizeof(path), "/dev/%.63s", disk);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = blockdev_read_gpt(fd, size, gpt);
	close(fd);
	for (unsigned i = 0; r == 0 && i < gpt->count; i++)
		if (memcmp(gpt->entries[i].guid, guid, 16) == 0)
			return find_partition(disk, gpt, &gpt->entries[i], ret_path);
	return -ENODEV;
}

int blockdev_by_partuuid(const char *partuuid, char ret_path[BLOCKDEV_NAME + 8])
{
	struct blockdev disks[DISKS_MOST];
	struct gpt *gpt;
	uint8_t guid[16];
	int count, r = -ENODEV;

	if (guid_parse(partuuid, guid) < 0)
		return -EINVAL;
	gpt = malloc(sizeof(*gpt));
	if (gpt == NULL)
		return -ENOMEM;
	count = blockdev_list("/sys", disks, DISKS_MOST);
	for (int i = 0; r < 0 && i < count; i++)
		r = find_in_disk(disks[i].name, disks[i].size, guid, gpt, ret_path);
	free(gpt);
	return r;
}

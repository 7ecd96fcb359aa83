/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/ram.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"

#define FOLDER "/run/repave/ram"
#define RESERVE (UINT64_C(96) << 20) /* kernels, initrd, this program, and the OS's first steps */
#define JUMP_RESERVE (UINT64_C(8) << 20)
#define PIECE (1u << 20)

uint64_t ram_needed(uint64_t images)
{
	return images > (UINT64_MAX - RESERVE) / 3 ? UINT64_MAX : 3 * images + RESERVE;
}

uint64_t ram_available(const char *meminfo)
{
	const char *line = strstr(meminfo, "MemAvailable:");
	char *end;
	unsigned long long kib;

	if (line == NULL)
		return 0;
	kib = strtoull(line + strlen("MemAvailable:"), &end, 10);
	return strncmp(end, " kB", 3) == 0 && kib < UINT64_MAX >> 10 ? (uint64_t)kib << 10 : 0;
}

static int available_now(uint64_t *ret_available, char ret_error[SENTENCE])
{
	struct buffer meminfo = { 0 };
	int r = file_load("/proc/meminfo", 1 << 16, &meminfo);

	if (r < 0)
		return sentence(ret_error, r, "/proc/meminfo can't be read: %s", strerror(-r));
	*ret_available = ram_available((const char *)meminfo.data);
	buffer_release(&meminfo);
	return 0;
}

static int check_memory(uint64_t images, const char *why, char ret_error[SENTENCE])
{
	char size[16], need[16], have[16];
	uint64_t available, needed = ram_needed(images);
	int r = available_now(&available, ret_error);

	if (r < 0 || available >= needed)
		return r;
	return sentence(ret_error, -ENOMEM, "%s, and images of %s need %s of memory to boot from there, but %s are "
			"available: add memory or a disk, or assign smaller images (Compression inside the image, make menuconfig)",
			why, format_size(images, size), format_size(needed, need), format_size(available, have));
}

int ram_check_jump(uint64_t bytes, char ret_error[SENTENCE])
{
	char size[16], need[16], have[16];
	uint64_t available, needed = 2 * bytes + JUMP_RESERVE;
	int r = available_now(&available, ret_error);

	if (r < 0 || available >= needed)
		return r;
	return sentence(ret_error, -ENOMEM, "a kernel and initrd of %s need %s of memory for the jump, but %s are available: add memory, "
			"or assign smaller images", format_size(bytes, size), format_size(needed, need), format_size(available, have));
}

static int make_slot(const char *name, uint64_t size)
{
	char path[64];
	int fd, r = 0;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, (off_t)size) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

int ram_prepare(uint64_t c_size, uint64_t d_size, const char *why, char ret_error[SENTENCE])
{
	char options[64];
	int r;

	/* Slots of a try before this one. */
	umount2(FOLDER, MNT_DETACH);
	r = check_memory(c_size + d_size, why, ret_error);
	if (r < 0)
		return r;
	snprintf(options, sizeof(options), "mode=0700,size=%llu", (unsigned long long)(c_size + d_size + (1 << 20)));
	r = make_folders(FOLDER, 0700);
	if (r == 0 && mount("tmpfs", FOLDER, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, options) < 0)
		r = -errno;
	if (r == 0)
		r = make_slot("C0", c_size);
	if (r == 0)
		r = make_slot("C1", 0);
	if (r == 0)
		r = make_slot("D0", d_size);
	if (r == 0)
		r = make_slot("D1", 0);
	return r < 0 ? sentence(ret_error, r, "slots in RAM can't be made: %s", strerror(-r)) : 0;
}

int ram_open(enum part part, int *ret_fd, uint64_t *ret_size, char *ret_path, size_t room, char ret_error[SENTENCE])
{
	struct stat st;
	int fd, r;

	snprintf(ret_path, room, FOLDER "/%s", part_name(part));
	fd = open(ret_path, O_RDWR | O_CLOEXEC);
	r = fd < 0 || fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0) {
		*ret_fd = fd;
		*ret_size = (uint64_t)st.st_size;
		return 0;
	}
	if (fd >= 0)
		close(fd);
	return sentence(ret_error, r, "slot %s in RAM can't be opened: %s", part_name(part), strerror(-r));
}

/* ------------------------------------------------------------------ loop devices */
static int loop_free_one(char ret_device[32])
{
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number, r = 0;

	if (control < 0)
		return errno == ENOENT ? -ENODEV : -errno;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	if (number < 0)
		r = -errno;
	close(control);
	snprintf(ret_device, 32, "/dev/loop%d", number);
	return r;
}

int loop_attach(const char *file, char ret_device[32])
{
	struct loop_config config = { .block_size = 4096, .info = { .lo_flags = LO_FLAGS_READ_ONLY } };
	int fd = open(file, O_RDONLY | O_CLOEXEC), device = -1, r = fd < 0 ? -errno : loop_free_one(ret_device);

	if (r == 0) {
		config.fd = (unsigned)fd;
		device = open(ret_device, O_RDONLY | O_CLOEXEC);
		if (device < 0 || ioctl(device, LOOP_CONFIGURE, &config) < 0)
			r = -errno;
	}
	if (device >= 0)
		close(device);
	if (fd >= 0)
		close(fd);
	return r;
}

void loop_detach(const char *device)
{
	int fd = open(device, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	ioctl(fd, LOOP_CLR_FD);
	close(fd);
}

/* ------------------------------------------------------------------ moving */
int ram_move(int from, uint64_t size, int to, uint64_t offset)
{
	uint8_t *piece = malloc(PIECE);
	uint64_t done = 0;
	int r = piece != NULL ? 0 : -ENOMEM;

	while (r == 0 && done < size) {
		size_t part = size - done < PIECE ? (size_t)(size - done) : PIECE;

		r = read_full_at(from, piece, part, done);
		if (r == 0)
			r = write_full_at(to, piece, part, offset + done);
		if (r == 0 && fallocate(from, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)done, (off_t)part) < 0)
			r = -errno;
		done += part;
	}
	free(piece);
	return r;
}

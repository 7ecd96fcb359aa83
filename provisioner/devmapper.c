/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/devmapper.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#define CONTROL "/dev/mapper/control"
#define CONTROL_MAJOR 10
#define CONTROL_MINOR 236 /* MAPPER_CTRL_MINOR of linux/miscdevice.h */
#define REMOVE_TRIES 20   /* of 50 ms: a device may stay open for a moment after umount */

struct request {
	struct dm_ioctl head;
	struct dm_target_spec target;
	char table[DEVMAPPER_TABLE_MOST];
};

static int control_open(void)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT) {
		mkdir("/dev/mapper", 0755);
		mknod(CONTROL, S_IFCHR | 0600, makedev(CONTROL_MAJOR, CONTROL_MINOR));
		fd = open(CONTROL, O_RDWR | O_CLOEXEC);
	}
	return fd < 0 ? (errno == ENOENT || errno == ENXIO ? -ENODEV : -errno) : fd;
}

static void request_init(struct request *request, const char *name, uint32_t flags)
{
	memset(request, 0, sizeof(*request));
	request->head.version[0] = 4;
	request->head.data_size = sizeof(*request);
	request->head.data_start = offsetof(struct request, target);
	request->head.flags = flags;
	snprintf(request->head.name, sizeof(request->head.name), "%s", name);
}

static int call(int control, unsigned long command, struct request *request)
{
	return ioctl(control, command, request) < 0 ? -errno : 0;
}

/* Without udev nobody else makes the node. */
static int make_node(const char *name, uint64_t device)
{
	char path[DM_NAME_LEN + 16];
	dev_t number = makedev((unsigned)(device >> 8 & 0xfff), (unsigned)((device & 0xff) | (device >> 12 & 0xfff00)));

	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	unlink(path);
	return mknod(path, S_IFBLK | 0600, number) < 0 ? -errno : 0;
}

int devmapper_number(const char *device, char ret_number[32])
{
	struct stat st;

	if (stat(device, &st) < 0)
		return -errno;
	if (!S_ISBLK(st.st_mode))
		return -ENOTBLK;
	snprintf(ret_number, 32, "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	return 0;
}

static int load_table(int control, const char *name, uint32_t flags, const char *type, uint64_t sectors, const char *table,
		      struct request *request)
{
	request_init(request, name, flags);
	request->head.target_count = 1;
	request->target.length = sectors;
	if (strlen(type) >= sizeof(request->target.target_type) || strlen(table) >= sizeof(request->table))
		return -ENOSPC;
	strcpy(request->target.target_type, type);
	strcpy(request->table, table);
	return call(control, DM_TABLE_LOAD, request);
}

int devmapper_open(const char *name, bool read_only, const char *type, uint64_t sectors, const char *table)
{
	struct request *request = malloc(sizeof(*request));
	uint32_t flags = read_only ? DM_READONLY_FLAG : 0;
	int control = control_open(), r = -ENOMEM;

	if (control < 0 || request == NULL) {
		r = control < 0 ? control : r;
		goto out;
	}
	request_init(request, name, flags);
	r = call(control, DM_DEV_CREATE, request);
	if (r < 0)
		goto out;
	r = load_table(control, name, flags, type, sectors, table, request);
	if (r == 0) {
		request_init(request, name, 0);
		r = call(control, DM_DEV_SUSPEND, request); /* without DM_SUSPEND_FLAG: resume */
	}
	if (r == 0)
		r = make_node(name, request->head.dev);
	if (r < 0) {
		request_init(request, name, 0);
		call(control, DM_DEV_REMOVE, request);
	}
out:
	if (control >= 0)
		close(control);
	free(request);
	return r;
}

int devmapper_close(const char *name)
{
	const struct timespec moment = { .tv_nsec = 50 * 1000 * 1000 };
	struct request *request = malloc(sizeof(*request));
	char path[DM_NAME_LEN + 16];
	int control = control_open(), r = -ENOMEM;

	if (control < 0 || request == NULL) {
		r = control < 0 ? control : r;
		goto out;
	}
	for (unsigned try = 0; try < REMOVE_TRIES; try++) {
		request_init(request, name, 0);
		r = call(control, DM_DEV_REMOVE, request);
		if (r != -EBUSY)
			break;
		nanosleep(&moment, NULL);
	}
	snprintf(path, sizeof(path), "/dev/mapper/%s", name);
	unlink(path);
out:
	if (control >= 0)
		close(control);
	free(request);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int folder_open(int parent, const char *name, mode_t mode, bool may_make)
{
	int fd;

	if (may_make && mkdirat(parent, name, mode) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int folder_give(int fd, uid_t id, bool read_only)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_uid != 0 || read_only)
		return 0;
	return fchown(fd, id, id) < 0 || fchmod(fd, 0700) < 0 ? -errno : 0;
}

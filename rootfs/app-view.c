/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/app-view.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"

#define SAFE (MS_NOSUID | MS_NODEV | MS_NOEXEC)

/* The C library has no name for it yet. */
static int mount_flags(const char *path, unsigned flags, uint64_t set, uint64_t clear)
{
	struct mount_attr attributes = { .attr_set = set, .attr_clr = clear };

	return syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &attributes, sizeof(attributes)) < 0 ? -errno : 0;
}

/* Where the file system itself is read-only, such as in the place of an H: that isn't there, it stays so. */
static int make_writable(const char *path)
{
	int r = mount_flags(path, 0, 0, MOUNT_ATTR_RDONLY);

	/* EINVAL: a folder, not a place where something is mounted. */
	if (r == -EINVAL)
		r = mount(path, path, NULL, MS_BIND, NULL) < 0 ? -errno : mount_flags(path, 0, 0, MOUNT_ATTR_RDONLY);
	return r < 0 ? log_error(r, "%s can't be made writable for the application", path) : 0;
}

static int mount_own(const char *type, const char *path, unsigned long flags, const char *options)
{
	if (access(path, F_OK) < 0)
		return 0;
	return mount(type, path, type, flags, options) < 0 ? log_error(-errno, "%s of the application can't be mounted at %s", type, path) : 0;
}

int app_view_enter(const char *folder, const char *home)
{
	int r;

	/* Shared there and a slave here: what `home` mounts and unmounts later does so here too, and nothing goes the other way. */
	if (mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return log_error(-errno, "the application can't have a view of its own");
	r = mount_flags("/", AT_RECURSIVE, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0);
	if (r < 0)
		return log_error(r, "the system can't be made read-only for the application");
	r = make_writable(folder);
	if (r == 0 && home != NULL)
		r = make_writable(home);
	if (r == 0)
		r = mount_own("tmpfs", "/tmp", SAFE, "mode=1777");
	if (r == 0)
		r = mount_own("tmpfs", "/dev/shm", SAFE, "mode=1777");
	return r < 0 ? r : mount_own("proc", "/proc", SAFE | MS_RDONLY, "hidepid=2");
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/session-view.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/file.h"
#include "rootfs/folder.h"
#include "rootfs/home.h"
#include "rootfs/session-text.h"

#define C_IMAGE "/run/repave/c"
#define D_IMAGE "/app"
#define VIEW "/run/repave/view" /* a place to mount at; what is mounted there is seen in this session alone */
#define USERS "users"           /* folder of H: with a folder for each user */
#define FILE_MOST (1u << 20)
#define PATH_ROOM 512
#define SAFE (MS_NOSUID | MS_NODEV)

static int fail(char ret_error[SESSION_TEXT], int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int fail(char ret_error[SESSION_TEXT], int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_error, SESSION_TEXT, format, arguments);
	va_end(arguments);
	return r;
}

/* ------------------------------------------------------------------ pieces */
static int mount_new(const char *type, const char *where, unsigned long flags, const char *options, char error[SESSION_TEXT])
{
	if ((mkdir(where, 0755) < 0 && errno != EEXIST) || mount(type, where, type, flags, options) < 0)
		return fail(error, -errno, "%s can't be mounted at %s: %s", type, where + strlen(VIEW), strerror(errno));
	return 0;
}

/* A bind takes its flags only when it is mounted anew. */
static int bind_to(const char *what, const char *where, unsigned long flags, char error[SESSION_TEXT])
{
	if (mount(what, where, NULL, MS_BIND, NULL) < 0 || mount(NULL, where, NULL, MS_REMOUNT | MS_BIND | flags, NULL) < 0)
		return fail(error, -errno, "%s can't be shown at %s: %s", what, where + strlen(VIEW), strerror(errno));
	return 0;
}

static int bind_folder(const char *what, const char *where, unsigned long flags, char error[SESSION_TEXT])
{
	if (mkdir(where, 0755) < 0)
		return fail(error, -errno, "%s can't be made: %s", where + strlen(VIEW), strerror(errno));
	return bind_to(what, where, flags, error);
}

static int link_to(const char *target, const char *where, char error[SESSION_TEXT])
{
	return symlink(target, where) < 0 ? fail(error, -errno, "%s can't be made: %s", where + strlen(VIEW), strerror(errno)) : 0;
}

static int write_file(const char *where, const struct buffer *text, char error[SESSION_TEXT])
{
	int fd = open(where, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644), r = fd < 0 ? -errno : 0;

	if (r == 0 && text->size > 0)
		r = write_full_at(fd, text->data, text->size, 0);
	if (fd >= 0)
		close(fd);
	return r < 0 ? fail(error, r, "%s can't be written: %s", where + strlen(VIEW), strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ C: and D: */
static int show_images(char error[SESSION_TEXT])
{
	static const char *const folders[] = { "bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr" };
	int r = bind_folder(C_IMAGE, VIEW "/C", SAFE | MS_RDONLY, error);

	if (r == 0 && access(D_IMAGE "/app.json", F_OK) == 0)
		r = bind_folder(D_IMAGE, VIEW "/D", SAFE | MS_RDONLY, error);
	for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		char from[PATH_ROOM], target[PATH_ROOM], where[PATH_ROOM];

		snprintf(from, sizeof(from), C_IMAGE "/%s", folders[i]);
		snprintf(target, sizeof(target), "/C/%s", folders[i]);
		snprintf(where, sizeof(where), VIEW "/%s", folders[i]);
		if (access(from, F_OK) == 0)
			r = link_to(target, where, error);
	}
	return r;
}

/* ------------------------------------------------------------------ /etc */
/* What is written below from the running system, and what is no business of users. */
static bool not_linked(const char *name)
{
	static const char *const names[] = { ".", "..", "passwd", "group", "hostname", "resolv.conf", "shadow", "gshadow", "shadow-", "gshadow-" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static int link_settings(char error[SESSION_TEXT])
{
	DIR *folder = opendir(C_IMAGE "/etc");
	const struct dirent *entry;
	int r = 0;

	if (folder == NULL)
		return fail(error, -errno, "the image's settings can't be read: %s", strerror(errno));
	while (r == 0 && (entry = readdir(folder)) != NULL) {
		char target[PATH_ROOM], where[PATH_ROOM];

		if (not_linked(entry->d_name))
			continue;
		snprintf(target, sizeof(target), "/C/etc/%.255s", entry->d_name);
		snprintf(where, sizeof(where), VIEW "/etc/%.255s", entry->d_name);
		r = link_to(target, where, error);
	}
	closedir(folder);
	return r;
}

static int copy_setting(const char *name, char error[SESSION_TEXT])
{
	char from[PATH_ROOM], where[PATH_ROOM];
	struct buffer text = { 0 };
	int r;

	snprintf(from, sizeof(from), "/etc/%s", name);
	snprintf(where, sizeof(where), VIEW "/etc/%s", name);
	r = file_load(from, FILE_MOST, &text);
	/* There are no name servers before there is a network. */
	if (r < 0)
		return r == -ENOENT ? 0 : fail(error, r, "%s can't be read: %s", from, strerror(-r));
	r = write_file(where, &text, error);
	buffer_release(&text);
	return r;
}

static int write_account(uint32_t uid, const char *shell, char error[SESSION_TEXT])
{
	struct buffer passwd = { 0 }, group = { 0 }, own = { 0 }, own_group = { 0 };
	int r = file_load("/etc/passwd", FILE_MOST, &passwd);

	if (r == 0)
		r = file_load("/etc/group", FILE_MOST, &group);
	if (r == 0 && (passwd.size == 0 || group.size == 0))
		r = -ENODATA;
	if (r == 0)
		r = session_passwd((const char *)passwd.data, uid, SESSION_HOME, shell, &own);
	if (r == 0)
		r = session_group((const char *)group.data, uid, &own_group);
	if (r < 0)
		fail(error, r, "the accounts can't be read: %s", strerror(-r));
	if (r == 0)
		r = write_file(VIEW "/etc/passwd", &own, error);
	if (r == 0)
		r = write_file(VIEW "/etc/group", &own_group, error);
	buffer_release(&passwd);
	buffer_release(&group);
	buffer_release(&own);
	buffer_release(&own_group);
	return r;
}

static int show_settings(uint32_t uid, const char *shell, char error[SESSION_TEXT])
{
	int r;

	if (mkdir(VIEW "/etc", 0755) < 0)
		return fail(error, -errno, "/etc can't be made: %s", strerror(errno));
	r = link_settings(error);
	if (r == 0)
		r = write_account(uid, shell, error);
	if (r == 0)
		r = copy_setting("hostname", error);
	return r == 0 ? copy_setting("resolv.conf", error) : r;
}

/* ------------------------------------------------------------------ /dev, /proc, /tmp */
static int show_devices(char error[SESSION_TEXT])
{
	static const char *const devices[] = { "null", "zero", "full", "random", "urandom", "tty" };
	static const char *const links[][2] = { { "pts/ptmx", "ptmx" },		{ "/proc/self/fd", "fd" },	  { "/proc/self/fd/0", "stdin" },
						{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" }, { "/tmp", "shm" } };
	char where[PATH_ROOM];
	int r = mkdir(VIEW "/dev", 0755) < 0 ? fail(error, -errno, "/dev can't be made: %s", strerror(errno)) : 0;

	for (size_t i = 0; r == 0 && i < sizeof(devices) / sizeof(devices[0]); i++) {
		const struct buffer empty = { 0 };
		char from[32];

		snprintf(from, sizeof(from), "/dev/%s", devices[i]);
		snprintf(where, sizeof(where), VIEW "/dev/%s", devices[i]);
		r = write_file(where, &empty, error);
		if (r == 0)
			r = bind_to(from, where, MS_NOSUID | MS_NOEXEC, error);
	}
	/* Terminals of his own programs; those of other users aren't there. */
	if (r == 0)
		r = mount_new("devpts", VIEW "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,gid=5,mode=0620,ptmxmode=0666", error);
	for (size_t i = 0; r == 0 && i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(where, sizeof(where), VIEW "/dev/%s", links[i][1]);
		r = link_to(links[i][0], where, error);
	}
	return r;
}

/* Disks, the kernel's command line and innards. */
static int mask_processes(char error[SESSION_TEXT])
{
	static const char *const files[] = { "partitions", "diskstats", "swaps",     "cmdline", "mdstat",    "kcore",	   "kmsg",	"kallsyms",
					     "modules",	   "iomem",	"ioports",   "keys",	"key-users", "timer_list", "sched_debug", "slabinfo",
					     "config.gz",  "consoles",	"interrupts", "sysrq-trigger" };
	static const char *const folders[] = { "fs", "scsi", "bus", "irq", "acpi", "driver", "asound", "dynamic_debug" };
	char where[PATH_ROOM];
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(where, sizeof(where), VIEW "/proc/%s", files[i]);
		if (access(where, F_OK) == 0)
			r = bind_to("/dev/null", where, MS_NOSUID | MS_NOEXEC | MS_RDONLY, error);
	}
	for (size_t i = 0; r == 0 && i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(where, sizeof(where), VIEW "/proc/%s", folders[i]);
		if (access(where, F_OK) == 0)
			r = mount_new("tmpfs", where, SAFE | MS_NOEXEC | MS_RDONLY, "mode=0555,size=4k", error);
	}
	return r;
}

/* The folders of RAM that a session may fill are bounded: each costs the whole server. */
static int show_system(uint32_t uid, char error[SESSION_TEXT])
{
	char options[96];
	int r = show_devices(error);

	if (r == 0)
		r = mount_new("proc", VIEW "/proc", SAFE | MS_NOEXEC | MS_RDONLY, "hidepid=2", error);
	if (r == 0)
		r = mask_processes(error);
	snprintf(options, sizeof(options), "mode=0700,uid=%u,gid=%u,size=32m,nr_inodes=4k", uid, uid);
	if (r == 0)
		r = mount_new("tmpfs", VIEW "/tmp", SAFE | MS_NOEXEC, options, error);
	if (r == 0 && mkdir(VIEW "/var", 0755) < 0)
		r = fail(error, -errno, "/var can't be made: %s", strerror(errno));
	return r == 0 ? link_to("/tmp", VIEW "/var/tmp", error) : r;
}

/* ------------------------------------------------------------------ H: */
static int open_own(const char *name, uint32_t uid, bool read_only, char error[SESSION_TEXT])
{
	int h = open(HOME_MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC), users = h < 0 ? -errno : folder_open(h, USERS, 0711, !read_only);
	int fd = users < 0 ? users : folder_open(users, name, 0700, !read_only), r = fd < 0 ? fd : folder_give(fd, uid, read_only);
	struct stat st;

	if (h >= 0)
		close(h);
	if (users >= 0)
		close(users);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0) {
		fail(error, r, "the folder " USERS "/%s of H: can't be had: %s", name,
		     r == -EPERM || r == -EACCES ? "the NFS server must let root of this server write (no_root_squash)" : strerror(-r));
	} else if (st.st_uid != uid) {
		r = fail(error, -EPERM, "the folder " USERS "/%s of H: belongs to number %u, and this user is %u: give it to him, or give him that number",
			 name, (unsigned)st.st_uid, uid);
	}
	if (r < 0 && fd >= 0)
		close(fd);
	return r < 0 ? r : fd;
}

/* Without an H: there is an empty folder that nobody can write to: nothing is stored where it would be lost. */
static int show_home(const char *name, uint32_t uid, char ret_notice[SESSION_TEXT], char error[SESSION_TEXT])
{
	struct buffer state = { 0 };
	bool mounted, read_only;
	char source[32];
	int fd, r = file_load(HOME_STATE, FILE_MOST, &state);

	mounted = r == 0 && state.size > 0 && session_home_mounted((const char *)state.data);
	read_only = mounted && strstr((const char *)state.data, "\"state\":\"read-only\"") != NULL;
	buffer_release(&state);
	if (mkdir(VIEW SESSION_HOME, 0755) < 0)
		return fail(error, -errno, SESSION_HOME " can't be made: %s", strerror(errno));
	if (!mounted) {
		snprintf(ret_notice, SESSION_TEXT, "H: isn't there: nothing can be stored; what is in /tmp ends with this session");
		return 0;
	}
	if (read_only)
		snprintf(ret_notice, SESSION_TEXT, "H: is read-only now");
	fd = open_own(name, uid, read_only, error);
	if (fd < 0)
		return fd;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	r = bind_to(source, VIEW SESSION_HOME, SAFE | MS_NOEXEC | (read_only ? MS_RDONLY : 0), error);
	close(fd);
	return r;
}

/* ------------------------------------------------------------------ the whole */
static int enter(char error[SESSION_TEXT])
{
	if (mount(NULL, VIEW, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | SAFE | MS_NOEXEC, NULL) < 0 || chdir(VIEW) < 0 ||
	    syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir(SESSION_HOME) < 0)
		return fail(error, -errno, "the view can't be entered: %s", strerror(errno));
	return 0;
}

int view_enter(const char *name, uint32_t uid, const char *shell, char ret_notice[SESSION_TEXT], char ret_error[SESSION_TEXT])
{
	int r;

	ret_notice[0] = '\0';
	if (unshare(CLONE_NEWNS | CLONE_NEWIPC) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return fail(ret_error, -errno, "there is no mount namespace to be had: %s", strerror(errno));
	r = make_folders(VIEW, 0700);
	if (r < 0 || mount("tmpfs", VIEW, "tmpfs", SAFE | MS_NOEXEC, "mode=0755,size=1m") < 0)
		return fail(ret_error, -errno, "the view has no place: %s", strerror(errno));
	r = show_images(ret_error);
	if (r == 0)
		r = show_settings(uid, shell, ret_error);
	if (r == 0)
		r = show_system(uid, ret_error);
	if (r == 0)
		r = show_home(name, uid, ret_notice, ret_error);
	return r == 0 ? enter(ret_error) : r;
}

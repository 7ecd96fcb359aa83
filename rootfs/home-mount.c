/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/home-mount.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "rootfs/folder.h"
#include "common/home-disk.h"
#include "rootfs/home.h"
#include "rootfs/privileges.h"

#define MKE2FS "/usr/lib/repave/mke2fs"
#define E2FSCK "/usr/lib/repave/e2fsck"
#define NFS_ID "/sys/module/nfs/parameters/nfs4_unique_id"
#define SHARED HOME_FOLDER "/shared"
#define APPS "app" /* folder of H: with a folder for each application */
#define BLOCK 4096u
/* What outlives a reboot is data: a program that somebody left there is the very thing that a clean system at each boot is to be
 * rid of. Scripts and programs run from /app. */
#define SAFE (MS_NODEV | MS_NOSUID | MS_NOEXEC)
#define PATIENCE_DISK 60u
#define PATIENCE_NET 30u
#define NFS_TRY_SECONDS 20u
#define NFS_PAUSE_SECONDS 10u
#define STOP_SECONDS 20u
#define STATUS_MOST 255 /* of a process */

static int tell(char ret_text[HOME_TEXT], int r, const char *format, ...) __attribute__((format(printf, 3, 4)));

static int tell(char ret_text[HOME_TEXT], int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(ret_text, HOME_TEXT, format, arguments);
	va_end(arguments);
	return r;
}

/* ------------------------------------------------------------------ places */
static void hold(const char *path)
{
	if (make_folders(path, 0755) < 0 ||
	    mount("tmpfs", path, "tmpfs", SAFE | MS_RDONLY, "mode=0555,size=4k") < 0)
		log_warning("%s isn't kept from being written to: %s", path, strerror(errno));
}

void home_hold_place(struct home *home)
{
	if (home->waiting)
		return;
	hold(HOME_MOUNT);
	if (home->app.home != NULL)
		hold(home->app.home);
	home->waiting = true;
}

static void give_place_back(struct home *home)
{
	if (!home->waiting)
		return;
	umount2(HOME_MOUNT, MNT_DETACH);
	if (home->app.home != NULL)
		umount2(home->app.home, MNT_DETACH);
	home->waiting = false;
}

/* The application may start, and finds nothing that it could write to. */
static void wait_aloud(struct home *home, const char *text)
{
	if (home->waiting)
		return;
	home_hold_place(home);
	home_tell(home, "waiting", text);
}

int home_make_folder(struct home *home, char ret_text[HOME_TEXT])
{
	const char *path = home->app.home;
	int r = path != NULL ? make_folders(path, 0755) : 0;

	if (path != NULL && r == 0 && (chown(path, APP_ID, APP_ID) < 0 || chmod(path, 0700) < 0))
		r = -errno;
	return r < 0 ? tell(ret_text, r, "the application's home %s can't be made: %s", path, strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ children */
static unsigned seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (unsigned)now.tv_sec;
}

/* Waits for a child; after `patience` seconds `text` is told, after `most` (0: never) it is killed. Its exit status, or -ETIMEDOUT. */
static int wait_for(struct home *home, pid_t pid, unsigned patience, unsigned most, const char *text)
{
	unsigned since = seconds_now();
	bool killed = false;
	int status;

	for (;;) {
		pid_t done = waitpid(pid, &status, WNOHANG);
		unsigned passed = seconds_now() - since;

		if (done < 0)
			return -errno;
		if (done == pid)
			return killed ? -ETIMEDOUT : WIFEXITED(status) ? WEXITSTATUS(status) : -EINTR;
		if (passed >= patience)
			wait_aloud(home, text);
		if (most > 0 && passed >= most && !killed) {
			kill(pid, SIGKILL);
			killed = true;
		}
		/* What hangs in the kernel may not even die. */
		if (killed && passed >= most + 5)
			return -ETIMEDOUT;
		usleep(50 * 1000);
	}
}

static int run(struct home *home, char *const arguments[], const char *text)
{
	static char path_variable[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
	static char *const environment[] = { path_variable, NULL };
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		execve(arguments[0], arguments, environment);
		_exit(127);
	}
	return wait_for(home, pid, PATIENCE_DISK, 0, text);
}

/* ------------------------------------------------------------------ the application's part */
static int open_app_folder(const struct home *home)
{
	int h = open(HOME_MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC), apps = -1, fd = h < 0 ? -errno : -1, r;

	if (h >= 0)
		fd = apps = folder_open(h, APPS, 0755, !home->read_only);
	if (apps >= 0)
		fd = folder_open(apps, home->app.name, 0700, !home->read_only);
	if (fd >= 0 && (r = folder_give(fd, APP_ID, home->read_only)) < 0) {
		close(fd);
		fd = r;
	}
	if (apps >= 0)
		close(apps);
	if (h >= 0)
		close(h);
	return fd;
}

static int mount_app(struct home *home, char ret_text[HOME_TEXT])
{
	char source[32];
	int fd, r;

	if (home->app.home == NULL)
		return 0;
	fd = open_app_folder(home);
	if (fd < 0) {
		hold(home->app.home);
		return tell(ret_text, fd, "the folder " APPS "/%.64s of H: can't be had: %s", home->app.name,
			    fd == -EPERM || fd == -EACCES ? "the NFS server must let root of this server write (no_root_squash)" : strerror(-fd));
	}
	r = make_folders(home->app.home, 0755);
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (r == 0 && mount(source, home->app.home, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	close(fd);
	return r < 0 ? tell(ret_text, r, "the application's home can't be mounted at %s: %s", home->app.home, strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ a partition */
static int make_file_system(struct home *home, int fd, uint64_t size)
{
	char device[sizeof(home->device)], blocks[24];
	char *const arguments[] = { (char[]){ MKE2FS }, (char[]){ "-q" }, (char[]){ "-F" }, (char[]){ "-t" }, (char[]){ "ext4" },
				    (char[]){ "-b" }, (char[]){ "4096" }, (char[]){ "-L" }, (char[]){ "H" }, (char[]){ "-m" },
				    (char[]){ "1" }, (char[]){ "-e" }, (char[]){ "remount-ro" }, (char[]){ "-O" },
				    (char[]){ "^metadata_csum_seed,^orphan_file" }, device, blocks, NULL };
	int r = home_disk_mark(fd, size, HOME_CONTENT_HALF_MADE, NULL);

	memcpy(device, home->device, sizeof(device));
	snprintf(blocks, sizeof(blocks), "%llu", (unsigned long long)((size - HOME_TAIL) / BLOCK));
	if (r == 0)
		r = run(home, arguments, "a file system is being made; the application finds its home empty and read-only till then");
	if (r > 0)
		r = -EIO;
	return r == 0 ? home_disk_mark(fd, size, HOME_CONTENT_MADE, NULL) : r;
}

/* What is damaged is mended as far as that needs no decision (e2fsck(8): 4 and above is what was left). */
static void check_file_system(struct home *home, char ret_text[HOME_TEXT])
{
	char device[sizeof(home->device)];
	char *const arguments[] = { (char[]){ E2FSCK }, (char[]){ "-p" }, device, NULL };
	int r;

	memcpy(device, home->device, sizeof(device));
	r = run(home, arguments, "its file system is being checked; the application finds its home empty and read-only till then");
	home->read_only = home->read_only || r < 0 || r >= 4;
	if (r < 0 || r >= 4)
		tell(ret_text, r, "its file system (%s) is damaged and is read-only: " E2FSCK " -f %s mends it, once it's unmounted", home->device,
		     home->device);
	else if (r > 0)
		tell(ret_text, 0, "its file system (%s) was mended by e2fsck", home->device);
}

static int prepare(struct home *home, int fd, char ret_text[HOME_TEXT])
{
	enum home_content content;
	uint64_t size = 0;
	int only = 0, r = ioctl(fd, BLKGETSIZE64, &size) < 0 ? -errno : 0;

	home->read_only = r == 0 && ioctl(fd, BLKROGET, &only) == 0 && only != 0;
	if (r == 0)
		r = home_disk_look(fd, size, &content, NULL);
	if (r < 0)
		return tell(ret_text, r, "partition H (%s) can't be read: %s: replace the disk", home->device, strerror(-r));
	if (content == HOME_CONTENT_FOREIGN)
		return tell(ret_text, -EMEDIUMTYPE, "partition H (%s) holds something that Repave didn't put there, and is left alone; clear its first MiB"
			    " and its last 64 KiB if nobody needs that", home->device);
	if (content == HOME_CONTENT_HALF_LOCKED || content == HOME_CONTENT_LOCKED)
		return tell(ret_text, -ENOKEY, "partition H (%s) is encrypted, and the control unit gave no key: its group must say h_encryption: on, or"
			    " `repave sanitize` begins anew", home->device);
	if (content == HOME_CONTENT_MADE) {
		check_file_system(home, ret_text);
		return 0;
	}
	r = home->read_only ? -EROFS : make_file_system(home, fd, size);
	if (r < 0)
		return tell(ret_text, r, "partition H (%s) can't get a file system: %s", home->device, strerror(-r));
	tell(ret_text, 0, "partition H (%s) was blank and has a file system now", home->device);
	return 0;
}

static int mount_disk(struct home *home, char ret_text[HOME_TEXT])
{
	unsigned long flags = SAFE | MS_RELATIME | (home->read_only ? MS_RDONLY : 0);
	int r = make_folders(HOME_MOUNT, 0755);

	if (r == 0 && mount(home->device, HOME_MOUNT, "ext4", flags, "errors=remount-ro") < 0)
		r = -errno;
	/* A journal that can't be replayed: what is on the disk besides may still be read. */
	if (r < 0 && home->read_only && mount(home->device, HOME_MOUNT, "ext4", flags, "noload") == 0)
		r = 0;
	return r < 0 ? tell(ret_text, r, "partition H (%s) can't be mounted: %s; look with " E2FSCK " -fn", home->device, strerror(-r)) : 0;
}

int home_open_local(struct home *home, char ret_text[HOME_TEXT])
{
	int fd, r;

	if (home->closed[0] != '\0')
		return tell(ret_text, -ENOKEY, "it stays closed: %.200s", home->closed);
	if (home->device[0] == '\0')
		return tell(ret_text, -ENODEV, "this server's disk has no partition H: it's as large as 64 MiB beside C: and D: on disks that Repave lays out");
	fd = open(home->device, O_RDWR | O_CLOEXEC);
	if (fd < 0 && (errno == EROFS || errno == EACCES))
		fd = open(home->device, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return tell(ret_text, -errno, "partition H (%s) can't be opened: %s", home->device, strerror(errno));
	r = prepare(home, fd, ret_text);
	close(fd);
	if (r < 0)
		return r;
	give_place_back(home);
	r = mount_disk(home, ret_text);
	return r == 0 ? mount_app(home, ret_text) : r;
}

/* ------------------------------------------------------------------ NFS */
/* Numeric, for the kernel resolves no names. The port is NFS 4's own, 2049. */
static int resolve(const char *server, char ret_address[64])
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *found;
	int r = getaddrinfo(server, NULL, &hints, &found);

	if (r != 0)
		return -EHOSTUNREACH;
	r = getnameinfo(found->ai_addr, found->ai_addrlen, ret_address, 64, NULL, 0, NI_NUMERICHOST) == 0 ? 0 : -EHOSTUNREACH;
	freeaddrinfo(found);
	return r;
}

/* `hard`: an application waits for a server that is away, and never takes what wasn't stored for stored. */
static int mount_nfs(const struct home *home, const char *where)
{
	const struct home_choice *choice = &home->choice;
	char address[64], source[HOME_SERVER_MOST + HOME_PATH_MOST + 8], options[256];
	bool ipv6;
	int r = resolve(choice->server, address);

	if (r < 0)
		return r;
	ipv6 = strchr(address, ':') != NULL;
	snprintf(source, sizeof(source), "%s%s%s:%s", strchr(choice->server, ':') ? "[" : "", choice->server,
		 strchr(choice->server, ':') ? "]" : "", choice->path);
	for (unsigned minor = 2; minor >= 1; minor--) {
		snprintf(options, sizeof(options), "vers=4.%u,addr=%s,proto=%s,hard,timeo=600,retrans=2,sec=sys", minor, address,
			 ipv6 ? "tcp6" : "tcp");
		if (mount(source, where, "nfs4", SAFE | MS_RELATIME, options) == 0)
			return 0;
		r = -errno;
		if (r != -EPROTONOSUPPORT && r != -EINVAL)
			return r;
	}
	return r;
}

/* The server tells clients apart by this; host names needn't differ, and ids do. */
static void set_nfs_id(const char *node)
{
	char *const arguments[] = { (char[]){ "/sbin/modprobe" }, (char[]){ "-q" }, (char[]){ "nfs" }, NULL };
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		execve(arguments[0], arguments, NULL);
		_exit(127);
	}
	if (pid > 0)
		waitpid(pid, NULL, 0);
	fd = open(NFS_ID, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, node, strlen(node)) < 0)
		log_warning("the NFS server knows this server by its host name only: %s", strerror(errno));
	if (fd >= 0)
		close(fd);
}

static int mount_own_folder(const struct home *home)
{
	int shared, fd, r = make_folders(SHARED, 0700);
	char source[32];

	if (r == 0)
		r = mount_nfs(home, SHARED);
	if (r < 0)
		return r;
	shared = open(SHARED, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = shared < 0 ? -errno : folder_open(shared, home->node, 0755, true);
	r = fd < 0 ? fd : 0;
	snprintf(source, sizeof(source), "/proc/self/fd/%d", fd);
	if (r == 0 && mount(source, HOME_MOUNT, NULL, MS_BIND, NULL) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	if (shared >= 0)
		close(shared);
	/* Nobody in this system sees the folders of others. */
	umount2(SHARED, MNT_DETACH);
	return r;
}

/* One try, in a process of its own: the kernel may keep it for as long as the server says nothing. */
static int try_nfs(struct home *home, unsigned patience, const char *text)
{
	pid_t pid;
	int r = make_folders(HOME_MOUNT, 0755);

	if (r < 0)
		return r;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		r = home->choice.own_folder ? mount_own_folder(home) : mount_nfs(home, HOME_MOUNT);
		_exit(-r <= STATUS_MOST ? -r : EIO);
	}
	r = wait_for(home, pid, patience, NFS_TRY_SECONDS, text);
	return r > 0 ? -r : r;
}

int home_open_nfs(struct home *home, char ret_text[HOME_TEXT])
{
	unsigned since = seconds_now();
	char text[HOME_TEXT];
	bool waited;
	int r;

	if (home->choice.own_folder && home->node[0] == '\0')
		return tell(ret_text, -EINVAL, "this server's id isn't known: its folder has no name");
	set_nfs_id(home->node);
	snprintf(text, sizeof(text), "%.160s: no answer yet; it's tried again every %u s, and nothing can be written there till then", home->text + 4,
		 NFS_PAUSE_SECONDS);
	for (;;) {
		unsigned passed = seconds_now() - since;

		r = try_nfs(home, passed < PATIENCE_NET ? PATIENCE_NET - passed : 0, text);
		if (r == 0)
			break;
		log_info("%s: %s", home->text, strerror(-r));
		if (seconds_now() - since >= PATIENCE_NET) {
			snprintf(text, sizeof(text), "%.120s: %.40s; it's tried again every %u s, and nothing can be written there till then",
				 home->text + 4, strerror(-r), NFS_PAUSE_SECONDS);
			wait_aloud(home, text);
		}
		sleep(home->waiting ? NFS_PAUSE_SECONDS : 1);
	}
	waited = home->waiting;
	if (waited)
		tell(ret_text, 0, "%.160s is there now", home->text + 4);
	home->waiting = false;
	return mount_app(home, ret_text);
}

/* ------------------------------------------------------------------ the end */
static int write_back(const struct home *home)
{
	int fd = open(HOME_MOUNT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	(void)home;
	return fd >= 0 && syncfs(fd) < 0;
}

static int unmount(const struct home *home)
{
	if (home->app.home != NULL)
		umount2(home->app.home, MNT_DETACH);
	umount2(HOME_MOUNT, MNT_DETACH);
	return 0;
}

/* What was never taken by a server that is away is lost. */
static int unmount_by_force(const struct home *home)
{
	umount2(HOME_MOUNT, MNT_DETACH | MNT_FORCE);
	return unmount(home);
}

/* Where the server is away each of these may take for ever, unless it is killed. */
static int in_time(struct home *home, int (*work)(const struct home *home), unsigned seconds)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(work(home));
	return pid > 0 ? wait_for(home, pid, seconds, seconds, "") : -errno;
}

int home_close(struct home *home)
{
	int r;

	home->waiting = true; /* nothing to tell any more */
	r = in_time(home, write_back, STOP_SECONDS);
	in_time(home, r == 0 ? unmount : unmount_by_force, STOP_SECONDS / 4);
	return r < 0 ? r : r > 0 ? -EIO : 0;
}

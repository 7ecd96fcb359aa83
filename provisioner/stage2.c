/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Init of an OS's initrd: opens C: and D: through dm-verity, puts a RAM overlay over C:, hands over the node's
 * configuration and executes the OS's own init. There is no way out of here to a shell: what fails is said in one line,
 * and the server starts again from the beginning. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "provisioner/accounts.h"
#include "provisioner/blockdev.h"
#include "provisioner/cmdline.h"
#include "provisioner/dmcrypt.h"
#include "provisioner/dmverity.h"
#include "provisioner/ram.h"
#include "provisioner/sentence.h"
#include "provisioner/stage2-start.h"
#include "provisioner/watchdog.h"

#define MODULES "/lib/modules"
#define CONFIG_FROM "/repave"
#define NEW_ROOT "/sysroot"
#define LOWER "/run/repave/c"
#define OVERLAY "/run/repave/overlay"
#define CONFIG_TO "/run/repave"
#define HOME CONFIG_TO "/h"
#define SSH_WANTED CONFIG_TO "/ssh"
#define HOME_KEY CONFIG_FROM "/h/key"
#define C_KEY CONFIG_FROM "/c.key"
#define D_KEY CONFIG_FROM "/d.key"
#define SLOT_SECTOR 4096u /* as provisioner/rest.h */
#define HOME_MAPPED "repave-h"
#define HOME_SECONDS 5u
#define PANIC_SECONDS_FILE "/proc/sys/kernel/panic"
#define FILE_MOST (1u << 20)
#define DISK_SECONDS 30u
#define SECONDS_TO_READ 10u

static void say(const char *text)
{
	dprintf(STDERR_FILENO, "stage 2: %s\n", text);
}

/* ------------------------------------------------------------------ mounts */
static int mount_at(const char *what, const char *where, const char *type, unsigned long flags, const char *options,
		    char error[SENTENCE])
{
	int r = make_folders(where, 0755);

	if (r == 0 && mount(what, where, type, flags, options) < 0)
		r = -errno;
	return r < 0 ? sentence(error, r, "%s can't be mounted at %s: %s", what, where, strerror(-r)) : 0;
}

static void open_console(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	/* The kernel gives init a console only when the archive has the node. */
	for (int i = 0; fd >= 0 && i <= 2; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static int mount_api(char error[SENTENCE])
{
	const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
	int r = mount_at("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=0755", error);

	if (r == -EBUSY) /* CONFIG_DEVTMPFS_MOUNT */
		r = 0;
	open_console();
	if (r == 0)
		r = mount_at("proc", "/proc", "proc", safe, NULL, error);
	if (r == 0)
		r = mount_at("sysfs", "/sys", "sysfs", safe, NULL, error);
	if (r == 0)
		r = mount_at("tmpfs", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755", error);
	return r;
}

/* dm-verity answers a wrong block with a panic. Where the image's command line says nothing else, the server then starts
 * again, and stage 1 repairs the slot: a machine that stands still helps nobody. */
static void restart_after_panic(void)
{
	char *line = read_line_of(PANIC_SECONDS_FILE);

	if (line != NULL && strcmp(line, "0") == 0) {
		int fd = open(PANIC_SECONDS_FILE, O_WRONLY | O_CLOEXEC);

		if (fd < 0 || write(fd, "10", 2) != 2)
			say("a panic won't restart this machine");
		if (fd >= 0)
			close(fd);
	}
	free(line);
}

/* ------------------------------------------------------------------ modules */
static void load_module(const char *name)
{
	/* Till somebody opens a watchdog, the kernel pats it; a stage 2 that hangs before that is to be noticed too. */
	const char *parameters = strcmp(name, "watchdog.ko") == 0 ? "open_timeout=120" : "";
	char path[256];
	int fd;

	if (name[0] == '\0' || strchr(name, '/') != NULL)
		return;
	snprintf(path, sizeof(path), MODULES "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Hardware that isn't there (ENODEV) and what is already there (EEXIST) are no errors; others show later, as the
	 * disk or file system that is missing, but their cause is this line. */
	if (fd < 0 || (syscall(SYS_finit_module, fd, parameters, 0) < 0 && errno != EEXIST && errno != ENODEV))
		dprintf(STDERR_FILENO, "stage 2: module %s: %s\n", name, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void load_modules(void)
{
	struct buffer list = { 0 };
	char *rest, *name;

	/* A kernel with everything built in has no list. */
	if (file_load(MODULES "/load-order", FILE_MOST, &list) < 0)
		return;
	rest = (char *)list.data;
	while (rest != NULL && (name = strsep(&rest, "\n")) != NULL)
		load_module(name);
	buffer_release(&list);
}

/* ------------------------------------------------------------------ C: and D: */
/* Disks appear when their driver has found them: wait, and say so once. */
static int wait_for_partition(const struct boot_slot *slot, char ret_path[BLOCKDEV_NAME + 8], char error[SENTENCE])
{
	for (unsigned tenth = 0; tenth < DISK_SECONDS * 10; tenth++) {
		if (blockdev_by_partuuid(slot->partuuid, ret_path) == 0)
			return 0;
		if (tenth == 20)
			say("waiting for the disk");
		usleep(100 * 1000);
	}
	return sentence(error, -ENODEV, "no disk has partition %s after %u s: is its driver in this image's initrd?",
			slot->partuuid, DISK_SECONDS);
}

/* A partition's key as stage 1 handed it over, which is gone from the initrd then. 0; -ENOENT: it isn't encrypted; or -errno. */
static int take_key(const char *path, uint8_t ret_key[DMCRYPT_KEY_SIZE])
{
	static const uint8_t zeros[DMCRYPT_KEY_SIZE];
	struct buffer key = { 0 };
	int fd, r = file_load(path, DMCRYPT_KEY_SIZE + 1, &key);

	if (r < 0)
		return r;
	r = key.size == DMCRYPT_KEY_SIZE ? 0 : -EBADMSG;
	if (r == 0)
		memcpy(ret_key, key.data, DMCRYPT_KEY_SIZE);
	if (key.data != NULL)
		explicit_bzero(key.data, key.size);
	buffer_release(&key);
	/* In place: the file's pages are the initrd's RAM. */
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write_full_at(fd, zeros, sizeof(zeros), 0) < 0 || unlink(path) < 0)
		say("the key of a partition can't be removed from the initrd");
	if (fd >= 0)
		close(fd);
	return r;
}

static int map_slot(const char *name, const uint8_t key[DMCRYPT_KEY_SIZE], char device[BLOCKDEV_NAME + 8])
{
	char mapped[32];
	uint64_t size = 0;
	int fd = open(device, O_RDONLY | O_CLOEXEC), r;

	r = fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0 ? -errno : 0;
	if (fd >= 0)
		close(fd);
	snprintf(mapped, sizeof(mapped), "%s-slot", name);
	if (r == 0)
		r = dmcrypt_map(mapped, true, device, SLOT_SECTOR, size / SLOT_SECTOR * SLOT_SECTOR, key);
	if (r == 0)
		snprintf(device, BLOCKDEV_NAME + 8, "/dev/mapper/%s", mapped);
	return r;
}

/* With a key, what lies on the disk is a ciphertext, and dm-verity reads through a mapping: that becomes `device`. */
static int decrypt_slot(const char *name, char device[BLOCKDEV_NAME + 8], char error[SENTENCE])
{
	uint8_t key[DMCRYPT_KEY_SIZE];
	int r = take_key(strcmp(name, "repave-c") == 0 ? C_KEY : D_KEY, key);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = map_slot(name, key, device);
	explicit_bzero(key, sizeof(key));
	return r < 0 ? sentence(error, r, "dm-crypt can't open %s: %s", device, strerror(-r)) : 0;
}

static int open_slot(const char *name, const struct boot_slot *slot, enum on_corruption answer, const char *where,
		     unsigned long flags, char error[SENTENCE])
{
	char device[BLOCKDEV_NAME + 8], mapped[64];
	int r;

	if (strcmp(slot->partuuid, RAM_PARTUUID) == 0) {
		r = loop_attach(strcmp(name, "repave-c") == 0 ? CONFIG_FROM "/c.img" : CONFIG_FROM "/d.img", device);
		if (r < 0)
			return sentence(error, r, "the image in RAM can't be shown as a disk: %s", strerror(-r));
	} else {
		r = wait_for_partition(slot, device, error);
		if (r < 0)
			return r;
		r = decrypt_slot(name, device, error);
		if (r < 0)
			return r;
	}
	r = dmverity_open(name, device, slot, answer);
	if (r < 0)
		return sentence(error, r, "dm-verity can't open %s: %s", device, strerror(-r));
	snprintf(mapped, sizeof(mapped), "/dev/mapper/%s", name);
	return mount_at(mapped, where, "squashfs", MS_RDONLY | MS_NODEV | flags, NULL, error);
}

static int mount_root(const struct boot_slot *c, enum on_corruption answer, char error[SENTENCE])
{
	int r = make_folders("/run/repave", 0755);

	if (r == 0)
		r = open_slot("repave-c", c, answer, LOWER, 0, error);
	if (r == 0)
		r = mount_at("tmpfs", OVERLAY, "tmpfs", 0, "mode=0755,size=50%", error);
	if (r == 0 && (r = make_folders(OVERLAY "/upper", 0755)) == 0)
		r = make_folders(OVERLAY "/work", 0755);
	if (r == 0)
		r = mount_at("overlay", NEW_ROOT, "overlay", 0,
			     "lowerdir=" LOWER ",upperdir=" OVERLAY "/upper,workdir=" OVERLAY "/work", error);
	return r;
}

/* ------------------------------------------------------------------ configuration */
static int copy_file(const char *from, const char *to, mode_t mode)
{
	struct buffer data = { 0 };
	int fd = -1, r = file_load(from, FILE_MOST, &data);

	if (r < 0)
		return r;
	/* A link that stands there would lead out of the new root. */
	unlink(to);
	fd = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	if (fd < 0 || fchmod(fd, mode) < 0)
		r = -errno;
	else if (data.size > 0)
		r = write_full_at(fd, data.data, data.size, 0);
	if (fd >= 0)
		close(fd);
	buffer_release(&data);
	return r;
}

static int copy_if_there(const char *from, const char *to, mode_t mode)
{
	return access(from, F_OK) < 0 ? 0 : copy_file(from, to, mode);
}

/* They may hold secrets: root alone reads them, until app-run shares those of the application with it. */
static int copy_folder(const char *name)
{
	char from[256], to[256];
	struct dirent *entry;
	DIR *dir;
	int r;

	snprintf(from, sizeof(from), CONFIG_FROM "/%s", name);
	snprintf(to, sizeof(to), CONFIG_TO "/%s", name);
	r = make_folders(to, 0700);
	if (r == 0 && chmod(to, 0700) < 0)
		r = -errno;
	dir = opendir(from);
	while (r == 0 && dir != NULL && (entry = readdir(dir)) != NULL) {
		char file[512], copy[512];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(file, sizeof(file), "%s/%.255s", from, entry->d_name);
		snprintf(copy, sizeof(copy), "%s/%.255s", to, entry->d_name);
		r = copy_file(file, copy, 0600);
	}
	if (dir != NULL)
		closedir(dir);
	return r;
}

/* C: of the same disk is open; only with C: in RAM the disk may still be coming. */
static int find_home(char ret_device[BLOCKDEV_NAME + 8])
{
	char *partuuid = read_line_of(CONFIG_FROM "/h/partition");
	int r = partuuid != NULL ? -ENODEV : -ENOENT;

	for (unsigned tenth = 0; r == -ENODEV && tenth < HOME_SECONDS * 10; tenth++) {
		r = blockdev_by_partuuid(partuuid, ret_device);
		if (r < 0)
			usleep(100 * 1000);
	}
	if (r == -ENODEV)
		dprintf(STDERR_FILENO, "stage 2: partition H: %s\n", strerror(-r));
	free(partuuid);
	return r;
}

/* Names the device node of partition H for the OS, which has no use for a GUID, or says why it stays closed. Without either the OS says what is
 * missing. */
static void name_home(const uint8_t key[DMCRYPT_KEY_SIZE], bool encrypted)
{
	char device[BLOCKDEV_NAME + 8], closed[SENTENCE];

	if (find_home(device) < 0)
		return;
	if (!encrypted) {
		file_store(HOME "/device", device, strlen(device), 0600);
		return;
	}
	if (dmcrypt_open(HOME_MAPPED, device, key, closed) == 0) {
		file_store(HOME "/device", "/dev/mapper/" HOME_MAPPED, strlen("/dev/mapper/" HOME_MAPPED), 0600);
		return;
	}
	dprintf(STDERR_FILENO, "stage 2: %s\n", closed);
	file_store(HOME "/closed", closed, strlen(closed), 0600);
}

static int hand_over_home(void)
{
	uint8_t key[DMCRYPT_KEY_SIZE] = { 0 };
	int r = take_key(HOME_KEY, key), copied;
	bool encrypted = r != -ENOENT;

	copied = copy_folder("h");
	if (copied == 0 && (r == 0 || r == -ENOENT))
		name_home(key, encrypted);
	explicit_bzero(key, sizeof(key));
	return copied;
}

/* An answer of the control unit that isn't sound lets nobody in; the operator gets in with root's keys. */
static int make_accounts(char error[SENTENCE])
{
	struct accounts accounts;
	struct buffer text = { 0 };
	int r = file_load(CONFIG_FROM "/users", ACCOUNTS_SIZE_MOST, &text);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return sentence(error, r, "the list of users can't be read: %s", strerror(-r));
	r = accounts_parse(text.data, text.size, &accounts, error);
	if (r == 0)
		r = accounts_make(&accounts, NEW_ROOT, error);
	accounts_release(&accounts);
	buffer_release(&text);
	return r;
}

static int copy_config(char error[SENTENCE])
{
	int r = copy_folder("config");

	/* Without a credential there is no folder: the agent says so. */
	if (r == 0 && access(CONFIG_FROM "/agent", F_OK) == 0)
		r = copy_folder("agent");
	if (r == 0 && access(CONFIG_FROM "/h", F_OK) == 0)
		r = hand_over_home();
	if (r == 0)
		r = copy_if_there(CONFIG_FROM "/boot.json", CONFIG_TO "/boot.json", 0644);
	if (r == 0)
		r = copy_if_there(CONFIG_FROM "/events.json", CONFIG_TO "/events.json", 0644);
	if (r == 0)
		r = copy_if_there(CONFIG_FROM "/firmware-log", CONFIG_TO "/firmware-log", 0600);
	if (r == 0)
		r = copy_if_there(CONFIG_FROM "/hostname", NEW_ROOT "/etc/hostname", 0644);
	if (r == 0 && access(CONFIG_FROM "/authorized_keys", F_OK) == 0) {
		r = make_folders(NEW_ROOT "/root/.ssh", 0700);
		if (r == 0 && chmod(NEW_ROOT "/root/.ssh", 0700) < 0)
			r = -errno;
		if (r == 0)
			r = copy_file(CONFIG_FROM "/authorized_keys", NEW_ROOT "/root/.ssh/authorized_keys", 0600);
	}
	/* Without a key there is nobody whom an ssh server could let in: the OS starts none then. */
	if (r == 0 && (access(CONFIG_FROM "/authorized_keys", F_OK) == 0 || access(CONFIG_FROM "/users", F_OK) == 0))
		r = file_store(SSH_WANTED, "", 0, 0644);
	return r < 0 ? sentence(error, r, "the configuration can't be put into the new root: %s", strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ into the new root */
/* Frees the RAM that the unpacked initrd takes. Stays on its own file system. */
static void delete_below(int folder, dev_t device)
{
	DIR *dir = fdopendir(folder);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		struct stat st;
		int child;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_dev != device)
			continue;
		if (!S_ISDIR(st.st_mode)) {
			unlinkat(dirfd(dir), entry->d_name, 0);
			continue;
		}
		child = openat(dirfd(dir), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			delete_below(child, device);
		unlinkat(dirfd(dir), entry->d_name, AT_REMOVEDIR);
	}
	if (dir != NULL)
		closedir(dir);
}

static int switch_root(char error[SENTENCE])
{
	static const char *const moved[] = { "/dev", "/proc", "/sys", "/run" };
	int old = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	for (size_t i = 0; i < sizeof(moved) / sizeof(moved[0]); i++) {
		char to[64];

		snprintf(to, sizeof(to), NEW_ROOT "%s", moved[i]);
		if ((mkdir(to, 0755) < 0 && errno != EEXIST) || mount(moved[i], to, NULL, MS_MOVE, NULL) < 0)
			return sentence(error, -errno, "%s can't be moved into the new root: %s", moved[i], strerror(errno));
	}
	if (chdir(NEW_ROOT) < 0 || mount(".", "/", NULL, MS_MOVE, NULL) < 0 || chroot(".") < 0 || chdir("/") < 0)
		return sentence(error, -errno, "can't switch to the new root: %s", strerror(errno));
	if (old >= 0 && fstat(old, &st) == 0)
		delete_below(old, st.st_dev);
	return 0;
}

/* ------------------------------------------------------------------ the story */
/* Stage 1 left it running over the jump; loading the driver anew may have stopped it. */
static void arm_watchdog(const char *cmdline)
{
	unsigned seconds = watchdog_seconds(cmdline);
	int fd = seconds > 0 ? watchdog_open(seconds) : -1;

	if (fd >= 0)
		watchdog_leave(fd);
}

static enum on_corruption answer_from(const char *cmdline)
{
	char text[16];

	return cmdline_value(cmdline, "repave.corruption", text, sizeof(text)) == 0 && strcmp(text, "restart") == 0 ?
		       CORRUPTION_RESTART : CORRUPTION_PANIC;
}

static int slot_from(const char *cmdline, const char *key, struct boot_slot *ret_slot, char error[SENTENCE])
{
	int r = cmdline_boot_slot(cmdline, key, ret_slot);

	if (r == -EINVAL)
		return sentence(error, r, "the kernel command line's %s isn't PARTUUID:DATA_BLOCKS:ROOTHASH:SALT", key);
	return r;
}

/* Before C: is opened: whether the system is sound is another question than whether its kernel arrived. Without a mark the
 * system runs as well; without its configuration it doesn't. */
static int note_start(const char *cmdline, char error[SENTENCE])
{
	struct boot_slot disk = { 0 };
	struct boot_start start;
	char device[BLOCKDEV_NAME + 8];
	int r = cmdline_boot_start(cmdline, &start);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return sentence(error, r, "the kernel command line's repave.start isn't sound");
	memcpy(disk.partuuid, start.state, sizeof(start.state));
	r = wait_for_partition(&disk, device, error);
	if (r == 0)
		r = start_leave_mark(&start, error);
	if (r < 0)
		say(error);
	if (start.way != START_RESET)
		return 0;
	r = start_open_config(error);
	if (r == 0 && start_clear_esp(&start, error) < 0)
		say(error);
	return r;
}

static int bring_up(char error[SENTENCE])
{
	struct buffer cmdline = { 0 };
	enum on_corruption answer;
	struct boot_slot c, d;
	int r = mount_api(error), has_d;

	if (r < 0)
		return r;
	say("the image's kernel runs");
	restart_after_panic();
	load_modules();
	r = file_load("/proc/cmdline", FILE_MOST, &cmdline);
	if (r < 0)
		return sentence(error, r, "/proc/cmdline can't be read: %s", strerror(-r));
	arm_watchdog((const char *)cmdline.data);
	r = slot_from((const char *)cmdline.data, "repave.c", &c, error);
	has_d = slot_from((const char *)cmdline.data, "repave.d", &d, error);
	answer = answer_from((const char *)cmdline.data);
	if (r == 0)
		r = note_start((const char *)cmdline.data, error);
	buffer_release(&cmdline);
	if (r == -ENOENT)
		return sentence(error, r, "the kernel command line has no repave.c=: this system is started by Repave's stage 1");
	if (r < 0 || (has_d < 0 && has_d != -ENOENT))
		return r < 0 ? r : has_d;
	r = mount_root(&c, answer, error);
	if (r == 0 && has_d == 0)
		r = open_slot("repave-d", &d, answer, NEW_ROOT "/app", MS_NOSUID, error);
	if (r == 0)
		r = copy_config(error);
	if (r == 0 && make_accounts(error) < 0)
		say(error);
	if (r < 0)
		return r;
	say(has_d == 0 ? "C: and D: are open, every block is verified as it's read" :
			 "C: is open, every block is verified as it's read");
	return switch_root(error);
}

int main(int argc, char **argv)
{
	char error[SENTENCE] = "";

	if (getpid() != 1) {
		fprintf(stderr, "%s is the init of an OS image's initrd; it runs as process 1 only\n", argv[0]);
		return argc > 1 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
	}
	if (bring_up(error) == 0) {
		char *init[] = { (char[]){ "/sbin/init" }, NULL };

		execv(init[0], init);
		sentence(error, -errno, "/sbin/init of the OS can't be executed: %s", strerror(errno));
	}
	dprintf(STDERR_FILENO, "stage 2: %s; starting again in %u s\n", error, SECONDS_TO_READ);
	sync();
	sleep(SECONDS_TO_READ);
	reboot(RB_AUTOBOOT);
	return 1;
}

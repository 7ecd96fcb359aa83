/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/kexec.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/file.h"
#include "common/home-choice.h"
#include "common/json.h"
#include "common/user.h"
#include "provisioner/cmdline.h"
#include "provisioner/cpio.h"
#include "provisioner/dmverity.h"
#include "provisioner/links.h"
#include "provisioner/provision.h"
#include "provisioner/pstore.h"
#include "provisioner/ram.h"
#include "provisioner/watchdog.h"

#define MAPPED "repave-stage1"
#define INITRD_PATH "\\INITRD.IMG"
#define FEATURES "/usr/lib/repave/features"
#define MOUNT_POINT "/run/c"
#define KERNEL_MOST (64u << 20)
#define INITRD_MOST (256u << 20)
#ifndef RB_KEXEC
#define RB_KEXEC 0x45584543 /* LINUX_REBOOT_CMD_KEXEC */
#endif

/* ------------------------------------------------------------------ what stage 2 gets */
static int describe_slot(const struct provision *p, const struct volume *volume, struct boot_slot *ret_slot)
{
	const struct image_description *image = verified_image_description(volume->image);

	if (image->salt_size > BOOT_SALT_MOST)
		return -EINVAL;
	memset(ret_slot, 0, sizeof(*ret_slot));
	if (p->disk.in_ram)
		strcpy(ret_slot->partuuid, RAM_PARTUUID);
	else
		guid_format(p->disk.parts[volume->part]->guid, ret_slot->partuuid);
	ret_slot->data_blocks = image->data_blocks;
	memcpy(ret_slot->root_hash, image->root_hash, 32);
	memcpy(ret_slot->salt, image->salt, image->salt_size);
	ret_slot->salt_size = image->salt_size;
	return 0;
}

static int add_volume(const struct provision *p, const struct volume *volume, const char *key, struct buffer *cmdline)
{
	struct boot_slot slot;
	int r = describe_slot(p, volume, &slot);

	return r < 0 ? r : cmdline_add_boot_slot(cmdline, key, &slot);
}

/* A server without a disk to write to has no place for a mark. */
static int add_start(struct provision *p, struct buffer *cmdline)
{
	struct boot_start start = { .way = p->start, .esp = "-" };
	int r;

	if (p->disk.in_ram || p->disk.read_only)
		return 0;
	snprintf(start.nonce, sizeof(start.nonce), "%s", p->nonce);
	guid_format(p->disk.parts[PART_STATE]->guid, start.state);
	if (p->start == START_RESET)
		guid_format(p->disk.parts[PART_ESP]->guid, start.esp);
	r = cmdline_add_boot_start(cmdline, &start);
	/* Kernels take the initrd from where the firmware took them (efi-stub.rst of Linux). */
	return r == 0 && p->start == START_RESET ? buffer_printf(cmdline, " initrd=" INITRD_PATH) : r;
}

static int build_cmdline(struct provision *p, struct buffer *ret_cmdline)
{
	const char *own = verified_image_description(p->c.image)->cmdline;
	struct buffer ours = { 0 };
	int r = file_load("/proc/cmdline", 1 << 16, &ours);

	if (r == 0)
		r = cmdline_add_consoles(ret_cmdline, (const char *)ours.data);
	buffer_release(&ours);
	/* A kernel that dies before its first program restarts, and counts as a try; the image's own word comes later and wins. */
	if (r == 0)
		r = buffer_printf(ret_cmdline, "%spanic=10", ret_cmdline->size > 0 ? " " : "");
	if (r == 0 && own != NULL && own[0] != '\0')
		r = buffer_printf(ret_cmdline, "%s%s", ret_cmdline->size > 0 ? " " : "", own);
	if (r == 0)
		r = buffer_printf(ret_cmdline, "%srepave.node=%s repave.assignment=%" PRIu64, ret_cmdline->size > 0 ? " " : "",
				  p->identity.uuid, p->assignment.number);
	if (r == 0)
		r = buffer_printf(ret_cmdline, " repave.health=%u%s", p->config.health_seconds,
				  p->config.restart_on_corruption ? " repave.corruption=restart" : "");
	if (r == 0 && p->config.watchdog_seconds != WATCHDOG_SECONDS)
		r = buffer_printf(ret_cmdline, " repave.watchdog=%u", p->config.watchdog_seconds);
	if (r == 0)
		r = add_start(p, ret_cmdline);
	if (r == 0)
		r = add_volume(p, &p->c, "repave.c", ret_cmdline);
	if (r == 0 && p->d.installed)
		r = add_volume(p, &p->d, "repave.d", ret_cmdline);
	if (r < 0)
		return sentence(p->error, r, "the kernel command line can't be built: %s", strerror(-r));
	if (ret_cmdline->size > CMDLINE_MOST)
		return sentence(p->error, -E2BIG, "the kernel command line would have %zu characters of at most %u", ret_cmdline->size,
				CMDLINE_MOST);
	return 0;
}

static int add_boot_json(struct provision *p, struct buffer *archive)
{
	json_t *json = json_pack("{s:i,s:I,s:o,s:o}", "format", 1, "assignment", (json_int_t)p->assignment.number, "stages",
				 stages_json(&p->stages), "images", images_json(p));
	char *text = json != NULL ? json_format(json) : NULL;
	int r = text != NULL ? cpio_add_file(archive, "repave/boot.json", 0644, text, strlen(text)) : -ENOMEM;

	free(text);
	json_decref(json);
	return r;
}

static int add_keys(const json_t *keys, struct buffer *archive)
{
	struct buffer text = { 0 };
	const json_t *key;
	size_t i;
	int r = 0;

	json_array_foreach(keys, i, key)
		if (r == 0)
			r = buffer_printf(&text, "%s\n", json_string_value(key));
	if (r == 0 && text.size > 0)
		r = cpio_add_file(archive, "repave/authorized_keys", 0600, text.data, text.size);
	buffer_release(&text);
	return r;
}

static int add_users(const json_t *users, struct buffer *archive)
{
	struct buffer text = { 0 };
	int r = users != NULL ? user_list_format(users, &text) : 0;

	if (r == 0 && text.size > 0)
		r = cpio_add_file(archive, "repave/users", 0600, text.data, text.size);
	buffer_release(&text);
	return r;
}

/* Where the agent finds the control unit: the address that answered first, without the brackets of a URL. */
static int add_addresses(const struct provision *p, struct buffer *archive)
{
	struct buffer text = { 0 };
	int r = 0;

	for (unsigned i = 0; r == 0 && i < p->config.host_count && i < HOSTS_MOST; i++) {
		const char *host = p->config.hosts[(p->config.host_now + i) % p->config.host_count];
		size_t bracket = host[0] == '[' ? 1 : 0;

		r = buffer_printf(&text, "%.*s %u\n", (int)(strlen(host) - 2 * bracket), host + bracket, p->config.port);
	}
	if (r == 0)
		r = cpio_add_file(archive, "repave/agent/addresses", 0600, text.data, text.size);
	buffer_release(&text);
	return r;
}

/* Offline, or when the control unit gave none, there is nothing to hand over. */
static int add_agent(const struct provision *p, struct buffer *archive)
{
	struct buffer ca = { 0 };
	int r;

	if (p->agent.certificate[0] == '\0')
		return 0;
	r = file_load(p->config.ca_file, 1 << 20, &ca);
	if (r == 0)
		r = cpio_add_folder(archive, "repave/agent", 0700);
	if (r == 0)
		r = cpio_add_file(archive, "repave/agent/ca.pem", 0600, ca.data, ca.size);
	if (r == 0)
		r = cpio_add_file(archive, "repave/agent/certificate.pem", 0600, p->agent.certificate, strlen(p->agent.certificate));
	if (r == 0)
		r = cpio_add_file(archive, "repave/agent/key.pem", 0600, p->agent.key, strlen(p->agent.key));
	if (r == 0)
		r = add_addresses(p, archive);
	buffer_release(&ca);
	return r;
}

/* Why the partition isn't handed over; NULL when nothing is against it. What is to be encrypted is never opened in the clear. */
static const char *home_closed(const struct provision *p)
{
	const struct assignment *a = &p->assignment;

	if (p->offline)
		return json_is_true(json_object_get(p->state.content, "h_encryption")) ? "it is encrypted, and no control unit was there to give its key"
										       : NULL;
	if (a->h_closed != NULL)
		return a->h_closed;
	if (a->h_encryption && a->h_key == NULL)
		return "it is to be encrypted, and the control unit gave no key";
	if (a->h_encryption && !p->marks.crypt)
		return "it is to be encrypted, and this OS image is too old for that: assign a newer one";
	return NULL;
}

static int add_home_key(const struct provision *p, struct buffer *archive)
{
	struct buffer key = { 0 };
	int r;

	if (p->offline || !p->assignment.h_encryption)
		return 0;
	r = base64_parse(p->assignment.h_key, &key);
	if (r == 0)
		r = cpio_add_file(archive, "repave/h/key", 0600, key.data, key.size);
	if (key.data != NULL)
		explicit_bzero(key.data, key.size);
	buffer_release(&key);
	return r;
}

static int add_home_partition(const struct provision *p, struct buffer *archive)
{
	/* Named though C: and D: be in RAM for want of a slot: user data are no slot's. */
	const struct gpt_entry *entry = p->disk.found ? p->disk.parts[PART_H] : NULL;
	const char *closed = home_closed(p);
	char guid[37];
	int r;

	if (closed != NULL)
		return cpio_add_file(archive, "repave/h/closed", 0600, closed, strlen(closed));
	if (entry == NULL)
		return 0;
	guid_format(entry->guid, guid);
	r = cpio_add_file(archive, "repave/h/partition", 0600, guid, strlen(guid));
	return r == 0 ? add_home_key(p, archive) : r;
}

static int add_home(const struct provision *p, struct buffer *archive)
{
	const char *choice = p->offline ? json_get_string(p->state.content, "h") : p->assignment.h;
	struct home_choice home;
	int r;

	/* Without a control unit user data are where they were the last time, or nowhere. */
	if (choice == NULL || home_choice_parse(choice, &home) < 0)
		return 0;
	r = cpio_add_folder(archive, "repave/h", 0700);
	if (r == 0)
		r = cpio_add_file(archive, "repave/h/choice", 0600, choice, strlen(choice));
	if (r == 0)
		r = cpio_add_file(archive, "repave/h/node", 0600, p->identity.uuid, strlen(p->identity.uuid));
	return r == 0 && (home.kind == HOME_LOCAL || home.kind == HOME_AUTO) ? add_home_partition(p, archive) : r;
}

/* For whoever wants to check the TPM's PCR 8 in the running system, and to tell what is in the others. */
static int add_measured(const struct provision *p, struct buffer *archive)
{
	const struct buffer *log = &p->platform.firmware_log;
	char *text;
	int r;

	if (!p->platform.present || p->platform.planned == NULL)
		return 0;
	text = json_format(p->platform.planned);
	r = text != NULL ? cpio_add_file(archive, "repave/events.json", 0644, text, strlen(text)) : -ENOMEM;
	if (r == 0 && log->size > 0)
		r = cpio_add_file(archive, "repave/firmware-log", 0600, log->data, log->size);
	free(text);
	return r;
}

/* The node's configuration: in RAM only, never on a disk or a command line. */
static int build_archive(struct provision *p, struct buffer *archive)
{
	const struct assignment *a = &p->assignment;
	const char *name;
	json_t *text;
	int r = cpio_add_folder(archive, "repave", 0700);

	if (r == 0)
		r = cpio_add_folder(archive, "repave/config", 0700);
	if (r == 0 && a->hostname != NULL) {
		char line[256];

		snprintf(line, sizeof(line), "%s\n", a->hostname);
		r = cpio_add_file(archive, "repave/hostname", 0644, line, strlen(line));
	}
	if (r == 0)
		r = add_keys(a->ssh_keys, archive);
	if (r == 0)
		r = add_users(a->users, archive);
	json_object_foreach(a->files, name, text) {
		char path[128];

		snprintf(path, sizeof(path), "repave/config/%s", name);
		if (r == 0)
			r = cpio_add_file(archive, path, 0644, json_string_value(text), json_string_length(text));
	}
	if (r == 0)
		r = add_home(p, archive);
	if (r == 0)
		r = rest_hand_over(p, archive);
	if (r == 0)
		r = add_agent(p, archive);
	if (r == 0)
		r = add_measured(p, archive);
	if (r == 0)
		r = add_boot_json(p, archive);
	return r == 0 ? cpio_end(archive) : r;
}

/* ------------------------------------------------------------------ out of C: */
/* A link in the image, also one that begins with a slash, stays in the image: nothing beside dm-verity gets to the jump. */
static int open_in_c(const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_XDEV };
	int folder = open(MOUNT_POINT, O_PATH | O_DIRECTORY | O_CLOEXEC), fd;

	if (folder < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, folder, path, &how, sizeof(how));
	if (fd < 0)
		fd = -errno;
	close(folder);
	return fd;
}

/* Copies a file of the verified file system to memory. What dm-verity refuses comes as EIO. */
static int read_verified(struct provision *p, const char *path, size_t most, const char *name, int *ret_fd, uint64_t *ret_size)
{
	char piece[65536];
	uint64_t size = 0;
	int from = open_in_c(path), r = from < 0 ? from : 0;
	ssize_t n;

	*ret_fd = memfd_create(name, MFD_CLOEXEC);
	if (r == 0 && *ret_fd < 0)
		r = -errno;
	while (r == 0 && (n = read(from, piece, sizeof(piece))) != 0) {
		if (n < 0)
			r = -errno;
		else if (size + (uint64_t)n > most)
			r = -EFBIG;
		else
			r = write_full_at(*ret_fd, piece, (size_t)n, size);
		size += r == 0 ? (uint64_t)n : 0;
	}
	if (from >= 0)
		close(from);
	*ret_size = size;
	if (r == 0)
		return 0;
	p->damaged = r == -EIO;
	if (*ret_fd >= 0)
		close(*ret_fd);
	*ret_fd = -1;
	return sentence(p->error, r, "%s of %s can't be read from %s: %s", path, verified_image_path(p->c.image),
			part_name(p->c.part), r == -EIO ? "the disk no longer gives what was written" : strerror(-r));
}

/* Appends bytes that begin at a multiple of 4, as archives must. */
static int append(int fd, uint64_t *size, const struct buffer *archive)
{
	static const uint8_t zeros[4];
	size_t padding = (4 - *size % 4) % 4;
	int r = write_full_at(fd, zeros, padding, *size);

	if (r == 0)
		r = write_full_at(fd, archive->data, archive->size, *size + padding);
	*size += padding + archive->size;
	return r;
}

/* A slot in RAM travels in the initrd. An image is a whole number of blocks: nothing to pad after it. */
static int append_slot(const struct volume *volume, const char *path, int fd, uint64_t *size)
{
	uint64_t image = verified_image_description(volume->image)->image_size;
	struct buffer head = { 0 };
	int slot = open(volume->path, O_RDWR | O_CLOEXEC), r = slot < 0 ? -errno : 0;

	if (r == 0)
		r = cpio_add_folder(&head, "repave", 0700);
	if (r == 0)
		r = cpio_begin_file(&head, path, 0400, image);
	if (r == 0)
		r = append(fd, size, &head);
	if (r == 0)
		r = ram_move(slot, image, fd, *size);
	*size += image;
	buffer_release(&head);
	if (slot >= 0)
		close(slot);
	return r;
}

/* On its way over a disk it is a ciphertext, whose key the firmware holds until stage 2 has read it. */
static int seal_archive(struct provision *p, struct buffer *archive)
{
	struct buffer plain = *archive, sealed = { 0 };
	uint8_t key[SEAL_KEY_SIZE];
	int r = reset_key(p, key);

	*archive = (struct buffer){ 0 };
	if (r == 0)
		r = seal(key, plain.data, plain.size, &sealed);
	if (r == 0)
		r = cpio_add_folder(archive, "repave", 0700);
	if (r == 0)
		r = cpio_add_file(archive, "repave/sealed", 0400, sealed.data, sealed.size);
	if (r == 0)
		r = cpio_end(archive);
	explicit_bzero(key, sizeof(key));
	explicit_bzero(plain.data, plain.size);
	buffer_release(&plain);
	buffer_release(&sealed);
	return r;
}

static int append_archive(struct provision *p, int fd, uint64_t *size)
{
	struct buffer archive = { 0 };
	int r = build_archive(p, &archive);

	if (r == 0 && p->disk.in_ram)
		r = append_slot(&p->c, "repave/c.img", fd, size);
	if (r == 0 && p->disk.in_ram && p->d.installed)
		r = append_slot(&p->d, "repave/d.img", fd, size);
	if (r == 0 && p->start == START_RESET)
		r = seal_archive(p, &archive);
	if (r == 0)
		r = append(fd, size, &archive);
	if (archive.data != NULL)
		explicit_bzero(archive.data, archive.size);
	buffer_release(&archive);
	return r < 0 ? sentence(p->error, r, "the configuration can't be put beside the initrd: %s", strerror(-r)) : 0;
}

static void close_c(const struct provision *p)
{
	umount2(MOUNT_POINT, 0);
	dmverity_close(MAPPED);
	if (p->loop[0] != '\0')
		loop_detach(p->loop);
}

static int open_c(struct provision *p)
{
	struct boot_slot slot;
	int r = describe_slot(p, &p->c, &slot);

	p->loop[0] = '\0';
	if (r == 0 && p->disk.in_ram)
		r = loop_attach(p->c.path, p->loop);
	if (r == 0)
		r = dmverity_open(MAPPED, p->disk.in_ram ? p->loop : p->c.path, &slot, CORRUPTION_EIO);
	if (r < 0)
		return sentence(p->error, r, "dm-verity can't open %s (%s): %s", part_name(p->c.part), p->c.path, strerror(-r));
	r = make_folders(MOUNT_POINT, 0700);
	if (r == 0 && mount("/dev/mapper/" MAPPED, MOUNT_POINT, "squashfs", MS_RDONLY | MS_NODEV | MS_NOSUID | MS_NOEXEC, NULL) < 0)
		r = -errno;
	if (r == 0)
		return 0;
	close_c(p);
	/* Whatever the file system calls it: what it read isn't what was signed, or isn't there. */
	p->damaged = true;
	return sentence(p->error, r, "%s can't be mounted as squashfs: %s", part_name(p->c.part), strerror(-r));
}

/* ------------------------------------------------------------------ the jump */
static bool kexec_is_disabled(void)
{
	struct buffer text = { 0 };
	bool is = file_load("/proc/sys/kernel/kexec_load_disabled", 16, &text) == 0 && text.size > 0 && text.data[0] == '1';

	buffer_release(&text);
	return is;
}

static const char *refusal(int error)
{
	if (error == EPERM && kexec_is_disabled())
		return "kexec is switched off (kernel.kexec_load_disabled)";
	switch (error) {
	case ENODATA: return "nobody signed it for Secure Boot";
	case EKEYREJECTED:
	case ENOKEY: return "its signature isn't by a key this machine trusts";
	case EPERM: return "lockdown takes only what a key this machine trusts signed"; /* a kernel without IMA's policy doesn't say more */
	default: return strerror(error);
	}
}

static int load_kernel(struct provision *p, int kernel, int initrd, const struct buffer *cmdline)
{
	if (syscall(SYS_kexec_file_load, kernel, initrd, cmdline->size + 1, (const char *)cmdline->data, 0UL) == 0)
		return 0;
	return sentence(p->error, -errno, "the kernel refuses to load %s of %s: %s",
			verified_image_description(p->c.image)->kernel, verified_image_path(p->c.image), refusal(errno));
}

/* What stage 2 of the image can, as words; an older one has no such file. */
static struct image_marks read_features(void)
{
	struct image_marks marks = { 0 };
	char text[256], *rest = text, *word;
	int fd = open_in_c(FEATURES);
	ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	if (size < 0)
		return marks;
	text[size] = '\0';
	while ((word = strsep(&rest, " \n")) != NULL) {
		marks.mark = marks.mark || strcmp(word, "mark") == 0;
		marks.reset = marks.reset || strcmp(word, "reset") == 0;
		marks.users = marks.users || strcmp(word, "users") == 0;
		marks.watchdog = marks.watchdog || strcmp(word, "watchdog") == 0;
		marks.crypt = marks.crypt || strcmp(word, "crypt") == 0;
		marks.rest = marks.rest || strcmp(word, "encryption") == 0;
	}
	return marks;
}

static int read_image(struct provision *p, struct reset_files *files)
{
	const struct image_description *image = verified_image_description(p->c.image);
	int r = open_c(p);

	if (r < 0)
		return r;
	r = read_verified(p, image->kernel, KERNEL_MOST, "kernel", &files->kernel, &files->kernel_size);
	if (r == 0)
		r = read_verified(p, image->initrd, INITRD_MOST, "initrd", &files->initrd, &files->initrd_size);
	p->marks = read_features();
	close_c(p);
	return r;
}

static void tell(struct provision *p, const char *what, const char *why)
{
	char text[SENTENCE];

	sentence(text, 0, "%s%.250s", what, why);
	console_line(&p->stages, "%s", text);
	add_notice(p, text);
}

/* By policy; with no control unit, as it arrived last. */
static void choose_start(struct provision *p)
{
	bool reset = p->offline ? p->last.known && p->last.arrived && p->last.way == START_RESET : p->assignment.reset;

	p->start = START_KEXEC;
	if (!reset)
		return;
	if (reset_possible(p) == 0)
		p->start = START_RESET;
	else
		tell(p, "started by kexec, not by a reset: ", p->error);
}

/* Loads what was read, in the way that p->start says. */
static int load_by(struct provision *p, const struct reset_files *files)
{
	struct reset_files with_archive = *files;
	struct buffer cmdline = { 0 };
	int r = build_cmdline(p, &cmdline);

	if (r == 0)
		r = platform_plan(p, &cmdline, files->kernel, files->kernel_size);
	/* Another way may have appended its archive before. */
	if (r == 0 && ftruncate(files->initrd, (off_t)files->initrd_size) < 0)
		r = sentence(p->error, -errno, "the initrd can't be changed: %s", strerror(errno));
	if (r == 0)
		r = append_archive(p, files->initrd, &with_archive.initrd_size);
	if (r == 0 && p->start == START_KEXEC)
		r = ram_check_jump(files->kernel_size + with_archive.initrd_size, p->error);
	if (r == 0)
		r = p->start == START_RESET ? reset_prepare(p, &with_archive, &cmdline)
					    : load_kernel(p, files->kernel, files->initrd, &cmdline);
	if (r == 0)
		console_line(&p->stages, "%s, kernel %" PRIu64 " KiB, initrd %" PRIu64 " KiB, by %s", verified_image_path(p->c.image),
			     files->kernel_size >> 10, with_archive.initrd_size >> 10, start_way_name(p->start));
	buffer_release(&cmdline);
	return r;
}

static int load(struct provision *p)
{
	struct reset_files files = { .kernel = -1, .initrd = -1 };
	char refused[SENTENCE];
	int r = read_image(p, &files);

	if (r == 0 && p->assignment.users != NULL && !p->marks.users)
		tell(p, "no users can log in: ", "this OS image is older than they are; assign a newer one");
	if (r == 0 && p->rest.on && !p->disk.in_ram && !p->marks.rest)
		r = sentence(p->error, -EOPNOTSUPP, "%s is too old to be started from encrypted C: and D:: assign a newer one, or take `encryption`"
				" out of its group", verified_image_path(p->c.image));
	if (r == 0) {
		choose_start(p);
		r = load_by(p, &files);
	}
	/* A disk or a firmware that fails must not keep down a server that may well survive kexec. */
	if (r < 0 && p->start == START_RESET) {
		tell(p, "started by kexec, not by a reset: ", p->error);
		reset_forget(p);
		p->start = START_KEXEC;
		r = load_by(p, &files);
	}
	if ((r == -EPERM || r == -ENOSYS) && p->start == START_KEXEC && p->config.reset_without_kexec) {
		memcpy(refused, p->error, sizeof(refused));
		if (reset_possible(p) == 0) {
			tell(p, "the firmware starts it after a reset: ", refused);
			p->start = START_RESET;
			r = load_by(p, &files);
		} else {
			memcpy(p->error, refused, sizeof(refused));
		}
	}
	if (files.kernel >= 0)
		close(files.kernel);
	if (files.initrd >= 0)
		close(files.initrd);
	return r;
}

/* Counted before the start: a kernel that never comes up can't count itself. */
static int count_start(struct provision *p)
{
	struct system_pair pair;
	int r;

	pair_of(p, &pair);
	r = tries_begin(&p->state, p->assignment.number, &pair, !p->last_good);
	if (r == 0)
		r = tries_note_start(&p->state, p->nonce, p->start, p->marks.mark);
	if (r == 0 && !p->offline)
		r = note_time(p);
	if (r == 0 && !p->offline && (json_object_set_new(p->state.content, "h", json_string(p->assignment.h)) < 0 ||
				      json_object_set_new(p->state.content, "h_encryption", json_boolean(p->assignment.h_encryption)) < 0))
		r = -ENOMEM;
	if (r < 0)
		return sentence(p->error, r, "out of memory");
	save_state(p);
	platform_raise_floor(p);
	return 0;
}

int boot(struct provision *p)
{
	int r;

	p->damaged = false;
	r = load(p);
	if (r == 0)
		r = count_start(p);
	if (r < 0)
		return r;
	if (report(p, p->start == START_RESET ? "reset" : "kexec") && p->words_sent)
		pstore_clear(PSTORE_FOLDER);
	console_line(&p->stages, "starting it");
	if (!p->offline)
		send_boot_log(p);
	sync();
	/* Firmware may take longer than it waits, and an older image has no driver to go on with it. */
	if (p->start == START_RESET || !p->marks.watchdog)
		watchdog_stop();
	if (p->start == START_RESET)
		return reset_go(p);
	r = platform_measure(p, TPM_DEVICE);
	if (r < 0) {
		console_line(&p->stages, "%s: a cold reset", p->error);
		return reset_cold(p);
	}
	links_down();
	forget_keys(p);
	reboot(RB_KEXEC);
	return sentence(p->error, -errno, "the jump into the new kernel failed: %s", strerror(errno));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The other way to start a system: kernel and initrd of the verified image go to an EFI system partition, and the firmware starts them
 * once after a reset. For machines whose kernel may not kexec, or whose hardware doesn't survive it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "common/file.h"
#include "provisioner/efivar.h"
#include "provisioner/fat.h"
#include "provisioner/load-option.h"
#include "provisioner/provision.h"
#include "signing/authenticode.h"

#define KERNEL_NAME "LINUX   EFI"
#define KERNEL_PATH "\\LINUX.EFI"
#define INITRD_NAME "INITRD  IMG"
#define PIECE (1u << 20)
#define REBOOT_MODE "/sys/kernel/reboot/mode"

/* Whether the firmware checks what it starts. */
static bool secure_boot(void)
{
	struct buffer value = { 0 };
	bool on = efivar_load("SecureBoot", EFI_GLOBAL, &value) == 0 && value.size == 1 && value.data[0] == 1;

	buffer_release(&value);
	return on;
}

int reset_possible(struct provision *p)
{
	if (!p->identity.uefi)
		return sentence(p->error, -EOPNOTSUPP, "BIOS firmware can't be told which kernel to start");
	if (p->disk.in_ram)
		return sentence(p->error, -EOPNOTSUPP, "there is no disk to start from");
	if (p->disk.read_only)
		return sentence(p->error, -EOPNOTSUPP, "disk %s is read-only", p->disk.name);
	if (p->disk.parts[PART_ESP] == NULL)
		return sentence(p->error, -EOPNOTSUPP, "disk %s has no EFI system partition and no room for one (repave assign %s "
				"--wipe lays it out anew)", p->disk.name, p->identity.uuid);
	if (p->rest.on)
		return sentence(p->error, -EOPNOTSUPP, "C: and D: are encrypted, and a start by the firmware would need their key and their kernel on the disk");
	if (!p->marks.reset)
		return sentence(p->error, -EOPNOTSUPP, "%s is too old to be started that way", verified_image_path(p->c.image));
	if (efivar_open() < 0)
		return sentence(p->error, -EOPNOTSUPP, "stage 1's kernel has no access to the firmware's variables");
	/* What is signed starts there with any initrd and command line, so kernels of images aren't for it (signing/authenticode.h). */
	if (secure_boot())
		return sentence(p->error, -EOPNOTSUPP, "with Secure Boot the kernel of an image starts by kexec only");
	return 0;
}

void reset_forget(struct provision *p)
{
	int r;

	if (!p->identity.uefi || efivar_open() < 0)
		return;
	r = efivar_delete(EFI_KEY, EFI_REPAVE);
	if (r < 0)
		console_line(&p->stages, "the firmware keeps an old key of a start that never came to pass: %s", strerror(-r));
}

/* ------------------------------------------------------------------ the partition */
static int copy(int from, uint64_t size, int to, uint64_t offset, uint8_t *piece)
{
	int r = 0;

	for (uint64_t done = 0; r == 0 && done < size; done += PIECE) {
		size_t length = size - done < PIECE ? (size_t)(size - done) : PIECE;

		r = read_full_at(from, piece, length, done);
		if (r == 0)
			r = write_full_at(to, piece, length, offset + done);
	}
	return r;
}

static int compare(int from, uint64_t size, int to, uint64_t offset, uint8_t *piece)
{
	uint8_t *other = malloc(PIECE);
	int r = other != NULL ? 0 : -ENOMEM;

	for (uint64_t done = 0; r == 0 && done < size; done += PIECE) {
		size_t length = size - done < PIECE ? (size_t)(size - done) : PIECE;

		r = read_full_at(from, piece, length, done);
		if (r == 0)
			r = read_full_at(to, other, length, offset + done);
		if (r == 0 && memcmp(piece, other, length) != 0)
			r = -EIO;
	}
	free(other);
	return r;
}

/* What the firmware will get is what was verified, as far as anything but the firmware can know: read back from the disk, not from
 * the cache. */
static int fill(int fd, const struct fat_file files[2], const int from[2], const uint8_t *head, size_t head_size, uint8_t *piece)
{
	int r = write_full_at(fd, head, head_size, 0);

	for (unsigned i = 0; r == 0 && i < 2; i++)
		r = copy(from[i], files[i].size, fd, files[i].offset, piece);
	if (r == 0 && (fsync(fd) < 0 || ioctl(fd, BLKFLSBUF) < 0))
		r = -errno;
	for (unsigned i = 0; r == 0 && i < 2; i++)
		r = compare(from[i], files[i].size, fd, files[i].offset, piece);
	return r;
}

/* A kernel that was signed for kexec becomes one that firmware starts. */
static int make_startable(struct provision *p, const struct reset_files *files)
{
	void *kernel = mmap(NULL, files->kernel_size, PROT_READ | PROT_WRITE, MAP_SHARED, files->kernel, 0);
	int r = kernel == MAP_FAILED ? -errno : pe_set_subsystem(kernel, files->kernel_size, PE_EFI_APPLICATION);

	if (kernel != MAP_FAILED)
		munmap(kernel, files->kernel_size);
	return r < 0 ? sentence(p->error, r, "the kernel of %s is none that firmware starts", verified_image_path(p->c.image)) : 0;
}

static int write_esp(struct provision *p, const struct reset_files *from)
{
	struct fat_file files[2] = { { KERNEL_NAME, from->kernel_size, 0 }, { INITRD_NAME, from->initrd_size, 0 } };
	const int fds[2] = { from->kernel, from->initrd };
	char path[BLOCKDEV_NAME + 8], have[16], need[16];
	uint8_t *head = NULL, *piece = NULL;
	struct fat fat;
	uint64_t size;
	int fd, r = disk_open_part(&p->disk, PART_ESP, &fd, &size, path, p->error);

	if (r < 0)
		return r;
	r = fat_layout(size, p->disk.gpt.sector_size, files, 2, &fat);
	if (r == -ENOSPC) {
		sentence(p->error, r, "kernel and initrd of %s have %s, the EFI system partition of disk %s has %s",
			 verified_image_path(p->c.image), format_size(from->kernel_size + from->initrd_size, need), p->disk.name,
			 format_size(size, have));
	} else if (r == 0) {
		head = malloc(fat_head_size(&fat));
		piece = malloc(PIECE);
		r = head != NULL && piece != NULL ? 0 : -ENOMEM;
		if (r == 0) {
			fat_format(&fat, files, 2, (uint32_t)p->assignment.number, head);
			r = fill(fd, files, fds, head, fat_head_size(&fat), piece);
		}
	}
	if (r < 0 && r != -ENOSPC)
		sentence(p->error, r, "the EFI system partition of disk %s can't be filled: %s", p->disk.name, strerror(-r));
	free(head);
	free(piece);
	close(fd);
	return r;
}

/* ------------------------------------------------------------------ the firmware's variables */
static int write_entry(struct provision *p, const struct buffer *cmdline)
{
	const struct gpt_entry *part = p->disk.parts[PART_ESP];
	struct load_option option = { .description = RESET_ENTRY, .partition = part->number, .first = part->first,
				      .sectors = part->last - part->first + 1, .file = KERNEL_PATH,
				      .cmdline = (const char *)cmdline->data };
	struct buffer entry = { 0 };
	char name[9];
	bool found;
	int r;

	memcpy(option.guid, part->guid, 16);
	r = efivar_boot_entry(RESET_ENTRY, &p->boot_entry, &found);
	if (r == 0)
		r = load_option_format(&option, &entry);
	efivar_boot_name(p->boot_entry, name);
	if (r == 0)
		r = efivar_store(name, EFI_GLOBAL, entry.data, entry.size);
	buffer_release(&entry);
	return r;
}

int reset_key(struct provision *p, uint8_t ret_key[SEAL_KEY_SIZE])
{
	int r;

	if (getrandom(ret_key, SEAL_KEY_SIZE, 0) != (ssize_t)SEAL_KEY_SIZE)
		return sentence(p->error, -EIO, "the kernel gives no random numbers");
	r = efivar_store(EFI_KEY, EFI_REPAVE, ret_key, SEAL_KEY_SIZE);
	return r < 0 ? sentence(p->error, r, "the firmware doesn't take the key of this start: %s", strerror(-r)) : 0;
}

int reset_prepare(struct provision *p, const struct reset_files *files, const struct buffer *cmdline)
{
	int r = make_startable(p, files);

	if (r == 0)
		r = write_esp(p, files);
	if (r < 0)
		return r;
	r = write_entry(p, cmdline);
	return r < 0 ? sentence(p->error, r, "the firmware doesn't take a boot entry: %s", strerror(-r)) : 0;
}

int reset_cold(struct provision *p)
{
	int fd = open(REBOOT_MODE, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, "cold", 4) != 4)
			console_line(&p->stages, "the reset may be a warm one: %s", strerror(errno));
		close(fd);
	}
	sync();
	forget_keys(p);
	reboot(RB_AUTOBOOT);
	return sentence(p->error, -errno, "the reset failed: %s", strerror(errno));
}

int reset_go(struct provision *p)
{
	uint8_t next[2];
	int r;

	put_le16(next, p->boot_entry);
	r = efivar_store("BootNext", EFI_GLOBAL, next, sizeof(next));
	if (r < 0)
		return sentence(p->error, r, "the firmware doesn't take BootNext: %s", strerror(-r));
	return reset_cold(p);
}

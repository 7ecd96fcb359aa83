/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/stage2-start.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "provisioner/cpio.h"
#include "provisioner/efivar.h"
#include "provisioner/load-option.h"
#include "provisioner/mark.h"
#include "provisioner/seal.h"

#define SEALED "/repave/sealed"
#define SEALED_MOST (4u << 20) /* far above the largest configuration */
#define BEGIN_SIZE (4u << 20)  /* boot sector and tables of the ESP, and the beginning of the kernel */

int start_leave_mark(const struct boot_start *start, char ret_error[SENTENCE])
{
	char path[BLOCKDEV_NAME + 8];
	int fd, r = blockdev_by_partuuid(start->state, path);

	if (r < 0)
		return sentence(ret_error, r, "the disk has no STATE partition %s", start->state);
	fd = open(path, O_RDWR | O_CLOEXEC);
	r = fd < 0 ? -errno : mark_store(fd, start->nonce);
	if (fd >= 0)
		close(fd);
	return r < 0 ? sentence(ret_error, r, "STATE can't be written: %s", strerror(-r)) : 0;
}

/* ------------------------------------------------------------------ the sealed configuration */
static int take_key(uint8_t ret_key[SEAL_KEY_SIZE], char ret_error[SENTENCE])
{
	struct buffer key = { 0 };
	int r = efivar_open();

	if (r == 0)
		r = efivar_load(EFI_KEY, EFI_REPAVE, &key);
	if (r == 0 && key.size != SEAL_KEY_SIZE)
		r = -EIO;
	if (r == 0)
		memcpy(ret_key, key.data, SEAL_KEY_SIZE);
	if (key.data != NULL)
		explicit_bzero(key.data, key.size);
	buffer_release(&key);
	if (r < 0)
		return sentence(ret_error, r, "the firmware has no key for the configuration: %s", strerror(-r));
	r = efivar_delete(EFI_KEY, EFI_REPAVE);
	return r < 0 ? sentence(ret_error, r, "the key of the configuration can't be removed from the firmware: %s", strerror(-r)) : 0;
}

/* Everything of the archive lies below /repave, as it would after a kexec. */
static int unpack_entry(const struct cpio_entry *entry)
{
	char path[512];
	int fd, r;

	if (strncmp(entry->path, "repave", 6) != 0 || strstr(entry->path, "..") != NULL || strlen(entry->path) + 2 > sizeof(path))
		return -EBADMSG;
	snprintf(path, sizeof(path), "/%s", entry->path);
	if (S_ISDIR(entry->mode))
		return make_folders(path, entry->mode & 0777);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, entry->mode & 0777);
	if (fd < 0)
		return -errno;
	r = write_full_at(fd, entry->data, entry->size, 0);
	close(fd);
	return r;
}

static int unpack(const struct buffer *archive)
{
	struct cpio_entry entry;
	size_t position = 0;
	int r;

	while ((r = cpio_next(archive, &position, &entry)) == 0 && (r = unpack_entry(&entry)) == 0)
		;
	return r == -ENOENT ? 0 : r;
}

int start_open_config(char ret_error[SENTENCE])
{
	struct buffer sealed = { 0 }, archive = { 0 };
	uint8_t key[SEAL_KEY_SIZE];
	int r = file_load(SEALED, SEALED_MOST, &sealed);

	if (r < 0)
		return sentence(ret_error, r, "the initrd has no sealed configuration: %s", strerror(-r));
	r = take_key(key, ret_error);
	if (r == 0) {
		r = unseal(key, sealed.data, sealed.size, &archive);
		if (r == 0)
			r = unpack(&archive);
		if (r < 0)
			sentence(ret_error, r, "the configuration can't be opened: %s", strerror(-r));
	}
	explicit_bzero(key, sizeof(key));
	if (archive.data != NULL)
		explicit_bzero(archive.data, archive.size);
	buffer_release(&archive);
	buffer_release(&sealed);
	unlink(SEALED);
	return r;
}

/* ------------------------------------------------------------------ what a reset left */
static int forget_entry(void)
{
	struct buffer current = { 0 }, entry = { 0 };
	char name[9];
	int r = efivar_load("BootCurrent", EFI_GLOBAL, &current);

	if (r == 0 && current.size != 2)
		r = -EIO;
	if (r == 0) {
		efivar_boot_name(get_le16(current.data), name);
		r = efivar_load(name, EFI_GLOBAL, &entry);
	}
	if (r == 0 && load_option_is(entry.data, entry.size, RESET_ENTRY))
		r = efivar_delete(name, EFI_GLOBAL);
	buffer_release(&entry);
	buffer_release(&current);
	return r;
}

static int blank(int fd)
{
	uint64_t range[2] = { 0, 0 };
	off_t size = lseek(fd, 0, SEEK_END);
	uint8_t *zeros;
	int r;

	if (size < (off_t)BEGIN_SIZE)
		return size < 0 ? -errno : -EINVAL;
	range[1] = (uint64_t)size;
	zeros = calloc(1, BEGIN_SIZE);
	if (zeros == NULL)
		return -ENOMEM;
	/* Disks that know no discard keep the rest of what lay there: kernel and initrd, which are no secrets, and a ciphertext. */
	ioctl(fd, BLKDISCARD, range);
	r = write_full_at(fd, zeros, BEGIN_SIZE, 0);
	free(zeros);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int start_clear_esp(const struct boot_start *start, char ret_error[SENTENCE])
{
	char path[BLOCKDEV_NAME + 8];
	int fd, r = blockdev_by_partuuid(start->esp, path), entry = forget_entry();

	if (r == 0) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		r = fd < 0 ? -errno : blank(fd);
		if (fd >= 0)
			close(fd);
	}
	if (r < 0)
		return sentence(ret_error, r, "the EFI system partition can't be emptied: %s", strerror(-r));
	return entry < 0 ? sentence(ret_error, entry, "the firmware's boot entry can't be removed: %s", strerror(-entry)) : 0;
}

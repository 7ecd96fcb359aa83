/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/efivar.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/file.h"
#include "provisioner/load-option.h"

#define FOLDER "/sys/firmware/efi/efivars"
/* EFI_VARIABLE_NON_VOLATILE, _BOOTSERVICE_ACCESS, _RUNTIME_ACCESS (UEFI specification 2.10, 8.2). */
#define ATTRIBUTES 7u
#define HEAD 4u
#define PATH_SIZE 128u

static void path_of(const char *name, const char *guid, char ret_path[PATH_SIZE])
{
	snprintf(ret_path, PATH_SIZE, FOLDER "/%.32s-%.36s", name, guid);
}

int efivar_open(void)
{
	struct statfs fs;

	if (statfs(FOLDER, &fs) < 0)
		return -ENOENT;
	if ((unsigned long)fs.f_type == EFIVARFS_MAGIC)
		return 0;
	if (mount("efivarfs", FOLDER, "efivarfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	return errno == ENODEV ? -ENOENT : -errno;
}

int efivar_load(const char *name, const char *guid, struct buffer *ret_data)
{
	struct buffer file = { 0 };
	char path[PATH_SIZE];
	int r;

	path_of(name, guid, path);
	r = file_load(path, EFIVAR_MOST, &file);
	if (r == 0)
		r = file.size < HEAD ? -EIO : buffer_add(ret_data, file.data + HEAD, file.size - HEAD);
	if (file.data != NULL)
		explicit_bzero(file.data, file.size);
	buffer_release(&file);
	return r;
}

/* The kernel makes all files but those of known names immutable, so that no "rm -r" bricks a machine. */
static void make_mutable(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), none = 0;

	if (fd < 0)
		return;
	ioctl(fd, FS_IOC_SETFLAGS, &none);
	close(fd);
}

int efivar_store(const char *name, const char *guid, const void *data, size_t size)
{
	struct buffer file = { 0 };
	uint8_t head[HEAD];
	char path[PATH_SIZE];
	int fd = -1, r;

	put_le32(head, ATTRIBUTES);
	path_of(name, guid, path);
	r = buffer_add(&file, head, sizeof(head));
	if (r == 0)
		r = buffer_add(&file, data, size);
	if (r < 0)
		goto out;
	make_mutable(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		r = -errno;
	else if (write(fd, file.data, file.size) != (ssize_t)file.size) /* firmware takes a variable whole or not at all */
		r = errno != 0 ? -errno : -EIO;
out:
	if (fd >= 0)
		close(fd);
	if (file.data != NULL)
		explicit_bzero(file.data, file.size);
	buffer_release(&file);
	return r;
}

int efivar_delete(const char *name, const char *guid)
{
	char path[PATH_SIZE];

	path_of(name, guid, path);
	make_mutable(path);
	return unlink(path) == 0 || errno == ENOENT ? 0 : -errno;
}

void efivar_boot_name(uint16_t number, char ret_name[9])
{
	snprintf(ret_name, 9, "Boot%04X", number);
}

/* "Boot0012-8be4…" → 0x12 */
static bool number_of(const char *file, uint16_t *ret_number)
{
	char digits[5];
	uint8_t bytes[2];

	if (strncmp(file, "Boot", 4) != 0 || strlen(file) != 8 + 1 + 36 || strcmp(file + 9, EFI_GLOBAL) != 0)
		return false;
	memcpy(digits, file + 4, 4);
	digits[4] = '\0';
	if (hex_parse(digits, bytes, 2) < 0)
		return false;
	*ret_number = (uint16_t)(bytes[0] << 8 | bytes[1]);
	return true;
}

static bool has_description(uint16_t number, const char *description)
{
	struct buffer data = { 0 };
	char name[9];
	bool same;

	efivar_boot_name(number, name);
	same = efivar_load(name, EFI_GLOBAL, &data) == 0 && load_option_is(data.data, data.size, description);
	buffer_release(&data);
	return same;
}

int efivar_boot_entry(const char *description, uint16_t *ret_number, bool *ret_found)
{
	bool used[256] = { false };
	struct dirent *entry;
	DIR *dir = opendir(FOLDER);

	*ret_found = false;
	if (dir == NULL)
		return -errno;
	while (!*ret_found && (entry = readdir(dir)) != NULL) {
		if (!number_of(entry->d_name, ret_number))
			continue;
		if (*ret_number < sizeof(used))
			used[*ret_number] = true;
		*ret_found = has_description(*ret_number, description);
	}
	closedir(dir);
	for (unsigned i = 0; !*ret_found && i < sizeof(used); i++) {
		*ret_number = (uint16_t)i;
		if (!used[i])
			return 0;
	}
	return *ret_found ? 0 : -ENOSPC;
}

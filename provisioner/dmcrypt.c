/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/dmcrypt.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "provisioner/devmapper.h"
#include "signing/sha256.h"

#define KEY_TYPE "logon" /* which no program can read back, not root's either */
#define KEY_NAME "repave:disk"
#define CHECK_LABEL "repave h check"

void dmcrypt_check(const uint8_t key[DMCRYPT_KEY_SIZE], uint8_t ret_check[HOME_CHECK_SIZE])
{
	struct sha256 sha;

	sha256_init(&sha);
	sha256_update(&sha, CHECK_LABEL, sizeof(CHECK_LABEL));
	sha256_update(&sha, key, DMCRYPT_KEY_SIZE);
	sha256_final(&sha, ret_check);
	explicit_bzero(&sha, sizeof(sha));
}

int dmcrypt_table(const char *device, uint32_t sector, char *ret_text, size_t room)
{
	int n = snprintf(ret_text, room, "aes-xts-plain64 :%u:" KEY_TYPE ":" KEY_NAME " 0 %s 0 1 sector_size:%" PRIu32, DMCRYPT_KEY_SIZE, device, sector);

	return n > 0 && (size_t)n < room ? 0 : -ENOSPC;
}

/* The kernel's copy of the key is then dm-crypt's alone. */
int dmcrypt_map(const char *name, bool read_only, const char *device, uint32_t sector, uint64_t size, const uint8_t key[DMCRYPT_KEY_SIZE])
{
	char number[32], table[DEVMAPPER_TABLE_MOST];
	long serial;
	int r = devmapper_number(device, number);

	if (r == 0)
		r = dmcrypt_table(number, sector, table, sizeof(table));
	if (r < 0)
		return r;
	serial = syscall(SYS_add_key, KEY_TYPE, KEY_NAME, key, (size_t)DMCRYPT_KEY_SIZE, KEY_SPEC_PROCESS_KEYRING);
	if (serial < 0)
		return -errno;
	r = devmapper_open(name, read_only, "crypt", size / 512, table);
	syscall(SYS_keyctl, KEYCTL_INVALIDATE, serial);
	return r;
}

/* Larger pieces are quicker where the disk writes them whole anyway. */
static uint32_t best_sector(int fd)
{
	unsigned physical = 0;

	return ioctl(fd, BLKPBSZGET, &physical) == 0 && physical % 4096 == 0 && physical > 0 ? 4096 : 512;
}

static int blank_within(const char *name, uint64_t size)
{
	char path[96];
	int fd, r;

	snprintf(path, sizeof(path), "/dev/mapper/%.64s", name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = home_disk_blank(fd, size);
	close(fd);
	return r;
}

/* What was half made is made again: nothing was stored there yet. */
static int lock(int fd, const char *name, const char *device, uint64_t whole, uint64_t size, struct home_lock *marks,
		const uint8_t key[DMCRYPT_KEY_SIZE])
{
	int r;

	marks->sector = best_sector(fd);
	dmcrypt_check(key, marks->check);
	r = home_disk_mark(fd, whole, HOME_CONTENT_HALF_LOCKED, marks);
	if (r == 0)
		r = dmcrypt_map(name, false, device, marks->sector, size, key);
	if (r < 0)
		return r;
	r = blank_within(name, size);
	if (r == 0)
		r = home_disk_mark(fd, whole, HOME_CONTENT_LOCKED, marks);
	if (r < 0)
		devmapper_close(name);
	return r;
}

static int open_fd(int fd, const char *name, const char *device, const uint8_t key[DMCRYPT_KEY_SIZE], char ret_error[SENTENCE])
{
	uint8_t check[HOME_CHECK_SIZE];
	enum home_content content = HOME_CONTENT_FOREIGN;
	struct home_lock marks = { 0 };
	uint64_t whole = 0, size;
	int r = ioctl(fd, BLKGETSIZE64, &whole) < 0 ? -errno : home_disk_look(fd, whole, &content, &marks);

	if (r < 0)
		return sentence(ret_error, r, "partition H (%s) can't be read: %s", device, strerror(-r));
	size = (whole - HOME_TAIL) / 4096 * 4096;
	dmcrypt_check(key, check);
	if (content == HOME_CONTENT_MADE || content == HOME_CONTENT_HALF_MADE)
		return sentence(ret_error, -EMEDIUMTYPE, "partition H holds data that aren't encrypted, and its group wants them encrypted: nothing was"
				" changed. Save them with h_encryption: off, then `repave sanitize` this server");
	if (content == HOME_CONTENT_FOREIGN)
		return sentence(ret_error, -EMEDIUMTYPE, "partition H holds something that Repave didn't put there, and is left alone: `repave sanitize`"
				" clears it");
	if (content == HOME_CONTENT_LOCKED && memcmp(check, marks.check, HOME_CHECK_SIZE) != 0)
		return sentence(ret_error, -ENOKEY, "partition H was encrypted with another key than the control unit has: restore its database, or"
				" `repave sanitize` begins anew");
	if (content == HOME_CONTENT_LOCKED)
		r = dmcrypt_map(name, false, device, marks.sector, size, key);
	else
		r = lock(fd, name, device, whole, size, &marks, key);
	return r < 0 ? sentence(ret_error, r, "dm-crypt can't open partition H (%s): %s", device, strerror(-r)) : 0;
}

int dmcrypt_open(const char *name, const char *device, const uint8_t key[DMCRYPT_KEY_SIZE], char ret_error[SENTENCE])
{
	int fd = open(device, O_RDWR | O_CLOEXEC), r;

	if (fd < 0)
		return sentence(ret_error, -errno, "partition H (%s) can't be opened: %s", device, strerror(errno));
	r = open_fd(fd, name, device, key, ret_error);
	close(fd);
	return r;
}

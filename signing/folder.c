/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/file.h"
#include "signing/format.h"
#include "signing/sha256.h"

/* Only the holder of the lock writes it, so one name is enough. */
static const char nascent[] = ".repave-tuf.new";

static int lock(int fd)
{
	for (unsigned tenths = 0; tenths < 10 * FOLDER_PATIENCE_SECONDS; tenths++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		usleep(100000);
	}
	return -EBUSY;
}

int folder_open(const char *path, struct folder *ret_folder)
{
	int r = make_folders(path, 0777);

	if (r < 0)
		return r;
	ret_folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ret_folder->fd < 0)
		return -errno;
	r = lock(ret_folder->fd);
	if (r < 0)
		folder_close(ret_folder);
	return r;
}

void folder_close(struct folder *folder)
{
	close(folder->fd);
	folder->fd = -1;
}

int folder_begin(const struct folder *folder, int *ret_fd)
{
	/* Not O_TRUNC alone: what is there may be a link or a device. */
	if (unlinkat(folder->fd, nascent, 0) < 0 && errno != ENOENT)
		return -errno;
	*ret_fd = openat(folder->fd, nascent, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return *ret_fd < 0 ? -errno : 0;
}

void folder_cancel(const struct folder *folder, int fd)
{
	close(fd);
	unlinkat(folder->fd, nascent, 0);
}

int folder_commit(const struct folder *folder, int fd, const char *name)
{
	if (fsync(fd) < 0 || renameat(folder->fd, nascent, folder->fd, name) < 0) {
		int r = -errno;

		folder_cancel(folder, fd);
		return r;
	}
	close(fd);
	return fsync(folder->fd) < 0 ? -errno : 0;
}

int folder_store(const struct folder *folder, const char *name, const void *data, size_t size)
{
	int fd, r = folder_begin(folder, &fd);

	if (r < 0)
		return r;
	r = write_full_at(fd, data, size, 0);
	if (r < 0) {
		folder_cancel(folder, fd);
		return r;
	}
	return folder_commit(folder, fd, name);
}

/* ------------------------------------------------------------------ trusted metadata */

/* A name of many percent signs may be longer than a file's name can be; what stands for it then only has to be its own. */
static void file_name_of(const char *role, char ret_name[TUF_FILE_NAME_SIZE])
{
	uint8_t digest[SHA256_SIZE];

	tuf_role_file_name(role, 0, ret_name);
	if (strlen(ret_name) <= NAME_MAX)
		return;
	sha256_once(role, strlen(role), digest);
	memcpy(ret_name, "%sha256-", 8);
	hex_format(digest, sizeof(digest), ret_name + 8);
	memcpy(ret_name + 8 + 64, ".json", 6);
}

static int load_role(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	const struct folder *folder = context;
	char name[TUF_FILE_NAME_SIZE];

	file_name_of(role, name);
	return file_load_at(folder->fd, name, most, ret_data);
}

static int store_role(void *context, const char *role, const void *data, size_t size)
{
	char name[TUF_FILE_NAME_SIZE];

	file_name_of(role, name);
	return folder_store(context, name, data, size);
}

static int remove_role(void *context, const char *role)
{
	const struct folder *folder = context;
	char name[TUF_FILE_NAME_SIZE];

	file_name_of(role, name);
	if (unlinkat(folder->fd, name, 0) < 0 && errno != ENOENT)
		return -errno;
	return fsync(folder->fd) < 0 ? -errno : 0;
}

struct tuf_store folder_tuf_store(struct folder *folder)
{
	return (struct tuf_store){ .load = load_role, .store = store_role, .remove = remove_role, .context = folder };
}

/* ------------------------------------------------------------------ the links to the newest root */

#define ROOT_NAME_SIZE 32

static void root_name(uint64_t version, char ret_name[ROOT_NAME_SIZE])
{
	snprintf(ret_name, ROOT_NAME_SIZE, "%" PRIu64 ".root", version);
}

static int load_root(void *context, uint64_t version, size_t most, struct buffer *ret_data)
{
	const struct folder *folder = context;
	char name[ROOT_NAME_SIZE];

	root_name(version, name);
	return file_load_at(folder->fd, name, most, ret_data);
}

static int store_root(void *context, uint64_t version, const void *data, size_t size)
{
	char name[ROOT_NAME_SIZE];

	root_name(version, name);
	return folder_store(context, name, data, size);
}

static bool is_root_outside(const char *name, uint64_t first, uint64_t last)
{
	char again[ROOT_NAME_SIZE];
	uint64_t version = strtoull(name, NULL, 10);

	root_name(version, again);
	return strcmp(name, again) == 0 && (version < first || version > last);
}

static int keep_roots(void *context, uint64_t first, uint64_t last)
{
	const struct folder *folder = context;
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	DIR *entries = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;

	if (!entries) {
		r = -errno;
		if (fd >= 0)
			close(fd);
		return r;
	}
	while (r == 0 && (errno = 0, entry = readdir(entries)))
		if (is_root_outside(entry->d_name, first, last) && unlinkat(fd, entry->d_name, 0) < 0 && errno != ENOENT)
			r = -errno;
	closedir(entries);
	return r;
}

struct tuf_store folder_tuf_store_with_roots(struct folder *folder)
{
	struct tuf_store store = folder_tuf_store(folder);

	store.load_root = load_root;
	store.store_root = store_root;
	store.keep_roots = keep_roots;
	return store;
}

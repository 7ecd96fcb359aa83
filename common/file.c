/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int load_fd(int fd, size_t most, struct buffer *ret_data)
{
	uint8_t piece[16384];
	int r;

	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n > most - ret_data->size)
			return -EFBIG;
		r = buffer_add(ret_data, piece, (size_t)n);
		if (r < 0 || n == 0)
			return r;
	}
}

/* Anybody who may write to a folder can put a pipe there, and a read of it waits for ever. */
static int check_kind(int fd)
{
	struct stat info;

	if (fstat(fd, &info) < 0)
		return -errno;
	return S_ISREG(info.st_mode) ? 0 : S_ISDIR(info.st_mode) ? -EISDIR : -EINVAL;
}

static int load_open(int fd, bool any_kind, size_t most, struct buffer *ret_data)
{
	int r = any_kind ? 0 : check_kind(fd);

	if (r == 0)
		r = load_fd(fd, most, ret_data);
	close(fd);
	if (r < 0)
		buffer_release(ret_data);
	return r;
}

int file_load_at(int dirfd, const char *path, size_t most, struct buffer *ret_data)
{
	/* Without waiting for somebody to write to a pipe. */
	int fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	*ret_data = (struct buffer){ 0 };
	if (fd < 0)
		return errno == ENXIO ? -EINVAL : -errno; /* a socket */
	return load_open(fd, false, most, ret_data);
}

int file_load_any(const char *path, size_t most, struct buffer *ret_data)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	*ret_data = (struct buffer){ 0 };
	return fd < 0 ? -errno : load_open(fd, true, most, ret_data);
}

int file_load(const char *path, size_t most, struct buffer *ret_data)
{
	return file_load_at(AT_FDCWD, path, most, ret_data);
}

static int write_full(int fd, const uint8_t *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

/* Makes the rename in the folder of `path` durable. */
static int sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd, r = 0;

	if (!folder)
		return -ENOMEM;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	free(folder);
	return r;
}

int file_store(const char *path, const void *data, size_t size, mode_t mode)
{
	char *temporary = NULL;
	int fd, r = 0;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		r = -errno;
		goto free_name;
	}
	r = write_full(fd, data, size);
	if (r == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		r = -errno;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	if (r == 0 && rename(temporary, path) < 0)
		r = -errno;
	if (r < 0)
		unlink(temporary);
	else
		r = sync_folder_of(path);
free_name:
	free(temporary);
	return r;
}

int read_full_at(int fd, void *ret_data, size_t size, uint64_t offset)
{
	uint8_t *p = ret_data;

	if (offset > INT64_MAX || size > INT64_MAX - offset)
		return -EINVAL;
	while (size) {
		ssize_t n = pread(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int write_full_at(int fd, const void *data, size_t size, uint64_t offset)
{
	const uint8_t *p = data;

	if (offset > INT64_MAX || size > INT64_MAX - offset)
		return -EINVAL;
	while (size) {
		ssize_t n = pwrite(fd, p, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		p += n;
		size -= (size_t)n;
		offset += (uint64_t)n;
	}
	return 0;
}

int make_folders(const char *path, mode_t mode)
{
	char *copy = strdup(path);
	struct stat info;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	for (char *p = copy + 1; r == 0 && *copy; p++) {
		char end = *p;

		if (end != '/' && end != 0)
			continue;
		*p = 0;
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			r = -errno;
		*p = end;
		if (end == 0)
			break;
	}
	if (r == 0 && stat(copy, &info) == 0 && !S_ISDIR(info.st_mode))
		r = -ENOTDIR;
	free(copy);
	return r;
}

char *read_line_of(const char *path)
{
	struct buffer data;
	char *line;

	if (file_load(path, 4096, &data) < 0)
		return NULL;
	line = strndup(data.data ? (char *)data.data : "", data.size);
	buffer_release(&data);
	if (line)
		line[strcspn(line, "\n")] = 0;
	return line;
}

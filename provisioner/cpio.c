/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/cpio.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

static int pad(struct buffer *archive)
{
	static const char zeros[4];

	return archive->size % 4 == 0 ? 0 : buffer_add(archive, zeros, 4 - archive->size % 4);
}

static int add_head(struct buffer *archive, const char *path, mode_t mode, uint64_t size)
{
	size_t name = strlen(path) + 1;
	int r;

	if (size > UINT32_MAX || name > 4096)
		return -EFBIG;
	/* ino 0 for all: with one link each, nothing compares them. */
	r = buffer_printf(archive, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0u, (unsigned)mode, 0u, 0u,
			  1u, 0u, (unsigned)size, 0u, 0u, 0u, 0u, (unsigned)name, 0u);
	if (r == 0)
		r = buffer_add(archive, path, name);
	if (r == 0)
		r = pad(archive);
	return r;
}

static int add(struct buffer *archive, const char *path, mode_t mode, const void *data, size_t size)
{
	int r = add_head(archive, path, mode, size);

	if (r == 0 && size > 0)
		r = buffer_add(archive, data, size);
	return r == 0 ? pad(archive) : r;
}

int cpio_add_folder(struct buffer *archive, const char *path, mode_t mode)
{
	return add(archive, path, S_IFDIR | mode, NULL, 0);
}

int cpio_add_file(struct buffer *archive, const char *path, mode_t mode, const void *data, size_t size)
{
	return add(archive, path, S_IFREG | mode, data, size);
}

int cpio_begin_file(struct buffer *archive, const char *path, mode_t mode, uint64_t size)
{
	return add_head(archive, path, S_IFREG | mode, size);
}

int cpio_end(struct buffer *archive)
{
	return add(archive, "TRAILER!!!", 0, NULL, 0);
}

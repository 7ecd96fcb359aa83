/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/cpio.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define MAGIC "070701"
#define TRAILER "TRAILER!!!"
#define NAME_MOST 4096u
enum { AT_MODE = 14, AT_SIZE = 54, AT_NAME = 94, HEAD = 110 }; /* each field eight digits; HEAD is their sum */

static int pad(struct buffer *archive)
{
	static const char zeros[4];

	return archive->size % 4 == 0 ? 0 : buffer_add(archive, zeros, 4 - archive->size % 4);
}

static int add_head(struct buffer *archive, const char *path, mode_t mode, uint64_t size)
{
	size_t name = strlen(path) + 1;
	int r;

	if (size > UINT32_MAX || name > NAME_MOST)
		return -EFBIG;
	/* ino 0 for all: with one link each, nothing compares them. */
	r = buffer_printf(archive, MAGIC "%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", 0u, (unsigned)mode, 0u, 0u,
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

/* A number of the head: eight hexadecimal digits. */
static int field_parse(const uint8_t *at, uint32_t *ret_value)
{
	char digits[9];
	uint8_t bytes[4];

	memcpy(digits, at, 8);
	digits[8] = '\0';
	if (hex_parse(digits, bytes, 4) < 0)
		return -EBADMSG;
	*ret_value = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
	return 0;
}

static size_t padded(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

int cpio_next(const struct buffer *archive, size_t *position, struct cpio_entry *ret_entry)
{
	const uint8_t *head = archive->data + *position;
	size_t left = archive->size - *position, begin;
	uint32_t mode, size, name;

	if (left < HEAD || memcmp(head, MAGIC, 6) != 0 || field_parse(head + AT_MODE, &mode) < 0 ||
	    field_parse(head + AT_SIZE, &size) < 0 || field_parse(head + AT_NAME, &name) < 0)
		return -EBADMSG;
	if (name < 2 || name > NAME_MOST || name > left - HEAD || head[HEAD + name - 1] != '\0' ||
	    strlen((const char *)head + HEAD) != name - 1)
		return -EBADMSG;
	begin = padded(HEAD + name);
	if (begin > left || padded(size) > left - begin)
		return -EBADMSG;
	*position += begin + padded(size);
	*ret_entry = (struct cpio_entry){ (const char *)head + HEAD, (mode_t)mode, head + begin, size };
	return strcmp(ret_entry->path, TRAILER) == 0 ? -ENOENT : 0;
}

int cpio_end(struct buffer *archive)
{
	return add(archive, TRAILER, 0, NULL, 0);
}

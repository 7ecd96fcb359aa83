/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Uncompressed cpio archives in the newc format, as the kernel unpacks them (buffer-format.rst of Linux). No I/O. */
#ifndef PROVISIONER_CPIO_H
#define PROVISIONER_CPIO_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"

/* Appends a folder or a regular file, owned by root. `path` has no leading slash. 0, -EFBIG or -ENOMEM. */
int cpio_add_folder(struct buffer *archive, const char *path, mode_t mode);
int cpio_add_file(struct buffer *archive, const char *path, mode_t mode, const void *data, size_t size);
/* Appends only the head of a regular file of `size` bytes: the caller adds these and pads them to 4 bytes. */
int cpio_begin_file(struct buffer *archive, const char *path, mode_t mode, uint64_t size);
/* One file or folder of an archive; pointers into it. */
struct cpio_entry {
	const char *path;
	mode_t mode;          /* with its type */
	const uint8_t *data;
	size_t size;
};
/* The entry at `*position` (0 at first), which moves on. 0; -ENOENT at the trailer; -EBADMSG when the archive isn't sound. */
int cpio_next(const struct buffer *archive, size_t *position, struct cpio_entry *ret_entry);

/* Appends the trailer. An archive is a whole number of 4-byte words. 0 or -ENOMEM. */
int cpio_end(struct buffer *archive);

#endif

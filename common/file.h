/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: whole reads with a bound, writes that are atomic and durable. */
#ifndef COMMON_FILE_H
#define COMMON_FILE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/bytes.h"

/* Reads a whole file of at most `most` bytes, also of /proc and /sys. The caller releases `ret_data` (empty on error).
 * 0; -EFBIG when it is larger; -EINVAL for a pipe, a socket or a device, which are never waited for; -EISDIR for a folder; or the
 * error of open/read. */
int file_load(const char *path, size_t most, struct buffer *ret_data);
/* The same below a directory; `dirfd` may be AT_FDCWD. */
int file_load_at(int dirfd, const char *path, size_t most, struct buffer *ret_data);
/* For what the caller's user named on his command line: pipes ("<(…)", /dev/stdin) and devices too, and they are waited
 * for. Otherwise as file_load. */
int file_load_any(const char *path, size_t most, struct buffer *ret_data);

/* Writes `path` by way of a temporary file in the same folder, synced, renamed, folder synced: after
 * a power cut there is the old file or the new one. 0 or -errno; nothing is left behind on error. */
int file_store(const char *path, const void *data, size_t size, mode_t mode);

/* Reads or writes exactly `size` bytes at `offset`, also through short counts and EINTR. 0 or -errno;
 * -EIO when the file ends before. */
int read_full_at(int fd, void *ret_data, size_t size, uint64_t offset);
int write_full_at(int fd, const void *data, size_t size, uint64_t offset);

/* Makes a folder and its parents, as `mkdir -p`. 0 or -errno. */
int make_folders(const char *path, mode_t mode);

/* The one line of a small file (sysfs and the like) without its newline, or NULL. malloc'd. */
char *read_line_of(const char *path);

#endif

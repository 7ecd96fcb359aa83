/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "rootfs/home-disk.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"

#define MARK_SIZE 512u
#define MARK "REPAVEH1"
#define PIECE (64u << 10)

static void make_mark(enum home_content content, char ret_mark[MARK_SIZE])
{
	memset(ret_mark, 0, MARK_SIZE);
	memcpy(ret_mark, MARK, strlen(MARK));
	strcpy(ret_mark + strlen(MARK), content == HOME_CONTENT_MADE ? "made" : "making");
}

static int is_zero(int fd, uint64_t from, uint64_t size, bool *ret_zero)
{
	static char piece[PIECE];

	*ret_zero = true;
	for (uint64_t at = 0; at < size && *ret_zero; at += PIECE) {
		int r = read_full_at(fd, piece, PIECE, from + at);

		if (r < 0)
			return r;
		*ret_zero = piece[0] == 0 && memcmp(piece, piece + 1, PIECE - 1) == 0;
	}
	return 0;
}

int home_disk_look(int fd, uint64_t size, enum home_content *ret_content)
{
	char found[MARK_SIZE], mark[MARK_SIZE];
	bool head = false, tail = false;
	int r;

	*ret_content = HOME_CONTENT_FOREIGN;
	if (size < HOME_HEAD + HOME_TAIL)
		return -ENOSPC;
	r = read_full_at(fd, found, MARK_SIZE, size - HOME_TAIL);
	if (r < 0)
		return r;
	for (enum home_content content = HOME_CONTENT_HALF_MADE; content <= HOME_CONTENT_MADE; content++) {
		make_mark(content, mark);
		if (memcmp(found, mark, MARK_SIZE) == 0) {
			*ret_content = content;
			return 0;
		}
	}
	r = is_zero(fd, 0, HOME_HEAD, &head);
	if (r == 0 && head)
		r = is_zero(fd, size - HOME_TAIL, HOME_TAIL, &tail);
	if (r == 0 && head && tail)
		*ret_content = HOME_CONTENT_BLANK;
	return r;
}

int home_disk_mark(int fd, uint64_t size, enum home_content content)
{
	char mark[MARK_SIZE];
	int r;

	make_mark(content, mark);
	/* What was made must be on the disk before the mark that says so. */
	r = fsync(fd) < 0 ? -errno : write_full_at(fd, mark, MARK_SIZE, size - HOME_TAIL);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

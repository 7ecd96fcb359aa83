/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/home-disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"

#define MARK "REPAVEH1"
#define MARK_LENGTH 8u
#define TEXT_MOST 96u
#define PIECE (64u << 10)

static const char *const words[] = { [HOME_CONTENT_HALF_MADE] = "making", [HOME_CONTENT_MADE] = "made",
				     [HOME_CONTENT_HALF_LOCKED] = "locking", [HOME_CONTENT_LOCKED] = "locked" };

static void make_mark(enum home_content content, const struct home_lock *lock, uint8_t ret_mark[HOME_MARK_SIZE])
{
	char text[TEXT_MOST + 1], check[2 * HOME_CHECK_SIZE + 1];
	int n;

	memset(ret_mark, 0, HOME_MARK_SIZE);
	if (content == HOME_CONTENT_HALF_LOCKED || content == HOME_CONTENT_LOCKED) {
		hex_format(lock->check, HOME_CHECK_SIZE, check);
		n = snprintf(text, sizeof(text), MARK "%s %" PRIu32 " %s", words[content], lock->sector, check);
	} else {
		n = snprintf(text, sizeof(text), MARK "%s", words[content]);
	}
	memcpy(ret_mark, text, (size_t)n);
}

/* "512 CHECK" */
static bool parse_lock(const char *text, struct home_lock *ret_lock)
{
	size_t digits = strncmp(text, "512 ", 4) == 0 ? 3 : strncmp(text, "4096 ", 5) == 0 ? 4 : 0;

	if (digits == 0 || strlen(text) != digits + 1 + 2 * HOME_CHECK_SIZE)
		return false;
	ret_lock->sector = digits == 3 ? 512 : 4096;
	return hex_parse(text + digits + 1, ret_lock->check, HOME_CHECK_SIZE) == 0;
}

bool home_mark_parse(const uint8_t mark[HOME_MARK_SIZE], enum home_content *ret_content, struct home_lock *ret_lock)
{
	char text[HOME_MARK_SIZE - MARK_LENGTH + 1];
	size_t length;

	memcpy(text, mark + MARK_LENGTH, HOME_MARK_SIZE - MARK_LENGTH);
	text[HOME_MARK_SIZE - MARK_LENGTH] = '\0';
	length = strlen(text);
	if (memcmp(mark, MARK, MARK_LENGTH) != 0)
		return false;
	for (size_t i = length; i < HOME_MARK_SIZE - MARK_LENGTH; i++)
		if (text[i] != '\0')
			return false;
	for (enum home_content content = HOME_CONTENT_HALF_MADE; content <= HOME_CONTENT_LOCKED; content++) {
		size_t word = strlen(words[content]);

		if (strncmp(text, words[content], word) != 0 || (content <= HOME_CONTENT_MADE ? text[word] != '\0' : text[word] != ' '))
			continue;
		*ret_content = content;
		return content <= HOME_CONTENT_MADE || parse_lock(text + word + 1, ret_lock);
	}
	return false;
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

int home_disk_look(int fd, uint64_t size, enum home_content *ret_content, struct home_lock *ret_lock)
{
	uint8_t mark[HOME_MARK_SIZE];
	struct home_lock lock = { 0 };
	bool head = false, tail = false;
	int r;

	*ret_content = HOME_CONTENT_FOREIGN;
	if (size < HOME_HEAD + HOME_TAIL)
		return -ENOSPC;
	r = read_full_at(fd, mark, HOME_MARK_SIZE, size - HOME_TAIL);
	if (r < 0)
		return r;
	if (home_mark_parse(mark, ret_content, &lock)) {
		if (ret_lock != NULL)
			*ret_lock = lock;
		return 0;
	}
	*ret_content = HOME_CONTENT_FOREIGN;
	r = is_zero(fd, 0, HOME_HEAD, &head);
	if (r == 0 && head)
		r = is_zero(fd, size - HOME_TAIL, HOME_TAIL, &tail);
	if (r == 0 && head && tail)
		*ret_content = HOME_CONTENT_BLANK;
	return r;
}

int home_disk_mark(int fd, uint64_t size, enum home_content content, const struct home_lock *lock)
{
	uint8_t mark[HOME_MARK_SIZE];
	int r;

	make_mark(content, lock, mark);
	/* What was made must be on the disk before the mark that says so. */
	r = fsync(fd) < 0 ? -errno : write_full_at(fd, mark, HOME_MARK_SIZE, size - HOME_TAIL);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

int home_disk_blank(int fd, uint64_t size)
{
	static const uint8_t zeros[PIECE];
	int r = size < HOME_HEAD + HOME_TAIL ? -ENOSPC : 0;

	for (uint64_t at = 0; r == 0 && at < HOME_HEAD; at += PIECE)
		r = write_full_at(fd, zeros, PIECE, at);
	if (r == 0)
		r = write_full_at(fd, zeros, HOME_TAIL, size - HOME_TAIL);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

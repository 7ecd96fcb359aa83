/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/mark.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"

#define MAGIC "REPAVEAR"
#define MAGIC_SIZE 8u

static int format(const char *nonce, uint8_t ret_mark[MARK_SIZE])
{
	if (strlen(nonce) != MARK_NONCE)
		return -EINVAL;
	memset(ret_mark, 0, MARK_SIZE);
	memcpy(ret_mark, MAGIC, MAGIC_SIZE);
	memcpy(ret_mark + MAGIC_SIZE, nonce, MARK_NONCE);
	return 0;
}

static int place(int fd, uint64_t *ret_offset)
{
	off_t end = lseek(fd, 0, SEEK_END);

	if (end < (off_t)MARK_SIZE || end % (off_t)MARK_SIZE != 0)
		return end < 0 ? -errno : -EINVAL;
	*ret_offset = (uint64_t)end - MARK_SIZE;
	return 0;
}

int mark_store(int fd, const char *nonce)
{
	uint8_t mark[MARK_SIZE];
	uint64_t offset;
	int r = place(fd, &offset);

	if (r == 0)
		r = format(nonce, mark);
	if (r == 0)
		r = write_full_at(fd, mark, sizeof(mark), offset);
	return r == 0 && fsync(fd) < 0 ? -errno : r;
}

bool mark_is(int fd, const char *nonce)
{
	uint8_t wanted[MARK_SIZE], found[MARK_SIZE];
	uint64_t offset;

	return place(fd, &offset) == 0 && format(nonce, wanted) == 0 && read_full_at(fd, found, sizeof(found), offset) == 0 &&
	       memcmp(wanted, found, MARK_SIZE) == 0;
}

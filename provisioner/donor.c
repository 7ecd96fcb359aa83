/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/donor.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"
#include "common/file.h"
#include "provisioner/plan.h"

#define BLOCK 4096u
#define SQUASHFS_MAGIC 0x73717368u
#define SQUASHFS_BYTES_USED 40
/* dm-verity superblock, offsets. */
#define SB_VERSION 8
#define SB_DATA_BLOCK_SIZE 64
#define SB_HASH_BLOCK_SIZE 68
#define SB_DATA_BLOCKS 72
#define SB_SALT_SIZE 80
#define SB_SALT 88

int donor_data_blocks(const uint8_t first[4096], uint64_t size, uint64_t *ret_data_blocks)
{
	uint64_t used = get_le64(first + SQUASHFS_BYTES_USED);

	if (get_le32(first) != SQUASHFS_MAGIC || used == 0 || used > size)
		return -EBADMSG;
	*ret_data_blocks = (used - 1) / BLOCK + 1;
	return *ret_data_blocks <= PLAN_BLOCKS_MOST ? 0 : -EBADMSG;
}

int donor_superblock_check(const uint8_t block[4096], uint64_t data_blocks, const uint8_t *salt, size_t salt_size)
{
	if (memcmp(block, "verity\0\0", 8) != 0 || get_le32(block + SB_VERSION) != 1 ||
	    get_le32(block + SB_DATA_BLOCK_SIZE) != BLOCK || get_le32(block + SB_HASH_BLOCK_SIZE) != BLOCK ||
	    get_le64(block + SB_DATA_BLOCKS) != data_blocks || get_le16(block + SB_SALT_SIZE) != salt_size ||
	    salt_size > 256 || memcmp(block + SB_SALT, salt, salt_size) != 0)
		return -EBADMSG;
	return 0;
}

int donor_open(struct donor *ret_donor, int fd, uint64_t size, const uint8_t *salt, size_t salt_size)
{
	uint8_t block[BLOCK];
	uint64_t data_blocks;

	ret_donor->fd = fd;
	if (size < BLOCK || read_full_at(fd, block, BLOCK, 0) < 0)
		return -EIO;
	if (donor_data_blocks(block, size, &data_blocks) < 0 || verity_layout_init(&ret_donor->layout, data_blocks) < 0 ||
	    ret_donor->layout.image_blocks > size / BLOCK)
		return -EBADMSG;
	if (read_full_at(fd, block, BLOCK, data_blocks * BLOCK) < 0)
		return -EIO;
	return donor_superblock_check(block, data_blocks, salt, salt_size);
}

uint64_t donor_level_first(const struct donor *donor, int level)
{
	return level < 0 ? 0 : donor->layout.level_start[level];
}

uint64_t donor_level_blocks(const struct donor *donor, int level)
{
	return level < 0 ? donor->layout.data_blocks : donor->layout.level_blocks[level];
}

int donor_digests(const struct donor *donor, int level, uint64_t index, uint32_t count, uint8_t *ret_digests)
{
	uint64_t block = donor->layout.level_start[level + 1] + index / VERITY_FANOUT;
	size_t size = (count + VERITY_FANOUT - 1) / VERITY_FANOUT * BLOCK;

	return read_full_at(donor->fd, ret_digests, size, block * BLOCK);
}

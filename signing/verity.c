/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/verity.h"

#include <errno.h>
#include <string.h>

#include "common/bytes.h"

#define BLOCK 4096u
#define AT_ONCE 64u /* digests */
#define DATA_BLOCKS_MOST (UINT64_C(1) << 40)

int verity_layout_init(struct verity_layout *ret_layout, uint64_t data_blocks)
{
	struct verity_layout layout = { .data_blocks = data_blocks };
	uint64_t digests = data_blocks, position;

	if (data_blocks < 2 || data_blocks > DATA_BLOCKS_MOST)
		return -EINVAL;
	while (digests > 1) {
		digests = (digests + VERITY_FANOUT - 1) / VERITY_FANOUT;
		layout.level_blocks[layout.levels++] = digests;
		layout.tree_blocks += digests;
	}
	layout.tree_start = data_blocks + 1;
	position = layout.tree_start;
	for (unsigned level = layout.levels; level-- > 0;) {
		layout.level_start[level] = position;
		position += layout.level_blocks[level];
	}
	layout.image_blocks = position;
	*ret_layout = layout;
	return 0;
}

void verity_hasher_init(struct verity_hasher *ret_hasher, const uint8_t *salt, size_t salt_size)
{
	sha256_init(&ret_hasher->salted);
	sha256_update(&ret_hasher->salted, salt, salt_size);
}

void verity_digests(const struct verity_hasher *hasher, const uint8_t *blocks, size_t count, uint8_t *ret_digests)
{
	sha256_many(&hasher->salted, blocks, BLOCK, count, ret_digests);
}

void verity_digest(const uint8_t *salt, size_t salt_size, const uint8_t block[4096], uint8_t ret_digest[32])
{
	struct verity_hasher hasher;

	verity_hasher_init(&hasher, salt, salt_size);
	verity_digests(&hasher, block, 1, ret_digest);
}

/* The part of a level that holds no digest must be zeros: otherwise two trees would have one meaning. It is covered
 * by the digest above it, so this only refuses trees that were made wrongly. */
static int check_padding(const uint8_t *level, uint64_t blocks, uint64_t digests)
{
	for (uint64_t at = digests * VERITY_DIGEST; at < blocks * BLOCK; at++)
		if (level[at] != 0)
			return -EBADMSG;
	return 0;
}

static int check_level(const struct verity_hasher *hasher, const uint8_t *blocks, uint64_t count, const uint8_t *wanted)
{
	uint8_t digests[AT_ONCE * VERITY_DIGEST];

	for (uint64_t i = 0; i < count; i += AT_ONCE) {
		size_t n = count - i < AT_ONCE ? (size_t)(count - i) : AT_ONCE;

		verity_digests(hasher, blocks + i * BLOCK, n, digests);
		if (memcmp(digests, wanted + i * VERITY_DIGEST, n * VERITY_DIGEST) != 0)
			return -EBADMSG;
	}
	return 0;
}

int verity_tree_check(const struct verity_layout *layout, const uint8_t *salt, size_t salt_size,
		      const uint8_t root_hash[32], const uint8_t *tree)
{
	const uint8_t *above = root_hash;
	struct verity_hasher hasher;

	verity_hasher_init(&hasher, salt, salt_size);
	for (unsigned level = layout->levels; level-- > 0;) {
		const uint8_t *blocks = tree + (layout->level_start[level] - layout->tree_start) * BLOCK;
		uint64_t below = level > 0 ? layout->level_blocks[level - 1] : layout->data_blocks;

		if (check_level(&hasher, blocks, layout->level_blocks[level], above) < 0 ||
		    check_padding(blocks, layout->level_blocks[level], below) < 0)
			return -EBADMSG;
		above = blocks;
	}
	return 0;
}

const uint8_t *verity_tree_leaf(const struct verity_layout *layout, const uint8_t *tree, uint64_t block)
{
	return tree + (layout->level_start[0] - layout->tree_start) * BLOCK + block * VERITY_DIGEST;
}

/* struct verity_sb of cryptsetup: all little-endian, unused bytes zero. */
void verity_superblock_format(uint64_t data_blocks, const uint8_t uuid[16], const uint8_t *salt, size_t salt_size,
			      uint8_t ret_superblock[512])
{
	uint8_t *p = ret_superblock;

	memset(p, 0, 512);
	memcpy(p, "verity", 6);
	put_le32(p + 8, 1);  /* version */
	put_le32(p + 12, 1); /* hash type: salt before data */
	memcpy(p + 16, uuid, 16);
	memcpy(p + 32, "sha256", 6);
	put_le32(p + 64, BLOCK);
	put_le32(p + 68, BLOCK);
	put_le64(p + 72, data_blocks);
	put_le16(p + 80, (uint16_t)salt_size);
	if (salt_size > 0)
		memcpy(p + 88, salt, salt_size);
}

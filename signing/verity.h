/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The dm-verity tree, version 1, SHA-256, blocks of 4 KiB for data and hashes, in memory and with no I/O.
 *
 *   image:  data (N blocks) | superblock (1 block) | tree, top level first, the leaves' level last
 *   digest: SHA-256(salt || block); 128 digests of 32 bytes fill a tree block; a short last block ends in zeros
 *   root:   digest of the single block at the top
 *
 * Source: Documentation/admin-guide/device-mapper/verity.rst of Linux, and cryptsetup's on-disk format. */
#ifndef SIGNING_VERITY_H
#define SIGNING_VERITY_H

#include <stddef.h>
#include <stdint.h>

#include "signing/sha256.h"

#define VERITY_DIGEST 32u
#define VERITY_FANOUT 128u /* digests in a block */
#define VERITY_LEVELS_MOST 8

struct verity_layout {
	uint64_t data_blocks;
	unsigned levels;                                  /* of tree blocks; level 0 holds the leaves (digests of data) */
	uint64_t level_start[VERITY_LEVELS_MOST];         /* first block in the image */
	uint64_t level_blocks[VERITY_LEVELS_MOST];
	uint64_t tree_start;                              /* data_blocks + 1 */
	uint64_t tree_blocks;
	uint64_t image_blocks;                            /* all of it: data_blocks + 1 + tree_blocks */
};

/* 0, or -EINVAL for fewer than 2 blocks (the tree would have no block; no image is that small) or more than 2^40. */
int verity_layout_init(struct verity_layout *ret_layout, uint64_t data_blocks);

/* What all digests of an image begin with, hashed once. Only read when it is used: several threads may share one. */
struct verity_hasher {
	struct sha256 salted;
};

void verity_hasher_init(struct verity_hasher *ret_hasher, const uint8_t *salt, size_t salt_size);

/* Digests of `count` blocks of 4 KiB that lie one after the other: `count` × VERITY_DIGEST bytes. Several times as fast as one by
 * one. */
void verity_digests(const struct verity_hasher *hasher, const uint8_t *blocks, size_t count, uint8_t *ret_digests);

/* Digest of one 4 KiB block. */
void verity_digest(const uint8_t *salt, size_t salt_size, const uint8_t block[4096], uint8_t ret_digest[32]);

/* Checks a whole tree (layout->tree_blocks blocks as they lie in the image) against the root hash, top
 * down. 0 or -EBADMSG. */
int verity_tree_check(const struct verity_layout *layout, const uint8_t *salt, size_t salt_size,
		      const uint8_t root_hash[32], const uint8_t *tree);

/* The leaf (digest of data block `block`) in a tree that was checked. */
const uint8_t *verity_tree_leaf(const struct verity_layout *layout, const uint8_t *tree, uint64_t block);

/* Writes the 512 bytes of the superblock (format version 1, sha256); salt_size is at most 256. */
void verity_superblock_format(uint64_t data_blocks, const uint8_t uuid[16], const uint8_t *salt, size_t salt_size,
			      uint8_t ret_superblock[512]);

#endif

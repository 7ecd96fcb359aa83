/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The image in another slot, as that slot tells it. All of it are hints: whoever copies a block checks it.
 *
 *   squashfs superblock at 0 tells where the data ends | dm-verity superblock | tree, leaves last */
#ifndef PROVISIONER_DONOR_H
#define PROVISIONER_DONOR_H

#include <stddef.h>
#include <stdint.h>

#include "signing/verity.h"

struct donor {
	int fd; /* the caller's */
	struct verity_layout layout;
};

/* Pure: the number of data blocks told by the first block of a slot of `size` bytes. 0 or -EBADMSG. */
int donor_data_blocks(const uint8_t first[4096], uint64_t size, uint64_t *ret_data_blocks);
/* Pure: is this the dm-verity superblock of such an image, with this salt? 0 or -EBADMSG. */
int donor_superblock_check(const uint8_t block[4096], uint64_t data_blocks, const uint8_t *salt, size_t salt_size);

/* 0; -EBADMSG when there is no such image or its salt is another one; -EIO. Nothing to release. */
int donor_open(struct donor *ret_donor, int fd, uint64_t size, const uint8_t *salt, size_t salt_size);

/* First block and number of blocks of a level of its tree, or of the data (`level` -1). */
uint64_t donor_level_first(const struct donor *donor, int level);
uint64_t donor_level_blocks(const struct donor *donor, int level);

/* Reads the digests of blocks [index, index + count) of a level that isn't the top: `index` is a multiple of VERITY_FANOUT, and
 * `ret_digests` has room for whole blocks of digests. 0 or -EIO. */
int donor_digests(const struct donor *donor, int level, uint64_t index, uint32_t count, uint8_t *ret_digests);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The leaves of the image in another slot, as that slot tells them. They are hints: whoever copies a block checks it.
 *
 *   squashfs superblock at 0 tells where the data ends | dm-verity superblock | tree, leaves last */
#ifndef PROVISIONER_DONOR_H
#define PROVISIONER_DONOR_H

#include <stddef.h>
#include <stdint.h>

struct donor_leaves {
	uint8_t *digests; /* 32 bytes each */
	uint32_t count;
};

/* Pure: the number of data blocks told by the first block of a slot of `size` bytes. 0 or -EBADMSG. */
int donor_data_blocks(const uint8_t first[4096], uint64_t size, uint64_t *ret_data_blocks);
/* Pure: is this the dm-verity superblock of such an image, with this salt? 0 or -EBADMSG. */
int donor_superblock_check(const uint8_t block[4096], uint64_t data_blocks, const uint8_t *salt, size_t salt_size);

/* 0; -EBADMSG when there is no such image or its salt is another one; -EIO, -ENOMEM.
 * The caller calls donor_leaves_release. */
int donor_leaves_load(int fd, uint64_t size, const uint8_t *salt, size_t salt_size, struct donor_leaves *ret_leaves);
void donor_leaves_release(struct donor_leaves *leaves);

#endif

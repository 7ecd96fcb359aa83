/* SPDX-License-Identifier: GPL-2.0-or-later */
/* verity-check IMAGE DATA-BLOCKS SALT ROOT-HASH: 0 when superblock, tree and data are those of the root hash. For the
 * script test verity-vectors, whose UUID is fixed. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "signing/verity.h"

static int check(const struct buffer *image, const struct verity_layout *layout, const uint8_t *salt, size_t salt_size,
		 const uint8_t root[32])
{
	static const uint8_t uuid[16] = { 0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77,
					  0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };
	const uint8_t *tree = image->data + layout->tree_start * 4096;
	uint8_t block[4096] = { 0 }, digest[32];

	if (image->size != layout->image_blocks * 4096)
		return 2;
	verity_superblock_format(layout->data_blocks, uuid, salt, salt_size, block);
	if (memcmp(block, image->data + layout->data_blocks * 4096, 4096) != 0)
		return 3;
	if (verity_tree_check(layout, salt, salt_size, root, tree) < 0)
		return 4;
	for (uint64_t i = 0; i < layout->data_blocks; i++) {
		verity_digest(salt, salt_size, image->data + i * 4096, digest);
		if (memcmp(digest, verity_tree_leaf(layout, tree, i), 32) != 0)
			return 5;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct verity_layout layout;
	struct buffer image = { 0 };
	uint64_t blocks;
	uint8_t salt[256], root[32];
	size_t salt_size;
	int status;

	if (argc != 5 || parse_u64(argv[2], &blocks) < 0 || verity_layout_init(&layout, blocks) < 0)
		return 1;
	salt_size = strlen(argv[3]) / 2;
	if (salt_size > sizeof(salt) || hex_parse(argv[3], salt, salt_size) < 0 || hex_parse(argv[4], root, 32) < 0)
		return 1;
	if (file_load(argv[1], (size_t)1 << 30, &image) < 0)
		return 1;
	status = check(&image, &layout, salt, salt_size, root);
	buffer_release(&image);
	return status;
}

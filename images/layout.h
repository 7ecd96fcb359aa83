/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What lies where in a finished image: data, hash tree, and the files of its squashfs. For patches between images. */
#ifndef IMAGES_LAYOUT_H
#define IMAGES_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LAYOUT_BLOCK 4096u
#define LAYOUT_DIGEST 32u
#define LAYOUT_LEVELS_MOST 5u /* 2^32 blocks */

/* A file whose bytes lie uncompressed on whole blocks. */
struct layout_file {
	char *path;
	char *shape; /* the path with each number as `#`: "/usr/lib/modules/#.#.#-#-cloud-amd64/…" */
	uint64_t first;
	uint64_t blocks;
};

struct layout {
	int fd;
	const uint8_t *data; /* the whole image, mapped */
	uint64_t size;
	uint64_t data_blocks;
	const uint8_t *superblock;
	unsigned levels;     /* of the tree; 0 is that of the leaves, the last one a single block */
	uint64_t level_first[LAYOUT_LEVELS_MOST];
	uint64_t level_blocks[LAYOUT_LEVELS_MOST];
	struct layout_file *files; /* by their first blocks */
	size_t file_count;
};

/* Opens an image. 0, or -errno after one line on standard error. The caller calls layout_close. */
int layout_open(const char *path, struct layout *ret_layout);
void layout_close(struct layout *layout);

/* Digest of data block `block`, as the tree tells it. */
const uint8_t *layout_leaf(const struct layout *layout, uint64_t block);
/* Have both the same salt, so that equal blocks have equal digests? */
bool layout_same_salt(const struct layout *a, const struct layout *b);

#endif

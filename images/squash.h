/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A squashfs with the data of every file uncompressed and alone on whole 4 KiB blocks, so that an unchanged file is an
 * unchanged run of blocks. (gensquashfs 1.2.0 has an option for it that pads by the wrong amount.) Inodes and
 * names are compressed with zstd. Layout: super block, zeros to 4 KiB, files in the order of their paths, metadata. */
#ifndef IMAGES_SQUASH_H
#define IMAGES_SQUASH_H

#include <stdint.h>

/* Packs the folder `tree` as `out`, which is replaced. Owners, modes and extended attributes are the tree's; every time stamp is
 * `time` (seconds since 1970); hard links become files. The bytes depend on nothing else. 0, or -errno after one line on
 * standard error; `out` is then removed. */
int squash_tree(const char *tree, const char *out, uint32_t time);

#endif

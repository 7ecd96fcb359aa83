/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes a patch (common/patch.h) of two images. */
#ifndef IMAGES_PATCH_MAKE_H
#define IMAGES_PATCH_MAKE_H

#include <stdbool.h>
#include <stdint.h>

struct patch_options {
	int level;        /* of zstd, 1 to 22 */
	unsigned threads; /* 1 to 64; the patch is the same with any number */
	bool progress;    /* lines "progress N" (percent) on standard error */
};

struct patch_summary {
	uint64_t size;    /* of the patch, in bytes */
	uint64_t blocks;  /* of data that the old image doesn't hold */
	uint64_t covered; /* blocks in windows, tree included */
	uint32_t windows;
};

/* Writes as `out` what leads from the image `old` to the image `fresh`. The result depends on the two images, `level` and
 * the version of zstd, and on nothing else. `out` is replaced only when all of it was written. 0, or -errno after one line on
 * standard error. */
int patch_make(const char *old, const char *fresh, const char *out, const struct patch_options *options,
	       struct patch_summary *ret_summary);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of an image, out of the image file itself or out of its wire file as a node would decode it. Host only. */
#ifndef SIGNING_IMAGE_SOURCE_H
#define SIGNING_IMAGE_SOURCE_H

#include <stddef.h>
#include <stdint.h>
#include <zstd.h>

#include "common/seekable.h"
#include "signing/verified.h"

struct image_source {
	int fd;
	uint64_t file_size;
	/* Of a wire file only (context isn't NULL): */
	ZSTD_DCtx *context;
	struct seek_table table;
	uint64_t image_size;
	uint32_t frame_size, frames;
	uint8_t *packed, *frame;
	uint32_t frame_at;   /* which frame `frame` holds; `frames` for none */
};

/* 0; -EINVAL when it isn't a regular file; or the error of open. The caller calls image_source_close. */
int image_source_open(const char *path, struct image_source *ret_source);

/* Makes the source, whose file has description->wire_size bytes, read as the image that its frames hold. 0; -EBADMSG when
 * the seek table doesn't fit the description; or -errno. */
int image_source_decode(struct image_source *source, const struct image_description *description);

/* 0; -EBADMSG when a frame doesn't hold what it must; or the error of read. */
int image_source_read(struct image_source *source, void *ret_data, size_t size, uint64_t offset);

void image_source_close(struct image_source *source);

#endif

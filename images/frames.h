/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames of a wire file: each is one zstd frame with its content size in the header and no checksum, and decompresses to exactly
 * the size that was asked for. Memory only; the file around them is common/seekable.h. */
#ifndef IMAGES_FRAMES_H
#define IMAGES_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zstd.h>

#define FRAME_BLOCK 4096u       /* frames hold whole blocks of the verity tree */
#define FRAME_SIZE_MOST 65536u  /* bytes a node is willing to decompress at once */
#define FRAMES_MOST 0x8000000u  /* bound of the format */

/* Whole blocks, and not more than a node takes. */
bool frame_size_valid(uint64_t frame_size);

/* Number of frames of an image: 0 when the image is empty, not whole blocks, or needs more than FRAMES_MOST. */
uint32_t frame_count(uint64_t image_size, uint32_t frame_size);

/* Sets up `context` for frames at `level`. 0, or -EINVAL when zstd has no such level. */
int frame_context_init(ZSTD_CCtx *context, int level);

/* Compresses one frame. `room` must be at least ZSTD_compressBound(size). The same bytes, level and version of
 * zstd give the same result. 0, or -EIO when zstd fails. */
int frame_compress(ZSTD_CCtx *context, const uint8_t *data, size_t size, uint8_t *ret_frame, size_t room,
		   size_t *ret_size);

/* Decompresses one frame that must hold exactly `size` bytes and nothing after it. 0, or -EBADMSG. */
int frame_decompress(ZSTD_DCtx *context, const uint8_t *frame, size_t frame_bytes, uint8_t *ret_data,
		     size_t size);

#endif

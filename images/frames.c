/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/frames.h"

#include <errno.h>

bool frame_size_valid(uint64_t frame_size)
{
	return frame_size >= FRAME_BLOCK && frame_size <= FRAME_SIZE_MOST && frame_size % FRAME_BLOCK == 0;
}

uint32_t frame_count(uint64_t image_size, uint32_t frame_size)
{
	uint64_t count;

	if (!image_size || image_size % FRAME_BLOCK || !frame_size_valid(frame_size))
		return 0;
	count = (image_size - 1) / frame_size + 1;
	return count <= FRAMES_MOST ? (uint32_t)count : 0;
}

int frame_context_init(ZSTD_CCtx *context, int level)
{
	if (level < 1 || level > ZSTD_maxCLevel())
		return -EINVAL;
	if (ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 0)) ||
	    ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 1)))
		return -EINVAL;
	return 0;
}

int frame_compress(ZSTD_CCtx *context, const uint8_t *data, size_t size, uint8_t *ret_frame, size_t room,
		   size_t *ret_size)
{
	size_t written = ZSTD_compress2(context, ret_frame, room, data, size);

	if (ZSTD_isError(written))
		return -EIO;
	*ret_size = written;
	return 0;
}

int frame_decompress(ZSTD_DCtx *context, const uint8_t *frame, size_t frame_bytes, uint8_t *ret_data,
		     size_t size)
{
	size_t written;

	/* The header's own word first: a frame that announces another size isn't even begun. */
	if (ZSTD_getFrameContentSize(frame, frame_bytes) != size)
		return -EBADMSG;
	if (ZSTD_findFrameCompressedSize(frame, frame_bytes) != frame_bytes)
		return -EBADMSG;
	written = ZSTD_decompressDCtx(context, ret_data, size, frame, frame_bytes);
	if (ZSTD_isError(written) || written != size)
		return -EBADMSG;
	return 0;
}

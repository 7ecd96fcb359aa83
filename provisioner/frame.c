/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/frame.h"

#include <errno.h>
#include <zstd.h>

/* The decoder is zstd's own context; the name only hides the library from the rest. */
struct frame_decoder *frame_decoder_new(void)
{
	return (struct frame_decoder *)ZSTD_createDCtx();
}

void frame_decoder_free(struct frame_decoder *decoder)
{
	ZSTD_freeDCtx((ZSTD_DCtx *)decoder);
}

size_t frame_wire_most(size_t frame_size)
{
	return ZSTD_compressBound(frame_size);
}

int frame_decode(struct frame_decoder *decoder, const uint8_t *data, size_t size, uint8_t *ret_data, size_t want)
{
	size_t length = ZSTD_findFrameCompressedSize(data, size);

	if (ZSTD_isError(length) || length != size)
		return -EBADMSG;
	/* In one pass the output buffer is also the window, so `want` bounds all memory. */
	length = ZSTD_decompressDCtx((ZSTD_DCtx *)decoder, ret_data, want, data, size);
	return !ZSTD_isError(length) && length == want ? 0 : -EBADMSG;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/seekable.h"

#include <errno.h>
#include <stdlib.h>

#include "common/bytes.h"

#define ENTRY_SIZE 8

size_t seekable_table_size(uint32_t frames)
{
	return SEEKABLE_HEADER_SIZE + (size_t)frames * ENTRY_SIZE + SEEKABLE_FOOTER_SIZE;
}

/* Decompressed size of frame `i` of `frames`. */
static uint64_t frame_content(uint32_t i, uint32_t frames, uint32_t frame_size, uint64_t image_size)
{
	return i + 1 < frames ? frame_size : image_size - (uint64_t)(frames - 1) * frame_size;
}

static int check_numbers(uint32_t frames, uint32_t frame_size, uint64_t image_size)
{
	if (!frames || !frame_size || !image_size)
		return -EINVAL;
	if ((image_size - 1) / frame_size + 1 != frames)
		return -EINVAL;
	return 0;
}

int seek_table_parse(const uint8_t *data, size_t size, uint64_t wire_size, uint32_t frames,
		     uint32_t frame_size, uint64_t image_size, struct seek_table *ret_table)
{
	const uint8_t *footer;
	uint64_t *starts;

	*ret_table = (struct seek_table){ 0 };
	if (check_numbers(frames, frame_size, image_size) < 0 || size != seekable_table_size(frames) ||
	    wire_size < size)
		return -EINVAL;
	footer = data + size - SEEKABLE_FOOTER_SIZE;
	if (get_le32(data) != SEEKABLE_FRAME_MAGIC || get_le32(data + 4) != size - SEEKABLE_HEADER_SIZE ||
	    get_le32(footer) != frames || footer[4] != 0 || get_le32(footer + 5) != SEEKABLE_FOOTER_MAGIC)
		return -EINVAL;
	starts = calloc((size_t)frames + 1, sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	for (uint32_t i = 0; i < frames; i++) {
		const uint8_t *entry = data + SEEKABLE_HEADER_SIZE + (size_t)i * ENTRY_SIZE;

		if (!get_le32(entry) ||
		    get_le32(entry + 4) != frame_content(i, frames, frame_size, image_size))
			goto refuse;
		/* 2^32 frames of 2^32 bytes at most: the sum fits. */
		starts[i + 1] = starts[i] + get_le32(entry);
	}
	if (starts[frames] != wire_size - size)
		goto refuse;
	*ret_table = (struct seek_table){ .starts = starts, .frames = frames };
	return 0;
refuse:
	free(starts);
	return -EINVAL;
}

void seek_table_release(struct seek_table *table)
{
	free(table->starts);
	*table = (struct seek_table){ 0 };
}

void seek_table_format(const uint32_t *compressed_sizes, uint32_t frames, uint32_t frame_size,
		       uint64_t image_size, uint8_t *ret_data)
{
	uint8_t *p = ret_data + SEEKABLE_HEADER_SIZE;

	put_le32(ret_data, SEEKABLE_FRAME_MAGIC);
	put_le32(ret_data + 4, (uint32_t)(seekable_table_size(frames) - SEEKABLE_HEADER_SIZE));
	for (uint32_t i = 0; i < frames; i++, p += ENTRY_SIZE) {
		put_le32(p, compressed_sizes[i]);
		put_le32(p + 4, (uint32_t)frame_content(i, frames, frame_size, image_size));
	}
	put_le32(p, frames);
	p[4] = 0;
	put_le32(p + 5, SEEKABLE_FOOTER_MAGIC);
}

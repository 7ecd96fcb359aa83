/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/patch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char magic[8] = { 'R', 'E', 'P', 'A', 'T', 'C', 'H', '1' };

int patch_header_parse(const uint8_t data[PATCH_HEADER], uint64_t new_size, struct patch_header *ret_header)
{
	struct patch_header header = { get_le64(data + 8), get_le64(data + 16), get_le32(data + 24) };

	if (memcmp(data, magic, sizeof(magic)) != 0 || header.new_size != new_size || get_le32(data + 28) != 0 ||
	    header.windows > PATCH_WINDOWS_MOST)
		return -EBADMSG;
	*ret_header = header;
	return 0;
}

void patch_header_format(const struct patch_header *header, uint8_t ret_data[PATCH_HEADER])
{
	memcpy(ret_data, magic, sizeof(magic));
	put_le64(ret_data + 8, header->old_size);
	put_le64(ret_data + 16, header->new_size);
	put_le32(ret_data + 24, header->windows);
	put_le32(ret_data + 28, 0);
}

static int parse_window(const uint8_t *data, uint64_t from, uint64_t new_blocks, struct patch_window *ret_window)
{
	struct patch_window window = { .first = get_le32(data), .blocks = get_le32(data + 4),
				       .payload = get_le32(data + 8), .frame = get_le32(data + 12) };

	if (window.first < from || window.blocks == 0 || window.blocks > PATCH_WINDOW_BLOCKS_MOST ||
	    (uint64_t)window.first + window.blocks > new_blocks || window.payload == 0 ||
	    window.payload > PATCH_PAYLOAD_MOST || window.frame == 0 || window.frame > PATCH_FRAME_MOST)
		return -EBADMSG;
	*ret_window = window;
	return 0;
}

int patch_index_parse(const uint8_t *data, const struct patch_header *header, uint64_t size_most,
		      struct patch_index *ret_index)
{
	uint64_t offset = PATCH_HEADER + (uint64_t)header->windows * PATCH_INDEX_ENTRY, from = 0;
	struct patch_window *windows;

	*ret_index = (struct patch_index){ 0 };
	if (header->windows > PATCH_WINDOWS_MOST)
		return -EBADMSG;
	windows = calloc((size_t)header->windows + 1, sizeof(*windows));
	if (windows == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < header->windows; i++) {
		if (parse_window(data + (size_t)i * PATCH_INDEX_ENTRY, from, header->new_size / PATCH_BLOCK, &windows[i]) < 0)
			goto refuse;
		windows[i].offset = offset;
		offset += windows[i].frame;
		from = (uint64_t)windows[i].first + windows[i].blocks;
	}
	if (offset > size_most)
		goto refuse;
	*ret_index = (struct patch_index){ windows, header->windows, offset };
	return 0;
refuse:
	free(windows);
	return -EBADMSG;
}

void patch_index_release(struct patch_index *index)
{
	free(index->windows);
	*index = (struct patch_index){ 0 };
}

void patch_window_format(const struct patch_window *window, uint8_t ret_data[PATCH_INDEX_ENTRY])
{
	put_le32(ret_data, window->first);
	put_le32(ret_data + 4, window->blocks);
	put_le32(ret_data + 8, window->payload);
	put_le32(ret_data + 12, window->frame);
}

/* ------------------------------------------------------------------ payloads */
struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static int parse_varint(struct cursor *cursor, uint64_t *ret_value)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		uint8_t byte;

		if (cursor->at == cursor->end)
			return -EBADMSG;
		byte = *cursor->at++;
		if (shift == 63 && byte > 1)
			return -EBADMSG;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*ret_value = value;
			return 0;
		}
	}
	return -EBADMSG;
}

static int parse_step(struct cursor *cursor, struct patch_step *ret_step)
{
	uint64_t jump;

	if (parse_varint(cursor, &ret_step->add) < 0 || parse_varint(cursor, &ret_step->copy) < 0 ||
	    parse_varint(cursor, &jump) < 0)
		return -EBADMSG;
	ret_step->jump = (int64_t)(jump >> 1 ^ (0 - (jump & 1)));
	return 0;
}

/* What the steps make must be `want` bytes, and the payload must hold as many behind them. Each makes something: with that the
 * payload's size bounds the reads. Sets `cursor` behind the steps. */
static int check_steps(struct cursor *cursor, uint64_t count, size_t want, uint64_t *ret_add)
{
	uint64_t left = want;

	*ret_add = 0;
	for (uint64_t i = 0; i < count; i++) {
		struct patch_step step;

		if (parse_step(cursor, &step) < 0 || step.add > left || step.copy > left - step.add ||
		    (step.add == 0 && step.copy == 0))
			return -EBADMSG;
		left -= step.add + step.copy;
		*ret_add += step.add;
	}
	return left == 0 && (size_t)(cursor->end - cursor->at) == want ? 0 : -EBADMSG;
}

static int move(uint64_t *position, int64_t jump)
{
	uint64_t distance = jump < 0 ? 0 - (uint64_t)jump : (uint64_t)jump;

	if (jump < 0 ? distance > *position : distance > INT64_MAX - *position)
		return -EBADMSG;
	*position = jump < 0 ? *position - distance : *position + distance;
	return 0;
}

int patch_window_apply(const uint8_t *payload, size_t size, patch_read read, void *context, uint8_t *ret_data,
		       size_t want)
{
	struct cursor cursor = { payload, payload + size }, bytes;
	const uint8_t *differences, *literals;
	uint64_t count, adds, position = 0;

	if (parse_varint(&cursor, &count) < 0)
		return -EBADMSG;
	bytes = cursor;
	if (check_steps(&bytes, count, want, &adds) < 0)
		return -EBADMSG;
	differences = bytes.at;
	literals = differences + adds;
	for (uint64_t i = 0; i < count; i++) {
		struct patch_step step;
		int r = parse_step(&cursor, &step);

		if (r == 0)
			r = move(&position, step.jump);
		if (r == 0 && step.add > 0)
			r = read(context, ret_data, step.add, position);
		if (r < 0)
			return r;
		for (uint64_t k = 0; k < step.add; k++)
			ret_data[k] = (uint8_t)(ret_data[k] + differences[k]);
		memcpy(ret_data + step.add, literals, step.copy);
		position += step.add;
		differences += step.add;
		literals += step.copy;
		ret_data += step.add + step.copy;
	}
	return 0;
}

int patch_count_format(uint64_t count, struct buffer *ret_payload)
{
	uint8_t bytes[10];
	size_t size = 0;

	do {
		bytes[size++] = (uint8_t)((count & 0x7f) | (count > 0x7f ? 0x80 : 0));
		count >>= 7;
	} while (count > 0);
	return buffer_add(ret_payload, bytes, size);
}

int patch_step_format(const struct patch_step *step, struct buffer *ret_payload)
{
	uint64_t jump = (uint64_t)step->jump << 1 ^ (step->jump < 0 ? UINT64_MAX : 0);
	int r = patch_count_format(step->add, ret_payload);

	if (r == 0)
		r = patch_count_format(step->copy, ret_payload);
	return r == 0 ? patch_count_format(jump, ret_payload) : r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/wire-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/seekable.h"
#include "images/frames.h"
#include "images/output.h"

/* The numbers that signed metadata would give, read from the table itself; seek_table_parse then holds the file to them. */
static int summary_of_table(const uint8_t *table, uint32_t frames, struct wire_summary *summary)
{
	const uint8_t *entry = table + SEEKABLE_HEADER_SIZE;
	uint64_t image_size = 0;

	for (uint32_t i = 0; i < frames; i++)
		image_size += get_le32(entry + 8 * (size_t)i + 4);
	summary->image_size = image_size;
	summary->frame_size = get_le32(entry + 4);
	/* A single frame may be shorter than the frame size: any valid one fits. */
	if (frames == 1 && !frame_size_valid(summary->frame_size))
		return -EBADMSG;
	summary->frames = frames;
	return frame_count(image_size, summary->frame_size) == frames ? 0 : -EBADMSG;
}

static int load_table(int in, struct wire_summary *summary, struct seek_table *ret_table)
{
	uint8_t footer[SEEKABLE_FOOTER_SIZE];
	uint8_t *data;
	uint32_t frames;
	size_t size;
	int r;

	if (summary->wire_size < seekable_table_size(1))
		return -EBADMSG;
	r = read_full_at(in, footer, sizeof(footer), summary->wire_size - sizeof(footer));
	if (r < 0)
		return r;
	frames = get_le32(footer);
	if (!frames || frames > FRAMES_MOST || seekable_table_size(frames) > summary->wire_size)
		return -EBADMSG;
	size = seekable_table_size(frames);
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	r = read_full_at(in, data, size, summary->wire_size - size);
	if (r == 0)
		r = summary_of_table(data, frames, summary);
	if (r == 0)
		r = seek_table_parse(data, size, summary->wire_size, frames, summary->frame_size,
				     summary->image_size, ret_table);
	free(data);
	return r == -EINVAL ? -EBADMSG : r;
}

struct decoder {
	ZSTD_DCtx *context;
	uint8_t *data;
	uint8_t *frame;
	size_t frame_room;
};

static int decode_one(struct decoder *d, int in, int out, const struct seek_table *table, uint32_t i,
		      const struct wire_summary *summary)
{
	uint64_t offset = (uint64_t)i * summary->frame_size;
	uint64_t left = summary->image_size - offset;
	size_t size = left < summary->frame_size ? (size_t)left : summary->frame_size;
	uint64_t bytes = table->starts[i + 1] - table->starts[i];
	int r;

	if (bytes > d->frame_room)
		return -EBADMSG;
	r = read_full_at(in, d->frame, (size_t)bytes, table->starts[i]);
	if (r == 0)
		r = frame_decompress(d->context, d->frame, (size_t)bytes, d->data, size);
	return r < 0 ? r : write_full_at(out, d->data, size, offset);
}

static int decode_frames(int in, int out, const struct seek_table *table, const struct wire_summary *summary)
{
	struct decoder d = { .context = ZSTD_createDCtx(),
			     .data = malloc(summary->frame_size),
			     .frame_room = ZSTD_compressBound(summary->frame_size) };
	int r = -ENOMEM;

	d.frame = malloc(d.frame_room);
	if (d.context && d.data && d.frame)
		r = 0;
	for (uint32_t i = 0; r == 0 && i < summary->frames; i++)
		r = decode_one(&d, in, out, table, i, summary);
	free(d.frame);
	free(d.data);
	ZSTD_freeDCtx(d.context);
	return r;
}

int wire_decode(const char *in, const char *out, struct wire_summary *ret_summary)
{
	struct wire_summary summary = { 0 };
	struct seek_table table = { 0 };
	struct output output;
	struct stat stat;
	int fd, r;

	fd = open(in, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = fstat(fd, &stat) < 0 ? -errno : 0;
	if (r < 0)
		goto close_in;
	summary.wire_size = (uint64_t)stat.st_size;
	r = load_table(fd, &summary, &table);
	if (r < 0)
		goto close_in;
	r = output_init(&output, out);
	if (r == 0)
		r = output_finish(&output, decode_frames(fd, output.fd, &table, &summary));
	if (r == 0)
		*ret_summary = summary;
	seek_table_release(&table);
close_in:
	close(fd);
	return r;
}

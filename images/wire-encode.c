/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "images/wire-file.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/seekable.h"
#include "images/frames.h"
#include "images/output.h"

#define BATCH_FRAMES 256u /* compressed in memory, then written in order */
#define THREADS_MOST 64u

/* What the threads share while one batch is compressed. Each frame has a place of its own, so only the counter is contended. */
struct batch {
	int in;
	int level;
	uint64_t image_size;
	uint32_t frame_size;
	uint32_t first; /* number of the batch's first frame */
	uint32_t count;
	size_t room; /* bytes per frame in `frames` */
	uint8_t *frames;
	size_t sizes[BATCH_FRAMES];
	atomic_uint next;
	atomic_int error;
};

static int compress_one(struct batch *batch, ZSTD_CCtx *context, uint8_t *data, uint32_t i)
{
	uint64_t offset = (uint64_t)(batch->first + i) * batch->frame_size;
	uint64_t left = batch->image_size - offset;
	size_t size = left < batch->frame_size ? (size_t)left : batch->frame_size;
	int r = read_full_at(batch->in, data, size, offset);

	if (r < 0)
		return r;
	return frame_compress(context, data, size, batch->frames + i * batch->room, batch->room,
			      &batch->sizes[i]);
}

static void *compress_frames(void *argument)
{
	struct batch *batch = argument;
	ZSTD_CCtx *context = ZSTD_createCCtx();
	uint8_t *data = malloc(batch->frame_size);
	int r = context && data ? frame_context_init(context, batch->level) : -ENOMEM;

	while (r == 0) {
		unsigned i = atomic_fetch_add(&batch->next, 1);

		if (i >= batch->count)
			break;
		r = compress_one(batch, context, data, i);
	}
	if (r < 0)
		atomic_store(&batch->error, r);
	free(data);
	ZSTD_freeCCtx(context);
	return NULL;
}

static int compress_batch(struct batch *batch, unsigned threads)
{
	pthread_t others[THREADS_MOST];
	unsigned started = 0;

	atomic_store(&batch->next, 0);
	atomic_store(&batch->error, 0);
	while (started + 1 < threads && !pthread_create(&others[started], NULL, compress_frames, batch))
		started++;
	compress_frames(batch);
	while (started)
		pthread_join(others[--started], NULL);
	return atomic_load(&batch->error);
}

static int write_batch(struct batch *batch, int out, uint64_t *offset, uint32_t *sizes)
{
	for (uint32_t i = 0; i < batch->count; i++) {
		int r = write_full_at(out, batch->frames + i * batch->room, batch->sizes[i], *offset);

		if (r < 0)
			return r;
		*offset += batch->sizes[i];
		sizes[batch->first + i] = (uint32_t)batch->sizes[i];
	}
	return 0;
}

static int write_table(int out, uint64_t offset, const uint32_t *sizes, const struct batch *batch,
		       uint32_t frames)
{
	size_t size = seekable_table_size(frames);
	uint8_t *table = malloc(size);
	int r;

	if (!table)
		return -ENOMEM;
	seek_table_format(sizes, frames, batch->frame_size, batch->image_size, table);
	r = write_full_at(out, table, size, offset);
	free(table);
	return r;
}

static int encode_frames(struct batch *batch, int out, uint32_t frames, unsigned threads,
			 uint64_t *ret_wire_size)
{
	uint32_t *sizes = calloc(frames, sizeof(*sizes));
	uint64_t offset = 0;
	int r = sizes ? 0 : -ENOMEM;

	for (batch->first = 0; r == 0 && batch->first < frames; batch->first += batch->count) {
		batch->count = frames - batch->first < BATCH_FRAMES ? frames - batch->first : BATCH_FRAMES;
		r = compress_batch(batch, threads);
		if (r == 0)
			r = write_batch(batch, out, &offset, sizes);
	}
	if (r == 0)
		r = write_table(out, offset, sizes, batch, frames);
	if (r == 0)
		*ret_wire_size = offset + seekable_table_size(frames);
	free(sizes);
	return r;
}

static int encode_to(struct batch *batch, const char *out, uint32_t frames, unsigned threads,
		     uint64_t *ret_wire_size)
{
	struct output output;
	int r;

	r = output_init(&output, out);
	if (r < 0)
		return r;
	batch->room = ZSTD_compressBound(batch->frame_size);
	batch->frames = malloc(batch->room * BATCH_FRAMES);
	r = batch->frames ? encode_frames(batch, output.fd, frames, threads, ret_wire_size) : -ENOMEM;
	free(batch->frames);
	return output_finish(&output, r);
}

int wire_encode(const char *in, const char *out, uint32_t frame_size, int level, unsigned threads,
		struct wire_summary *ret_summary)
{
	struct batch batch = { .level = level, .frame_size = frame_size };
	struct stat stat;
	uint64_t wire_size = 0;
	uint32_t frames = 0;
	int r;

	if (!frame_size_valid(frame_size) || !threads || threads > THREADS_MOST)
		return -EINVAL;
	batch.in = open(in, O_RDONLY | O_CLOEXEC);
	if (batch.in < 0)
		return -errno;
	r = fstat(batch.in, &stat) < 0 ? -errno : 0;
	if (r == 0) {
		batch.image_size = (uint64_t)stat.st_size;
		frames = frame_count(batch.image_size, frame_size);
		r = frames ? encode_to(&batch, out, frames, threads, &wire_size) : -EINVAL;
	}
	close(batch.in);
	if (r < 0)
		return r;
	*ret_summary = (struct wire_summary){ .image_size = batch.image_size,
					      .wire_size = wire_size,
					      .frame_size = frame_size,
					      .frames = frames };
	return 0;
}

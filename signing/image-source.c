/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/image-source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"

int image_source_open(const char *path, struct image_source *ret_source)
{
	struct image_source source = { .fd = open(path, O_RDONLY | O_CLOEXEC) };
	struct stat status;

	if (source.fd < 0)
		return -errno;
	if (fstat(source.fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(source.fd);
		return -EINVAL;
	}
	source.file_size = (uint64_t)status.st_size;
	*ret_source = source;
	return 0;
}

static int load_seek_table(struct image_source *source, const struct image_description *d)
{
	size_t size = seekable_table_size(d->frames);
	uint8_t *data;
	int r;

	if (size > d->wire_size)
		return -EBADMSG;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	r = read_full_at(source->fd, data, size, d->wire_size - size);
	if (r == 0)
		r = seek_table_parse(data, size, d->wire_size, d->frames, d->frame_size, d->image_size, &source->table);
	free(data);
	return r == -EINVAL ? -EBADMSG : r;
}

int image_source_decode(struct image_source *source, const struct image_description *d)
{
	int r = load_seek_table(source, d);

	if (r < 0)
		return r;
	source->image_size = d->image_size;
	source->frame_size = d->frame_size;
	source->frames = source->frame_at = d->frames;
	source->packed = malloc(ZSTD_compressBound(d->frame_size));
	source->frame = malloc(d->frame_size);
	source->context = ZSTD_createDCtx();
	return source->packed && source->frame && source->context ? 0 : -ENOMEM;
}

/* A single zstd frame of exactly the bytes that the description gives it, no larger than a node makes room for. */
static int load_frame(struct image_source *s, uint32_t i)
{
	uint64_t left = s->image_size - (uint64_t)i * s->frame_size, packed = s->table.starts[i + 1] - s->table.starts[i];
	size_t size = left < s->frame_size ? (size_t)left : s->frame_size;
	int r;

	if (s->frame_at == i)
		return 0;
	s->frame_at = s->frames;
	if (packed > ZSTD_compressBound(s->frame_size))
		return -EBADMSG;
	r = read_full_at(s->fd, s->packed, (size_t)packed, s->table.starts[i]);
	if (r < 0)
		return r;
	if (ZSTD_findFrameCompressedSize(s->packed, (size_t)packed) != packed ||
	    ZSTD_decompressDCtx(s->context, s->frame, size, s->packed, (size_t)packed) != size)
		return -EBADMSG;
	s->frame_at = i;
	return 0;
}

int image_source_read(struct image_source *source, void *ret_data, size_t size, uint64_t offset)
{
	uint8_t *to = ret_data;

	if (!source->context)
		return read_full_at(source->fd, ret_data, size, offset);
	if (offset > source->image_size || size > source->image_size - offset)
		return -EIO;
	while (size > 0) {
		uint32_t i = (uint32_t)(offset / source->frame_size), at = (uint32_t)(offset % source->frame_size);
		size_t now = source->frame_size - at < size ? source->frame_size - at : size;
		int r = load_frame(source, i);

		if (r < 0)
			return r;
		memcpy(to, source->frame + at, now);
		to += now;
		offset += now;
		size -= now;
	}
	return 0;
}

void image_source_close(struct image_source *source)
{
	ZSTD_freeDCtx(source->context);
	seek_table_release(&source->table);
	free(source->packed);
	free(source->frame);
	close(source->fd);
}

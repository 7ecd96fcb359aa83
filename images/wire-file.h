/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole wire files: an image in, a wire file out, and back. */
#ifndef IMAGES_WIRE_FILE_H
#define IMAGES_WIRE_FILE_H

#include <stdint.h>

struct wire_summary {
	uint64_t image_size;
	uint64_t wire_size;
	uint32_t frame_size;
	uint32_t frames;
};

/* Encodes the image `in` as the wire file `out` with `threads` threads; the result doesn't depend on their number. `out` is
 * replaced only when all of it was written. 0; -EINVAL when the image isn't whole blocks or a number is out of range;
 * -errno of reading or writing. */
int wire_encode(const char *in, const char *out, uint32_t frame_size, int level, unsigned threads,
		struct wire_summary *ret_summary);

/* The inverse, with frame size and image size taken from the file's own seek table (a node takes them from signed metadata
 * instead). -EBADMSG when the file isn't a wire file. */
int wire_decode(const char *in, const char *out, struct wire_summary *ret_summary);

#endif

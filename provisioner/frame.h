/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One frame of a wire file: untrusted zstd that must decompress to exactly the size that was signed. */
#ifndef PROVISIONER_FRAME_H
#define PROVISIONER_FRAME_H

#include <stddef.h>
#include <stdint.h>

struct frame_decoder;

struct frame_decoder *frame_decoder_new(void); /* NULL when out of memory */
void frame_decoder_free(struct frame_decoder *decoder);

/* The most wire bytes a sound frame of `frame_size` bytes can have: anything longer isn't even fetched. */
size_t frame_wire_most(size_t frame_size);

/* Decompresses one frame that takes all of `data`. Memory stays bounded whatever the frame says of itself. 0, or -EBADMSG when
 * it isn't one zstd frame of exactly `want` bytes. */
int frame_decode(struct frame_decoder *decoder, const uint8_t *data, size_t size, uint8_t *ret_data, size_t want);

#endif

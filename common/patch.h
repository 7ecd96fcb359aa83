/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A patch: the blocks of a new image that its predecessor doesn't hold, as differences from what the predecessor has at some
 * place. Like a wire file it is an untrusted encoding: what comes out counts only when its digest is in the signed tree.
 *
 *   header   "REPATCH1" | bytes of the old image le64 | bytes of the new image le64 | windows n le32 | 0 le32
 *   index    n × { first block le32 | blocks le32 | bytes of the payload le32 | bytes of the frame le32 }
 *   frames   n × one zstd frame, which decompresses to the payload of a window
 *
 *   payload  m varint | m × { add varint | copy varint | jump zigzag varint } | differences | literals
 *
 * A window is a row of whole blocks of one level of the new image (its data, or a level of the hash tree); windows ascend and
 * don't overlap. A window of data is made of whole groups of 128, the blocks that one block of leaves is about: those leaves are
 * computed of what comes out, and aren't in the patch. A step moves the reading position in the old image (0 at first) by `jump`, makes `add` bytes as old byte +
 * difference (modulo 256), which also moves the position, and then takes `copy` literals. Varints are LEB128, zigzag as usual.
 *
 * Pure: no I/O, no zstd. */
#ifndef COMMON_PATCH_H
#define COMMON_PATCH_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

#define PATCH_BLOCK 4096u
#define PATCH_ROOT_BYTES 8u                   /* of the old root hash, in the name of the file */
#define PATCH_HEADER 32u
#define PATCH_INDEX_ENTRY 16u
#define PATCH_GROUP 128u                      /* digests in a block of the tree */
#define PATCH_WINDOW_BLOCKS_MOST 256u         /* 1 MiB: with the payload and its frame, what a node holds at once */
#define PATCH_PAYLOAD_MOST (5u << 18)
#define PATCH_FRAME_MOST (PATCH_PAYLOAD_MOST + (PATCH_PAYLOAD_MOST >> 7))
#define PATCH_WINDOWS_MOST 65536u             /* 1 MiB of index */

struct patch_header {
	uint64_t old_size;
	uint64_t new_size;
	uint32_t windows;
};

struct patch_window {
	uint32_t first; /* block of the new image */
	uint32_t blocks;
	uint32_t payload; /* bytes, decompressed */
	uint32_t frame;   /* bytes in the patch */
	uint64_t offset;  /* of the frame in the patch */
};

struct patch_index {
	struct patch_window *windows;
	uint32_t count;
	uint64_t size; /* of the whole patch */
};

/* Checks the header of a patch that leads to an image of `new_size` bytes. 0 or -EBADMSG. */
int patch_header_parse(const uint8_t data[PATCH_HEADER], uint64_t new_size, struct patch_header *ret_header);
void patch_header_format(const struct patch_header *header, uint8_t ret_data[PATCH_HEADER]);

/* Parses the index (header->windows × PATCH_INDEX_ENTRY bytes). A patch of more than `size_most` bytes is refused: the
 * wire file would be shorter. 0, -EBADMSG or -ENOMEM. The caller calls patch_index_release. */
int patch_index_parse(const uint8_t *data, const struct patch_header *header, uint64_t size_most,
		      struct patch_index *ret_index);
void patch_index_release(struct patch_index *index);
void patch_window_format(const struct patch_window *window, uint8_t ret_data[PATCH_INDEX_ENTRY]);

/* Reads `size` bytes of the old image at `offset`, both checked by nobody before. 0 or -errno. */
typedef int (*patch_read)(void *context, uint8_t *ret_data, size_t size, uint64_t offset);

/* Makes exactly `want` bytes (a window's blocks) of a decompressed payload. 0; -EBADMSG when the payload isn't sound, with
 * any bytes in `ret_data`; or the error of reading. */
int patch_window_apply(const uint8_t *payload, size_t size, patch_read read, void *context, uint8_t *ret_data,
		       size_t want);

struct patch_step {
	uint64_t add;
	uint64_t copy;
	int64_t jump;
};

/* Appends a payload's number of steps, or one step. 0 or -ENOMEM. */
int patch_count_format(uint64_t count, struct buffer *ret_payload);
int patch_step_format(const struct patch_step *step, struct buffer *ret_payload);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The zstd seekable format: independent zstd frames, then a seek table in a skippable frame.
 *
 *   frame 0 | frame 1 | … | frame n-1 | seek table
 *
 *   seek table: 0x184D2A5E le32 | size of what follows le32
 *               n × { compressed size le32, decompressed size le32 [, checksum le32] }
 *               footer: n le32 | descriptor u8 (bit 7: checksums, bits 6-2: must be 0) | 0x8F92EAB1 le32
 *
 * Source of the format: contrib/seekable_format/zstd_seekable_compression_format.md of zstd.
 *
 * A wire file of Repave has frames that all decompress to `frame_size` bytes, except the last, which may be
 * shorter, and no checksums (every block is checked against the verity tree). Pure: no I/O, no zstd. */
#ifndef COMMON_SEEKABLE_H
#define COMMON_SEEKABLE_H

#include <stddef.h>
#include <stdint.h>

#define SEEKABLE_FRAME_MAGIC 0x184D2A5Eu
#define SEEKABLE_FOOTER_MAGIC 0x8F92EAB1u
#define SEEKABLE_FOOTER_SIZE 9
#define SEEKABLE_HEADER_SIZE 8

struct seek_table {
	uint64_t *starts; /* n + 1 offsets in the wire file: frame i is [starts[i], starts[i + 1]) */
	uint32_t frames;
};

/* Bytes of the seek table for `frames` frames without checksums, skippable header included. */
size_t seekable_table_size(uint32_t frames);

/* Parses the last seekable_table_size(frames) bytes of a wire file of `wire_size` bytes, and checks them against what was
 * signed: `frames` frames, each of `frame_size` decompressed bytes, the last one filling up to `image_size`;
 * the compressed sizes must add up to where the table starts. 0, -EINVAL or -ENOMEM.
 * The caller calls seek_table_release. */
int seek_table_parse(const uint8_t *data, size_t size, uint64_t wire_size, uint32_t frames,
		     uint32_t frame_size, uint64_t image_size, struct seek_table *ret_table);
void seek_table_release(struct seek_table *table);

/* Writes seekable_table_size(frames) bytes: the inverse. */
void seek_table_format(const uint32_t *compressed_sizes, uint32_t frames, uint32_t frame_size,
		       uint64_t image_size, uint8_t *ret_data);

#endif

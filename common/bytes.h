/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes: growing buffers, hexadecimal, base64, little- and big-endian words. No I/O. */
#ifndef COMMON_BYTES_H
#define COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A buffer that owns its memory. All zero is an empty buffer. `data` is always followed by a NUL that
 * `size` doesn't count, once something was added. */
struct buffer {
	uint8_t *data;
	size_t size;
	size_t room;
};

/* Appends `size` bytes. 0 or -ENOMEM; on error the buffer is unchanged. */
int buffer_add(struct buffer *buffer, const void *data, size_t size);
/* Appends formatted text (without a NUL in `size`). 0 or -ENOMEM. */
int buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Frees the memory and makes the buffer empty. */
void buffer_release(struct buffer *buffer);

/* Writes 2 * size lower-case digits and a NUL to `ret_text`. */
void hex_format(const uint8_t *data, size_t size, char *ret_text);
/* Parses exactly 2 * size hexadecimal digits (either case) followed by a NUL. 0 or -EINVAL. */
int hex_parse(const char *text, uint8_t *ret_data, size_t size);

/* Appends the standard base64 (RFC 4648, with padding) of `data`. 0 or -ENOMEM. */
int base64_format(const void *data, size_t size, struct buffer *ret_text);
/* Appends what `text` encodes; padding required, nothing else accepted. 0, -EINVAL or -ENOMEM. */
int base64_parse(const char *text, struct buffer *ret_data);

/* Parses a decimal number of 1 to 20 digits and nothing else. 0, -EINVAL or -ERANGE. */
int parse_u64(const char *text, uint64_t *ret_value);

/* "73.4 MiB", "512 B": for people. Writes at most 16 bytes; returns `ret_text`. */
const char *format_size(uint64_t bytes, char ret_text[16]);

/* Compares without a time that depends on where the bytes differ: for secrets. */
bool bytes_equal_ct(const void *a, const void *b, size_t size);

static inline uint16_t get_le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t get_le32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t get_le64(const uint8_t *p)
{
	return get_le32(p) | (uint64_t)get_le32(p + 4) << 32;
}

static inline void put_le16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static inline void put_le32(uint8_t *p, uint32_t v)
{
	put_le16(p, (uint16_t)v);
	put_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void put_le64(uint8_t *p, uint64_t v)
{
	put_le32(p, (uint32_t)v);
	put_le32(p + 4, (uint32_t)(v >> 32));
}

#endif

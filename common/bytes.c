/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/bytes.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and a NUL. */
static int buffer_reserve(struct buffer *buffer, size_t more)
{
	size_t wanted, room;
	uint8_t *data;

	if (__builtin_add_overflow(buffer->size, more, &wanted) ||
	    __builtin_add_overflow(wanted, (size_t)1, &wanted))
		return -ENOMEM;
	if (wanted <= buffer->room)
		return 0;
	room = buffer->room ? buffer->room : 64;
	while (room < wanted)
		if (__builtin_mul_overflow(room, (size_t)2, &room))
			return -ENOMEM;
	data = realloc(buffer->data, room);
	if (!data)
		return -ENOMEM;
	buffer->data = data;
	buffer->room = room;
	return 0;
}

int buffer_add(struct buffer *buffer, const void *data, size_t size)
{
	int r = buffer_reserve(buffer, size);

	if (r < 0)
		return r;
	if (size)
		memcpy(buffer->data + buffer->size, data, size);
	buffer->size += size;
	buffer->data[buffer->size] = 0;
	return 0;
}

int buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list arguments;
	int length, r;

	va_start(arguments, format);
	length = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (length < 0)
		return -ENOMEM;
	r = buffer_reserve(buffer, (size_t)length);
	if (r < 0)
		return r;
	va_start(arguments, format);
	vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, arguments);
	va_end(arguments);
	buffer->size += (size_t)length;
	return 0;
}

void buffer_release(struct buffer *buffer)
{
	free(buffer->data);
	*buffer = (struct buffer){ 0 };
}

void hex_format(const uint8_t *data, size_t size, char *ret_text)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		ret_text[2 * i] = digits[data[i] >> 4];
		ret_text[2 * i + 1] = digits[data[i] & 15];
	}
	ret_text[2 * size] = 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int hex_parse(const char *text, uint8_t *ret_data, size_t size)
{
	if (strlen(text) != 2 * size)
		return -EINVAL;
	for (size_t i = 0; i < size; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return -EINVAL;
		ret_data[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

int base64_format(const void *data, size_t size, struct buffer *ret_text)
{
	const uint8_t *p = data;
	size_t before = ret_text->size;

	for (size_t i = 0; i < size; i += 3) {
		size_t left = size - i;
		uint32_t word = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
				(left > 2 ? p[i + 2] : 0);
		char four[4] = { base64_digits[word >> 18], base64_digits[word >> 12 & 63],
				 left > 1 ? base64_digits[word >> 6 & 63] : '=',
				 left > 2 ? base64_digits[word & 63] : '=' };
		int r = buffer_add(ret_text, four, 4);

		if (r < 0) {
			ret_text->size = before;
			return r;
		}
	}
	return buffer_add(ret_text, "", 0);
}

/* Value of four digits, or -1. `padding` is how many of the last are '='. */
static int64_t base64_word(const char *four, unsigned padding)
{
	uint32_t word = 0;

	for (unsigned i = 0; i < 4; i++) {
		const char *digit = four[i] ? strchr(base64_digits, four[i]) : NULL;

		word <<= 6;
		if (i >= 4 - padding)
			continue;
		if (!digit)
			return -1;
		word |= (uint32_t)(digit - base64_digits);
	}
	return word;
}

int base64_parse(const char *text, struct buffer *ret_data)
{
	size_t length = strlen(text), before = ret_data->size;
	int r = length % 4 ? -EINVAL : 0;

	for (size_t i = 0; r == 0 && i < length; i += 4) {
		bool last = i + 4 == length;
		unsigned padding = last ? (text[i + 3] == '=') + (text[i + 3] == '=' && text[i + 2] == '=') : 0;
		int64_t word = base64_word(text + i, padding);
		/* Bits that the padding leaves over must be 0: one text for one value. */
		uint32_t unused = padding == 2 ? 0xffff : padding == 1 ? 0xff : 0;

		if (word < 0 || ((uint32_t)word & unused)) {
			r = -EINVAL;
			break;
		}
		uint8_t three[3] = { (uint8_t)(word >> 16), (uint8_t)(word >> 8), (uint8_t)word };
		r = buffer_add(ret_data, three, 3 - padding);
	}
	if (r < 0)
		ret_data->size = before;
	return r < 0 ? r : buffer_add(ret_data, "", 0);
}

int parse_u64(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;
	size_t length = strlen(text);

	if (length < 1 || length > 20)
		return -EINVAL;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, (uint64_t)10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return -ERANGE;
	}
	*ret_value = value;
	return 0;
}

const char *format_size(uint64_t bytes, char ret_text[16])
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	size_t unit = 0;

	if (bytes < 1024) {
		snprintf(ret_text, 16, "%u B", (unsigned)bytes);
		return ret_text;
	}
	while (value >= 1023.95 && unit + 1 < sizeof(units) / sizeof(*units)) {
		value /= 1024;
		unit++;
	}
	snprintf(ret_text, 16, "%.1f %s", value, units[unit]);
	return ret_text;
}

bool bytes_equal_ct(const void *a, const void *b, size_t size)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t different = 0;

	for (size_t i = 0; i < size; i++)
		different |= x[i] ^ y[i];
	return different == 0;
}

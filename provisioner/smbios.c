/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/smbios.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "provisioner/cmdline.h"

enum { TYPE_OEM_STRINGS = 11, TYPE_END = 127, HEADER = 4 };

/* A word of a command line: visible characters, and quotes mean something else there. */
static bool is_word(const char *text, size_t length)
{
	if (length > SMBIOS_WORD_MOST || length < 9 || memcmp(text, "repave.", 7) != 0 || memchr(text, '=', length) == NULL)
		return false;
	for (size_t i = 0; i < length; i++)
		if (text[i] <= 0x20 || text[i] >= 0x7f || text[i] == '"')
			return false;
	return true;
}

static int add_word(const char *text, size_t length, struct buffer *words)
{
	char key[SMBIOS_WORD_MOST + 1], value[SMBIOS_WORD_MOST + 1];
	size_t end = (size_t)((const char *)memchr(text, '=', length) - text);

	memcpy(key, text, end);
	key[end] = '\0';
	if (words->size > 0 && cmdline_value((const char *)words->data, key, value, sizeof(value)) != -ENOENT)
		return 0;
	return buffer_printf(words, "%s%.*s", words->size > 0 ? " " : "", (int)length, text);
}

/* The strings after a structure end with an empty one. Returns where the next structure begins; `size` when there is none. */
static size_t strings(const uint8_t *table, size_t at, size_t size, bool wanted, struct buffer *words, int *ret_error)
{
	/* A structure without strings is followed by two zeros all the same. */
	if (at < size && table[at] == 0)
		return at + 2 <= size ? at + 2 : size;
	while (at < size && table[at] != 0) {
		const uint8_t *end = memchr(table + at, 0, size - at);
		const char *text = (const char *)table + at;

		if (end == NULL)
			return size;
		if (wanted && *ret_error == 0 && is_word(text, strlen(text)))
			*ret_error = add_word(text, strlen(text), words);
		at = (size_t)(end - table) + 1;
	}
	return at < size ? at + 1 : size;
}

int smbios_words(const uint8_t *table, size_t size, struct buffer *ret_words)
{
	size_t at = 0;
	int r = 0;

	while (r == 0 && size - at >= HEADER) {
		uint8_t type = table[at], length = table[at + 1];

		if (type == TYPE_END || length < HEADER || length > size - at)
			break;
		at = strings(table, at + length, size, type == TYPE_OEM_STRINGS, ret_words, &r);
	}
	return r;
}

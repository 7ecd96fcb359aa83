/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/tail.h"

#include <string.h>

static char plain(char c)
{
	return (c >= 0x20 && c <= 0x7e) || c == '\n' || c == '\t' ? c : '?';
}

void tail_add(struct tail *tail, const char *text, size_t size)
{
	if (size > tail->most) {
		text += size - tail->most;
		size = tail->most;
		tail->cut = true;
	}
	if (size > tail->most - tail->size) {
		size_t gone = size - (tail->most - tail->size);

		memmove(tail->data, tail->data + gone, tail->size - gone);
		tail->size -= gone;
		tail->cut = true;
	}
	for (size_t i = 0; i < size; i++)
		tail->data[tail->size++] = plain(text[i]);
}

const char *tail_text(const struct tail *tail, size_t *ret_size)
{
	const char *line = tail->cut && tail->size > 0 ? memchr(tail->data, '\n', tail->size) : NULL;
	const char *from = line != NULL ? line + 1 : tail->data;

	*ret_size = tail->size > 0 ? tail->size - (size_t)(from - tail->data) : 0;
	return from;
}

void text_halve(const char **text, size_t *size)
{
	size_t skip = *size - *size / 2;
	const char *line = memchr(*text + skip, '\n', *size - skip);

	if (line != NULL)
		skip = (size_t)(line + 1 - *text);
	*text += skip;
	*size -= skip;
}

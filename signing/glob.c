/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patterns of paths. */
#include <stdint.h>
#include <string.h>

#include "signing/format.h"

/* The code point at *p, which moves on. A byte that is no UTF-8 stands for itself, beyond all code points. */
static uint32_t next_char(const char **p, const char *end)
{
	const unsigned char *c = (const unsigned char *)*p;
	size_t size = c[0] < 0xc2 ? 1 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 1, left = (size_t)(end - *p);
	uint32_t value = size == 1 ? c[0] : c[0] & (0x7fu >> size);

	for (size_t i = 1; i < size; i++) {
		if (i >= left || (c[i] & 0xc0) != 0x80) {
			size = 1;
			value = c[0];
			break;
		}
		value = value << 6 | (c[i] & 0x3f);
	}
	*p += size;
	return size == 1 && value >= 0x80 ? 0x110000 + value : value;
}

/* A part of a pattern between two "/". */
struct part {
	const char *at, *end;
	const char *last; /* "]" in it, or NULL: nothing behind it can close a set */
};

/* Of the set that begins at part->at with "[": where its "]" is, or NULL when it isn't closed, and so no set. */
static const char *find_close(const struct part *part)
{
	const char *p = part->at + 1;

	if (!part->last || p > part->last)
		return NULL;
	if (p < part->end && *p == '!')
		p++;
	/* The first "]" is a member. */
	if (p < part->end && *p == ']')
		p++;
	return p < part->end ? memchr(p, ']', (size_t)(part->end - p)) : NULL;
}

/* Between "[" and "]". */
static bool is_in_set(uint32_t c, const char *p, const char *end)
{
	bool negated = p < end && *p == '!', found = false;

	if (negated)
		p++;
	while (p < end) {
		uint32_t low = next_char(&p, end), high = low;

		if (end - p >= 2 && *p == '-') {
			p++;
			high = next_char(&p, end);
		}
		found = found || (c >= low && c <= high);
	}
	return found != negated;
}

/* One character of the path against one of the pattern; the pattern moves on. */
static bool matches_one(uint32_t c, struct part *part)
{
	const char *close;

	if (*part->at == '?') {
		part->at++;
		return true;
	}
	close = *part->at == '[' ? find_close(part) : NULL;
	if (close) {
		bool found = is_in_set(c, part->at + 1, close);

		part->at = close + 1;
		return found;
	}
	return next_char(&part->at, part->end) == c;
}

/* The last "*" takes as little as it can; on a mismatch it takes one character more. Those before it need never change. */
static bool part_matches(const char *path, const char *path_end, struct part part)
{
	const char *star_path = NULL, *star_pattern = NULL;

	for (;;) {
		const char *now = path;
		struct part next = part;

		if (part.at < part.end && *part.at == '*') {
			star_pattern = ++part.at;
			star_path = path;
			continue;
		}
		if (path == path_end)
			return part.at == part.end;
		if (part.at < part.end && matches_one(next_char(&now, path_end), &next)) {
			path = now;
			part = next;
			continue;
		}
		if (!star_pattern)
			return false;
		next_char(&star_path, path_end);
		path = star_path;
		part.at = star_pattern;
	}
}

bool tuf_path_matches(const char *path, const char *pattern)
{
	for (;;) {
		const char *path_end = path + strcspn(path, "/"), *end = pattern + strcspn(pattern, "/");
		struct part part = { pattern, end, memrchr(pattern, ']', (size_t)(end - pattern)) };

		if (!part_matches(path, path_end, part))
			return false;
		if (!*path_end || !*end)
			return *path_end == *end;
		path = path_end + 1;
		pattern = end + 1;
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/json.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"

/* ------------------------------------------------------------------ characters */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* -1 when the four characters aren't hexadecimal digits. */
static int32_t hex4(const char *p, const char *end)
{
	uint8_t bytes[2];
	char digits[5] = "";

	if (end - p < 4)
		return -1;
	memcpy(digits, p, 4);
	return hex_parse(digits, bytes, 2) < 0 ? -1 : bytes[0] << 8 | bytes[1];
}

/* Bytes of the UTF-8 sequence at `p`, or 0 when there is none: RFC 3629, so no overlong forms, surrogates or
 * code points beyond U+10FFFF. */
static size_t utf8_size(const char *p, const char *end)
{
	const unsigned char *c = (const unsigned char *)p;
	size_t left = (size_t)(end - p), size = c[0] < 0xc2 ? 0 : c[0] < 0xe0 ? 2 : c[0] < 0xf0 ? 3 : c[0] < 0xf5 ? 4 : 0;

	if (c[0] < 0x80)
		return 1;
	if (size == 0 || size > left)
		return 0;
	for (size_t i = 1; i < size; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] > 0x9f) || (c[0] == 0xf0 && c[1] < 0x90) ||
	    (c[0] == 0xf4 && c[1] > 0x8f))
		return 0;
	return size;
}

/* ------------------------------------------------------------------ what a string means */

struct tree_bytes tree_bytes_begin(struct tree string)
{
	if (!string.text || *string.text != '"')
		return (struct tree_bytes){ 0 };
	return (struct tree_bytes){ .at = string.text + 1, .end = string.end };
}

static void put_code_point(struct tree_bytes *bytes, uint32_t c)
{
	uint8_t *p = bytes->pending;

	if (c < 0x80) {
		p[bytes->count++] = (uint8_t)c;
		return;
	}
	if (c < 0x800) {
		p[bytes->count++] = (uint8_t)(0xc0 | c >> 6);
	} else {
		if (c < 0x10000) {
			p[bytes->count++] = (uint8_t)(0xe0 | c >> 12);
		} else {
			p[bytes->count++] = (uint8_t)(0xf0 | c >> 18);
			p[bytes->count++] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		}
		p[bytes->count++] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	p[bytes->count++] = (uint8_t)(0x80 | (c & 0x3f));
}

/* At the character after a backslash. */
static void read_escape(struct tree_bytes *bytes)
{
	static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
	char c = *bytes->at++;
	const char *name = strchr(names, c);
	int32_t unit;

	bytes->count = bytes->given = 0;
	if (c != 'u') {
		bytes->pending[bytes->count++] = (uint8_t)(name ? values[name - names] : c);
		return;
	}
	unit = hex4(bytes->at, bytes->end);
	bytes->at += 4;
	if (unit >= 0xd800 && unit < 0xdc00) {
		unit = 0x10000 + ((unit - 0xd800) << 10) + hex4(bytes->at + 2, bytes->end) - 0xdc00;
		bytes->at += 6;
	}
	put_code_point(bytes, (uint32_t)unit);
}

int tree_bytes_next(struct tree_bytes *bytes)
{
	if (bytes->given < bytes->count)
		return bytes->pending[bytes->given++];
	if (bytes->at >= bytes->end || *bytes->at == '"')
		return -1;
	if (*bytes->at != '\\')
		return (unsigned char)*bytes->at++;
	bytes->at++;
	read_escape(bytes);
	return bytes->pending[bytes->given++];
}

/* ------------------------------------------------------------------ checking a text */

struct reader {
	const char *start, *at, *end;
	const char *wrong;  /* what is wrong at `at` */
	/* Places of the keys of all objects that are open now, the innermost one's last. */
	uint32_t *keys;
	size_t key_count, key_room;
	bool no_memory;
};

static bool wrong(struct reader *reader, const char *what)
{
	reader->wrong = what;
	return false;
}

static void skip_blanks(struct reader *reader)
{
	while (reader->at < reader->end && is_blank(*reader->at))
		reader->at++;
}

static bool check_escape(struct reader *reader)
{
	const char *p = reader->at + 1;
	int32_t unit;

	if (p >= reader->end || *p == '\0' || !strchr("\"\\/bfnrtu", *p))
		return wrong(reader, "a backslash before a character that it can't escape");
	if (*p != 'u') {
		reader->at += 2;
		return true;
	}
	unit = hex4(p + 1, reader->end);
	if (unit < 0)
		return wrong(reader, "\\u must be followed by four hexadecimal digits");
	p += 5;
	if (unit >= 0xd800 && unit < 0xe000) {
		bool is_pair = unit < 0xdc00 && reader->end - p >= 6 && p[0] == '\\' && p[1] == 'u';
		int32_t low = is_pair ? hex4(p + 2, reader->end) : -1;

		if (low < 0xdc00 || low > 0xdfff)
			return wrong(reader, "half of a surrogate pair");
		p += 6;
	}
	reader->at = p;
	return true;
}

static bool check_string(struct reader *reader)
{
	const char *opened = reader->at++;

	while (reader->at < reader->end) {
		unsigned char c = (unsigned char)*reader->at;
		size_t size;

		if (c == '"') {
			reader->at++;
			return true;
		}
		if (c == '\\') {
			if (!check_escape(reader))
				return false;
			continue;
		}
		if (c < 0x20)
			return wrong(reader, "a control character in a string");
		size = utf8_size(reader->at, reader->end);
		if (size == 0)
			return wrong(reader, "bytes that aren't UTF-8");
		reader->at += size;
	}
	reader->at = opened;
	return wrong(reader, "a string that isn't closed");
}

static bool check_digits(struct reader *reader)
{
	const char *before = reader->at;

	while (reader->at < reader->end && is_digit(*reader->at))
		reader->at++;
	return reader->at > before || wrong(reader, "a number without a digit here");
}

static bool at_one_of(const struct reader *reader, const char *characters)
{
	return reader->at < reader->end && *reader->at && strchr(characters, *reader->at);
}

static bool check_number(struct reader *reader)
{
	if (*reader->at == '-')
		reader->at++;
	if (at_one_of(reader, "0")) {
		reader->at++;
		if (at_one_of(reader, "0123456789"))
			return wrong(reader, "a number that begins with 0");
	} else if (!check_digits(reader)) {
		return false;
	}
	if (at_one_of(reader, ".")) {
		reader->at++;
		if (!check_digits(reader))
			return false;
	}
	if (at_one_of(reader, "eE")) {
		reader->at++;
		if (at_one_of(reader, "+-"))
			reader->at++;
		return check_digits(reader);
	}
	return true;
}

static bool check_word(struct reader *reader)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		size_t size = strlen(words[i]);

		if ((size_t)(reader->end - reader->at) >= size && memcmp(reader->at, words[i], size) == 0) {
			reader->at += size;
			return true;
		}
	}
	return wrong(reader, "a value was expected");
}

static bool remember_key(struct reader *reader)
{
	if (reader->key_count == reader->key_room) {
		size_t room = reader->key_room ? 2 * reader->key_room : 64;
		uint32_t *keys = realloc(reader->keys, room * sizeof(*keys));

		if (!keys) {
			reader->no_memory = true;
			return wrong(reader, "out of memory");
		}
		reader->keys = keys;
		reader->key_room = room;
	}
	reader->keys[reader->key_count++] = (uint32_t)(reader->at - reader->start);
	return true;
}

static int compare_places(const void *a, const void *b, void *context)
{
	const struct reader *reader = context;
	const uint32_t *left = a, *right = b;

	return tree_compare((struct tree){ reader->start + *left, reader->end },
			    (struct tree){ reader->start + *right, reader->end });
}

/* The keys from `first` on are those of the object that ends here. */
static bool check_keys_differ(struct reader *reader, size_t first)
{
	size_t count = reader->key_count - first;
	uint32_t *keys = count ? reader->keys + first : NULL;

	if (count > 1)
		qsort_r(keys, count, sizeof(*keys), compare_places, reader);
	for (size_t i = 1; i < count; i++) {
		if (compare_places(&keys[i - 1], &keys[i], reader) != 0)
			continue;
		reader->at = reader->start + (keys[i - 1] > keys[i] ? keys[i - 1] : keys[i]);
		return wrong(reader, "a key that this object had before");
	}
	reader->key_count = first;
	return true;
}

static bool check_value(struct reader *reader, unsigned depth);

static bool check_member(struct reader *reader, unsigned depth)
{
	if (!at_one_of(reader, "\""))
		return wrong(reader, "a key in quotation marks was expected");
	if (!remember_key(reader) || !check_string(reader))
		return false;
	skip_blanks(reader);
	if (!at_one_of(reader, ":"))
		return wrong(reader, "\":\" was expected");
	reader->at++;
	skip_blanks(reader);
	return check_value(reader, depth);
}

static bool check_container(struct reader *reader, unsigned depth)
{
	bool is_object = *reader->at == '{';
	const char *close = is_object ? "}" : "]";
	size_t first = reader->key_count;

	if (depth >= TREE_DEPTH_MOST)
		return wrong(reader, "nested too deeply");
	reader->at++;
	skip_blanks(reader);
	for (bool more = !at_one_of(reader, close); more;) {
		if (!(is_object ? check_member(reader, depth + 1) : check_value(reader, depth + 1)))
			return false;
		skip_blanks(reader);
		more = at_one_of(reader, ",");
		if (more) {
			reader->at++;
			skip_blanks(reader);
		} else if (!at_one_of(reader, close)) {
			return wrong(reader, is_object ? "\",\" or \"}\" was expected" : "\",\" or \"]\" was expected");
		}
	}
	reader->at++;
	return !is_object || check_keys_differ(reader, first);
}

static bool check_value(struct reader *reader, unsigned depth)
{
	if (reader->at >= reader->end)
		return wrong(reader, "the text ends where a value was expected");
	switch (*reader->at) {
	case '{':
	case '[':
		return check_container(reader, depth);
	case '"':
		return check_string(reader);
	default:
		if (*reader->at == '-' || is_digit(*reader->at))
			return check_number(reader);
		return check_word(reader);
	}
}

static void describe(const struct reader *reader, char *ret_error)
{
	unsigned long line = 1, column = 1;

	for (const char *p = reader->start; p < reader->at; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	snprintf(ret_error, TREE_ERROR_SIZE, "not JSON: line %lu, column %lu: %s", line, column, reader->wrong);
}

int tree_parse(const void *text, size_t size, struct tree *ret_tree, char *ret_error)
{
	struct reader reader = { .start = text, .at = text, .end = text ? (const char *)text + size : NULL };
	struct tree value;
	bool sound;

	if (!text || size == 0 || size > UINT32_MAX) {
		snprintf(ret_error, TREE_ERROR_SIZE, "not JSON: %s", size > UINT32_MAX ? "too long" : "empty");
		return -EBADMSG;
	}
	skip_blanks(&reader);
	value = (struct tree){ reader.at, reader.end };
	sound = check_value(&reader, 0);
	skip_blanks(&reader);
	if (sound && reader.at < reader.end)
		sound = wrong(&reader, "something follows the value");
	free(reader.keys);
	if (!sound) {
		describe(&reader, ret_error);
		return reader.no_memory ? -ENOMEM : -EBADMSG;
	}
	*ret_tree = value;
	return 0;
}

/* ------------------------------------------------------------------ finding the way in a checked text */

static const char *after_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

/* 0x80 where a byte of the word is `c`, and perhaps in bytes above such a one. */
static uint64_t bytes_equal_to(uint64_t word, unsigned char c)
{
	const uint64_t ones = UINT64_MAX / 255;
	uint64_t x = word ^ c * ones;

	return (x - ones) & ~x & ones << 7;
}

/* The next quotation mark or backslash. Most of a text is strings, and most of the time goes into stepping over them: eight
 * bytes at a time. */
static const char *find_special(const char *p, const char *end)
{
	uint64_t word;

	for (; end - p >= 8; p += 8) {
		memcpy(&word, p, 8);
		if (bytes_equal_to(word, '"') | bytes_equal_to(word, '\\'))
			break;
	}
	while (p < end && *p != '"' && *p != '\\')
		p++;
	return p;
}

static const char *after_string(const char *p, const char *end)
{
	p = find_special(p + 1, end);
	while (end - p >= 2 && *p == '\\')
		p = find_special(p + 2, end);
	return p < end ? p + 1 : end;
}

static const char *after_container(const char *p, const char *end)
{
	unsigned depth = 0;

	while (p < end) {
		switch (*p) {
		case '"':
			p = after_string(p, end);
			continue;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return p + 1;
			break;
		}
		p++;
	}
	return end;
}

static const char *after_value(struct tree value)
{
	const char *p = value.text;

	if (*p == '"')
		return after_string(p, value.end);
	if (*p == '{' || *p == '[')
		return after_container(p, value.end);
	while (p < value.end && !is_blank(*p) && *p != ',' && *p != ']' && *p != '}')
		p++;
	return p;
}

size_t tree_span(struct tree value)
{
	return value.text ? (size_t)(after_value(value) - value.text) : 0;
}

enum tree_kind tree_kind(struct tree value)
{
	if (!value.text)
		return TREE_NONE;
	switch (*value.text) {
	case '{':
		return TREE_OBJECT;
	case '[':
		return TREE_ARRAY;
	case '"':
		return TREE_STRING;
	case 't':
		return TREE_TRUE;
	case 'f':
		return TREE_FALSE;
	case 'n':
		return TREE_NULL;
	default:
		for (const char *p = value.text, *end = after_value(value); p < end; p++)
			if (*p == '.' || *p == 'e' || *p == 'E')
				return TREE_REAL;
		return TREE_INTEGER;
	}
}

struct tree tree_value_of(struct tree key)
{
	const char *colon = after_blanks(after_string(key.text, key.end), key.end);

	return (struct tree){ after_blanks(colon < key.end ? colon + 1 : colon, key.end), key.end };
}

struct tree_steps tree_begin(struct tree container)
{
	struct tree_steps steps = { .end = container.end };

	if (container.text && (*container.text == '{' || *container.text == '[')) {
		steps.next = container.text + 1;
		steps.is_object = *container.text == '{';
	}
	return steps;
}

bool tree_next(struct tree_steps *steps)
{
	const char *p = steps->value.text ? after_value(steps->value) : steps->next;

	if (!p)
		return false;
	p = after_blanks(p, steps->end);
	if (p < steps->end && *p == ',')
		p = after_blanks(p + 1, steps->end);
	if (p >= steps->end || *p == '}' || *p == ']') {
		*steps = (struct tree_steps){ .end = steps->end };
		return false;
	}
	if (steps->is_object) {
		steps->key = (struct tree){ p, steps->end };
		steps->value = tree_value_of(steps->key);
	} else {
		steps->value = (struct tree){ p, steps->end };
	}
	return true;
}

struct tree tree_get(struct tree object, const char *key)
{
	struct tree_steps steps = tree_begin(object);

	while (tree_next(&steps))
		if (tree_is(steps.key, key))
			return steps.value;
	return (struct tree){ 0 };
}

struct tree tree_get_kind(struct tree object, const char *key, enum tree_kind kind)
{
	struct tree value = tree_get(object, key);

	return tree_kind(value) == kind ? value : (struct tree){ 0 };
}

size_t tree_count(struct tree container)
{
	struct tree_steps steps = tree_begin(container);
	size_t count = 0;

	while (tree_next(&steps))
		count++;
	return count;
}

/* ------------------------------------------------------------------ strings and numbers */

static bool is_string(struct tree value)
{
	return value.text && *value.text == '"';
}

int tree_compare(struct tree a, struct tree b)
{
	struct tree_bytes left = tree_bytes_begin(a), right = tree_bytes_begin(b);
	int x, y;

	do {
		x = tree_bytes_next(&left);
		y = tree_bytes_next(&right);
	} while (x == y && x >= 0);
	return x - y;
}

int tree_compare_text(struct tree string, const char *text)
{
	struct tree_bytes bytes = tree_bytes_begin(string);
	const unsigned char *p = (const unsigned char *)text;
	int x, y;

	do {
		x = tree_bytes_next(&bytes);
		y = *p ? *p++ : -1;
	} while (x == y && x >= 0);
	return x - y;
}

bool tree_is(struct tree string, const char *text)
{
	return is_string(string) && tree_compare_text(string, text) == 0;
}

size_t tree_string_size(struct tree string)
{
	struct tree_bytes bytes;
	size_t size = 0;

	if (!is_string(string))
		return 0;
	bytes = tree_bytes_begin(string);
	while (tree_bytes_next(&bytes) >= 0)
		size++;
	return size;
}

int tree_string(struct tree string, char *ret_text, size_t room)
{
	struct tree_bytes bytes;
	size_t size = 0;
	int c;

	if (!string.text)
		return -ENOENT;
	if (!is_string(string))
		return -EINVAL;
	bytes = tree_bytes_begin(string);
	while ((c = tree_bytes_next(&bytes)) >= 0) {
		if (c == 0)
			return -EINVAL;
		if (size + 1 >= room)
			return -ERANGE;
		ret_text[size++] = (char)c;
	}
	ret_text[size] = '\0';
	return 0;
}

int tree_string_new(struct tree string, char **ret_text)
{
	size_t room = tree_string_size(string) + 1;
	char *text = malloc(room);
	int r = text ? tree_string(string, text, room) : -ENOMEM;

	if (r < 0) {
		free(text);
		return r;
	}
	*ret_text = text;
	return 0;
}

const char *tree_label(struct tree string, char *ret_text, size_t room)
{
	struct tree_bytes bytes;
	size_t size = 0;
	int c;

	if (is_string(string)) {
		bytes = tree_bytes_begin(string);
		while (size + 1 < room && (c = tree_bytes_next(&bytes)) >= 0)
			ret_text[size++] = c < 0x20 || c > 0x7e ? '?' : (char)c;
	}
	ret_text[size] = '\0';
	return ret_text;
}

int tree_u64(struct tree value, uint64_t *ret_value)
{
	uint64_t number = 0;

	if (!value.text)
		return -ENOENT;
	if (tree_kind(value) != TREE_INTEGER)
		return -EINVAL;
	/* "-0" has no place where TUF wants a count. */
	for (const char *p = value.text, *end = after_value(value); p < end; p++)
		if (!is_digit(*p) || __builtin_mul_overflow(number, (uint64_t)10, &number) ||
		    __builtin_add_overflow(number, (uint64_t)(*p - '0'), &number) || number > INT64_MAX)
			return -EINVAL;
	*ret_value = number;
	return 0;
}

int tree_hex(struct tree string, uint8_t *ret_data, size_t size)
{
	struct tree_bytes bytes;
	char digits[3] = "";

	if (!string.text)
		return -ENOENT;
	if (tree_string_size(string) != 2 * size)
		return -EINVAL;
	bytes = tree_bytes_begin(string);
	for (size_t i = 0; i < size; i++) {
		digits[0] = (char)tree_bytes_next(&bytes);
		digits[1] = (char)tree_bytes_next(&bytes);
		if (hex_parse(digits, ret_data + i, 1) < 0)
			return -EINVAL;
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/canonical.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "signing/sha256.h"

#define DEPTH_MOST 64u

static int add_text(struct buffer *text, const char *s)
{
	return buffer_add(text, s, strlen(s));
}

static int format_string(const char *s, size_t size, struct buffer *text)
{
	size_t start = 0;
	int r = add_text(text, "\"");

	for (size_t i = 0; r == 0 && i < size; i++) {
		if (s[i] != '"' && s[i] != '\\')
			continue;
		r = buffer_add(text, s + start, i - start);
		if (r == 0)
			r = add_text(text, "\\");
		start = i;
	}
	if (r == 0 && size > start)
		r = buffer_add(text, s + start, size - start);
	return r < 0 ? r : add_text(text, "\"");
}

static int format_value(const json_t *value, unsigned depth, struct buffer *text);

static int format_array(const json_t *array, unsigned depth, struct buffer *text)
{
	int r = add_text(text, "[");

	for (size_t i = 0; r == 0 && i < json_array_size(array); i++) {
		if (i > 0)
			r = add_text(text, ",");
		if (r == 0)
			r = format_value(json_array_get(array, i), depth + 1, text);
	}
	return r < 0 ? r : add_text(text, "]");
}

/* Byte order of UTF-8 is the order of code points. */
static int compare_keys(const void *a, const void *b)
{
	const char *const *left = a, *const *right = b;

	return strcmp(*left, *right);
}

static int format_object(const json_t *object, unsigned depth, struct buffer *text)
{
	size_t n = json_object_size(object), count = 0;
	const char **keys = calloc(n + 1, sizeof(*keys));
	const char *key;
	json_t *value, *mutable = json_iterable(object);
	int r;

	if (!keys)
		return -ENOMEM;
	json_object_foreach(mutable, key, value)
		keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	r = add_text(text, "{");
	for (size_t i = 0; r == 0 && i < count; i++) {
		if (i > 0)
			r = add_text(text, ",");
		if (r == 0)
			r = format_string(keys[i], strlen(keys[i]), text);
		if (r == 0)
			r = add_text(text, ":");
		if (r == 0)
			r = format_value(json_object_get(object, keys[i]), depth + 1, text);
	}
	free(keys);
	return r < 0 ? r : add_text(text, "}");
}

static int format_value(const json_t *value, unsigned depth, struct buffer *text)
{
	if (depth > DEPTH_MOST)
		return -EINVAL;
	switch (json_typeof(value)) {
	case JSON_OBJECT:
		return format_object(value, depth, text);
	case JSON_ARRAY:
		return format_array(value, depth, text);
	case JSON_STRING:
		return format_string(json_string_value(value), json_string_length(value), text);
	case JSON_INTEGER:
		return buffer_printf(text, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	case JSON_TRUE:
		return add_text(text, "true");
	case JSON_FALSE:
		return add_text(text, "false");
	case JSON_NULL:
		return add_text(text, "null");
	case JSON_REAL:
		break;
	}
	return -EINVAL;
}

int canonical_format(const json_t *value, struct buffer *ret_text)
{
	return format_value(value, 0, ret_text);
}

int canonical_sha256(const json_t *value, uint8_t ret_digest[32])
{
	struct buffer text = { 0 };
	int r = canonical_format(value, &text);

	if (r == 0)
		sha256_once(text.data, text.size, ret_digest);
	buffer_release(&text);
	return r;
}

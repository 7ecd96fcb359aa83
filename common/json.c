/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/json.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

/* Nesting of what is parsed, without recursion: a value of 1 to JSON_DEPTH_MOST deep braces and brackets
 * outside strings. jansson's own recursion is bounded only at 2048, which is much for a small stack. */
static int check_depth(const char *text, size_t size)
{
	unsigned depth = 0;
	int in_string = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = 0;
		} else if (c == '"') {
			in_string = 1;
		} else if (c == '{' || c == '[') {
			if (++depth > JSON_DEPTH_MOST)
				return -EINVAL;
		} else if ((c == '}' || c == ']') && depth) {
			depth--;
		}
	}
	return 0;
}

json_t *json_parse(const void *text, size_t size, char ret_error[160])
{
	json_error_t error;
	json_t *value;

	if (!text || check_depth(text, size) < 0) {
		snprintf(ret_error, 160, text ? "JSON nested deeper than %d" : "empty", JSON_DEPTH_MOST);
		return NULL;
	}
	value = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
	if (!value)
		snprintf(ret_error, 160, "not JSON: line %d: %.120s", error.line, error.text);
	return value;
}

const char *json_get_string(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

json_t *json_get_object(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_object(value) ? value : NULL;
}

json_t *json_get_array(const json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	return json_is_array(value) ? value : NULL;
}

int json_get_u64(const json_t *object, const char *key, uint64_t *ret_value)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return -ENOENT;
	if (!json_is_integer(value) || json_integer_value(value) < 0)
		return -EINVAL;
	*ret_value = (uint64_t)json_integer_value(value);
	return 0;
}

int json_get_hex(const json_t *object, const char *key, uint8_t *ret_data, size_t size)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return -ENOENT;
	/* A string with an escaped NUL is shorter for C than for JSON. */
	if (!json_is_string(value) || json_string_length(value) != 2 * size)
		return -EINVAL;
	return hex_parse(json_string_value(value), ret_data, size);
}

char *json_format(const json_t *value)
{
	return json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY);
}

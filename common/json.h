/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small helpers over jansson for reading JSON that comes from outside. */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH_MOST 32

/* Parses one JSON object or array of at most JSON_DEPTH_MOST nesting (jansson's own bound is 2048) and rejects
 * duplicate keys. A new reference, or NULL with a sentence in `ret_error` (160 bytes). */
json_t *json_parse(const void *text, size_t size, char ret_error[160]);

/* The member's value, or NULL when it is absent or of another type. Borrowed. */
const char *json_get_string(const json_t *object, const char *key);
json_t *json_get_object(const json_t *object, const char *key);
json_t *json_get_array(const json_t *object, const char *key);
/* A whole number of 0 … INT64_MAX. 0, -ENOENT when absent, -EINVAL otherwise. */
int json_get_u64(const json_t *object, const char *key, uint64_t *ret_value);
/* Exactly `size` bytes as 2 * size hexadecimal digits. 0, -ENOENT or -EINVAL. */
int json_get_hex(const json_t *object, const char *key, uint8_t *ret_data, size_t size);

/* jansson's iterators want a value that isn't const, and don't change it. */
static inline json_t *json_iterable(const json_t *value)
{
	return (json_t *)(uintptr_t)value;
}

/* Compact text with sorted keys, malloc'd (the caller frees); NULL when out of memory. */
char *json_format(const json_t *value);

#endif

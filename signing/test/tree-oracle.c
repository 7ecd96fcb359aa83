/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/test/tree-oracle.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "signing/canonical.h"
#include "signing/json.h"

static bool is_same(struct tree tree, const json_t *json);

static bool is_same_string(struct tree tree, const char *text, size_t size)
{
	struct tree_bytes bytes = tree_bytes_begin(tree);

	for (size_t i = 0; i < size; i++)
		if (tree_bytes_next(&bytes) != (unsigned char)text[i])
			return false;
	return tree_bytes_next(&bytes) < 0 && tree_string_size(tree) == size;
}

static bool is_same_integer(struct tree tree, json_int_t value)
{
	size_t span = tree_span(tree);
	char digits[32] = "";
	uint64_t number;

	if (tree_kind(tree) != TREE_INTEGER || span >= sizeof(digits))
		return false;
	memcpy(digits, tree.text, span);
	if (strtoll(digits, NULL, 10) != value)
		return false;
	/* "-0" is no count. */
	if (value < 0 || *tree.text == '-')
		return tree_u64(tree, &number) < 0;
	return tree_u64(tree, &number) == 0 && number == (uint64_t)value;
}

static bool is_same_array(struct tree tree, const json_t *json)
{
	struct tree_steps steps = tree_begin(tree);
	size_t n = 0;

	for (; tree_next(&steps); n++)
		if (!is_same(steps.value, json_array_get(json, n)))
			return false;
	return tree_kind(tree) == TREE_ARRAY && n == json_array_size(json) && n == tree_count(tree);
}

static bool is_same_object(struct tree tree, const json_t *json)
{
	struct tree_steps steps = tree_begin(tree);
	size_t n = 0;

	for (; tree_next(&steps); n++) {
		char *key;
		const json_t *value;

		if (tree_string_new(steps.key, &key) < 0)
			return false;
		value = json_object_get(json, key);
		if (!value || !is_same(steps.value, value) || tree_get(tree, key).text != steps.value.text) {
			free(key);
			return false;
		}
		free(key);
	}
	return tree_kind(tree) == TREE_OBJECT && n == json_object_size(json) && n == tree_count(tree);
}

static bool is_same(struct tree tree, const json_t *json)
{
	if (!json)
		return false;
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return is_same_object(tree, json);
	case JSON_ARRAY:
		return is_same_array(tree, json);
	case JSON_STRING:
		return is_same_string(tree, json_string_value(json), json_string_length(json));
	case JSON_INTEGER:
		return is_same_integer(tree, json_integer_value(json));
	case JSON_REAL:
		return tree_kind(tree) == TREE_REAL;
	case JSON_TRUE:
		return tree_kind(tree) == TREE_TRUE;
	case JSON_FALSE:
		return tree_kind(tree) == TREE_FALSE;
	case JSON_NULL:
		return tree_kind(tree) == TREE_NULL;
	}
	return false;
}

static bool has_real(const json_t *json)
{
	const char *key;
	json_t *value, *mutable = json_iterable(json);
	size_t i;

	if (json_is_real(json))
		return true;
	json_array_foreach(mutable, i, value)
		if (has_real(value))
			return true;
	json_object_foreach(mutable, key, value)
		if (has_real(value))
			return true;
	return false;
}

/* The canonical form must mean the same, be its own canonical form, and be what the canonical form of jansson's writing is. */
static const char *check_canonical(struct tree tree, const json_t *json)
{
	struct buffer first = { 0 }, second = { 0 }, third = { 0 };
	char error[TREE_ERROR_SIZE], *written = json_dumps(json, JSON_ENCODE_ANY | JSON_INDENT(3));
	const char *complaint = NULL;
	struct tree again, other;
	int r = canonical_format(tree, &first);

	if (has_real(json))
		complaint = r == 0 ? "a real number got a canonical form" : NULL;
	else if (r < 0)
		complaint = "no canonical form";
	else if (first.size > tree_span(tree))
		complaint = "the canonical form is longer than the text";
	else if (written && tree_parse(written, strlen(written), &other, error) < 0)
		complaint = "jansson's writing isn't accepted";
	else if (written && (canonical_format(other, &third) < 0 || third.size != first.size ||
			     memcmp(third.data, first.data, first.size) != 0))
		complaint = "another canonical form of jansson's writing";
	/* Control characters stand raw in it, so not every canonical form is JSON. */
	else if (tree_parse(first.data, first.size, &again, error) == 0 &&
		 (!is_same(again, json) || canonical_format(again, &second) < 0 || second.size != first.size ||
		  memcmp(second.data, first.data, first.size) != 0))
		complaint = "the canonical form isn't its own";
	buffer_release(&first);
	buffer_release(&second);
	buffer_release(&third);
	free(written);
	return complaint;
}

const char *tree_compare_with_jansson(const void *text, size_t size, unsigned *ret_accepted)
{
	char sentence[TREE_ERROR_SIZE];
	struct tree tree = { 0 };
	json_error_t error;
	json_t *json = size ? json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL, &error) : NULL;
	int r = tree_parse(text, size, &tree, sentence);
	const char *complaint = NULL;

	/* jansson reads over a NUL that follows a number. JSON has no NUL anywhere. */
	if (size && memchr(text, '\0', size)) {
		complaint = r == 0 ? "a NUL was accepted" : NULL;
	} else if (r == 0 && !json && size) {
		enum json_error_code code = json_error_code(&error);

		if (code != json_error_numeric_overflow && code != json_error_null_byte_in_key)
			complaint = "only jansson refuses it";
	} else if (r < 0 && json) {
		complaint = strstr(sentence, "nested too deeply") ? NULL : "only jansson accepts it";
	} else if (json) {
		complaint = is_same(tree, json) ? check_canonical(tree, json) : "they read different values";
		(*ret_accepted)++;
	}
	json_decref(json);
	return complaint;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/canonical.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signing/sha256.h"

/* Where the text goes: there is room for the longest that it can get. Or, to compare, where it should stand already. */
struct writer {
	uint8_t *at, *end;
	const char *same, *same_end; /* NULL: write */
};

static int put(struct writer *writer, const void *data, size_t size)
{
	if (writer->same) {
		if ((size_t)(writer->same_end - writer->same) < size || memcmp(writer->same, data, size) != 0)
			return -EINVAL;
		writer->same += size;
		return 0;
	}
	if ((size_t)(writer->end - writer->at) < size)
		return -EINVAL;
	memcpy(writer->at, data, size);
	writer->at += size;
	return 0;
}

static int put_string(struct writer *writer, struct tree string)
{
	size_t span = tree_span(string);
	struct tree_bytes bytes = tree_bytes_begin(string);
	int r, c;

	/* As in most strings, there is nothing to resolve. */
	if (!memchr(string.text, '\\', span))
		return put(writer, string.text, span);
	r = put(writer, "\"", 1);
	while (r == 0 && (c = tree_bytes_next(&bytes)) >= 0) {
		char pair[2] = { '\\', (char)c };

		r = c == '"' || c == '\\' ? put(writer, pair, 2) : put(writer, pair + 1, 1);
	}
	return r < 0 ? r : put(writer, "\"", 1);
}

static int put_value(struct writer *writer, struct tree value);

static int put_array(struct writer *writer, struct tree array)
{
	struct tree_steps steps = tree_begin(array);
	int r = put(writer, "[", 1);

	for (bool first = true; r == 0 && tree_next(&steps); first = false) {
		if (!first)
			r = put(writer, ",", 1);
		if (r == 0)
			r = put_value(writer, steps.value);
	}
	return r < 0 ? r : put(writer, "]", 1);
}

static int put_member(struct writer *writer, struct tree key, bool first)
{
	int r = first ? 0 : put(writer, ",", 1);

	if (r == 0)
		r = put_string(writer, key);
	if (r == 0)
		r = put(writer, ":", 1);
	return r < 0 ? r : put_value(writer, tree_value_of(key));
}

static bool is_sorted(struct tree object)
{
	struct tree_steps steps = tree_begin(object);
	struct tree before = { 0 };

	while (tree_next(&steps)) {
		if (!tree_is_none(before) && tree_compare(before, steps.key) > 0)
			return false;
		before = steps.key;
	}
	return true;
}

static int compare_keys(const void *a, const void *b)
{
	const struct tree *left = a, *right = b;

	return tree_compare(*left, *right);
}

static int put_unsorted(struct writer *writer, struct tree object)
{
	struct tree_steps steps = tree_begin(object);
	size_t count = tree_count(object), at = 0;
	struct tree *keys = calloc(count, sizeof(*keys));
	int r = keys ? 0 : -ENOMEM;

	while (keys && tree_next(&steps))
		keys[at++] = steps.key;
	if (keys)
		qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put_member(writer, keys[i], i == 0);
	free(keys);
	return r;
}

static int put_object(struct writer *writer, struct tree object)
{
	struct tree_steps steps = tree_begin(object);
	struct tree before = { 0 };
	int r = put(writer, "{", 1);

	if (r == 0 && !writer->same && !is_sorted(object)) {
		r = put_unsorted(writer, object);
		return r < 0 ? r : put(writer, "}", 1);
	}
	for (; r == 0 && tree_next(&steps); before = steps.key) {
		bool first = tree_is_none(before);

		/* To compare, the order is looked at on the way. */
		if (writer->same && !first && tree_compare(before, steps.key) > 0)
			return -EINVAL;
		r = put_member(writer, steps.key, first);
	}
	return r < 0 ? r : put(writer, "}", 1);
}

/* As deep as tree_parse lets a text be. */
static int put_value(struct writer *writer, struct tree value)
{
	size_t span;

	switch (tree_kind(value)) {
	case TREE_OBJECT:
		return put_object(writer, value);
	case TREE_ARRAY:
		return put_array(writer, value);
	case TREE_STRING:
		return put_string(writer, value);
	case TREE_INTEGER:
		span = tree_span(value);
		/* The reference knows no negative zero. */
		return span == 2 && memcmp(value.text, "-0", 2) == 0 ? put(writer, "0", 1) : put(writer, value.text, span);
	case TREE_TRUE:
	case TREE_FALSE:
	case TREE_NULL:
		return put(writer, value.text, tree_span(value));
	case TREE_REAL:
	case TREE_NONE:
		break;
	}
	return -EINVAL;
}

int canonical_format(struct tree value, struct buffer *ret_text)
{
	/* Exactly, not by doubling: of the largest documents this is a third of all memory. */
	size_t room = ret_text->size + tree_span(value) + 1;
	uint8_t *data = ret_text->data;
	struct writer writer;
	int r;

	if (room > ret_text->room) {
		data = realloc(data, room);
		if (!data)
			return -ENOMEM;
		ret_text->data = data;
		ret_text->room = room;
	}
	writer = (struct writer){ .at = data + ret_text->size, .end = data + ret_text->room - 1 };
	r = put_value(&writer, value);
	if (r == 0)
		ret_text->size = (size_t)(writer.at - data);
	data[ret_text->size] = '\0';
	return r;
}

bool canonical_is_text(struct tree value)
{
	size_t span = tree_span(value);
	struct writer writer = { .same = value.text, .same_end = value.text + span };

	return span > 0 && put_value(&writer, value) == 0 && writer.same == writer.same_end;
}

int canonical_sha256(struct tree value, uint8_t ret_digest[32])
{
	struct buffer text = { 0 };
	int r = canonical_format(value, &text);

	if (r == 0)
		sha256_once(text.data, text.size, ret_digest);
	buffer_release(&text);
	return r;
}

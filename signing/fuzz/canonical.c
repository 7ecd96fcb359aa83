/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The canonical form: two texts that mean the same have the same one. The second text is made from the first by putting blanks
 * between its parts and its members in the opposite order. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "signing/canonical.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_otherwise(struct tree value, struct buffer *text);

/* Escapes what needn't be, and nothing that must be raw. */
static void write_string(struct tree string, struct buffer *text)
{
	struct tree_bytes bytes = tree_bytes_begin(string);
	int c;

	buffer_add(text, "\"", 1);
	while ((c = tree_bytes_next(&bytes)) >= 0) {
		uint8_t byte = (uint8_t)c;

		if (c < 0x80)
			buffer_printf(text, "\\u%04X", (unsigned)c);
		else
			buffer_add(text, &byte, 1);
	}
	buffer_add(text, "\"", 1);
}

static void write_container(struct tree value, bool is_object, struct buffer *text)
{
	struct tree_steps steps = tree_begin(value);
	size_t count = tree_count(value), at = 0;
	struct tree *all = calloc(count + 1, sizeof(*all));

	if (!all)
		return;
	while (tree_next(&steps))
		all[at++] = is_object ? steps.key : steps.value;
	buffer_add(text, is_object ? "{ " : "[ ", 2);
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			buffer_add(text, " , ", 3);
		if (is_object) {
			write_string(all[count - 1 - i], text);
			buffer_add(text, "\t:\n", 3);
			write_otherwise(tree_value_of(all[count - 1 - i]), text);
		} else {
			write_otherwise(all[i], text);
		}
	}
	buffer_add(text, is_object ? " }" : " ]", 2);
	free(all);
}

static void write_otherwise(struct tree value, struct buffer *text)
{
	enum tree_kind kind = tree_kind(value);

	if (kind == TREE_OBJECT || kind == TREE_ARRAY)
		write_container(value, kind == TREE_OBJECT, text);
	else if (kind == TREE_STRING)
		write_string(value, text);
	else
		buffer_add(text, value.text, tree_span(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer written = { 0 }, first = { 0 }, second = { 0 };
	char error[TREE_ERROR_SIZE];
	struct tree tree, other;
	int r;

	if (tree_parse(data, size, &tree, error) < 0)
		return 0;
	write_otherwise(tree, &written);
	if (tree_parse(written.data, written.size, &other, error) < 0)
		abort();
	r = canonical_format(tree, &first);
	if (r == 0 && canonical_is_text(tree) !=
			      (first.size == tree_span(tree) && memcmp(first.data, tree.text, first.size) == 0))
		abort();
	if (canonical_format(other, &second) != r || first.size != second.size ||
	    (first.size && memcmp(first.data, second.data, first.size) != 0))
		abort();
	buffer_release(&written);
	buffer_release(&first);
	buffer_release(&second);
	return 0;
}

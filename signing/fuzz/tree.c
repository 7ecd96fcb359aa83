/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The JSON reader and the canonical form against jansson. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "signing/json.h"
#include "signing/test/tree-oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each value by each of the functions, whatever it is. */
static void look_at(struct tree value, const char *begin, const char *end)
{
	struct tree_steps steps = tree_begin(value);
	uint8_t bytes[4];
	uint64_t number;
	char text[16], *copy;

	if (value.text < begin || value.text + tree_span(value) > end)
		abort();
	if (tree_string_new(value, &copy) == 0) {
		if (!tree_is(value, copy))
			abort();
		free(copy);
	}
	(void)!tree_string(value, text, sizeof(text));
	(void)!tree_u64(value, &number);
	(void)!tree_hex(value, bytes, sizeof(bytes));
	(void)tree_label(value, text, sizeof(text));
	(void)tree_get(value, "a");
	while (tree_next(&steps)) {
		if (!tree_is_none(steps.key))
			look_at(steps.key, begin, end);
		look_at(steps.value, begin, end);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *begin = (const char *)data, *complaint;
	char error[TREE_ERROR_SIZE];
	struct tree tree = { 0 };
	unsigned accepted = 0;

	if (tree_parse(data, size, &tree, error) == 0)
		look_at(tree, begin, begin + size);
	complaint = tree_compare_with_jansson(data, size, &accepted);
	if (complaint) {
		fprintf(stderr, "%s\n", complaint);
		abort();
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of a text that goes on and on, in a bounded piece of memory. */
#ifndef COMMON_TAIL_H
#define COMMON_TAIL_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: empty. */
struct tail {
	char *data; /* `most` bytes of the owner's */
	size_t most, size;
	bool cut;   /* something before it is gone */
};

/* Appends; what isn't printable ASCII, a tab or a newline becomes '?'. The oldest bytes go where there is no room. */
void tail_add(struct tail *tail, const char *text, size_t size);
/* What is kept, from the first whole line on. Not terminated; valid until the next tail_add. */
const char *tail_text(const struct tail *tail, size_t *ret_size);

/* Leaves the last half of a text, or less: from a whole line on where there is one. */
void text_halve(const char **text, size_t *size);

#endif

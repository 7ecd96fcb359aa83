/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which bytes of an old file the bytes of a new one resemble. Memory only.
 *
 * Compiled code that moved by a few bytes differs from its former self in an address here and there, so equal runs alone
 * would be short. A piece is therefore a row of bytes most of which equal the old ones; what remains, the bytewise
 * difference, is mostly zeros. (The idea is Colin Percival's: "Naive differences of executable code", 2003.) */
#ifndef IMAGES_DIFFERENCE_H
#define IMAGES_DIFFERENCE_H

#include <stddef.h>
#include <stdint.h>

#define PIECE_LITERAL UINT64_MAX
#define DIFFERENCE_MOST (512u << 20) /* bytes of a file; needs five times the old file as memory */

/* `size` bytes at `at` resemble those at `old`, or (PIECE_LITERAL) nothing. */
struct piece {
	uint64_t at;
	uint64_t old;
	uint64_t size;
};

struct pieces {
	struct piece *list;
	size_t count;
	size_t room;
};

/* Appends a piece, or lengthens the last one by it when they fit together. 0 or -ENOMEM. */
int pieces_add(struct pieces *pieces, uint64_t at, uint64_t old, uint64_t size);
void pieces_release(struct pieces *pieces);

/* Appends pieces that cover all of `fresh`, in order, with offsets within the two files. The same bytes give the same
 * pieces. 0, -EFBIG above DIFFERENCE_MOST, or -ENOMEM. */
int difference_find(const uint8_t *old, size_t old_size, const uint8_t *fresh, size_t fresh_size,
		    struct pieces *ret_pieces);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strict JSON (RFC 8259, UTF-8) for metadata that comes from anywhere, read where it lies.
 *
 * The whole text is checked once; from then on a value is no more than a place in that text, and nothing is allocated
 * for it. So 10,000 image descriptions take no memory beside their own bytes. The price is that looking for a member reads
 * the object from its beginning: whoever looks up often makes an index (tuf_document has one).
 *
 * Refused: bytes that aren't UTF-8, a byte order mark, lone surrogates, raw control characters, keys that occur twice in
 * one object (however they are escaped), nesting deeper than TREE_DEPTH_MOST, and texts of 4 GiB and more.
 * Numbers of any size are read; only those that fit have a value (tree_u64).
 *
 * Pure. The functions that look into values take any value, also TREE_NONE, and give "nothing" for what isn't there or is
 * of another kind, so that chains need no checks in between. */
#ifndef SIGNING_JSON_H
#define SIGNING_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TREE_DEPTH_MOST 32u
#define TREE_ERROR_SIZE 160

enum tree_kind {
	TREE_NONE, /* there is no such value */
	TREE_OBJECT, TREE_ARRAY, TREE_STRING,
	TREE_INTEGER, /* no fraction, no exponent */
	TREE_REAL,
	TREE_TRUE, TREE_FALSE, TREE_NULL,
};

/* A value of a text that tree_parse found sound: borrowed, valid as long as the text is. All zero is TREE_NONE. */
struct tree {
	const char *text; /* its first character */
	const char *end;  /* of the whole text */
};

/* Checks the text: one value and nothing but blanks around it. 0; -EBADMSG with a sentence that names line and column in
 * ret_error (TREE_ERROR_SIZE bytes); -ENOMEM. */
int tree_parse(const void *text, size_t size, struct tree *ret_tree, char *ret_error);

enum tree_kind tree_kind(struct tree value);
static inline bool tree_is_none(struct tree value)
{
	return !value.text;
}

/* The value as it stands in the text: its bytes begin at value.text. */
size_t tree_span(struct tree value);

/* The member of an object, or TREE_NONE. */
struct tree tree_get(struct tree object, const char *key);
/* The same, but TREE_NONE too when the member is of another kind. */
struct tree tree_get_kind(struct tree object, const char *key, enum tree_kind kind);
/* The value of the member whose key (of a struct tree_steps) this is. */
struct tree tree_value_of(struct tree key);
/* Members of an object or elements of an array. */
size_t tree_count(struct tree container);

/* Walks over an object or an array in the order of the text (over anything else: nothing).
 *
 *	struct tree_steps steps = tree_begin(object);
 *
 *	while (tree_next(&steps))
 *		look_at(steps.key, steps.value); */
struct tree_steps {
	struct tree key;   /* of a member; TREE_NONE in an array */
	struct tree value;
	const char *next, *end; /* private */
	bool is_object;
};
struct tree_steps tree_begin(struct tree container);
bool tree_next(struct tree_steps *steps);

/* Strings: what they mean, escapes resolved. */
struct tree_bytes {
	const char *at, *end; /* all of this is private */
	uint8_t pending[4];
	uint8_t count, given;
};
struct tree_bytes tree_bytes_begin(struct tree string);
/* The next byte, or -1 behind the last one. */
int tree_bytes_next(struct tree_bytes *bytes);
bool tree_is(struct tree string, const char *text);
/* In the order of code points, which is that of UTF-8's bytes; < 0, 0 or > 0. Both must be strings. */
int tree_compare(struct tree a, struct tree b);
int tree_compare_text(struct tree string, const char *text);
/* Bytes without a NUL behind them; 0 for what isn't a string. */
size_t tree_string_size(struct tree string);
/* The string with a NUL behind it: -ENOENT when it is TREE_NONE; -EINVAL when it isn't a string or holds a NUL itself;
 * -ERANGE when it needs more than `room` bytes with its NUL. */
int tree_string(struct tree string, char *ret_text, size_t room);
/* The same, malloc'd: the caller frees. 0, -ENOENT, -EINVAL or -ENOMEM. */
int tree_string_new(struct tree string, char **ret_text);
/* For sentences: what is printable of a string, cut at `room`; "?" for what isn't. Returns ret_text. */
const char *tree_label(struct tree string, char *ret_text, size_t room);

/* A whole number of 0 … INT64_MAX. 0, -ENOENT when TREE_NONE, or -EINVAL. */
int tree_u64(struct tree value, uint64_t *ret_value);
/* Exactly `size` bytes as 2 * size hexadecimal digits. 0, -ENOENT when TREE_NONE, or -EINVAL. */
int tree_hex(struct tree string, uint8_t *ret_data, size_t size);

#endif

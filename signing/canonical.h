/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical JSON (OLPC's, as TUF's reference implementation writes it): the bytes that are signed and hashed.
 *
 *   no white space; keys in the order of their code points; strings in UTF-8 with only \" and \\ escaped;
 *   whole numbers only
 *
 * Pure. */
#ifndef SIGNING_CANONICAL_H
#define SIGNING_CANONICAL_H

#include <jansson.h>
#include <stdint.h>

#include "common/bytes.h"

/* jansson's iterators want a value that isn't const, and don't change it. */
static inline json_t *json_iterable(const json_t *value)
{
	return (json_t *)(uintptr_t)value;
}

/* Appends the canonical form of `value` to `ret_text`. 0, -EINVAL for a real number (it has no canonical form) or
 * nesting deeper than 64, or -ENOMEM; on error `ret_text` holds a part. */
int canonical_format(const json_t *value, struct buffer *ret_text);

/* The SHA-256 of the canonical form. Errors as above. */
int canonical_sha256(const json_t *value, uint8_t ret_digest[32]);

#endif

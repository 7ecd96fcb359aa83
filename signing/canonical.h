/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Canonical JSON (OLPC's, as TUF's reference implementation writes it): the bytes that are signed and hashed.
 *
 *   no white space; keys in the order of their code points; strings in UTF-8 with only \" and \\ escaped, so that control
 *   characters stand as they are; whole numbers only, of any size
 *
 * It is never longer than the text it is made of. Pure. */
#ifndef SIGNING_CANONICAL_H
#define SIGNING_CANONICAL_H

#include <stdint.h>

#include "common/bytes.h"
#include "signing/json.h"

/* Appends the canonical form of `value` to `ret_text`. 0, -EINVAL for a number with fraction or exponent (it has no
 * canonical form) or for TREE_NONE, or -ENOMEM; on error `ret_text` is unchanged. */
int canonical_format(struct tree value, struct buffer *ret_text);

/* Whether the value stands in its text just as its canonical form is, as in files that were written to save memory: then the
 * bytes at value.text (tree_span of them) are the canonical form. false also when memory runs out. */
bool canonical_is_text(struct tree value);

/* The SHA-256 of the canonical form. Errors as above. */
int canonical_sha256(struct tree value, uint8_t ret_digest[32]);

#endif

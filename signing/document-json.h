/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the signing side, which changes JSON with jansson, and the verifying side, which only reads it. Host only. */
#ifndef SIGNING_DOCUMENT_JSON_H
#define SIGNING_DOCUMENT_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "common/bytes.h"
#include "signing/format.h"

/* A value for changing. A new reference, or NULL: out of memory, or a number or NUL that jansson can't hold. */
json_t *tree_to_json(struct tree value);

/* The "signed" part of a document. As above. */
json_t *tuf_document_to_json(const struct tuf_document *document);

/* Appends the canonical form (signing/canonical.h). 0, -EINVAL (a real number) or -ENOMEM. */
int json_canonical_format(const json_t *value, struct buffer *ret_text);
int json_canonical_sha256(const json_t *value, uint8_t ret_digest[32]);

/* tuf_keyid of a key. 0, -EINVAL or -ENOMEM. */
int json_keyid(const json_t *key, char ret_keyid[65]);

#endif

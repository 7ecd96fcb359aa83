/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and signing TUF metadata. No I/O. Never linked into what a node runs. */
#ifndef SIGNING_AUTHOR_H
#define SIGNING_AUTHOR_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "signing/format.h"
#include "signing/keys.h"

#define AUTHOR_SPEC_VERSION "1.0.31"
/* A member beside the specification's: key id -> name of its key, for people. Signed like everything else. */
#define AUTHOR_NAMES "x-repave-key-names"

/* The "signed" part that every role has. A new reference, or NULL (out of memory, or a time after 9999). */
json_t *author_body(enum tuf_type type, uint64_t version, int64_t expires);

/* Sets version and expiry of a body. 0, -EINVAL (a time after 9999) or -ENOMEM. */
int author_stamp(json_t *body, uint64_t version, int64_t expires);

/* A root for the given keys and thresholds (indexed by enum tuf_type). NULL as above. */
json_t *author_root(uint64_t version, int64_t expires, const struct signing_keys keys[4], const unsigned thresholds[4]);

/* `targets` is path -> { length, hashes, custom }. */
json_t *author_targets(uint64_t version, int64_t expires, json_t *targets);

/* Without targets, and without a sensible version and expiry yet. */
json_t *author_empty_targets(void);

/* What snapshot and timestamp say of a file: version, length and SHA-256 of its bytes. A new reference or NULL. */
json_t *author_meta(uint64_t version, const struct buffer *data);

/* Snapshot or timestamp: names `file` ("targets.json") with the version, length and SHA-256 of its bytes. */
json_t *author_naming(enum tuf_type type, uint64_t version, int64_t expires, const char *file, uint64_t file_version,
		      const struct buffer *data);

/* Appends a key's signature of document["signed"] to document["signatures"], in the place of an older one by the same key.
 * 0, -EINVAL (no canonical form), -EIO or -ENOMEM. */
int author_add_signature(json_t *document, const struct signing_key *key);
/* The same for a signature (hexadecimal) made elsewhere. */
int author_put_signature(json_t *document, const char *keyid, const char *signature);

/* Appends the text of a document as files have it. 0 or -ENOMEM. */
int author_format(const json_t *document, struct buffer *ret_text);

/* Signs `body` with every key, as often as it is in `keys`, and appends the whole document's text. 0, -EINVAL (no canonical form), -EIO or -ENOMEM. */
int author_sign(json_t *body, const struct signing_keys *keys, struct buffer *ret_text);

#endif

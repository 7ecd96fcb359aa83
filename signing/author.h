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

/* The "signed" part that every role has. A new reference, or NULL (out of memory, or a time after 9999). */
json_t *author_body(enum tuf_type type, uint64_t version, int64_t expires);

/* A root for the given keys and thresholds (indexed by enum tuf_type). NULL as above. */
json_t *author_root(uint64_t version, int64_t expires, const struct signing_keys keys[4], const unsigned thresholds[4]);

/* `targets` is path -> { length, hashes, custom }. */
json_t *author_targets(uint64_t version, int64_t expires, json_t *targets);

/* Snapshot or timestamp: names `file` ("targets.json") with the version, length and SHA-256 of its bytes. */
json_t *author_naming(enum tuf_type type, uint64_t version, int64_t expires, const char *file, uint64_t file_version,
		      const struct buffer *data);

/* Signs `body` with every key and appends the whole document's text. 0, -EINVAL (no canonical form) or -ENOMEM. */
int author_sign(json_t *body, const struct signing_keys *keys, struct buffer *ret_text);

#endif

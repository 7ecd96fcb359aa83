/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who signs for a role, and who has: for those who sign. What decides is the verifier's own code (signing/format.h); this
 * only asks it key by key. No I/O. */
#ifndef SIGNING_SIGNERS_H
#define SIGNING_SIGNERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "signing/format.h"

/* Borrowed from the body ("signed") of the role that delegates. */
struct signers {
	json_t *keys;     /* keyid -> key */
	json_t *keyids;   /* of the role */
	json_t *names;    /* keyid -> name; may be NULL */
	uint64_t threshold;
};

/* Of a top-level role in a root's body. 0 or -ENOENT. */
int signers_of_top(const json_t *root, const char *role, struct signers *ret_signers);
/* Of a delegated role in the body of the targets role that delegates. 0 or -ENOENT. */
int signers_of_delegated(const json_t *targets, const char *role, struct signers *ret_signers);
/* The delegation itself (an element of delegations.roles), or NULL. Borrowed. */
json_t *delegation_of(const json_t *targets, const char *role);

/* The name of a key, or the first 8 digits of its id. Valid as long as the signers are. */
const char *signers_key_name(const struct signers *signers, const char *keyid, char ret_short[16]);
/* The key id of what people write: a name, a key id, or 8 and more leading digits of one. NULL when there is none. */
const char *signers_find(const struct signers *signers, const char *text);
bool signers_have(const struct signers *signers, const char *keyid);

/* Whether two roles have the same keys, by their ids, and threshold. */
bool signers_are_same(const struct signers *a, const struct signers *b);

/* Whether a key with this id has signed the document. 0 or -errno; *ret_valid is false on errors. */
int signers_has_signed(const struct signers *signers, enum tuf_type type, const json_t *document, const char *keyid,
		       bool *ret_valid);
/* How many different keys have signed, and whether that reaches the threshold. 0 or -errno. */
int signers_count(const struct signers *signers, enum tuf_type type, const json_t *document, uint64_t *ret_count,
		  bool *ret_complete);

/* Appends "alice, bob": names of those who haven't signed. 0 or -errno. */
int signers_missing(const struct signers *signers, enum tuf_type type, const json_t *document, struct buffer *ret_names);

/* Whether the delegation lets its role speak for the path. */
bool delegation_has_path(const json_t *delegation, const char *path);

#endif

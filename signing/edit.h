/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Changes of who signs: rotation, thresholds, delegations; and signatures made elsewhere. All of it is staged and comes into
 * force with repository_publish_with. All functions say on stderr what went wrong; 0 or -errno; on errors nothing is changed. */
#ifndef SIGNING_EDIT_H
#define SIGNING_EDIT_H

#include "signing/repository.h"

/* Key files (.pub, .key, PEM) to add, and names or key ids to remove; both end with NULL and may be NULL. */
struct key_change {
	const char *const *add;
	const char *const *remove;
	unsigned threshold; /* 0: as it was */
};

/* Changes the keys of a top-level or delegated role, and stages what has to be signed anew: the root (or the targets, for
 * delegated roles), and the role's own metadata. */
int repository_rotate(struct repository *repository, const char *role, const struct key_change *change,
		      const struct repository_policy *policy, int64_t now);

struct delegation_change {
	const char *role;
	const char *const *paths; /* patterns; NULL: as they were */
	struct key_change keys;
	int terminating;          /* 1, 0, or -1: as it was (0 for a new one) */
};

/* A new delegation of the targets role, or a change of one. Stages the targets, and for a new one its empty metadata. */
int repository_delegate(struct repository *repository, const struct delegation_change *change,
			const struct repository_policy *policy, int64_t now);
int repository_undelegate(struct repository *repository, const char *role, const struct repository_policy *policy, int64_t now);

/* Appends the bytes that are to be signed for the role's staged metadata, which is made first when `renew` is set and nothing is
 * staged. -ENOENT when nothing is staged. */
int repository_payload(struct repository *repository, const char *role, bool renew, const struct repository_policy *policy,
		       int64_t now, struct buffer *ret_payload);

/* Adds a signature (raw Ed25519, DER of ECDSA, RSA-PSS, or one of them in hexadecimal) to the role's staged metadata.
 * `key` is a name or key id, or NULL: whoever's it is. -EKEYREJECTED when it isn't a signature of these bytes by such a key. */
int repository_attach(struct repository *repository, const char *role, const char *key, const struct buffer *signature);

/* Forgets what is staged: of one role, or (NULL) of all. Says what. */
int repository_discard(struct repository *repository, const char *role);

#endif

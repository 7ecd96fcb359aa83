/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TUF repository in memory that a test may forge as it likes, delegated roles included, and a node's store that it may
 * break. */
#ifndef SIGNING_TEST_FORGE_H
#define SIGNING_TEST_FORGE_H

#include <stdbool.h>

#include "signing/author.h"
#include "signing/client.h"
#include "signing/repository-private.h"

#define FORGE_NOW INT64_C(1800000000)
#define FORGE_FILES 300
#define FORGE_ROLES 100
#define FORGE_TARGET "os/debian/12.1.img.zst"

/* A delegated role. Its targets are from forge_target. */
struct forge_role {
	char name[80];
	struct signing_keys keys;
	uint64_t version;
	int64_t expires;
	json_t *targets, *delegations;
	bool withheld; /* the snapshot names it, and the repository doesn't have it */
};

/* What a node has stored for a role. */
struct forge_stored {
	char role[80];
	struct buffer data; /* empty: nothing */
};

struct forge {
	/* What the next forge_publish signs, by enum tuf_type. */
	struct signing_keys keys[4];
	unsigned thresholds[4];
	uint64_t versions[4];
	int64_t expires[4];
	json_t *targets;
	json_t *delegations;                    /* of the top-level role, or NULL */
	struct forge_role roles[FORGE_ROLES];
	size_t role_count;

	struct pending_file files[FORGE_FILES]; /* of the repository */
	size_t count;
	struct buffer first_root;               /* built into the node */

	struct forge_stored stored[FORGE_ROLES + 4]; /* of the node */
	size_t stored_count;
	bool stores_top_level_only;
	struct buffer links[FORGE_FILES];       /* roots by version */
	uint64_t power_cut_after_link;          /* of this version: nothing is stored any more */
	int64_t now;
	int fetch_fails_with;                   /* -errno instead of any file */
	const char *fetch_fails_for;            /* only for this file, if any */
	bool ignores_bounds;                    /* the fetch callback gives more than it was asked for */
	int store_fails_with;
	unsigned fetched;                       /* files that were asked for and given */
	char asked[2000];                       /* names of all files that were asked for, each with a space behind it */

	struct tuf_client *client;              /* of the last forge_refresh */
};

/* A sound repository, version 1 of everything, with one target. */
void forge_init(struct forge *forge);
void forge_release(struct forge *forge);

/* A key that only depends on its number: Ed25519, and P-256 from FORGE_P256 on. */
#define FORGE_P256 1000u
struct signing_key forge_key(unsigned number);
/* Makes `n` keys the signers of a role: numbers first … first + n - 1. */
void forge_set_keys(struct forge *forge, enum tuf_type role, unsigned first, unsigned n, unsigned threshold);

/* The role's next body from the fields above. Snapshot and timestamp name what the repository has. New reference. */
json_t *forge_body(struct forge *forge, enum tuf_type role);
/* Signs with the role's keys and puts the file under its name. Takes over the body. */
void forge_put_signed(struct forge *forge, enum tuf_type role, json_t *body, const struct signing_keys *keys);
/* Body, signed, put. */
void forge_put(struct forge *forge, enum tuf_type role);
/* targets, snapshot, timestamp: versions as they are in the fields. */
void forge_publish(struct forge *forge);
/* The next versions of targets, snapshot and timestamp. */
void forge_publish_next(struct forge *forge);
/* A root one version newer, signed by `old` (the root keys until now) and by the keys of the fields. */
void forge_put_next_root(struct forge *forge, const struct signing_keys *old);

/* Any text under any name; NULL removes. */
void forge_put_text(struct forge *forge, const char *name, const char *text);
struct buffer *forge_file(struct forge *forge, const char *name);

/* ---- delegated roles: made by the first forge_delegate to them, published by forge_publish */

/* `delegator` ("targets" or a delegated role) delegates `paths` ("a/? b/?": patterns between spaces; or NULL) to a
 * role, whose keys are numbers first … first + n - 1. Returns the delegation, for changes; borrowed. */
json_t *forge_delegate(struct forge *forge, const char *delegator, const char *role, const char *paths, unsigned first,
		       unsigned n, unsigned threshold);
/* A role signs for a path. Each has a length and hash of its own, so that a test sees whose it is. */
void forge_target(struct forge *forge, const char *role, const char *path, unsigned length);
struct forge_role *forge_role(struct forge *forge, const char *role);

/* The length that the client of the last forge_refresh finds for a path, or its error. */
int64_t forge_find(struct forge *forge, const char *path);

/* What the node has stored for a role; made empty if there is nothing. */
struct buffer *forge_stored(struct forge *forge, const char *role);
void forge_forget_stored(struct forge *forge);

/* A new client on the node's store; the result of tuf_client_refresh, the client stays for questions. */
int forge_refresh(struct forge *forge);

json_t *forge_description(void);

#endif

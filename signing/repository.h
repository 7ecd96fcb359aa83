/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TUF repository as plain files, for those who sign. Host only. All functions say on stderr what went wrong, in one line.
 *
 *   metadata/N.root.json, N.targets.json, N.ROLE.json, N.snapshot.json, timestamp.json    served
 *   targets/<folder>/<sha256>.<file>                                                      served
 *   staged/ROLE.json      the next version of a role, with the signatures that it has so far
 *
 * Only timestamp.json is ever replaced, and it is written last; when the root changes, metadata/ is replaced as a whole. So at
 * any moment there is one whole valid repository. */
#ifndef SIGNING_REPOSITORY_H
#define SIGNING_REPOSITORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "signing/format.h"
#include "signing/image-check.h"
#include "signing/keyring.h"
#include "signing/keys.h"

#define DAY 86400

/* Seconds from signing to expiry, by enum tuf_type (delegated roles: TUF_TARGETS); for init also how many keys a role gets
 * and how many of them must sign. */
struct repository_policy {
	int64_t lifetime[4];
	unsigned threshold[4];
	unsigned keys[4];
};

extern const struct repository_policy repository_policy_default;

struct repository_role {
	char *name;
	enum tuf_type type;    /* TUF_TARGETS for delegated roles */
	uint64_t version;      /* published; 0: none */
	json_t *published;     /* whole document, or NULL */
	struct buffer data;    /* its bytes */
	json_t *staged;        /* whole document, or NULL */
};

/* What is in the folder now, verified by TUF's own rules except for expiry. */
struct repository {
	char *folder;
	int lock;                      /* of the folder, held while open */
	struct buffer trusted_root;    /* the bytes it was verified from; empty when nothing is published yet */
	struct repository_role *roles; /* the first four by enum tuf_type */
	size_t count;
};

/* ------------------------------------------------------------------ opening */

/* Opens and locks. Trusted is root.json of keys_folder (put there by init), or, when that is NULL or has none, the
 * repository's own 1.root.json. What is staged isn't looked at. 0; -EBADMSG when it doesn't verify; or -errno. */
int repository_open(const char *folder, const char *keys_folder, struct repository *ret_repository);
void repository_close(struct repository *repository);

/* Reads what is staged. Not done by opening: what an operator left staged must not keep the control unit from renewing.
 * 0; -EINVAL when it is damaged or made for an older version; or -errno. */
int repository_load_staged(struct repository *repository);

/* A role by its name, or NULL. */
struct repository_role *repository_role(const struct repository *repository, const char *name);
/* The same, or a new one that has neither metadata nor signers yet. NULL when out of memory. Moves the others. */
struct repository_role *repository_make_role(struct repository *repository, const char *name);
/* The body ("signed") that the next publish gives the role, or NULL: staged, or else published. Borrowed. */
json_t *repository_body(const struct repository *repository, const char *role);
/* Who signs for a role, by what the next publish makes of root and targets. 0 or -ENOENT. */
struct signers;
int repository_signers(const struct repository *repository, const char *role, struct signers *ret_signers);

/* ------------------------------------------------------------------ changing: all of it is staged until it is published */

/* Stages `body` (borrowed; version and expiry are set here) as the next version of the role. One that says the same as what is
 * published takes back what is staged, unless `renew`. 0 or -errno. */
int repository_stage(struct repository *repository, struct repository_role *role, json_t *body, int64_t expires, bool renew);
/* Writes a staged document whose signatures have changed. */
int repository_store_staged(const struct repository *repository, const struct repository_role *role);
/* Forgets what is staged for a role. */
int repository_unstage(struct repository *repository, struct repository_role *role);

/* Copies the wire files of the images that are new and stages the changed list of targets of `role` ("targets" or a
 * delegated one): all or nothing. 0; -EINVAL when an application doesn't fit an OS, or its path isn't the role's; or -errno. */
int repository_add(struct repository *repository, const char *role, const struct checked_image *images, size_t count,
		   int64_t expires);
/* Stages the list without the target. 0; -ENOENT; -EINVAL when an application needs it; or -errno. */
int repository_remove(struct repository *repository, const char *role, const char *path, int64_t expires);

/* ------------------------------------------------------------------ publishing */

enum repository_scope { PUBLISH_ALL, PUBLISH_ONLINE /* snapshot and timestamp only */ };

struct publish_options {
	struct keyring *ring;
	const struct repository_policy *policy;
	enum repository_scope scope;
	int64_t now;
	const char *role;             /* sign and renew only this one; NULL: all */
	const char *const *renew;     /* names of roles that get a new version in any case, NULL at the end; may be NULL */
	const char *const *leave_out; /* delegated roles whose metadata may be missing for now; as above */
	bool keys_are_elsewhere;      /* that nothing can be signed here is expected: PUBLISH_WAITS instead of -ENOKEY */
};

/* Some signatures were made, but more are needed before anything is published. */
#define PUBLISH_WAITS 1000000

/* Signs what is staged and what is past half of its life with the keys at hand, and writes what has reached its threshold. What
 * would be served is verified as a node would before the first byte is written. The number of files written (0: there was nothing
 * to do); PUBLISH_WAITS when others must sign first; -ENOKEY when keys are missing; -EINVAL; or -errno. */
int repository_publish_with(struct repository *repository, const struct publish_options *options);
/* The same with the unencrypted keys of a folder: for daemons. */
int repository_publish(struct repository *repository, const char *keys_folder, const struct repository_policy *policy,
		       enum repository_scope scope, int64_t now);

/* ------------------------------------------------------------------ files */

/* Metadata of `folder` by its name, as the callback of struct tuf_fetch; the context is the folder's name. */
int repository_fetch(void *context, const char *name, size_t most, struct buffer *ret_data);

/* The file of a target: "<folder>/targets/<dir>/<sha256>.<name>", malloc'd, or NULL when out of memory. */
char *repository_target_file(const char *folder, const char *path, const uint8_t sha256[32]);

#endif

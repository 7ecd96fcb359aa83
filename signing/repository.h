/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TUF repository as plain files, for those who sign. Host only. All functions say on stderr what went wrong, in one line.
 *
 *   metadata/N.root.json, N.targets.json, N.snapshot.json, timestamp.json      served
 *   targets/<folder>/<sha256>.<file>                                           served
 *   staged/targets.json   { "format": 1, "base": N, "targets": { … } }         what the next publish signs
 *
 * Only timestamp.json is ever replaced; it is written last, so that at any moment there is one whole valid repository. */
#ifndef SIGNING_REPOSITORY_H
#define SIGNING_REPOSITORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "signing/format.h"
#include "signing/image-check.h"
#include "signing/keys.h"

#define DAY 86400

/* Seconds from signing to expiry, and signatures needed, by enum tuf_type. */
struct repository_policy {
	int64_t lifetime[4];
	unsigned threshold[4];
	unsigned keys[4];
};

extern const struct repository_policy repository_policy_default;

/* What is in the folder now, verified by TUF's own rules except for expiry. */
struct repository {
	char *folder;
	int lock;                            /* of the folder, held while open */
	struct buffer data[4];               /* files, by enum tuf_type */
	struct tuf_document documents[4];
	json_t *targets;                     /* path -> target: what the next publish signs */
	bool is_staged;
};

/* Makes keys, the first root and an empty published repository. Neither folder may hold anything before; on error
 * neither does. 0, -EEXIST, or -errno. */
int repository_init(const char *folder, const char *keys_folder, const struct repository_policy *policy, int64_t now);

/* Opens and locks. Trusted is root.json of keys_folder (put there by init), or, when that is NULL or has none, the
 * repository's own 1.root.json. 0; -EBADMSG when it doesn't verify; or -errno. */
int repository_open(const char *folder, const char *keys_folder, struct repository *ret_repository);
void repository_close(struct repository *repository);

/* Copies the wire files of the images that are new and stages the changed list of targets: all or nothing. 0; -EINVAL
 * when an application doesn't fit an OS; or -errno. */
int repository_add(struct repository *repository, const struct checked_image *images, size_t count);

/* Stages the list without the target. 0; -ENOENT; -EINVAL when an application needs it; or -errno. */
int repository_remove(struct repository *repository, const char *path);

enum repository_scope { PUBLISH_ALL, PUBLISH_ONLINE /* snapshot and timestamp only */ };

/* Signs what is staged and what is past half of its life, and writes it. What would be served is verified as a node
 * would before the first byte is written. The number of files written (0: there was nothing to do); -ENOKEY when
 * keys are missing; -EINVAL; or -errno. */
int repository_publish(struct repository *repository, const char *keys_folder, const struct repository_policy *policy,
		       enum repository_scope scope, int64_t now);

/* Metadata of `folder` by its name, as the callback of struct tuf_fetch; the context is the folder's name. */
int repository_fetch(void *context, const char *name, size_t most, struct buffer *ret_data);

/* The file of a target: "<folder>/targets/<dir>/<sha256>.<name>", malloc'd, or NULL when out of memory. */
char *repository_target_file(const char *folder, const char *path, const uint8_t sha256[32]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The images there are, read from the repository's signed metadata and from nothing else; and whether the repository may be served. */
#ifndef CONTROL_CATALOGUE_H
#define CONTROL_CATALOGUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/renewal.h"
#include "control/resolve.h"

struct catalogue;

/* A catalogue of `repository` (the folder with metadata/), which trusts `state`/root.json and keeps its trusted metadata in
 * `state`/tuf. Nothing is read yet, so the repository is refused. `lock` must be held to use what catalogue_images, _roles,
 * _version and _error give; the other functions take it for a moment and must be called without it. 0 or -ENOMEM. */
int catalogue_new(const char *state, const char *repository, pthread_mutex_t *lock, struct catalogue **ret_catalogue);
void catalogue_free(struct catalogue *catalogue);

/* Reads the metadata again when any file of it changed since, something expired, or an hour passed (a minute while it is refused).
 * It must verify twice: as it lies there, for a node that knows only the first root, and against what this control
 * unit saw before. When it doesn't, the list of images stays as it was, the repository is refused until it verifies
 * again, and the cause is logged once. `now` in seconds since 1970. */
void catalogue_check(struct catalogue *catalogue, int64_t now);
/* The same when timestamp.json changed, so that what was published is known at once. With `wait` false it gives up
 * after two seconds in which another thread is reading. */
void catalogue_follow(struct catalogue *catalogue, int64_t now, bool wait);

/* Whether the repository must not be served now, and why. */
bool catalogue_refused(struct catalogue *catalogue, char ret_why[ERROR_TEXT]);

/* Versions of root, timestamp, snapshot and targets (by enum tuf_type) of the repository's metadata, which must verify against
 * what was seen before except that it may have expired. 0, or the error with a sentence. */
int catalogue_trusted(struct catalogue *catalogue, uint64_t ret_versions[4], char ret_error[ERROR_TEXT]);

/* Borrowed; valid as long as the lock is held. */
const struct image_list *catalogue_images(const struct catalogue *catalogue);
/* The roles of the last reading; fewer when it was refused. */
const struct role_list *catalogue_roles(const struct catalogue *catalogue);
/* Version of the last timestamp that verified; 0 when nothing verified yet. */
uint64_t catalogue_version(const struct catalogue *catalogue);
/* Why the repository is refused, or NULL. */
const char *catalogue_error(const struct catalogue *catalogue);
/* Which delegated role doesn't verify, so that its images are left out, or NULL. The rest is served. */
const char *catalogue_left_out(const struct catalogue *catalogue);
/* Whether it is refused for no other reason than that something in it expired. */
bool catalogue_expired(const struct catalogue *catalogue);

#endif

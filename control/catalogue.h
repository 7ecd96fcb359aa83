/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The images there are, read from the repository's signed metadata and from nothing else. */
#ifndef CONTROL_CATALOGUE_H
#define CONTROL_CATALOGUE_H

#include <stdint.h>

#include "control/resolve.h"

struct catalogue;

/* A catalogue of `repository` (the folder with metadata/), which trusts `state`/root.json and keeps its trusted metadata in
 * `state`/tuf. Nothing is read yet. 0 or -ENOMEM. */
int catalogue_new(const char *state, const char *repository, struct catalogue **ret_catalogue);
void catalogue_free(struct catalogue *catalogue);

/* Reads the metadata again when timestamp.json changed (or an hour passed: metadata expires). When it doesn't verify, the
 * catalogue stays as it was, and the cause is logged once. `now` in seconds since 1970. */
void catalogue_refresh(struct catalogue *catalogue, int64_t now);

/* Borrowed; valid until the next refresh. */
const struct image_list *catalogue_images(const struct catalogue *catalogue);
/* Version of the trusted timestamp; 0 when nothing verified yet. */
uint64_t catalogue_version(const struct catalogue *catalogue);
/* Why the last refresh failed, or NULL. Borrowed. */
const char *catalogue_error(const struct catalogue *catalogue);

#endif

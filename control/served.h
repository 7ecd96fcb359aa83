/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether what lies in the repository verifies: read once, as a node that knows only the first root would. */
#ifndef CONTROL_SERVED_H
#define CONTROL_SERVED_H

#include <stdint.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "control/renewal.h"

/* A file as it was when it was read; absent is a state like another. */
struct sighting {
	char *path;
	struct stat info;      /* all zero: absent */
};

struct sightings {
	struct sighting *items;
	size_t count, room;
};

/* The file as it is now. */
void sighting_look(const char *path, struct stat *ret_info);
bool sighting_same(const struct stat *a, const struct stat *b);

void sightings_release(struct sightings *sightings);
/* Whether a file isn't any more what it was. */
bool sightings_changed(const struct sightings *sightings);

/* Verifies the whole of `repository`/metadata from `root` (bytes of a trusted root.json) on, with nothing remembered: each file
 * that is served now is read and checked, delegated roles too. Lists the roles that were accepted, and every file that was asked
 * for. 0; -EBADMSG, -ESTALE, -ENOENT and the like with a sentence in `ret_error`, the lists being what was found until then.
 * The caller frees roles->items and releases the sightings. */
int served_check(const char *repository, const struct buffer *root, int64_t now, struct role_list *ret_roles,
		 struct sightings *ret_seen, char ret_error[ERROR_TEXT]);

/* Metadata of a repository by its name, at most `most` bytes: for struct tuf_fetch. 0, -EINVAL for what is no name, or the error. */
int served_fetch(const char *repository, const char *name, size_t most, struct buffer *ret_data);

#endif

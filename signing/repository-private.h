/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What repository.c and publish.c share. */
#ifndef SIGNING_REPOSITORY_PRIVATE_H
#define SIGNING_REPOSITORY_PRIVATE_H

#include "signing/client.h"
#include "signing/repository.h"

/* A metadata file that isn't written yet. */
struct pending_file {
	char name[48];
	struct buffer data;
};

/* Runs the client workflow over a repository's files, `pending` ones taking precedence, and gives the bytes that it
 * accepted, by enum tuf_type. `now` 0 lets expired metadata pass. Logs; 0, -EBADMSG, -ESTALE or -errno. */
int repository_verify(const char *folder, const struct pending_file *pending, size_t count, const struct buffer *root,
		      int64_t now, struct buffer ret_data[4]);

/* A store in memory, empty at first, that keeps what was accepted. */
struct memory_store {
	struct buffer data[4]; /* by enum tuf_type */
};
struct tuf_store memory_store_callbacks(struct memory_store *memory);
void memory_store_release(struct memory_store *memory);

/* Takes what is staged, if anything, as the list of targets. Not done by opening: what an operator left staged must
 * not keep the control unit from renewing. 0; -EINVAL when it is damaged or made for an older version; or -errno. */
int repository_load_staged(struct repository *repository);
/* Back to what is published: nothing is staged any more. */
int repository_unstage(struct repository *repository);

#endif

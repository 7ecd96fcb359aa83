/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the signing side share. */
#ifndef SIGNING_REPOSITORY_PRIVATE_H
#define SIGNING_REPOSITORY_PRIVATE_H

#include "signing/client.h"
#include "signing/repository.h"

/* A metadata file that isn't written yet. */
struct pending_file {
	char name[TUF_FILE_NAME_SIZE];
	struct buffer data;
};

/* "3.acme.json", and "timestamp.json", which never has its version there. */
void metadata_file_name(const char *role, uint64_t version, char ret_name[TUF_FILE_NAME_SIZE]);

/* What a snapshot calls a role: its name and ".json". */
#define META_NAME_SIZE (TUF_ROLE_SIZE + 5)
void meta_name(const char *role, char ret_name[META_NAME_SIZE]);

/* A store in memory, empty at first, that keeps what was accepted. */
struct memory_entry {
	char *role;
	struct buffer data;
};
struct memory_store {
	struct memory_entry *entries;
	size_t count;
};
struct tuf_store memory_store_callbacks(struct memory_store *memory);
/* What it has for a role, or NULL. */
struct buffer *memory_store_get(const struct memory_store *memory, const char *role);
void memory_store_release(struct memory_store *memory);

/* Runs the client workflow over a repository's files, `pending` ones taking precedence, and gives what it accepted of the
 * top-level roles. `now` 0 lets expired metadata pass. Logs; 0, -EBADMSG, -ESTALE or -errno. The caller releases ret_store,
 * which is empty on errors. */
int repository_verify(const char *folder, const struct pending_file *pending, size_t count, const struct buffer *root,
		      int64_t now, struct memory_store *ret_store);

/* Why a root.json can't be what a client begins with, in a few words. */
void root_problem(const struct buffer *root, char ret_error[TUF_ERROR_SIZE]);
/* The next step after an error of tuf_client_refresh on published files, as the end of its sentence; "" when the sentence has one. */
const char *repository_remedy(int error);

/* Writes metadata so that at any moment the old repository or the new one is there. `files` end with timestamp.json.
 * With a new root, or where there is nothing yet, metadata/ is replaced as a whole. 0 or -errno, logged. */
int repository_write(const char *folder, const struct pending_file *files, size_t count, bool replace_all);

/* The version that comes after everything that nodes may have seen of the role. */
uint64_t repository_next_version(const struct repository *repository, const struct repository_role *role);

/* "meta" of the published snapshot, or NULL. Borrowed. */
json_t *snapshot_meta(const struct repository *repository);

#endif

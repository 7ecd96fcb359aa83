/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A folder that one run of a program has for itself, and whose files are replaced whole or not at all. */
#ifndef SIGNING_FOLDER_H
#define SIGNING_FOLDER_H

#include <stddef.h>

#include "common/bytes.h"
#include "signing/client.h"

/* How long folder_open waits for another run to end. */
#define FOLDER_PATIENCE_SECONDS 30u

struct folder {
	int fd; /* holds the lock */
};

/* Opens the folder, made if it isn't there, and locks it; no file shows the lock, and it ends with the process. 0; -EBUSY
 * when another process has had the lock for FOLDER_PATIENCE_SECONDS; or -errno. The caller calls folder_close. */
int folder_open(const char *path, struct folder *ret_folder);
/* An all-zero or closed folder must not be closed again. */
void folder_close(struct folder *folder);

/* A new file without its name yet: begin, write to *ret_fd, then commit or cancel; one at a time. After a power cut the name
 * stands for the old content or all of the new; what a killed run left is overwritten. 0 or -errno; a commit that fails
 * cancels. */
int folder_begin(const struct folder *folder, int *ret_fd);
int folder_commit(const struct folder *folder, int fd, const char *name);
void folder_cancel(const struct folder *folder, int fd);

/* All of that at once. */
int folder_store(const struct folder *folder, const char *name, const void *data, size_t size);

/* Trusted metadata as files "ROLE.json", role names percent-encoded. The structure must outlive the store. */
struct tuf_store folder_tuf_store(struct folder *folder);
/* And the links to the newest root as files "VERSION.root", which no role is called: for a client whose given root is kept
 * elsewhere. */
struct tuf_store folder_tuf_store_with_roots(struct folder *folder);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the client: client.c keeps the top-level roles, search.c the delegated ones. */
#ifndef SIGNING_CLIENT_PRIVATE_H
#define SIGNING_CLIENT_PRIVATE_H

#include "signing/client.h"
#include "signing/format.h"

struct tuf_client {
	struct tuf_store store;
	struct tuf_fetch fetch;
	int64_t now;
	uint64_t given_root;         /* version */
	bool root_is_stored;         /* the store's root is the trusted one */
	bool rotated_since_stored;   /* the trusted root has other online keys than an older one in the store */
	struct tuf_document root, timestamp, snapshot, targets; /* empty: not trusted yet */
	char error[TUF_ERROR_SIZE + TUF_FILE_NAME_SIZE];
};

/* Sets the sentence and returns r. */
__attribute__((format(printf, 3, 4))) int client_fail(struct tuf_client *client, int r, const char *format, ...);

/* A targets role as trusted metadata describes it: `signers` is borrowed from the role that delegates to it. */
struct described_role {
	const char *role;
	struct tuf_signers signers;
	struct tuf_file file;
};

/* 5.6.1 to 5.6.6, for top-level and delegated roles: the role's metadata from the store when that is just what is
 * described, and else fetched and stored. The document is checked in every way but by its delegations' paths.
 * 0 or as tuf_client_refresh. */
int client_load_targets(struct tuf_client *client, const struct described_role *described,
			struct tuf_document *ret_document);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TUF client workflow (The Update Framework specification 1.0, section 5). I/O comes in by callbacks. */
#ifndef SIGNING_CLIENT_H
#define SIGNING_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* Trusted local metadata, by role name ("root", "timestamp", "snapshot", "targets", or a delegated role's, which is any
 * text: tuf_role_file_name makes a file name of it). Delegated roles are only a cache: a store may keep none of them. */
struct tuf_store {
	/* 0, -ENOENT when there is none, or -errno. At most `most` bytes. */
	int (*load)(void *context, const char *role, size_t most, struct buffer *ret_data);
	/* Replaces atomically and durably. */
	int (*store)(void *context, const char *role, const void *data, size_t size);
	/* 0 also when there was none. */
	int (*remove)(void *context, const char *role);
	/* The links of the chain from the given root to the newest, by version; apart from the roles, whose names may be any
	 * text. All three or none: without them a repository that withholds a root makes the client forget it, unless the
	 * given root is the store's own. A store that has no room may keep none or only the first; returns as above. */
	int (*load_root)(void *context, uint64_t version, size_t most, struct buffer *ret_data);
	int (*store_root)(void *context, uint64_t version, const void *data, size_t size);
	/* Forgets all links but first … last. */
	int (*keep_roots)(void *context, uint64_t first, uint64_t last);
	void *context;
};

/* Fetches a metadata file by its name below the metadata address ("3.root.json", "timestamp.json", "1.a%2Fb.json": as it
 * stands in a URL, and as a file of that folder is called), at most `most` bytes: 0, -ENOENT when the repository has no such file, -EFBIG when it is longer, or -errno. */
struct tuf_fetch {
	int (*fetch)(void *context, const char *name, size_t most, struct buffer *ret_data);
	void *context;
};

struct tuf_client;

/* A client that trusts `root` (the bytes of a root.json that came by a trusted way: built into the
 * initramfs) unless the store has a newer one that descends from it, link by link (at most 256). `now` is seconds since 1970,
 * fixed for the whole update (5.1). The structures are copied; what `context` points to must outlive the client. Anybody may
 * have written to the store: what doesn't verify in it counts as absent. 0, -EINVAL (bad root), -ENOMEM, or the store's error. */
int tuf_client_open(const struct tuf_store *store, const struct tuf_fetch *fetch, const void *root,
		    size_t root_size, int64_t now, struct tuf_client **ret_client);
void tuf_client_close(struct tuf_client *client);

/* 5.3 to 5.6: root, timestamp, snapshot, top-level targets. What was accepted stays accepted when a later step fails.
 * 0; -EBADMSG when metadata doesn't verify (signature, version, hash, form); -ESTALE when expired; or the
 * error of fetch/store. */
int tuf_client_refresh(struct tuf_client *client);

/* What the trusted targets metadata says of a target: the top-level role's, or that of a delegated role, searched as
 * 5.6.7 says. Delegated roles that the search needs are loaded, checked as the top-level role is, and stored; at most 32
 * are looked into. Call after a refresh that succeeded: without one it is -EBADMSG.
 * 0; -ENOENT when nobody signed for it; -EBADMSG when it is signed without a SHA-256 or SHA-512, or a role
 * that may sign for it doesn't verify; otherwise as refresh. The caller frees with verified_target_free. */
struct verified_target;
int tuf_client_target(struct tuf_client *client, const char *path, struct verified_target **ret_target);

/* In a sentence: which file, which check, which values. Valid until the next call. */
const char *tuf_client_error(const struct tuf_client *client);

/* Version of a trusted top-level role, or 0 when there is none. */
uint64_t tuf_client_version(const struct tuf_client *client, const char *role);

/* Whether the repository's files have versions and hashes in their names (consistent snapshots). */
bool tuf_client_consistent(const struct tuf_client *client);

/* Calls `each` for every target that tuf_client_target would find, those of delegated roles included, each path once;
 * stops when it returns non-zero and returns that. A delegated role that can't be verified is left out with all that it
 * may sign for, and tuf_client_error says so of the first one (and is "" when there was none). Keeps all delegated roles in
 * memory meanwhile: for catalogues (control unit, repave-sign), not for decisions of a node. */
int tuf_client_each_target(struct tuf_client *client,
			   int (*each)(void *context, const struct verified_target *target), void *context);

#endif

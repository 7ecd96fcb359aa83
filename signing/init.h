/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first keys, root and (empty) metadata of a repository. */
#ifndef SIGNING_INIT_H
#define SIGNING_INIT_H

#include "signing/repository.h"

struct init_options {
	const struct repository_policy *policy; /* how many keys, of which type, and how many of them sign */
	enum key_type type;                     /* of the keys that are made */
	const char *const *given[4];            /* by enum tuf_type: files of keys that exist; NULL at the end, or NULL */
	struct passphrases *passphrases;        /* encrypts root and targets keys; NULL: nothing is encrypted */
	int64_t key_life;                       /* seconds; 0: keys don't expire */
	int64_t now;
};

/* Makes the keys that aren't given, and the first version of everything. When the keys at hand reach all thresholds it is
 * published; otherwise root and targets are staged and wait for signatures (PUBLISH_WAITS). Neither folder may hold anything
 * before; on errors neither does. 0, PUBLISH_WAITS, -EEXIST, or -errno. */
int repository_init_with(const char *folder, const char *keys_folder, const struct init_options *options);

/* The same with new Ed25519 keys that aren't encrypted. */
int repository_init(const char *folder, const char *keys_folder, const struct repository_policy *policy, int64_t now);

#endif

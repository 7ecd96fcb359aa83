/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the verified types. Only search.c, after verification, and verified.c include this file (checked by
 * signing/test/boundaries). */
#ifndef SIGNING_VERIFIED_PRIVATE_H
#define SIGNING_VERIFIED_PRIVATE_H

#include "signing/format.h"
#include "signing/verified.h"

struct verified_target {
	char *path, *role;
	uint64_t length;
	bool has_sha256, has_sha512; /* at least one */
	uint8_t sha256[32], sha512[64];
	json_t *custom; /* or NULL */
};

/* From what the trusted targets metadata of `role` says of a path. A custom field that jansson can't hold counts as absent. 0; -EBADMSG
 * when there is neither a SHA-256 nor a SHA-512, or a damaged one; -ENOMEM. */
int verified_target_new(const char *path, const char *role, const struct tuf_file *file,
			struct verified_target **ret_target);

#endif

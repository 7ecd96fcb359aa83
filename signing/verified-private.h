/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the verified types. Only client.c, after verification, and verified.c include this file (checked by
 * signing/test/boundaries). */
#ifndef SIGNING_VERIFIED_PRIVATE_H
#define SIGNING_VERIFIED_PRIVATE_H

#include "signing/verified.h"

struct verified_target {
	char *path;
	uint64_t length;
	uint8_t sha256[32];
	json_t *custom; /* or NULL */
};

/* From an entry of trusted targets metadata. 0; -EBADMSG when it has no length or no SHA-256; -ENOMEM. */
int verified_target_new(const char *path, const json_t *entry, struct verified_target **ret_target);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patches (common/patch.h) between what the other slot has and what is wanted: fewer bytes than frames. A patch is no more
 * than a short cut: there may be none, and what it doesn't give, or gives wrong, comes in frames. */
#ifndef PROVISIONER_PATCH_H
#define PROVISIONER_PATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/patch.h"
#include "provisioner/donor.h"
#include "signing/verity.h"

struct installer;

struct patch {
	bool looked_for;
	bool usable;
	uint8_t old_root[VERITY_DIGEST]; /* of what the donor has */
	struct donor donor;
	struct patch_index index;
	uint8_t *payload; /* PATCH_PAYLOAD_MOST */
	uint8_t *data;    /* PATCH_WINDOW_BLOCKS_MOST blocks */
	uint8_t leaves[4096];
	unsigned bad;     /* windows that weren't sound */
	double seconds;   /* spent on it so far */
	uint64_t brought; /* blocks that it gave */
	uint64_t early;   /* blocks of data that came with their leaves, before their level's turn */
};

/* Takes of the current level what the patch has and the plan still has to fetch, and with the leaves the data they are
 * about. Returns nothing: what is left is to be fetched in frames. Gives the patch up when it takes
 * longer than it can be worth. */
void patch_level(struct installer *in);
void patch_release(struct patch *patch);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which bytes of a disk of ours are cleared when another account gets the server, and in which order. Pure.
 *
 * Everything between the two copies of the partition table but STATE, whose records are written anew (state.h): the gaps between the partitions
 * too, for whoever was root could write anywhere. */
#ifndef PROVISIONER_CLEARING_H
#define PROVISIONER_CLEARING_H

#include <stdbool.h>
#include <stdint.h>

#include "provisioner/gpt.h"

#define CLEARING_RANGES 2u
#define CLEARING_PIECE (UINT64_C(64) << 20)

struct clearing {
	struct clearing_range {
		uint64_t from, size; /* bytes, whole sectors */
	} ranges[CLEARING_RANGES];
	uint64_t total;
};

/* `state` is the entry of STATE in that table. 0, or -EINVAL when it doesn't lie where a partition can. */
int clearing_init(const struct gpt *gpt, const struct gpt_entry *state, struct clearing *ret_clearing);
/* The next piece after `done` bytes, CLEARING_PIECE at most. False: there is none. */
bool clearing_next(const struct clearing *clearing, uint64_t done, uint64_t *ret_from, uint64_t *ret_size);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to do with each data block so that a slot becomes equal to a tree: keep, copy from the other slot, fetch.
 * No I/O, nothing here is trusted: a block that the plan says to copy or fetch is still checked against its leaf. */
#ifndef PROVISIONER_PLAN_H
#define PROVISIONER_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/seekable.h"

/* Values of plan.source besides "copy from this block of the other slot". */
#define PLAN_KEEP UINT32_MAX
#define PLAN_FETCH (UINT32_MAX - 1)
#define PLAN_BLOCKS_MOST (UINT32_MAX - 2)

struct plan {
	uint32_t *source; /* one per data block */
	uint32_t blocks;
};

/* All blocks are to be fetched. 0, -EFBIG or -ENOMEM; the caller calls plan_release. */
int plan_init(struct plan *ret_plan, uint64_t blocks);
void plan_release(struct plan *plan);

/* Turns "fetch" into "copy" wherever a leaf of the other slot (`donor_count` digests of 32 bytes) equals
 * the wanted leaf (`wanted`, as many as the plan has blocks). 0 or -ENOMEM. */
int plan_copies(struct plan *plan, const uint8_t *wanted, const uint8_t *donor, uint32_t donor_count);

uint32_t plan_count(const struct plan *plan, uint32_t what); /* PLAN_KEEP or PLAN_FETCH */

/* Adjacent frames that hold a block to fetch. */
struct plan_run {
	uint32_t first;
	uint32_t count;
	uint64_t offset; /* in the wire file */
	uint64_t size;
};

/* The next run at or after frame `from`, of at most `size_most` wire bytes unless a single frame is larger. False: no more. */
bool plan_next_run(const struct plan *plan, const struct seek_table *table, uint32_t blocks_per_frame, uint32_t from,
		   uint64_t size_most, struct plan_run *ret_run);

/* Wire bytes of all frames that hold a block to fetch. */
uint64_t plan_wire_bytes(const struct plan *plan, const struct seek_table *table, uint32_t blocks_per_frame);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What to do with each block of one level of an image, so that a slot becomes equal to a tree: keep, copy from the other slot,
 * fetch. No I/O, nothing here is trusted: a block that the plan says to copy or fetch is still checked against its digest.
 *
 * An image is made level by level from the top of its tree down, the data last: the digests of a level are the content of the one
 * above it, so only what differs is ever asked for. */
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
	uint32_t *source; /* one per block; read and written by plan_get and plan_set */
	uint32_t first;   /* block of the image that entry 0 is about */
	uint32_t blocks;
};

/* All blocks are to be fetched. 0, -EFBIG or -ENOMEM; the caller calls plan_release. */
int plan_init(struct plan *ret_plan, uint64_t first, uint64_t blocks);
void plan_release(struct plan *plan);

/* Several threads may work on different entries, and look at any. */
static inline uint32_t plan_get(const struct plan *plan, uint32_t entry)
{
	return __atomic_load_n(&plan->source[entry], __ATOMIC_RELAXED);
}

static inline void plan_set(struct plan *plan, uint32_t entry, uint32_t what)
{
	__atomic_store_n(&plan->source[entry], what, __ATOMIC_RELAXED);
}

uint32_t plan_count(const struct plan *plan, uint32_t what); /* PLAN_KEEP or PLAN_FETCH */
uint32_t plan_count_copies(const struct plan *plan);

/* ------------------------------------------------------------------ copies */
/* Where a digest is in the other slot. 8 bytes per block: 32 bits of the digest, so a hit is only a hint; sorted rather than
 * hashed, so that whoever wrote the other slot can't make it slow. */
struct plan_index {
	uint64_t *keys; /* digest bits << 32 | block */
	uint32_t count;
	uint32_t room;
};

/* 0, -EFBIG or -ENOMEM; the caller calls plan_index_release. */
int plan_index_init(struct plan_index *ret_index, uint64_t room);
void plan_index_release(struct plan_index *index);
/* Adds `count` digests of 32 bytes, of the other slot's blocks `block`, `block` + 1, …; as many as there is room for. */
void plan_index_add(struct plan_index *index, const uint8_t *digests, uint32_t count, uint32_t block);
/* After the last one, before plan_copies. */
void plan_index_sort(struct plan_index *index);

/* Turns "fetch" into "copy" for those of `count` entries from `entry` on whose `digests` are in the index. Where there is a choice,
 * a copy goes on after the one before it, else comes from the same place, so that runs are long. */
void plan_copies(struct plan *plan, uint32_t entry, uint32_t count, const uint8_t *digests, const struct plan_index *index);
/* What wasn't copied is to be fetched. */
void plan_give_up_copies(struct plan *plan);

struct plan_copy {
	uint32_t entry; /* the first of `count` */
	uint32_t from;  /* block of the other slot */
	uint32_t count;
};

/* The next copies, at or after `entry`, that are a run on both sides, of at most `most` blocks. False: no more. */
bool plan_next_copy(const struct plan *plan, uint32_t entry, uint32_t most, struct plan_copy *ret_copy);

/* ------------------------------------------------------------------ fetches */
/* Frames of the wire file that hold a block to fetch, as they were when it was made: copies go on meanwhile. */
struct plan_frames {
	uint8_t *needed; /* a bit per frame */
	const struct seek_table *table;
};

/* 0 or -ENOMEM; the caller calls plan_frames_release. `table` stays the caller's. */
int plan_frames_init(struct plan_frames *ret_frames, const struct plan *plan, const struct seek_table *table,
		     uint32_t blocks_per_frame);
void plan_frames_release(struct plan_frames *frames);
/* Wire bytes of all of them. */
uint64_t plan_frames_bytes(const struct plan_frames *frames);

/* Neighbouring frames to ask for at once. */
struct plan_run {
	uint32_t first;
	uint32_t count;
	uint64_t offset; /* in the wire file */
	uint64_t size;
};

/* Frames in between that aren't needed come along when they are smaller than what another request costs. */
#define PLAN_GAP_MOST 512u

/* The next run at or after frame `from`, of at most `size_most` wire bytes unless a single frame is larger. False: no more. */
bool plan_next_run(const struct plan_frames *frames, uint32_t from, uint64_t size_most, struct plan_run *ret_run);

#endif

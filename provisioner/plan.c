/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signing/verity.h"

int plan_init(struct plan *ret_plan, uint64_t first, uint64_t blocks)
{
	*ret_plan = (struct plan){ 0 };
	if (first > PLAN_BLOCKS_MOST || blocks > PLAN_BLOCKS_MOST - first)
		return -EFBIG;
	ret_plan->source = malloc(((size_t)blocks + 1) * sizeof(*ret_plan->source));
	if (ret_plan->source == NULL)
		return -ENOMEM;
	ret_plan->first = (uint32_t)first;
	ret_plan->blocks = (uint32_t)blocks;
	for (uint32_t i = 0; i < ret_plan->blocks; i++)
		ret_plan->source[i] = PLAN_FETCH;
	return 0;
}

void plan_release(struct plan *plan)
{
	free(plan->source);
	*plan = (struct plan){ 0 };
}

uint32_t plan_count(const struct plan *plan, uint32_t what)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->blocks; i++)
		count += plan_get(plan, i) == what;
	return count;
}

uint32_t plan_count_copies(const struct plan *plan)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->blocks; i++)
		count += plan_get(plan, i) < PLAN_FETCH;
	return count;
}

/* ------------------------------------------------------------------ copies */
int plan_index_init(struct plan_index *ret_index, uint64_t room)
{
	*ret_index = (struct plan_index){ 0 };
	if (room > PLAN_BLOCKS_MOST)
		return -EFBIG;
	ret_index->keys = malloc(((size_t)room + 1) * sizeof(*ret_index->keys));
	ret_index->room = (uint32_t)room;
	return ret_index->keys != NULL ? 0 : -ENOMEM;
}

void plan_index_release(struct plan_index *index)
{
	free(index->keys);
	*index = (struct plan_index){ 0 };
}

static uint64_t key_of(const uint8_t *digest, uint32_t block)
{
	uint32_t bits;

	memcpy(&bits, digest, sizeof(bits));
	return (uint64_t)bits << 32 | block;
}

void plan_index_add(struct plan_index *index, const uint8_t *digests, uint32_t count, uint32_t block)
{
	for (uint32_t i = 0; i < count && index->count < index->room; i++)
		index->keys[index->count++] = key_of(digests + (size_t)i * VERITY_DIGEST, block + i);
}

static int by_key(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return *left < *right ? -1 : *left > *right;
}

void plan_index_sort(struct plan_index *index)
{
	qsort(index->keys, index->count, sizeof(*index->keys), by_key);
}

/* The first key that isn't below `key`: its place, or the number of keys. */
static uint32_t lower_bound(const struct plan_index *index, uint64_t key)
{
	uint32_t low = 0, high = index->count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;

		if (index->keys[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* A block with this digest's bits: `wish` if it is one, else the lowest; PLAN_FETCH when there is none. */
static uint32_t find(const struct plan_index *index, const uint8_t *digest, uint32_t wish)
{
	uint64_t lowest = key_of(digest, 0);
	uint32_t at = lower_bound(index, lowest | wish);

	if (at < index->count && index->keys[at] == (lowest | wish))
		return wish;
	at = lower_bound(index, lowest);
	return at < index->count && index->keys[at] >> 32 == lowest >> 32 ? (uint32_t)index->keys[at] : PLAN_FETCH;
}

void plan_copies(struct plan *plan, uint32_t entry, uint32_t count, const uint8_t *digests, const struct plan_index *index)
{
	for (uint32_t i = 0; i < count; i++) {
		uint32_t before = entry + i > 0 ? plan_get(plan, entry + i - 1) : PLAN_FETCH;
		uint32_t wish = before < PLAN_FETCH ? before + 1 : plan->first + entry + i;

		if (plan_get(plan, entry + i) == PLAN_FETCH)
			plan_set(plan, entry + i, find(index, digests + (size_t)i * VERITY_DIGEST, wish));
	}
}

void plan_give_up_copies(struct plan *plan)
{
	for (uint32_t i = 0; i < plan->blocks; i++)
		if (plan_get(plan, i) < PLAN_FETCH)
			plan_set(plan, i, PLAN_FETCH);
}

bool plan_next_copy(const struct plan *plan, uint32_t entry, uint32_t most, struct plan_copy *ret_copy)
{
	uint32_t count = 1, from;

	while (entry < plan->blocks && plan_get(plan, entry) >= PLAN_FETCH)
		entry++;
	if (entry >= plan->blocks)
		return false;
	from = plan_get(plan, entry);
	while (count < most && entry + count < plan->blocks && plan_get(plan, entry + count) == from + count &&
	       from + count < PLAN_FETCH)
		count++;
	*ret_copy = (struct plan_copy){ .entry = entry, .from = from, .count = count };
	return true;
}

/* ------------------------------------------------------------------ fetches */
static bool needed(const struct plan_frames *frames, uint32_t frame)
{
	return (frames->needed[frame / 8] >> frame % 8 & 1) != 0;
}

static uint64_t wire_size(const struct plan_frames *frames, uint32_t first, uint32_t end)
{
	return frames->table->starts[end] - frames->table->starts[first];
}

int plan_frames_init(struct plan_frames *ret_frames, const struct plan *plan, const struct seek_table *table,
		     uint32_t blocks_per_frame)
{
	*ret_frames = (struct plan_frames){ .table = table };
	ret_frames->needed = calloc(table->frames / 8 + 1, 1);
	if (ret_frames->needed == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < plan->blocks; i++) {
		uint32_t frame = (plan->first + i) / blocks_per_frame;

		if (plan_get(plan, i) == PLAN_FETCH && frame < table->frames)
			ret_frames->needed[frame / 8] |= (uint8_t)(1u << frame % 8);
	}
	return 0;
}

void plan_frames_release(struct plan_frames *frames)
{
	free(frames->needed);
	*frames = (struct plan_frames){ 0 };
}

uint64_t plan_frames_bytes(const struct plan_frames *frames)
{
	uint64_t bytes = 0;

	for (uint32_t frame = 0; frame < frames->table->frames; frame++)
		bytes += needed(frames, frame) ? wire_size(frames, frame, frame + 1) : 0;
	return bytes;
}

bool plan_next_run(const struct plan_frames *frames, uint32_t from, uint64_t size_most, struct plan_run *ret_run)
{
	const struct seek_table *table = frames->table;
	uint32_t first = from, end;

	while (first < table->frames && !needed(frames, first))
		first++;
	if (first >= table->frames)
		return false;
	end = first + 1;
	for (uint32_t next = end; next < table->frames && wire_size(frames, first, next + 1) <= size_most &&
				  wire_size(frames, end, next) <= PLAN_GAP_MOST; next++)
		if (needed(frames, next))
			end = next + 1;
	*ret_run = (struct plan_run){ .first = first, .count = end - first, .offset = table->starts[first],
				      .size = wire_size(frames, first, end) };
	return true;
}

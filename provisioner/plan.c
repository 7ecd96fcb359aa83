/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signing/verity.h"

int plan_init(struct plan *ret_plan, uint64_t blocks)
{
	*ret_plan = (struct plan){ 0 };
	if (blocks > PLAN_BLOCKS_MOST)
		return -EFBIG;
	ret_plan->source = malloc(((size_t)blocks + 1) * sizeof(*ret_plan->source));
	if (ret_plan->source == NULL)
		return -ENOMEM;
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

static int by_digest(const void *a, const void *b, void *context)
{
	const uint8_t *leaves = context;
	uint32_t left, right;

	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return memcmp(leaves + (size_t)left * VERITY_DIGEST, leaves + (size_t)right * VERITY_DIGEST, VERITY_DIGEST);
}

/* A block of the donor with this digest, or PLAN_FETCH. `order` sorts the donor's leaves. */
static uint32_t find(const uint8_t *donor, const uint32_t *order, uint32_t count, const uint8_t *digest)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int difference = memcmp(digest, donor + (size_t)order[middle] * VERITY_DIGEST, VERITY_DIGEST);

		if (difference == 0)
			return order[middle];
		if (difference < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return PLAN_FETCH;
}

int plan_copies(struct plan *plan, const uint8_t *wanted, const uint8_t *donor, uint32_t donor_count)
{
	uint32_t *order;

	if (donor_count == 0)
		return 0;
	/* Sorted rather than hashed: whoever wrote the other slot can't make this slow. */
	order = malloc((size_t)donor_count * sizeof(*order));
	if (order == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < donor_count; i++)
		order[i] = i;
	qsort_r(order, donor_count, sizeof(*order), by_digest, (void *)(uintptr_t)donor);
	for (uint32_t i = 0; i < plan->blocks; i++) {
		const uint8_t *leaf = wanted + (size_t)i * VERITY_DIGEST;

		if (plan->source[i] != PLAN_FETCH)
			continue;
		/* Most blocks of an update stay where they were: that also keeps the copies sequential. */
		if (i < donor_count && memcmp(leaf, donor + (size_t)i * VERITY_DIGEST, VERITY_DIGEST) == 0)
			plan->source[i] = i;
		else
			plan->source[i] = find(donor, order, donor_count, leaf);
	}
	free(order);
	return 0;
}

uint32_t plan_count(const struct plan *plan, uint32_t what)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < plan->blocks; i++)
		count += plan->source[i] == what;
	return count;
}

static bool frame_needed(const struct plan *plan, uint32_t blocks_per_frame, uint32_t frame)
{
	uint64_t first = (uint64_t)frame * blocks_per_frame;

	for (uint64_t i = first; i < first + blocks_per_frame && i < plan->blocks; i++)
		if (plan->source[i] == PLAN_FETCH)
			return true;
	return false;
}

bool plan_next_run(const struct plan *plan, const struct seek_table *table, uint32_t blocks_per_frame, uint32_t from,
		   uint64_t size_most, struct plan_run *ret_run)
{
	uint32_t first = from, end;

	while (first < table->frames && !frame_needed(plan, blocks_per_frame, first))
		first++;
	if (first >= table->frames)
		return false;
	end = first + 1;
	while (end < table->frames && table->starts[end + 1] - table->starts[first] <= size_most &&
	       frame_needed(plan, blocks_per_frame, end))
		end++;
	*ret_run = (struct plan_run){ .first = first, .count = end - first, .offset = table->starts[first],
				      .size = table->starts[end] - table->starts[first] };
	return true;
}

uint64_t plan_wire_bytes(const struct plan *plan, const struct seek_table *table, uint32_t blocks_per_frame)
{
	uint64_t bytes = 0;

	for (uint32_t frame = 0; frame < table->frames; frame++)
		if (frame_needed(plan, blocks_per_frame, frame))
			bytes += table->starts[frame + 1] - table->starts[frame];
	return bytes;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is kept, copied and fetched, and in which order. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provisioner/plan.h"

static void make_plan(struct plan *plan, uint32_t first, uint32_t blocks, uint32_t fetch, ...)
{
	va_list list;

	assert_int_equal(plan_init(plan, first, blocks), 0);
	for (uint32_t i = 0; i < blocks; i++)
		plan_set(plan, i, PLAN_KEEP);
	va_start(list, fetch);
	for (; fetch != UINT32_MAX; fetch = va_arg(list, uint32_t))
		plan_set(plan, fetch, PLAN_FETCH);
	va_end(list);
}

/* ------------------------------------------------------------------ frames */
static uint64_t hundreds[] = { 0, 100, 200, 300, 400, 500 };
static const struct seek_table five_frames = { hundreds, 5 };

static void test_adjacent_frames_are_one_request(void **state)
{
	struct plan_frames frames;
	struct plan_run run;
	struct plan plan;

	(void)state;
	make_plan(&plan, 0, 19, 5, 8, UINT32_MAX); /* frames of 4 blocks; the last has 3 */
	assert_int_equal(plan_frames_init(&frames, &plan, &five_frames, 4), 0);
	assert_true(plan_next_run(&frames, 0, 1000, &run));
	assert_int_equal(run.first, 1);
	assert_int_equal(run.count, 2);
	assert_int_equal(run.offset, 100);
	assert_int_equal(run.size, 200);
	assert_false(plan_next_run(&frames, 3, 1000, &run));
	assert_true(plan_next_run(&frames, 0, 150, &run));
	assert_int_equal(run.count, 1);
	assert_true(plan_next_run(&frames, 0, 10, &run)); /* a single frame may be larger */
	assert_int_equal(run.count, 1);
	assert_int_equal(plan_frames_bytes(&frames), 200);
	plan_frames_release(&frames);
	plan_release(&plan);
}

static void test_gap_smaller_than_a_request_is_fetched_along(void **state)
{
	uint64_t starts[] = { 0, 5000, 5000 + PLAN_GAP_MOST, 10000, 10000 + PLAN_GAP_MOST + 1, 20000 };
	const struct seek_table table = { starts, 5 };
	struct plan_frames frames;
	struct plan_run run;
	struct plan plan;

	(void)state;
	make_plan(&plan, 0, 20, 0, 8, 16, UINT32_MAX);
	assert_int_equal(plan_frames_init(&frames, &plan, &table, 4), 0);
	assert_true(plan_next_run(&frames, 0, 1 << 20, &run));
	assert_int_equal(run.first, 0);
	assert_int_equal(run.count, 3); /* with the small one in between, without the larger one after */
	assert_true(plan_next_run(&frames, 3, 1 << 20, &run));
	assert_int_equal(run.first, 4);
	assert_int_equal(run.count, 1);
	plan_frames_release(&frames);
	plan_release(&plan);
}

/* A level of the tree begins in the middle of a frame. */
static void test_level_inside_frames(void **state)
{
	struct plan_frames frames;
	struct plan_run run;
	struct plan plan;

	(void)state;
	make_plan(&plan, 6, 3, 2, UINT32_MAX);
	assert_int_equal(plan_frames_init(&frames, &plan, &five_frames, 4), 0);
	assert_true(plan_next_run(&frames, 0, 1000, &run));
	assert_int_equal(run.first, 2);
	assert_int_equal(run.count, 1);
	plan_frames_release(&frames);
	plan_release(&plan);
}

static void test_block_beyond_the_table_is_no_frame(void **state)
{
	struct plan_frames frames;
	struct plan_run run;
	struct plan plan;

	(void)state;
	make_plan(&plan, 18, 4, 3, UINT32_MAX);
	assert_int_equal(plan_frames_init(&frames, &plan, &five_frames, 4), 0);
	assert_false(plan_next_run(&frames, 0, 1000, &run));
	plan_frames_release(&frames);
	plan_release(&plan);
}

/* ------------------------------------------------------------------ copies */
static void index_of(struct plan_index *index, const uint8_t (*digests)[32], uint32_t count, uint32_t first)
{
	assert_int_equal(plan_index_init(index, count), 0);
	plan_index_add(index, digests[0], count, first);
	plan_index_sort(index);
}

static void test_moved_blocks_are_found(void **state)
{
	const uint8_t wanted[4][32] = { { 1 }, { 2 }, { 3 }, { 4 } }, donor[3][32] = { { 9 }, { 2 }, { 1 } };
	struct plan_index index;
	struct plan plan;

	(void)state;
	assert_int_equal(plan_init(&plan, 0, 4), 0);
	plan_set(&plan, 3, PLAN_KEEP);
	index_of(&index, donor, 3, 0);
	plan_copies(&plan, 0, 4, wanted[0], &index);
	assert_int_equal(plan_get(&plan, 0), 2);
	assert_int_equal(plan_get(&plan, 1), 1);
	assert_int_equal(plan_get(&plan, 2), PLAN_FETCH);
	assert_int_equal(plan_get(&plan, 3), PLAN_KEEP);
	assert_int_equal(plan_count_copies(&plan), 2);
	plan_give_up_copies(&plan);
	assert_int_equal(plan_count(&plan, PLAN_FETCH), 3);
	plan_index_release(&index);
	plan_release(&plan);
}

/* Many blocks of an image are equal (zeros, licences): reading the disk to and fro for them would be slow. */
static void test_equal_blocks_are_copied_in_runs(void **state)
{
	const uint8_t wanted[5][32] = { { 7 }, { 1 }, { 7 }, { 2 }, { 7 } };
	const uint8_t donor[6][32] = { { 7 }, { 5 }, { 7 }, { 1 }, { 7 }, { 2 } };
	struct plan_copy copy;
	struct plan_index index;
	struct plan plan;

	(void)state;
	assert_int_equal(plan_init(&plan, 2, 5), 0);
	index_of(&index, donor, 6, 0);
	plan_copies(&plan, 0, 5, wanted[0], &index);
	assert_true(plan_next_copy(&plan, 0, 128, &copy));
	assert_int_equal(copy.entry, 0);
	assert_int_equal(copy.from, 2); /* where it is in the image: not the first such block */
	assert_int_equal(copy.count, 4);
	assert_true(plan_next_copy(&plan, 4, 128, &copy));
	assert_int_equal(copy.from, 0);
	assert_false(plan_next_copy(&plan, 5, 128, &copy));
	assert_true(plan_next_copy(&plan, 1, 2, &copy));
	assert_int_equal(copy.count, 2);
	plan_index_release(&index);
	plan_release(&plan);
}

static void test_index_takes_no_more_than_it_has_room_for(void **state)
{
	const uint8_t donor[3][32] = { { 3 }, { 2 }, { 1 } };
	struct plan_index index;

	(void)state;
	assert_int_equal(plan_index_init(&index, 2), 0);
	plan_index_add(&index, donor[0], 3, 0);
	assert_int_equal(index.count, 2);
	plan_index_release(&index);
}

static void test_impossible_sizes_are_refused(void **state)
{
	struct plan_index index;
	struct plan plan;

	(void)state;
	assert_int_equal(plan_init(&plan, 0, (uint64_t)PLAN_BLOCKS_MOST + 1), -EFBIG);
	assert_int_equal(plan_init(&plan, PLAN_BLOCKS_MOST, 1), -EFBIG);
	assert_int_equal(plan_init(&plan, UINT64_MAX, 1), -EFBIG);
	assert_int_equal(plan_index_init(&index, UINT64_MAX), -EFBIG);
}

/* Random plans: every block to fetch is in exactly one run, runs go upwards, and no run begins or ends with a frame nobody needs. */
static void test_runs_cover_every_block_once(void **state)
{
	uint32_t x = 12345;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		uint64_t starts[41] = { 0 };
		const struct seek_table table = { starts, 40 };
		unsigned char seen[40] = { 0 };
		struct plan_frames frames;
		struct plan_run run;
		struct plan plan;
		uint32_t from = 0;

		for (unsigned i = 0; i < 40; i++) {
			x = x * 1664525 + 1013904223;
			starts[i + 1] = starts[i] + 1 + (x >> 16) % 1000;
		}
		assert_int_equal(plan_init(&plan, 3, 150), 0);
		for (uint32_t i = 0; i < 150; i++) {
			x = x * 1664525 + 1013904223;
			plan_set(&plan, i, (x >> 16) % 8 < round % 9 ? PLAN_FETCH : PLAN_KEEP);
		}
		assert_int_equal(plan_frames_init(&frames, &plan, &table, 4), 0);
		while (plan_next_run(&frames, from, 3000, &run)) {
			assert_true(run.first >= from && run.count > 0 && run.first + run.count <= 40);
			assert_true(run.size <= 3000 && run.offset == starts[run.first]);
			assert_int_equal(run.size, starts[run.first + run.count] - starts[run.first]);
			for (uint32_t i = 0; i < run.count; i++)
				seen[run.first + i]++;
			from = run.first + run.count;
		}
		for (uint32_t i = 0; i < 150; i++)
			if (plan_get(&plan, i) == PLAN_FETCH)
				assert_int_equal(seen[(3 + i) / 4], 1);
		plan_frames_release(&frames);
		plan_release(&plan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_adjacent_frames_are_one_request),
		cmocka_unit_test(test_gap_smaller_than_a_request_is_fetched_along),
		cmocka_unit_test(test_level_inside_frames),
		cmocka_unit_test(test_block_beyond_the_table_is_no_frame),
		cmocka_unit_test(test_moved_blocks_are_found),
		cmocka_unit_test(test_equal_blocks_are_copied_in_runs),
		cmocka_unit_test(test_index_takes_no_more_than_it_has_room_for),
		cmocka_unit_test(test_impossible_sizes_are_refused),
		cmocka_unit_test(test_runs_cover_every_block_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

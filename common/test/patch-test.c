/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Patches: what is made is read again, and what a server could make of it is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/patch.h"

#define NEW_SIZE (1000 * UINT64_C(4096))
#define WANT 4096u

static uint8_t old_image[3 * WANT];
static uint8_t window[WANT];

static int read_old(void *context, uint8_t *ret_data, size_t size, uint64_t offset)
{
	(void)context;
	if (offset > sizeof(old_image) || size > sizeof(old_image) - offset)
		return -EIO;
	memcpy(ret_data, old_image + offset, size);
	return 0;
}

/* A payload of `count` steps with `bytes` bytes of value 1 behind them. */
static struct buffer make_payload(const struct patch_step *steps, size_t count, size_t bytes)
{
	static const uint8_t ones[WANT] = { [0 ... WANT - 1] = 1 };
	struct buffer payload = { 0 };

	assert_int_equal(patch_count_format(count, &payload), 0);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(patch_step_format(&steps[i], &payload), 0);
	assert_int_equal(buffer_add(&payload, ones, bytes), 0);
	return payload;
}

static int apply(const struct patch_step *steps, size_t count, size_t bytes)
{
	struct buffer payload = make_payload(steps, count, bytes);
	int r = patch_window_apply(payload.data, payload.size, read_old, NULL, window, WANT);

	buffer_release(&payload);
	return r;
}

static void test_steps_go_back_and_forth(void **state)
{
	const struct patch_step steps[] = { { 96, 1000, 8192 }, { 2000, 0, -8000 }, { 1000, 0, 300 } };

	(void)state;
	for (size_t i = 0; i < sizeof(old_image); i++)
		old_image[i] = (uint8_t)(i / 100);
	assert_int_equal(apply(steps, 3, WANT), 0);
	assert_int_equal(window[0], (uint8_t)(old_image[8192] + 1));
	assert_int_equal(window[96], 1);
	assert_int_equal(window[1096], (uint8_t)(old_image[8192 + 96 - 8000] + 1));
	assert_int_equal(window[WANT - 1], (uint8_t)(old_image[288 + 2000 + 300 + 999] + 1));
}

static void test_difference_wraps_at_256(void **state)
{
	const struct patch_step step = { WANT, 0, 0 };

	(void)state;
	memset(old_image, 255, sizeof(old_image));
	assert_int_equal(apply(&step, 1, WANT), 0);
	assert_int_equal(window[17], 0);
}

static void test_place_outside_the_old_image_is_refused(void **state)
{
	const struct patch_step before = { WANT, 0, -1 }, behind = { WANT, 0, 2 * WANT + 1 }, far = { WANT, 0, INT64_MAX };
	const struct patch_step overflow[] = { { 1, 0, INT64_MAX }, { WANT - 1, 0, 2 } };
	const struct patch_step least = { WANT, 0, INT64_MIN };

	(void)state;
	assert_int_equal(apply(&before, 1, WANT), -EBADMSG);
	assert_int_equal(apply(&behind, 1, WANT), -EIO);
	assert_int_equal(apply(&far, 1, WANT), -EIO);
	assert_int_equal(apply(overflow, 2, WANT), -EIO);
	assert_int_equal(apply(&least, 1, WANT), -EBADMSG);
}

static void test_payload_that_makes_another_size_is_refused(void **state)
{
	const struct patch_step exact = { 0, WANT, 0 }, less = { 0, WANT - 1, 0 }, more = { 1, WANT, 0 };
	const struct patch_step wraps[] = { { UINT64_MAX, 0, 0 }, { 0, WANT + 1, 0 } };

	(void)state;
	assert_int_equal(apply(&exact, 1, WANT), 0);
	assert_int_equal(apply(&exact, 1, WANT - 1), -EBADMSG);
	assert_int_equal(apply(&less, 1, WANT - 1), -EBADMSG);
	assert_int_equal(apply(&more, 1, WANT), -EBADMSG);
	assert_int_equal(apply(wraps, 2, WANT), -EBADMSG);
}

static void test_step_that_makes_nothing_is_refused(void **state)
{
	const struct patch_step steps[] = { { WANT / 2, 0, 0 }, { 0, 0, 9 }, { WANT / 2, 0, -9 } };

	(void)state;
	assert_int_equal(apply(steps, 3, WANT), -EBADMSG);
}

static void test_cut_payload_is_refused(void **state)
{
	const struct patch_step steps[] = { { 300, 1000, 100 }, { 2796, 0, 500 } };
	struct buffer payload = make_payload(steps, 2, WANT);

	(void)state;
	for (size_t size = 0; size < payload.size; size++)
		assert_int_equal(patch_window_apply(payload.data, size, read_old, NULL, window, WANT), -EBADMSG);
	assert_int_equal(patch_window_apply(payload.data, payload.size, read_old, NULL, window, WANT), 0);
	buffer_release(&payload);
}

/* ------------------------------------------------------------------ header and index */
static int parse_two(struct patch_window a, struct patch_window b, uint64_t size_most)
{
	struct patch_header header = { NEW_SIZE, NEW_SIZE, 2 }, again;
	uint8_t bytes[PATCH_HEADER + 2 * PATCH_INDEX_ENTRY];
	struct patch_index index;
	int r;

	patch_header_format(&header, bytes);
	patch_window_format(&a, bytes + PATCH_HEADER);
	patch_window_format(&b, bytes + PATCH_HEADER + PATCH_INDEX_ENTRY);
	assert_int_equal(patch_header_parse(bytes, NEW_SIZE, &again), 0);
	r = patch_index_parse(bytes + PATCH_HEADER, &again, size_most, &index);
	if (r == 0) {
		assert_int_equal(index.windows[1].offset, sizeof(bytes) + a.frame);
		assert_int_equal(index.size, sizeof(bytes) + a.frame + b.frame);
		patch_index_release(&index);
	}
	return r;
}

static void test_index_is_read_as_written(void **state)
{
	(void)state;
	assert_int_equal(parse_two((struct patch_window){ 0, 128, 900, 80, 0 }, (struct patch_window){ 128, 256, 99, 9, 0 }, 1000),
			 0);
}

static void test_unsound_index_is_refused(void **state)
{
	const struct patch_window good = { 128, 128, 900, 80, 0 };
	const struct patch_window bad[] = { { 200, 1, 9, 9, 0 },   { 999, 2, 9, 9, 0 },   { 300, 257, 9, 9, 0 },
					    { 300, 0, 9, 9, 0 },   { 300, 1, 0, 9, 0 },   { 300, 1, 9, 0, 0 },
					    { 300, 1, PATCH_PAYLOAD_MOST + 1, 9, 0 },     { 300, 1, 9, PATCH_FRAME_MOST + 1, 0 },
					    { UINT32_MAX, 1, 9, 9, 0 } };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(parse_two(good, bad[i], 1 << 24), -EBADMSG);
}

static void test_patch_larger_than_the_wire_file_is_refused(void **state)
{
	const struct patch_window a = { 0, 128, 900, 800, 0 }, b = { 128, 128, 900, 800, 0 };

	(void)state;
	assert_int_equal(parse_two(a, b, 1664), 0);
	assert_int_equal(parse_two(a, b, 1663), -EBADMSG);
}

static void test_header_for_another_image_is_refused(void **state)
{
	struct patch_header header = { NEW_SIZE, NEW_SIZE, 2 };
	uint8_t bytes[PATCH_HEADER];

	(void)state;
	patch_header_format(&header, bytes);
	assert_int_equal(patch_header_parse(bytes, NEW_SIZE + 4096, &header), -EBADMSG);
	bytes[0] ^= 1;
	assert_int_equal(patch_header_parse(bytes, NEW_SIZE, &header), -EBADMSG);
	header.windows = PATCH_WINDOWS_MOST + 1;
	patch_header_format(&header, bytes);
	assert_int_equal(patch_header_parse(bytes, NEW_SIZE, &header), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_go_back_and_forth),
		cmocka_unit_test(test_difference_wraps_at_256),
		cmocka_unit_test(test_place_outside_the_old_image_is_refused),
		cmocka_unit_test(test_payload_that_makes_another_size_is_refused),
		cmocka_unit_test(test_step_that_makes_nothing_is_refused),
		cmocka_unit_test(test_cut_payload_is_refused),
		cmocka_unit_test(test_index_is_read_as_written),
		cmocka_unit_test(test_unsound_index_is_refused),
		cmocka_unit_test(test_patch_larger_than_the_wire_file_is_refused),
		cmocka_unit_test(test_header_for_another_image_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

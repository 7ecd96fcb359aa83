/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/file.h"
#include "common/home-disk.h"

#define SIZE (4u << 20)

static int new_disk(void **state)
{
	int *fd = malloc(sizeof(*fd));

	*fd = memfd_create("disk", MFD_CLOEXEC);
	*state = fd;
	return *fd >= 0 && ftruncate(*fd, SIZE) == 0 ? 0 : -1;
}

static int close_disk(void **state)
{
	close(*(int *)*state);
	free(*state);
	return 0;
}

static enum home_content look(void **state)
{
	enum home_content content;

	assert_int_equal(home_disk_look(*(int *)*state, SIZE, &content, NULL), 0);
	return content;
}

static void put(void **state, uint64_t where)
{
	assert_int_equal(write_full_at(*(int *)*state, "x", 1, where), 0);
}

static void test_only_zeros_are_blank(void **state)
{
	assert_int_equal(look(state), HOME_CONTENT_BLANK);
	/* What lies in the middle of a partition that has no beginning and no end is what a wiped disk has left. */
	put(state, SIZE / 2);
	assert_int_equal(look(state), HOME_CONTENT_BLANK);
	put(state, HOME_HEAD - 1);
	assert_int_equal(look(state), HOME_CONTENT_FOREIGN);
}

static void test_a_byte_at_either_end_is_somebody_elses(void **state)
{
	put(state, 0);
	assert_int_equal(look(state), HOME_CONTENT_FOREIGN);
	assert_int_equal(write_full_at(*(int *)*state, "\0", 1, 0), 0);
	assert_int_equal(look(state), HOME_CONTENT_BLANK);
	put(state, SIZE - 1);
	assert_int_equal(look(state), HOME_CONTENT_FOREIGN);
}

static void test_power_cut_while_a_file_system_is_made_is_told(void **state)
{
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_HALF_MADE, NULL), 0);
	put(state, 1024);
	assert_int_equal(look(state), HOME_CONTENT_HALF_MADE);
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_MADE, NULL), 0);
	assert_int_equal(look(state), HOME_CONTENT_MADE);
}

static void test_damaged_mark_makes_nothing_anew(void **state)
{
	put(state, 1024);
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_HALF_MADE, NULL), 0);
	put(state, SIZE - HOME_TAIL + 100);
	assert_int_equal(look(state), HOME_CONTENT_FOREIGN);
}

static void test_lock_says_which_key_and_sector_it_is(void **state)
{
	struct home_lock lock = { .sector = 4096 }, found;
	enum home_content content;

	memset(lock.check, 0xa7, sizeof(lock.check));
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_HALF_LOCKED, &lock), 0);
	assert_int_equal(home_disk_look(*(int *)*state, SIZE, &content, &found), 0);
	assert_int_equal(content, HOME_CONTENT_HALF_LOCKED);
	assert_memory_equal(&found, &lock, sizeof(lock));
	lock.sector = 512;
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_LOCKED, &lock), 0);
	assert_int_equal(home_disk_look(*(int *)*state, SIZE, &content, &found), 0);
	assert_int_equal(content, HOME_CONTENT_LOCKED);
	assert_memory_equal(&found, &lock, sizeof(lock));
}

static void test_lock_that_isnt_sound_is_none(void **state)
{
	static const char *const texts[] = { "REPAVEH1locked", "REPAVEH1locked 1024 00", "REPAVEH1locked 512 0", "REPAVEH1locked 512 ", "REPAVEH1lockedx512 " };
	uint8_t mark[HOME_MARK_SIZE] = { 0 };
	struct home_lock lock;
	enum home_content content;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		memset(mark, 0, sizeof(mark));
		memcpy(mark, texts[i], strlen(texts[i]));
		assert_false(home_mark_parse(mark, &content, &lock));
	}
	memset(mark, 'x', sizeof(mark));
	memcpy(mark, "REPAVEH1", 8);
	assert_false(home_mark_parse(mark, &content, &lock));
	(void)state;
}

static void test_what_is_made_blank_is(void **state)
{
	put(state, 0);
	put(state, SIZE - 1);
	put(state, SIZE - HOME_TAIL);
	assert_int_equal(home_disk_blank(*(int *)*state, SIZE), 0);
	assert_int_equal(look(state), HOME_CONTENT_BLANK);
}

static void test_partition_too_small_for_the_mark_is_refused(void **state)
{
	enum home_content content;

	assert_int_equal(home_disk_look(*(int *)*state, HOME_HEAD, &content, NULL), -ENOSPC);
	assert_int_equal(home_disk_look(*(int *)*state, SIZE + 4096, &content, NULL), -EIO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_disk, close_disk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_zeros_are_blank),
		TEST(test_a_byte_at_either_end_is_somebody_elses),
		TEST(test_power_cut_while_a_file_system_is_made_is_told),
		TEST(test_damaged_mark_makes_nothing_anew),
		TEST(test_lock_says_which_key_and_sector_it_is),
		TEST(test_lock_that_isnt_sound_is_none),
		TEST(test_what_is_made_blank_is),
		TEST(test_partition_too_small_for_the_mark_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

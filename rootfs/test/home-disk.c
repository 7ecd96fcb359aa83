/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/file.h"
#include "rootfs/home-disk.h"

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

	assert_int_equal(home_disk_look(*(int *)*state, SIZE, &content), 0);
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
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_HALF_MADE), 0);
	put(state, 1024);
	assert_int_equal(look(state), HOME_CONTENT_HALF_MADE);
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_MADE), 0);
	assert_int_equal(look(state), HOME_CONTENT_MADE);
}

static void test_damaged_mark_makes_nothing_anew(void **state)
{
	put(state, 1024);
	assert_int_equal(home_disk_mark(*(int *)*state, SIZE, HOME_CONTENT_HALF_MADE), 0);
	put(state, SIZE - HOME_TAIL + 100);
	assert_int_equal(look(state), HOME_CONTENT_FOREIGN);
}

static void test_partition_too_small_for_the_mark_is_refused(void **state)
{
	enum home_content content;

	assert_int_equal(home_disk_look(*(int *)*state, HOME_HEAD, &content), -ENOSPC);
	assert_int_equal(home_disk_look(*(int *)*state, SIZE + 4096, &content), -EIO);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, new_disk, close_disk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_only_zeros_are_blank),
		TEST(test_a_byte_at_either_end_is_somebody_elses),
		TEST(test_power_cut_while_a_file_system_is_made_is_told),
		TEST(test_damaged_mark_makes_nothing_anew),
		TEST(test_partition_too_small_for_the_mark_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

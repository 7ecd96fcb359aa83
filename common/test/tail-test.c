/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/tail.h"

static void assert_text(const struct tail *tail, const char *wanted)
{
	size_t size;
	const char *text = tail_text(tail, &size);

	assert_int_equal(size, strlen(wanted));
	assert_memory_equal(text, wanted, size);
}

static void test_escape_sequences_become_visible(void **state)
{
	char room[32];
	struct tail tail = { .data = room, .most = sizeof(room) };

	(void)state;
	assert_text(&tail, "");
	tail_add(&tail, "a\tb\x1b[2J\0\xc3\x7f\n", 10);
	assert_text(&tail, "a\tb?[2J???");
}

static void test_oldest_lines_go_whole(void **state)
{
	char room[16];
	struct tail tail = { .data = room, .most = sizeof(room) };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		tail_add(&tail, "12345\n", 6);
	assert_text(&tail, "12345\n12345\n");
	tail_add(&tail, "one piece that is longer than all the room\nend", 46);
	assert_text(&tail, "end");
	tail_add(&tail, "a line without an end", 21);
	assert_text(&tail, "e without an end");
}

static void test_half_of_a_text_begins_with_a_line(void **state)
{
	const char *text = "first\nsecond\nthird\nfourth\n";
	size_t size = strlen(text);

	(void)state;
	text_halve(&text, &size);
	assert_string_equal(text, "fourth\n");
	text_halve(&text, &size);
	assert_int_equal(size, 0);
	text = "x";
	size = 1;
	text_halve(&text, &size);
	assert_int_equal(size, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape_sequences_become_visible),
		cmocka_unit_test(test_oldest_lines_go_whole),
		cmocka_unit_test(test_half_of_a_text_begins_with_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

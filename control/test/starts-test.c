/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/starts.h"

/* A start with a nonce of its own. */
static void tell(struct starts *starts, enum start_way way, bool arrived)
{
	static unsigned number;
	struct last_start last = { .known = true, .way = way, .arrived = arrived };

	snprintf(last.nonce, sizeof last.nonce, "%032x", ++number);
	assert_true(starts_count(starts, &last));
	/* Asking again, as a node that waits does, isn't another start. */
	assert_false(starts_count(starts, &last));
}

static enum start_way choose(const struct starts *starts)
{
	return starts_choose(starts, START_POLICY_AUTO, true);
}

static void test_hardware_that_loses_kexec_gets_the_firmware(void **unused)
{
	struct starts starts = { 0 };

	(void)unused;
	assert_int_equal(choose(&starts), START_KEXEC);
	tell(&starts, START_KEXEC, false);
	assert_int_equal(choose(&starts), START_KEXEC); /* one may have been a power cut */
	tell(&starts, START_KEXEC, false);
	assert_int_equal(choose(&starts), START_RESET);
	tell(&starts, START_RESET, true);
	assert_int_equal(choose(&starts), START_RESET);
	assert_int_equal(starts_choose(&starts, START_POLICY_KEXEC, true), START_KEXEC);
	/* An operator had it tried again, and it went well. */
	tell(&starts, START_KEXEC, true);
	assert_int_equal(choose(&starts), START_KEXEC);
	assert_int_equal(starts.ways[START_KEXEC].lost, 2);
	assert_int_equal(starts.ways[START_KEXEC].arrived, 1);
}

static void test_system_that_is_lost_both_ways_blames_no_kexec(void **unused)
{
	struct starts starts = { 0 };

	(void)unused;
	tell(&starts, START_KEXEC, true);
	tell(&starts, START_KEXEC, false);
	tell(&starts, START_KEXEC, false);
	assert_int_equal(choose(&starts), START_RESET);
	tell(&starts, START_RESET, false);
	assert_int_equal(choose(&starts), START_KEXEC);
}

static void test_bios_is_never_asked_for_a_reset_by_itself(void **unused)
{
	struct starts starts = { 0 };

	(void)unused;
	tell(&starts, START_KEXEC, false);
	tell(&starts, START_KEXEC, false);
	assert_int_equal(starts_choose(&starts, START_POLICY_AUTO, false), START_KEXEC);
	assert_int_equal(starts_choose(&starts, START_POLICY_RESET, false), START_RESET);
}

static void test_unknown_start_counts_for_nothing(void **unused)
{
	struct last_start last = { 0 };
	struct starts starts = { 0 };

	(void)unused;
	assert_false(starts_count(&starts, &last));
	assert_string_equal(starts.counted, "");
}

static void test_record_comes_back_from_the_store(void **unused)
{
	static const char *const bad[] = { "[]", "{\"counted\": \"\"}", "{\"counted\": \"x\", \"kexec\": {}, \"reset\": {}}",
					   "{\"counted\": \"\", \"kexec\": {\"arrived\": -1, \"lost\": 0, \"lost_in_row\": 0}}" };
	struct starts starts = { 0 }, again;
	json_t *object;

	(void)unused;
	tell(&starts, START_KEXEC, false);
	tell(&starts, START_RESET, true);
	object = starts_format(&starts);
	assert_int_equal(starts_parse(object, &again), 0);
	assert_memory_equal(&starts, &again, sizeof starts);
	json_decref(object);
	object = json_object();
	assert_int_equal(starts_parse(object, &again), 0);
	assert_int_equal(again.ways[START_KEXEC].lost, 0);
	json_decref(object);
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		object = json_loads(bad[i], 0, NULL);
		assert_non_null(object);
		assert_int_equal(starts_parse(object, &again), -EINVAL);
		json_decref(object);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hardware_that_loses_kexec_gets_the_firmware),
		cmocka_unit_test(test_system_that_is_lost_both_ways_blames_no_kexec),
		cmocka_unit_test(test_bios_is_never_asked_for_a_reset_by_itself),
		cmocka_unit_test(test_unknown_start_counts_for_nothing),
		cmocka_unit_test(test_record_comes_back_from_the_store),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

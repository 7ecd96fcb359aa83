/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "common/home-choice.h"

static void test_each_kind_is_read(void **state)
{
	struct home_choice choice;

	(void)state;
	assert_int_equal(home_choice_parse("auto", &choice), 0);
	assert_int_equal(choice.kind, HOME_AUTO);
	assert_int_equal(home_choice_parse("local", &choice), 0);
	assert_int_equal(choice.kind, HOME_LOCAL);
	assert_int_equal(home_choice_parse("none", &choice), 0);
	assert_int_equal(choice.kind, HOME_NONE);
	assert_int_equal(home_choice_parse("nfs:files.example:/export/h", &choice), 0);
	assert_int_equal(choice.kind, HOME_NFS);
	assert_string_equal(choice.server, "files.example");
	assert_string_equal(choice.path, "/export/h");
	assert_false(choice.own_folder);
}

static void test_own_folder_is_taken_off_the_path(void **state)
{
	struct home_choice choice;

	(void)state;
	assert_int_equal(home_choice_parse("nfs:[fd00::1]:/export/{node}", &choice), 0);
	assert_string_equal(choice.server, "fd00::1");
	assert_string_equal(choice.path, "/export");
	assert_true(choice.own_folder);
	assert_int_equal(home_choice_parse("nfs:10.0.0.5:/{node}", &choice), 0);
	assert_string_equal(choice.path, "/");
	assert_true(choice.own_folder);
}

static void test_mount_options_and_foreign_folders_cannot_be_smuggled_in(void **state)
{
	static const char *const bad[] = { "", "nfs", "nfs:", "nfs::/x", "nfs:a", "nfs:a:", "nfs:a:x", "nfs:a:/x,sec=none", "nfs:a b:/x", "nfs:a:/x y",
					   "nfs:a:/../etc", "nfs:a:/x/..", "nfs:a:/x/./y", "nfs:a:/x//y", "nfs:a:/x/", "nfs:a,b:/x", "nfs:-o:/x",
					   "nfs:[::1:/x", "nfs:[a]b:/x", "nfs:[]:/x", "nfs:a:/{node}/x", "nfs:a:/x{node}", "nfs:a:{node}", "Local", "local ",
					   "nfs:a:/x\n" };
	char longest[HOME_CHOICE_MOST + 2];
	struct home_choice choice;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (home_choice_parse(bad[i], &choice) != -EINVAL)
			fail_msg("accepted: \"%s\"", bad[i]);
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "nfs:a:/", 7);
	longest[7 + HOME_PATH_MOST - 1] = '\0';
	assert_int_equal(home_choice_parse(longest, &choice), 0);
	longest[7 + HOME_PATH_MOST - 1] = 'x';
	longest[7 + HOME_PATH_MOST] = '\0';
	assert_int_equal(home_choice_parse(longest, &choice), -EINVAL);
}

static void test_home_cannot_cover_folders_of_the_system(void **state)
{
	static const char *const bad[] = { "", "/", "/etc", "/var/lib", "/var/lib/", "/var/lib/../x", "/var/lib/a/../../b", "/var/libx/a", "var/lib/a", "/usr/a",
					   "/srv//a", "/home/a b", "/app/x", "/run/x", "/var/lib/.", "/var/lib/a/" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (home_path_ok(bad[i]))
			fail_msg("accepted: \"%s\"", bad[i]);
	assert_true(home_path_ok("/var/lib/web"));
	assert_true(home_path_ok("/srv/a/b"));
	assert_true(home_path_ok("/home/web"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_is_read),
		cmocka_unit_test(test_own_folder_is_taken_off_the_path),
		cmocka_unit_test(test_mount_options_and_foreign_folders_cannot_be_smuggled_in),
		cmocka_unit_test(test_home_cannot_cover_folders_of_the_system),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "rootfs/session-text.h"

#define SHELL "/usr/lib/repave/session"
#define PASSWD                                                                                                                             \
	"root:x:0:0:root:/root:/bin/sh\napp:x:990:990:application:/run/app:/bin/false\n"                                                   \
	"anna:x:20001:20001:user:/home/anna:" SHELL "\nbert:x:20002:20002:user:/home/bert:" SHELL "\nodd:x:20003:20003:user:/home/odd:/bin/sh\n"

static void test_only_what_an_ssh_server_calls_is_accepted(void **state)
{
	struct session_call call;

	(void)state;
	assert_int_equal(session_call_parse(1, (char *[]){ (char[]){ "-session" } }, &call), 0);
	assert_null(call.command);
	assert_int_equal(session_call_parse(3, (char *[]){ (char[]){ "session" }, (char[]){ "-c" }, (char[]){ "ls; id" } }, &call), 0);
	assert_string_equal(call.command, "ls; id");
	assert_int_equal(session_call_parse(2, (char *[]){ (char[]){ "session" }, (char[]){ "--help" } }, &call), 0);
	assert_true(call.help);
	assert_int_equal(session_call_parse(0, NULL, &call), -EINVAL);
	assert_int_equal(session_call_parse(2, (char *[]){ (char[]){ "session" }, (char[]){ "-c" } }, &call), -EINVAL);
	assert_int_equal(session_call_parse(3, (char *[]){ (char[]){ "session" }, (char[]){ "-l" }, (char[]){ "x" } }, &call), -EINVAL);
	assert_int_equal(session_call_parse(4, (char *[]){ (char[]){ "s" }, (char[]){ "-c" }, (char[]){ "x" }, (char[]){ "y" } }, &call), -EINVAL);
}

static void test_account_that_isnt_a_users_has_no_session(void **state)
{
	char name[USER_NAME_MOST + 1];

	(void)state;
	assert_int_equal(session_find_user(PASSWD, 20001, SHELL, name), 0);
	assert_string_equal(name, "anna");
	assert_int_equal(session_find_user(PASSWD, 0, SHELL, name), -EINVAL);
	assert_int_equal(session_find_user(PASSWD, 990, SHELL, name), -EINVAL);
	assert_int_equal(session_find_user(PASSWD, 20003, SHELL, name), -EINVAL);
	assert_int_equal(session_find_user(PASSWD, 2000, SHELL, name), -ENOENT);
	assert_int_equal(session_find_user("", 20001, SHELL, name), -ENOENT);
	assert_int_equal(session_find_user("a/b:x:20001:20001::/:" SHELL "\n", 20001, SHELL, name), -EINVAL);
	assert_int_equal(session_find_user("x:x:5:5::/:" SHELL "\n", 5, SHELL, name), -EINVAL);
}

static void test_other_users_names_arent_seen(void **state)
{
	struct buffer passwd = { 0 }, group = { 0 };

	(void)state;
	assert_int_equal(session_passwd(PASSWD, 20001, "/H", "/bin/sh", &passwd), 0);
	assert_string_equal((char *)passwd.data, "root:x:0:0:root:/root:/bin/sh\napp:x:990:990:application:/run/app:/bin/false\n"
						 "anna:x:20001:20001:user:/H:/bin/sh\n");
	assert_int_equal(session_group("root:x:0:\nanna:x:20001:\nbert:x:20002:\nbroken\nwrong:x:y:\n", 20001, &group), 0);
	assert_string_equal((char *)group.data, "root:x:0:\nanna:x:20001:\n");
	buffer_release(&passwd);
	buffer_release(&group);
}

static void test_environment_of_the_caller_is_left_behind(void **state)
{
	char *const environment[] = { (char[]){ "LD_PRELOAD=/H/x.so" }, (char[]){ "TERM=xterm" }, (char[]){ "PATH=/H" }, (char[]){ "BASH_ENV=/H/x" },
				      (char[]){ "LC_ALL=C" },		(char[]){ "IFS=/" },	  (char[]){ "TERMINFO=/H" }, NULL };
	char *const fixed[] = { (char[]){ "PATH=/bin" }, NULL };
	char *found[SESSION_VARIABLES_MOST + 1], *many[64], one[] = "LC_X=1";

	(void)state;
	session_environment(environment, fixed, found);
	assert_string_equal(found[0], "PATH=/bin");
	assert_string_equal(found[1], "TERM=xterm");
	assert_string_equal(found[2], "LC_ALL=C");
	assert_null(found[3]);
	for (size_t i = 0; i < 63; i++)
		many[i] = one;
	many[63] = NULL;
	session_environment(many, fixed, found);
	assert_null(found[SESSION_VARIABLES_MOST]);
}

static void test_sentence_doesnt_pass_for_the_state(void **state)
{
	(void)state;
	assert_true(session_home_mounted("{\"choice\":\"local\",\"format\":1,\"state\":\"mounted\",\"text\":\"\"}"));
	assert_true(session_home_mounted("{\"choice\":\"local\",\"format\":1,\"state\":\"read-only\",\"text\":\"damage\"}"));
	assert_false(session_home_mounted("{\"choice\":\"local\",\"format\":1,\"state\":\"failed\",\"text\":\"\\\"state\\\":\\\"mounted\\\"\"}"));
	assert_false(session_home_mounted("{\"choice\":\"auto\",\"format\":1,\"state\":\"none\",\"text\":\"\"}"));
	assert_false(session_home_mounted(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_what_an_ssh_server_calls_is_accepted),
		cmocka_unit_test(test_account_that_isnt_a_users_has_no_session),
		cmocka_unit_test(test_other_users_names_arent_seen),
		cmocka_unit_test(test_environment_of_the_caller_is_left_behind),
		cmocka_unit_test(test_sentence_doesnt_pass_for_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/accounts.h"

#define KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"
#define LIST "[{\"name\":\"anna\",\"uid\":20001,\"keys\":[\"" KEY " anna@desk\"]},{\"name\":\"bert\",\"uid\":20002,\"keys\":[\"" KEY "\"]}]"

static int check(const char *text)
{
	char error[USER_ERROR] = "";
	json_t *list = json_loads(text, 0, NULL);
	int r;

	assert_non_null(list);
	r = user_list_check(list, error);
	assert_true((r < 0) == (error[0] != '\0'));
	json_decref(list);
	return r;
}

static void test_users_of_an_assignment_become_accounts(void **state)
{
	json_t *list = json_loads(LIST, 0, NULL);
	struct buffer lines = { 0 };
	struct accounts accounts;
	char error[SENTENCE];

	(void)state;
	assert_int_equal(check(LIST), 0);
	assert_int_equal(user_list_format(list, &lines), 0);
	assert_int_equal(accounts_parse(lines.data, lines.size, &accounts, error), 0);
	assert_int_equal(accounts.count, 2);
	assert_string_equal(accounts.items[0].name, "anna");
	assert_int_equal(accounts.items[1].uid, 20002);
	assert_string_equal((char *)accounts.items[0].keys.data, "no-port-forwarding,no-agent-forwarding,no-X11-forwarding " KEY " anna@desk\n");
	accounts_release(&accounts);
	buffer_release(&lines);
	json_decref(list);
}

static void test_names_and_numbers_of_the_system_are_refused(void **state)
{
	static const char *const names[] = { "root", "app", "sshd", "sudo", "shadow", "", "-anna", "_anna", "1anna", "Anna", "an:na", "an na", "../x",
					     "an\nna", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_false(user_name_ok(names[i]));
	assert_true(user_name_ok("anna-b_2"));
	assert_false(user_id_ok(0) || user_id_ok(990) || user_id_ok(9999) || user_id_ok(60000) || user_id_ok(65534) || user_id_ok(UINT64_MAX));
	assert_int_equal(check("[{\"name\":\"root\",\"uid\":20001,\"keys\":[\"" KEY "\"]}]"), -EINVAL);
	assert_int_equal(check("[{\"name\":\"anna\",\"uid\":0,\"keys\":[\"" KEY "\"]}]"), -EINVAL);
	assert_int_equal(check("[{\"name\":\"anna\",\"uid\":-1,\"keys\":[\"" KEY "\"]}]"), -EINVAL);
	assert_int_equal(check("[{\"name\":\"anna\",\"uid\":20001,\"keys\":[]}]"), -EINVAL);
	assert_int_equal(check("[{\"name\":\"anna\",\"uid\":20001,\"keys\":[\"" KEY "\"],\"shell\":\"/bin/sh\"}]"), -EINVAL);
	assert_int_equal(check("[{\"name\":\"anna\",\"uid\":20001,\"keys\":[\"" KEY "\"]},{\"name\":\"bert\",\"uid\":20001,\"keys\":[\"" KEY "\"]}]"), -EINVAL);
	assert_int_equal(check("[{\"name\":\"anna\",\"uid\":20001,\"keys\":[\"" KEY "\"]},{\"name\":\"anna\",\"uid\":20002,\"keys\":[\"" KEY "\"]}]"), -EINVAL);
	assert_int_equal(check("[7]"), -EINVAL);
	assert_int_equal(check("{}"), -EINVAL);
}

static void test_keys_with_options_or_of_another_type_are_refused(void **state)
{
	(void)state;
	assert_true(user_key_ok(KEY) && user_key_ok(KEY " a comment"));
	assert_false(user_key_ok("command=\"/bin/sh\" " KEY));
	assert_false(user_key_ok("permitopen=\"*:*\"," KEY));
	assert_false(user_key_ok(KEY "\n" KEY));
	assert_false(user_key_ok("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"));
	assert_false(user_key_ok("ssh-dss AAAAB3NzaC1kc3M="));
	assert_false(user_key_ok("ssh-ed25519 AAAA!"));
	assert_false(user_key_ok("ssh-ed25519 "));
	assert_false(user_key_ok("ssh-ed25519"));
	assert_false(user_key_ok(""));
}

static void test_lines_that_arent_exactly_so_make_no_account(void **state)
{
	static const char *const bad[] = { "user root 20001\n", "user anna 0\n", "user anna\n", "user anna 20001", "key " KEY "\n", "\n",
					   "user anna 20001\nkey command=\"sh\" " KEY "\n", "user anna 20001 0\n", "user  20001\n",
					   "user anna 20001\nuser anna 20002\n", "user anna 20001\nuser bert 20001\n", "anna 20001\n" };
	struct accounts accounts;
	char error[SENTENCE];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(accounts_parse(bad[i], strlen(bad[i]), &accounts, error), -EINVAL);
		accounts_release(&accounts);
	}
	assert_int_equal(accounts_parse("user anna 20001\n\0", 18, &accounts, error), -EINVAL);
	accounts_release(&accounts);
	assert_int_equal(accounts_parse("", 0, &accounts, error), 0);
	accounts_release(&accounts);
}

static void test_account_of_the_os_is_found_by_name_and_number(void **state)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\nmail:x:12000:8:mail:/:/bin/false\ndisk:x:6:\nlast:x:13000";

	(void)state;
	assert_true(accounts_taken(passwd, "mail", 20001));
	assert_true(accounts_taken(passwd, "anna", 12000));
	assert_true(accounts_taken(passwd, "anna", 13000));
	assert_false(accounts_taken(passwd, "anna", 1200));
	assert_false(accounts_taken(passwd, "ma", 8));
	assert_false(accounts_taken(passwd, "mail2", 20001));
	assert_false(accounts_taken("", "anna", 20001));
}

/* ------------------------------------------------------------------ in a tree */
static char root[64];

static void put(const char *name, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/etc/%s", root, name);
	assert_int_equal(file_store(path, text, strlen(text), 0640), 0);
}

static void expect(const char *name, const char *text)
{
	struct buffer found = { 0 };
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	assert_int_equal(file_load(path, 4096, &found), 0);
	assert_string_equal((char *)found.data, text);
	buffer_release(&found);
}

static void test_accounts_are_added_and_those_of_the_os_stay(void **state)
{
	static const char lines[] = "user anna 20001\nkey " KEY "\nuser taken 20002\nkey " KEY "\n";
	struct accounts accounts;
	char error[SENTENCE], path[128], command[128];
	struct stat st;

	(void)state;
	if (getuid() != 0)
		skip();
	strcpy(root, "/tmp/accounts-test-XXXXXX");
	assert_non_null(mkdtemp(root));
	snprintf(path, sizeof(path), "%s/etc", root);
	assert_int_equal(mkdir(path, 0755), 0);
	put("passwd", "root:x:0:0:root:/root:/bin/sh\ntaken:x:77:77::/:/bin/false");
	put("group", "root:x:0:\n");
	put("shadow", "root:*:0:0:99999:7:::\n");
	assert_int_equal(accounts_parse(lines, strlen(lines), &accounts, error), 0);
	assert_int_equal(accounts_make(&accounts, root, error), 0);
	expect("etc/passwd", "root:x:0:0:root:/root:/bin/sh\ntaken:x:77:77::/:/bin/false\nanna:x:20001:20001:user:/home/anna:" ACCOUNT_SHELL "\n");
	expect("etc/group", "root:x:0:\nanna:x:20001:\n");
	expect("etc/shadow", "root:*:0:0:99999:7:::\nanna:*:0:0:99999:7:::\n");
	expect("home/anna/.ssh/authorized_keys", "no-port-forwarding,no-agent-forwarding,no-X11-forwarding " KEY "\n");
	snprintf(path, sizeof(path), "%s/home/anna/.ssh/authorized_keys", root);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_uid == 0 && st.st_gid == 20001 && (st.st_mode & 07777) == 0640);
	snprintf(path, sizeof(path), "%s/etc/shadow", root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	snprintf(path, sizeof(path), "%s/home/taken", root);
	assert_int_equal(access(path, F_OK), -1);
	accounts_release(&accounts);
	snprintf(command, sizeof(command), "rm -r %s", root);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_users_of_an_assignment_become_accounts),
		cmocka_unit_test(test_names_and_numbers_of_the_system_are_refused),
		cmocka_unit_test(test_keys_with_options_or_of_another_type_are_refused),
		cmocka_unit_test(test_lines_that_arent_exactly_so_make_no_account),
		cmocka_unit_test(test_account_of_the_os_is_found_by_name_and_number),
		cmocka_unit_test(test_accounts_are_added_and_those_of_the_os_stay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

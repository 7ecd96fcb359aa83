// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "control/names.h"
#include "control/repository.h"
#include "control/route.h"

static void test_only_lower_case_uuids_are_node_ids(void **state)
{
	(void)state;
	assert_true(node_id_valid("5e70a7e0-0000-4000-8000-000000000001"));
	assert_false(node_id_valid("5E70A7E0-0000-4000-8000-000000000001"));
	assert_false(node_id_valid("5e70a7e0-0000-4000-8000-00000000000"));
	assert_false(node_id_valid("5e70a7e0-0000-4000-8000-0000000000011"));
	assert_false(node_id_valid("5e70a7e000000-4000-8000-000000000001"));
	assert_false(node_id_valid("------------------------------------"));
	assert_false(node_id_valid(""));
}

static void test_nonce_is_of_one_length(void **state)
{
	(void)state;
	assert_true(nonce_valid("00112233445566778899aabbccddeeff"));
	assert_false(nonce_valid("00112233445566778899aabbccddeef"));
	assert_false(nonce_valid("00112233445566778899aabbccddeeff0"));
	assert_false(nonce_valid("00112233445566778899AABBCCDDEEFF"));
	assert_false(nonce_valid(""));
}

static void test_host_names_and_file_names(void **state)
{
	(void)state;
	assert_true(host_name_valid("web1"));
	assert_false(host_name_valid("-web"));
	assert_false(host_name_valid("web-"));
	assert_false(host_name_valid("web 1"));
	assert_false(host_name_valid("web.example"));
	assert_false(host_name_valid("5e70a7e0-0000-4000-8000-000000000001"));
	assert_true(config_file_name_valid("index.html"));
	assert_false(config_file_name_valid(".profile"));
	assert_false(config_file_name_valid("../passwd"));
	assert_false(config_file_name_valid("a/b"));
	assert_false(config_file_name_valid(""));
}

static void test_image_specs(void **state)
{
	struct image_spec spec;

	(void)state;
	assert_int_equal(image_spec_parse("debian@12.1~rc1", &spec), 0);
	assert_string_equal(spec.name, "debian");
	assert_string_equal(spec.version, "12.1~rc1");
	assert_int_equal(image_spec_parse("debian", &spec), 0);
	assert_string_equal(spec.version, "");
	assert_int_equal(image_spec_parse("debian@", &spec), -EINVAL);
	assert_int_equal(image_spec_parse("@1", &spec), -EINVAL);
	assert_int_equal(image_spec_parse("", &spec), -EINVAL);
	assert_int_equal(image_spec_parse("../debian", &spec), -EINVAL);
	assert_int_equal(image_spec_parse("debian@1/2", &spec), -EINVAL);
	assert_int_equal(image_spec_parse("a2345678901234567890123456789012345678901234567890123456789012345", &spec), -EINVAL);
}

static void test_versions_order_as_dpkg_does(void **state)
{
	static const char *const ascending[] = { "1.0~~", "1.0~rc1", "1.0~rc2", "1.0", "1.0-1", "1.0-1+deb12u1", "1.0-1+deb12u2",
						 "1.0-1+deb12u10", "1.0a", "1.0+b1", "1.0.1", "1.9", "1.10", "1.22", "2", "12.1",
						 "12.10" };

	(void)state;
	for (size_t i = 0; i < sizeof ascending / sizeof ascending[0]; i++) {
		assert_int_equal(version_compare(ascending[i], ascending[i]), 0);
		for (size_t j = i + 1; j < sizeof ascending / sizeof ascending[0]; j++) {
			assert_true(version_compare(ascending[i], ascending[j]) < 0);
			assert_true(version_compare(ascending[j], ascending[i]) > 0);
		}
	}
	assert_int_equal(version_compare("1.01", "1.1"), 0);
	assert_int_equal(version_compare("1.0-0", "1.0"), 0);
	assert_true(version_compare("99999999999999999999999999", "100000000000000000000000000") < 0);
}

static const struct route routes[] = {
	{ "GET", "/v1/nodes", 0 },
	{ "GET", "/v1/nodes/{}", 1 },
	{ "POST", "/v1/nodes/{}/boot", 2 },
};

static int find(const char *method, const char *path, char argument[ROUTE_ARGUMENT_MOST + 1])
{
	return route_find(routes, sizeof routes / sizeof routes[0], method, path, argument);
}

static void test_routes(void **state)
{
	char argument[ROUTE_ARGUMENT_MOST + 1];

	(void)state;
	assert_int_equal(find("GET", "/v1/nodes", argument), 0);
	assert_int_equal(find("GET", "/v1/nodes/web1", argument), 1);
	assert_string_equal(argument, "web1");
	assert_int_equal(find("POST", "/v1/nodes/web1/boot", argument), 2);
	assert_int_equal(find("GET", "/v1/nodes/web1/boot", argument), -EOPNOTSUPP);
	assert_int_equal(find("GET", "/v1/nodes/", argument), -ENOENT);
	assert_int_equal(find("GET", "/v1/nodes/a/b/boot", argument), -ENOENT);
	assert_int_equal(find("POST", "/v1/nodes//boot", argument), -ENOENT);
	assert_int_equal(find("GET", "", argument), -ENOENT);
}

static void test_overlong_argument_is_no_route(void **state)
{
	char argument[ROUTE_ARGUMENT_MOST + 1], path[200] = "/v1/nodes/";

	(void)state;
	memset(path + strlen(path), 'a', ROUTE_ARGUMENT_MOST + 1);
	assert_int_equal(find("GET", path, argument), -ENOENT);
}

static void test_tags_in_a_list_are_found(void **state)
{
	static const char *const with[] = { "\"a-1\"", "W/\"a-1\"", "*", "\"x\", \"a-1\"", "\"x,y\",W/\"a-1\" , \"z\"", " , \"a-1\"" };
	static const char *const without[] = { "", "\"a-2\"", "a-1", "\"a-1", "\"x, \"a-1\"", "\"a-11\"", "W/", "\"", ",,,", "W/W/\"a-1\"" };

	(void)state;
	for (size_t i = 0; i < sizeof with / sizeof with[0]; i++)
		assert_true(etag_listed(with[i], "\"a-1\""));
	for (size_t i = 0; i < sizeof without / sizeof without[0]; i++)
		assert_false(etag_listed(without[i], "\"a-1\""));
	assert_false(etag_listed(NULL, "\"a-1\""));
	assert_false(etag_listed("*", ""));
}

static void test_paths_that_leave_the_repository_are_refused(void **state)
{
	static const char *const escapes[] = { "/repository/../x", "/repository/targets/../../x", "/repository/targets/./x",
					       "/repository//x", "/repository/targets//y", "/repository/targets/", "/repository/",
					       "/repository", "/repositoryx/y", "/etc/passwd", "", "/", "/repository/.hidden",
					       "/repository/targets/.hidden", "/repository/targets/a\\b",
					       "/repository/targets/a%2fb", "/repository/targets/a b", "/repository/targets/a\nb",
					       "/repository/targets/\xc3\xa4", "/repository/staged/os.json",
					       "/repository/published.stamp" };
	char path[REPOSITORY_PATH_MOST + 1], longest[700] = "/repository/targets/";

	(void)state;
	for (size_t i = 0; i < sizeof escapes / sizeof escapes[0]; i++)
		assert_int_equal(repository_path_parse(escapes[i], path), -ENOENT);
	memset(longest + strlen(longest), 'a', REPOSITORY_PATH_MOST + 1);
	assert_int_equal(repository_path_parse(longest, path), -ENOENT);
	assert_int_equal(repository_path_parse("/repository/targets/os/debian/00ff.12.1~rc1+b1.img.zst", path), 0);
	assert_string_equal(path, "targets/os/debian/00ff.12.1~rc1+b1.img.zst");
}

static void check_range(const char *header, uint64_t size, int result, uint64_t offset, uint64_t length)
{
	uint64_t got_offset = 0, got_length = size;

	assert_int_equal(range_parse(header, size, &got_offset, &got_length), result);
	if (result > 0) {
		assert_int_equal(got_offset, offset);
		assert_int_equal(got_length, length);
	}
}

static void test_ranges(void **state)
{
	(void)state;
	check_range("bytes=0-0", 10, 1, 0, 1);
	check_range("bytes=2-5", 10, 1, 2, 4);
	check_range("bytes=2-", 10, 1, 2, 8);
	check_range("bytes=2-99", 10, 1, 2, 8);
	check_range("bytes=2-18446744073709551615", 10, 1, 2, 8);
	check_range("bytes=-3", 10, 1, 7, 3);
	check_range("bytes=-30", 10, 1, 0, 10);
	check_range("bytes=10-", 10, -ERANGE, 0, 0);
	check_range("bytes=-0", 10, -ERANGE, 0, 0);
	check_range("bytes=0-", 0, -ERANGE, 0, 0);
	check_range("bytes=-1", 0, -ERANGE, 0, 0);
	check_range("bytes=5-2", 10, 0, 0, 0);
	check_range("bytes=-", 10, 0, 0, 0);
	check_range("bytes=1-2,4-5", 10, 0, 0, 0);
	check_range("bytes=a-b", 10, 0, 0, 0);
	check_range("bytes=99999999999999999999999-", 10, 0, 0, 0);
	check_range("lines=1-2", 10, 0, 0, 0);
	check_range("bytes=", 10, 0, 0, 0);
	check_range(NULL, 10, 0, 0, 0);
}

static void test_only_immutable_names_are_cached_for_ever(void **state)
{
	(void)state;
	assert_non_null(strstr(repository_cache_control("targets/os/debian/ff.12.1.img.zst"), "immutable"));
	assert_non_null(strstr(repository_cache_control("metadata/12.targets.json"), "immutable"));
	assert_null(strstr(repository_cache_control("targets/os/debian/ff.12.1.img.zst.from-00112233aabbccdd"), "immutable"));
	assert_string_equal(repository_cache_control("metadata/timestamp.json"), "no-cache");
	assert_string_equal(repository_cache_control("metadata/.json"), "no-cache");
	assert_string_equal(repository_cache_control("other"), "no-cache");
}

static void test_role_name_is_cut_between_characters(void **state)
{
	char shown[ROLE_NAME_SHOWN + 1], name[300];

	(void)state;
	for (size_t before = 76; before <= 81; before++) {
		memset(name, 'a', before);
		strcpy(name + before, "\xf0\x9f\x98\x80" "b");
		role_name_show(name, shown);
		assert_int_equal(strlen(shown), before <= 75 ? before + 5 : before == 76 ? 80 : before < 80 ? before : 80);
	}
	role_name_show("a\nb\x1b[31m\x7f", shown);
	assert_string_equal(shown, "a?b?[31m?");
	role_name_show("", shown);
	assert_string_equal(shown, "");
}

static void test_monitor_names_that_would_leave_their_certificate_or_path(void **state)
{
	static const char *const good[] = { "m", "m1", "rack-7", "abcdefghijklmnopqrstuvwxyz012345" };
	static const char *const bad[] = { "", "none", "-m", "m-", "M1", "m.1", "m/1", "m 1", "m,OU=node", "abcdefghijklmnopqrstuvwxyz0123456", "m\n" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
		assert_true(monitor_name_valid(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(monitor_name_valid(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_lower_case_uuids_are_node_ids),
		cmocka_unit_test(test_nonce_is_of_one_length),
		cmocka_unit_test(test_host_names_and_file_names),
		cmocka_unit_test(test_image_specs),
		cmocka_unit_test(test_versions_order_as_dpkg_does),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_overlong_argument_is_no_route),
		cmocka_unit_test(test_tags_in_a_list_are_found),
		cmocka_unit_test(test_paths_that_leave_the_repository_are_refused),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_only_immutable_names_are_cached_for_ever),
		cmocka_unit_test(test_role_name_is_cut_between_characters),
		cmocka_unit_test(test_monitor_names_that_would_leave_their_certificate_or_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "rootfs/app-spec.h"

#define START "{ \"format\": 1, \"name\": \"web\", \"version\": \"1.0\", \"requires_os\": \"minimal\""
#define COMMAND ", \"command\": [\"/app/bin/nginx\", \"-c\", \"x\"]"
#define USER ", \"user\": \"app\""

static int parse(const char *text, struct app_spec *spec, char *error)
{
	return app_spec_parse(text, strlen(text), spec, error);
}

static void refused(const char *text, const char *word)
{
	struct app_spec spec;
	char error[160];

	assert_int_equal(parse(text, &spec, error), -EINVAL);
	assert_non_null(strstr(error, word));
	app_spec_release(&spec);
}

static void test_sound_description_is_read(void **state)
{
	struct app_spec spec;
	char error[160];

	(void)state;
	assert_int_equal(parse(START COMMAND USER ", \"environment\": {\"A\": \"b=c\"} }", &spec, error), 0);
	assert_string_equal(spec.name, "web");
	assert_string_equal(spec.requires_os, "minimal");
	assert_string_equal(spec.arguments[0], "/app/bin/nginx");
	assert_string_equal(spec.arguments[2], "x");
	assert_null(spec.arguments[3]);
	assert_string_equal(spec.environment[0], "A=b=c");
	assert_null(spec.environment[1]);
	app_spec_release(&spec);
}

static void test_home_cannot_cover_the_system(void **state)
{
	struct app_spec spec;
	char error[160];

	(void)state;
	assert_int_equal(parse(START COMMAND USER ", \"home\": {\"path\": \"/var/lib/web\"} }", &spec, error), 0);
	assert_string_equal(spec.home, "/var/lib/web");
	app_spec_release(&spec);
	refused(START COMMAND USER ", \"home\": {\"path\": \"/etc\"} }", "home");
	refused(START COMMAND USER ", \"home\": {\"path\": \"/var/lib/../../etc\"} }", "home");
	refused(START COMMAND USER ", \"home\": {\"path\": \"/srv/a\\u0000b\"} }", "NUL");
	refused(START COMMAND USER ", \"home\": \"/srv/a\" }", "home");
}

static void test_application_as_root_is_refused(void **state)
{
	(void)state;
	refused(START COMMAND ", \"user\": \"root\" }", "user");
	refused(START COMMAND " }", "user");
}

static void test_environment_cannot_redirect_home_or_config(void **state)
{
	(void)state;
	refused(START COMMAND USER ", \"environment\": {\"HOME\": \"/root\"} }", "HOME");
	refused(START COMMAND USER ", \"environment\": {\"REPAVE_CONFIG\": \"/\"} }", "REPAVE_CONFIG");
	refused(START COMMAND USER ", \"environment\": {\"A=B\": \"c\"} }", "environment");
	refused(START COMMAND USER ", \"environment\": {\"A\": 1} }", "environment");
}

static void test_command_must_be_absolute_and_bounded(void **state)
{
	struct buffer text = { 0 };

	(void)state;
	refused(START USER " }", "command");
	refused(START USER ", \"command\": [] }", "command");
	refused(START USER ", \"command\": [\"nginx\"] }", "absolute");
	refused(START USER ", \"command\": [\"/a\\u0000b\"] }", "NUL");
	buffer_printf(&text, "%s%s, \"command\": [\"/a\"", START, USER);
	for (int i = 0; i < APP_ARGUMENTS_MOST; i++)
		buffer_printf(&text, ", \"b\"");
	buffer_printf(&text, "] }");
	refused((const char *)text.data, "command");
	buffer_release(&text);
}

static void test_broken_text_is_refused_in_a_sentence(void **state)
{
	(void)state;
	refused("", "");
	refused("[]", "object");
	refused("{ \"format\": 2 }", "format");
	refused("{ \"format\": 1, \"name\": \"../x\" }", "name");
	refused("{ \"format\": 1, \"name\": \"x\", \"version\": \"1 0\" }", "version");
}

static void test_os_release_values_lose_their_quotes(void **state)
{
	static const char text[] = "ID=debian\nIMAGE_IDX=no\nIMAGE_ID=\"minimal\"\nIMAGE_VERSION='1.0'";
	char *value = os_release_value(text, "IMAGE_ID");

	(void)state;
	assert_string_equal(value, "minimal");
	free(value);
	value = os_release_value(text, "IMAGE_VERSION");
	assert_string_equal(value, "1.0");
	free(value);
	assert_null(os_release_value(text, "VERSION"));
	assert_null(os_release_value("", "ID"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_description_is_read),
		cmocka_unit_test(test_home_cannot_cover_the_system),
		cmocka_unit_test(test_application_as_root_is_refused),
		cmocka_unit_test(test_environment_cannot_redirect_home_or_config),
		cmocka_unit_test(test_command_must_be_absolute_and_bounded),
		cmocka_unit_test(test_broken_text_is_refused_in_a_sentence),
		cmocka_unit_test(test_os_release_values_lose_their_quotes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Image descriptions: each number against the others, each text by its characters. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "signing/test/forge.h"
#include "signing/verified.h"

static json_t *app_description(void)
{
	json_t *json = forge_description();

	json_object_set_new(json, "kind", json_string("app"));
	json_object_set_new(json, "name", json_string("web"));
	json_object_set_new(json, "requires_os", json_string("debian"));
	json_object_del(json, "os");
	json_object_set_new(json, "app", json_pack("{s:[s,s], s:s, s:{s:s}, s:[i], s:{s:s, s:i, s:s}}", "command",
						   "/app/bin/server", "-f", "user", "app", "environment", "K_1", "v",
						   "ports", 8080, "health", "type", "http", "port", 8080, "path", "/"));
	return json;
}

/* Takes over. */
static void assert_good(json_t *json)
{
	struct image_description d;
	char error[160] = "";

	if (image_description_parse(json, &d, error) != 0)
		fail_msg("%s", error);
	json_decref(json);
}

/* Sets a member ("verity.salt") of `json` (taken over) to `value` (taken over; NULL: removes it) and expects a sentence
 * that names it. */
static void assert_bad(json_t *json, const char *member, json_t *value, const char *sentence)
{
	struct image_description d;
	char error[160] = "", outer[32] = "";
	const char *dot = strchr(member, '.');
	json_t *object = json;

	if (dot) {
		memcpy(outer, member, (size_t)(dot - member));
		object = json_object_get(json, outer);
		member = dot + 1;
	}
	assert_non_null(object);
	if (value)
		json_object_set_new(object, member, value);
	else
		json_object_del(object, member);
	assert_int_equal(image_description_parse(json, &d, error), -EINVAL);
	if (!strstr(error, sentence))
		fail_msg("%s: said: %s", member, error);
	json_decref(json);
}

static json_t *text_of(size_t size)
{
	static char text[8192];

	memset(text, 'a', sizeof(text));
	assert_true(size < sizeof(text));
	text[size] = '\0';
	return json_string(text);
}

static void test_sound_descriptions_are_parsed(void **state)
{
	struct image_description d;
	json_t *json = app_description();
	char error[160], path[IMAGE_PATH_SIZE];

	(void)state;
	assert_int_equal(image_description_parse(json, &d, error), 0);
	assert_int_equal(d.kind, IMAGE_APP);
	assert_string_equal(d.requires_os, "debian");
	assert_int_equal(d.salt_size, 2);
	assert_int_equal(d.salt[1], 0x5a);
	assert_int_equal(d.uuid[15], 0xff);
	assert_int_equal(d.frames, 77);
	assert_null(d.kernel);
	image_target_path(&d, path);
	assert_string_equal(path, "app/web/debian/12.1.img.zst");
	json_decref(json);
	json = forge_description();
	assert_int_equal(image_description_parse(json, &d, error), 0);
	assert_int_equal(d.kind, IMAGE_OS);
	assert_null(d.requires_os);
	assert_string_equal(d.cmdline, "quiet");
	json_object_set_new(json_object_get(json, "verity"), "salt", json_string(""));
	assert_int_equal(image_description_parse(json, &d, error), 0);
	assert_int_equal(d.salt_size, 0);
	json_decref(json);
	json = app_description();
	json_object_del(json_object_get(json, "app"), "environment");
	json_object_set_new(json_object_get(json, "app"), "health", json_pack("{s:s, s:i}", "type", "tcp", "port", 6379));
	assert_good(json);
	json = forge_description();
	json_object_set_new(json, "x-future", json_integer(1));
	assert_good(json);
}

static void test_longest_names_still_fit_their_path(void **state)
{
	struct image_description d;
	json_t *json = app_description();
	char error[160], path[IMAGE_PATH_SIZE];

	(void)state;
	json_object_set_new(json, "name", text_of(64));
	json_object_set_new(json, "version", text_of(64));
	json_object_set_new(json, "requires_os", text_of(64));
	assert_int_equal(image_description_parse(json, &d, error), 0);
	image_target_path(&d, path);
	assert_int_equal(strlen(path), 4 + 64 + 1 + 64 + 1 + 64 + 8);
	json_decref(json);
}

static void test_sizes_that_contradict_each_other_are_refused(void **state)
{
	(void)state;
	assert_bad(forge_description(), "image.size", json_integer(304 * 4096), "image.size must be 1249280");
	assert_bad(forge_description(), "image.size", json_integer(306 * 4096), "image.size");
	assert_bad(forge_description(), "image.size", json_integer(-1), "image.size");
	assert_bad(forge_description(), "image", NULL, "image.size");
	assert_bad(forge_description(), "verity.data_blocks", json_integer(301), "image.size");
	assert_bad(forge_description(), "verity.data_blocks", json_integer(0), "data_blocks");
	assert_bad(forge_description(), "verity.data_blocks", json_integer(INT64_MAX), "data_blocks");
	assert_bad(forge_description(), "verity.block_size", json_integer(512), "block_size");
	assert_bad(forge_description(), "verity.algorithm", json_string("md5"), "algorithm");
	assert_bad(forge_description(), "wire.frames", json_integer(76), "wire.frames must be 77");
	assert_bad(forge_description(), "wire.frames", json_integer(INT64_MAX), "wire.frames");
	assert_bad(forge_description(), "wire.frame_size", json_integer(16385), "frame_size");
	assert_bad(forge_description(), "wire.frame_size", json_integer(8192), "frame_size");
	assert_bad(forge_description(), "wire.frame_size", json_integer(131072), "frame_size");
	assert_bad(forge_description(), "wire.frame_size", json_integer(0), "frame_size");
	assert_bad(forge_description(), "wire.size", json_integer(0), "wire.size");
	assert_bad(forge_description(), "wire.encoding", json_string("gzip"), "encoding");
}

static void test_unsound_hashes_are_refused(void **state)
{
	(void)state;
	assert_bad(forge_description(), "verity.root_hash", json_string("00"), "root_hash");
	assert_bad(forge_description(), "verity.root_hash", NULL, "root_hash");
	assert_bad(forge_description(), "verity.salt", json_string("5"), "salt");
	assert_bad(forge_description(), "verity.salt", json_string("zz"), "salt");
	assert_bad(forge_description(), "verity.salt", text_of(514), "salt");
	assert_bad(forge_description(), "verity.salt", NULL, "salt");
	assert_bad(forge_description(), "verity.uuid", json_string("00112233445566778899aabbccddeeff0000"), "uuid");
	assert_bad(forge_description(), "verity.uuid", json_string("00112233-4455-6677-8899-aabbccddeefg"), "uuid");
	assert_bad(forge_description(), "verity", NULL, "algorithm");
}

static void test_names_that_would_leave_their_folder_are_refused(void **state)
{
	static const char *const bad[] = { "", ".", "..", "../x", "a/b", "a b", "-a", ".a", "a\n", "a@b", "a%2f", "\xc3\xa9" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_bad(forge_description(), "name", json_string(bad[i]), "name must be");
		assert_bad(forge_description(), "version", json_string(bad[i]), "version must be");
		assert_bad(app_description(), "requires_os", json_string(bad[i]), "requires_os");
	}
	assert_bad(forge_description(), "name", text_of(65), "name");
	assert_bad(forge_description(), "version", text_of(65), "version");
	assert_bad(forge_description(), "version", json_string("1_2"), "version");
	assert_bad(forge_description(), "format", json_integer(2), "format");
	assert_bad(forge_description(), "kind", json_string("data"), "kind");
}

static void test_kernel_path_that_climbs_out_is_refused(void **state)
{
	static const char *const bad[] = { "boot/vmlinuz", "/boot/../etc/shadow", "/..", "/boot//vmlinuz", "/boot/./vmlinuz",
					   "/", "/boot/", "", "/a b", "/a\nb" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_bad(forge_description(), "os.kernel", json_string(bad[i]), "os.kernel");
		assert_bad(forge_description(), "os.initrd", json_string(bad[i]), "os.initrd");
	}
	assert_bad(forge_description(), "os.kernel", NULL, "os.kernel");
	assert_bad(forge_description(), "os", NULL, "os.kernel");
}

static void test_command_line_that_sets_repaves_own_is_refused(void **state)
{
	(void)state;
	assert_bad(forge_description(), "os.cmdline", json_string("quiet repave.c=x"), "repave.");
	assert_bad(forge_description(), "os.cmdline", json_string("repave.node=x"), "repave.");
	assert_bad(forge_description(), "os.cmdline", json_string("quiet\tx"), "one line");
	assert_bad(forge_description(), "os.cmdline", json_string("quiet \"repave.c=x\""), "repave.");
	assert_bad(forge_description(), "os.cmdline", json_string("a\nb"), "one line");
	assert_bad(forge_description(), "os.cmdline", text_of(1025), "one line");
	assert_bad(forge_description(), "os.cmdline", NULL, "one line");
}

static void test_unsound_applications_are_refused(void **state)
{
	(void)state;
	assert_bad(app_description(), "requires_os", NULL, "requires_os");
	assert_bad(app_description(), "app", NULL, "app");
	assert_bad(app_description(), "os", json_object(), "no \"os\"");
	assert_bad(forge_description(), "app", json_object(), "an OS image");
	assert_bad(forge_description(), "requires_os", json_string("x"), "an OS image");
	assert_bad(app_description(), "app.command", json_array(), "app.command");
	assert_bad(app_description(), "app.command", json_string("/app/x"), "app.command");
	assert_bad(app_description(), "app.command", json_pack("[s]", "server"), "absolute path");
	assert_bad(app_description(), "app.command", json_pack("[s]", "/app/../bin/sh"), "absolute path");
	assert_bad(app_description(), "app.command", json_pack("[s,i]", "/app/x", 1), "app.command[1]");
	assert_bad(app_description(), "app.command", json_pack("[s,s]", "/app/x", "a\nb"), "app.command[1]");
	assert_bad(app_description(), "app.user", json_string("root"), "app.user");
	assert_bad(app_description(), "app.user", json_string("0"), "app.user");
	assert_bad(app_description(), "app.user", NULL, "app.user");
	assert_bad(app_description(), "app.environment", json_array(), "app.environment");
	assert_bad(app_description(), "app.environment", json_pack("{s:s}", "A=B", "x"), "app.environment");
	assert_bad(app_description(), "app.environment", json_pack("{s:i}", "A", 1), "app.environment");
	assert_bad(app_description(), "app.environment", json_pack("{s:s}", "A", "x\ny"), "app.environment");
	assert_bad(app_description(), "app.ports", json_pack("[i]", 0), "app.ports[0]");
	assert_bad(app_description(), "app.ports", json_pack("[i,i]", 80, 65536), "app.ports[1]");
	assert_bad(app_description(), "app.ports", NULL, "app.ports");
	assert_bad(app_description(), "app.health", NULL, "health.type");
	assert_bad(app_description(), "app.health", json_pack("{s:s, s:i}", "type", "exec", "port", 1), "health.type");
	assert_bad(app_description(), "app.health", json_pack("{s:s, s:i}", "type", "http", "port", 1), "health.path");
	assert_bad(app_description(), "app.health", json_pack("{s:s, s:s}", "type", "tcp", "port", "1"), "health.port");
}

static void test_other_values_than_objects_are_refused(void **state)
{
	struct image_description d;
	json_t *values[] = { json_array(), json_string("x"), json_null(), json_object() };
	char error[160];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(image_description_parse(values[i], &d, error), -EINVAL);
		json_decref(values[i]);
	}
	assert_int_equal(image_description_parse(NULL, &d, error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound_descriptions_are_parsed),
		cmocka_unit_test(test_longest_names_still_fit_their_path),
		cmocka_unit_test(test_sizes_that_contradict_each_other_are_refused),
		cmocka_unit_test(test_unsound_hashes_are_refused),
		cmocka_unit_test(test_names_that_would_leave_their_folder_are_refused),
		cmocka_unit_test(test_kernel_path_that_climbs_out_is_refused),
		cmocka_unit_test(test_command_line_that_sets_repaves_own_is_refused),
		cmocka_unit_test(test_unsound_applications_are_refused),
		cmocka_unit_test(test_other_values_than_objects_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

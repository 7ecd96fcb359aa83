/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/seekable.h"

static void test_hex_of_wrong_length_is_refused(void **state)
{
	uint8_t data[2] = { 0 };
	char text[5];

	(void)state;
	assert_int_equal(hex_parse("00fF", data, 2), 0);
	assert_int_equal(data[1], 0xff);
	hex_format(data, 2, text);
	assert_string_equal(text, "00ff");
	assert_int_equal(hex_parse("00f", data, 2), -EINVAL);
	assert_int_equal(hex_parse("00fff", data, 2), -EINVAL);
	assert_int_equal(hex_parse("00fg", data, 2), -EINVAL);
}

static void test_base64_has_one_text_for_one_value(void **state)
{
	/* RFC 4648, section 10 */
	static const char *const vectors[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
						  { "foob", "Zm9vYg==" }, { "foobar", "Zm9vYmFy" } };
	static const char *const bad[] = { "Zg=", "Zg", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "Zm 9", "Zm9v\n" };

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(*vectors); i++) {
		struct buffer text = { 0 }, back = { 0 };

		assert_int_equal(base64_format(vectors[i][0], strlen(vectors[i][0]), &text), 0);
		assert_string_equal(text.data, vectors[i][1]);
		assert_int_equal(base64_parse(vectors[i][1], &back), 0);
		assert_string_equal(back.data, vectors[i][0]);
		buffer_release(&text);
		buffer_release(&back);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct buffer back = { 0 };

		assert_int_equal(base64_parse(bad[i], &back), -EINVAL);
		assert_int_equal(back.size, 0);
		buffer_release(&back);
	}
}

static void test_number_too_large_is_refused(void **state)
{
	uint64_t value = 0;

	(void)state;
	assert_int_equal(parse_u64("18446744073709551615", &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(parse_u64("18446744073709551616", &value), -ERANGE);
	assert_int_equal(parse_u64("", &value), -EINVAL);
	assert_int_equal(parse_u64("-1", &value), -EINVAL);
	assert_int_equal(parse_u64("1 ", &value), -EINVAL);
}

static void test_sizes_read_as_people_do(void **state)
{
	char text[16];

	(void)state;
	assert_string_equal(format_size(512, text), "512 B");
	assert_string_equal(format_size(1536, text), "1.5 KiB");
	assert_string_equal(format_size(1048575, text), "1.0 MiB");
	assert_string_equal(format_size(UINT64_MAX, text), "16.0 EiB");
}

static void test_file_larger_than_allowed_is_refused(void **state)
{
	char folder[] = "/tmp/common-test.XXXXXX", path[64];
	struct buffer data;
	struct stat info;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f", folder);
	assert_int_equal(file_store(path, "hello", 5, 0600), 0);
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(file_load(path, 5, &data), 0);
	assert_string_equal(data.data, "hello");
	buffer_release(&data);
	assert_int_equal(file_load(path, 4, &data), -EFBIG);
	assert_null(data.data);
	assert_int_equal(file_load("/nonexistent", 4, &data), -ENOENT);
	unlink(path);
	assert_int_equal(rmdir(folder), 0); /* no temporary file is left */
}

static void wake(int number)
{
	(void)number;
}

static void test_pipe_that_the_user_named_is_read(void **state)
{
	struct buffer data;
	char path[32];
	int ends[2];

	(void)state;
	assert_return_code(pipe(ends), errno);
	assert_int_equal(write(ends[1], "key", 3), 3);
	close(ends[1]);
	snprintf(path, sizeof(path), "/dev/fd/%d", ends[0]);
	assert_return_code(file_load_any(path, 16, &data), errno);
	assert_int_equal(data.size, 3);
	buffer_release(&data);
	close(ends[0]);
}

static void test_pipe_in_the_place_of_a_file_is_not_waited_for(void **state)
{
	char folder[] = "/tmp/common-test.XXXXXX", path[64];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct sigaction waking = { .sa_handler = wake }; /* an open that waits then ends with EINTR */
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	struct buffer data;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/f", folder);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(sigaction(SIGALRM, &waking, NULL), 0);
	alarm(2);
	assert_int_equal(file_load(path, 100, &data), -EINVAL);
	assert_null(data.data);
	alarm(0);
	unlink(path);
	strcpy(address.sun_path, path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(file_load(path, 100, &data), -EINVAL);
	close(fd);
	unlink(path);
	assert_int_equal(file_load("/dev/zero", 100, &data), -EINVAL);
	assert_int_equal(file_load("/dev/null", 100, &data), -EINVAL);
	assert_int_equal(file_load(folder, 100, &data), -EISDIR);
	assert_int_equal(rmdir(folder), 0);
	/* Not of a known size, and files all the same. */
	assert_int_equal(file_load("/proc/self/status", 1 << 16, &data), 0);
	assert_true(data.size > 0);
	buffer_release(&data);
}

static void test_deep_or_ambiguous_json_is_refused(void **state)
{
	char deep[2 * JSON_DEPTH_MOST + 3], error[160];
	uint8_t byte;
	json_t *value;

	(void)state;
	memset(deep, '[', JSON_DEPTH_MOST + 1);
	memset(deep + JSON_DEPTH_MOST + 1, ']', JSON_DEPTH_MOST + 1);
	assert_null(json_parse(deep, 2 * JSON_DEPTH_MOST + 2, error));
	value = json_parse(deep + 1, 2 * JSON_DEPTH_MOST, error);
	assert_non_null(value);
	json_decref(value);
	assert_null(json_parse("{\"a\":1,\"a\":2}", 13, error));
	assert_null(json_parse("{} x", 4, error));
	assert_null(json_parse("", 0, error));
	value = json_parse("{\"h\":\"0\\u0000\"}", 15, error);
	assert_int_not_equal(json_get_hex(value, "h", &byte, 1), 0);
	json_decref(value);
}

static void test_seek_table_that_lies_is_refused(void **state)
{
	const uint32_t sizes[3] = { 10, 20, 30 };
	uint8_t data[64];
	size_t size = seekable_table_size(3);
	struct seek_table table;

	(void)state;
	assert_true(size <= sizeof(data));
	seek_table_format(sizes, 3, 4096, 10000, data);
	assert_int_equal(seek_table_parse(data, size, size + 60, 3, 4096, 10000, &table), 0);
	assert_int_equal(table.starts[3], 60);
	seek_table_release(&table);
	assert_int_equal(seek_table_parse(data, size, size + 61, 3, 4096, 10000, &table), -EINVAL);
	assert_int_equal(seek_table_parse(data, size - 1, size + 60, 3, 4096, 10000, &table), -EINVAL);
	assert_int_equal(seek_table_parse(data, size, size + 60, 2, 4096, 10000, &table), -EINVAL);
	assert_int_equal(seek_table_parse(data, size, size + 60, 3, 4096, 10001, &table), -EINVAL);
	for (size_t i = 0; i < size; i++) {
		data[i] ^= 0x40;
		assert_int_equal(seek_table_parse(data, size, size + 60, 3, 4096, 10000, &table), -EINVAL);
		data[i] ^= 0x40;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hex_of_wrong_length_is_refused),
		cmocka_unit_test(test_base64_has_one_text_for_one_value),
		cmocka_unit_test(test_number_too_large_is_refused),
		cmocka_unit_test(test_sizes_read_as_people_do),
		cmocka_unit_test(test_file_larger_than_allowed_is_refused),
		cmocka_unit_test(test_pipe_in_the_place_of_a_file_is_not_waited_for),
		cmocka_unit_test(test_pipe_that_the_user_named_is_read),
		cmocka_unit_test(test_deep_or_ambiguous_json_is_refused),
		cmocka_unit_test(test_seek_table_that_lies_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

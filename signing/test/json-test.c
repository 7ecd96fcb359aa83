/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reader of JSON: what RFC 8259 allows, what attackers send, and jansson's opinion of a few thousand random texts. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "signing/canonical.h"
#include "signing/document-json.h"
#include "signing/json.h"
#include "signing/test/tree-oracle.h"

static struct tree parse(const char *text)
{
	char error[TREE_ERROR_SIZE];
	struct tree tree = { 0 };

	if (tree_parse(text, strlen(text), &tree, error) < 0)
		fail_msg("%s: %s", text, error);
	return tree;
}

static void refuse_bytes(const void *text, size_t size, const char *sentence)
{
	/* Exactly as large, so that ASan sees a read behind its end. */
	char error[TREE_ERROR_SIZE], *copy = malloc(size + 1);
	struct tree tree = { 0 };

	assert_non_null(copy);
	copy = realloc(copy, size ? size : 1);
	memcpy(copy, text, size);
	assert_int_equal(tree_parse(copy, size, &tree, error), -EBADMSG);
	assert_true(tree_is_none(tree));
	if (!strstr(error, sentence))
		fail_msg("%.*s: said %s, not %s", (int)size, (const char *)text, error, sentence);
	free(copy);
}

static void refuse(const char *text, const char *sentence)
{
	refuse_bytes(text, strlen(text), sentence);
}

/* ------------------------------------------------------------------ what is refused */

static void test_truncated_at_every_byte_is_refused(void **state)
{
	static const char text[] = "{\"a\":[1,-2.5e+3,\"x\\u00e9\\ud83d\\ude00\\n\",{\"b\":true,\"c\":false,\"d\":null}],\"\xc3\xa9\":{}}";

	(void)state;
	parse(text);
	for (size_t size = 0; size < sizeof(text) - 1; size++)
		refuse_bytes(text, size, "not JSON: ");
}

static void test_deeply_nested_is_refused(void **state)
{
	char text[200000];

	(void)state;
	memset(text, '[', sizeof(text));
	refuse_bytes(text, sizeof(text), "nested too deeply");
	for (size_t i = 0; i < sizeof(text); i += 5)
		memcpy(text + i, "{\"a\":", 5);
	refuse_bytes(text, sizeof(text), "nested too deeply");
	memset(text, '[', TREE_DEPTH_MOST);
	memset(text + TREE_DEPTH_MOST, ']', TREE_DEPTH_MOST);
	text[2 * TREE_DEPTH_MOST] = '\0';
	assert_int_equal(tree_count(parse(text)), 1);
	memset(text, '[', TREE_DEPTH_MOST + 1);
	memset(text + TREE_DEPTH_MOST + 1, ']', TREE_DEPTH_MOST + 1);
	refuse_bytes(text, 2 * TREE_DEPTH_MOST + 2, "line 1, column 33: nested too deeply");
}

static void test_key_twice_is_refused(void **state)
{
	(void)state;
	refuse("{\"a\":1,\"a\":1}", "column 8: a key that this object had before");
	refuse("{\"a\":1,\n \"b\":2,\n \"\\u0061\":3}", "line 3, column 2: a key that this object had before");
	refuse("[{\"x\":{\"b\":1,\"c\":2,\"b\":3}}]", "had before");
	refuse("{\"\":1,\"\":1}", "had before");
	refuse("{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":1}", "had before");
	/* One object's key may be another's. */
	parse("{\"a\":{\"a\":1},\"b\":{\"a\":2},\"c\":[{\"a\":1},{\"a\":1}]}");
	parse("{\"a\":1,\"a\\u0000\":2,\"a\\u0000b\":3}");
}

static void test_bytes_that_are_not_utf8_are_refused(void **state)
{
	static const char *const bad[] = {
		"\"\x80\"", "\"\xff\"", "\"\xc3\"", "\"\xc0\x80\"", "\"\xc1\xbf\"",                  /* overlong NUL, "?" */
		"\"\xe0\x80\xaf\"", "\"\xe0\x9f\xbf\"", "\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"",     /* overlong, surrogates */
		"\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"", "\"\xf5\x80\x80\x80\"", "\"\xe2\x82\"", "\"\xe2\x28\xa1\"",
		"{\"\xfe\":1}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse(bad[i], "bytes that aren't UTF-8");
	refuse("\xef\xbb\xbf{}", "a value was expected"); /* byte order mark */
	refuse("\xff\xfe{\0}\0", "a value was expected");
	parse("\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"");
}

static void test_lone_surrogates_are_refused(void **state)
{
	static const char *const bad[] = { "\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"",
					   "\"\\udfff\\ud800\"", "\"\\ud83d\\u0041\"", "\"\\ud83d\\ude0\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse(bad[i], "half of a surrogate pair");
}

static void test_unsound_strings_are_refused(void **state)
{
	(void)state;
	refuse("\"\n\"", "a control character in a string");
	refuse("\"\x1f\"", "a control character in a string");
	refuse_bytes("\"\0\"", 3, "a control character in a string");
	refuse("\"\\x41\"", "a backslash before a character that it can't escape");
	refuse_bytes("\"\\\0\"", 4, "a backslash before a character that it can't escape");
	refuse("\"\\u12g4\"", "\\u must be followed by four hexadecimal digits");
	refuse("\"\\u 123\"", "\\u must be followed by four hexadecimal digits");
	refuse("'a'", "a value was expected");
	refuse("{a:1}", "a key in quotation marks was expected");
	parse("\"\x7f\""); /* DEL is no control character of RFC 8259 */
}

static void test_unsound_numbers_are_refused(void **state)
{
	static const char *const bad[] = { "-", "+1", "01", "-01", "00", ".5", "1.", "1.e5", "1e", "1e+", "0x10", "1_000", "--1", "- 1",
					   "NaN", "Infinity", "-Infinity", "1,0", "1 2" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse(bad[i], "not JSON: ");
	refuse("[-01]", "column 4: a number that begins with 0");
}

static void test_unsound_structure_is_refused(void **state)
{
	static const char *const bad[] = { "", " ", "{", "}", "[", "]", "[1,]", "[,1]", "[1 2]", "{\"a\":1,}", "{,}", "{\"a\"}", "{\"a\":}",
					   "{\"a\" 1}", "{1:2}", "[}", "{]", "[1}", "{\"a\":1]", "tru", "True", "nul", "nullx", "{} {}",
					   "[]x", "/*c*/{}", "{}//", "[1,,2]", ":", "\"a\":1" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		refuse(bad[i], "not JSON: ");
	refuse_bytes("{}\0", 3, "something follows the value");
	refuse_bytes("\0{}", 3, "a value was expected");
}

static void test_the_sentence_names_the_place(void **state)
{
	(void)state;
	refuse("{\n  \"a\": 1,\n  \"b\": nope\n}", "line 3, column 8: a value was expected");
	refuse("", "empty");
	refuse("[1 2]", "line 1, column 4: \",\" or \"]\" was expected");
	refuse("{\"a\":1 \"b\":2}", "line 1, column 8: \",\" or \"}\" was expected");
	refuse("{\"a\":\"bc", "line 1, column 6: a string that isn't closed");
}

/* A text of 8 MiB that is nothing but keys, or values, takes no time that matters and no memory per value. */
static void test_a_huge_hostile_text_is_read_in_time(void **state)
{
	size_t size = 8u << 20, at = 1;
	char *text = malloc(size + 64), error[TREE_ERROR_SIZE];
	clock_t start = clock();
	struct tree tree;

	(void)state;
	assert_non_null(text);
	text[0] = '[';
	while (at + 4 < size) {
		memcpy(text + at, "1,", 2);
		at += 2;
	}
	memcpy(text + at, "1]", 2);
	assert_int_equal(tree_parse(text, at + 2, &tree, error), 0);
	/* Keys in falling order, the worst for sorting by exchange. */
	text[0] = '{';
	at = 1;
	for (unsigned n = 999999; at + 16 < size && n > 500000; n--)
		at += (size_t)sprintf(text + at, "\"k%06u\":1,", n);
	memcpy(text + at, "\"\":1}", 5);
	assert_int_equal(tree_parse(text, at + 5, &tree, error), 0);
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 20); /* seconds; under sanitizers about 1 */
	free(text);
}

/* ------------------------------------------------------------------ what is read */

static void test_members_are_found_by_what_their_keys_mean(void **state)
{
	struct tree tree = parse(" { \"b\" : [ 1 , { \"c\" : \"]}\\\"\" } ] ,\r\n\t\"\\u0061\\/\" : null , \"z\":-0.5e1 } ");
	uint64_t number;

	(void)state;
	assert_int_equal(tree_kind(tree), TREE_OBJECT);
	assert_int_equal(tree_count(tree), 3);
	assert_int_equal(tree_kind(tree_get(tree, "a/")), TREE_NULL);
	assert_int_equal(tree_kind(tree_get(tree, "z")), TREE_REAL);
	assert_int_equal(tree_kind(tree_get(tree, "c")), TREE_NONE);
	assert_int_equal(tree_kind(tree_get_kind(tree, "b", TREE_ARRAY)), TREE_ARRAY);
	assert_int_equal(tree_kind(tree_get_kind(tree, "b", TREE_OBJECT)), TREE_NONE);
	assert_int_equal(tree_span(tree_get(tree, "b")), strlen("[ 1 , { \"c\" : \"]}\\\"\" } ]"));
	/* Chains over what isn't there. */
	assert_true(tree_is_none(tree_get(tree_get(tree_get(tree, "x"), "y"), "z")));
	assert_int_equal(tree_u64(tree_get(tree, "x"), &number), -ENOENT);
	assert_int_equal(tree_count(tree_get(tree, "x")), 0);
	assert_int_equal(tree_span(tree_get(tree, "x")), 0);
	assert_false(tree_is(tree_get(tree, "x"), ""));
	/* Elements aren't members. */
	assert_true(tree_is_none(tree_get(tree_get(tree, "b"), "c")));
}

static void test_steps_are_those_of_the_text(void **state)
{
	struct tree tree = parse("{\"b\":[],\"a\":[10,20,30],\"c\":{}}");
	struct tree_steps steps = tree_begin(tree);
	uint64_t number, sum = 0;

	(void)state;
	assert_true(tree_next(&steps));
	assert_true(tree_is(steps.key, "b"));
	assert_true(tree_next(&steps));
	assert_true(tree_is(steps.key, "a"));
	for (struct tree_steps inner = tree_begin(steps.value); tree_next(&inner);) {
		assert_true(tree_is_none(inner.key));
		assert_int_equal(tree_u64(inner.value, &number), 0);
		sum = sum * 10 + number;
	}
	assert_int_equal(sum, 1230);
	assert_true(tree_next(&steps));
	assert_false(tree_next(&steps));
	assert_false(tree_next(&steps));
	steps = tree_begin(parse("\"string\""));
	assert_false(tree_next(&steps));
}

static void test_strings_mean_what_they_escape(void **state)
{
	struct tree tree = parse("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e9\\u20AC\\ud83d\\ude00\\u0001\"");
	static const char wanted[] = "\"\\/\b\f\n\r\tA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x01";
	char text[64], *copy;

	(void)state;
	assert_true(tree_is(tree, wanted));
	assert_int_equal(tree_string_size(tree), sizeof(wanted) - 1);
	assert_int_equal(tree_string(tree, text, sizeof(wanted)), 0);
	assert_string_equal(text, wanted);
	assert_int_equal(tree_string(tree, text, sizeof(wanted) - 1), -ERANGE);
	assert_int_equal(tree_string_new(tree, &copy), 0);
	assert_string_equal(copy, wanted);
	free(copy);
	assert_int_equal(tree_string(parse("17"), text, sizeof(text)), -EINVAL);
	assert_int_equal(tree_string((struct tree){ 0 }, text, sizeof(text)), -ENOENT);
	assert_int_equal(tree_string(parse("\"\""), text, 1), 0);
}

/* For C the string would end there: "timestamp\0" must not pass for "timestamp". */
static void test_nul_in_a_string_never_shortens_it(void **state)
{
	struct tree tree = parse("\"root\\u0000x\"");
	char text[32], *copy = NULL;

	(void)state;
	assert_false(tree_is(tree, "root"));
	assert_true(tree_compare_text(tree, "root") > 0);
	assert_int_equal(tree_string(tree, text, sizeof(text)), -EINVAL);
	assert_int_equal(tree_string_new(tree, &copy), -EINVAL);
	assert_null(copy);
	assert_int_equal(tree_string_size(tree), 6);
	assert_true(tree_is_none(tree_get(parse("{\"a\\u0000\":1}"), "a")));
}

static void test_numbers_have_a_value_only_where_they_fit(void **state)
{
	static const char *const bad[] = { "-1", "-0", "1.0", "1e0", "0.5", "9223372036854775808", "18446744073709551616",
					   "100000000000000000000000000000", "\"1\"", "true", "null", "[]" };
	uint64_t number;

	(void)state;
	assert_int_equal(tree_u64(parse("0"), &number), 0);
	assert_int_equal(number, 0);
	assert_int_equal(tree_u64(parse(" 9223372036854775807 "), &number), 0);
	assert_int_equal(number, INT64_MAX);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(tree_u64(parse(bad[i]), &number), -EINVAL);
}

static void test_bad_hex_is_refused(void **state)
{
	static const char *const bad[] = { "\"\"", "\"0\"", "\"012\"", "\"012g\"", "\"0 12\"", "\"012\\u0000\"", "\"01234\"", "\"\xc3\xa9\xc3\xa9\"",
					   "1234", "null" };
	uint8_t bytes[2] = { 0 };

	(void)state;
	assert_int_equal(tree_hex(parse("\"a\\u0042cD\""), bytes, 2), 0);
	assert_int_equal(bytes[0], 0xab);
	assert_int_equal(bytes[1], 0xcd);
	assert_int_equal(tree_hex((struct tree){ 0 }, bytes, 2), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(tree_hex(parse(bad[i]), bytes, 2), -EINVAL);
}

static void test_labels_hold_nothing_that_forges_a_log(void **state)
{
	char text[8];

	(void)state;
	assert_string_equal(tree_label(parse("\"a\\nb\\u001b[\\u00e9\""), text, sizeof(text)), "a?b?[??");
	assert_string_equal(tree_label(parse("\"0123456789\""), text, sizeof(text)), "0123456");
	assert_string_equal(tree_label((struct tree){ 0 }, text, sizeof(text)), "");
	assert_string_equal(tree_label(parse("5"), text, sizeof(text)), "");
}

/* ------------------------------------------------------------------ jansson's opinion */

static uint32_t seed;

static unsigned chance(unsigned n)
{
	seed = seed * 1664525 + 1013904223;
	return (seed >> 8) % n;
}

static void put_random_string(struct buffer *text)
{
	static const char *const pieces[] = { "a", "b", "\\n", "\\u0041", "\\u00e9", "\xc3\xa9", "\\ud83d\\ude00", "\xf0\x9f\x98\x80", "\\\"", "\\\\",
					      "\\/", "\\u0000", "\xef\xbc\x81", "z", "{", "]", ",", ":", "\x7f", "\\u001f", "k" };

	buffer_add(text, "\"", 1);
	for (unsigned n = chance(5); n > 0; n--) {
		const char *piece = pieces[chance(sizeof(pieces) / sizeof(*pieces))];

		buffer_add(text, piece, strlen(piece));
	}
	buffer_add(text, "\"", 1);
}

static void put_random_value(struct buffer *text, unsigned depth)
{
	static const char *const numbers[] = { "0", "-0", "1", "-17", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
					       "1.5", "-0.0", "1e3", "1E-2", "123456789012345678901234567890", "1e999" };
	static const char *const words[] = { "true", "false", "null" };
	static const char *const blanks[] = { "", "", "", " ", "\n", "\t\r " };
	unsigned kind = chance(depth > 5 ? 6 : 10), n = chance(5);
	const char *piece = blanks[chance(6)];

	buffer_add(text, piece, strlen(piece));
	if (kind < 3) {
		put_random_string(text);
	} else if (kind < 5) {
		piece = numbers[chance(sizeof(numbers) / sizeof(*numbers))];
		buffer_add(text, piece, strlen(piece));
	} else if (kind < 6) {
		piece = words[chance(3)];
		buffer_add(text, piece, strlen(piece));
	} else {
		bool is_object = kind < 9;

		buffer_add(text, is_object ? "{" : "[", 1);
		for (unsigned i = 0; i < n; i++) {
			if (i > 0)
				buffer_add(text, ",", 1);
			if (is_object) {
				put_random_string(text);
				buffer_add(text, " :", 1 + chance(2));
				if (text->data[text->size - 1] != ':')
					buffer_add(text, ":", 1);
			}
			put_random_value(text, depth + 1);
		}
		buffer_add(text, is_object ? "}" : "]", 1);
	}
	piece = blanks[chance(6)];
	buffer_add(text, piece, strlen(piece));
}

static void test_jansson_says_the_same_of_random_texts(void **state)
{
	unsigned accepted = 0, begun;

	(void)state;
	begun = seed = (uint32_t)time(NULL);
	print_message("seed %u\n", begun);
	for (unsigned n = 0; n < 20000; n++) {
		struct buffer text = { 0 };
		const char *complaint;

		put_random_value(&text, 0);
		/* A byte changed, gone or doubled: most are no JSON any more. */
		for (unsigned changes = chance(3); changes > 0 && text.size > 0; changes--)
			text.data[chance((unsigned)text.size)] = chance(2) ? (uint8_t)chance(256) : (uint8_t)"{}[],:\"\\0e-. u"[chance(14)];
		complaint = tree_compare_with_jansson(text.data, text.size, &accepted);
		if (complaint)
			fail_msg("seed %u, text %u: %s: %.*s", begun, n, complaint, (int)text.size, text.data);
		buffer_release(&text);
	}
	assert_in_range(accepted, 1000, 19000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_truncated_at_every_byte_is_refused),
		cmocka_unit_test(test_deeply_nested_is_refused),
		cmocka_unit_test(test_key_twice_is_refused),
		cmocka_unit_test(test_bytes_that_are_not_utf8_are_refused),
		cmocka_unit_test(test_lone_surrogates_are_refused),
		cmocka_unit_test(test_unsound_strings_are_refused),
		cmocka_unit_test(test_unsound_numbers_are_refused),
		cmocka_unit_test(test_unsound_structure_is_refused),
		cmocka_unit_test(test_the_sentence_names_the_place),
		cmocka_unit_test(test_a_huge_hostile_text_is_read_in_time),
		cmocka_unit_test(test_members_are_found_by_what_their_keys_mean),
		cmocka_unit_test(test_steps_are_those_of_the_text),
		cmocka_unit_test(test_strings_mean_what_they_escape),
		cmocka_unit_test(test_nul_in_a_string_never_shortens_it),
		cmocka_unit_test(test_numbers_have_a_value_only_where_they_fit),
		cmocka_unit_test(test_bad_hex_is_refused),
		cmocka_unit_test(test_labels_hold_nothing_that_forges_a_log),
		cmocka_unit_test(test_jansson_says_the_same_of_random_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors: canonical JSON, SHA-256, Ed25519, times, the dm-verity tree. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "signing/canonical.h"
#include "signing/document-json.h"
#include "signing/format.h"
#include "signing/keys.h"
#include "signing/sha256.h"
#include "signing/verity.h"

/* ------------------------------------------------------------------ canonical JSON */

static void assert_canonical(const char *json, const char *wanted)
{
	char error[TREE_ERROR_SIZE];
	struct buffer text = { 0 };
	struct tree value;

	assert_int_equal(tree_parse(json, strlen(json), &value, error), 0);
	assert_int_equal(canonical_format(value, &text), 0);
	assert_string_equal((const char *)text.data, wanted);
	buffer_release(&text);
}

static void test_canonical_form_is_the_references(void **state)
{
	(void)state;
	assert_canonical("{ \"b\" : 2, \"a\" : [ 1 , -2 , 0 ] }", "{\"a\":[1,-2,0],\"b\":2}");
	assert_canonical("{\"t\":true,\"f\":false,\"n\":null}", "{\"f\":false,\"n\":null,\"t\":true}");
	assert_canonical("\"a\\\"b\\\\c\"", "\"a\\\"b\\\\c\"");
	/* Control characters, slashes and characters beyond ASCII stand as they are. */
	assert_canonical("\"\\n\\t\\u0001\\/\\u00e9\\u20ac\\ud83d\\ude00\"",
			 "\"\n\t\x01/\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	assert_canonical("{}", "{}");
	assert_canonical("[]", "[]");
	assert_canonical("[[],{},\"\"]", "[[],{},\"\"]");
	assert_canonical("9223372036854775807", "9223372036854775807");
	assert_canonical("-9223372036854775808", "-9223372036854775808");
}

static void test_canonical_keys_are_in_order_of_code_points(void **state)
{
	(void)state;
	/* U+FF01 before U+1F600: in UTF-16, as JavaScript sorts, it is the other way round. */
	assert_canonical("{\"\\ud83d\\ude00\":1,\"\\uff01\":2,\"z\":3,\"A\":4,\"a\":5,\"\":6}",
			 "{\"\":6,\"A\":4,\"a\":5,\"z\":3,\"\xef\xbc\x81\":2,\"\xf0\x9f\x98\x80\":1}");
}

static void test_real_numbers_have_no_canonical_form(void **state)
{
	static const char *const reals[] = { "{\"a\":[1.0]}", "1e0", "[1,2,3E5]", "-0.0" };
	char error[TREE_ERROR_SIZE];
	struct buffer text = { 0 };
	struct tree value;

	(void)state;
	for (size_t i = 0; i < sizeof(reals) / sizeof(*reals); i++) {
		assert_int_equal(tree_parse(reals[i], strlen(reals[i]), &value, error), 0);
		assert_int_equal(canonical_format(value, &text), -EINVAL);
		assert_int_equal(text.size, 0);
	}
	buffer_release(&text);
}

/* ------------------------------------------------------------------ hashes and signatures */

static void test_sha256_vectors(void **state)
{
	uint8_t digest[32];
	char text[65], letters[1000];
	struct sha256 sha;

	(void)state;
	sha256_once("", 0, digest);
	hex_format(digest, 32, text);
	assert_string_equal(text, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	memset(letters, 'a', sizeof(letters));
	sha256_init(&sha);
	for (int i = 0; i < 1000; i++)
		sha256_update(&sha, letters, sizeof(letters));
	sha256_final(&sha, digest);
	hex_format(digest, 32, text);
	assert_string_equal(text, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 8032, 7.1, test 3. */
static void test_ed25519_vector_of_rfc_8032(void **state)
{
	static const uint8_t message[] = { 0xaf, 0x82 };
	uint8_t seed[32];
	char text[2 * 64 + 1];
	struct signing_key key;

	(void)state;
	hex_parse("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", seed, 32);
	assert_int_equal(signing_key_from_seed(seed, &key), 0);
	hex_format(key.public, 32, text);
	assert_string_equal(text, "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
	signing_key_sign(&key, message, sizeof(message), text);
	assert_string_equal(text, "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
				  "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
}

/* Canonical form written by hand. */
static void test_keyid_is_the_hash_of_the_canonical_key(void **state)
{
	json_t *key = json_pack("{s:s, s:s, s:{s:s}}", "scheme", "ed25519", "keytype", "ed25519", "keyval", "public",
				"edcd0a32a07dce33f7c7873aaffbff36d20ea30787574ead335eefd337e4dacd");
	const char *text = "{\"keytype\":\"ed25519\",\"keyval\":{\"public\":"
			   "\"edcd0a32a07dce33f7c7873aaffbff36d20ea30787574ead335eefd337e4dacd\"},\"scheme\":\"ed25519\"}";
	uint8_t digest[32];
	char keyid[65], wanted[65];

	(void)state;
	sha256_once(text, strlen(text), digest);
	hex_format(digest, 32, wanted);
	assert_int_equal(json_keyid(key, keyid), 0);
	assert_string_equal(keyid, wanted);
	json_decref(key);
}

/* ------------------------------------------------------------------ times */

static void test_times_are_parsed_strictly(void **state)
{
	static const char *const bad[] = { "", "2030-01-01", "2030-01-01T00:00:00", "2030-01-01T00:00:00+00:00",
					   "2030-01-01 00:00:00Z", "2030-13-01T00:00:00Z", "2030-00-01T00:00:00Z",
					   "2030-02-29T00:00:00Z", "2030-01-01T24:00:00Z", "2030-01-01T00:60:00Z",
					   "2030-01-01T00:00:60Z", "2030-01-01T00:00:00.5Z", "+030-01-01T00:00:00Z",
					   "2030-01-01T00:00:00Z " };
	int64_t time;
	char text[24];

	(void)state;
	assert_int_equal(tuf_time_parse("2027-01-15T08:00:00Z", &time), 0);
	assert_int_equal(time, 1800000000);
	assert_int_equal(tuf_time_format(time, text), 0);
	assert_string_equal(text, "2027-01-15T08:00:00Z");
	assert_int_equal(tuf_time_parse("2028-02-29T23:59:59Z", &time), 0);
	assert_int_equal(tuf_time_parse("9999-12-31T23:59:59Z", &time), 0); /* beyond 32 bits */
	assert_int_equal(time, 253402300799);
	assert_int_equal(tuf_time_format(time + 1, text), -EINVAL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(tuf_time_parse(bad[i], &time), -EINVAL);
}

/* ------------------------------------------------------------------ dm-verity */

static void test_layout_at_the_edges_of_levels(void **state)
{
	struct verity_layout l;

	(void)state;
	assert_int_equal(verity_layout_init(&l, 0), -EINVAL);
	assert_int_equal(verity_layout_init(&l, 1), -EINVAL);
	assert_int_equal(verity_layout_init(&l, (UINT64_C(1) << 40) + 1), -EINVAL);
	assert_int_equal(verity_layout_init(&l, UINT64_C(1) << 40), 0);
	assert_true(l.levels <= VERITY_LEVELS_MOST);
	assert_int_equal(verity_layout_init(&l, 2), 0);
	assert_int_equal(l.levels, 1);
	assert_int_equal(l.image_blocks, 4);
	assert_int_equal(verity_layout_init(&l, 128), 0);
	assert_int_equal(l.levels, 1);
	assert_int_equal(verity_layout_init(&l, 129), 0);
	assert_int_equal(l.levels, 2);
	assert_int_equal(l.level_start[1], 130);
	assert_int_equal(l.level_start[0], 131);
	assert_int_equal(l.tree_blocks, 3);
	assert_int_equal(verity_layout_init(&l, 128 * 128), 0);
	assert_int_equal(l.levels, 2);
	assert_int_equal(verity_layout_init(&l, 128 * 128 + 1), 0);
	assert_int_equal(l.levels, 3);
	assert_int_equal(l.tree_blocks, 129 + 2 + 1);
	assert_int_equal(l.tree_start, 128 * 128 + 2);
}

static const uint8_t test_salt[] = { 0xaa, 0xbb, 0xcc };

/* 130 blocks, each of its number: two levels. */
static uint8_t *make_tree(struct verity_layout *layout, uint8_t root[32])
{
	uint8_t block[4096], *tree;

	assert_int_equal(verity_layout_init(layout, 130), 0);
	tree = calloc(layout->tree_blocks, 4096);
	assert_non_null(tree);
	for (unsigned i = 0; i < 130; i++) {
		memset(block, (int)i, sizeof(block));
		verity_digest(test_salt, sizeof(test_salt), block, tree + 4096 + i * 32);
	}
	for (unsigned i = 0; i < 2; i++)
		verity_digest(test_salt, sizeof(test_salt), tree + 4096 * (1 + i), tree + i * 32);
	verity_digest(test_salt, sizeof(test_salt), tree, root);
	return tree;
}

/* `veritysetup format --salt=aabbcc` of the same 130 blocks says so; script test verity compares more. */
static void test_root_hash_is_veritysetups(void **state)
{
	struct verity_layout layout;
	uint8_t root[32], *tree = make_tree(&layout, root);
	char text[65];

	(void)state;
	hex_format(root, 32, text);
	assert_string_equal(text, "9545cd916072d86b744ff0384ed9bdec38ce5ca83146db187058e4e320c9ad62");
	assert_int_equal(verity_tree_check(&layout, test_salt, sizeof(test_salt), root, tree), 0);
	assert_ptr_equal(verity_tree_leaf(&layout, tree, 129), tree + 4096 + 129 * 32);
	free(tree);
}

static void test_flipped_bit_anywhere_in_the_tree_is_found(void **state)
{
	struct verity_layout layout;
	uint8_t root[32], *tree = make_tree(&layout, root);

	(void)state;
	for (size_t at = 0; at < 3 * 4096; at += 97) {
		tree[at] ^= 0x10;
		assert_int_equal(verity_tree_check(&layout, test_salt, sizeof(test_salt), root, tree), -EBADMSG);
		tree[at] ^= 0x10;
	}
	root[31] ^= 1;
	assert_int_equal(verity_tree_check(&layout, test_salt, sizeof(test_salt), root, tree), -EBADMSG);
	root[31] ^= 1;
	assert_int_equal(verity_tree_check(&layout, test_salt, sizeof(test_salt) - 1, root, tree), -EBADMSG);
	assert_int_equal(verity_tree_check(&layout, test_salt, sizeof(test_salt), root, tree), 0);
	free(tree);
}

static void test_tree_with_text_in_its_padding_is_refused(void **state)
{
	struct verity_layout layout;
	uint8_t root[32], *tree = make_tree(&layout, root);

	(void)state;
	tree[3 * 4096 - 1] = 1; /* behind the last leaf, and then hashed soundly */
	verity_digest(test_salt, sizeof(test_salt), tree + 2 * 4096, tree + 32);
	verity_digest(test_salt, sizeof(test_salt), tree, root);
	assert_int_equal(verity_tree_check(&layout, test_salt, sizeof(test_salt), root, tree), -EBADMSG);
	free(tree);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_canonical_form_is_the_references),
		cmocka_unit_test(test_canonical_keys_are_in_order_of_code_points),
		cmocka_unit_test(test_real_numbers_have_no_canonical_form),
		cmocka_unit_test(test_sha256_vectors),
		cmocka_unit_test(test_ed25519_vector_of_rfc_8032),
		cmocka_unit_test(test_keyid_is_the_hash_of_the_canonical_key),
		cmocka_unit_test(test_times_are_parsed_strictly),
		cmocka_unit_test(test_layout_at_the_edges_of_levels),
		cmocka_unit_test(test_root_hash_is_veritysetups),
		cmocka_unit_test(test_flipped_bit_anywhere_in_the_tree_is_found),
		cmocka_unit_test(test_tree_with_text_in_its_padding_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every way to compute SHA-256 that this CPU has, against mbedTLS's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <mbedtls/sha256.h>

#include "signing/sha256-engine.h"
#include "signing/sha256.h"
#include "signing/verity.h"

#define BLOCK 4096u

static uint8_t data[64 * BLOCK + 1];

static int setup(void **state)
{
	uint32_t x = 2463534242u;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++) {
		x ^= x << 13, x ^= x >> 17, x ^= x << 5;
		data[i] = (uint8_t)x;
	}
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	sha256_engine_force(NULL);
	return 0;
}

/* Calls `check` with each engine that this CPU can run, and says which. */
static void with_each_engine(void (*check)(const struct sha256_engine *))
{
	unsigned usable = 0;

	for (unsigned i = 0; sha256_engine_at(i) != NULL; i++) {
		const struct sha256_engine *engine = sha256_engine_at(i);

		if (!engine->usable()) {
			print_message("           this CPU can't run %s\n", engine->name);
			continue;
		}
		usable++;
		sha256_engine_force(engine);
		assert_ptr_equal(sha256_engine(), engine);
		check(engine);
	}
	assert_true(usable >= 2); /* "lanes" and "scalar" run everywhere */
}

static void peer(const void *prefix, size_t prefix_size, const void *message, size_t size, uint8_t ret_digest[32])
{
	mbedtls_sha256_context context;

	mbedtls_sha256_init(&context);
	assert_int_equal(mbedtls_sha256_starts_ret(&context, 0), 0);
	assert_int_equal(mbedtls_sha256_update_ret(&context, prefix, prefix_size), 0);
	assert_int_equal(mbedtls_sha256_update_ret(&context, message, size), 0);
	assert_int_equal(mbedtls_sha256_finish_ret(&context, ret_digest), 0);
	mbedtls_sha256_free(&context);
}

static void check_length(const struct sha256_engine *engine, size_t size)
{
	uint8_t have[32], want[32];

	/* From an odd address too: the data lie where the network put them. */
	for (size_t shift = 0; shift < 2; shift++) {
		peer("", 0, data + shift, size, want);
		sha256_once(data + shift, size, have);
		if (memcmp(have, want, 32) != 0)
			fail_msg("%s: wrong digest of %zu bytes at an address shifted by %zu", engine->name, size, shift);
	}
}

static void check_lengths(const struct sha256_engine *engine)
{
	for (size_t size = 0; size <= 300; size++)
		check_length(engine, size);
	for (size_t size = BLOCK - 70; size <= BLOCK + 70; size++)
		check_length(engine, size);
	check_length(engine, sizeof(data) - 1);
}

static void test_every_length_agrees_with_mbedtls(void **state)
{
	(void)state;
	with_each_engine(check_lengths);
}

static void check_pieces(const struct sha256_engine *engine)
{
	uint8_t have[32], want[32];

	peer("", 0, data, 1000, want);
	for (size_t piece = 1; piece <= 200; piece++) {
		struct sha256 sha;

		sha256_init(&sha);
		for (size_t at = 0; at < 1000; at += piece)
			sha256_update(&sha, data + at, 1000 - at < piece ? 1000 - at : piece);
		sha256_final(&sha, have);
		if (memcmp(have, want, 32) != 0)
			fail_msg("%s: another digest in pieces of %zu bytes", engine->name, piece);
	}
}

static void test_pieces_give_the_digest_of_the_whole(void **state)
{
	(void)state;
	with_each_engine(check_pieces);
}

/* Salts of all lengths shift the block against SHA-256's own blocks; counts below, at and above the number of lanes. */
static void check_blocks(const struct sha256_engine *engine)
{
	uint8_t have[40 * 32], want[32];

	for (size_t salt = 0; salt <= 256; salt += salt < 70 ? 1 : 31) {
		for (size_t count = 0; count <= 19; count++) {
			struct verity_hasher hasher;

			verity_hasher_init(&hasher, data, salt);
			verity_digests(&hasher, data + 1 + BLOCK, count, have);
			for (size_t i = count > 9 ? count - 9 : 0; i < count; i++) {
				peer(data, salt, data + 1 + BLOCK + i * BLOCK, BLOCK, want);
				if (memcmp(have + i * 32, want, 32) != 0)
					fail_msg("%s: block %zu of %zu, salt of %zu bytes: wrong digest", engine->name, i,
						 count, salt);
			}
		}
	}
}

static void test_salted_blocks_agree_with_mbedtls(void **state)
{
	(void)state;
	with_each_engine(check_blocks);
}

static void check_many_short(const struct sha256_engine *engine)
{
	uint8_t have[17 * 32], want[32];

	for (size_t size = 0; size <= 200; size++) {
		struct sha256 prefix;

		sha256_init(&prefix);
		sha256_update(&prefix, data, size / 2);
		sha256_many(&prefix, data + 500, size, 17, have);
		for (size_t i = 0; i < 17; i++) {
			peer(data, size / 2, data + 500 + i * size, size, want);
			if (memcmp(have + i * 32, want, 32) != 0)
				fail_msg("%s: message %zu of %zu bytes: wrong digest", engine->name, i, size);
		}
	}
}

static void test_many_messages_of_any_length(void **state)
{
	(void)state;
	with_each_engine(check_many_short);
}

static void test_the_best_usable_engine_is_chosen(void **state)
{
	unsigned i = 0;

	(void)state;
	while (!sha256_engine_at(i)->usable())
		i++;
	sha256_engine_force(NULL);
	assert_ptr_equal(sha256_engine(), sha256_engine_at(i));
	print_message("           %s\n", sha256_engine()->name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_every_length_agrees_with_mbedtls, teardown),
		cmocka_unit_test_teardown(test_pieces_give_the_digest_of_the_whole, teardown),
		cmocka_unit_test_teardown(test_salted_blocks_agree_with_mbedtls, teardown),
		cmocka_unit_test_teardown(test_many_messages_of_any_length, teardown),
		cmocka_unit_test(test_the_best_usable_engine_is_chosen),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}

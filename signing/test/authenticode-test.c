/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small program of UEFI, built here field by field, and all that must not be taken for one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "signing/authenticode.h"

enum { HEADER = 0x80, OPTIONAL = HEADER + 24, TABLE = OPTIONAL + 240, HEADERS = 0x400, FIRST = 0x400, SECOND = 0x600, END = 0x800, TAIL = 16,
       SIGNATURES = END + TAIL, SIZE = SIGNATURES + 48 };

static void make(uint8_t pe[SIZE])
{
	for (size_t i = 0; i < SIZE; i++)
		pe[i] = (uint8_t)(i * 7 + i / 251);
	memset(pe, 0, HEADERS);
	memcpy(pe, "MZ", 2);
	put_le32(pe + 0x3C, HEADER);
	memcpy(pe + HEADER, "PE\0", 4);
	put_le16(pe + HEADER + 6, 2);
	put_le16(pe + HEADER + 20, 240);
	put_le16(pe + OPTIONAL, 0x20B);
	put_le32(pe + OPTIONAL + 60, HEADERS);
	put_le32(pe + OPTIONAL + 64, 0x11223344);
	put_le16(pe + OPTIONAL + 68, PE_EFI_APPLICATION);
	put_le32(pe + OPTIONAL + 108, 16);
	put_le32(pe + OPTIONAL + 144, SIGNATURES);
	put_le32(pe + OPTIONAL + 148, SIZE - SIGNATURES);
	/* The later one stands first in the table. */
	put_le32(pe + TABLE + 16, END - SECOND);
	put_le32(pe + TABLE + 20, SECOND);
	put_le32(pe + TABLE + 40 + 16, SECOND - FIRST);
	put_le32(pe + TABLE + 40 + 20, FIRST);
	for (unsigned i = 0; i < 2; i++) {
		put_le32(pe + SIGNATURES + 24 * i, 20); /* rounded up to 24 */
		put_le16(pe + SIGNATURES + 24 * i + 4, 0x200);
		put_le16(pe + SIGNATURES + 24 * i + 6, 2);
	}
}

static void digest_leaves_out_check_sum_and_signatures_only(void **state)
{
	uint8_t pe[SIZE], wanted[SHA256_SIZE], got[SHA256_SIZE];
	struct sha256 sha;

	(void)state;
	make(pe);
	sha256_init(&sha);
	sha256_update(&sha, pe, OPTIONAL + 64);
	sha256_update(&sha, pe + OPTIONAL + 68, 144 - 68);
	sha256_update(&sha, pe + OPTIONAL + 152, SIGNATURES - OPTIONAL - 152);
	sha256_final(&sha, wanted);
	assert_int_equal(authenticode_digest(pe, SIZE, got), 0);
	assert_memory_equal(got, wanted, sizeof(got));
	/* Each byte counts, or is one of those three. */
	for (size_t i = 0; i < SIZE; i++) {
		bool outside = (i >= OPTIONAL + 64 && i < OPTIONAL + 68) || i >= SIGNATURES;

		if (i >= OPTIONAL + 144 && i < OPTIONAL + 152)
			continue;
		pe[i] ^= 1;
		if (authenticode_digest(pe, SIZE, got) == 0 && (memcmp(got, wanted, sizeof(got)) == 0) != outside)
			fail_msg("byte %zu", i);
		pe[i] ^= 1;
	}
	/* The same program without signatures. */
	memset(pe + OPTIONAL + 144, 0, 8);
	assert_int_equal(authenticode_digest(pe, SIGNATURES, got), 0);
	assert_memory_equal(got, wanted, sizeof(got));
}

static void signatures_are_counted(void **state)
{
	uint8_t pe[SIZE];
	unsigned count;

	(void)state;
	make(pe);
	assert_int_equal(authenticode_signatures(pe, SIZE, &count), 0);
	assert_int_equal(count, 2);
	put_le32(pe + SIGNATURES, 48);
	assert_int_equal(authenticode_signatures(pe, SIZE, &count), 0);
	assert_int_equal(count, 1);
	put_le32(pe + SIGNATURES, 49);
	assert_int_equal(authenticode_signatures(pe, SIZE, &count), -EBADMSG);
	put_le32(pe + SIGNATURES, 7); /* would go on for ever at 0 */
	assert_int_equal(authenticode_signatures(pe, SIZE, &count), -EBADMSG);
	memset(pe + OPTIONAL + 144, 0, 8);
	assert_int_equal(authenticode_signatures(pe, SIGNATURES, &count), 0);
	assert_int_equal(count, 0);
}

static void other_kind_is_another_digest(void **state)
{
	uint8_t pe[SIZE], before[SHA256_SIZE], after[SHA256_SIZE];

	(void)state;
	make(pe);
	assert_int_equal(authenticode_digest(pe, SIZE, before), 0);
	assert_int_equal(pe_set_subsystem(pe, SIZE, PE_CONSOLE), 0);
	assert_int_equal(get_le16(pe + OPTIONAL + 68), PE_CONSOLE);
	assert_int_equal(authenticode_digest(pe, SIZE, after), 0);
	assert_memory_not_equal(before, after, sizeof(after));
	assert_int_equal(pe_set_subsystem(pe, SIZE, PE_EFI_APPLICATION), 0);
	assert_int_equal(authenticode_digest(pe, SIZE, after), 0);
	assert_memory_equal(before, after, sizeof(after));
}

static void damaged_headers_are_refused(void **state)
{
	static const struct {
		size_t at;
		uint32_t value;
	} wrong[] = {
		{ 0, 0 }, { 0x3C, SIZE }, { 0x3C, UINT32_MAX }, { HEADER, 0 }, { HEADER + 6, 97 }, { HEADER + 20, 8 }, { HEADER + 20, 0xffff },
		{ OPTIONAL, 0x10B }, { OPTIONAL + 60, SIZE + 1 }, { OPTIONAL + 60, OPTIONAL + 239 }, { OPTIONAL + 60, TABLE + 79 },
		{ OPTIONAL + 108, 4 }, { OPTIONAL + 144, HEADERS - 1 }, { OPTIONAL + 144, SIZE + 1 }, { OPTIONAL + 144, UINT32_MAX },
		{ OPTIONAL + 148, 47 }, { OPTIONAL + 148, 49 }, { TABLE + 16, SIGNATURES - SECOND + 1 }, { TABLE + 16, UINT32_MAX },
		{ TABLE + 20, UINT32_MAX }, { TABLE + 20, SECOND - 1 }, { TABLE + 40 + 20, HEADERS - 1 },
	};
	uint8_t pe[SIZE], digest[SHA256_SIZE];
	unsigned count;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		make(pe);
		put_le32(pe + wrong[i].at, wrong[i].value);
		if (authenticode_digest(pe, SIZE, digest) != -EBADMSG || authenticode_signatures(pe, SIZE, &count) != -EBADMSG)
			fail_msg("%u at %zu was taken", wrong[i].value, wrong[i].at);
	}
	make(pe);
	for (size_t size = 0; size < SIZE; size++)
		assert_int_equal(authenticode_digest(pe, size, digest), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digest_leaves_out_check_sum_and_signatures_only),
		cmocka_unit_test(signatures_are_counted),
		cmocka_unit_test(other_kind_is_another_digest),
		cmocka_unit_test(damaged_headers_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is cleared when another account gets a server, and how its H: is encrypted: what can be said of it without a disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/assignment.h"
#include "provisioner/clearing.h"
#include "provisioner/dmcrypt.h"
#include "provisioner/modules.h"
#include "provisioner/rest.h"
#include "provisioner/state.h"

#define MIB (UINT64_C(1) << 20)
#define NONCE "00112233445566778899aabbccddeeff"

/* ------------------------------------------------------------------ ranges */
static void lay_out(uint32_t sector, struct gpt *gpt, const struct gpt_entry *parts[PARTS])
{
	uint8_t random[(PARTS + 1) * 16];
	uint64_t needed;

	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (uint8_t)(i * 7 + i / 16);
	assert_int_equal(gpt_layout(4096 * MIB / sector, sector, 1024, 512, false, random, gpt, &needed), 0);
	assert_int_equal(gpt_ours(gpt, parts), 0);
}

/* Each byte of the disk is in a range once, or in the table, or in STATE. */
static void test_all_but_table_and_state_is_cleared(void **state)
{
	static const uint32_t sectors[] = { 512, 4096 };
	struct gpt *gpt = malloc(sizeof(*gpt));

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct gpt_entry *parts[PARTS];
		uint64_t done = 0, from = 0, size = 0, at;
		struct clearing clearing;

		lay_out(sectors[i], gpt, parts);
		assert_int_equal(clearing_init(gpt, parts[PART_STATE], &clearing), 0);
		at = gpt_primary_size(gpt);
		while (clearing_next(&clearing, done, &from, &size)) {
			if (from != at) {
				assert_int_equal(at, parts[PART_STATE]->first * sectors[i]);
				assert_int_equal(from, (parts[PART_STATE]->last + 1) * sectors[i]);
			}
			assert_true(size > 0 && size <= CLEARING_PIECE && size % sectors[i] == 0 && from % sectors[i] == 0);
			at = from + size;
			done += size;
		}
		assert_int_equal(at, gpt_backup_offset(gpt));
		assert_int_equal(done, clearing.total);
	}
	free(gpt);
}

static void test_goes_on_within_a_piece(void **state)
{
	struct clearing clearing = { .ranges = { { 100, 512 }, { 10 * CLEARING_PIECE, CLEARING_PIECE + 512 } }, .total = CLEARING_PIECE + 1024 };
	uint64_t from, size;

	(void)state;
	assert_true(clearing_next(&clearing, 0, &from, &size));
	assert_true(from == 100 && size == 512);
	assert_true(clearing_next(&clearing, 512 + 4096, &from, &size));
	assert_true(from == 10 * CLEARING_PIECE + 4096 && size == CLEARING_PIECE + 512 - 4096);
	assert_true(clearing_next(&clearing, clearing.total - 512, &from, &size));
	assert_true(from == 11 * CLEARING_PIECE && size == 512);
	assert_false(clearing_next(&clearing, clearing.total, &from, &size));
	assert_false(clearing_next(&clearing, UINT64_MAX, &from, &size));
}

static void test_state_outside_the_disk_is_refused(void **state)
{
	struct gpt *gpt = malloc(sizeof(*gpt));
	const struct gpt_entry *parts[PARTS];
	struct gpt_entry odd;
	struct clearing clearing;

	(void)state;
	lay_out(512, gpt, parts);
	odd = *parts[PART_STATE];
	odd.first = 1;
	assert_int_equal(clearing_init(gpt, &odd, &clearing), -EINVAL);
	odd.first = gpt->sectors - 10;
	odd.last = gpt->sectors - 1;
	assert_int_equal(clearing_init(gpt, &odd, &clearing), -EINVAL);
	odd.last = UINT64_MAX;
	assert_int_equal(clearing_init(gpt, &odd, &clearing), -EINVAL);
	free(gpt);
}

/* ------------------------------------------------------------------ STATE */
static bool holds(int fd, uint64_t size, const char *text)
{
	uint8_t *all = malloc(size);
	bool found;

	assert_int_equal(read_full_at(fd, all, size, 0), 0);
	found = memmem(all, size, text, strlen(text)) != NULL;
	free(all);
	return found;
}

static void put(struct state *state, const char *name, const char *text)
{
	assert_int_equal(json_object_set_new(state->content, name, json_string(text)), 0);
}

static void test_state_keeps_the_identity_and_forgets_the_account(void **unused)
{
	struct state state, again;
	uint64_t size = 16 * MIB;
	int fd = memfd_create("state", MFD_CLOEXEC);

	(void)unused;
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, size), 0);
	put(&state, "h", "secret-of-red");
	put(&state, "slots", "secret-of-red");
	put(&state, "whatever", "secret-of-red");
	put(&state, "identity", "the-key");
	put(&state, "time", "now");
	json_object_set_new(state.content, "tuf", json_pack("{s:s,s:s}", "root", "the-root", "red", "secret-of-red"));
	assert_int_equal(state_store(&state), 0);
	assert_int_equal(state_store(&state), 0);
	/* What somebody wrote beside the records. */
	assert_int_equal(write_full_at(fd, "secret-of-red", 13, size / 2 - 5000), 0);
	assert_int_equal(write_full_at(fd, "secret-of-red", 13, size - 5000), 0);
	state_forget_account(&state);
	assert_int_equal(state_scrub(&state), 0);
	assert_false(holds(fd, size, "secret-of-red"));
	assert_int_equal(state_init(&again), 0);
	assert_int_equal(state_load(&again, fd, size), 0);
	assert_string_equal(json_get_string(again.content, "identity"), "the-key");
	assert_string_equal(json_get_string(json_object_get(again.content, "tuf"), "root"), "the-root");
	assert_null(json_object_get(again.content, "h"));
	state_release(&again);
	state_release(&state);
	close(fd);
}

/* ------------------------------------------------------------------ the answer */
static int parse(const char *members, struct assignment *ret_assignment)
{
	char text[1024], error[160] = "";
	int r;

	snprintf(text, sizeof(text), "{\"format\":1,\"nonce\":\"" NONCE "\",%s}", members);
	r = assignment_parse(text, strlen(text), NONCE, ret_assignment, error);
	if (r < 0)
		assert_true(error[0] != '\0');
	return r;
}

#define ASSIGNED "\"assignment\":7,\"os\":{\"target\":\"os/a/1.img\"},\"app\":null"
#define KEY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

static void test_key_of_h_is_taken_whole_or_refused(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse(ASSIGNED ",\"h_encryption\":true,\"h_key\":\"" KEY "\"", &a), 0);
	assert_true(a.h_encryption);
	assert_string_equal(a.h_key, KEY);
	assignment_release(&a);
	assert_int_equal(parse(ASSIGNED ",\"h_encryption\":true,\"h_closed\":\"why\"", &a), 0);
	assert_null(a.h_key);
	assert_string_equal(a.h_closed, "why");
	assignment_release(&a);
	assert_int_equal(parse(ASSIGNED ",\"h_key\":\"" KEY "\"", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"h_encryption\":true,\"h_key\":\"AAEC\"", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"h_encryption\":true,\"h_key\":7", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"h_encryption\":\"on\"", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"h_closed\":[]", &a), -EINVAL);
}

static void test_key_of_c_and_d_is_taken_whole_or_refused(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse(ASSIGNED ",\"encryption\":true,\"disk_key\":\"" KEY "\"", &a), 0);
	assert_true(a.encryption && !a.h_encryption);
	assert_string_equal(a.disk_key, KEY);
	assert_null(a.h_key);
	assignment_release(&a);
	assert_int_equal(parse(ASSIGNED ",\"encryption\":true,\"disk_closed\":\"why\"", &a), 0);
	assert_true(a.encryption);
	assert_null(a.disk_key);
	assert_string_equal(a.disk_closed, "why");
	assignment_release(&a);
	assert_int_equal(parse(ASSIGNED ",\"encryption\":false", &a), 0);
	assert_false(a.encryption);
	assignment_release(&a);
	assert_int_equal(parse(ASSIGNED ",\"h_encryption\":true,\"disk_key\":\"" KEY "\"", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"encryption\":false,\"disk_key\":\"" KEY "\"", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"encryption\":true,\"disk_key\":\"AAEC\"", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"encryption\":true,\"disk_key\":[]", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"encryption\":1", &a), -EINVAL);
	assert_int_equal(parse(ASSIGNED ",\"disk_closed\":7", &a), -EINVAL);
}

static void test_order_to_clear_is_no_assignment(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse("\"wait_seconds\":10,\"reason\":\"it is cleared\",\"sanitize\":{\"order\":\"" NONCE "\",\"cleared\":false}", &a), 0);
	assert_true(a.wait && !a.cleared);
	assert_string_equal(a.sanitize, NONCE);
	assignment_release(&a);
	assert_int_equal(parse("\"wait_seconds\":10,\"reason\":\"r\"", &a), 0);
	assert_string_equal(a.sanitize, "");
	assignment_release(&a);
	assert_int_equal(parse("\"wait_seconds\":10,\"sanitize\":{\"order\":\"..\",\"cleared\":false}", &a), -EINVAL);
	assert_int_equal(parse("\"wait_seconds\":10,\"sanitize\":{\"order\":\"" NONCE "\"}", &a), -EINVAL);
	assert_int_equal(parse("\"wait_seconds\":10,\"sanitize\":true", &a), -EINVAL);
}

/* ------------------------------------------------------------------ dm-crypt */
static void test_table_names_a_key_and_never_holds_it(void **state)
{
	char text[128];

	(void)state;
	assert_int_equal(dmcrypt_table("254:6", 4096, text, sizeof(text)), 0);
	assert_string_equal(text, "aes-xts-plain64 :64:logon:repave:disk 0 254:6 0 1 sector_size:4096");
	assert_int_equal(dmcrypt_table("254:6", 512, text, 20), -ENOSPC);
}

static void test_check_tells_keys_apart(void **state)
{
	uint8_t key[DMCRYPT_KEY_SIZE] = { 1 }, one[HOME_CHECK_SIZE], other[HOME_CHECK_SIZE];

	(void)state;
	dmcrypt_check(key, one);
	dmcrypt_check(key, other);
	assert_memory_equal(one, other, sizeof(one));
	key[DMCRYPT_KEY_SIZE - 1] = 1;
	dmcrypt_check(key, other);
	assert_memory_not_equal(one, other, sizeof(one));
}

static void test_each_slot_has_a_key_of_its_own(void **state)
{
	static const char *const slots[] = { "C0", "C1", "D0", "D1" };
	uint8_t key[DMCRYPT_KEY_SIZE] = { 1 }, keys[4][DMCRYPT_KEY_SIZE], again[DMCRYPT_KEY_SIZE];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(rest_slot_key(key, slots[i], keys[i]), 0);
		/* XTS is weak when its two keys are one. */
		assert_memory_not_equal(keys[i], keys[i] + DMCRYPT_KEY_SIZE / 2, DMCRYPT_KEY_SIZE / 2);
		assert_memory_not_equal(keys[i], key, DMCRYPT_KEY_SIZE);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(keys[i], keys[j], DMCRYPT_KEY_SIZE);
	}
	assert_int_equal(rest_slot_key(key, "C0", again), 0);
	assert_memory_equal(keys[0], again, DMCRYPT_KEY_SIZE);
	key[DMCRYPT_KEY_SIZE - 1] = 1;
	assert_int_equal(rest_slot_key(key, "C0", again), 0);
	assert_memory_not_equal(keys[0], again, DMCRYPT_KEY_SIZE);
	assert_int_equal(rest_slot_key(key, "STATE", again), -EINVAL);
	assert_int_equal(rest_slot_key(key, "", again), -EINVAL);
}

/* A disk that is encrypted with these stays readable: what a key leads to never changes. */
static void test_slot_key_is_blake2b_of_label_and_slot(void **state)
{
	uint8_t key[DMCRYPT_KEY_SIZE], slot[DMCRYPT_KEY_SIZE];
	char text[2 * DMCRYPT_KEY_SIZE + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	assert_int_equal(rest_slot_key(key, "C0", slot), 0);
	hex_format(slot, sizeof(slot), text);
	assert_string_equal(text, "2d17a8cb0c8df2bd1d6c7894cee5a4a606bd943a7693d905f69223dff9e3d375adbf3903ba0d324cb235afdbe8f54869cafe29fc5eb58fe7b95dbd0bf59105f3");
}

static void test_state_tells_keys_apart_and_holds_none(void **state)
{
	uint8_t key[DMCRYPT_KEY_SIZE] = { 1 };
	char one[REST_CHECK + 1], other[REST_CHECK + 1], text[2 * DMCRYPT_KEY_SIZE + 1];

	(void)state;
	rest_check(key, one);
	assert_int_equal(strlen(one), REST_CHECK);
	hex_format(key, sizeof(key), text);
	assert_null(strstr(text, one));
	key[0] = 2;
	rest_check(key, other);
	assert_string_not_equal(one, other);
}

static void test_image_in_the_clear_is_seen(void **state)
{
	uint8_t head[REST_SECTOR] = "hsqs";

	(void)state;
	assert_true(rest_is_plain(head, sizeof(head)));
	assert_false(rest_is_plain(head, 3));
	head[0] ^= 1;
	assert_false(rest_is_plain(head, sizeof(head)));
}

static unsigned files_of(const char *drivers, const char *word, char *ret_all, size_t room)
{
	char text[256], *rest = text, *line = NULL, *file;
	unsigned count = 0;

	snprintf(text, sizeof(text), "%s", drivers);
	ret_all[0] = '\0';
	for (; (file = modules_next(&rest, &line, word)) != NULL; count++)
		snprintf(ret_all + strlen(ret_all), room - strlen(ret_all), "%s;", file);
	return count;
}

static void test_modules_of_a_word_only(void **state)
{
	char all[256];

	(void)state;
	assert_int_equal(files_of("*|a.ko b.ko\n-\nrepave:efi repave:crypt|c.ko d.ko\nrepave:crypt2|e.ko\nrepave:crypt|f.ko\n", "repave:crypt", all,
				  sizeof(all)), 3);
	assert_string_equal(all, "c.ko;d.ko;f.ko;");
	assert_int_equal(files_of("repave:crypt|../x.ko  /y.ko g.ko", "repave:crypt", all, sizeof(all)), 1);
	assert_string_equal(all, "g.ko;");
	assert_int_equal(files_of("", "repave:crypt", all, sizeof(all)), 0);
	assert_int_equal(files_of("repave:crypt\n|\n||\n", "repave:crypt", all, sizeof(all)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_but_table_and_state_is_cleared),
		cmocka_unit_test(test_goes_on_within_a_piece),
		cmocka_unit_test(test_state_outside_the_disk_is_refused),
		cmocka_unit_test(test_state_keeps_the_identity_and_forgets_the_account),
		cmocka_unit_test(test_key_of_h_is_taken_whole_or_refused),
		cmocka_unit_test(test_key_of_c_and_d_is_taken_whole_or_refused),
		cmocka_unit_test(test_order_to_clear_is_no_assignment),
		cmocka_unit_test(test_table_names_a_key_and_never_holds_it),
		cmocka_unit_test(test_check_tells_keys_apart),
		cmocka_unit_test(test_each_slot_has_a_key_of_its_own),
		cmocka_unit_test(test_slot_key_is_blake2b_of_label_and_slot),
		cmocka_unit_test(test_state_tells_keys_apart_and_holds_none),
		cmocka_unit_test(test_image_in_the_clear_is_seen),
		cmocka_unit_test(test_modules_of_a_word_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

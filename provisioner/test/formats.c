/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats that stage 1 reads and writes: partition tables, STATE records, assignments, cpio, command line. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/assignment.h"
#include "provisioner/cmdline.h"
#include "provisioner/cpio.h"
#include "provisioner/gpt.h"
#include "provisioner/state.h"
#include "signing/format.h"

#define GIB (UINT64_C(1) << 30)
#define NONCE "00112233445566778899aabbccddeeff"

/* ------------------------------------------------------------------ GPT */
struct table {
	struct gpt gpt;
	uint8_t head[GPT_HEAD_SIZE];
	uint8_t backup[GPT_TABLE_SIZE + GPT_SECTOR_MOST];
};

static void make_table(struct table *table, uint32_t sector_size)
{
	uint8_t random[(PARTS + 1) * 16];
	uint64_t needed;

	for (size_t i = 0; i < sizeof(random); i++)
		random[i] = (uint8_t)(i * 7 + 1);
	assert_int_equal(gpt_layout(8 * GIB / sector_size, sector_size, 1024, 512, true, random, &table->gpt, &needed), 0);
	assert_int_equal(needed, (2 + 16 + 2 * 1024 + 2 * 512) * UINT64_C(1048576));
	memset(table->head, 0, sizeof(table->head));
	gpt_format(&table->gpt, table->head, table->backup);
}

static void check_round_trip(uint32_t sector_size)
{
	static struct table table;
	static struct gpt parsed;
	const struct gpt_entry *parts[PARTS];

	make_table(&table, sector_size);
	assert_int_equal(gpt_parse(table.head, sizeof(table.head), sector_size, table.gpt.sectors, &parsed), 0);
	assert_memory_equal(&parsed, &table.gpt, sizeof(parsed));
	assert_int_equal(gpt_ours(&parsed, parts), 0);
	for (unsigned i = 0; i < PARTS; i++) {
		assert_string_equal(parts[i]->name, part_name((enum part)i));
		assert_int_equal(parts[i]->first * sector_size % 1048576, 0);
		assert_int_equal((parts[i]->last + 1) * sector_size % 1048576, 0);
	}
	assert_int_equal((parts[PART_C1]->last - parts[PART_C1]->first + 1) * sector_size, GIB);
}

static void test_table_survives_a_round_trip(void **state)
{
	(void)state;
	check_round_trip(512);
	check_round_trip(4096);
}

static void test_guid_text_is_mixed_endian(void **state)
{
	uint8_t guid[16];
	char text[37];

	(void)state;
	assert_int_equal(guid_parse("5e70a7e0-0001-4b1d-8a5e-7265706176e0", guid), 0);
	assert_int_equal(guid[0], 0xe0);
	assert_int_equal(guid[5], 0x00);
	assert_int_equal(guid[8], 0x8a);
	guid_format(guid, text);
	assert_string_equal(text, "5e70a7e0-0001-4b1d-8a5e-7265706176e0");
	assert_int_equal(guid_parse("5e70a7e0-0001-4b1d-8a5e-7265706176e", guid), -EINVAL);
	assert_int_equal(guid_parse("5e70a7e000001-4b1d-8a5e-7265706176e0", guid), -EINVAL);
}

static void test_foreign_partition_is_not_ours(void **state)
{
	static struct table table;
	const struct gpt_entry *parts[PARTS];

	(void)state;
	make_table(&table, 512);
	/* Our name, but the type of a Linux file system. */
	assert_int_equal(guid_parse("0fc63daf-8483-4772-8e79-3d69d8477de4", table.gpt.entries[PART_D1].type), 0);
	assert_int_equal(gpt_ours(&table.gpt, parts), -EMEDIUMTYPE);
	/* Somebody's partition beside ours. */
	make_table(&table, 512);
	strcpy(table.gpt.entries[PART_H].name, "data");
	assert_int_equal(gpt_ours(&table.gpt, parts), -EMEDIUMTYPE);
	/* One of ours missing. */
	make_table(&table, 512);
	table.gpt.count = PART_D1;
	assert_int_equal(gpt_ours(&table.gpt, parts), -EMEDIUMTYPE);
	/* One of ours twice. */
	make_table(&table, 512);
	strcpy(table.gpt.entries[PART_H].name, "C0");
	part_type(PART_C0, table.gpt.entries[PART_H].type);
	assert_int_equal(gpt_ours(&table.gpt, parts), -EMEDIUMTYPE);
}

static void test_flipped_bit_in_table_is_seen(void **state)
{
	static struct table table;
	static struct gpt parsed;

	(void)state;
	for (size_t at = 512; at < 512 + 92; at++) {
		make_table(&table, 512);
		table.head[at] ^= 1;
		assert_true(gpt_parse(table.head, sizeof(table.head), 512, table.gpt.sectors, &parsed) < 0);
	}
	make_table(&table, 512);
	table.head[1024 + 35] ^= 1;
	assert_int_equal(gpt_parse(table.head, sizeof(table.head), 512, table.gpt.sectors, &parsed), -EBADMSG);
	memset(table.head, 0, sizeof(table.head));
	assert_int_equal(gpt_parse(table.head, sizeof(table.head), 512, table.gpt.sectors, &parsed), -ENOENT);
}

static void test_overlapping_partitions_are_refused(void **state)
{
	static struct table table;
	static struct gpt parsed;

	(void)state;
	make_table(&table, 512);
	table.gpt.entries[PART_C1].first -= 1;
	gpt_format(&table.gpt, table.head, table.backup);
	assert_int_equal(gpt_parse(table.head, sizeof(table.head), 512, table.gpt.sectors, &parsed), -EBADMSG);
	make_table(&table, 512);
	table.gpt.entries[PART_H].last = table.gpt.sectors;
	gpt_format(&table.gpt, table.head, table.backup);
	assert_int_equal(gpt_parse(table.head, sizeof(table.head), 512, table.gpt.sectors, &parsed), -EBADMSG);
}

static void test_table_of_a_larger_disk_is_refused(void **state)
{
	static struct table table;
	static struct gpt parsed;

	(void)state;
	make_table(&table, 512);
	assert_int_equal(gpt_parse(table.head, sizeof(table.head), 512, table.gpt.sectors / 2, &parsed), -EOVERFLOW);
}

static void test_backup_table_says_the_same(void **state)
{
	static const uint32_t sectors[] = { 512, 4096 };
	static struct table table;
	static struct gpt parsed;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t size;

		make_table(&table, sectors[i]);
		size = gpt_backup_size(&table.gpt);
		assert_int_equal(gpt_parse_backup(table.backup, size, sectors[i], table.gpt.sectors, &parsed), 0);
		assert_memory_equal(&parsed, &table.gpt, sizeof(parsed));
		for (size_t at = size - sectors[i]; at < size - sectors[i] + 92; at++) {
			table.backup[at] ^= 4;
			assert_true(gpt_parse_backup(table.backup, size, sectors[i], table.gpt.sectors, &parsed) < 0);
			table.backup[at] ^= 4;
		}
		table.backup[33] ^= 1;
		assert_int_equal(gpt_parse_backup(table.backup, size, sectors[i], table.gpt.sectors, &parsed), -EBADMSG);
		/* A primary in its place, or a larger disk. */
		assert_true(gpt_parse_backup(table.head, size, sectors[i], table.gpt.sectors, &parsed) < 0);
		assert_int_equal(gpt_parse_backup(table.backup, size, sectors[i], 2, &parsed), -EBADMSG);
	}
}

static void test_small_disk_tells_what_it_needs(void **state)
{
	static struct gpt gpt;
	uint8_t random[(PARTS + 1) * 16] = { 0 };
	uint64_t needed = 0;

	(void)state;
	assert_int_equal(gpt_layout(GIB / 512, 512, 1024, 512, false, random, &gpt, &needed), -ENOSPC);
	assert_int_equal(needed, 3090 * UINT64_C(1048576));
	assert_int_equal(gpt_layout(needed / 512 - 1, 512, 1024, 512, false, random, &gpt, &needed), -ENOSPC);
	assert_int_equal(gpt_layout(needed / 512, 512, 1024, 512, false, random, &gpt, &needed), 0);
	assert_int_equal(gpt.count, PART_H); /* no room for H: none */
	assert_int_equal(gpt_layout(GIB, 512, UINT64_MAX, 512, false, random, &gpt, &needed), -EINVAL);
}

/* ------------------------------------------------------------------ STATE */
static int state_file(void)
{
	char path[] = "/tmp/state-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	return fd;
}

static void test_torn_half_leaves_the_other(void **unused)
{
	static const char hash[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	struct state state;
	int fd = state_file();

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	assert_int_equal(state_set_slot(&state, "C0", hash, "os/a/1.img.zst"), 0);
	assert_int_equal(state_store(&state), 0);                   /* sequence 1, half 0 */
	assert_int_equal(state_set_good(&state, "c", "C0"), 0);
	assert_int_equal(state_store(&state), 0);                   /* sequence 2, half 1 */
	state_release(&state);

	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	assert_int_equal(state.sequence, 2);
	assert_int_equal(state_good(&state, "c"), 0);
	state_release(&state);

	assert_int_equal(write_full_at(fd, "torn", 4, (1 << 19) + STATE_HEADER + 5), 0);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	assert_int_equal(state.sequence, 1);
	assert_int_equal(state.next, 1); /* the torn one is overwritten next */
	assert_int_equal(state_good(&state, "c"), -1);
	assert_string_equal(state_slot(&state, "C0"), hash);
	state_release(&state);
	close(fd);
}

static void test_record_longer_than_its_half_is_ignored(void **unused)
{
	uint8_t header[STATE_HEADER] = "REPAVEST";
	struct state state;
	int fd = state_file();

	(void)unused;
	put_le32(header + 16, 0xffffffff);
	assert_int_equal(write_full_at(fd, header, sizeof(header), 0), 0);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	assert_int_equal(state.sequence, 0);
	assert_null(state_slot(&state, "C0"));
	state_release(&state);
	close(fd);
}

static void test_metadata_is_kept_by_role(void **unused)
{
	struct buffer data = { 0 };
	struct tuf_store store;
	struct state state;
	int fd = state_file();

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	store = state_tuf_store(&state);
	assert_int_equal(store.load(store.context, "root", 100, &data), -ENOENT);
	assert_int_equal(store.store(store.context, "root", "{\"a\":1}", 7), 0);
	assert_int_equal(store.store(store.context, "root", "{\"a\":1}", 7), 0);
	assert_int_equal(state.sequence, 1); /* the same again isn't written */
	state_release(&state);

	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	store = state_tuf_store(&state);
	assert_int_equal(store.load(store.context, "root", 6, &data), -EFBIG);
	assert_int_equal(store.load(store.context, "root", 7, &data), 0);
	assert_int_equal(data.size, 7);
	assert_memory_equal(data.data, "{\"a\":1}", 7);
	assert_int_equal(store.remove(store.context, "root"), 0);
	assert_int_equal(store.remove(store.context, "root"), 0);
	buffer_release(&data);
	state_release(&state);
	close(fd);
}

/* Quotes and line ends double when JSON stands in JSON: all four files at their bounds don't fit, three always do. */
static void test_metadata_at_its_bounds_leaves_state_usable(void **unused)
{
	static const struct {
		const char *role;
		size_t size;
	} files[] = { { "root", TUF_ROOT_MOST }, { "timestamp", TUF_TIMESTAMP_MOST }, { "snapshot", TUF_SNAPSHOT_MOST },
		      { "targets", TUF_TARGETS_MOST } };
	char *text = malloc(TUF_TARGETS_MOST);
	struct buffer data = { 0 };
	struct state state;
	int fd = state_file();

	(void)unused;
	memset(text, '"', TUF_TARGETS_MOST);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 16 << 20), 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct tuf_store store = state_tuf_store(&state);

		assert_int_equal(store.store(store.context, files[i].role, text, files[i].size), 0);
	}
	assert_int_equal(state.error, 0);
	assert_int_equal(state_set_good(&state, "c", "C1"), 0);
	assert_int_equal(state_store(&state), 0);
	state_release(&state);

	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 16 << 20), 0);
	assert_int_equal(state_good(&state, "c"), 1);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		struct tuf_store store = state_tuf_store(&state);
		int r = store.load(store.context, files[i].role, files[i].size, &data);

		assert_int_equal(r, files[i].size == TUF_TARGETS_MOST ? -ENOENT : 0);
	}
	buffer_release(&data);
	state_release(&state);
	free(text);
	close(fd);
}

/* Delegated roles are called anything. */
static void test_roles_of_accounts_are_kept_under_any_name(void **unused)
{
	static const char *const roles[] = { "acme", "../../root", "a\"b\\c", "\xc3\xa4 / %2F", "" };
	struct buffer data = { 0 };
	struct state state;
	int fd = state_file();

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		struct tuf_store store = state_tuf_store(&state);

		assert_int_equal(store.store(store.context, roles[i], roles[i], strlen(roles[i])), 0);
	}
	state_release(&state);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		struct tuf_store store = state_tuf_store(&state);

		assert_int_equal(store.load(store.context, roles[i], 100, &data), 0);
		assert_int_equal(data.size, strlen(roles[i]));
		assert_memory_equal(data.data ? (const char *)data.data : "", roles[i], data.size);
		buffer_release(&data);
	}
	state_release(&state);
	close(fd);
}

static int stored_size(struct state *state, const char *role)
{
	struct tuf_store store = state_tuf_store(state);
	struct buffer data = { 0 };
	int r = store.load(store.context, role, TUF_TARGETS_MOST, &data);
	int size = r < 0 ? r : (int)data.size;

	buffer_release(&data);
	return size;
}

static void test_roles_of_accounts_make_room_before_top_level_ones(void **unused)
{
	static const char *const roles[] = { "root", "timestamp", "snapshot", "targets", "acme", "zebra" };
	static const int sizes[] = { 1000, 500, 2000, 100000, 200000, 300000 };
	char *text = malloc(300000);
	struct state state;
	int fd = state_file();

	(void)unused;
	memset(text, 'x', 300000);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	for (size_t i = 0; i < 6; i++) {
		struct tuf_store store = state_tuf_store(&state);

		assert_int_equal(store.store(store.context, roles[i], text, (size_t)sizes[i]), 0);
	}
	assert_int_equal(state.error, 0);
	assert_int_equal(stored_size(&state, "acme"), 200000); /* in RAM, for this boot */
	state_release(&state);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(stored_size(&state, roles[i]), i < 4 ? sizes[i] : -ENOENT);
	state_release(&state);
	free(text);
	close(fd);
}

static void test_roles_of_accounts_do_not_gather(void **unused)
{
	struct tuf_store store;
	struct state state;
	char role[16];

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	store = state_tuf_store(&state);
	assert_int_equal(store.store(store.context, "root", "{}", 2), 0);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(role, sizeof(role), "account%u", i);
		assert_int_equal(store.store(store.context, role, "{}", 2), 0);
		assert_true(json_object_size(json_object_get(state.content, "tuf")) <= STATE_ROLES_MOST);
	}
	assert_int_equal(stored_size(&state, "root"), 2);
	assert_int_equal(stored_size(&state, "account99"), 2);
	state_release(&state);
}

static int link_size(struct state *state, uint64_t version)
{
	struct tuf_store store = state_tuf_store(state);
	struct buffer data = { 0 };
	int r = store.load_root(store.context, version, TUF_ROOT_MOST, &data);
	int size = r < 0 ? r : (int)data.size;

	buffer_release(&data);
	return size;
}

static void test_links_are_no_roles(void **unused)
{
	static const char *const roles[] = { "2", "2.root", "roots", "2.root.json" };
	struct tuf_store store;
	struct state state;
	int fd = state_file();

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	store = state_tuf_store(&state);
	for (uint64_t version = 2; version < 6; version++)
		assert_int_equal(store.store_root(store.context, version, "{\"a\":1}", 7), 0);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		assert_int_equal(store.store(store.context, roles[i], "{}", 2), 0);
	state_release(&state);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	store = state_tuf_store(&state);
	for (uint64_t version = 1; version < 7; version++)
		assert_int_equal(link_size(&state, version), version == 1 || version == 6 ? -ENOENT : 7);
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		assert_int_equal(stored_size(&state, roles[i]), 2);
	assert_int_equal(store.keep_roots(store.context, 3, 4), 0);
	for (uint64_t version = 2; version < 6; version++)
		assert_int_equal(link_size(&state, version), version == 3 || version == 4 ? 7 : -ENOENT);
	assert_int_equal(stored_size(&state, "2"), 2);
	state_release(&state);
	close(fd);
}

static void test_planted_links_of_any_form_are_forgotten(void **unused)
{
	struct tuf_store store;
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	store = state_tuf_store(&state);
	json_object_set_new(state.content, "roots", json_pack("{s:s, s:i, s:s, s:s, s:s}", "3", "{}", "4", 7, "03", "{}", "x", "{}",
							      "99999999999999999999", "{}"));
	assert_int_equal(link_size(&state, 4), -ENOENT);
	assert_int_equal(store.keep_roots(store.context, 2, 100), 0);
	assert_int_equal(json_object_size(json_object_get(state.content, "roots")), 1);
	assert_int_equal(link_size(&state, 3), 2);
	json_object_set_new(state.content, "roots", json_string("no object"));
	assert_int_equal(link_size(&state, 3), -ENOENT);
	assert_int_equal(store.keep_roots(store.context, 2, 100), 0);
	assert_int_equal(store.store_root(store.context, 2, "{}", 2), 0);
	assert_int_equal(link_size(&state, 2), 2);
	state_release(&state);
}

/* Images and accounts come again from the repository; a link may be just what it withholds. */
static void test_links_stay_when_room_is_made(void **unused)
{
	char *text = malloc(TUF_TARGETS_MOST);
	struct tuf_store store;
	struct state state;
	int fd = state_file();

	(void)unused;
	memset(text, '"', TUF_TARGETS_MOST);
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 16 << 20), 0);
	store = state_tuf_store(&state);
	for (uint64_t version = 2; version < 6; version++)
		assert_int_equal(store.store_root(store.context, version, text, STATE_ROOTS_MOST / 4), 0);
	assert_int_equal(store.store(store.context, "root", text, TUF_ROOT_MOST), 0);
	assert_int_equal(store.store(store.context, "timestamp", text, TUF_TIMESTAMP_MOST), 0);
	assert_int_equal(store.store(store.context, "snapshot", text, TUF_SNAPSHOT_MOST), 0);
	assert_int_equal(store.store(store.context, "targets", text, TUF_TARGETS_MOST), 0);
	assert_int_equal(store.store(store.context, "acme", text, 1000), 0);
	assert_int_equal(state.error, 0);
	/* No room for one more: the chain ends before it, and that is said. */
	assert_int_equal(store.store_root(store.context, 6, "{}", 2), 0);
	assert_int_equal(state.error, -EFBIG);
	state_release(&state);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 16 << 20), 0);
	for (uint64_t version = 2; version < 7; version++)
		assert_int_equal(link_size(&state, version), version == 6 ? -ENOENT : (int)STATE_ROOTS_MOST / 4);
	assert_int_equal(stored_size(&state, "snapshot"), TUF_SNAPSHOT_MOST);
	assert_int_equal(stored_size(&state, "targets"), -ENOENT);
	state_release(&state);
	free(text);
	close(fd);
}

static void test_state_that_cant_be_written_is_noted_and_no_error(void **unused)
{
	struct buffer data = { 0 };
	struct tuf_store store;
	struct state state;
	int fd = open("/dev/full", O_RDWR | O_CLOEXEC);

	(void)unused;
	assert_true(fd >= 0);
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(state_load(&state, fd, 1 << 20), 0);
	store = state_tuf_store(&state);
	assert_int_equal(store.store(store.context, "root", "{\"a\":1}", 7), 0);
	assert_int_equal(state.error, -ENOSPC);
	assert_int_equal(store.load(store.context, "root", 7, &data), 0);
	buffer_release(&data);
	state_release(&state);
	close(fd);
}

/* A root user of the running OS may write what he likes there; it must not stay the newest record for ever. */
static void test_planted_highest_sequence_is_overwritten(void **unused)
{
	struct buffer record = { 0 };
	json_t *planted = json_pack("{s:i,s:{s:s}}", "format", 1, "good", "c", "C0");
	struct state state;
	int fd = state_file();

	(void)unused;
	assert_int_equal(state_record_format(UINT64_MAX, planted, &record), 0);
	assert_int_equal(write_full_at(fd, record.data, record.size, 1 << 19), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(state_init(&state), 0);
		assert_int_equal(state_load(&state, fd, 1 << 20), 0);
		assert_int_equal(state_good(&state, "c"), i > 0);
		assert_int_equal(state_set_good(&state, "c", "C1"), 0);
		assert_int_equal(state_store(&state), 0);
		state_release(&state);
	}
	buffer_release(&record);
	json_decref(planted);
	close(fd);
}

/* ------------------------------------------------------------------ assignment */
static int parse(const char *text, struct assignment *assignment)
{
	char error[160] = "";
	int r = assignment_parse(text, strlen(text), NONCE, assignment, error);

	assert_int_equal(r < 0, error[0] != '\0');
	return r;
}

#define HEAD "{\"format\":1,\"nonce\":\"" NONCE "\","
#define RUN HEAD "\"assignment\":17,\"os\":{\"target\":\"os/debian/12.1.img.zst\"},\"app\":null,"

#define USER_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f"

static void test_assignment_is_understood(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse(RUN "\"wipe\":true,\"config\":{\"hostname\":\"web1\",\"ssh_authorized_keys\":[\"ssh-ed25519 A\"],"
				   "\"users\":[{\"name\":\"anna\",\"uid\":20001,\"keys\":[\"" USER_KEY "\"]}],"
				   "\"files\":{\"index.html\":\"text\"}}}", &a), 0);
	assert_int_equal(json_array_size(a.users), 1);
	assert_false(a.wait);
	assert_int_equal(a.number, 17);
	assert_string_equal(a.os_target, "os/debian/12.1.img.zst");
	assert_null(a.app_target);
	assert_true(a.wipe);
	assert_true(a.starts_seen == UINT64_MAX);
	assert_string_equal(a.hostname, "web1");
	assert_int_equal(json_array_size(a.ssh_keys), 1);
	assert_string_equal(json_get_string(a.files, "index.html"), "text");
	assignment_release(&a);

	assert_int_equal(parse(HEAD "\"wait_seconds\":10,\"reason\":\"new\"}", &a), 0);
	assert_true(a.wait);
	assert_int_equal(a.wait_seconds, 10);
	assert_string_equal(a.reason, "new");
	assignment_release(&a);
	assert_int_equal(parse(HEAD "\"wait_seconds\":999999999999}", &a), 0);
	assert_int_equal(a.wait_seconds, WAIT_MOST);
	assignment_release(&a);
}

static void test_starts_that_the_control_unit_saw_are_understood(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse(RUN "\"starts_seen\":3}", &a), 0);
	assert_int_equal(a.starts_seen, 3);
	assignment_release(&a);
}

static void test_home_is_understood_and_mount_options_in_it_are_refused(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse(RUN "\"wipe\":false}", &a), 0);
	assert_string_equal(a.h, "auto");
	assignment_release(&a);
	assert_int_equal(parse(RUN "\"h\":\"nfs:10.0.0.5:/h\"}", &a), 0);
	assert_string_equal(a.h, "nfs:10.0.0.5:/h");
	assignment_release(&a);
	assert_int_equal(parse(RUN "\"h\":\"nfs:10.0.0.5:/h,sec=none\"}", &a), -EINVAL);
	assert_int_equal(parse(RUN "\"h\":true}", &a), -EINVAL);
}

static void test_answer_to_another_question_is_refused(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse("{\"format\":1,\"nonce\":\"ff112233445566778899aabbccddeeff\",\"wait_seconds\":1}", &a), -EINVAL);
	assert_int_equal(parse("{\"format\":1,\"wait_seconds\":1}", &a), -EINVAL);
}

static void test_mirrors_and_policy_are_understood(void **state)
{
	struct assignment a;

	(void)state;
	assert_int_equal(parse(RUN "\"mirrors\":[\"http://10.0.0.5:8080/repository\",\"http://[fd00::1]/r\"],\"verify\":\"lazy\"}", &a), 0);
	assert_int_equal(json_array_size(a.mirrors), 2);
	assert_true(a.lazy);
	assignment_release(&a);
	assert_int_equal(parse(RUN "\"mirrors\":null,\"verify\":\"full\"}", &a), 0);
	assert_null(a.mirrors);
	assert_false(a.lazy);
	assignment_release(&a);
}

static void test_unsound_mirrors_are_refused(void **state)
{
	static const char *const mirrors[] = { "\"http://a/r\"", "[1]", "[\"https://a/r\"]", "[\"http://\"]", "[\"http://a:0/r\"]", "[\"http://a:70000/r\"]", "[\"http://a:b/r\"]", "[\"http://[::1/r\"]", "[\"http://[::1]x/r\"]", "[\"http:///r\"]",
					       "[\"http://a/r/\"]", "[\"http://user@a/r\"]", "[\"http://a/r?x=1\"]",
					       "[\"http://a/r b\"]", "[\"file:///etc\"]", "[\"http://a/\\u0000\"]" };
	struct assignment a;
	char text[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(mirrors) / sizeof(mirrors[0]); i++) {
		snprintf(text, sizeof(text), RUN "\"mirrors\":%s}", mirrors[i]);
		assert_int_equal(parse(text, &a), -EINVAL);
	}
	assert_int_equal(parse(RUN "\"verify\":\"never\"}", &a), -EINVAL);
	assert_int_equal(parse(RUN "\"verify\":false}", &a), -EINVAL);
}

static void test_unsound_assignments_are_refused(void **state)
{
	static const char *const unsound[] = {
		"", "[]", "{}", HEAD "\"assignment\":1}", HEAD "\"wait_seconds\":\"1\"}",
		HEAD "\"assignment\":1,\"os\":{\"target\":\"../../etc/passwd\"}}",
		HEAD "\"assignment\":1,\"os\":{\"target\":\"/os/a.img.zst\"}}",
		HEAD "\"assignment\":1,\"os\":{\"target\":\"os/a?b\"}}",
		HEAD "\"assignment\":-1,\"os\":{\"target\":\"os/a\"}}",
		RUN "\"wipe\":\"no\"}",
		RUN "\"starts_seen\":\"3\"}",
		RUN "\"starts_seen\":-1}",
		RUN "\"config\":{\"hostname\":\"a b\"}}",
		RUN "\"config\":{\"hostname\":\"-a\"}}",
		RUN "\"config\":{\"ssh_authorized_keys\":[\"a\\nb\"]}}",
		RUN "\"config\":{\"users\":{}}}",
		RUN "\"config\":{\"users\":[{\"name\":\"root\",\"uid\":20001,\"keys\":[\"" USER_KEY "\"]}]}}",
		RUN "\"config\":{\"users\":[{\"name\":\"anna\",\"uid\":0,\"keys\":[\"" USER_KEY "\"]}]}}",
		RUN "\"config\":{\"users\":[{\"name\":\"anna\",\"uid\":20001,\"keys\":[\"command=\\\"sh\\\" " USER_KEY "\"]}]}}",
		RUN "\"config\":{\"files\":{\"../x\":\"\"}}}",
		RUN "\"config\":{\"files\":{\".x\":\"\"}}}",
		RUN "\"config\":{\"files\":{\"x\":1}}}",
		RUN "\"config\":{\"files\":[]}}",
	};
	struct assignment a;

	(void)state;
	for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++)
		assert_int_equal(parse(unsound[i], &a), -EINVAL);
}

static void test_configuration_larger_than_agreed_is_refused(void **state)
{
	struct buffer text = { 0 };
	struct assignment a;

	(void)state;
	assert_int_equal(buffer_printf(&text, "%s\"config\":{\"files\":{\"x\":\"%*s\"}}}", RUN, (int)CONFIG_BYTES_MOST, ""), 0);
	assert_int_equal(parse((const char *)text.data, &a), 0);
	assignment_release(&a);
	buffer_release(&text);
	assert_int_equal(buffer_printf(&text, "%s\"config\":{\"files\":{\"x\":\"%*s\"}}}", RUN, (int)CONFIG_BYTES_MOST + 1, ""), 0);
	assert_int_equal(parse((const char *)text.data, &a), -EINVAL);
	buffer_release(&text);
}

/* ------------------------------------------------------------------ cpio */
static void test_archive_is_read_by_cpio(void **state)
{
	char path[] = "/tmp/cpio-test-XXXXXX", command[128], line[128];
	struct buffer archive = { 0 };
	int fd = mkstemp(path);
	FILE *pipe;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(cpio_add_folder(&archive, "repave", 0700), 0);
	assert_int_equal(cpio_add_file(&archive, "repave/hostname", 0600, "web1\n", 5), 0);
	assert_int_equal(cpio_add_file(&archive, "repave/empty", 0644, NULL, 0), 0);
	assert_int_equal(cpio_end(&archive), 0);
	assert_int_equal(archive.size % 4, 0);
	assert_int_equal(write_full_at(fd, archive.data, archive.size, 0), 0);
	buffer_release(&archive);
	close(fd);
	snprintf(command, sizeof(command), "cpio -tv --quiet --numeric-uid-gid <%s 2>&1", path);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	assert_non_null(fgets(line, sizeof(line), pipe));
	assert_non_null(strstr(line, "drwx------"));
	assert_non_null(fgets(line, sizeof(line), pipe));
	assert_non_null(strstr(line, "-rw-------"));
	assert_non_null(strstr(line, " 5 "));
	assert_non_null(strstr(line, "repave/hostname"));
	assert_non_null(fgets(line, sizeof(line), pipe));
	assert_non_null(strstr(line, "repave/empty"));
	assert_null(fgets(line, sizeof(line), pipe));
	assert_int_equal(pclose(pipe), 0);
	unlink(path);
}

/* ------------------------------------------------------------------ command line */
#define UUID "5e70a7e0-0001-4b1d-8a5e-7265706176e0"
#define ROOT "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void test_boot_slot_survives_a_round_trip(void **state)
{
	struct boot_slot slot, again;
	struct buffer text = { 0 };

	(void)state;
	memset(&slot, 0, sizeof(slot));
	assert_int_equal(cmdline_boot_slot("quiet repave.c=" UUID ":60000:" ROOT ":00ff x", "repave.c", &slot), 0);
	assert_string_equal(slot.partuuid, UUID);
	assert_int_equal(slot.data_blocks, 60000);
	assert_int_equal(slot.salt_size, 2);
	assert_int_equal(cmdline_add_boot_slot(&text, "repave.d", &slot), 0);
	assert_string_equal((char *)text.data, " repave.d=" UUID ":60000:" ROOT ":00ff");
	assert_int_equal(cmdline_boot_slot((char *)text.data, "repave.c", &again), -ENOENT);
	assert_int_equal(cmdline_boot_slot((char *)text.data, "repave.d", &again), 0);
	assert_memory_equal(&slot, &again, sizeof(slot));
	buffer_release(&text);
	assert_int_equal(cmdline_boot_slot("repave.c=" UUID ":1:" ROOT ":-", "repave.c", &slot), 0);
	assert_int_equal(slot.salt_size, 0);
}

static void test_unsound_boot_slots_are_refused(void **state)
{
	static const char *const unsound[] = {
		"repave.c=", "repave.c=" UUID, "repave.c=" UUID ":1:" ROOT, "repave.c=" UUID ":0:" ROOT ":-",
		"repave.c=" UUID ":1:" ROOT ":-:", "repave.c=" UUID ":1:" ROOT ":0", "repave.c=" UUID ":1:" ROOT ":zz",
		"repave.c=" UUID ":-1:" ROOT ":-", "repave.c=" UUID ":1:00" ROOT ":-", "repave.c=/dev/vda1:1:" ROOT ":-",
		"repave.c=" UUID ":99999999999999999999999:" ROOT ":-",
		/* Two different ones: which one is meant must not be guessed. */
		"repave.c=" UUID ":1:" ROOT ":- repave.c=" UUID ":2:" ROOT ":-",
	};
	struct boot_slot slot;

	(void)state;
	for (size_t i = 0; i < sizeof(unsound) / sizeof(unsound[0]); i++)
		assert_int_equal(cmdline_boot_slot(unsound[i], "repave.c", &slot), -EINVAL);
}

static void test_consoles_are_carried_over(void **state)
{
	struct buffer text = { 0 };

	(void)state;
	assert_int_equal(cmdline_add_consoles(&text, "BOOT_IMAGE=x console=tty0 quiet  console=ttyS0,115200\n"), 0);
	assert_string_equal((char *)text.data, "console=tty0 console=ttyS0,115200");
	buffer_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_survives_a_round_trip),
		cmocka_unit_test(test_guid_text_is_mixed_endian),
		cmocka_unit_test(test_foreign_partition_is_not_ours),
		cmocka_unit_test(test_flipped_bit_in_table_is_seen),
		cmocka_unit_test(test_overlapping_partitions_are_refused),
		cmocka_unit_test(test_table_of_a_larger_disk_is_refused),
		cmocka_unit_test(test_backup_table_says_the_same),
		cmocka_unit_test(test_small_disk_tells_what_it_needs),
		cmocka_unit_test(test_torn_half_leaves_the_other),
		cmocka_unit_test(test_record_longer_than_its_half_is_ignored),
		cmocka_unit_test(test_metadata_is_kept_by_role),
		cmocka_unit_test(test_metadata_at_its_bounds_leaves_state_usable),
		cmocka_unit_test(test_roles_of_accounts_are_kept_under_any_name),
		cmocka_unit_test(test_roles_of_accounts_make_room_before_top_level_ones),
		cmocka_unit_test(test_roles_of_accounts_do_not_gather),
		cmocka_unit_test(test_links_are_no_roles),
		cmocka_unit_test(test_planted_links_of_any_form_are_forgotten),
		cmocka_unit_test(test_links_stay_when_room_is_made),
		cmocka_unit_test(test_state_that_cant_be_written_is_noted_and_no_error),
		cmocka_unit_test(test_planted_highest_sequence_is_overwritten),
		cmocka_unit_test(test_assignment_is_understood),
		cmocka_unit_test(test_starts_that_the_control_unit_saw_are_understood),
		cmocka_unit_test(test_home_is_understood_and_mount_options_in_it_are_refused),
		cmocka_unit_test(test_answer_to_another_question_is_refused),
		cmocka_unit_test(test_mirrors_and_policy_are_understood),
		cmocka_unit_test(test_unsound_mirrors_are_refused),
		cmocka_unit_test(test_unsound_assignments_are_refused),
		cmocka_unit_test(test_configuration_larger_than_agreed_is_refused),
		cmocka_unit_test(test_archive_is_read_by_cpio),
		cmocka_unit_test(test_boot_slot_survives_a_round_trip),
		cmocka_unit_test(test_unsound_boot_slots_are_refused),
		cmocka_unit_test(test_consoles_are_carried_over),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

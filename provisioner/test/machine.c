/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as stage 1 finds it: disks (files here), sysfs (a folder here), its own configuration. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/json.h"
#include "provisioner/backoff.h"
#include "provisioner/config.h"
#include "provisioner/disk.h"
#include "provisioner/dmverity.h"
#include "provisioner/identify.h"
#include "provisioner/ram.h"

#define MIB (UINT64_C(1) << 20)
#define DISK_SIZE (160 * MIB)

static const struct disk_needs needs = { .slot_c_mib = 32, .slot_d_mib = 16, .node = "web1" };

/* ------------------------------------------------------------------ disks */
static int disk_file(uint64_t size)
{
	char path[] = "/tmp/disk-test-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	return fd;
}

static void assert_foreign(const void *data, size_t size, uint64_t offset, const char *what)
{
	static struct gpt gpt;
	int fd = disk_file(DISK_SIZE);
	char found[64];

	assert_int_equal(write_full_at(fd, data, size, offset), 0);
	assert_int_equal(disk_look(fd, DISK_SIZE, &gpt, found), DISK_FOREIGN);
	assert_string_equal(found, what);
	close(fd);
}

static void test_zeroed_disk_is_blank(void **state)
{
	static struct gpt gpt;
	int fd = disk_file(DISK_SIZE);
	char what[64];

	(void)state;
	assert_int_equal(disk_look(fd, DISK_SIZE, &gpt, what), DISK_BLANK);
	close(fd);
}

static void test_disk_of_somebody_else_is_foreign(void **state)
{
	(void)state;
	assert_foreign("\x55\xaa", 2, 510, "an MBR partition table");
	assert_foreign("\x53\xef", 2, 0x438, "an ext2/3/4 file system");
	assert_foreign("XFSB", 4, 0, "an XFS file system");
	assert_foreign("LUKS\xba\xbe", 6, 0, "a LUKS encrypted volume");
	assert_foreign("x", 1, 777777, "data of an unknown kind in its first MiB");
	assert_foreign("x", 1, DISK_SIZE - 1, "data in its last MiB");
	assert_foreign("EFI PART", 8, 512, "a damaged GPT partition table");
}

/* On a disk of any size, and never to be wiped. */
static void test_boot_medium_is_neither_blank_nor_foreign(void **state)
{
	static const struct {
		uint64_t offset;
		const char *name;
	} media[] = { { MIB + 43, "REPAVE     FAT16   " }, { 43, "REPAVE-EFI FAT16   " }, { 0x8028, "REPAVE          " } };
	static struct gpt gpt;
	char what[64];

	(void)state;
	for (size_t i = 0; i < sizeof(media) / sizeof(media[0]); i++) {
		int fd = disk_file(DISK_SIZE);

		assert_int_equal(write_full_at(fd, "\x55\xaa", 2, 510), 0);
		assert_int_equal(write_full_at(fd, media[i].name, strlen(media[i].name), media[i].offset), 0);
		assert_int_equal(disk_look(fd, DISK_SIZE, &gpt, what), DISK_MEDIUM);
		close(fd);
	}
}

static void test_foreign_gpt_is_foreign(void **state)
{
	static struct disk disk;
	static struct gpt gpt;
	uint8_t primary[GPT_HEAD_SIZE], backup[GPT_HEAD_SIZE];
	int fd = disk_file(DISK_SIZE);
	char error[SENTENCE], what[64];

	(void)state;
	disk.size = DISK_SIZE;
	assert_int_equal(disk_write_table(fd, &disk, &needs, error), 0);
	strcpy(disk.gpt.entries[0].name, "EFI System");
	gpt_format(&disk.gpt, primary, backup);
	assert_int_equal(write_full_at(fd, primary, gpt_primary_size(&disk.gpt), 0), 0);
	assert_int_equal(disk_look(fd, DISK_SIZE, &gpt, what), DISK_FOREIGN);
	assert_string_equal(what, "a GPT with 5 foreign partitions");
	assert_int_equal(disk_refuse("vda", DISK_SIZE, what, "web1", error), -EMEDIUMTYPE);
	assert_string_equal(error, "disk vda (160.0 MiB) holds a GPT with 5 foreign partitions and isn't Repave's: not touched. To "
				   "erase it: repave assign web1 --wipe");
	close(fd);
}

/* A file system that a former layout had there would look damaged for ever. */
static void test_new_table_leaves_h_blank_at_both_ends(void **state)
{
	static struct disk disk;
	int fd = disk_file((256 * MIB));
	uint8_t *junk = malloc((256 * MIB));
	char error[SENTENCE], byte;
	uint64_t first, last;

	(void)state;
	assert_non_null(junk);
	memset(junk, 0xa5, (256 * MIB));
	assert_int_equal(write_full_at(fd, junk, (256 * MIB), 0), 0);
	free(junk);
	disk.size = (256 * MIB);
	assert_int_equal(disk_write_table(fd, &disk, &needs, error), 0);
	assert_non_null(disk.parts[PART_H]);
	first = disk.parts[PART_H]->first * 512;
	last = (disk.parts[PART_H]->last + 1) * 512;
	for (uint64_t at = 0; at < MIB; at++) {
		assert_int_equal(read_full_at(fd, &byte, 1, first + at), 0);
		assert_int_equal(byte, 0);
		assert_int_equal(read_full_at(fd, &byte, 1, last - 1 - at), 0);
		assert_int_equal(byte, 0);
	}
	assert_int_equal(read_full_at(fd, &byte, 1, first + MIB), 0);
	assert_int_equal((uint8_t)byte, 0xa5);
	close(fd);
}

static void test_new_table_makes_the_disk_ours(void **state)
{
	static struct disk disk;
	static struct gpt gpt;
	int fd = disk_file(DISK_SIZE);
	char error[SENTENCE], what[64];
	uint8_t magic[8];

	(void)state;
	/* A STATE record of a former life, where the new STATE will be. */
	assert_int_equal(write_full_at(fd, "REPAVEST", 8, MIB), 0);
	assert_int_equal(write_full_at(fd, "REPAVEST", 8, 9 * MIB), 0);
	disk.size = DISK_SIZE;
	assert_int_equal(disk_write_table(fd, &disk, &needs, error), 0);
	assert_int_equal(disk_look(fd, DISK_SIZE, &gpt, what), DISK_OURS);
	assert_memory_equal(&gpt, &disk.gpt, sizeof(gpt));
	assert_int_equal(disk.parts[PART_STATE]->first * 512, MIB);
	for (unsigned half = 0; half < 2; half++) {
		assert_int_equal(read_full_at(fd, magic, 8, MIB + half * 8 * MIB), 0);
		assert_memory_equal(magic, "\0\0\0\0\0\0\0", 8);
	}
	close(fd);
}

/* ------------------------------------------------------------------ damaged tables */
struct made {
	struct disk disk;
	int fd;
	uint8_t first[GPT_HEAD_SIZE], last[GPT_HEAD_SIZE];
};

static void make_disk(struct made *made)
{
	char error[SENTENCE];

	memset(made, 0, sizeof(*made));
	made->fd = disk_file(DISK_SIZE);
	made->disk.size = DISK_SIZE;
	assert_int_equal(disk_write_table(made->fd, &made->disk, &needs, error), 0);
	assert_int_equal(read_full_at(made->fd, made->first, GPT_HEAD_SIZE, 0), 0);
	assert_int_equal(read_full_at(made->fd, made->last, GPT_HEAD_SIZE, DISK_SIZE - GPT_HEAD_SIZE), 0);
}

static int look_at(const struct made *made)
{
	static struct gpt gpt;
	char what[64];
	int content = disk_look(made->fd, DISK_SIZE, &gpt, what);

	if (content == DISK_OURS || content == DISK_DAMAGED)
		assert_memory_equal(&gpt, &made->disk.gpt, sizeof(gpt));
	return content;
}

static void spoil(const struct made *made, uint64_t offset, uint8_t bits)
{
	uint8_t byte;

	assert_int_equal(read_full_at(made->fd, &byte, 1, offset), 0);
	byte ^= bits;
	assert_int_equal(write_full_at(made->fd, &byte, 1, offset), 0);
}

/* Mended, both ends are what they were. */
static void assert_mended(const struct made *made)
{
	uint8_t edge[GPT_HEAD_SIZE];

	assert_int_equal(disk_mend_table(made->fd, &made->disk), 0);
	assert_int_equal(look_at(made), DISK_OURS);
	assert_int_equal(read_full_at(made->fd, edge, GPT_HEAD_SIZE, 0), 0);
	assert_memory_equal(edge, made->first, sizeof(edge));
	assert_int_equal(read_full_at(made->fd, edge, GPT_HEAD_SIZE, DISK_SIZE - GPT_HEAD_SIZE), 0);
	assert_memory_equal(edge, made->last, sizeof(edge));
}

static void test_flipped_bit_in_either_table_is_mended(void **state)
{
	static const uint64_t places[] = { 446, 448, 450, 453, 454, 458, 461, 510, 511, 512, 520, 528, 536, 544, 552, 568, 584, 592, 600,
					   1024, 1024 + 16, 1024 + 32, 1024 + 40, 1024 + 56, 1024 + 5 * 128 + 33, 1024 + 100 * 128,
					   DISK_SIZE - 512, DISK_SIZE - 512 + 16, DISK_SIZE - 512 + 72, DISK_SIZE - 33 * 512,
					   DISK_SIZE - 33 * 512 + 40, DISK_SIZE - 33 * 512 + 120 * 128 };
	static struct made made;

	(void)state;
	make_disk(&made);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		spoil(&made, places[i], 8);
		assert_int_equal(look_at(&made), DISK_DAMAGED);
		assert_mended(&made);
	}
	close(made.fd);
}

static void test_lost_sectors_of_a_table_are_mended(void **state)
{
	static const uint8_t zeros[MIB];
	static struct made made;

	(void)state;
	make_disk(&made);
	for (uint64_t sector = 0; sector < 4; sector++) {
		assert_int_equal(write_full_at(made.fd, zeros, 512, sector * 512), 0);
		assert_int_equal(look_at(&made), DISK_DAMAGED);
		assert_mended(&made);
	}
	assert_int_equal(write_full_at(made.fd, zeros, MIB, 0), 0);
	assert_int_equal(look_at(&made), DISK_DAMAGED);
	assert_mended(&made);
	assert_int_equal(write_full_at(made.fd, zeros, MIB, DISK_SIZE - MIB), 0);
	assert_int_equal(look_at(&made), DISK_DAMAGED);
	assert_mended(&made);
	close(made.fd);
}

/* A backup table of ours is no licence to write on what somebody put in front of it. */
static void test_our_backup_behind_foreign_data_is_foreign(void **state)
{
	static const struct {
		uint64_t offset;
		size_t size;
	} written[] = { { 1024, 1024 }, { 0, 512 }, { 65536, 512 }, { 512, 100 }, { 777777, 17 } };
	static const uint8_t zeros[512];
	static struct made made;
	uint8_t data[1024];

	(void)state;
	memset(data, 0xa5, sizeof(data));
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		make_disk(&made);
		assert_int_equal(write_full_at(made.fd, zeros, 512, 512), 0);
		assert_int_equal(write_full_at(made.fd, data, written[i].size, written[i].offset), 0);
		assert_int_equal(look_at(&made), DISK_FOREIGN);
		close(made.fd);
	}
	/* An MBR with partitions over a table that is sound otherwise. */
	make_disk(&made);
	assert_int_equal(write_full_at(made.fd, data, 64, 446), 0);
	assert_int_equal(look_at(&made), DISK_FOREIGN);
	close(made.fd);
}

/* Root in the running OS wrote code that a BIOS would start: this server's own disk, which gets its first sector back. */
static void test_boot_code_is_damage(void **state)
{
	static const struct {
		size_t offset, size;
	} written[] = { { 0, 440 }, { 0, 446 }, { 439, 1 }, { 100, 4 } };
	static struct made made;
	uint8_t sector[512], code[512];

	(void)state;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++) {
		struct disk disk = { .found = true };

		make_disk(&made);
		assert_int_equal(look_at(&made), DISK_OURS);
		memset(code, 0xeb, sizeof(code));
		assert_int_equal(write_full_at(made.fd, code, written[i].size, written[i].offset), 0);
		disk.size = DISK_SIZE;
		assert_int_equal(disk_look(made.fd, DISK_SIZE, &disk.gpt, (char[64]){ 0 }), DISK_DAMAGED);
		assert_int_equal(disk_mend_table(made.fd, &disk), 0);
		assert_int_equal(look_at(&made), DISK_OURS);
		assert_int_equal(read_full_at(made.fd, sector, sizeof(sector), 0), 0);
		/* INT 18h: "not from here". */
		assert_memory_equal(sector, "\xcd\x18", 2);
		for (size_t at = 2; at < 440; at++)
			assert_int_equal(sector[at], 0);
		close(made.fd);
	}
	/* A whole boot sector that names no partitions. */
	make_disk(&made);
	memset(code, 0xeb, 446);
	memset(code + 446, 0, 64);
	memcpy(code + 510, "\x55\xaa", 2);
	assert_int_equal(write_full_at(made.fd, code, 512, 0), 0);
	assert_int_equal(look_at(&made), DISK_DAMAGED);
	close(made.fd);
}

/* The first table of a blank disk: what a power cut leaves of its writes is blank or ours, in every combination of sectors. */
static void test_power_cut_while_the_table_is_made(void **state)
{
	static const uint8_t zeros[512];
	static const uint64_t primary[] = { 0, 1, 2, 3 }, backup[] = { DISK_SIZE / 512 - 33, DISK_SIZE / 512 - 32, DISK_SIZE / 512 - 1 };
	static struct made made;

	(void)state;
	for (unsigned lost = 0; lost < 1 << 4; lost++) {
		make_disk(&made);
		for (unsigned i = 0; i < 4; i++)
			if ((lost >> i & 1) != 0)
				assert_int_equal(write_full_at(made.fd, zeros, 512, primary[i] * 512), 0);
		assert_int_equal(look_at(&made), lost == 0 ? DISK_OURS : DISK_DAMAGED);
		close(made.fd);
	}
	for (unsigned lost = 1; lost < 1 << 3; lost++) {
		make_disk(&made);
		for (unsigned i = 0; i < 4; i++)
			assert_int_equal(write_full_at(made.fd, zeros, 512, primary[i] * 512), 0);
		for (unsigned i = 0; i < 3; i++)
			if ((lost >> i & 1) != 0)
				assert_int_equal(write_full_at(made.fd, zeros, 512, backup[i] * 512), 0);
		assert_int_equal(look_at(&made), DISK_BLANK);
		close(made.fd);
	}
}

static void test_disk_that_shrank_is_named(void **state)
{
	static struct made made;
	static struct gpt gpt;
	char what[64];

	(void)state;
	make_disk(&made);
	assert_int_equal(ftruncate(made.fd, DISK_SIZE / 2), 0);
	assert_int_equal(disk_look(made.fd, DISK_SIZE / 2, &gpt, what), DISK_FOREIGN);
	assert_string_equal(what, "a GPT partition table of a larger disk");
	close(made.fd);
}

static void test_disk_that_grew_gets_its_backup_at_the_end(void **state)
{
	static struct made made;
	static struct gpt gpt;
	char what[64];

	(void)state;
	make_disk(&made);
	assert_int_equal(ftruncate(made.fd, DISK_SIZE * 2), 0);
	assert_int_equal(disk_look(made.fd, DISK_SIZE * 2, &made.disk.gpt, what), DISK_DAMAGED);
	assert_int_equal(disk_mend_table(made.fd, &made.disk), 0);
	assert_int_equal(disk_look(made.fd, DISK_SIZE * 2, &gpt, what), DISK_OURS);
	close(made.fd);
}

static void test_disk_too_small_names_both_sizes(void **state)
{
	static struct disk disk;
	int fd = disk_file(100 * MIB);
	char error[SENTENCE];
	uint8_t first[512];

	(void)state;
	disk.size = 100 * MIB;
	strcpy(disk.name, "vda");
	assert_int_equal(disk_write_table(fd, &disk, &needs, error), -ENOSPC);
	assert_non_null(strstr(error, "vda has 100 MiB"));
	assert_non_null(strstr(error, "need 114 MiB"));
	assert_int_equal(read_full_at(fd, first, sizeof(first), 0), 0);
	assert_int_equal(first[510], 0); /* nothing was written */
	close(fd);
}

static void test_verity_table_names_all_parameters(void **state)
{
	struct boot_slot slot = { .data_blocks = 7, .root_hash = { 0xab }, .salt = { 1, 2 }, .salt_size = 2 };
	char text[512];

	(void)state;
	assert_int_equal(dmverity_table("254:2", &slot, CORRUPTION_PANIC, text, sizeof(text)), 0);
	assert_string_equal(text, "1 254:2 254:2 4096 4096 7 8 sha256 ab"
				  "00000000000000000000000000000000000000000000000000000000000000 0102 1 panic_on_corruption");
	slot.salt_size = 0;
	assert_int_equal(dmverity_table("254:2", &slot, CORRUPTION_EIO, text, sizeof(text)), 0);
	assert_string_equal(text + strlen(text) - 4, "00 -");
	assert_int_equal(dmverity_table("254:2", &slot, CORRUPTION_EIO, text, 40), -ENOSPC);
}

/* ------------------------------------------------------------------ a machine in a folder */
struct folder {
	char path[64];
};

static void put(const struct folder *folder, const char *name, const char *text)
{
	char path[512], *slash;

	snprintf(path, sizeof(path), "%s/%s", folder->path, name);
	slash = strrchr(path, '/');
	*slash = '\0';
	assert_int_equal(make_folders(path, 0755), 0);
	*slash = '/';
	assert_int_equal(file_store(path, text, strlen(text), 0644), 0);
}

static int make_folder(void **state)
{
	struct folder *folder = calloc(1, sizeof(*folder));

	strcpy(folder->path, "/tmp/machine-test-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	*state = folder;
	return 0;
}

static int drop_folder(void **state)
{
	struct folder *folder = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -r %s", folder->path);
	assert_int_equal(system(command), 0);
	free(folder);
	return 0;
}

static void put_network(const struct folder *sys)
{
	put(sys, "class/net/lo/type", "772\n");
	put(sys, "class/net/lo/address", "00:00:00:00:00:00\n");
	put(sys, "class/net/eth1/type", "1\n");
	put(sys, "class/net/eth1/address", "52:54:00:00:00:02\n");
	put(sys, "class/net/eth0/type", "1\n");
	put(sys, "class/net/eth0/address", "52:54:00:00:00:03\n");
}

static void test_firmware_tells_who_this_is(void **state)
{
	const struct folder *sys = *state;
	struct identity identity;
	char error[SENTENCE];
	json_t *json;

	put_network(sys);
	put(sys, "class/dmi/id/product_uuid", "4C4C4544-0051-3510-8052-B4C04F564D31\n");
	put(sys, "class/dmi/id/sys_vendor", "Maker \x01\xff\n");
	put(sys, "block/vdb/size", "2048\n");
	put(sys, "block/vda/size", "16777216\n");
	put(sys, "block/sda/size", "100\n");
	put(sys, "block/sda/removable", "1\n");
	put(sys, "block/sdb/size", "100\n");
	put(sys, "block/sdb/ro", "1\n");
	put(sys, "block/loop0/size", "100\n");
	put(sys, "block/sr0/size", "100\n");
	put(sys, "block/vdc/size", "0\n");
	assert_int_equal(identify(sys->path, &identity, error), 0);
	assert_string_equal(identity.uuid, "4c4c4544-0051-3510-8052-b4c04f564d31");
	assert_false(identity.derived);
	assert_string_equal(identity.vendor, "Maker ??");
	assert_int_equal(identity.mac_count, 2);
	assert_string_equal(identity.macs[0], "52:54:00:00:00:02");
	assert_int_equal(identity.disk_count, 3);
	assert_string_equal(identity.disks[0].name, "vda");
	assert_int_equal(identity.disks[0].size, 8192 * MIB);
	assert_false(identity.disks[1].read_only);
	/* A system that is complete on it can still boot; anything that can be written is preferred. */
	assert_string_equal(identity.disks[2].name, "sdb");
	assert_true(identity.disks[2].read_only);
	json = identity_json(&identity);
	assert_non_null(json);
	assert_string_equal(json_get_string(json, "firmware"), "bios");
	json_decref(json);
}

static void test_useless_uuid_gives_way_to_the_mac(void **state)
{
	const struct folder *sys = *state;
	struct identity first, second;
	char error[SENTENCE];

	assert_int_equal(identify(sys->path, &first, error), -ENODEV);
	put_network(sys);
	put(sys, "class/dmi/id/product_uuid", "00000000-0000-0000-0000-000000000000\n");
	assert_int_equal(identify(sys->path, &first, error), 0);
	assert_true(first.derived);
	assert_int_equal(first.uuid[14], '8');
	put(sys, "class/dmi/id/product_uuid", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF\n");
	assert_int_equal(identify(sys->path, &second, error), 0);
	assert_string_equal(first.uuid, second.uuid);
}

#define CONFIG "{\"control_unit\":\"10.0.2.2\",\"port\":8443,\"repository_port\":8080,\"slot_c_mib\":1024,\"slot_d_mib\":512," \
	       "\"build_time\":1735689600,\"version\":\"v\"}"

/* Its validity begins 2040-01-01 00:00:00 UTC. */
static const char ca_pem[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBCDCBrgIBATAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDAR0ZXN0MCAXDTQwMDEw\n"
	"MTAwMDAwMFoYDzIwNTAwMTAxMDAwMDAwWjAPMQ0wCwYDVQQDDAR0ZXN0MFkwEwYH\n"
	"KoZIzj0CAQYIKoZIzj0DAQcDQgAEUpQnl5ayBEHUd8Xof/xi9QQlQl6KanLsTbmD\n"
	"5sVVMY67Smc+mDVqocEkDEoAorvygLS0VBEYVb6TwTS4yT0CpDAKBggqhkjOPQQD\n"
	"AgNJADBGAiEAiTt/TeXvxw1ON3UnLJDdHHYt0nnPaGEC7xAQzCzstEMCIQCKFg6V\n"
	"2zgdADNxsfNvSYorvQLTQXruc9D92L0xGHme/w==\n"
	"-----END CERTIFICATE-----\n";

static int load(const struct folder *folder, const char *cmdline, struct config *config, char error[SENTENCE])
{
	char token[128];

	snprintf(token, sizeof(token), "%s/token", folder->path);
	return config_load(folder->path, token, cmdline, config, error);
}

static void test_command_line_says_where_not_whom(void **state)
{
	const struct folder *etc = *state;
	struct config config;
	char error[SENTENCE];

	put(etc, "config.json", CONFIG);
	put(etc, "root.json", "{}");
	put(etc, "ca.pem", ca_pem);
	put(etc, "token", "abc123\n");
	assert_int_equal(load(etc, "quiet", &config, error), 0);
	assert_string_equal(config.host, "10.0.2.2");
	assert_string_equal(config.token, "abc123");
	assert_int_equal(config.root.size, 2);
	config_release(&config);
	assert_int_equal(load(etc, "repave.cu=fd00::1 repave.port=99 repave.repository_port=98 repave.token=x", &config, error), 0);
	assert_string_equal(config.host, "[fd00::1]");
	assert_int_equal(config.port, 99);
	assert_int_equal(config.repository_port, 98);
	assert_string_equal(config.token, "abc123");
	config_release(&config);
}

static void test_clock_starts_no_earlier_than_the_fleets_ca(void **state)
{
	const struct folder *etc = *state;
	struct config config;
	char error[SENTENCE];

	put(etc, "config.json", CONFIG);
	put(etc, "root.json", "{}");
	put(etc, "ca.pem", ca_pem);
	assert_int_equal(load(etc, "", &config, error), 0);
	assert_int_equal(config.build_time, 2208988800);
	config_release(&config);
	put(etc, "ca.pem", "nothing");
	assert_int_equal(load(etc, "", &config, error), -EINVAL);
	assert_non_null(strstr(error, "ca.pem"));
}

static void test_every_address_of_the_control_unit_has_its_turn(void **state)
{
	const struct folder *etc = *state;
	struct config config;
	char error[SENTENCE];

	put(etc, "config.json", CONFIG);
	put(etc, "root.json", "{}");
	put(etc, "ca.pem", ca_pem);
	assert_int_equal(load(etc, "repave.cu=10.0.0.1,fd00::2,cu.example repave.unreachable=90 repave.tries=5", &config, error), 0);
	assert_int_equal(config.host_count, 3);
	assert_string_equal(config.host, "10.0.0.1");
	assert_false(config_next_host(&config));
	assert_string_equal(config.host, "[fd00::2]");
	assert_false(config_next_host(&config));
	assert_string_equal(config.host, "cu.example");
	assert_true(config_next_host(&config));
	assert_string_equal(config.host, "10.0.0.1");
	assert_true(config.unreachable_boot);
	assert_int_equal(config.unreachable_seconds, 90);
	assert_int_equal(config.boot_tries, 5);
	config_release(&config);
	assert_int_equal(load(etc, "repave.cu=1,2,3,4,5,6,7,8,9", &config, error), -EINVAL);
	assert_int_equal(load(etc, "repave.cu=,", &config, error), -EINVAL);
	assert_int_equal(load(etc, "repave.unreachable=never", &config, error), -EINVAL);
}

/* Whoever answers DHCP may send a server the wrong way first, but not keep it from the right one. */
static void test_rogue_lease_does_not_displace_the_mediums_control_units(void **state)
{
	const struct folder *etc = *state;
	const char *none = "";
	struct config config;
	char error[SENTENCE];

	put(etc, "config.json", CONFIG);
	put(etc, "root.json", "{}");
	put(etc, "ca.pem", ca_pem);
	assert_int_equal(load(etc, none, &config, error), 0);
	assert_true(config_take_lease(&config, none, "repave.cu=10.0.0.9,fd00::9 repave.ntp=10.0.0.8 repave.port=1 repave.slots=ram"));
	assert_int_equal(config.host_count, 3);
	assert_string_equal(config.host, "10.0.0.9");
	assert_string_equal(config.hosts[1], "[fd00::9]");
	assert_string_equal(config.hosts[2], "10.0.2.2");
	assert_string_equal(config.ntp, "10.0.0.8");
	assert_int_equal(config.port, 8443);
	assert_false(config.ram_slots);
	/* The same again doesn't begin anew; another lease replaces the first. */
	assert_false(config_next_host(&config));
	assert_true(config_take_lease(&config, none, "repave.cu=10.0.0.9,fd00::9"));
	assert_string_equal(config.host, "[fd00::9]");
	assert_string_equal(config.ntp, "");
	assert_true(config_take_lease(&config, none, "repave.cu=10.0.0.7"));
	assert_int_equal(config.host_count, 2);
	assert_string_equal(config.host, "10.0.0.7");
	assert_string_equal(config.hosts[1], "10.0.2.2");
	/* As many as one likes to send, and what isn't an address. */
	assert_true(config_take_lease(&config, none, "repave.cu=1,2,3,4,5,6,7,8,9,10,11,12"));
	assert_int_equal(config.host_count, 9);
	assert_string_equal(config.hosts[8], "10.0.2.2");
	assert_true(config_take_lease(&config, none, "repave.cu=a/../b,-o,$(x),good,,"));
	assert_int_equal(config.host_count, 2);
	assert_string_equal(config.hosts[0], "good");
	assert_false(config_take_lease(&config, none, "repave.cu=/etc/passwd repave.ntp=10.0.0.8,-w"));
	assert_int_equal(config.host_count, 1);
	assert_string_equal(config.host, "10.0.2.2");
	assert_string_equal(config.ntp, "");
	assert_true(config_take_lease(&config, none, none));
	/* The medium's owner has the last word. */
	assert_true(config_take_lease(&config, "repave.cu=10.0.2.2 repave.ntp=10.0.2.3", "repave.cu=10.0.0.9 repave.ntp=10.0.0.8"));
	assert_string_equal(config.host, "10.0.2.2");
	config_release(&config);
}

static void test_slots_go_to_memory_by_policy(void **state)
{
	static const char *const no_proxies[] = { "repave.proxy=10.0.0.1:3128", "repave.proxy=https://10.0.0.1", "repave.proxy=http://",
						  "repave.proxy=http://user:word@10.0.0.1", "repave.proxy=http://10.0.0.1/path",
						  "repave.proxy=http://a%20b" };
	const struct folder *etc = *state;
	struct config config;
	char error[SENTENCE];

	put(etc, "config.json", CONFIG);
	put(etc, "root.json", "{}");
	put(etc, "ca.pem", ca_pem);
	assert_int_equal(load(etc, "repave.slots=ram repave.ntp=10.0.0.1", &config, error), 0);
	assert_true(config.ram_slots);
	assert_string_equal(config.ntp, "10.0.0.1");
	config_release(&config);
	assert_int_equal(load(etc, "repave.slots=disk", &config, error), 0);
	assert_false(config.ram_slots);
	config_release(&config);
	assert_int_equal(load(etc, "repave.slots=RAM", &config, error), -EINVAL);
	assert_non_null(strstr(error, "repave.slots"));
	assert_int_equal(load(etc, "repave.ntp=-p", &config, error), -EINVAL);
	assert_int_equal(load(etc, "repave.proxy=http://[fd00::1]:3128", &config, error), 0);
	assert_string_equal(config.proxy, "http://[fd00::1]:3128");
	config_release(&config);
	for (size_t i = 0; i < sizeof(no_proxies) / sizeof(no_proxies[0]); i++)
		assert_int_equal(load(etc, no_proxies[i], &config, error), -EINVAL);
}

static void test_unsound_configuration_is_refused(void **state)
{
	const struct folder *etc = *state;
	struct config config;
	char error[SENTENCE];

	assert_true(load(etc, "", &config, error) < 0);
	put(etc, "config.json", "{}");
	put(etc, "root.json", "{}");
	assert_int_equal(load(etc, "", &config, error), -EINVAL);
	put(etc, "config.json", CONFIG);
	put(etc, "ca.pem", ca_pem);
	assert_int_equal(load(etc, "repave.cu=evil/../x", &config, error), -EINVAL);
	assert_int_equal(load(etc, "repave.port=0", &config, error), -EINVAL);
	assert_int_equal(load(etc, "repave.port=70000", &config, error), -EINVAL);
	put(etc, "token", "two words\x01");
	assert_int_equal(load(etc, "", &config, error), 0); /* the first word */
	config_release(&config);
	put(etc, "token", "\n");
	assert_int_equal(load(etc, "", &config, error), -EINVAL);
}

static void test_waiting_grows_and_stays_bounded(void **state)
{
	(void)state;
	for (unsigned try = 0; try < 100; try++) {
		unsigned most = try == 0 ? 1 : try > 6 ? BACKOFF_MOST : 1u << (try - 1);

		assert_in_range(backoff_seconds(try), most > 1 ? most / 2 : 1, most);
	}
	assert_in_range(backoff_seconds(UINT_MAX), BACKOFF_MOST / 2, BACKOFF_MOST);
}

static void test_fleet_that_waits_does_not_ask_in_one_moment(void **state)
{
	unsigned servers[BACKOFF_MOST + 1] = { 0 };

	(void)state;
	for (unsigned server = 0; server < 3000; server++)
		servers[backoff_seconds(9)]++;
	/* 31 seconds to choose from, about 97 each. */
	for (unsigned second = 0; second <= BACKOFF_MOST; second++)
		assert_true(servers[second] < 300);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, drop_folder)

/* ------------------------------------------------------------------ no disk */
static void test_image_that_cannot_fit_in_memory_is_refused_with_the_figures(void **unused)
{
	char error[SENTENCE];

	(void)unused;
	assert_int_equal(ram_needed(100 * MIB), 396 * MIB);
	assert_int_equal(ram_needed(UINT64_MAX / 2), UINT64_MAX);
	assert_int_equal(ram_available("MemTotal: 5 kB\nMemAvailable:    2048 kB\n"), 2 * MIB);
	assert_int_equal(ram_available("MemTotal: 5 kB\n"), 0);
	assert_int_equal(ram_available("MemAvailable: lots\n"), 0);
	/* Before anything is mounted. */
	assert_int_equal(ram_prepare(UINT64_C(1) << 50, 0, "no disk", error), -ENOMEM);
	assert_non_null(strstr(error, "no disk, and images of "));
	assert_non_null(strstr(error, " of memory to boot from there, but "));
	assert_int_equal(ram_check_jump(4096, error), 0);
	assert_int_equal(ram_check_jump(UINT64_C(1) << 50, error), -ENOMEM);
	assert_non_null(strstr(error, " of memory for the jump, but "));
}

static void test_moving_gives_the_memory_back(void **unused)
{
	int from = memfd_create("from", 0), to = memfd_create("to", 0);
	uint8_t block[4096], back[4096];
	struct stat st;

	(void)unused;
	memset(block, 7, sizeof(block));
	for (unsigned i = 0; i < 600; i++)
		assert_int_equal(write_full_at(from, block, sizeof(block), i * UINT64_C(4096)), 0);
	assert_int_equal(ram_move(from, 600 * 4096, to, 12), 0);
	assert_int_equal(fstat(from, &st), 0);
	assert_int_equal(st.st_blocks, 0);
	assert_int_equal(read_full_at(to, back, sizeof(back), 12 + 599 * 4096), 0);
	assert_memory_equal(back, block, sizeof(block));
	close(from);
	close(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed_disk_is_blank),
		cmocka_unit_test(test_disk_of_somebody_else_is_foreign),
		cmocka_unit_test(test_boot_medium_is_neither_blank_nor_foreign),
		cmocka_unit_test(test_foreign_gpt_is_foreign),
		cmocka_unit_test(test_new_table_makes_the_disk_ours),
		cmocka_unit_test(test_new_table_leaves_h_blank_at_both_ends),
		cmocka_unit_test(test_flipped_bit_in_either_table_is_mended),
		cmocka_unit_test(test_lost_sectors_of_a_table_are_mended),
		cmocka_unit_test(test_our_backup_behind_foreign_data_is_foreign),
		cmocka_unit_test(test_boot_code_is_damage),
		cmocka_unit_test(test_power_cut_while_the_table_is_made),
		cmocka_unit_test(test_disk_that_shrank_is_named),
		cmocka_unit_test(test_disk_that_grew_gets_its_backup_at_the_end),
		cmocka_unit_test(test_disk_too_small_names_both_sizes),
		cmocka_unit_test(test_verity_table_names_all_parameters),
		IN_FOLDER(test_firmware_tells_who_this_is),
		IN_FOLDER(test_useless_uuid_gives_way_to_the_mac),
		IN_FOLDER(test_command_line_says_where_not_whom),
		IN_FOLDER(test_clock_starts_no_earlier_than_the_fleets_ca),
		cmocka_unit_test(test_image_that_cannot_fit_in_memory_is_refused_with_the_figures),
		cmocka_unit_test(test_moving_gives_the_memory_back),
		IN_FOLDER(test_every_address_of_the_control_unit_has_its_turn),
		IN_FOLDER(test_rogue_lease_does_not_displace_the_mediums_control_units),
		IN_FOLDER(test_slots_go_to_memory_by_policy),
		IN_FOLDER(test_unsound_configuration_is_refused),
		cmocka_unit_test(test_waiting_grows_and_stays_bounded),
		cmocka_unit_test(test_fleet_that_waits_does_not_ask_in_one_moment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

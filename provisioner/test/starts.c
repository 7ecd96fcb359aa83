/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a start by the firmware is made of: the volume, the boot entry, the sealed configuration, the mark. */
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
#include "provisioner/cmdline.h"
#include "provisioner/cpio.h"
#include "provisioner/fat.h"
#include "provisioner/gpt.h"
#include "provisioner/load-option.h"
#include "provisioner/mark.h"
#include "provisioner/seal.h"

#define MIB ((uint64_t)1 << 20)
#define NONCE "00112233445566778899aabbccddeeff"
#define STATE_UUID "5e70a7e0-0000-4b1d-8a5e-726570617601"
#define ESP_UUID "5e70a7e0-0000-4b1d-8a5e-726570617602"

/* ------------------------------------------------------------------ FAT */
/* dosfstools and mtools are the judges: they know nothing of this code. */
static int tool(const char *before, const char *path, const char *after)
{
	char *line = NULL;
	int r = asprintf(&line, "%s %s %s", before, path, after);

	assert_true(r > 0);
	r = system(line);
	free(line);
	return r;
}

static void volume_is_sound(uint32_t sector, uint64_t mib)
{
	static const char kernel[] = "kernel", initrd[] = "initrd, longer than nothing";
	struct fat_file files[] = { { "LINUX   EFI", 3 * sector + 5, 0 }, { "INITRD  IMG", sizeof(initrd) - 1, 0 } };
	char path[] = "/tmp/repave-fat-XXXXXX";
	struct fat fat;
	uint8_t *head;
	int fd = mkstemp(path);

	assert_true(fd >= 0 && ftruncate(fd, (off_t)(mib * MIB)) == 0);
	assert_int_equal(fat_layout(mib * MIB, sector, files, 2, &fat), 0);
	assert_int_equal(files[0].offset % sector, 0);
	assert_int_equal(files[1].offset, files[0].offset + 4 * sector);
	head = malloc(fat_head_size(&fat));
	fat_format(&fat, files, 2, 0x12345678, head);
	assert_int_equal(write_full_at(fd, head, fat_head_size(&fat), 0), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(write_full_at(fd, i == 0 ? kernel : initrd, i == 0 ? sizeof(kernel) - 1 : sizeof(initrd) - 1,
					       files[i].offset), 0);
	free(head);
	close(fd);
	assert_int_equal(tool("/usr/sbin/fsck.fat -n", path, ">&2"), 0);
	assert_int_equal(tool("mtype -i", path, "::/INITRD.IMG | grep -qx 'initrd, longer than nothing'"), 0);
	assert_int_equal(tool("mtype -i", path, "::/LINUX.EFI | head -c 6 | grep -qx kernel"), 0);
	unlink(path);
}

static void test_volume_is_sound_for_other_programs(void **unused)
{
	(void)unused;
	volume_is_sound(512, 128);
}

static void test_volume_without_room_is_refused(void **unused)
{
	struct fat_file files[] = { { "LINUX   EFI", 100 * MIB, 0 }, { "INITRD  IMG", 28 * MIB, 0 } };
	struct fat fat;

	(void)unused;
	assert_int_equal(fat_layout(128 * MIB, 512, files, 2, &fat), -ENOSPC);
	files[1].size = 20 * MIB;
	assert_int_equal(fat_layout(128 * MIB, 512, files, 2, &fat), 0);
	assert_true(files[1].offset + files[1].size <= 128 * MIB);
	files[0].size = UINT64_MAX;
	assert_int_equal(fat_layout(128 * MIB, 512, files, 2, &fat), -ENOSPC);
	/* Fewer clusters would be FAT16 for the firmware. */
	assert_int_equal(fat_layout(32 * MIB, 512, files, 0, &fat), -EINVAL);
	assert_int_equal(fat_layout(128 * MIB, 4096, files, 0, &fat), -EINVAL);
	assert_int_equal(fat_layout(288 * MIB, 4096, files, 0, &fat), 0);
	assert_int_equal(fat_layout(UINT64_MAX, 512, files, 0, &fat), -EINVAL);
	assert_int_equal(fat_layout(128 * MIB, 0, files, 0, &fat), -EINVAL);
}

/* ------------------------------------------------------------------ boot entry */
static void test_boot_entry_is_as_the_specification_draws_it(void **unused)
{
	static const uint8_t expected[] = {
		1, 0, 0, 0, 42 + 14 + 4, 0,                                  /* active; bytes of the path */
		'R', 0, 0, 0,                                                /* description */
		4, 1, 42, 0, 6, 0, 0, 0,                                     /* hard drive, partition 6 */
		0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0,              /* from 2048, 262144 sectors */
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 2, 2, /* its GUID; GPT; signed by GUID */
		4, 4, 14, 0, '\\', 0, 'K', 0, '.', 0, 'E', 0, 0, 0,          /* file */
		0x7f, 0xff, 4, 0,                                            /* end */
		'a', 0, '=', 0, '1', 0, 0, 0,                                /* command line */
	};
	struct load_option option = { .description = "R", .partition = 6, .first = 2048, .sectors = 262144,
				      .guid = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16 },
				      .file = "\\K.E", .cmdline = "a=1" };
	struct buffer data = { 0 };

	(void)unused;
	assert_int_equal(load_option_format(&option, &data), 0);
	assert_int_equal(data.size, sizeof(expected));
	assert_memory_equal(data.data, expected, sizeof(expected));
	assert_true(load_option_is(data.data, data.size, "R"));
	assert_false(load_option_is(data.data, data.size, "Re"));
	assert_false(load_option_is(data.data, data.size, ""));
	for (size_t cut = 0; cut < 10; cut++)
		assert_false(load_option_is(data.data, cut, "R"));
	buffer_release(&data);
}

/* ------------------------------------------------------------------ sealed configuration */
static void test_flipped_bit_or_other_key_opens_nothing(void **unused)
{
	uint8_t key[SEAL_KEY_SIZE] = { 1, 2, 3 };
	struct buffer sealed = { 0 }, text = { 0 };

	(void)unused;
	assert_int_equal(seal(key, "secret", 6, &sealed), 0);
	assert_int_equal(sealed.size, 6 + SEAL_TAG_SIZE);
	assert_null(memmem(sealed.data, sealed.size, "secret", 6));
	for (size_t bit = 0; bit < sealed.size * 8; bit++) {
		sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(unseal(key, sealed.data, sealed.size, &text), -EBADMSG);
		sealed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < sealed.size; cut++)
		assert_int_equal(unseal(key, sealed.data, cut, &text), -EBADMSG);
	key[31] ^= 1;
	assert_int_equal(unseal(key, sealed.data, sealed.size, &text), -EBADMSG);
	assert_int_equal(text.size, 0);
	key[31] ^= 1;
	assert_int_equal(unseal(key, sealed.data, sealed.size, &text), 0);
	assert_int_equal(text.size, 6);
	assert_memory_equal(text.data, "secret", 6);
	buffer_release(&sealed);
	buffer_release(&text);
}

static void test_archive_comes_back_as_it_went(void **unused)
{
	struct buffer archive = { 0 };
	struct cpio_entry entry;
	size_t position = 0;

	(void)unused;
	assert_int_equal(cpio_add_folder(&archive, "repave", 0700), 0);
	assert_int_equal(cpio_add_file(&archive, "repave/hostname", 0644, "web1\n", 5), 0);
	assert_int_equal(cpio_add_file(&archive, "repave/empty", 0600, "", 0), 0);
	assert_int_equal(cpio_end(&archive), 0);
	assert_int_equal(cpio_next(&archive, &position, &entry), 0);
	assert_string_equal(entry.path, "repave");
	assert_int_equal(entry.mode, 040700);
	assert_int_equal(cpio_next(&archive, &position, &entry), 0);
	assert_string_equal(entry.path, "repave/hostname");
	assert_int_equal(entry.mode, 0100644);
	assert_int_equal(entry.size, 5);
	assert_memory_equal(entry.data, "web1\n", 5);
	assert_int_equal(cpio_next(&archive, &position, &entry), 0);
	assert_int_equal(entry.size, 0);
	assert_int_equal(cpio_next(&archive, &position, &entry), -ENOENT);
	assert_int_equal(position, archive.size);
	buffer_release(&archive);
}

static void test_cut_archive_is_refused(void **unused)
{
	struct buffer archive = { 0 }, cut = { 0 };
	struct cpio_entry entry;

	(void)unused;
	assert_int_equal(cpio_add_file(&archive, "repave/hostname", 0644, "web1\n", 5), 0);
	for (size_t size = 0; size < archive.size; size++) {
		size_t position = 0;

		/* Its own memory, so that a reader that goes too far is seen. */
		assert_int_equal(buffer_add(&cut, archive.data, size), 0);
		assert_int_equal(cpio_next(&cut, &position, &entry), -EBADMSG);
		buffer_release(&cut);
	}
	memcpy(archive.data + 54, "ffffffff", 8);
	{
		size_t position = 0;

		assert_int_equal(cpio_next(&archive, &position, &entry), -EBADMSG);
	}
	buffer_release(&archive);
}

/* ------------------------------------------------------------------ mark */
static void test_mark_of_another_start_counts_for_nothing(void **unused)
{
	int fd = memfd_create("state", 0);

	(void)unused;
	assert_int_equal(ftruncate(fd, 16 << 20), 0);
	assert_false(mark_is(fd, NONCE));
	assert_int_equal(mark_store(fd, NONCE), 0);
	assert_true(mark_is(fd, NONCE));
	assert_false(mark_is(fd, "00112233445566778899aabbccddeefe"));
	assert_int_equal(mark_store(fd, "short"), -EINVAL);
	assert_int_equal(ftruncate(fd, 100), 0);
	assert_false(mark_is(fd, NONCE));
	assert_int_equal(mark_store(fd, NONCE), -EINVAL);
	close(fd);
}

static void test_start_on_the_command_line(void **unused)
{
	static const char *const bad[] = {
		"repave.start=kexec", "repave.start=jump:" NONCE ":" STATE_UUID ":-", "repave.start=kexec:" NONCE ":" STATE_UUID,
		"repave.start=kexec:" NONCE ":" STATE_UUID ":" ESP_UUID, "repave.start=reset:" NONCE ":" STATE_UUID ":-",
		"repave.start=kexec:" NONCE "0:" STATE_UUID ":-", "repave.start=kexec:" NONCE ":vda1:-",
		"repave.start=kexec:" NONCE ":" STATE_UUID ":-:", "repave.start=kexec:" NONCE ":" STATE_UUID ":- repave.start=kexec:" NONCE ":" STATE_UUID ":-",
	};
	struct boot_start start = { .way = START_RESET, .nonce = NONCE, .state = STATE_UUID, .esp = ESP_UUID }, found;
	struct buffer text = { 0 };

	(void)unused;
	assert_int_equal(cmdline_add_boot_start(&text, &start), 0);
	assert_int_equal(cmdline_boot_start((const char *)text.data, &found), 0);
	assert_int_equal(found.way, START_RESET);
	assert_string_equal(found.nonce, NONCE);
	assert_string_equal(found.state, STATE_UUID);
	assert_string_equal(found.esp, ESP_UUID);
	assert_int_equal(cmdline_boot_start("console=ttyS0", &found), -ENOENT);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(cmdline_boot_start(bad[i], &found), -EINVAL);
	buffer_release(&text);
}

/* ------------------------------------------------------------------ partition */
static void test_esp_only_where_it_is_free(void **unused)
{
	static const uint8_t random[(PARTS + 1) * 16];
	const struct gpt_entry *parts[PARTS];
	struct gpt gpt;
	uint64_t needed;

	(void)unused;
	assert_int_equal(gpt_layout(8192 * MIB / 512, 512, 1024, 512, true, random, &gpt, &needed), 0);
	assert_int_equal(gpt_ours(&gpt, parts), 0);
	assert_non_null(parts[PART_ESP]);
	assert_true(parts[PART_H]->last < parts[PART_ESP]->first && parts[PART_ESP]->last <= gpt.last_usable);
	assert_int_equal(parts[PART_ESP]->number, 7);
	assert_int_equal((parts[PART_ESP]->last - parts[PART_ESP]->first + 1) * 512, 128 * MIB);
	/* H: takes all that was free. */
	assert_int_equal(gpt_layout(8192 * MIB / 512, 512, 1024, 512, false, random, &gpt, &needed), 0);
	assert_int_equal(gpt_add_esp(&gpt, random), -ENOSPC);
	gpt.count--;
	assert_int_equal(gpt_add_esp(&gpt, random), 0);
	assert_int_equal(gpt_ours(&gpt, parts), 0);
	assert_int_equal(parts[PART_ESP]->number, 6);
	assert_true(parts[PART_ESP]->last <= gpt.last_usable);
	/* A disk with room for the slots and no more. */
	assert_int_equal(gpt_layout(needed / 512, 512, 1024, 512, true, random, &gpt, &needed), 0);
	assert_int_equal(gpt.count, 5);
	assert_int_equal(gpt_add_esp(&gpt, random), -ENOSPC);
	assert_int_equal(gpt_layout(8192 * MIB / 4096, 4096, 1024, 512, true, random, &gpt, &needed), 0);
	gpt_ours(&gpt, parts);
	assert_int_equal((parts[PART_ESP]->last - parts[PART_ESP]->first + 1) * 4096, 288 * MIB);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_volume_is_sound_for_other_programs),
		cmocka_unit_test(test_volume_without_room_is_refused),
		cmocka_unit_test(test_boot_entry_is_as_the_specification_draws_it),
		cmocka_unit_test(test_flipped_bit_or_other_key_opens_nothing),
		cmocka_unit_test(test_archive_comes_back_as_it_went),
		cmocka_unit_test(test_cut_archive_is_refused),
		cmocka_unit_test(test_mark_of_another_start_counts_for_nothing),
		cmocka_unit_test(test_start_on_the_command_line),
		cmocka_unit_test(test_esp_only_where_it_is_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

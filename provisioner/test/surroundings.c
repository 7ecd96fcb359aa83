/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server is told of its surroundings: SMBIOS strings, several control units, clocks that lie. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "provisioner/clock.h"
#include "provisioner/cmdline.h"
#include "provisioner/console.h"
#include "provisioner/pstore.h"
#include "provisioner/smbios.h"

/* ------------------------------------------------------------------ SMBIOS */
#define SYSTEM "\x01\x06\x00\x00\x01\x02" "QEMU\0" "repave.cu=not-an-oem-string\0" "\0"
#define OEM(strings) "\x0b\x05\x00\x00\x02" strings "\0"
#define END "\x7f\x04\x00\x00\0\0"

static char *words_of(const char *table, size_t size, struct buffer *words)
{
	*words = (struct buffer){ 0 };
	assert_int_equal(smbios_words((const uint8_t *)table, size, words), 0);
	return words->size > 0 ? (char *)words->data : "";
}
#define assert_words(table, expected) \
	do { \
		struct buffer words_; \
		assert_string_equal(words_of(table, sizeof(table) - 1, &words_), expected); \
		buffer_release(&words_); \
	} while (0)

static void test_only_oem_strings_of_ours_are_taken(void **state)
{
	(void)state;
	assert_words(SYSTEM OEM("other\0" "repave.cu=10.0.2.9\0" "repave.vlan=7\0") END, "repave.cu=10.0.2.9 repave.vlan=7");
	assert_words(SYSTEM OEM("repave.cu=a\0" "repave.cu=b\0") END, "repave.cu=a");
	assert_words(SYSTEM OEM("repave.cu=a root=/dev/sda\0" "repave.cu\0" "repave.=\"\0") END, "");
	assert_words(END OEM("repave.cu=behind-the-end\0"), "");
}

static void test_unsound_table_ends_the_search(void **state)
{
	(void)state;
	assert_words("", "");
	assert_words("\x0b\x04\x00\x00repave.cu=unterminated", "");
	assert_words("\x0b\x03\x00\x00" "repave.cu=short\0\0", "");
	assert_words("\x0b\xff\x00\x00" "repave.cu=long\0\0", "");
	assert_words("\x0b\x04\x00\x00\0", "");
}

static void test_kernel_command_line_counts_before_firmware_and_dhcp(void **state)
{
	struct buffer words = { 0 };

	(void)state;
	assert_int_equal(buffer_printf(&words, "quiet repave.cu=10.0.0.1"), 0);
	assert_int_equal(cmdline_merge(&words, "repave.cu=10.0.0.2 repave.vlan=7 noise"), 0);
	assert_int_equal(cmdline_merge(&words, "repave.vlan=8 repave.ntp=x"), 0);
	assert_string_equal((char *)words.data, "quiet repave.cu=10.0.0.1 repave.vlan=7 repave.ntp=x");
	buffer_release(&words);
}

/* ------------------------------------------------------------------ clocks */
#define Y1970 INT64_C(0)
#define Y2026 INT64_C(1767225600)
#define DAY INT64_C(86400)
#define Y2036 (Y2026 + 3652 * DAY)
#define Y2099 INT64_C(4070908800)

static const struct clock_bounds bounds = { .build = Y2026, .known = Y2026 + 30 * DAY, .ceiling = Y2036 };

static void test_clock_of_1970_or_2099_is_impossible(void **state)
{
	(void)state;
	assert_false(clock_possible(&bounds, Y1970));
	assert_false(clock_possible(&bounds, Y2099));
	assert_false(clock_possible(&bounds, Y2036));
	assert_true(clock_possible(&bounds, Y2026 + 31 * DAY));
}

/* Else a clock set back would make expired metadata fresh again. */
static void test_clock_before_the_last_known_time_is_impossible(void **state)
{
	(void)state;
	assert_false(clock_possible(&bounds, Y2026 + 29 * DAY));
	assert_int_equal(clock_floor(&bounds), Y2026 + 30 * DAY);
}

/* Root of the running OS writes STATE: that must not keep a server from booting. */
static void test_planted_time_in_state_does_not_overrule_the_control_unit(void **state)
{
	struct clock_bounds planted = bounds;

	(void)state;
	planted.known = Y2036 - DAY;
	assert_true(clock_authentic_possible(&planted, Y2026 + 40 * DAY));
	assert_false(clock_authentic_possible(&planted, Y2026 - DAY));
	planted.known = Y2099;
	assert_int_equal(clock_floor(&planted), Y2026);
	planted.known = -1;
	assert_int_equal(clock_floor(&planted), Y2026);
}

/* ------------------------------------------------------------------ crash */
static void crash(const char *text, const char *wanted)
{
	char reason[CRASH_REASON];

	assert_int_equal(crash_reason(text, strlen(text), reason), wanted != NULL ? 0 : -ENOENT);
	if (wanted != NULL)
		assert_string_equal(reason, wanted);
}

static void test_panic_and_what_led_to_it_are_one_line(void **state)
{
	(void)state;
	crash("Panic#1 Part1\n<3>[   31.1] device-mapper: verity: 254:2: data block 1806 is corrupted\n"
	      "<0>[   31.2] Kernel panic - not syncing: dm-verity device corrupted\n<4>[   31.3] CPU: 0 PID: 9\n",
	      "Kernel panic - not syncing: dm-verity device corrupted (device-mapper: verity: 254:2: data block 1806 is corrupted)");
	crash("<0>[ 1.0] Kernel panic - not syncing: VFS", "Kernel panic - not syncing: VFS");
	crash("<6>[ 1.0] all is well\n", NULL);
	crash("", NULL);
}

static void test_hostile_record_gives_a_short_visible_line(void **state)
{
	char text[4096], reason[CRASH_REASON];

	(void)state;
	crash("Kernel panic - not syncing: \033[2J\xff", "Kernel panic - not syncing: ?[2J?");
	memset(text, 'a', sizeof(text));
	memcpy(text, "device-mapper: verity: ", 23);
	memcpy(text + 2000, "BUG: ", 5);
	assert_int_equal(crash_reason(text, sizeof(text), reason), 0);
	assert_int_equal(strlen(reason), CRASH_REASON - 1);
	assert_memory_equal(reason, "BUG: aaa", 8);
	assert_int_equal(reason[CRASH_REASON - 2], ')');
}

static void add_record(struct crash_record *record, int64_t time, const char *text)
{
	crash_record_parse(text, strlen(text), record);
	record->time = time;
}

static void test_last_words_are_put_into_the_order_in_which_they_were_said(void **state)
{
	struct crash_record records[5];
	struct buffer text = { 0 };

	(void)state;
	add_record(&records[0], 20, "Panic#1 Part1\nthird\x1b[2J\n");
	add_record(&records[1], 20, "Panic#1 Part10\nfirst\n");
	add_record(&records[2], 20, "Panic#1 Part2\nsecond");
	add_record(&records[3], 10, "Oops#1 Part1\nlong ago\n");
	add_record(&records[4], 30, "no header\n");
	assert_int_equal(crash_text(records, 5, &text), 0);
	buffer_add(&text, "", 1);
	assert_string_equal((char *)text.data, "long ago\nfirst\nsecond\nthird?[2J\nno header\n");
	buffer_release(&text);
	assert_int_equal(crash_text(records, 0, &text), -ENOENT);
}

static void test_endless_last_words_keep_their_end(void **state)
{
	char *endless = malloc(3 * CRASH_TEXT_MOST);
	struct crash_record record;
	struct buffer text = { 0 };

	(void)state;
	assert_non_null(endless);
	memset(endless, 'x', 3 * CRASH_TEXT_MOST);
	memcpy(endless + 3 * CRASH_TEXT_MOST - 6, "\nlast\n", 6);
	crash_record_parse(endless, 3 * CRASH_TEXT_MOST, &record);
	assert_int_equal(crash_text(&record, 1, &text), 0);
	assert_int_equal(text.size, 5);
	assert_memory_equal(text.data, "last\n", 5);
	buffer_release(&text);
	free(endless);
}

static void test_newest_record_counts_and_all_are_cleared(void **state)
{
	char folder[] = "/tmp/repave-pstore-XXXXXX", path[64], reason[CRASH_REASON];
	static const char *const records[] = { "dmesg-erst-1", "dmesg-erst-2", "dmesg-erst-3", "console-ramoops-0" };
	static const char *const texts[] = { "BUG: old", "BUG: new", "no reason", "BUG: another kind" };

	(void)state;
	assert_non_null(mkdtemp(folder));
	for (unsigned i = 0; i < 4; i++) {
		struct timespec times[2] = { { .tv_sec = 1000 + i }, { .tv_sec = 1000 + i } };

		snprintf(path, sizeof(path), "%s/%s", folder, records[i]);
		assert_int_equal(file_store(path, texts[i], strlen(texts[i]), 0600), 0);
		assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	}
	assert_int_equal(pstore_reason(folder, reason), 0);
	assert_string_equal(reason, "BUG: new");
	pstore_clear(folder);
	assert_int_equal(pstore_reason(folder, reason), -ENOENT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(pstore_reason(folder, reason), -ENOENT);
}

/* At the floor, a CA that has ended would count again, and everything that expired since. */
static void test_end_of_the_ca_is_no_broken_clock(void **state)
{
	(void)state;
	assert_true(clock_ca_ended(&bounds, Y2036 + 30 * DAY, Y2036 + 30 * DAY, true));
	assert_true(clock_ca_ended(&bounds, Y1970, Y2036 + 30 * DAY, true));
	assert_true(clock_ca_ended(&bounds, Y2036 - DAY, Y2036, true));
	assert_false(clock_ca_ended(&bounds, Y2099, Y2036 - DAY, true));
	assert_false(clock_ca_ended(&bounds, Y2099, 0, true));
	/* Anybody can be an NTP server. */
	assert_true(clock_ca_ended(&bounds, Y2036 + 30 * DAY, Y2036 + 31 * DAY, false));
	assert_false(clock_ca_ended(&bounds, Y2036 - DAY, Y2036, false));
	assert_false(clock_ca_ended(&bounds, Y2099, Y2036 + 30 * DAY, false));
}

/* A clock that may be right is set back by the control unit or by nobody. */
static void test_ntp_cannot_set_a_possible_clock_back(void **state)
{
	struct clock_bounds forward = clock_forward(&bounds, Y2026 + 40 * DAY);

	(void)state;
	assert_false(clock_possible(&forward, Y2026 + 39 * DAY));
	assert_true(clock_possible(&forward, Y2026 + 41 * DAY));
	forward = clock_forward(&bounds, Y2099);
	assert_true(clock_possible(&forward, Y2026 + 39 * DAY));
	forward = clock_forward(&bounds, Y1970);
	assert_true(clock_possible(&forward, Y2026 + 39 * DAY));
}

/* ------------------------------------------------------------------ progress */
static void test_progress_has_bytes_rate_and_time_left(void **state)
{
	char text[PROGRESS_TEXT];

	(void)state;
	progress_format(10 << 20, 30 << 20, 5, text);
	assert_string_equal(text, " 33%  10.0 MiB/30.0 MiB  2.0 MiB/s  10 s left");
	progress_format(UINT64_C(1) << 20, UINT64_C(4) << 30, 1, text);
	assert_string_equal(text, "  0%  1.0 MiB/4.0 GiB  1.0 MiB/s  68 min left");
	progress_format(4096, 4096, 2, text);
	assert_string_equal(text, "100%  4.0 KiB/4.0 KiB  2.0 KiB/s");
	progress_format(0, 0, 0, text);
	assert_string_equal(text, "100%  0 B/0 B");
}

static void test_progress_fits_one_row_of_a_screen(void **state)
{
	char figures[PROGRESS_TEXT], line[PROGRESS_TEXT];

	(void)state;
	progress_format(UINT64_C(1234) << 20, UINT64_C(4321) << 20, 100, figures);
	progress_line("fetching", "minimal 1.0+20261121", figures, line);
	assert_string_equal(line, "fetching minimal 1.0+20261121      28%  1.2 GiB/4.2 GiB  12.3 MiB/s  4 min left");
	assert_true(strlen(line) < 80);
	progress_line("fetching", "an-operating-system-with-a-name 2026.11.21-20261121+security.17", figures, line);
	assert_true(strlen(line) < 80);
	assert_non_null(strstr(line, "  28%  1.2 GiB/4.2 GiB"));
	assert_int_equal(memcmp(line, "fetching an-operating", 21), 0);
}

static void test_stall_shows_in_the_speed(void **state)
{
	struct speed speed = { 0 };

	(void)state;
	assert_int_equal(speed_look(&speed, 0, 100), 0);
	assert_int_equal(speed_look(&speed, 8000, 102), 4000);
	assert_int_equal(speed_look(&speed, 16000, 104), 4000);
	assert_int_equal(speed_look(&speed, 16000, 106), 2000);
	assert_int_equal(speed_look(&speed, 16000, 108), 1000);
	/* A clock that stands still, and a phase that begins anew. */
	assert_int_equal(speed_look(&speed, 20000, 108), 0);
	assert_int_equal(speed_look(&speed, 10, 110), 0);
	assert_int_equal(speed_look(&speed, 210, 112), 100);
}

#define LINES 8000

static void *show_progress(void *unused)
{
	struct progress progress;

	progress_init(&progress, NULL, "os");
	for (unsigned i = 0; i < LINES; i++)
		progress_show(&progress, "fetching", 1, 1);
	progress_end(&progress);
	return unused;
}

static void *say_lines(void *unused)
{
	for (unsigned i = 0; i < LINES; i++)
		console_line(NULL, "line");
	return unused;
}

/* Reads what a screen gets, until "end", and counts the lines that begin where one of progress was left open. */
static void *read_screen(void *context)
{
	int *fd = context, *runs_on = calloc(1, sizeof(*runs_on));
	char *text = malloc(1 << 22);
	size_t size = 0;
	ssize_t n;

	while (text != NULL && (n = read(*fd, text + size, (1 << 22) - 1 - size)) > 0) {
		size += (size_t)n;
		text[size] = '\0';
		if (strstr(text + (size > 200 ? size - 200 : 0), "provision end") != NULL)
			break;
	}
	for (char *at = text; runs_on != NULL && at != NULL && (at = strstr(at, "provision line")) != NULL; at++) {
		const char *start = at;

		while (start > text && *start != '[')
			start--;
		*runs_on += start > text && start[-1] != '\n';
	}
	free(text);
	return runs_on;
}

static void test_line_of_one_thread_does_not_run_into_progress_of_another(void **state)
{
	int screen = posix_openpt(O_RDWR | O_NOCTTY), before = dup(STDOUT_FILENO), terminal;
	pthread_t threads[2], reader;
	void *runs_on;

	(void)state;
	fflush(stdout);
	assert_true(screen >= 0 && grantpt(screen) == 0 && unlockpt(screen) == 0);
	terminal = open(ptsname(screen), O_RDWR | O_NOCTTY);
	assert_true(terminal >= 0 && dup2(terminal, STDOUT_FILENO) >= 0);
	assert_int_equal(pthread_create(&reader, NULL, read_screen, &screen), 0);
	assert_int_equal(pthread_create(&threads[0], NULL, show_progress, NULL), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, say_lines, NULL), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	console_line(NULL, "end");
	pthread_join(reader, &runs_on);
	assert_true(dup2(before, STDOUT_FILENO) >= 0);
	close(terminal);
	close(screen);
	close(before);
	assert_non_null(runs_on);
	assert_int_equal(*(int *)runs_on, 0);
	free(runs_on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_oem_strings_of_ours_are_taken),
		cmocka_unit_test(test_unsound_table_ends_the_search),
		cmocka_unit_test(test_kernel_command_line_counts_before_firmware_and_dhcp),
		cmocka_unit_test(test_panic_and_what_led_to_it_are_one_line),
		cmocka_unit_test(test_hostile_record_gives_a_short_visible_line),
		cmocka_unit_test(test_last_words_are_put_into_the_order_in_which_they_were_said),
		cmocka_unit_test(test_endless_last_words_keep_their_end),
		cmocka_unit_test(test_newest_record_counts_and_all_are_cleared),
		cmocka_unit_test(test_progress_has_bytes_rate_and_time_left),
		cmocka_unit_test(test_progress_fits_one_row_of_a_screen),
		cmocka_unit_test(test_stall_shows_in_the_speed),
		cmocka_unit_test(test_line_of_one_thread_does_not_run_into_progress_of_another),
		cmocka_unit_test(test_clock_of_1970_or_2099_is_impossible),
		cmocka_unit_test(test_clock_before_the_last_known_time_is_impossible),
		cmocka_unit_test(test_end_of_the_ca_is_no_broken_clock),
		cmocka_unit_test(test_ntp_cannot_set_a_possible_clock_back),
		cmocka_unit_test(test_planted_time_in_state_does_not_overrule_the_control_unit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

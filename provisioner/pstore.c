/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/pstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/tail.h"

#define RECORD_MOST (256u << 10)
#define PREFIX "dmesg-"

/* ------------------------------------------------------------------ text */
/* The last place in `text` where one of `words` stands. */
static const char *find_last(const char *text, size_t size, const char *const *words, size_t count)
{
	const char *last = NULL;

	for (size_t i = 0; i < count; i++) {
		const char *from = text, *hit;

		while ((hit = memmem(from, size - (size_t)(from - text), words[i], strlen(words[i]))) != NULL) {
			if (last == NULL || hit > last)
				last = hit;
			from = hit + 1;
		}
	}
	return last;
}

/* Appends the rest of the line that begins at `from`. */
static size_t append_line(const char *from, const char *end, char *to, size_t used, size_t room)
{
	for (; from < end && *from != '\n' && used + 1 < room; from++)
		to[used++] = *from >= ' ' && *from <= '~' ? *from : '?';
	to[used] = '\0';
	return used;
}

int crash_reason(const char *text, size_t size, char ret_reason[CRASH_REASON])
{
	static const char *const stops[] = { "Kernel panic - not syncing", "BUG: ", "Oops: " };
	static const char *const causes[] = { "device-mapper: verity: " };
	const char *stop = find_last(text, size, stops, sizeof(stops) / sizeof(stops[0])), *cause;
	size_t used;

	if (stop == NULL)
		return -ENOENT;
	cause = find_last(text, (size_t)(stop - text), causes, 1);
	/* Half of the room each: neither line takes the other's. */
	used = append_line(stop, text + size, ret_reason, 0, CRASH_REASON / 2);
	if (cause != NULL) {
		used += (size_t)snprintf(ret_reason + used, CRASH_REASON - used, " (");
		used = append_line(cause, stop, ret_reason, used, CRASH_REASON - 1);
		snprintf(ret_reason + used, CRASH_REASON - used, ")");
	}
	return 0;
}

static bool take_number(const char **at, const char *end, const char *word, unsigned *ret_number)
{
	size_t size = strlen(word);
	unsigned long number = 0;
	const char *p = *at + size;

	if ((size_t)(end - *at) <= size || memcmp(*at, word, size) != 0 || *p < '0' || *p > '9')
		return false;
	for (; p < end && *p >= '0' && *p <= '9' && number < 100000000; p++)
		number = number * 10 + (unsigned long)(*p - '0');
	*ret_number = (unsigned)number;
	*at = p;
	return true;
}

/* "Panic#2 Part1\n", as pstore_dump of Linux writes it: reason, how often since the boot, part. */
void crash_record_parse(const char *text, size_t size, struct crash_record *ret_record)
{
	const char *end = text + size, *at = size > 0 ? memchr(text, '#', size < 32 ? size : 32) : NULL;
	unsigned number, part;

	*ret_record = (struct crash_record){ .part = 1, .text = text, .size = size };
	if (at == NULL || !take_number(&at, end, "#", &number) || !take_number(&at, end, " Part", &part) || at == end || *at != '\n')
		return;
	*ret_record = (struct crash_record){ .number = number, .part = part, .text = at + 1, .size = (size_t)(end - at - 1) };
}

static int compare_records(const void *a, const void *b)
{
	const struct crash_record *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return x->part == y->part ? 0 : x->part > y->part ? -1 : 1;
}

int crash_text(struct crash_record *records, size_t count, struct buffer *ret_text)
{
	struct tail tail = { .data = malloc(CRASH_TEXT_MOST), .most = CRASH_TEXT_MOST };
	const char *text;
	size_t size;
	int r = -ENOMEM;

	if (tail.data == NULL)
		return r;
	qsort(records, count, sizeof(*records), compare_records);
	for (size_t i = 0; i < count; i++) {
		tail_add(&tail, records[i].text, records[i].size);
		if (records[i].size > 0 && records[i].text[records[i].size - 1] != '\n')
			tail_add(&tail, "\n", 1);
	}
	text = tail_text(&tail, &size);
	r = size > 0 ? buffer_add(ret_text, text, size) : -ENOENT;
	free(tail.data);
	return r;
}

/* ------------------------------------------------------------------ records */
int pstore_text(const char *folder, struct buffer *ret_text)
{
	struct buffer texts[CRASH_RECORDS] = { 0 };
	struct crash_record records[CRASH_RECORDS];
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;
	int r;

	while (dir != NULL && count < CRASH_RECORDS && (entry = readdir(dir)) != NULL) {
		struct stat st;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 || fstatat(dirfd(dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    file_load_at(dirfd(dir), entry->d_name, RECORD_MOST, &texts[count]) < 0)
			continue;
		crash_record_parse((const char *)texts[count].data, texts[count].size, &records[count]);
		records[count++].time = st.st_mtim.tv_sec;
	}
	r = crash_text(records, count, ret_text);
	for (size_t i = 0; i < count; i++)
		buffer_release(&texts[i]);
	if (dir != NULL)
		closedir(dir);
	return r;
}

static int read_record(int folder, const char *name, struct timespec *ret_time, char ret_reason[CRASH_REASON])
{
	struct buffer text = { 0 };
	struct stat st;
	int r = fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : file_load_at(folder, name, RECORD_MOST, &text);

	if (r == 0)
		r = crash_reason((const char *)text.data, text.size, ret_reason);
	if (r == 0)
		*ret_time = st.st_mtim;
	buffer_release(&text);
	return r;
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

int pstore_reason(const char *folder, char ret_reason[CRASH_REASON])
{
	DIR *dir = opendir(folder);
	struct timespec newest = { 0 }, when = { 0 };
	struct dirent *entry;
	char reason[CRASH_REASON];
	int r = -ENOENT;

	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 || read_record(dirfd(dir), entry->d_name, &when, reason) < 0)
			continue;
		if (r == 0 && !later(&when, &newest))
			continue;
		newest = when;
		memcpy(ret_reason, reason, sizeof(reason));
		r = 0;
	}
	if (dir != NULL)
		closedir(dir);
	return r;
}

void pstore_clear(const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	while (dir != NULL && (entry = readdir(dir)) != NULL)
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0)
			unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir != NULL)
		closedir(dir);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/pstore.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"

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

/* ------------------------------------------------------------------ records */
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

// SPDX-License-Identifier: GPL-2.0-or-later
/* Copies of the database in the folder "backup" beside it: repave-20260105T140319Z-LABEL.db. Names sort by time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "control/store-sqlite.h"

#define STAMP_SIZE 16u /* 20260105T140319Z */

#define CHECKPOINT_BYTES (2 * 1024 * 1024)

char *store_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

/* "…/repave.db" to "…/backup". malloc'd. */
static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder;

	return asprintf(&folder, "%.*sbackup", slash ? (int)(slash + 1 - path) : 0, path) < 0 ? NULL : folder;
}

static int is_backup(const struct dirent *entry)
{
	size_t size = strlen(entry->d_name);

	return size > 7 + STAMP_SIZE + 3 && !strncmp(entry->d_name, "repave-", 7) && !strcmp(entry->d_name + size - 3, ".db");
}

/* Sorted by name, so by time; the caller frees each and the list. A count, 0 without a folder. */
static int list(const char *folder, struct dirent ***ret_entries)
{
	int count = scandir(folder, ret_entries, is_backup, alphasort);

	if (count < 0)
		*ret_entries = NULL;
	return count < 0 ? 0 : count;
}

static void free_list(struct dirent **entries, int count)
{
	for (int i = 0; i < count; i++)
		free(entries[i]);
	free(entries);
}

int store_backups(const char *path, char ***ret_paths, size_t *ret_count)
{
	char *folder = folder_of(path), **paths;
	struct dirent **entries;
	int count, r = 0;

	if (!folder)
		return -ENOMEM;
	count = list(folder, &entries);
	paths = calloc((size_t)count + 1, sizeof *paths);
	*ret_count = 0;
	for (int i = count - 1; paths && !r && i >= 0; i--) {
		r = asprintf(&paths[*ret_count], "%s/%s", folder, entries[i]->d_name) < 0 ? -ENOMEM : 0;
		*ret_count += r == 0;
	}
	free_list(entries, count);
	free(folder);
	*ret_paths = paths;
	return paths ? r : -ENOMEM;
}

char *store_newest_backup(const char *path)
{
	char *folder = folder_of(path), *found = NULL;
	struct dirent **entries;
	int count;

	if (!folder)
		return NULL;
	count = list(folder, &entries);
	if (count && asprintf(&found, "%s/%s", folder, entries[count - 1]->d_name) < 0)
		found = NULL;
	free_list(entries, count);
	free(folder);
	return found;
}

int64_t store_backup_time(const char *path)
{
	char *found = store_newest_backup(path);
	struct tm tm = { 0 };
	int64_t when = 0;

	if (found && strptime(strrchr(found, '/') + 1, "repave-%Y%m%dT%H%M%SZ", &tm))
		when = (int64_t)timegm(&tm);
	free(found);
	return when;
}

static int sync_path(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC), r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

/* A consistent copy, made on a connection of its own beside whoever writes. SQLite doesn't sync it. */
int store_copy(const char *path, const char *to)
{
	mode_t before = umask(0077);
	sqlite3_stmt *vacuum = NULL;
	sqlite3 *db = NULL;
	int r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);

	if (r == SQLITE_OK) {
		sqlite3_busy_timeout(db, 5000);
		r = sqlite3_prepare_v2(db, "VACUUM INTO ?1", -1, &vacuum, NULL);
	}
	if (r == SQLITE_OK) {
		sqlite3_bind_text(vacuum, 1, to, -1, SQLITE_STATIC);
		r = sqlite3_step(vacuum) == SQLITE_DONE ? SQLITE_OK : sqlite3_errcode(db);
	}
	/* It reads every page, and may be the first to meet damage. */
	if (r == SQLITE_CORRUPT || r == SQLITE_NOTADB)
		r = -EBADMSG;
	else if (r != SQLITE_OK)
		r = log_error(-EIO, "%s can't be copied to %s (%s)", path, to, sqlite3_errmsg(db));
	sqlite3_finalize(vacuum);
	sqlite3_close_v2(db);
	umask(before);
	return r;
}

static void prune(const char *folder)
{
	struct dirent **entries;
	int count = list(folder, &entries), fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i + (int)BACKUPS_KEPT < count; i++)
		unlinkat(fd, entries[i]->d_name, 0);
	if (fd >= 0)
		close(fd);
	free_list(entries, count);
}

static int make(const char *path, const char *folder, const char *temporary, const char *final)
{
	int r;

	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		return log_error(-errno, "can't make %s", folder);
	/* Left by one that was interrupted. */
	unlink(temporary);
	r = store_copy(path, temporary);
	if (r == -EBADMSG)
		store_tell_damage(path, "a backup can't be made of it");
	if (r < 0)
		goto remove;
	r = sync_path(temporary, O_RDWR);
	if (!r && rename(temporary, final) < 0)
		r = -errno;
	if (!r)
		r = sync_path(folder, O_RDONLY | O_DIRECTORY);
	if (!r)
		return 0;
	log_error(r, "the backup %s can't be made durable", final);
remove:
	unlink(temporary);
	return r;
}

static bool format_stamp(int64_t when, char ret_stamp[STAMP_SIZE + 1])
{
	time_t seconds = (time_t)when;
	struct tm tm;

	return gmtime_r(&seconds, &tm) && strftime(ret_stamp, STAMP_SIZE + 1, "%Y%m%dT%H%M%SZ", &tm) == STAMP_SIZE;
}

/* Those with a name of the future were made while the clock was ahead. They become those of just now, in their order: else they would count as
 * the newest, and each new one be the first to go. */
static void correct_future(const char *folder, int64_t now)
{
	char stamp[STAMP_SIZE + 1], name[256];
	struct dirent **entries;
	int count = list(folder, &entries), fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; fd >= 0 && i < count; i++) {
		const char *old = entries[i]->d_name;

		if (!format_stamp(now, stamp) || strncmp(old + 7, stamp, STAMP_SIZE) <= 0 || !format_stamp(now - (count - i), stamp))
			continue;
		snprintf(name, sizeof name, "repave-%s%s", stamp, old + 7 + STAMP_SIZE);
		renameat(fd, old, fd, name);
	}
	if (fd >= 0)
		close(fd);
	free_list(entries, count);
}

int store_backup(const char *path, const char *label, int64_t now)
{
	char *folder = folder_of(path), *temporary = NULL, *final = NULL;
	char stamp[STAMP_SIZE + 1];
	mode_t before = umask(0077);
	int r = -ENOMEM;

	if (folder && format_stamp(now, stamp) && asprintf(&temporary, "%s/.unfinished", folder) >= 0 && asprintf(&final, "%s/repave-%s-%s.db", folder, stamp, label) >= 0)
		r = make(path, folder, temporary, final);
	umask(before);
	if (!r) {
		correct_future(folder, now);
		prune(folder);
	}
	free(final);
	free(temporary);
	free(folder);
	return r;
}

int store_checkpoint(const char *path)
{
	struct stat info;
	sqlite3 *db = NULL;
	char *log;
	int r;

	if (asprintf(&log, "%s-wal", path) < 0)
		return -ENOMEM;
	r = stat(log, &info);
	free(log);
	if (r < 0 || info.st_size < CHECKPOINT_BYTES)
		return 0;
	r = sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL);
	/* As a statement: the function does nothing on a connection that hasn't read the database yet, and says that it went well. */
	if (r == SQLITE_OK)
		r = sqlite3_exec(db, "PRAGMA wal_checkpoint(PASSIVE)", NULL, NULL, NULL);
	/* Busy: another one is under way. */
	r = r == SQLITE_OK || r == SQLITE_BUSY ? 0 : log_error(-EIO, "the database's log can't be moved into it (%s)", sqlite3_errmsg(db));
	sqlite3_close_v2(db);
	return r;
}

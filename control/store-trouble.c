// SPDX-License-Identifier: GPL-2.0-or-later
/* What keeps the store from working: found out from SQLite's codes, told once a minute, with the next step. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "control/store-sqlite.h"

#define TELL_SECONDS 60
#define PROBE_BYTES (1024 * 1024) /* more than any row has */

static int64_t steady_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec;
}

/* Often SQLite only says that it couldn't, and its errno is of something else. */
static enum store_trouble trouble_of_disk(const struct store *store)
{
	char *folder = store_folder(store->path);
	char byte = 0;
	int fd = folder ? open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) : -1;
	int r = fd < 0 || write(fd, &byte, 1) != 1 || fsync(fd) < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	free(folder);
	switch (r) {
	case ENOSPC:
	case EDQUOT:
		return STORE_FULL;
	case EROFS:
	case EACCES:
		return STORE_READ_ONLY;
	}
	return STORE_FAILING;
}

static enum store_trouble trouble_of(struct store *store)
{
	switch (sqlite3_errcode(store->db)) {
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return STORE_DAMAGED;
	case SQLITE_FULL:
		return STORE_FULL;
	case SQLITE_READONLY:
		return STORE_READ_ONLY;
	}
	return trouble_of_disk(store);
}

enum store_trouble store_trouble(const struct store *store)
{
	return (enum store_trouble)atomic_load(&store->trouble);
}

const char *store_trouble_name(enum store_trouble trouble)
{
	static const char *const names[] = { "", "full", "read-only", "failing", "damaged" };

	return names[trouble];
}

void store_trouble_sentence(const struct store *store, char ret_sentence[ERROR_TEXT])
{
	char *folder = store_folder(store->path), *backup = NULL;
	const char *place = folder ? folder : "the state folder";

	switch (store_trouble(store)) {
	case STORE_FULL:
		snprintf(ret_sentence, ERROR_TEXT, "the disk of %.200s is full, and nothing can be changed; make room there, and it goes on by itself", place);
		break;
	case STORE_READ_ONLY:
		snprintf(ret_sentence, ERROR_TEXT, "%.200s can't be written, and nothing can be changed; look at its disk (`dmesg`), mount it writable, and it goes on by itself",
			 place);
		break;
	case STORE_DAMAGED:
		backup = store_newest_backup(store->path);
		snprintf(ret_sentence, ERROR_TEXT, backup ? "the database is damaged; stop repaved, and put back its newest sound backup: repave restore --latest --state %.200s" :
			 "the database is damaged, and there is no automatic backup of it; stop repaved, and put back one of yours: repave restore --replace FILE --state %.200s",
			 place);
		break;
	case STORE_FAILING:
		snprintf(ret_sentence, ERROR_TEXT, "the database in %.200s can't be changed; the control unit's log says why", place);
		break;
	case STORE_SOUND:
		ret_sentence[0] = 0;
	}
	free(backup);
	free(folder);
}

void store_tell_damage(const char *path, const char *why)
{
	char *found = store_newest_backup(path), *folder = store_folder(path);

	if (found)
		log_error(0, "the database %s is damaged (%s); with repaved stopped, put back its newest sound backup (the newest is %s): repave restore --latest --state %s",
			  path, why, found, folder ? folder : ".");
	else
		log_error(0, "the database %s is damaged (%s), and there is no backup of it; move %s* away, and servers enrol anew with the join token",
			  path, why, path);
	free(folder);
	free(found);
}

/* Thousands of servers and callers may meet it each second. */
static bool must_tell(struct store *store, enum store_trouble trouble)
{
	int64_t now = steady_seconds();
	bool news = store_trouble(store) != trouble || now - store->told >= TELL_SECONDS;

	/* What was damaged stays so, whatever else happens. */
	if (store_trouble(store) != STORE_DAMAGED)
		atomic_store(&store->trouble, (int)trouble);
	if (news)
		store->told = now;
	return news;
}

int sql_fail(struct store *store, const char *what)
{
	enum store_trouble trouble = trouble_of(store);
	char sentence[ERROR_TEXT];

	if (!must_tell(store, trouble))
		return -EIO;
	if (trouble == STORE_DAMAGED) {
		store_tell_damage(store->path, sqlite3_errmsg(store->db));
		return -EIO;
	}
	store_trouble_sentence(store, sentence);
	log_error(0, "the database can't %s (%s)%s%s", what,
		  sqlite3_errcode(store->db) == SQLITE_OK ? "the file system gave up" : sqlite3_errmsg(store->db), trouble == STORE_FAILING ? "" : ": ",
		  trouble == STORE_FAILING ? "" : sentence);
	return -EIO;
}

/* What can't be read for want of memory isn't damaged. */
static bool lacks_memory(const struct store *store)
{
	void *probe = sqlite3_errcode(store->db) == SQLITE_NOMEM ? NULL : malloc(PROBE_BYTES);

	free(probe);
	return !probe;
}

int store_damaged(struct store *store, const char *what)
{
	if (lacks_memory(store))
		return log_error(-EIO, "there isn't enough memory to read the database");
	if (must_tell(store, STORE_DAMAGED))
		store_tell_damage(store->path, what);
	return -EIO;
}

void store_try(struct store *store)
{
	enum store_trouble trouble = store_trouble(store);

	if (trouble == STORE_SOUND || trouble == STORE_DAMAGED || store->depth)
		return;
	if (store_begin(store) < 0)
		return;
	if (schema_touch(store) < 0) {
		store_rollback(store);
	} else if (!store_commit(store)) {
		atomic_store(&store->trouble, STORE_SOUND);
		log_info("the database can be changed again");
	}
}

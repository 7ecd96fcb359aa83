// SPDX-License-Identifier: GPL-2.0-or-later
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "control/backup.h"
#include "control/pki.h"
#include "control/sealed.h"
#include "control/state.h"
#include "control/store.h"
#include "control/unpack.h"

/* ------------------------------------------------------------------ checking */

/* Whether the database opens, by whatever name; it is brought up to date. */
static int check_database(const char *path)
{
	struct store *store = NULL;
	int r = store_open(path, false, &store);

	if (!r)
		r = store_check(store);
	store_close(store);
	return r;
}

static int check_authority(const char *folder)
{
	struct pki_identity authority = { 0 };
	struct pki_signer *signer = NULL;
	int r = state_load(folder, "ca.pem", &authority.certificate);

	if (!r)
		r = state_load(folder, "ca.key", &authority.key);
	if (!r)
		r = pki_signer_new(&authority, &signer);
	pki_signer_free(signer);
	pki_identity_release(&authority);
	return r;
}

/* Beyond its being whole: that a control unit can start with it. */
static int check_unpacked(const char *folder)
{
	char token[TOKEN_SIZE + 1], *path;
	struct sealing_key key;
	int r = check_authority(folder);

	if (!r)
		r = state_load_token(folder, token);
	explicit_bzero(token, sizeof token);
	if (r < 0 || asprintf(&path, "%s/" SEALING_KEY_FILE, folder) < 0)
		return r < 0 ? r : -ENOMEM;
	if (access(path, F_OK) == 0)
		r = sealing_key_load(path, &key);
	sealing_key_wipe(&key);
	free(path);
	if (r < 0 || asprintf(&path, "%s/" BACKUP_DATABASE, folder) < 0)
		return r < 0 ? r : -ENOMEM;
	r = check_database(path);
	free(path);
	return r;
}

/* ------------------------------------------------------------------ taking its place */

/* A folder of this program's own making. */
static void remove_folder(const char *path)
{
	DIR *entries = opendir(path);
	const struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		char *below;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(dirfd(entries), entry->d_name, 0) < 0 && errno == EISDIR && asprintf(&below, "%s/%s", path, entry->d_name) >= 0) {
			remove_folder(below);
			free(below);
		}
	}
	if (entries)
		closedir(entries);
	rmdir(path);
}

/* Owners as the folder that was there has them: repaved may run as another user than who restores. */
static int give_away(int parent, const char *name, const struct stat *former)
{
	int fd, r = fchownat(parent, name, former->st_uid, former->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
	const struct dirent *entry;
	DIR *entries;

	if (r < 0)
		return r;
	fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR ? 0 : -errno;
	entries = fdopendir(fd);
	if (!entries) {
		close(fd);
		return -ENOMEM;
	}
	while (!r && (entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			r = give_away(fd, entry->d_name, former);
	closedir(entries);
	return r;
}

/* What is in the folder but the lock: 0 nothing, 1 something, or -errno (-ENOENT: no folder). */
static int is_used(const char *state)
{
	DIR *entries = opendir(state);
	const struct dirent *entry;
	int used = 0;

	if (!entries)
		return -errno;
	while ((entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") && strcmp(entry->d_name, "lock"))
			used = 1;
	closedir(entries);
	return used;
}

/* Held until the process ends, through the exchange: no repaved starts in between. */
static int hold_lock(const char *state)
{
	char *path;
	int fd, r = 0;

	if (asprintf(&path, "%s/lock", state) < 0)
		return -ENOMEM;
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = log_error(-errno, "can't open %s", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		close(fd);
		log_error(0, "repaved runs on %s; stop it first", state);
	}
	free(path);
	return r;
}

static char *beside(const char *path, const char *what, bool stamped)
{
	size_t size = strlen(path);
	time_t now = time(NULL);
	char stamp[32] = "", *name;
	struct tm tm;

	while (size > 1 && path[size - 1] == '/')
		size--;
	if (stamped && gmtime_r(&now, &tm))
		strftime(stamp, sizeof stamp, "-%Y%m%dT%H%M%SZ", &tm);
	return asprintf(&name, "%.*s.%s%s", (int)size, path, what, stamp) < 0 ? NULL : name;
}

static int sync_folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *folder = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, r = fd < 0 || fsync(fd) < 0 ? -EIO : 0;

	if (fd >= 0)
		close(fd);
	free(folder);
	return r;
}

/* In one step: there is the old folder or the new one. The old one is at `unpacked` then. */
static int exchange(const char *unpacked, const char *state, bool exists)
{
	int r = renameat2(AT_FDCWD, unpacked, AT_FDCWD, state, exists ? RENAME_EXCHANGE : RENAME_NOREPLACE) < 0 ? -errno : 0;

	if (r == -EBUSY || r == -EXDEV)
		return log_error(r, "%s can't be replaced: is it a mount point? Restore into a folder in it, or beside it", state);
	return r < 0 ? log_error(r, "%s can't be replaced", state) : 0;
}

/* Gives `unpacked` the name that the old folder gets by the exchange: whatever is called "restoring" can be removed at any time.
 * malloc'd; NULL after logging. */
static char *move_beside(const char *unpacked, const char *state)
{
	char *stamped = beside(state, "before", true), *name = stamped ? strdup(stamped) : NULL;
	int r = -1;

	/* Several within a second, or one that was interrupted. */
	for (unsigned i = 2; name && (r = renameat2(AT_FDCWD, unpacked, AT_FDCWD, name, RENAME_NOREPLACE)) < 0 && errno == EEXIST && i < 100; i++) {
		free(name);
		if (asprintf(&name, "%s-%u", stamped, i) < 0)
			name = NULL;
	}
	free(stamped);
	if (r < 0) {
		log_error(-errno, "can't make a folder beside %s", state);
		free(name);
		name = NULL;
	}
	return name;
}

/* `used` as is_used has it. */
static int put_in_place(const char *unpacked, const char *state, int used, char **ret_kept)
{
	char *kept = NULL;
	struct stat former;
	int r = 0;

	if (used >= 0 && stat(state, &former) == 0 && geteuid() == 0)
		r = give_away(AT_FDCWD, unpacked, &former);
	if (r < 0)
		return log_error(r, "can't give %s to the owner of %s", unpacked, state);
	if (used > 0 && !(kept = move_beside(unpacked, state)))
		return -EIO;
	r = exchange(kept ? kept : unpacked, state, used >= 0);
	if (r < 0) {
		if (kept)
			rename(kept, unpacked);
		free(kept);
		return r;
	}
	if (used == 0)
		remove_folder(unpacked);
	*ret_kept = kept;
	return sync_folder_of(state);
}

/* Before anything is touched. */
static int check_target(const char *state, int used, bool replace)
{
	char *key;
	int r;

	if (used < 0)
		return used == -ENOENT ? 0 : log_error(used, "can't read %s", state);
	if (used > 0 && !replace) {
		log_error(0, "%s isn't empty; with --replace it is kept under another name, and the backup takes its place", state);
		return -EEXIST;
	}
	if (used > 0) {
		if (asprintf(&key, "%s/ca.key", state) < 0)
			return -ENOMEM;
		r = access(key, F_OK) < 0 ? -errno : 0;
		free(key);
		if (r < 0)
			return log_error(r, "%s isn't empty, and no state folder; name another one", state);
	}
	return hold_lock(state);
}

int backup_restore(const char *from, const char *state, bool replace, struct backup_manifest *ret_manifest, char **ret_kept)
{
	char *unpacked = beside(state, "restoring", false);
	int used = is_used(state), r = unpacked ? check_target(state, used, replace) : -ENOMEM;

	*ret_kept = NULL;
	if (r < 0)
		goto out;
	/* Left by one that was interrupted. */
	remove_folder(unpacked);
	if (mkdir(unpacked, 0700) < 0) {
		r = log_error(-errno, "can't make %s", unpacked);
		goto out;
	}
	r = backup_unpack(from, unpacked, ret_manifest);
	if (r < 0)
		goto remove;
	r = check_unpacked(unpacked);
	if (!r)
		r = put_in_place(unpacked, state, used, ret_kept);
	if (!r)
		goto out;
	backup_manifest_release(ret_manifest);
remove:
	remove_folder(unpacked);
out:
	free(unpacked);
	return r;
}

/* ------------------------------------------------------------------ an automatic backup */

/* The newest that opens, as the file `to`. */
static int take_latest(const char *database, const char *to, char **ret_taken)
{
	char **paths = NULL;
	size_t count = 0;
	int r = store_backups(database, &paths, &count);

	for (size_t i = 0; i < count; i++) {
		if (!r && !*ret_taken) {
			unlink(to);
			if (!store_copy(paths[i], to) && !check_database(to))
				*ret_taken = strdup(paths[i]);
		}
		free(paths[i]);
	}
	free(paths);
	if (!r && !*ret_taken)
		r = log_error(-ENOENT, "there is no automatic backup of %s that is sound; `repave restore FILE` takes another one", database);
	return r;
}

static int sync_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC), r = fd < 0 || fsync(fd) < 0 ? -errno : 0;

	if (fd >= 0)
		close(fd);
	return r;
}

/* What was written after the last checkpoint belongs to the damaged one; with the other it would be damage. */
static void move_along(const char *database, const char *kept, const char *suffix)
{
	char *from, *to;

	if (asprintf(&from, "%s%s", database, suffix) < 0)
		return;
	if (asprintf(&to, "%s%s", kept, suffix) >= 0) {
		rename(from, to);
		free(to);
	}
	free(from);
}

static int replace_database(const char *database, const char *other, char **ret_kept)
{
	char *kept = beside(database, "damaged", true);
	int r = kept ? sync_file(other) : -ENOMEM;

	if (!r) {
		move_along(database, kept, "-wal");
		move_along(database, kept, "-shm");
		/* There is a database at every moment: a repaved that finds none makes an empty one. */
		r = renameat2(AT_FDCWD, other, AT_FDCWD, database, RENAME_EXCHANGE) < 0 ? -errno : 0;
	}
	if (r == -ENOENT)
		r = rename(other, database) < 0 ? -errno : 0;
	else if (!r && rename(other, kept) < 0)
		r = -errno;
	if (!r)
		r = sync_folder_of(database);
	if (r < 0) {
		free(kept);
		return log_error(r, "%s can't be replaced", database);
	}
	*ret_kept = kept;
	return 0;
}

int backup_restore_latest(const char *state, char **ret_taken, char **ret_kept)
{
	char *database = NULL, *other = NULL;
	struct stat folder;
	int lock, r = state_lock(state, &lock);

	*ret_taken = *ret_kept = NULL;
	if (r < 0)
		return r;
	if (asprintf(&database, "%s/" BACKUP_DATABASE, state) < 0 || asprintf(&other, "%s/.restoring.db", state) < 0)
		r = -ENOMEM;
	if (!r)
		r = take_latest(database, other, ret_taken);
	/* repaved may run as another user, and must be able to open both. */
	if (!r && geteuid() == 0 && (stat(state, &folder) < 0 || fchown(lock, folder.st_uid, folder.st_gid) < 0 ||
				     chown(other, folder.st_uid, folder.st_gid) < 0))
		r = log_error(-errno, "can't give the database to the owner of %s", state);
	if (!r)
		r = replace_database(database, other, ret_kept);
	if (r < 0 && other)
		unlink(other);
	free(other);
	free(database);
	close(lock);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "control/store.h"

#define SMALL_MOST (64u * 1024 * 1024) /* of one file but the database */
#define PIECE (256u * 1024)
#define READS_MOST 10

/* What is copied, as it was read. */
struct source {
	char name[BACKUP_NAME_MOST + 1];
	struct buffer data;      /* but of the database */
	struct timespec changed;
	ino_t inode;
};

struct backup {
	const char *state;
	struct source *sources;
	size_t count;
	int database;            /* of a copy that has no name any more; -1 before */
	struct backup_manifest manifest;
	int out;
};

/* ------------------------------------------------------------------ reading */

static void forget_sources(struct backup *backup)
{
	for (size_t i = 0; i < backup->count; i++) {
		if (backup->sources[i].data.data)
			explicit_bzero(backup->sources[i].data.data, backup->sources[i].data.size);
		buffer_release(&backup->sources[i].data);
	}
	free(backup->sources);
	backup->sources = NULL;
	backup->count = 0;
}

/* `name` is one that backup_name_ok likes; `file` its last part. */
static int add_source(struct backup *backup, int folder, const char *name, const char *file)
{
	struct source *longer = reallocarray(backup->sources, backup->count + 1, sizeof *longer), *source;
	struct stat info;
	int r;

	if (!longer)
		return -ENOMEM;
	backup->sources = longer;
	source = &longer[backup->count];
	*source = (struct source){ 0 };
	strcpy(source->name, name);
	if (fstatat(folder, file, &info, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	source->changed = info.st_mtim;
	source->inode = info.st_ino;
	r = file_load_at(folder, file, SMALL_MOST, &source->data);
	backup->count += r == 0;
	return r;
}

/* Everything in the folder that belongs into a backup, but the database. */
static int add_folder(struct backup *backup, const char *path, const char *prefix)
{
	struct dirent **entries;
	int count = scandir(path, &entries, NULL, alphasort), folder, r = 0;
	char name[sizeof entries[0]->d_name + 8];

	if (count < 0)
		return -errno;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		r = -errno;
	for (int i = 0; i < count; i++) {
		snprintf(name, sizeof name, "%s%s", prefix, entries[i]->d_name);
		if (!r && backup_name_ok(name) && strcmp(name, BACKUP_DATABASE)) {
			r = add_source(backup, folder, name, entries[i]->d_name);
			if (r < 0 && r != -ENOENT)
				log_error(r, "can't read %s/%s", path, entries[i]->d_name);
		}
		free(entries[i]);
	}
	free(entries);
	if (folder >= 0)
		close(folder);
	return r;
}

static int add_all(struct backup *backup)
{
	char *tuf;
	int r = add_folder(backup, backup->state, "");

	if (r < 0 || asprintf(&tuf, "%s/tuf", backup->state) < 0)
		return r < 0 ? r : -ENOMEM;
	r = add_folder(backup, tuf, "tuf/");
	free(tuf);
	/* Before the first start there is none; a file that went away while it was read is seen by the second look. */
	return r == -ENOENT ? 0 : r;
}

static bool same_sources(const struct backup *a, const struct backup *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		const struct source *x = &a->sources[i], *y = &b->sources[i];

		if (strcmp(x->name, y->name) || x->inode != y->inode || x->changed.tv_sec != y->changed.tv_sec ||
		    x->changed.tv_nsec != y->changed.tv_nsec || x->data.size != y->data.size)
			return false;
	}
	return true;
}

/* Reads until nothing changed between two readings: the files belong together then. */
static int read_sources(struct backup *backup)
{
	struct backup again = { .state = backup->state };
	int r = add_all(backup);

	for (int i = 0; !r && i < READS_MOST; i++) {
		r = add_all(&again);
		if (!r && same_sources(backup, &again)) {
			forget_sources(&again);
			return 0;
		}
		forget_sources(backup);
		backup->sources = again.sources;
		backup->count = again.count;
		again = (struct backup){ .state = backup->state };
	}
	forget_sources(&again);
	return r < 0 ? r : log_error(-EBUSY, "the files of %s change all the time", backup->state);
}

/* A copy of the database as it is at this moment, without a name from then on: what breaks off leaves nothing. */
static int copy_database(struct backup *backup)
{
	char *from = NULL, *to = NULL;
	int r = -ENOMEM;

	backup->database = -1;
	if (asprintf(&from, "%s/" BACKUP_DATABASE, backup->state) >= 0 &&
	    asprintf(&to, "%s/.backup-%ld", backup->state, (long)getpid()) >= 0) {
		unlink(to);
		r = store_copy(from, to);
		if (r == -EBADMSG)
			store_tell_damage(from, "no backup can be made of it");
	}
	if (!r) {
		backup->database = open(to, O_RDONLY | O_CLOEXEC);
		r = backup->database < 0 ? log_error(-errno, "can't read %s", to) : 0;
	}
	if (to)
		unlink(to);
	free(to);
	free(from);
	return r;
}

/* ------------------------------------------------------------------ the manifest */

static int hash_database(struct backup *backup, struct backup_file *file)
{
	mbedtls_sha256_context sha;
	uint8_t *piece = malloc(PIECE);
	ssize_t got = 0;

	if (!piece)
		return -ENOMEM;
	mbedtls_sha256_init(&sha);
	mbedtls_sha256_starts_ret(&sha, 0);
	while ((got = pread(backup->database, piece, PIECE, (off_t)file->size)) > 0) {
		mbedtls_sha256_update_ret(&sha, piece, (size_t)got);
		file->size += (uint64_t)got;
	}
	mbedtls_sha256_finish_ret(&sha, file->sha256);
	mbedtls_sha256_free(&sha);
	free(piece);
	if (got == 0 && file->size > BACKUP_SIZE_MOST)
		return log_error(-EFBIG, "the database is too large for a backup file (8 GiB)");
	return got < 0 ? log_error(-errno, "can't read the database's copy") : 0;
}

static int make_manifest(struct backup *backup)
{
	struct backup_manifest *manifest = &backup->manifest;

	if (backup->count + 1 > BACKUP_FILES_MOST)
		return log_error(-E2BIG, "%s has too many files", backup->state);
	manifest->made = (int64_t)time(NULL);
	manifest->files = calloc(backup->count + 1, sizeof *manifest->files);
	if (!manifest->files)
		return -ENOMEM;
	for (size_t i = 0; i < backup->count; i++) {
		struct backup_file *file = &manifest->files[manifest->count++];

		strcpy(file->name, backup->sources[i].name);
		file->size = backup->sources[i].data.size;
		mbedtls_sha256_ret(backup->sources[i].data.data, file->size, file->sha256, 0);
	}
	strcpy(manifest->files[manifest->count].name, BACKUP_DATABASE);
	return hash_database(backup, &manifest->files[manifest->count++]);
}

/* ------------------------------------------------------------------ writing */

static int put(int out, const void *data, size_t size)
{
	const uint8_t *at = data;

	while (size) {
		ssize_t done = write(out, at, size);

		if (done < 0 && errno != EINTR)
			return -errno;
		at += done > 0 ? done : 0;
		size -= done > 0 ? (size_t)done : 0;
	}
	return 0;
}

static int put_header(const struct backup *backup, const char *name, uint64_t size)
{
	uint8_t header[BACKUP_BLOCK];

	backup_header_format(name, size, backup->manifest.made, header);
	return put(backup->out, header, sizeof header);
}

static int put_padding(const struct backup *backup, uint64_t size)
{
	static const uint8_t zeros[BACKUP_BLOCK];

	return put(backup->out, zeros, (size_t)(-size % BACKUP_BLOCK));
}

static int put_file(const struct backup *backup, const char *name, const void *data, size_t size)
{
	int r = put_header(backup, name, size);

	if (!r)
		r = put(backup->out, data, size);
	return r ? r : put_padding(backup, size);
}

static int put_database(const struct backup *backup, uint64_t size)
{
	uint8_t *piece = malloc(PIECE);
	int r = piece ? put_header(backup, BACKUP_DATABASE, size) : -ENOMEM;

	for (uint64_t at = 0; !r && at < size;) {
		ssize_t got = pread(backup->database, piece, PIECE, (off_t)at);

		r = got > 0 ? put(backup->out, piece, (size_t)got) : -EIO;
		at += got > 0 ? (uint64_t)got : 0;
	}
	free(piece);
	return r ? r : put_padding(backup, size);
}

static int put_all(const struct backup *backup)
{
	static const uint8_t end[2 * BACKUP_BLOCK];
	struct buffer text = { 0 };
	int r = backup_manifest_format(&backup->manifest, &text);

	if (!r)
		r = put_file(backup, BACKUP_MANIFEST, text.data, text.size);
	buffer_release(&text);
	for (size_t i = 0; !r && i < backup->count; i++)
		r = put_file(backup, backup->sources[i].name, backup->sources[i].data.data, backup->sources[i].data.size);
	if (!r)
		r = put_database(backup, backup->manifest.files[backup->count].size);
	return r ? r : put(backup->out, end, sizeof end);
}

/* Under another name until it is whole. */
static int write_file(struct backup *backup, const char *to)
{
	char *unfinished;
	int r;

	if (asprintf(&unfinished, "%s.unfinished", to) < 0)
		return -ENOMEM;
	unlink(unfinished);
	backup->out = open(unfinished, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	r = backup->out < 0 ? -errno : put_all(backup);
	if (!r && fsync(backup->out) < 0)
		r = -errno;
	if (backup->out >= 0)
		close(backup->out);
	if (!r && renameat2(AT_FDCWD, unfinished, AT_FDCWD, to, RENAME_NOREPLACE) < 0)
		r = -errno;
	if (r < 0) {
		unlink(unfinished);
		log_error(r, "the backup %s can't be written", to);
	}
	free(unfinished);
	return r;
}

static int write_output(struct backup *backup)
{
	int r;

	if (isatty(STDOUT_FILENO))
		return log_error(-EINVAL, "a backup holds keys, and isn't for a terminal; name a file, or pipe it into a program that encrypts it");
	backup->out = STDOUT_FILENO;
	r = put_all(backup);
	return r < 0 ? log_error(r, "the backup can't be written") : 0;
}

int backup_make(const char *state, const char *to, struct backup_manifest *ret_manifest)
{
	struct backup backup = { .state = state, .database = -1, .out = -1 };
	bool is_file = strcmp(to, "-") != 0;
	int r;

	if (is_file && access(to, F_OK) == 0)
		return log_error(-EEXIST, "%s is there already; name another file", to);
	/* The keys first: each key of a node in the database is signed by one of them. */
	r = read_sources(&backup);
	if (r == -ENOENT)
		log_error(r, "%s is no state folder that can be read", state);
	if (!r)
		r = copy_database(&backup);
	if (!r)
		r = make_manifest(&backup);
	if (!r)
		r = is_file ? write_file(&backup, to) : write_output(&backup);
	if (backup.database >= 0)
		close(backup.database);
	forget_sources(&backup);
	if (r < 0)
		backup_manifest_release(&backup.manifest);
	else
		*ret_manifest = backup.manifest;
	return r;
}

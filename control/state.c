// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/state.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/http.h"
#include "common/log.h"
#include "control/names.h"
#include "control/pki.h"
#include "control/sealed.h"
#include "control/secret.h"
#include "control/store.h"

#define FILE_MOST (64u * 1024)
#define YEARS_10 3653u
#define DAY 86400

static const char *const made_files[] = { "ca.pem", "ca.key", "server.pem", "server.key", "join-token", SEALING_KEY_FILE, "repave.db",
					  "repave.db-wal", "repave.db-shm" };

static int path_of(const char *state, const char *name, char **ret_path)
{
	return asprintf(ret_path, "%s/%s", state, name) < 0 ? -ENOMEM : 0;
}

static int store_file(const char *state, const char *name, const struct buffer *data, mode_t mode)
{
	char *path;
	int r = path_of(state, name, &path);

	if (r < 0)
		return r;
	r = file_store(path, data->data, data->size, mode);
	if (r < 0)
		log_error(r, "can't write %s", path);
	free(path);
	return r;
}

static int make_identities(const char *state, const char *name)
{
	struct pki_identity authority = { 0 }, server = { 0 };
	char subject[128];
	/* A day back: a node's clock may be behind this one, and a certificate from the future is refused. */
	int64_t from = time(NULL) - DAY;
	int r;

	snprintf(subject, sizeof subject, "CN=%s fleet CA", name);
	r = pki_make_authority(subject, from, YEARS_10, &authority);
	if (!r)
		r = pki_make_server(&authority, CONTROL_UNIT_NAME, from, YEARS_10, &server);
	if (!r)
		r = store_file(state, "ca.key", &authority.key, 0600);
	if (!r)
		r = store_file(state, "server.key", &server.key, 0600);
	if (!r)
		r = store_file(state, "server.pem", &server.certificate, 0644);
	if (!r)
		r = store_file(state, "ca.pem", &authority.certificate, 0644);
	pki_identity_release(&server);
	pki_identity_release(&authority);
	return r;
}

static int make_token(const char *state)
{
	char text[TOKEN_SIZE + 2];
	struct buffer data = { .data = (uint8_t *)text, .size = TOKEN_SIZE + 1 };
	int r = secret_make(text);

	if (r < 0)
		return r;
	strcpy(text + TOKEN_SIZE, "\n");
	r = store_file(state, "join-token", &data, 0600);
	explicit_bzero(text, sizeof text);
	return r;
}

static int make_sealing_key(const char *state)
{
	char *path;
	int r = path_of(state, SEALING_KEY_FILE, &path);

	if (r < 0)
		return r;
	r = sealing_key_make(path);
	free(path);
	return r;
}

static int make_database(const char *state)
{
	struct store *store = NULL;
	char *path;
	int r = path_of(state, "repave.db", &path);

	if (r < 0)
		return r;
	r = store_open(path, true, &store);
	store_close(store);
	free(path);
	return r;
}

/* Empties the folder of what state_make put there, and of nothing else. */
static void undo(const char *state)
{
	for (size_t i = 0; i < sizeof made_files / sizeof made_files[0]; i++) {
		char *path;

		if (path_of(state, made_files[i], &path) < 0)
			return;
		unlink(path);
		free(path);
	}
	rmdir(state);
}

static bool folder_is_empty(const char *path)
{
	DIR *folder = opendir(path);
	const struct dirent *entry;
	bool empty = folder != NULL;

	while (folder && (entry = readdir(folder)))
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			empty = false;
	if (folder)
		closedir(folder);
	return empty;
}

static int make_parent(const char *path)
{
	char *copy = strdup(path), *slash;
	int r = 0;

	if (!copy)
		return -ENOMEM;
	for (size_t size = strlen(copy); size > 1 && copy[size - 1] == '/'; size--)
		copy[size - 1] = 0;
	slash = strrchr(copy, '/');
	if (slash && slash != copy) {
		*slash = 0;
		r = make_folders(copy, 0755);
	}
	free(copy);
	return r;
}

/* Root makes the files of a folder that was made for another user as that user, who is going to run the daemon. */
static int become_owner(const char *path)
{
	struct stat info;

	if (geteuid() != 0)
		return 0;
	if (lstat(path, &info) < 0)
		return -errno;
	if (info.st_uid == 0)
		return 0;
	if (setgroups(0, NULL) < 0 || setegid(info.st_gid) < 0 || seteuid(info.st_uid) < 0)
		return -errno;
	return 0;
}

int state_make(const char *path, const char *name)
{
	int r = make_parent(path);

	if (r < 0)
		return log_error(r, "can't make the folder above %s", path);
	if (mkdir(path, 0700) < 0) {
		if (errno != EEXIST)
			return log_error(-errno, "can't make %s", path);
		if (!folder_is_empty(path)) {
			log_error(0, "%s exists and isn't empty; name another folder, or remove it if its fleet may be forgotten", path);
			return -EEXIST;
		}
		if (chmod(path, 0700) < 0)
			return log_error(-errno, "can't close %s to others", path);
		r = become_owner(path);
		if (r < 0)
			return log_error(r, "can't write %s as its owner", path);
	}
	r = make_identities(path, name);
	if (!r)
		r = make_token(path);
	if (!r)
		r = make_sealing_key(path);
	if (!r)
		r = make_database(path);
	if (r < 0)
		undo(path);
	return r;
}

int state_lock(const char *path, int *ret_fd)
{
	char *token, *lock;
	int fd, r = path_of(path, "join-token", &token);

	if (r < 0)
		return r;
	r = access(token, R_OK) < 0 ? -errno : 0;
	free(token);
	if (r < 0) {
		log_error(0, "%s is no state folder that can be used (%s); make one with: repave init --state %s", path,
			  strerror(-r), path);
		return r;
	}
	r = path_of(path, "lock", &lock);
	if (r < 0)
		return r;
	fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		r = log_error(-errno, "can't open %s", lock);
	} else if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		close(fd);
		log_error(0, "another repaved runs on %s; stop it first, or give this one a state folder of its own", path);
	} else {
		*ret_fd = fd;
	}
	free(lock);
	return r;
}

int state_load(const char *state, const char *name, struct buffer *ret_data)
{
	char *path;
	int r = path_of(state, name, &path);

	if (r < 0)
		return r;
	r = file_load(path, FILE_MOST, ret_data);
	if (r < 0)
		log_error(r, "can't read %s", path);
	free(path);
	return r;
}

int state_load_token(const char *state, char ret_token[TOKEN_SIZE + 1])
{
	struct buffer data = { 0 };
	int r = state_load(state, "join-token", &data);

	if (r < 0)
		return r;
	if (data.size && data.data[data.size - 1] == '\n')
		data.data[--data.size] = 0;
	if (data.size != TOKEN_SIZE || !text_of((const char *)data.data, "0123456789abcdef", TOKEN_SIZE))
		r = log_error(-EINVAL, "%s/join-token must hold %u lower-case hexadecimal digits", state, TOKEN_SIZE);
	else
		memcpy(ret_token, data.data, TOKEN_SIZE + 1);
	explicit_bzero(data.data, data.size);
	buffer_release(&data);
	return r;
}

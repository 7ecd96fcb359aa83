/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first keys, root and (empty) metadata of a repository. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/author.h"
#include "signing/repository-private.h"

struct ceremony {
	const struct repository_policy *policy;
	int64_t now;
	struct signing_keys keys[4];
	struct pending_file files[4]; /* by enum tuf_type */
};

/* Everything is made in folders with these endings beside the wanted ones, and renamed when it is whole. */
static const char in_the_making[] = ".new";

static int make_keys(struct ceremony *c)
{
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++) {
		for (unsigned i = 0; i < c->policy->keys[role]; i++) {
			struct signing_key key;
			int r = signing_key_generate(&key);

			if (r == 0)
				r = signing_keys_add(&c->keys[role], &key);
			explicit_bzero(&key, sizeof(key));
			if (r < 0)
				return log_error(r, "can't make keys");
		}
	}
	return 0;
}

/* Takes over `body`. */
static int sign_file(struct ceremony *c, enum tuf_type role, json_t *body)
{
	struct pending_file *file = &c->files[role];
	int r = body ? author_sign(body, &c->keys[role], &file->data) : -ENOMEM;

	snprintf(file->name, sizeof(file->name), "%s%s.json", role == TUF_TIMESTAMP ? "" : "1.", tuf_type_name(role));
	json_decref(body);
	return r < 0 ? log_error(r, "can't sign %s", file->name) : 0;
}

static int make_metadata(struct ceremony *c)
{
	int64_t expires[4];
	json_t *none = json_object();
	int r;

	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++)
		expires[role] = c->now + c->policy->lifetime[role];
	r = sign_file(c, TUF_ROOT, author_root(1, expires[TUF_ROOT], c->keys, c->policy->threshold));
	if (r == 0)
		r = sign_file(c, TUF_TARGETS, author_targets(1, expires[TUF_TARGETS], none));
	if (r == 0)
		r = sign_file(c, TUF_SNAPSHOT, author_naming(TUF_SNAPSHOT, 1, expires[TUF_SNAPSHOT], "targets.json", 1,
							     &c->files[TUF_TARGETS].data));
	if (r == 0)
		r = sign_file(c, TUF_TIMESTAMP, author_naming(TUF_TIMESTAMP, 1, expires[TUF_TIMESTAMP], "snapshot.json", 1,
							      &c->files[TUF_SNAPSHOT].data));
	json_decref(none);
	return r;
}

static int store_file(const char *folder, const char *name, const struct buffer *data)
{
	char *path;
	int r;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	r = file_store(path, data->data, data->size, 0644);
	if (r < 0)
		log_error(r, "can't write %s", path);
	free(path);
	return r;
}

static int make_folder_in(const char *folder, const char *name)
{
	char *path;
	int r;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	r = make_folders(path, 0755);
	if (r < 0)
		log_error(r, "can't make %s", path);
	free(path);
	return r;
}

static int write_repository(const struct ceremony *c, const char *folder)
{
	char name[80];
	int r = make_folder_in(folder, "metadata");

	if (r == 0)
		r = make_folder_in(folder, "targets");
	for (unsigned role = TUF_ROOT; r == 0 && role <= TUF_TARGETS; role++) {
		snprintf(name, sizeof(name), "metadata/%s", c->files[role].name);
		r = store_file(folder, name, &c->files[role].data);
	}
	return r;
}

static int write_keys(const struct ceremony *c, const char *folder)
{
	int r = make_folders(folder, 0700);

	if (r == 0 && chmod(folder, 0700) < 0)
		r = -errno;
	if (r < 0)
		return log_error(r, "can't make %s", folder);
	for (unsigned role = TUF_ROOT; r == 0 && role <= TUF_TARGETS; role++)
		for (unsigned i = 0; r == 0 && i < c->keys[role].count; i++)
			r = signing_key_store(folder, role, i + 1, &c->keys[role].keys[i]);
	if (r < 0)
		return log_error(r, "can't write keys to %s", folder);
	return store_file(folder, "root.json", &c->files[TUF_ROOT].data);
}

/* Removes a folder of this program's own making: metadata, keys, empty folders. */
static void remove_made(const char *folder, const struct ceremony *c)
{
	static const char *const names[] = { "root.json", "metadata", "targets", "" };
	char path[4096];

	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++) {
		snprintf(path, sizeof(path), "%s/metadata/%s", folder, c->files[role].name);
		unlink(path);
		for (unsigned i = 1; i <= c->policy->keys[role]; i++) {
			snprintf(path, sizeof(path), "%s/%s-%u.key", folder, tuf_type_name(role), i);
			unlink(path);
		}
	}
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		remove(path);
	}
}

/* An empty folder is as good as none; rename replaces it. */
static int refuse_existing(const char *folder, const char *what)
{
	DIR *entries = opendir(folder);
	int n = 0;

	if (!entries && errno == ENOENT)
		return 0;
	while (entries && n < 3 && readdir(entries))
		n++;
	if (entries)
		closedir(entries);
	if (entries && n == 2) /* "." and ".." */
		return 0;
	log_error(0, "%s exists already and isn't an empty folder: name another for the new %s", folder, what);
	return -EEXIST;
}

static int put_in_place(const char *made, const char *folder)
{
	if (rename(made, folder) == 0)
		return 0;
	return log_error(-errno, "can't rename %s to %s", made, folder);
}

/* Beside the folder, also when its name is given with a slash at its end. */
static int name_new(const char *folder, char **ret_name)
{
	size_t size = strlen(folder);

	while (size > 1 && folder[size - 1] == '/')
		size--;
	return asprintf(ret_name, "%.*s%s", (int)size, folder, in_the_making) < 0 ? -ENOMEM : 0;
}

static int write_all(const struct ceremony *c, const char *folder, const char *keys_folder)
{
	char *new_folder = NULL, *new_keys = NULL;
	int r = 0;

	if (name_new(folder, &new_folder) < 0 || name_new(keys_folder, &new_keys) < 0) {
		free(new_folder);
		return -ENOMEM;
	}
	remove_made(new_folder, c);
	remove_made(new_keys, c);
	r = write_repository(c, new_folder);
	if (r == 0)
		r = write_keys(c, new_keys);
	if (r == 0)
		r = put_in_place(new_keys, keys_folder);
	if (r == 0) {
		r = put_in_place(new_folder, folder);
		if (r < 0)
			remove_made(keys_folder, c);
	}
	if (r < 0) {
		remove_made(new_folder, c);
		remove_made(new_keys, c);
	}
	free(new_folder);
	free(new_keys);
	return r;
}

int repository_init(const char *folder, const char *keys_folder, const struct repository_policy *policy, int64_t now)
{
	struct ceremony c = { .policy = policy, .now = now };
	int r = refuse_existing(folder, "repository");

	if (r == 0)
		r = refuse_existing(keys_folder, "folder of keys");
	if (r < 0)
		return r;
	r = make_keys(&c);
	if (r == 0)
		r = make_metadata(&c);
	if (r == 0)
		r = write_all(&c, folder, keys_folder);
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++) {
		signing_keys_release(&c.keys[role]);
		buffer_release(&c.files[role].data);
	}
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/init.h"

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

/* Everything is made in folders with these endings beside the wanted ones, and renamed when it is whole. */
static const char in_the_making[] = ".new";

struct ceremony {
	const struct init_options *options;
	const char *passphrase;      /* or NULL */
	struct keyring ring;         /* all keys, given and made */
	json_t *keyids[4];           /* by enum tuf_type */
	char *folder, *keys_folder;  /* in the making */
};

/* ------------------------------------------------------------------ keys */

static int add_keyid(struct ceremony *c, enum tuf_type role, const char *keyid)
{
	return json_array_append_new(c->keyids[role], json_string(keyid)) < 0 ? -ENOMEM : 0;
}

static int take_file(struct ceremony *c, enum tuf_type role, const char *path)
{
	struct key_file file;
	int r = key_file_load(path, &file);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < json_array_size(c->keyids[role]); i++)
		if (strcmp(json_string_value(json_array_get(c->keyids[role], i)), file.keyid) == 0) {
			log_error(0, "the key %s is given twice for %s", path, tuf_type_name(role));
			r = -EEXIST;
		}
	if (r == 0)
		r = add_keyid(c, role, file.keyid);
	if (r == 0 && !keyring_find(&c->ring, file.keyid))
		r = keyring_add(&c->ring, path);
	key_file_release(&file);
	return r;
}

static int take_given(struct ceremony *c, enum tuf_type role)
{
	int r = 0;

	for (const char *const *path = c->options->given[role]; r == 0 && path && *path; path++)
		r = take_file(c, role, *path);
	return r;
}

static int store_key(const struct ceremony *c, enum tuf_type role, const struct signing_key *key, json_t *roles, int64_t expires)
{
	/* The control unit signs with its keys by itself, so nobody could type a passphrase. */
	bool encrypt = c->passphrase && (role == TUF_ROOT || role == TUF_TARGETS);
	struct buffer text = { 0 };
	char *path;
	int r = asprintf(&path, "%s/%s.key", c->keys_folder, key->name) < 0 ? -ENOMEM : 0;

	if (r < 0)
		return r;
	r = key_file_format(key, roles, c->options->now, expires, encrypt ? c->passphrase : NULL, &text);
	if (r == 0)
		r = file_store(path, text.data, text.size, 0600);
	if (r < 0)
		log_error(r, "can't write %s", path);
	secret_buffer_release(&text);
	free(path);
	return r;
}

static int make_key(struct ceremony *c, enum tuf_type role, unsigned number)
{
	int64_t expires = c->options->key_life ? c->options->now + c->options->key_life : 0;
	json_t *roles = json_pack("[s]", tuf_type_name(role));
	struct signing_key key;
	int r = roles ? signing_key_generate(c->options->type, &key) : -ENOMEM;

	if (r < 0) {
		json_decref(roles);
		return log_error(r, "can't make a key");
	}
	snprintf(key.name, sizeof(key.name), "%s-%u", tuf_type_name(role), number);
	r = store_key(c, role, &key, roles, expires);
	if (r == 0)
		r = keyring_add_key(&c->ring, &key, roles, expires);
	if (r == 0)
		r = add_keyid(c, role, key.keyid);
	explicit_bzero(&key, sizeof(key));
	json_decref(roles);
	return r;
}

static int gather_keys(struct ceremony *c)
{
	int r = 0;

	for (unsigned role = TUF_ROOT; r == 0 && role <= TUF_TARGETS; role++) {
		c->keyids[role] = json_array();
		r = c->keyids[role] ? take_given(c, role) : -ENOMEM;
		for (unsigned n = 1; r == 0 && json_array_size(c->keyids[role]) < c->options->policy->keys[role]; n++)
			r = make_key(c, role, n);
		if (r == 0 && json_array_size(c->keyids[role]) < c->options->policy->threshold[role]) {
			log_error(0, "%s needs more keys than it has: give --threshold-%s N/M", tuf_type_name(role), tuf_type_name(role));
			r = -EINVAL;
		}
	}
	return r;
}

/* ------------------------------------------------------------------ metadata */

static json_t *role_of(const struct ceremony *c, enum tuf_type role)
{
	return json_pack("{s:O, s:i}", "keyids", c->keyids[role], "threshold", (int)c->options->policy->threshold[role]);
}

static json_t *make_root(const struct ceremony *c)
{
	json_t *keys = json_object(), *names = json_object(), *root = NULL;
	int r = keys && names ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < c->ring.count; i++) {
		const struct key_file *file = &c->ring.keys[i].file;

		if (json_object_set(keys, file->keyid, file->public) < 0 ||
		    json_object_set_new(names, file->keyid, json_string(file->name)) < 0)
			r = -ENOMEM;
	}
	if (r == 0)
		root = json_pack("{s:s, s:s, s:b, s:O, s:O, s:{s:o, s:o, s:o, s:o}}", "_type", "root", "spec_version",
				 AUTHOR_SPEC_VERSION, "consistent_snapshot", 1, "keys", keys, AUTHOR_NAMES, names, "roles", "root",
				 role_of(c, TUF_ROOT), "timestamp", role_of(c, TUF_TIMESTAMP), "snapshot",
				 role_of(c, TUF_SNAPSHOT), "targets", role_of(c, TUF_TARGETS));
	json_decref(keys);
	json_decref(names);
	return root;
}

static int stage_first(const struct ceremony *c, struct repository *repository)
{
	const int64_t *lifetime = c->options->policy->lifetime;
	json_t *root = make_root(c), *targets = author_empty_targets();
	int r = root && targets ? 0 : -ENOMEM;

	if (r == 0)
		r = repository_stage(repository, repository_role(repository, "root"), root, c->options->now + lifetime[TUF_ROOT], true);
	if (r == 0)
		r = repository_stage(repository, repository_role(repository, "targets"), targets,
				     c->options->now + lifetime[TUF_TARGETS], true);
	json_decref(root);
	json_decref(targets);
	return r;
}

static int make_folder_in(const char *folder, const char *name, mode_t mode)
{
	char *path;
	int r;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return -ENOMEM;
	r = make_folders(path, 0755);
	if (r == 0 && chmod(path, mode) < 0)
		r = -errno;
	if (r < 0)
		log_error(r, "can't make %s", path);
	free(path);
	return r;
}

/* Where an empty file tells repository_open that nothing is published yet. */
static int make_repository(struct ceremony *c)
{
	struct publish_options publish = { .ring = &c->ring, .policy = c->options->policy, .now = c->options->now,
					   .keys_are_elsewhere = true };
	struct repository repository;
	char *path = NULL;
	int r = make_folder_in(c->folder, "targets", 0755);

	if (r == 0)
		r = make_folder_in(c->folder, "staged", 0755);
	if (r == 0 && asprintf(&path, "%s/staged/root.json", c->folder) < 0)
		r = -ENOMEM;
	if (r == 0 && (r = file_store(path, "", 0, 0644)) < 0)
		log_error(r, "can't write %s", path);
	free(path);
	if (r == 0)
		r = repository_open(c->folder, NULL, &repository);
	if (r < 0)
		return r;
	r = stage_first(c, &repository);
	if (r == 0)
		r = repository_publish_with(&repository, &publish);
	repository_close(&repository);
	return r;
}

/* What initramfs and signers trust, beside the keys. */
static int copy_root(const struct ceremony *c)
{
	struct buffer root = { 0 };
	char *path = NULL;
	int r = repository_fetch(c->folder, "1.root.json", TUF_ROOT_MOST, &root);

	if (r == 0 && asprintf(&path, "%s/root.json", c->keys_folder) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = file_store(path, root.data, root.size, 0644);
	if (r < 0)
		log_error(r, "can't write root.json to %s", c->keys_folder);
	free(path);
	buffer_release(&root);
	return r;
}

/* ------------------------------------------------------------------ folders */

/* A folder of this program's own making, at most two deep. */
static void remove_made(const char *folder, unsigned depth)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;

	while (entries && (entry = readdir(entries))) {
		char *path;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0 ||
		    asprintf(&path, "%s/%s", folder, entry->d_name) < 0)
			continue;
		if (unlink(path) < 0 && depth > 0)
			remove_made(path, depth - 1);
		free(path);
	}
	if (entries)
		closedir(entries);
	rmdir(folder);
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

/* ------------------------------------------------------------------ all of it */

static int make_all(struct ceremony *c)
{
	int r = make_folders(c->keys_folder, 0700);

	if (r == 0 && chmod(c->keys_folder, 0700) < 0)
		r = -errno;
	if (r < 0)
		return log_error(r, "can't make %s", c->keys_folder);
	r = gather_keys(c);
	if (r == 0)
		r = make_repository(c);
	if (r < 0 || r == PUBLISH_WAITS)
		return r;
	return copy_root(c);
}

static int place_all(const struct ceremony *c, const char *folder, const char *keys_folder)
{
	int r = put_in_place(c->keys_folder, keys_folder);

	if (r == 0) {
		r = put_in_place(c->folder, folder);
		if (r < 0)
			remove_made(keys_folder, 0);
	}
	return r;
}

/* Only when there is something to encrypt. */
static int get_passphrase(struct ceremony *c)
{
	static const enum tuf_type offline[] = { TUF_ROOT, TUF_TARGETS };
	bool makes = false;

	for (size_t i = 0; i < 2; i++) {
		const char *const *given = c->options->given[offline[i]];
		unsigned n = 0;

		while (given && given[n])
			n++;
		makes = makes || n < c->options->policy->keys[offline[i]];
	}
	return c->options->passphrases && makes ?
	       passphrase_get_new(c->options->passphrases, "the root and targets keys", &c->passphrase) : 0;
}

int repository_init_with(const char *folder, const char *keys_folder, const struct init_options *options)
{
	struct ceremony c = { .options = options };
	int r = refuse_existing(folder, "repository"), made;

	c.ring = (struct keyring){ .passphrases = options->passphrases, .now = options->now };
	if (r == 0)
		r = refuse_existing(keys_folder, "folder of keys");
	if (r == 0 && (name_new(folder, &c.folder) < 0 || name_new(keys_folder, &c.keys_folder) < 0))
		r = -ENOMEM;
	if (r == 0)
		r = get_passphrase(&c);
	if (r == 0) {
		remove_made(c.folder, 1);
		remove_made(c.keys_folder, 0);
		made = make_all(&c);
		r = made < 0 ? made : place_all(&c, folder, keys_folder);
		if (r < 0) {
			remove_made(c.folder, 1);
			remove_made(c.keys_folder, 0);
		}
		r = r == 0 ? made : r;
	}
	keyring_release(&c.ring);
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++)
		json_decref(c.keyids[role]);
	free(c.folder);
	free(c.keys_folder);
	return r;
}

int repository_init(const char *folder, const char *keys_folder, const struct repository_policy *policy, int64_t now)
{
	struct init_options options = { .policy = policy, .type = KEY_ED25519, .now = now };

	return repository_init_with(folder, keys_folder, &options);
}

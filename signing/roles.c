/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A repository's roles: opened, verified, and their next versions staged. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/author.h"
#include "signing/repository-private.h"
#include "signing/signers.h"

#define ROLES_MOST 1024

/* ------------------------------------------------------------------ roles */

struct repository_role *repository_role(const struct repository *repository, const char *name)
{
	for (size_t i = 0; i < repository->count; i++)
		if (strcmp(repository->roles[i].name, name) == 0)
			return &repository->roles[i];
	return NULL;
}

struct repository_role *repository_make_role(struct repository *repository, const char *name)
{
	struct repository_role *role = repository_role(repository, name), *more;

	if (role)
		return role;
	more = realloc(repository->roles, (repository->count + 1) * sizeof(*more));
	if (!more)
		return NULL;
	repository->roles = more;
	role = &more[repository->count];
	*role = (struct repository_role){ .name = strdup(name), .type = TUF_TARGETS };
	if (!role->name)
		return NULL;
	repository->count++;
	return role;
}

static void release_role(struct repository_role *role)
{
	free(role->name);
	json_decref(role->published);
	json_decref(role->staged);
	buffer_release(&role->data);
}

json_t *repository_body(const struct repository *repository, const char *name)
{
	const struct repository_role *role = repository_role(repository, name);

	return role ? json_object_get(role->staged ? role->staged : role->published, "signed") : NULL;
}

int repository_signers(const struct repository *repository, const char *role, struct signers *ret_signers)
{
	int r = signers_of_top(repository_body(repository, "root"), role, ret_signers);

	return r == 0 ? 0 : signers_of_delegated(repository_body(repository, "targets"), role, ret_signers);
}

json_t *snapshot_meta(const struct repository *repository)
{
	return json_object_get(json_object_get(repository->roles[TUF_SNAPSHOT].published, "signed"), "meta");
}

/* ------------------------------------------------------------------ opening */

static int lock_folder(const char *folder, int *ret_lock)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return log_error(-errno, "can't open the repository %s (repave-sign init makes one)", folder);
	if (flock(fd, LOCK_EX) < 0) {
		int r = log_error(-errno, "can't lock the repository %s", folder);

		close(fd);
		return r;
	}
	*ret_lock = fd;
	return 0;
}

static bool exists_in(const char *folder, const char *name)
{
	char *path;
	bool exists;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		return false;
	exists = access(path, F_OK) == 0;
	free(path);
	return exists;
}

static int load_trusted_root(const char *folder, const char *keys_folder, struct buffer *ret_data)
{
	char *path = NULL;
	int r = -ENOENT;

	if (keys_folder) {
		if (asprintf(&path, "%s/root.json", keys_folder) < 0)
			return -ENOMEM;
		r = file_load(path, TUF_ROOT_MOST, ret_data);
	}
	if (r == -ENOENT) {
		free(path);
		if (asprintf(&path, "%s/metadata/1.root.json", folder) < 0)
			return -ENOMEM;
		r = file_load(path, TUF_ROOT_MOST, ret_data);
	}
	if (r < 0)
		log_error(0, "can't read the trusted root %s: %s: give the folder of a repository (repave-sign init makes one), or take "
			  "the file from a backup", path, strerror(-r));
	free(path);
	return r;
}

/* Takes over `data` as the published metadata of a role. */
static int set_published(struct repository_role *role, struct buffer *data)
{
	char error[160];
	uint64_t version = 0;

	role->published = json_parse(data->data, data->size, error);
	if (!role->published || json_get_u64(json_object_get(role->published, "signed"), "version", &version) < 0)
		return log_error(-EBADMSG, "the published metadata of %s can't be read", role->name);
	role->version = version;
	role->data = *data;
	*data = (struct buffer){ 0 };
	return 0;
}

static int load_top_level(struct repository *repository)
{
	struct memory_store memory;
	int r = repository_verify(repository->folder, NULL, 0, &repository->trusted_root, 0, &memory);

	for (unsigned type = TUF_ROOT; r == 0 && type <= TUF_TARGETS; type++) {
		struct buffer *data = memory_store_get(&memory, tuf_type_name(type));

		r = data ? set_published(&repository->roles[type], data) : -EBADMSG;
	}
	memory_store_release(&memory);
	return r;
}

/* A delegated role that the snapshot names. What isn't there or isn't what the snapshot says counts as not published: its
 * account can publish it anew. */
static int load_delegated(struct repository *repository, const char *name, const json_t *said)
{
	struct repository_role *role;
	struct buffer data = { 0 };
	char file[TUF_FILE_NAME_SIZE];
	uint64_t version = 0;
	json_t *meta;
	int r;

	if (strlen(name) >= TUF_ROLE_SIZE || json_get_u64(said, "version", &version) < 0)
		return 0;
	metadata_file_name(name, version, file);
	r = repository_fetch(repository->folder, file, TUF_TARGETS_MOST, &data);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	meta = author_meta(version, &data);
	if (meta && json_equal(json_object_get(meta, "hashes"), json_object_get(said, "hashes"))) {
		role = repository_make_role(repository, name);
		r = role ? set_published(role, &data) : -ENOMEM;
		if (r == -EBADMSG)
			r = 0;
	} else if (meta) {
		log_warning("metadata/%s isn't the file that the snapshot names", file);
	}
	json_decref(meta);
	buffer_release(&data);
	return r;
}

static int load_all_delegated(struct repository *repository)
{
	static const char ending[] = ".json";
	const char *file;
	json_t *said;
	int r = 0;

	json_object_foreach(snapshot_meta(repository), file, said) {
		size_t size = strlen(file);
		char *name;

		if (size <= strlen(ending) || strcmp(file + size - strlen(ending), ending) != 0 || strcmp(file, "targets.json") == 0)
			continue;
		if (repository->count > ROLES_MOST)
			return log_error(-EFBIG, "the snapshot names more than %d roles", ROLES_MOST);
		name = strndup(file, size - strlen(ending));
		r = name ? load_delegated(repository, name, said) : -ENOMEM;
		free(name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_documents(struct repository *repository, const char *keys_folder)
{
	int r = 0;

	for (unsigned type = TUF_ROOT; r == 0 && type <= TUF_TARGETS; type++) {
		struct repository_role *role = repository_make_role(repository, tuf_type_name(type));

		if (role)
			role->type = type;
		else
			r = -ENOMEM;
	}
	/* The first versions may still be waiting for signatures (repository_init). */
	if (r < 0 || (!exists_in(repository->folder, "metadata") && exists_in(repository->folder, "staged/root.json")))
		return r;
	r = load_trusted_root(repository->folder, keys_folder, &repository->trusted_root);
	if (r == 0)
		r = load_top_level(repository);
	return r == 0 ? load_all_delegated(repository) : r;
}

int repository_open(const char *folder, const char *keys_folder, struct repository *ret_repository)
{
	struct repository repository = { .lock = -1 };
	int r;

	repository.folder = strdup(folder);
	r = repository.folder ? lock_folder(folder, &repository.lock) : -ENOMEM;
	if (r == 0)
		r = load_documents(&repository, keys_folder);
	if (r < 0) {
		repository_close(&repository);
		return r;
	}
	*ret_repository = repository;
	return 0;
}

void repository_close(struct repository *repository)
{
	for (size_t i = 0; i < repository->count; i++)
		release_role(&repository->roles[i]);
	free(repository->roles);
	buffer_release(&repository->trusted_root);
	if (repository->lock >= 0)
		close(repository->lock);
	free(repository->folder);
	memset(repository, 0, sizeof(*repository));
	repository->lock = -1;
}

/* ------------------------------------------------------------------ staged documents */

static int staged_path(const struct repository *repository, const char *role, char **ret_path)
{
	char file[TUF_FILE_NAME_SIZE];

	if (strlen(role) >= TUF_ROLE_SIZE)
		return log_error(-ENAMETOOLONG, "a role of this name can't be staged");
	metadata_file_name(role, 0, file);
	return asprintf(ret_path, "%s/staged/%s", repository->folder, file) < 0 ? -ENOMEM : 0;
}

/* The version that comes after everything that nodes may have seen. */
uint64_t repository_next_version(const struct repository *repository, const struct repository_role *role)
{
	char file[META_NAME_SIZE];
	uint64_t named = 0;

	meta_name(role->name, file);
	json_get_u64(json_object_get(snapshot_meta(repository), file), "version", &named);
	return (named > role->version ? named : role->version) + 1;
}

/* A copy without what changes with every version. */
static json_t *essence(const json_t *body)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)body);

	if (copy) {
		json_object_del(copy, "version");
		json_object_del(copy, "expires");
	}
	return copy;
}

static bool says_the_same(const json_t *a, const json_t *b)
{
	json_t *left = essence(a), *right = essence(b);
	bool same = left && right && json_equal(left, right);

	json_decref(left);
	json_decref(right);
	return same;
}

static int parse_staged(const struct repository *repository, struct repository_role *role, const char *path,
			const struct buffer *data)
{
	struct tuf_document document = { 0 };
	char error[TUF_ERROR_SIZE], also[160];
	json_t *json, *body;
	uint64_t version = 0, wanted = repository_next_version(repository, role);
	int r = tuf_document_parse(role->type, data->data, data->size, &document, error);

	tuf_document_release(&document);
	json = r == 0 ? json_parse(data->data, data->size, also) : NULL;
	body = json_object_get(json, "signed");
	if (!body || json_get_u64(body, "version", &version) < 0) {
		log_error(0, "%s is damaged (%s): repave-sign discard --role %s, and make the change again", path,
			  r < 0 ? error : "no metadata", role->name);
		r = -EINVAL;
	} else if (role->published && version == role->version && says_the_same(body, json_object_get(role->published, "signed"))) {
		; /* published, and the power went before the file could be removed */
	} else if (version != wanted) {
		log_error(0, "%s is version %" PRIu64 " of %s, but %" PRIu64 " is the next: repave-sign discard --role %s, "
			  "and make the change again", path, version, role->name, wanted, role->name);
		r = -EINVAL;
	} else {
		json_decref(role->staged);
		role->staged = json_incref(json);
	}
	json_decref(json);
	return r;
}

static int load_staged(struct repository *repository, const char *name)
{
	struct repository_role *role = repository_make_role(repository, name);
	struct buffer data = { 0 };
	char *path = NULL;
	int r = role ? staged_path(repository, name, &path) : -ENOMEM;

	if (r < 0)
		return r;
	r = file_load(path, TUF_TARGETS_MOST, &data);
	if (r == 0)
		r = parse_staged(repository, role, path, &data);
	else if (r == -ENOENT)
		r = 0;
	else
		log_error(r, "can't read %s", path);
	buffer_release(&data);
	free(path);
	return r;
}

int repository_load_staged(struct repository *repository)
{
	const json_t *delegations;
	int r = load_staged(repository, "root");

	if (r == 0)
		r = load_staged(repository, "targets");
	if (r < 0)
		return r;
	/* What isn't delegated (any more) isn't anybody's. */
	delegations = json_object_get(json_object_get(repository_body(repository, "targets"), "delegations"), "roles");
	for (size_t i = 0; r == 0 && i < json_array_size(delegations); i++) {
		const char *name = json_get_string(json_array_get(delegations, i), "name");

		if (name)
			r = load_staged(repository, name);
	}
	return r;
}

int repository_store_staged(const struct repository *repository, const struct repository_role *role)
{
	struct buffer text = { 0 };
	char *path = NULL, *folder = NULL;
	int r = staged_path(repository, role->name, &path);

	if (r == 0 && asprintf(&folder, "%s/staged", repository->folder) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = author_format(role->staged, &text);
	if (r == 0) {
		r = make_folders(folder, 0755);
		if (r == 0)
			r = file_store(path, text.data, text.size, 0644);
		if (r < 0)
			log_error(r, "can't write %s", path);
	}
	buffer_release(&text);
	free(folder);
	free(path);
	return r;
}

int repository_unstage(struct repository *repository, struct repository_role *role)
{
	char *path;
	int r = staged_path(repository, role->name, &path);

	if (r < 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		r = log_error(-errno, "can't remove %s", path);
	if (r == 0) {
		json_decref(role->staged);
		role->staged = NULL;
	}
	free(path);
	return r;
}

int repository_stage(struct repository *repository, struct repository_role *role, json_t *body, int64_t expires, bool renew)
{
	const json_t *published = json_object_get(role->published, "signed"), *staged = json_object_get(role->staged, "signed");
	json_t *document, *before = role->staged;
	int r;

	if (!renew && published && says_the_same(body, published))
		return role->staged ? repository_unstage(repository, role) : 0;
	if (!renew && staged && says_the_same(body, staged))
		return 0;
	document = json_pack("{s:[], s:O}", "signatures", "signed", body);
	r = document ? author_stamp(body, repository_next_version(repository, role), expires) : -ENOMEM;
	if (r == 0) {
		role->staged = document;
		r = repository_store_staged(repository, role);
	}
	if (r < 0) {
		role->staged = before;
		json_decref(document);
	} else {
		json_decref(before);
	}
	return r;
}

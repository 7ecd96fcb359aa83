/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening, adding and removing; making and publishing metadata is publish.c. */
#include "signing/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/document-json.h"
#include "signing/repository-private.h"
#include "signing/sha256.h"

#define CHUNK (1u << 20)

char *repository_target_file(const char *folder, const char *path, const uint8_t sha256[32])
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
	char digest[65], *file;

	hex_format(sha256, 32, digest);
	if (asprintf(&file, "%s/targets/%.*s%s.%s", folder, (int)(name - path), path, digest, name) < 0)
		return NULL;
	return file;
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
		log_error(r, "can't read the trusted root %s", path);
	free(path);
	return r;
}

static int load_documents(struct repository *repository, const char *keys_folder)
{
	struct buffer root = { 0 };
	char error[TUF_ERROR_SIZE];
	int r = load_trusted_root(repository->folder, keys_folder, &root);

	if (r == 0)
		r = repository_verify(repository->folder, NULL, 0, &root, 0, repository->data);
	for (unsigned type = TUF_ROOT; r == 0 && type <= TUF_TARGETS; type++)
		r = tuf_document_parse(type, repository->data[type].data, repository->data[type].size,
				       &repository->documents[type], error);
	buffer_release(&root);
	return r;
}

static int staged_path(const struct repository *repository, char **ret_path)
{
	return asprintf(ret_path, "%s/staged/targets.json", repository->folder) < 0 ? -ENOMEM : 0;
}

/* The published list, for comparing and changing. A new reference, or NULL when out of memory. */
static json_t *published_targets(const struct repository *repository)
{
	return tree_to_json(tree_get(repository->documents[TUF_TARGETS].body, "targets"));
}

static int parse_staged(struct repository *repository, const char *path, const struct buffer *data)
{
	char error[160];
	json_t *json = json_parse(data->data, data->size, error), *targets = json_get_object(json, "targets");
	json_t *published = published_targets(repository);
	uint64_t base = 0;
	int r = published ? 0 : -ENOMEM;

	if (r < 0) {
		;
	} else if (!targets || json_get_u64(json, "base", &base) < 0) {
		log_error(0, "%s is damaged: remove it and add the images again", path);
		r = -EINVAL;
	} else if (json_equal(targets, published)) {
		; /* published, and the power went before the file could be removed */
	} else if (base != repository->documents[TUF_TARGETS].version) {
		log_error(0, "%s changes targets version %" PRIu64 ", but version %" PRIu64
			  " was published meanwhile: remove it and add the images again", path, base,
			  repository->documents[TUF_TARGETS].version);
		r = -EINVAL;
	} else {
		json_decref(repository->targets);
		repository->targets = json_incref(targets);
		repository->is_staged = true;
	}
	json_decref(published);
	json_decref(json);
	return r;
}

int repository_load_staged(struct repository *repository)
{
	struct buffer data = { 0 };
	char *path;
	int r = staged_path(repository, &path);

	if (r < 0)
		return r;
	r = file_load(path, TUF_TARGETS_MOST, &data);
	if (r == 0)
		r = parse_staged(repository, path, &data);
	else if (r == -ENOENT)
		r = 0;
	else
		log_error(r, "can't read %s", path);
	buffer_release(&data);
	free(path);
	return r;
}

int repository_open(const char *folder, const char *keys_folder, struct repository *ret_repository)
{
	struct repository repository = { .lock = -1 };
	int r;

	repository.folder = strdup(folder);
	r = repository.folder ? lock_folder(folder, &repository.lock) : -ENOMEM;
	if (r == 0)
		r = load_documents(&repository, keys_folder);
	if (r == 0) {
		repository.targets = published_targets(&repository);
		r = repository.targets ? 0 : -ENOMEM;
	}
	if (r < 0) {
		repository_close(&repository);
		return r;
	}
	*ret_repository = repository;
	return 0;
}

void repository_close(struct repository *repository)
{
	for (unsigned type = TUF_ROOT; type <= TUF_TARGETS; type++) {
		tuf_document_release(&repository->documents[type]);
		buffer_release(&repository->data[type]);
	}
	json_decref(repository->targets);
	if (repository->lock >= 0)
		close(repository->lock);
	free(repository->folder);
	memset(repository, 0, sizeof(*repository));
	repository->lock = -1;
}

/* ------------------------------------------------------------------ staging */

int repository_unstage(struct repository *repository)
{
	char *path;
	int r = staged_path(repository, &path);

	if (r < 0)
		return r;
	if (unlink(path) < 0 && errno != ENOENT)
		r = log_error(-errno, "can't remove %s", path);
	if (r == 0)
		repository->is_staged = false;
	free(path);
	return r;
}

static int store_staged(struct repository *repository, const char *path, json_t *targets)
{
	json_t *json = json_pack("{s:i, s:I, s:O}", "format", 1, "base",
				 (json_int_t)repository->documents[TUF_TARGETS].version, "targets", targets);
	char *text = json ? json_dumps(json, JSON_INDENT(1) | JSON_SORT_KEYS) : NULL, *folder = NULL;
	int r = text && asprintf(&folder, "%s/staged", repository->folder) >= 0 ? 0 : -ENOMEM;

	if (r == 0)
		r = make_folders(folder, 0755);
	if (r == 0)
		r = file_store(path, text, strlen(text), 0644);
	if (r < 0)
		log_error(r, "can't write %s", path);
	free(folder);
	free(text);
	json_decref(json);
	return r;
}

/* Takes over `targets` (borrowed) as the list that the next publish signs. */
static int stage(struct repository *repository, json_t *targets)
{
	json_t *published = published_targets(repository);
	bool is_published = published && json_equal(targets, published);
	char *path;
	int r;

	json_decref(published);
	if (is_published)
		return repository->is_staged ? repository_unstage(repository) : 0;
	if (repository->is_staged && json_equal(targets, repository->targets))
		return 0;
	r = staged_path(repository, &path);
	if (r < 0)
		return r;
	r = store_staged(repository, path, targets);
	free(path);
	if (r == 0) {
		json_decref(repository->targets);
		repository->targets = json_incref(targets);
		repository->is_staged = true;
	}
	return r;
}

/* ------------------------------------------------------------------ adding */

static bool has_os(const json_t *targets, const char *os)
{
	const char *path;
	json_t *target;

	json_object_foreach((json_t *)(uintptr_t)targets, path, target) {
		if (strncmp(path, "os/", 3) == 0 && strncmp(path + 3, os, strlen(os)) == 0 && path[3 + strlen(os)] == '/')
			return true;
	}
	return false;
}

/* The first application in `targets` whose OS isn't there, or NULL. */
static const char *find_misfit(const json_t *targets, const char **ret_os)
{
	const char *path;
	json_t *target;

	json_object_foreach((json_t *)(uintptr_t)targets, path, target) {
		*ret_os = json_get_string(json_object_get(target, "custom"), "requires_os");
		if (*ret_os && !has_os(targets, *ret_os))
			return path;
	}
	return NULL;
}

static json_t *target_entry(const struct checked_image *image)
{
	char digest[65];

	hex_format(image->wire_sha256, 32, digest);
	return json_pack("{s:I, s:{s:s}, s:O}", "length", (json_int_t)image->description.wire_size, "hashes", "sha256",
			 digest, "custom", image->json);
}

/* Whether the repository's file has the bytes that are signed. */
static bool is_stored(const char *file, const struct checked_image *image)
{
	struct sha256 sha;
	uint8_t *chunk = malloc(CHUNK), digest[32] = { 0 };
	int fd = open(file, O_RDONLY | O_CLOEXEC);
	ssize_t n = 1;

	sha256_init(&sha);
	while (chunk && fd >= 0 && n > 0) {
		n = read(fd, chunk, CHUNK);
		if (n > 0)
			sha256_update(&sha, chunk, (size_t)n);
	}
	sha256_final(&sha, digest);
	free(chunk);
	if (fd < 0)
		return false;
	close(fd);
	return n == 0 && memcmp(digest, image->wire_sha256, 32) == 0;
}

/* Copies exactly the bytes that were checked: a file that changes meanwhile is refused. */
static int copy_bytes(int from, int to, const struct checked_image *image)
{
	uint64_t size = image->description.wire_size;
	uint8_t *chunk = malloc(CHUNK), digest[32];
	struct sha256 sha;
	int r = chunk ? 0 : -ENOMEM;

	sha256_init(&sha);
	for (uint64_t at = 0; r == 0 && at < size; at += CHUNK) {
		size_t now = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		r = read_full_at(from, chunk, now, at);
		if (r == 0)
			r = write_full_at(to, chunk, now, at);
		sha256_update(&sha, chunk, now);
	}
	sha256_final(&sha, digest);
	free(chunk);
	if (r == 0 && memcmp(digest, image->wire_sha256, 32) != 0)
		r = -EBUSY;
	return r == 0 && fsync(to) < 0 ? -errno : r;
}

/* Metadata must not outlive, over a power cut, the image that it names. */
static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0 || fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

static int copy_wire(const struct checked_image *image, const char *file)
{
	char *temporary = NULL, *folder = strdup(file);
	int from = -1, to = -1, r = folder && asprintf(&temporary, "%s.new", file) >= 0 ? 0 : -ENOMEM;

	if (r < 0)
		goto out;
	*strrchr(folder, '/') = '\0';
	r = make_folders(folder, 0755);
	if (r < 0)
		goto out;
	from = open(image->wire_file, O_RDONLY | O_CLOEXEC);
	to = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	r = from < 0 || to < 0 ? -errno : copy_bytes(from, to, image);
	if (r == 0 && rename(temporary, file) < 0)
		r = -errno;
	if (r == 0)
		r = sync_folder(folder);
	if (r < 0 && to >= 0)
		unlink(temporary);
out:
	if (r < 0)
		log_error(r, "can't copy %s to %s", image->wire_file, file);
	if (from >= 0)
		close(from);
	if (to >= 0)
		close(to);
	free(temporary);
	free(folder);
	return r;
}

/* Copies what isn't there; on error removes what this call copied. */
static int copy_all(const char *folder, const struct checked_image *images, size_t count)
{
	char **copied = calloc(count + 1, sizeof(*copied));
	int r = copied ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count; i++) {
		char *file = repository_target_file(folder, images[i].path, images[i].wire_sha256);

		if (!file) {
			r = -ENOMEM;
		} else if (is_stored(file, &images[i])) {
			free(file);
		} else {
			r = copy_wire(&images[i], file);
			copied[i] = file;
		}
	}
	for (size_t i = 0; copied && i < count; i++) {
		if (r < 0 && copied[i])
			unlink(copied[i]);
		free(copied[i]);
	}
	free(copied);
	return r;
}

/* Two descriptions of one target in one call contradict each other. */
static int refuse_duplicates(const struct checked_image *images, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = i + 1; k < count; k++)
			if (strcmp(images[i].path, images[k].path) == 0) {
				log_error(0, "%s and %s are both %s: give one of them", images[i].description_file,
					  images[k].description_file, images[i].path);
				return -EINVAL;
			}
	return 0;
}

static int refuse_misfit(const json_t *targets)
{
	const char *os, *misfit = find_misfit(targets, &os);

	if (!misfit)
		return 0;
	log_error(0, "%s requires the OS \"%s\", which is neither in the repository nor among the images given: "
		  "add that OS image too", misfit, os);
	return -EINVAL;
}

static void report(const struct checked_image *image, const json_t *before, const json_t *after)
{
	const json_t *old = json_object_get(before, image->path);
	char size[16], wire[16];

	if (old && json_equal(old, json_object_get(after, image->path)))
		log_info("%s is unchanged", image->path);
	else
		log_info("%s %s: %s on disk, %s on the wire", image->path,
			 old ? "replaces the image that had this version" : "added",
			 format_size(image->description.image_size, size), format_size(image->description.wire_size, wire));
}

int repository_add(struct repository *repository, const struct checked_image *images, size_t count)
{
	json_t *before, *targets;
	int r = repository_load_staged(repository);

	if (r < 0)
		return r;
	before = json_incref(repository->targets);
	targets = json_copy(before);
	r = targets ? refuse_duplicates(images, count) : -ENOMEM;
	for (size_t i = 0; r == 0 && i < count; i++)
		r = json_object_set_new(targets, images[i].path, target_entry(&images[i])) < 0 ? -ENOMEM : 0;
	if (r == 0)
		r = refuse_misfit(targets);
	if (r == 0)
		r = copy_all(repository->folder, images, count);
	if (r == 0)
		r = stage(repository, targets);
	for (size_t i = 0; r == 0 && i < count; i++)
		report(&images[i], before, targets);
	json_decref(targets);
	json_decref(before);
	return r;
}

int repository_remove(struct repository *repository, const char *path)
{
	json_t *targets;
	const char *misfit, *os = NULL;
	int r = repository_load_staged(repository);

	if (r < 0)
		return r;
	if (!json_object_get(repository->targets, path)) {
		log_error(0, "there is no target %s: repave-sign show lists them", path);
		return -ENOENT;
	}
	targets = json_copy(repository->targets);
	if (!targets || json_object_del(targets, path) < 0)
		r = -ENOMEM;
	misfit = r == 0 ? find_misfit(targets, &os) : NULL;
	if (misfit) {
		log_error(0, "%s requires the OS \"%s\", whose last image this is: remove that first", misfit, os);
		r = -EINVAL;
	}
	if (r == 0)
		r = stage(repository, targets);
	json_decref(targets);
	return r;
}

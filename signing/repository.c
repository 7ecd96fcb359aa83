/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images: taken into a repository and out of it. */
#include "signing/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/author.h"
#include "signing/repository-private.h"
#include "signing/sha256.h"
#include "signing/signers.h"

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

/* ------------------------------------------------------------------ what fits together */

static bool is_image_of(const char *path, const char *os)
{
	size_t size = strlen(os);

	return strncmp(path, "os/", 3) == 0 && strncmp(path + 3, os, size) == 0 && path[3 + size] == '/';
}

static bool has_os(const json_t *targets, const char *os)
{
	const char *path;
	json_t *target;

	json_object_foreach((json_t *)(uintptr_t)targets, path, target) {
		if (is_image_of(path, os))
			return true;
	}
	return false;
}

/* The targets of a role as the next publish signs them; `changed` ones for the role that is being changed. */
static const json_t *targets_of(const struct repository *repository, const struct repository_role *role, const char *changing,
				const json_t *changed)
{
	if (role->type != TUF_TARGETS)
		return NULL;
	return strcmp(role->name, changing) == 0 ? changed :
	       json_object_get(repository_body(repository, role->name), "targets");
}

static bool somebody_has_os(const struct repository *repository, const char *changing, const json_t *changed, const char *os)
{
	for (size_t i = 0; i < repository->count; i++)
		if (has_os(targets_of(repository, &repository->roles[i], changing, changed), os))
			return true;
	return false;
}

/* The first application of any role whose OS isn't there, or NULL. */
static const char *find_misfit(const struct repository *repository, const char *changing, const json_t *changed,
			       const char **ret_os)
{
	const char *path;
	json_t *target;

	for (size_t i = 0; i < repository->count; i++) {
		const json_t *targets = targets_of(repository, &repository->roles[i], changing, changed);

		json_object_foreach((json_t *)(uintptr_t)targets, path, target) {
			*ret_os = json_get_string(json_object_get(target, "custom"), "requires_os");
			if (*ret_os && !somebody_has_os(repository, changing, changed, *ret_os))
				return path;
		}
	}
	return NULL;
}

/* The role that is to change, and a copy of its body. */
static int begin_change(struct repository *repository, const char *name, struct repository_role **ret_role, json_t **ret_body)
{
	json_t *body;
	int r = repository_load_staged(repository);

	if (r < 0)
		return r;
	body = repository_body(repository, name);
	*ret_role = repository_role(repository, name);
	if (!*ret_role || (*ret_role)->type != TUF_TARGETS ||
	    (strcmp(name, "targets") != 0 && !delegation_of(repository_body(repository, "targets"), name))) {
		log_error(0, "there is no role \"%s\" that could have images: repave-sign delegate makes one", name);
		return -ENOENT;
	}
	*ret_body = body ? json_deep_copy(body) : author_empty_targets();
	return *ret_body ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ copying */

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

static int refuse_misfit(const struct repository *repository, const char *changing, const json_t *changed)
{
	const char *os, *misfit = find_misfit(repository, changing, changed, &os);

	if (!misfit)
		return 0;
	log_error(0, "%s requires the OS \"%s\", which is neither in the repository nor among the images given: "
		  "add that OS image too", misfit, os);
	return -EINVAL;
}

/* A delegated role can't speak for what wasn't delegated to it: nodes wouldn't look there. */
static int refuse_foreign(const struct repository *repository, const char *role, const struct checked_image *images, size_t count)
{
	const json_t *delegation = delegation_of(repository_body(repository, "targets"), role);

	for (size_t i = 0; delegation && i < count; i++)
		if (!delegation_has_path(delegation, images[i].path)) {
			log_error(0, "%s isn't delegated to %s: give it an application of its own (repave-sign show lists the paths)",
				  images[i].path, role);
			return -EINVAL;
		}
	return 0;
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

int repository_add(struct repository *repository, const char *name, const struct checked_image *images, size_t count,
		   int64_t expires)
{
	struct repository_role *role;
	json_t *body = NULL, *before = NULL, *targets;
	int r = begin_change(repository, name, &role, &body);

	if (r < 0)
		return r;
	targets = json_object_get(body, "targets");
	before = json_copy(targets);
	r = before ? refuse_duplicates(images, count) : -ENOMEM;
	if (r == 0)
		r = refuse_foreign(repository, name, images, count);
	for (size_t i = 0; r == 0 && i < count; i++)
		r = json_object_set_new(targets, images[i].path, target_entry(&images[i])) < 0 ? -ENOMEM : 0;
	if (r == 0)
		r = refuse_misfit(repository, name, targets);
	if (r == 0)
		r = copy_all(repository->folder, images, count);
	if (r == 0)
		r = repository_stage(repository, role, body, expires, false);
	for (size_t i = 0; r == 0 && i < count; i++)
		report(&images[i], before, targets);
	json_decref(before);
	json_decref(body);
	return r;
}

int repository_remove(struct repository *repository, const char *name, const char *path, int64_t expires)
{
	struct repository_role *role;
	const char *misfit, *os = NULL;
	json_t *body = NULL, *targets;
	int r = begin_change(repository, name, &role, &body);

	if (r < 0)
		return r;
	targets = json_object_get(body, "targets");
	if (json_object_del(targets, path) < 0) {
		log_error(0, "there is no target %s of %s: repave-sign show lists them", path, name);
		r = -ENOENT;
	}
	misfit = r == 0 ? find_misfit(repository, name, targets, &os) : NULL;
	if (misfit) {
		log_error(0, "%s requires the OS \"%s\", whose last image this is: remove that first", misfit, os);
		r = -EINVAL;
	}
	if (r == 0)
		r = repository_stage(repository, role, body, expires, false);
	json_decref(body);
	return r;
}

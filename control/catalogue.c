// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/catalogue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/client.h"

#define ROOT_SIZE_MOST (512u * 1024)
#define RECHECK_SECONDS 3600

struct catalogue {
	char *state, *repository;
	struct image_list images;
	uint64_t version;
	char error[ERROR_TEXT];
	struct stat seen;      /* timestamp.json at the last refresh */
	int64_t checked;       /* time of the last refresh, 0: never */
};

static void free_images(struct image_list *images)
{
	free(images->items);
	*images = (struct image_list){ 0 };
}

int catalogue_new(const char *state, const char *repository, struct catalogue **ret_catalogue)
{
	struct catalogue *catalogue = calloc(1, sizeof *catalogue);

	if (!catalogue)
		return -ENOMEM;
	catalogue->state = strdup(state);
	catalogue->repository = strdup(repository);
	if (!catalogue->state || !catalogue->repository) {
		catalogue_free(catalogue);
		return -ENOMEM;
	}
	*ret_catalogue = catalogue;
	return 0;
}

void catalogue_free(struct catalogue *catalogue)
{
	if (!catalogue)
		return;
	free_images(&catalogue->images);
	free(catalogue->state);
	free(catalogue->repository);
	free(catalogue);
}

const struct image_list *catalogue_images(const struct catalogue *catalogue)
{
	return &catalogue->images;
}

uint64_t catalogue_version(const struct catalogue *catalogue)
{
	return catalogue->version;
}

const char *catalogue_error(const struct catalogue *catalogue)
{
	return catalogue->error[0] ? catalogue->error : NULL;
}

/* ------------------------------------------------------------------ callbacks of the TUF client */

/* STATE/tuf/ROLE.json. The role's name comes from signed metadata, and still must not name another place. 0 or -EINVAL. */
static int role_path(const struct catalogue *catalogue, const char *role, char **ret_path)
{
	if (!text_of(role, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-", 64))
		return -EINVAL;
	return asprintf(ret_path, "%s/tuf/%s.json", catalogue->state, role) < 0 ? -ENOMEM : 0;
}

static int load_role(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	char *path;
	int r = role_path(context, role, &path);

	if (r < 0)
		return r;
	r = file_load(path, most, ret_data);
	free(path);
	return r;
}

static int store_role(void *context, const char *role, const void *data, size_t size)
{
	char *path;
	int r = role_path(context, role, &path);

	if (r < 0)
		return r;
	r = file_store(path, data, size, 0600);
	free(path);
	return r;
}

static int remove_role(void *context, const char *role)
{
	char *path;
	int r = role_path(context, role, &path);

	if (r < 0)
		return r;
	r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	free(path);
	return r;
}

static int fetch_metadata(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	const struct catalogue *catalogue = context;
	char *path;
	int r;

	if (strchr(name, '/') || name[0] == '.')
		return -EINVAL;
	if (asprintf(&path, "%s/metadata/%s", catalogue->repository, name) < 0)
		return -ENOMEM;
	r = file_load(path, most, ret_data);
	free(path);
	return r;
}

/* ------------------------------------------------------------------ from targets to images */

static int fill_image(struct image *image, const struct verified_image *verified)
{
	const struct image_description *d = verified_image_description(verified);
	char expected[IMAGE_PATH_SIZE];

	if (strlen(d->name) > IMAGE_NAME_MOST || strlen(d->version) > IMAGE_VERSION_MOST ||
	    strlen(verified_image_path(verified)) > TARGET_PATH_MOST ||
	    (d->requires_os && strlen(d->requires_os) > IMAGE_NAME_MOST))
		return -EINVAL;
	*image = (struct image){ .kind = d->kind, .image_size = d->image_size, .wire_size = d->wire_size };
	strcpy(image->name, d->name);
	strcpy(image->version, d->version);
	strcpy(image->os, d->requires_os ? d->requires_os : "");
	strcpy(image->target, verified_image_path(verified));
	memcpy(image->root_hash, d->root_hash, sizeof image->root_hash);
	image_target_path(d, expected);
	return strcmp(expected, image->target) ? -EINVAL : 0;
}

static int add_target(void *context, const struct verified_target *target)
{
	struct image_list *images = context;
	struct verified_image *verified = NULL;
	struct image image, *grown;
	char why[160] = "its path doesn't fit its description";
	int r = verified_image_of(target, &verified, why);

	if (r == -ENOMEM)
		return r;
	if (!r)
		r = fill_image(&image, verified);
	verified_image_free(verified);
	if (r < 0) {
		log_warning("target %.200s is no image that can be assigned: %s", verified_target_path(target), why);
		return 0;
	}
	grown = reallocarray(images->items, images->count + 1, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	grown[images->count++] = image;
	images->items = grown;
	return 0;
}

static int by_kind_name_version(const void *a, const void *b)
{
	const struct image *left = a, *right = b;
	int r = (int)left->kind - (int)right->kind;

	if (!r)
		r = strcmp(left->name, right->name);
	if (!r)
		r = strcmp(left->os, right->os);
	return r ? r : version_compare(right->version, left->version);
}

/* ------------------------------------------------------------------ refreshing */

static int read_images(struct tuf_client *client, struct catalogue *catalogue)
{
	struct image_list images = { 0 };
	int r = tuf_client_each_target(client, add_target, &images);

	if (r < 0) {
		free_images(&images);
		return r;
	}
	if (images.count)
		qsort(images.items, images.count, sizeof *images.items, by_kind_name_version);
	free_images(&catalogue->images);
	catalogue->images = images;
	return 0;
}

static int refresh(struct catalogue *catalogue, int64_t now, char ret_error[ERROR_TEXT])
{
	struct tuf_store store = { .load = load_role, .store = store_role, .remove = remove_role, .context = catalogue };
	struct tuf_fetch fetch = { .fetch = fetch_metadata, .context = catalogue };
	struct tuf_client *client = NULL;
	struct buffer root = { 0 };
	char *root_path;
	int r;

	if (asprintf(&root_path, "%s/root.json", catalogue->state) < 0)
		return -ENOMEM;
	r = file_load(root_path, ROOT_SIZE_MOST, &root);
	free(root_path);
	if (!r)
		r = tuf_client_open(&store, &fetch, root.data, root.size, now, &client);
	if (r < 0) {
		snprintf(ret_error, ERROR_TEXT, "the trusted root.json in the state folder can't be used: %s", strerror(-r));
		goto out;
	}
	r = tuf_client_refresh(client);
	if (!r)
		r = read_images(client, catalogue);
	if (!r)
		catalogue->version = tuf_client_version(client, "timestamp");
	else
		snprintf(ret_error, ERROR_TEXT, "%s", tuf_client_error(client) ? tuf_client_error(client) : strerror(-r));
	tuf_client_close(client);
out:
	buffer_release(&root);
	return r;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void catalogue_refresh(struct catalogue *catalogue, int64_t now)
{
	struct stat timestamp = { 0 };
	char error[ERROR_TEXT] = "";
	char *path;

	if (asprintf(&path, "%s/metadata/timestamp.json", catalogue->repository) < 0)
		return;
	/* Absent is a state like another: reading then says so. */
	(void)!stat(path, &timestamp);
	free(path);
	if (catalogue->checked && same_file(&timestamp, &catalogue->seen) && now - catalogue->checked < RECHECK_SECONDS)
		return;
	catalogue->seen = timestamp;
	catalogue->checked = now;
	if (refresh(catalogue, now, error) < 0) {
		if (!error[0])
			strcpy(error, "out of memory");
		if (strcmp(error, catalogue->error))
			log_warning("the repository's metadata is refused, the list of images stays as it was: %s", error);
	} else {
		log_info("the repository offers %zu images (timestamp version %llu)", catalogue->images.count,
			 (unsigned long long)catalogue->version);
	}
	strcpy(catalogue->error, error);
}

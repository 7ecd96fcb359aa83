// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/catalogue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/file.h"
#include "common/log.h"
#include "control/served.h"
#include "signing/client.h"
#include "signing/folder.h"

/* What nothing tells of: a clock that was set, a folder that was mounted over. */
#define RECHECK_SECONDS 3600
#define RECHECK_REFUSED_SECONDS 60
/* How long a node waits for what was published just now. */
#define PATIENCE_SECONDS 2

/* What one reading found. */
struct reading {
	struct image_list images;
	struct role_list roles;
	uint64_t version;
	char left_out[ERROR_TEXT];  /* which delegated role doesn't verify, if any: its images aren't there */
	char error[ERROR_TEXT];     /* "" when it verifies */
	bool is_expired;            /* that is all that is wrong with it */
};

struct catalogue {
	char *state, *repository, *timestamp;

	pthread_mutex_t reading;    /* held while files are read; guards the next four */
	struct sightings seen;
	struct stat seen_timestamp;
	int64_t checked;            /* 0: never */
	int64_t until;              /* when something expires */

	pthread_mutex_t *lock;      /* the owner's; guards `now` */
	struct reading now;

	atomic_bool refused;        /* copies of `now`, for who must not wait for `lock` */
	pthread_mutex_t told;
	char refusal[ERROR_TEXT];
};

static void release_reading(struct reading *reading)
{
	free(reading->images.items);
	free(reading->roles.items);
	*reading = (struct reading){ 0 };
}

int catalogue_new(const char *state, const char *repository, pthread_mutex_t *lock, struct catalogue **ret_catalogue)
{
	struct catalogue *catalogue = calloc(1, sizeof *catalogue);

	if (!catalogue)
		return -ENOMEM;
	pthread_mutex_init(&catalogue->reading, NULL);
	pthread_mutex_init(&catalogue->told, NULL);
	catalogue->lock = lock;
	catalogue->state = strdup(state);
	catalogue->repository = strdup(repository);
	if (!catalogue->state || !catalogue->repository ||
	    asprintf(&catalogue->timestamp, "%s/metadata/timestamp.json", repository) < 0) {
		catalogue->timestamp = NULL;
		catalogue_free(catalogue);
		return -ENOMEM;
	}
	/* Nothing is served before it was checked. */
	strcpy(catalogue->refusal, "its metadata wasn't checked yet");
	atomic_store(&catalogue->refused, true);
	*ret_catalogue = catalogue;
	return 0;
}

void catalogue_free(struct catalogue *catalogue)
{
	if (!catalogue)
		return;
	release_reading(&catalogue->now);
	sightings_release(&catalogue->seen);
	pthread_mutex_destroy(&catalogue->reading);
	pthread_mutex_destroy(&catalogue->told);
	free(catalogue->state);
	free(catalogue->repository);
	free(catalogue->timestamp);
	free(catalogue);
}

const struct image_list *catalogue_images(const struct catalogue *catalogue)
{
	return &catalogue->now.images;
}

const struct role_list *catalogue_roles(const struct catalogue *catalogue)
{
	return &catalogue->now.roles;
}

uint64_t catalogue_version(const struct catalogue *catalogue)
{
	return catalogue->now.version;
}

const char *catalogue_error(const struct catalogue *catalogue)
{
	return catalogue->now.error[0] ? catalogue->now.error : NULL;
}

const char *catalogue_left_out(const struct catalogue *catalogue)
{
	return catalogue->now.left_out[0] ? catalogue->now.left_out : NULL;
}

bool catalogue_expired(const struct catalogue *catalogue)
{
	return catalogue->now.is_expired;
}

bool catalogue_refused(struct catalogue *catalogue, char ret_why[ERROR_TEXT])
{
	if (!atomic_load(&catalogue->refused))
		return false;
	pthread_mutex_lock(&catalogue->told);
	strcpy(ret_why, catalogue->refusal);
	pthread_mutex_unlock(&catalogue->told);
	return true;
}

/* ------------------------------------------------------------------ from targets to images */

static int fill_image(struct image *image, const struct verified_image *verified, const char *role)
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
	role_name_show(role, image->signed_by);
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
		r = fill_image(&image, verified, verified_target_role(target));
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

/* ------------------------------------------------------------------ reading */

static int fetch_metadata(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	return served_fetch(context, name, most, ret_data);
}

static int load_root(const struct catalogue *catalogue, struct buffer *ret_root)
{
	char *path;
	int r;

	if (asprintf(&path, "%s/root.json", catalogue->state) < 0)
		return -ENOMEM;
	r = file_load(path, TUF_ROOT_MOST, ret_root);
	free(path);
	return r;
}

/* A client with the control unit's own memory: what it saw before can't be rolled back. */
struct trusting {
	struct folder folder;
	struct tuf_client *client;
	char error[ERROR_TEXT];
};

static int trusting_fail(struct trusting *trusting, int r)
{
	const char *said = trusting->client ? tuf_client_error(trusting->client) : "";

	snprintf(trusting->error, sizeof trusting->error, "%.380s", said[0] ? said : strerror(-r));
	return r;
}

/* Opens and refreshes. The caller calls trusting_close, also on error. */
static int trusting_open(const struct catalogue *catalogue, const struct buffer *root, int64_t now, struct trusting *trusting)
{
	struct tuf_fetch fetch = { .fetch = fetch_metadata, .context = catalogue->repository };
	struct tuf_store store;
	char *path;
	int r;

	*trusting = (struct trusting){ .folder.fd = -1 };
	if (asprintf(&path, "%s/tuf", catalogue->state) < 0)
		return trusting_fail(trusting, -ENOMEM);
	r = folder_open(path, &trusting->folder);
	free(path);
	if (r < 0)
		return trusting_fail(trusting, r);
	store = folder_tuf_store_with_roots(&trusting->folder);
	r = tuf_client_open(&store, &fetch, root->data, root->size, now, &trusting->client);
	if (!r)
		r = tuf_client_refresh(trusting->client);
	return r < 0 ? trusting_fail(trusting, r) : 0;
}

static void trusting_close(struct trusting *trusting)
{
	tuf_client_close(trusting->client);
	if (trusting->folder.fd >= 0)
		folder_close(&trusting->folder);
}

/* The second look, after served_check: the metadata also descends from what was seen before. */
static int read_trusting(const struct catalogue *catalogue, const struct buffer *root, int64_t now, struct reading *reading)
{
	struct trusting trusting;
	int r = trusting_open(catalogue, root, now, &trusting);

	if (!r) {
		r = tuf_client_each_target(trusting.client, add_target, &reading->images);
		if (r < 0)
			trusting_fail(&trusting, r);
	}
	if (!r) {
		reading->version = tuf_client_version(trusting.client, "timestamp");
		snprintf(reading->left_out, ERROR_TEXT, "%.380s", tuf_client_error(trusting.client));
	} else {
		snprintf(reading->error, ERROR_TEXT, "%.300s; put the newest copy of the repository back in its place", trusting.error);
	}
	trusting_close(&trusting);
	if (!r && reading->images.count)
		qsort(reading->images.items, reading->images.count, sizeof *reading->images.items, by_kind_name_version);
	return r;
}

static int read_repository(struct catalogue *catalogue, int64_t now, struct reading *reading)
{
	struct buffer root = { 0 };
	char why[ERROR_TEXT] = "";
	int r = load_root(catalogue, &root);

	sightings_release(&catalogue->seen);
	if (r < 0) {
		snprintf(reading->error, ERROR_TEXT, "the trusted root.json in the state folder can't be read: %s", strerror(-r));
		return r;
	}
	r = served_check(catalogue->repository, &root, now, &reading->roles, &catalogue->seen, why);
	if (!r) {
		r = read_trusting(catalogue, &root, now, reading);
	} else if (r == -ESTALE) {
		/* What expired says itself what to do; but an older copy must not be renewed. At the time 0 nothing has expired. */
		reading->is_expired = read_trusting(catalogue, &root, 0, reading) == 0;
		if (reading->is_expired)
			strcpy(reading->error, why);
	} else {
		snprintf(reading->error, ERROR_TEXT, "%.300s; publish it again, or put back a copy that repave-sign verify accepts", why);
	}
	buffer_release(&root);
	return r;
}

/* ------------------------------------------------------------------ keeping up */

static void tell(struct catalogue *catalogue, const char *error)
{
	pthread_mutex_lock(&catalogue->told);
	strcpy(catalogue->refusal, error);
	pthread_mutex_unlock(&catalogue->told);
	atomic_store(&catalogue->refused, error[0] != 0);
}

/* Takes over a reading. The list of images is the last one that verified: what nodes were told stays known. */
static void take_reading(struct catalogue *catalogue, struct reading *reading)
{
	struct reading *now = &catalogue->now;
	struct reading old;

	pthread_mutex_lock(catalogue->lock);
	old = *now;
	if (reading->error[0]) {
		free(reading->images.items);
		reading->images = old.images;
		reading->version = old.version;
		old.images.items = NULL;
	}
	*now = *reading;
	pthread_mutex_unlock(catalogue->lock);
	tell(catalogue, reading->error);
	if (reading->error[0] && strcmp(reading->error, old.error))
		log_warning("the repository isn't served, because it is refused: %s", reading->error);
	else if (reading->left_out[0] && strcmp(reading->left_out, old.left_out))
		log_warning("images of a delegated role are left out: %s; its signers must publish it again", reading->left_out);
	if (!reading->error[0] && (old.error[0] || old.version != reading->version))
		log_info("the repository offers %zu images (timestamp version %llu)", reading->images.count,
			 (unsigned long long)reading->version);
	release_reading(&old);
}

/* The caller holds `reading`. */
static void check(struct catalogue *catalogue, int64_t now)
{
	struct reading reading = { 0 };

	sighting_look(catalogue->timestamp, &catalogue->seen_timestamp);
	if (read_repository(catalogue, now, &reading) < 0 && !reading.error[0])
		strcpy(reading.error, "out of memory");
	catalogue->checked = now;
	catalogue->until = renewal_first_expiry(&reading.roles, now);
	if (reading.error[0] && catalogue->until > now + RECHECK_REFUSED_SECONDS)
		catalogue->until = now + RECHECK_REFUSED_SECONDS;
	take_reading(catalogue, &reading);
}

static bool is_due(const struct catalogue *catalogue, int64_t now)
{
	return !catalogue->checked || now >= catalogue->until || now < catalogue->checked ||
	       now - catalogue->checked >= RECHECK_SECONDS;
}

void catalogue_check(struct catalogue *catalogue, int64_t now)
{
	pthread_mutex_lock(&catalogue->reading);
	if (is_due(catalogue, now) || sightings_changed(&catalogue->seen))
		check(catalogue, now);
	pthread_mutex_unlock(&catalogue->reading);
}

/* A list of some thousand images is read in about a second. */
static int lock_soon(pthread_mutex_t *mutex)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_SECONDS;
	return pthread_mutex_clocklock(mutex, CLOCK_MONOTONIC, &until);
}

void catalogue_follow(struct catalogue *catalogue, int64_t now, bool wait)
{
	struct stat timestamp;

	if (wait)
		pthread_mutex_lock(&catalogue->reading);
	else if (lock_soon(&catalogue->reading))
		return;
	sighting_look(catalogue->timestamp, &timestamp);
	if (!sighting_same(&timestamp, &catalogue->seen_timestamp))
		check(catalogue, now);
	pthread_mutex_unlock(&catalogue->reading);
}

int catalogue_trusted(struct catalogue *catalogue, uint64_t ret_versions[4], char ret_error[ERROR_TEXT])
{
	struct trusting trusting = { .folder.fd = -1 };
	struct buffer root = { 0 };
	int r;

	pthread_mutex_lock(&catalogue->reading);
	r = load_root(catalogue, &root);
	/* At the time 0 nothing has expired. */
	r = r < 0 ? trusting_fail(&trusting, r) : trusting_open(catalogue, &root, 0, &trusting);
	for (unsigned type = TUF_ROOT; !r && type <= TUF_TARGETS; type++)
		ret_versions[type] = tuf_client_version(trusting.client, tuf_type_name(type));
	if (r < 0)
		strcpy(ret_error, trusting.error);
	trusting_close(&trusting);
	pthread_mutex_unlock(&catalogue->reading);
	buffer_release(&root);
	return r;
}

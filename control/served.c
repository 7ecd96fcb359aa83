// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/served.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "signing/client.h"

/* One reading of the repository. */
struct pass {
	const char *repository;
	struct role_list *roles;
	struct sightings *seen;
};

/* ------------------------------------------------------------------ files */

void sightings_release(struct sightings *sightings)
{
	for (size_t i = 0; i < sightings->count; i++)
		free(sightings->items[i].path);
	free(sightings->items);
	*sightings = (struct sightings){ 0 };
}

bool sighting_same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	       a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

void sighting_look(const char *path, struct stat *ret_info)
{
	if (stat(path, ret_info) < 0)
		*ret_info = (struct stat){ 0 };
}

bool sightings_changed(const struct sightings *sightings)
{
	struct stat now;

	for (size_t i = 0; i < sightings->count; i++) {
		sighting_look(sightings->items[i].path, &now);
		if (!sighting_same(&now, &sightings->items[i].info))
			return true;
	}
	return false;
}

/* Takes the path over, also on error. */
static int add_sighting(struct sightings *seen, char *path)
{
	if (seen->count == seen->room) {
		size_t room = seen->room ? 2 * seen->room : 16;
		struct sighting *grown = reallocarray(seen->items, room, sizeof *grown);

		if (!grown) {
			free(path);
			return -ENOMEM;
		}
		seen->items = grown;
		seen->room = room;
	}
	sighting_look(path, &seen->items[seen->count].info);
	seen->items[seen->count++].path = path;
	return 0;
}

static int metadata_path(const char *repository, const char *name, char **ret_path)
{
	if (strchr(name, '/') || name[0] == '.')
		return -EINVAL;
	return asprintf(ret_path, "%s/metadata/%s", repository, name) < 0 ? -ENOMEM : 0;
}

int served_fetch(const char *repository, const char *name, size_t most, struct buffer *ret_data)
{
	char *path;
	int r = metadata_path(repository, name, &path);

	if (r < 0)
		return r;
	r = file_load(path, most, ret_data);
	free(path);
	return r;
}

/* ------------------------------------------------------------------ callbacks of the TUF client */

static int fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	const struct pass *pass = context;
	char *path;
	int r = metadata_path(pass->repository, name, &path);

	if (r < 0)
		return r;
	/* Before it is read: what changes meanwhile differs from this. */
	r = add_sighting(pass->seen, path);
	return r < 0 ? r : file_load(pass->seen->items[pass->seen->count - 1].path, most, ret_data);
}

static int load_nothing(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	(void)context;
	(void)role;
	(void)most;
	(void)ret_data;
	return -ENOENT;
}

static int remove_nothing(void *context, const char *role)
{
	(void)context;
	(void)role;
	return 0;
}

/* The role's place in the list: a newer root replaces the one before, and two may delegate to the same role. NULL when out of
 * memory. */
static struct role_state *place_of(struct role_list *roles, enum tuf_type type, bool delegated, const char *name)
{
	struct role_state *grown;

	for (size_t i = 0; i < roles->count; i++)
		if (roles->items[i].type == type && roles->items[i].delegated == delegated && !strcmp(roles->items[i].name, name))
			return &roles->items[i];
	grown = reallocarray(roles->items, roles->count + 1, sizeof *grown);
	if (!grown)
		return NULL;
	roles->items = grown;
	return &grown[roles->count++];
}

/* The client accepted a file: it is noted, not kept. */
static int note_role(void *context, const char *role, const void *data, size_t size)
{
	const struct pass *pass = context;
	struct tuf_document document;
	char error[TUF_ERROR_SIZE], name[ROLE_NAME_SHOWN + 1];
	enum tuf_type type = TUF_ROOT;
	struct role_state *state;
	bool delegated;
	int r;

	while (type < TUF_TARGETS && strcmp(tuf_type_name(type), role))
		type++;
	delegated = strcmp(tuf_type_name(type), role) != 0;
	r = tuf_document_parse(type, data, size, &document, error);
	if (r < 0)
		return r;
	role_name_show(role, name);
	state = place_of(pass->roles, type, delegated, name);
	if (state) {
		*state = (struct role_state){ .type = type, .delegated = delegated, .version = document.version,
					      .expires = document.expires };
		strcpy(state->name, name);
	}
	tuf_document_release(&document);
	return state ? 0 : -ENOMEM;
}

/* ------------------------------------------------------------------ reading */

static int pass_target(void *context, const struct verified_target *target)
{
	(void)context;
	(void)target;
	return 0;
}

int served_check(const char *repository, const struct buffer *root, int64_t now, struct role_list *ret_roles,
		 struct sightings *ret_seen, char ret_error[ERROR_TEXT])
{
	struct pass pass = { .repository = repository, .roles = ret_roles, .seen = ret_seen };
	struct tuf_store store = { .load = load_nothing, .store = note_role, .remove = remove_nothing, .context = &pass };
	struct tuf_fetch fetch_by = { .fetch = fetch, .context = &pass };
	struct tuf_client *client = NULL;
	int r;

	*ret_roles = (struct role_list){ 0 };
	*ret_seen = (struct sightings){ 0 };
	r = tuf_client_open(&store, &fetch_by, root->data, root->size, now, &client);
	if (r < 0) {
		snprintf(ret_error, ERROR_TEXT, "the trusted root.json in the state folder can't be used: %s", strerror(-r));
		return r;
	}
	r = tuf_client_refresh(client);
	/* The walk reads the delegated roles. One that doesn't verify is its account's trouble, not everybody's. */
	if (!r)
		r = tuf_client_each_target(client, pass_target, NULL);
	if (r < 0)
		snprintf(ret_error, ERROR_TEXT, "%s", tuf_client_error(client)[0] ? tuf_client_error(client) : strerror(-r));
	tuf_client_close(client);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Targets, also those of delegated roles (specification 5.6.7): pre-order, in the order in which a role lists its
 * delegations, each role once in a search. A role that can't be verified ends the search: to go on would let whoever can
 * break one role choose another one's answer. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signing/client-private.h"
#include "signing/verified-private.h"

/* Delegated roles that one search looks into: what the reference implementation has. */
#define SEARCHED_MOST 32u
/* Delegated roles of a whole repository, for tuf_client_each_target. */
#define LISTED_MOST 4096u

#define fail client_fail

/* A role as one delegator vouches for it: another one may name other keys for the same role. All versions are those of
 * one snapshot, so both are known by their names. */
struct loaded {
	char name[TUF_ROLE_SIZE];
	char delegator[TUF_ROLE_SIZE];  /* "" for the top-level role */
	struct tuf_document document;   /* owned, but for the top-level role */
	int error;                      /* why there is no document */
	bool is_listed;
};

struct search {
	struct tuf_client *client;
	struct loaded top;
	struct loaded **roles; /* loaded so far */
	size_t count;
	bool keeps;            /* documents for the next search */
};

static void search_init(struct search *search, struct tuf_client *client, bool keeps)
{
	memset(search, 0, sizeof(*search));
	search->client = client;
	search->keeps = keeps;
	snprintf(search->top.name, sizeof(search->top.name), "targets");
	search->top.document = client->targets;
}

static void search_release(struct search *search)
{
	for (size_t i = 0; i < search->count; i++) {
		tuf_document_release(&search->roles[i]->document);
		free(search->roles[i]);
	}
	free(search->roles);
}

/* ------------------------------------------------------------------ one delegated role */

static int load_delegated(struct tuf_client *client, const struct tuf_delegation *delegation,
			  struct tuf_document *ret_document)
{
	struct described_role described = { .role = delegation->name, .signers = delegation->signers };
	char name[TUF_ROLE_SIZE + 5], file[TUF_FILE_NAME_SIZE];
	int r;

	tuf_role_file_name(delegation->name, 0, file);
	snprintf(name, sizeof(name), "%s.json", delegation->name);
	if (tuf_file_of(&client->snapshot, name, &described.file) < 0)
		return fail(client, -EBADMSG, "%s: a role is delegated that the snapshot doesn't name", file);
	r = client_load_targets(client, &described, ret_document);
	/* A file that is withheld isn't the same as a target that nobody signed. */
	return r == -ENOENT ? -EBADMSG : r;
}

static struct loaded *find_loaded(const struct search *search, const struct loaded *delegator, const char *name)
{
	for (size_t i = 0; i < search->count; i++)
		if (strcmp(search->roles[i]->name, name) == 0 &&
		    strcmp(search->roles[i]->delegator, delegator->name) == 0)
			return search->roles[i];
	return NULL;
}

/* 0 also when the role can't be verified: its `error` says so. */
static int load_role(struct search *search, const struct loaded *delegator, const struct tuf_delegation *delegation,
		     struct loaded **ret_role)
{
	struct loaded **roles, *role = find_loaded(search, delegator, delegation->name);

	*ret_role = role;
	if (role)
		return 0;
	roles = realloc(search->roles, (search->count + 1) * sizeof(struct loaded *));
	if (roles)
		search->roles = roles;
	role = calloc(1, sizeof(*role));
	if (!roles || !role) {
		free(role);
		return fail(search->client, -ENOMEM, "out of memory");
	}
	memcpy(role->name, delegation->name, sizeof(role->name));
	memcpy(role->delegator, delegator->name, sizeof(role->delegator));
	role->error = load_delegated(search->client, delegation, &role->document);
	search->roles[search->count++] = role;
	*ret_role = role;
	return 0;
}

/* ------------------------------------------------------------------ one path */

struct quest {
	struct search *search;
	const char *path;
	const char *visited[SEARCHED_MOST]; /* names of loaded roles */
	size_t count;
	struct tuf_file found;
	const struct loaded *found_in;
};

enum { FOUND = 1, NOT_FOUND = 0, ENDED = 2 /* by a terminating delegation */ };

static bool was_visited(const struct quest *quest, const char *name)
{
	for (size_t i = 0; i < quest->count; i++)
		if (strcmp(quest->visited[i], name) == 0)
			return true;
	return strcmp(name, "targets") == 0;
}

static int look_into(struct quest *quest, const struct loaded *role);

static int follow(struct quest *quest, const struct loaded *delegator, const struct tuf_delegation *delegation)
{
	struct loaded *role;
	int r;

	if (was_visited(quest, delegation->name))
		return NOT_FOUND;
	if (quest->count == SEARCHED_MOST)
		return fail(quest->search->client, -EBADMSG, "%.200s: more than %u delegated roles may sign for it, too many "
			    "to search", quest->path, SEARCHED_MOST);
	r = load_role(quest->search, delegator, delegation, &role);
	if (r < 0)
		return r;
	quest->visited[quest->count++] = role->name;
	if (role->error < 0)
		return role->error;
	r = look_into(quest, role);
	if (r != FOUND && !quest->search->keeps)
		tuf_document_release(&role->document);
	return r;
}

static int look_into(struct quest *quest, const struct loaded *role)
{
	struct tree_steps steps = tuf_delegations_begin(&role->document);
	struct tuf_delegation delegation;

	if (tuf_target_of(&role->document, quest->path, &quest->found) == 0) {
		quest->found_in = role;
		return FOUND;
	}
	while (tuf_delegations_next(&role->document, &steps, &delegation)) {
		int r;

		if (!tuf_delegation_covers(&delegation, quest->path))
			continue;
		r = follow(quest, role, &delegation);
		if (r != NOT_FOUND)
			return r;
		if (delegation.terminating)
			return ENDED;
	}
	return NOT_FOUND;
}

/* 0; -ENOENT when nobody signed for it; -errno when a role that may have can't be verified. */
static int search_for(struct search *search, struct quest *quest, const char *path)
{
	int r;

	memset(quest, 0, sizeof(*quest));
	quest->search = search;
	quest->path = path;
	r = look_into(quest, &search->top);
	return r == FOUND ? 0 : r < 0 ? r : -ENOENT;
}

static int refuse_untrusted(struct tuf_client *client)
{
	return fail(client, -EBADMSG, "there is no trusted targets metadata: refresh first");
}

int tuf_client_target(struct tuf_client *client, const char *path, struct verified_target **ret_target)
{
	struct search search;
	struct quest quest;
	int r;

	*ret_target = NULL;
	if (tuf_document_is_empty(&client->targets))
		return refuse_untrusted(client);
	search_init(&search, client, false);
	r = search_for(&search, &quest, path);
	if (r == -ENOENT)
		fail(client, r, "%.200s: nobody signed for this target (targets version %llu)", path,
		     (unsigned long long)client->targets.version);
	if (r == 0) {
		r = verified_target_new(path, quest.found_in->name, &quest.found, ret_target);
		if (r < 0)
			fail(client, r, r == -ENOMEM ? "out of memory" : "%.200s: is signed with hashes of unknown kinds only",
			     path);
	}
	search_release(&search);
	if (r == 0)
		client->error[0] = '\0';
	return r;
}

/* ------------------------------------------------------------------ all paths */

struct listing {
	struct search search;
	int (*each)(void *context, const struct verified_target *target);
	void *context;
	char first_error[sizeof(((struct tuf_client *)0)->error)]; /* of a role that was left out */
};

static int give(struct listing *listing, const struct loaded *role, const char *path, const struct tuf_file *file)
{
	struct verified_target *target;
	int r = verified_target_new(path, role->name, file, &target);

	if (r == -EBADMSG)
		return 0; /* with hashes of unknown kinds only: of no use to us, and tuf_client_target says so */
	if (r < 0)
		return fail(listing->search.client, r, "out of memory");
	r = listing->each(listing->context, target);
	verified_target_free(target);
	return r;
}

static void note_error(struct listing *listing)
{
	if (!listing->first_error[0])
		snprintf(listing->first_error, sizeof(listing->first_error), "%s", listing->search.client->error);
}

/* Gives a path of a role when a search for it ends there. */
static int give_if_found(struct listing *listing, const struct loaded *role, const char *path)
{
	struct quest quest;
	int r = search_for(&listing->search, &quest, path);

	if (r == 0 && strcmp(quest.found_in->name, role->name) == 0)
		return give(listing, role, path, &quest.found);
	if (r < 0 && r != -ENOENT)
		note_error(listing);
	return r == -ENOMEM ? r : 0;
}

static int list_targets_of(struct listing *listing, struct loaded *role)
{
	int r = 0;

	role->is_listed = true;
	for (size_t i = 0; r == 0 && i < role->document.count; i++) {
		struct tuf_file file;
		struct tree key;
		char *path;

		tuf_target_at(&role->document, i, &key, &file);
		r = tree_string_new(key, &path);
		if (r == -EINVAL) {
			r = 0; /* a NUL in it: nobody can ask for it */
			continue;
		}
		if (r < 0)
			return fail(listing->search.client, r, "out of memory");
		r = role == &listing->search.top ? give(listing, role, path, &file) : give_if_found(listing, role, path);
		free(path);
	}
	return r;
}

/* Another delegator's copy of a role has the same targets. */
static bool is_listed(const struct listing *listing, const char *name)
{
	for (size_t i = 0; i < listing->search.count; i++)
		if (listing->search.roles[i]->is_listed && strcmp(listing->search.roles[i]->name, name) == 0)
			return true;
	return false;
}

static int list_role(struct listing *listing, struct loaded *role, unsigned depth);

static int list_delegated(struct listing *listing, const struct loaded *delegator,
			  const struct tuf_delegation *delegation, unsigned depth)
{
	struct loaded *role;
	int r;

	if (is_listed(listing, delegation->name))
		return 0;
	if (listing->search.count >= LISTED_MOST)
		return fail(listing->search.client, -EBADMSG, "the repository has more than %u delegated roles, too many "
			    "to list", LISTED_MOST);
	r = load_role(&listing->search, delegator, delegation, &role);
	if (r < 0)
		return r;
	if (role->error < 0) {
		note_error(listing);
		return role->error == -ENOMEM ? -ENOMEM : 0;
	}
	return list_role(listing, role, depth + 1);
}

/* No search goes deeper than SEARCHED_MOST, so no listing need. */
static int list_role(struct listing *listing, struct loaded *role, unsigned depth)
{
	struct tree_steps steps = tuf_delegations_begin(&role->document);
	struct tuf_delegation delegation;
	int r = list_targets_of(listing, role);

	while (r == 0 && depth < SEARCHED_MOST && tuf_delegations_next(&role->document, &steps, &delegation))
		r = list_delegated(listing, role, &delegation, depth);
	return r;
}

int tuf_client_each_target(struct tuf_client *client, int (*each)(void *context, const struct verified_target *target),
			   void *context)
{
	struct listing listing = { .each = each, .context = context };
	int r;

	if (tuf_document_is_empty(&client->targets))
		return refuse_untrusted(client);
	search_init(&listing.search, client, true);
	r = list_role(&listing, &listing.search.top, 0);
	search_release(&listing.search);
	if (r == 0)
		snprintf(client->error, sizeof(client->error), "%s", listing.first_error);
	return r;
}

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
/* Delegated roles below each delegation of the top-level role, itself included, that are loaded for
 * tuf_client_each_target: whoever is delegated to can use up its own share, and nobody else's. */
#define BRANCH_MOST 64u
/* Bytes of a path in a sentence. */
#define PATH_SHOWN 200u

#define fail client_fail

/* A role as one delegator vouches for it: another one, also one of the same name, may name other keys for the same role. */
struct loaded {
	char name[TUF_ROLE_SIZE];
	const struct loaded *delegator; /* NULL for the top-level role */
	struct loaded *branch;          /* the role below the top-level one on the way here, or itself */
	size_t below;                   /* of such a role: how many are loaded that it is the branch of */
	struct tuf_document document;   /* owned, but for the top-level role */
	int error;                      /* why there is no document */
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

/* A path is whatever somebody wrote: in a sentence nothing of it may speak to a terminal. */
static const char *shown(const char *path, char ret_text[PATH_SHOWN + 1])
{
	size_t size = 0;

	for (; path[size] && size < PATH_SHOWN; size++)
		ret_text[size] = (char)(path[size] < 0x20 || path[size] > 0x7e ? '?' : path[size]);
	ret_text[size] = '\0';
	return ret_text;
}

/* ------------------------------------------------------------------ one delegated role */

static int load_delegated(struct tuf_client *client, const struct tuf_delegation *delegation, const struct tuf_file *file,
			  struct tuf_document *ret_document)
{
	struct described_role described = { .role = delegation->name, .signers = delegation->signers, .file = *file };
	int r = client_load_targets(client, &described, ret_document);

	/* A file that is withheld isn't the same as a target that nobody signed. */
	return r == -ENOENT ? -EBADMSG : r;
}

static struct loaded *find_loaded(const struct search *search, const struct loaded *delegator, const char *name)
{
	for (size_t i = 0; i < search->count; i++)
		if (search->roles[i]->delegator == delegator && strcmp(search->roles[i]->name, name) == 0)
			return search->roles[i];
	return NULL;
}

static int add_role(struct search *search, struct loaded **ret_role)
{
	struct loaded **roles = realloc(search->roles, (search->count + 1) * sizeof(struct loaded *));

	if (roles)
		search->roles = roles;
	*ret_role = roles ? calloc(1, sizeof(**ret_role)) : NULL;
	if (!*ret_role)
		return fail(search->client, -ENOMEM, "out of memory");
	search->roles[search->count++] = *ret_role;
	return 0;
}

static int refuse_branch(struct tuf_client *client, const struct loaded *branch)
{
	char file[TUF_FILE_NAME_SIZE];

	tuf_role_file_name(branch->name, 0, file);
	return fail(client, -EBADMSG, "%s: more than %u roles are delegated below it: what the others sign for is left out", file,
		    BRANCH_MOST);
}

/* 0 also when the role can't be verified: its `error` says so. -EBADMSG, before it costs anything, when the snapshot doesn't
 * name it or when its branch has enough. */
static int load_role(struct search *search, struct loaded *delegator, const struct tuf_delegation *delegation,
		     struct loaded **ret_role)
{
	struct loaded *role = find_loaded(search, delegator, delegation->name);
	char name[TUF_ROLE_SIZE + 5], file[TUF_FILE_NAME_SIZE];
	struct tuf_file described;
	int r;

	*ret_role = role;
	if (role)
		return 0;
	snprintf(name, sizeof(name), "%s.json", delegation->name);
	if (tuf_file_of(&search->client->snapshot, name, &described) < 0) {
		tuf_role_file_name(delegation->name, 0, file);
		return fail(search->client, -EBADMSG, "%s: a role is delegated that the snapshot doesn't name", file);
	}
	if (delegator->branch && delegator->branch->below >= BRANCH_MOST)
		return refuse_branch(search->client, delegator->branch);
	r = add_role(search, &role);
	if (r < 0)
		return r;
	memcpy(role->name, delegation->name, sizeof(role->name));
	role->delegator = delegator;
	role->branch = delegator->branch ? delegator->branch : role;
	role->branch->below++;
	role->error = load_delegated(search->client, delegation, &described, &role->document);
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

static int look_into(struct quest *quest, struct loaded *role);

static int follow(struct quest *quest, struct loaded *delegator, const struct tuf_delegation *delegation)
{
	char text[PATH_SHOWN + 1];
	struct loaded *role;
	int r;

	if (was_visited(quest, delegation->name))
		return NOT_FOUND;
	if (quest->count == SEARCHED_MOST)
		return fail(quest->search->client, -EBADMSG, "%s: more than %u delegated roles may sign for it, too many "
			    "to search", shown(quest->path, text), SEARCHED_MOST);
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

static int look_into(struct quest *quest, struct loaded *role)
{
	struct tuf_delegation_steps steps;
	struct tuf_delegation delegation;

	if (tuf_target_of(&role->document, quest->path, &quest->found) == 0) {
		quest->found_in = role;
		return FOUND;
	}
	/* Not before: to find its delegations costs a step over all targets of the role. */
	steps = tuf_delegations_begin(&role->document);
	while (tuf_delegations_next(&steps, &delegation)) {
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
	char text[PATH_SHOWN + 1];
	struct quest quest;
	int r;

	*ret_target = NULL;
	if (tuf_document_is_empty(&client->targets))
		return refuse_untrusted(client);
	search_init(&search, client, false);
	r = search_for(&search, &quest, path);
	if (r == -ENOENT)
		fail(client, r, "%s: nobody signed for this target (targets version %llu)", shown(path, text),
		     (unsigned long long)client->targets.version);
	if (r == 0) {
		r = verified_target_new(path, quest.found_in->name, &quest.found, ret_target);
		if (r < 0)
			fail(client, r, r == -ENOMEM ? "out of memory" : "%s: is signed with hashes of unknown kinds only",
			     shown(path, text));
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

/* Gives a path of a role when a search for it ends there: in this role as this delegator vouches for it, so each path once. */
static int give_if_found(struct listing *listing, const struct loaded *role, const char *path)
{
	struct quest quest;
	int r = search_for(&listing->search, &quest, path);

	if (r == 0 && quest.found_in == role)
		return give(listing, role, path, &quest.found);
	if (r < 0 && r != -ENOENT)
		note_error(listing);
	return r == -ENOMEM ? r : 0;
}

static int list_targets_of(struct listing *listing, struct loaded *role)
{
	int r = 0;

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

/* No search enters a role twice, so what is behind a cycle isn't found by any. */
static bool is_above(const struct loaded *role, const char *name)
{
	for (; role; role = role->delegator)
		if (strcmp(role->name, name) == 0)
			return true;
	return false;
}

static int list_role(struct listing *listing, struct loaded *role, unsigned depth);

/* A role that can't be listed is left out, and nothing else: it may be any account's, and the others' must not need it. */
static int list_delegated(struct listing *listing, struct loaded *delegator, const struct tuf_delegation *delegation,
			  unsigned depth)
{
	struct loaded *role;
	int r;

	if (is_above(delegator, delegation->name))
		return 0;
	r = load_role(&listing->search, delegator, delegation, &role);
	if (r == 0)
		r = role->error;
	if (r == 0)
		return list_role(listing, role, depth + 1);
	note_error(listing);
	return r == -ENOMEM ? r : 0;
}

/* No search goes deeper than SEARCHED_MOST, so no listing need. */
static int list_role(struct listing *listing, struct loaded *role, unsigned depth)
{
	struct tuf_delegation delegation;
	struct tuf_delegation_steps steps;
	int r = list_targets_of(listing, role);

	if (r < 0 || depth >= SEARCHED_MOST)
		return r;
	steps = tuf_delegations_begin(&role->document);
	while (r == 0 && tuf_delegations_next(&steps, &delegation))
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who signs: keys, thresholds, delegations. */
#include "signing/edit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "signing/author.h"
#include "signing/key-file.h"
#include "signing/repository-private.h"
#include "signing/signers.h"

/* Where the keys of a role stand. */
struct place {
	json_t *keys;  /* keyid -> key */
	json_t *names; /* keyid -> name */
	json_t *role;  /* with "keyids" and "threshold" */
};

static bool is_top(const char *role)
{
	return strcmp(role, "root") == 0 || strcmp(role, "targets") == 0 || strcmp(role, "snapshot") == 0 ||
	       strcmp(role, "timestamp") == 0;
}

static int64_t expiry(const struct repository_policy *policy, enum tuf_type type, int64_t now)
{
	return now + policy->lifetime[type];
}

/* The object under a name, made when it isn't there. Borrowed, or NULL when out of memory. */
static json_t *object_in(json_t *body, const char *name)
{
	json_t *object = json_object_get(body, name);

	if (object)
		return object;
	object = json_object();
	return json_object_set_new(body, name, object) < 0 ? NULL : object;
}

static int find_place(json_t *body, const char *role, struct place *ret_place)
{
	json_t *holder = is_top(role) ? body : json_object_get(body, "delegations");

	ret_place->keys = json_object_get(holder, "keys");
	ret_place->names = object_in(body, AUTHOR_NAMES);
	ret_place->role = is_top(role) ? json_object_get(json_object_get(body, "roles"), role) : delegation_of(body, role);
	if (!ret_place->names)
		return -ENOMEM;
	return ret_place->role && ret_place->keys ? 0 : -ENOENT;
}

/* ------------------------------------------------------------------ keys of one role */

static bool is_listed(const json_t *keyids, const char *keyid, size_t *ret_at)
{
	for (size_t i = 0; i < json_array_size(keyids); i++)
		if (strcmp(json_string_value(json_array_get(keyids, i)), keyid) == 0) {
			*ret_at = i;
			return true;
		}
	return false;
}

/* Two keys of one name would make "missing: alice" a riddle. */
static int refuse_same_name(const struct place *place, const struct key_file *file)
{
	const char *keyid;
	json_t *name;

	json_object_foreach(place->names, keyid, name) {
		if (strcmp(json_string_value(name), file->name) == 0 && strcmp(keyid, file->keyid) != 0) {
			log_error(0, "another key is named \"%s\" already: name this one differently (repave-sign key import --name)",
				  file->name);
			return -EEXIST;
		}
	}
	return 0;
}

static int add_key(const struct place *place, const char *path)
{
	struct key_file file;
	json_t *keyids = json_object_get(place->role, "keyids");
	size_t at;
	int r = key_file_load(path, &file);

	if (r < 0)
		return r;
	if (is_listed(keyids, file.keyid, &at)) {
		log_error(0, "%s is a key of this role already", path);
		r = -EEXIST;
	}
	if (r == 0)
		r = refuse_same_name(place, &file);
	if (r == 0 && (json_object_set(place->keys, file.keyid, file.public) < 0 ||
		       json_object_set_new(place->names, file.keyid, json_string(file.name)) < 0 ||
		       json_array_append_new(keyids, json_string(file.keyid)) < 0))
		r = -ENOMEM;
	key_file_release(&file);
	return r;
}

static int remove_key(const struct place *place, const char *role, const char *text)
{
	struct signers signers = { .keys = place->keys, .names = place->names, .keyids = json_object_get(place->role, "keyids") };
	const char *keyid = signers_find(&signers, text);
	size_t at;

	if (!keyid || !is_listed(signers.keyids, keyid, &at)) {
		log_error(0, "%s has no key \"%s\": repave-sign show lists names and key ids", role, text);
		return -ENOENT;
	}
	return json_array_remove(signers.keyids, at) < 0 ? -EINVAL : 0;
}

static int set_threshold(const struct place *place, const char *role, unsigned threshold)
{
	size_t keys = json_array_size(json_object_get(place->role, "keyids"));
	uint64_t now = 0;

	json_get_u64(place->role, "threshold", &now);
	if (threshold > 0)
		now = threshold;
	if (keys == 0 || now > keys || keys > KEYS_MOST) {
		log_error(0, "%s would have %zu keys and need %" PRIu64 " of them: add keys, or give a threshold from 1 to the number "
			  "of keys (%d keys at most)", role, keys, now, KEYS_MOST);
		return -EINVAL;
	}
	return json_object_set_new(place->role, "threshold", json_integer((json_int_t)now)) < 0 ? -ENOMEM : 0;
}

static bool is_used_in(json_t *roles, const char *keyid)
{
	const char *name;
	json_t *role;
	size_t i, at;

	if (json_is_array(roles)) {
		json_array_foreach(roles, i, role) {
			if (is_listed(json_object_get(role, "keyids"), keyid, &at))
				return true;
		}
	} else {
		json_object_foreach(roles, name, role) {
			if (is_listed(json_object_get(role, "keyids"), keyid, &at))
				return true;
		}
	}
	return false;
}

/* Keys that no role has any more go, and their names. */
static void drop_unused(json_t *body)
{
	json_t *delegations = json_object_get(body, "delegations"), *holder = delegations ? delegations : body;
	json_t *keys = json_object_get(holder, "keys"), *roles = json_object_get(holder, "roles"), *value;
	const char *keyid;
	void *next;

	json_object_foreach_safe(keys, next, keyid, value) {
		if (!is_used_in(roles, keyid)) {
			json_object_del(json_object_get(body, AUTHOR_NAMES), keyid);
			json_object_del(keys, keyid);
		}
	}
}

static int change_keys(json_t *body, const char *role, const struct key_change *change)
{
	struct place place;
	int r = find_place(body, role, &place);

	if (r == -ENOENT)
		log_error(0, "there is no role \"%s\": repave-sign show lists them", role);
	for (const char *const *name = change->remove; r == 0 && name && *name; name++)
		r = remove_key(&place, role, *name);
	for (const char *const *path = change->add; r == 0 && path && *path; path++)
		r = add_key(&place, *path);
	if (r == 0)
		r = set_threshold(&place, role, change->threshold);
	if (r == 0)
		drop_unused(body);
	return r;
}

/* ------------------------------------------------------------------ staging */

static json_t *copy_of(const struct repository *repository, const char *role)
{
	json_t *body = repository_body(repository, role);

	return body ? json_deep_copy(body) : NULL;
}

static bool is_signed_by(const struct repository *repository, const struct repository_role *role)
{
	struct signers signers;
	uint64_t count;
	bool complete = false;

	return repository_signers(repository, role->name, &signers) == 0 &&
	       signers_count(&signers, role->type, role->published, &count, &complete) == 0 && complete;
}

/* Metadata that its role's new keys haven't signed gets a next version for them to sign. Snapshot and timestamp are made when
 * they are signed. */
static int stage_for_new_keys(struct repository *repository, const char *name, const struct repository_policy *policy,
			      int64_t now)
{
	struct repository_role *role = repository_role(repository, name);
	json_t *body;
	int r;

	if (!role || role->type != TUF_TARGETS || role->staged || !role->published || is_signed_by(repository, role))
		return 0;
	body = copy_of(repository, name);
	r = body ? repository_stage(repository, role, body, expiry(policy, TUF_TARGETS, now), true) : -ENOMEM;
	json_decref(body);
	return r;
}

int repository_rotate(struct repository *repository, const char *name, const struct key_change *change,
		      const struct repository_policy *policy, int64_t now)
{
	const char *holder_name = is_top(name) ? "root" : "targets";
	enum tuf_type type = is_top(name) ? TUF_ROOT : TUF_TARGETS;
	json_t *body = NULL;
	int r = repository_load_staged(repository);

	if (r < 0)
		return r;
	body = copy_of(repository, holder_name);
	r = body ? change_keys(body, name, change) : -ENOMEM;
	if (r == 0)
		r = repository_stage(repository, repository_role(repository, holder_name), body, expiry(policy, type, now), false);
	if (r == 0)
		r = stage_for_new_keys(repository, name, policy, now);
	json_decref(body);
	return r;
}

/* ------------------------------------------------------------------ delegations */

static json_t *make_delegation(json_t *body, const char *role)
{
	json_t *delegations = object_in(body, "delegations"), *roles, *delegation;

	if (!delegations || !object_in(delegations, "keys"))
		return NULL;
	roles = json_object_get(delegations, "roles");
	if (!roles) {
		roles = json_array();
		if (json_object_set_new(delegations, "roles", roles) < 0)
			return NULL;
	}
	delegation = json_pack("{s:s, s:[], s:i, s:b, s:[]}", "name", role, "keyids", "threshold", 1, "terminating", 0, "paths");
	return json_array_append_new(roles, delegation) < 0 ? NULL : delegation;
}

static int set_paths(json_t *delegation, const char *const *paths)
{
	json_t *list = json_array();
	int r = list ? 0 : -ENOMEM;

	for (; r == 0 && *paths; paths++) {
		if (!**paths || (*paths)[0] == '/') {
			log_error(0, "\"%s\" is no pattern of target paths: give one such as app/shop/*/*", *paths);
			r = -EINVAL;
		} else if (json_array_append_new(list, json_string(*paths)) < 0) {
			log_error(0, "a pattern isn't UTF-8");
			r = -EINVAL;
		}
	}
	if (r == 0 && json_object_set(delegation, "paths", list) < 0)
		r = -ENOMEM;
	if (r == 0)
		json_object_del(delegation, "path_hash_prefixes");
	json_decref(list);
	return r;
}

static int edit_delegation(json_t *body, const struct delegation_change *change)
{
	json_t *delegation = delegation_of(body, change->role);
	int r = 0;

	if (!delegation && (!change->paths || !change->keys.add)) {
		log_error(0, "a new delegation needs paths (--app NAME or --path PATTERN) and keys (--key FILE)");
		return -EINVAL;
	}
	if (!delegation)
		delegation = make_delegation(body, change->role);
	if (!delegation)
		return -ENOMEM;
	if (change->paths)
		r = set_paths(delegation, change->paths);
	if (r == 0 && change->terminating >= 0)
		r = json_object_set_new(delegation, "terminating", json_boolean(change->terminating));
	return r < 0 ? r : change_keys(body, change->role, &change->keys);
}

int repository_delegate(struct repository *repository, const struct delegation_change *change,
			const struct repository_policy *policy, int64_t now)
{
	struct repository_role *role;
	json_t *body = NULL, *empty = NULL;
	bool is_new;
	int r = repository_load_staged(repository);

	if (r == 0 && (is_top(change->role) || !is_key_name(change->role))) {
		log_error(0, "\"%s\" can't be the name of a delegated role: letters, digits and \"._-\", and none of TUF's own roles",
			  change->role);
		r = -EINVAL;
	}
	if (r < 0)
		return r;
	is_new = !delegation_of(repository_body(repository, "targets"), change->role);
	body = copy_of(repository, "targets");
	r = body ? edit_delegation(body, change) : -ENOMEM;
	if (r == 0)
		r = repository_stage(repository, repository_role(repository, "targets"), body,
				     expiry(policy, TUF_TARGETS, now), false);
	json_decref(body);
	role = r == 0 ? repository_make_role(repository, change->role) : NULL;
	if (r == 0 && !role)
		return -ENOMEM;
	if (r == 0 && is_new && !role->published) {
		empty = author_empty_targets();
		r = empty ? repository_stage(repository, role, empty, expiry(policy, TUF_TARGETS, now), true) : -ENOMEM;
		json_decref(empty);
	} else if (r == 0) {
		r = stage_for_new_keys(repository, change->role, policy, now);
	}
	return r;
}

/* Targets of the role that nobody else signs for are no longer trusted from the next publish on. */
int repository_undelegate(struct repository *repository, const char *name, const struct repository_policy *policy, int64_t now)
{
	struct repository_role *role;
	json_t *body, *roles;
	int r = repository_load_staged(repository);

	if (r < 0)
		return r;
	if (!delegation_of(repository_body(repository, "targets"), name)) {
		log_error(0, "nothing is delegated to \"%s\": repave-sign show lists the delegations", name);
		return -ENOENT;
	}
	body = copy_of(repository, "targets");
	roles = json_object_get(json_object_get(body, "delegations"), "roles");
	for (size_t i = 0; i < json_array_size(roles); i++)
		if (strcmp(json_string_value(json_object_get(json_array_get(roles, i), "name")), name) == 0)
			json_array_remove(roles, i--);
	if (body)
		drop_unused(body);
	if (json_array_size(roles) == 0)
		json_object_del(body, "delegations");
	r = body ? repository_stage(repository, repository_role(repository, "targets"), body, expiry(policy, TUF_TARGETS, now),
				    false) : -ENOMEM;
	role = repository_role(repository, name);
	if (r == 0 && role && role->staged)
		r = repository_unstage(repository, role);
	json_decref(body);
	return r;
}

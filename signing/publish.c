/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signing what is staged, deciding what can be published, and publishing it.
 *
 *   1. renew     roles past half of their life (or named) get a next version
 *   2. sign      every staged document, with every key at hand that is its signer's
 *   3. choose    those that have their signatures, by the root and the delegations that will then be in force
 *   4. name      a new snapshot and timestamp
 *   5. verify    the result with the code of nodes
 *   6. write     new files first, timestamp last */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "signing/author.h"
#include "signing/repository-private.h"
#include "signing/signers.h"

/* A delegated role's new version may be so much higher than the one that is published: an account can't use all numbers up. */
#define VERSIONS_AHEAD 1000u

const struct repository_policy repository_policy_default = {
	.lifetime = { [TUF_ROOT] = 365 * DAY, [TUF_TARGETS] = 90 * DAY, [TUF_SNAPSHOT] = 14 * DAY,
		      [TUF_TIMESTAMP] = 7 * DAY },
	.threshold = { 1, 1, 1, 1 },
	.keys = { 1, 1, 1, 1 },
};

struct publication {
	struct repository *repository;
	const struct publish_options *options;
	json_t *chosen;              /* role -> document that will be in force (root, targets, delegated) */
	struct pending_file *files;  /* in the order of writing */
	size_t count;
	json_t *published;           /* names of staged roles that `files` hold */
	bool has_root;
	unsigned signatures;         /* made now */
	unsigned waiting;            /* staged documents that lack signatures */
};

static bool is_in(const char *const *names, const char *name)
{
	for (; names && *names; names++)
		if (strcmp(*names, name) == 0)
			return true;
	return false;
}

static bool is_meant(const struct publication *p, const char *role)
{
	return !p->options->role || strcmp(p->options->role, role) == 0;
}

static int64_t expiry(const struct publication *p, enum tuf_type type)
{
	return p->options->now + p->options->policy->lifetime[type];
}

static int64_t expires_of(const json_t *document)
{
	const char *text = json_get_string(json_object_get(document, "signed"), "expires");
	int64_t time = 0;

	if (text)
		tuf_time_parse(text, &time);
	return time;
}

/* Past half of its life. */
static bool is_due(const struct publication *p, const json_t *document, enum tuf_type type)
{
	return expires_of(document) - p->options->now < p->options->policy->lifetime[type] / 2;
}

static json_t *signed_of(const json_t *document)
{
	return json_object_get(document, "signed");
}

static uint64_t version_of(const json_t *document)
{
	uint64_t version = 0;

	json_get_u64(signed_of(document), "version", &version);
	return version;
}

/* ------------------------------------------------------------------ 1. renewing */

static uint64_t count_keys(const struct publication *p, const struct signers *signers, const char *role)
{
	uint64_t count = 0;

	for (size_t i = 0; i < json_array_size(signers->keyids); i++) {
		const struct keyring_key *key =
			keyring_find(p->options->ring, json_string_value(json_array_get(signers->keyids, i)));

		count += key && key->file.has_secret && keyring_key_is_for(key, role) ? 1 : 0;
	}
	return count;
}

static bool has_key_of(const struct publication *p, const char *role)
{
	struct signers signers;

	return repository_signers(p->repository, role, &signers) == 0 && count_keys(p, &signers, role) > 0;
}

static bool is_complete(const struct signers *signers, enum tuf_type type, const json_t *document)
{
	uint64_t count;
	bool complete = false;

	return document && signers_count(signers, type, document, &count, &complete) == 0 && complete;
}

/* Whether what is published isn't signed by the keys that will be the role's. */
static bool is_replaced(const struct publication *p, const struct repository_role *role)
{
	struct signers signers;

	return repository_signers(p->repository, role->name, &signers) == 0 &&
	       !is_complete(&signers, role->type, role->published);
}

/* The root isn't renewed by itself: its keys are fetched from where they lie for an occasion. */
static bool wants_renewal(const struct publication *p, const struct repository_role *role)
{
	if (is_in(p->options->renew, role->name))
		return true;
	if (role->type != TUF_TARGETS || !is_meant(p, role->name))
		return false;
	/* Its keys are about to change. */
	if (!role->staged && role->published && is_replaced(p, role))
		return true;
	if (role->staged) /* long ago, and nobody has signed it */
		return json_array_size(json_object_get(role->staged, "signatures")) == 0 && is_due(p, role->staged, TUF_TARGETS) &&
		       has_key_of(p, role->name);
	return role->published && is_due(p, role->published, TUF_TARGETS) && has_key_of(p, role->name);
}

/* In memory only: nothing is written before it is signed. */
static int renew(struct publication *p, struct repository_role *role)
{
	json_t *body = repository_body(p->repository, role->name), *document;
	uint64_t version = role->staged ? version_of(role->staged) : repository_next_version(p->repository, role);
	int r;

	document = json_pack("{s:[], s:o}", "signatures", "signed", json_copy(body));
	r = document ? author_stamp(signed_of(document), version, expiry(p, role->type)) : -ENOMEM;
	if (r < 0) {
		json_decref(document);
		return r;
	}
	json_decref(role->staged);
	role->staged = document;
	return 0;
}

static int renew_all(struct publication *p)
{
	int r = 0;

	for (const char *const *name = p->options->renew; name && *name; name++)
		if (!repository_body(p->repository, *name) || strcmp(*name, "snapshot") == 0 || strcmp(*name, "timestamp") == 0) {
			log_error(0, "can't renew \"%s\": give root, targets or a delegated role", *name);
			return -EINVAL;
		}
	for (size_t i = 0; r == 0 && i < p->repository->count; i++)
		if (wants_renewal(p, &p->repository->roles[i]))
			r = renew(p, &p->repository->roles[i]);
	return r;
}

/* ------------------------------------------------------------------ 2. signing */

/* Signs with every key at hand that `signers` names. */
static int sign_as(struct publication *p, const struct signers *signers, const char *role, enum tuf_type type, json_t *document)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(signers->keyids); i++) {
		const char *keyid = json_string_value(json_array_get(signers->keyids, i));
		struct keyring_key *found = keyring_find(p->options->ring, keyid);
		const struct signing_key *key;
		bool valid;

		if (!found || !found->file.has_secret)
			continue;
		if (!keyring_key_is_for(found, role)) {
			log_warning("%s may not sign for %s, as its file says", found->path, role);
			continue;
		}
		if (keyring_is_expired(p->options->ring, found)) {
			log_warning("%s has expired and doesn't sign: repave-sign rotate puts another key in its place", found->path);
			continue;
		}
		r = signers_has_signed(signers, type, document, keyid, &valid);
		if (r < 0 || valid || (found->file.is_encrypted && !found->key && is_complete(signers, type, document)))
			continue; /* nobody is asked for a passphrase that isn't needed */
		r = keyring_open(p->options->ring, found, &key);
		if (r == 0)
			r = author_add_signature(document, key);
		if (r == 0)
			p->signatures++;
	}
	return r;
}

/* A root is signed by those who signed the one before, too. */
static int old_root_signers(const struct publication *p, struct signers *ret_signers)
{
	return signers_of_top(signed_of(p->repository->roles[TUF_ROOT].published), "root", ret_signers);
}

static int sign_staged(struct publication *p, struct repository_role *role)
{
	struct signers signers;
	int r = 0;

	if (!role->staged || !is_meant(p, role->name))
		return 0;
	if (role->type == TUF_ROOT && old_root_signers(p, &signers) == 0)
		r = sign_as(p, &signers, role->name, role->type, role->staged);
	if (r == 0 && repository_signers(p->repository, role->name, &signers) == 0)
		r = sign_as(p, &signers, role->name, role->type, role->staged);
	return r;
}

static int sign_all(struct publication *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->repository->count; i++)
		r = sign_staged(p, &p->repository->roles[i]);
	return r;
}

/* ------------------------------------------------------------------ 3. choosing */

static json_t *chosen(const struct publication *p, const char *role)
{
	return json_object_get(p->chosen, role);
}

static int choose(struct publication *p, const char *role, json_t *document)
{
	if (!document)
		return 0;
	return json_object_set(p->chosen, role, document) < 0 ? -ENOMEM : 0;
}

static bool is_complete_by(const json_t *root, const char *role, enum tuf_type type, const json_t *document)
{
	struct signers signers;

	return signers_of_top(signed_of(root), role, &signers) == 0 && is_complete(&signers, type, document);
}

/* Targets that will verify under `root`: what is staged, or else what is published. */
static json_t *targets_under(const struct publication *p, const json_t *root)
{
	const struct repository_role *targets = &p->repository->roles[TUF_TARGETS];

	if (is_complete_by(root, "targets", TUF_TARGETS, targets->staged))
		return targets->staged;
	return is_complete_by(root, "targets", TUF_TARGETS, targets->published) ? targets->published : NULL;
}

static bool is_root_complete(const struct publication *p)
{
	const struct repository_role *root = &p->repository->roles[TUF_ROOT];
	struct signers signers;

	return root->staged && is_complete_by(root->staged, "root", TUF_ROOT, root->staged) &&
	       (!root->published || (old_root_signers(p, &signers) == 0 && is_complete(&signers, TUF_ROOT, root->staged)));
}

/* A root that takes the targets' keys away comes with targets signed by the new ones, or waits. */
static int choose_top(struct publication *p)
{
	const struct repository_role *root = &p->repository->roles[TUF_ROOT], *targets = &p->repository->roles[TUF_TARGETS];
	json_t *with_new = is_root_complete(p) ? targets_under(p, root->staged) : NULL;
	json_t *in_force = with_new ? root->staged : root->published;
	json_t *under = with_new ? with_new : targets_under(p, root->published);
	int r = choose(p, "root", in_force);

	if (r == 0 && root->published && !under)
		under = targets->published; /* which the old root verifies */
	return r == 0 ? choose(p, "targets", under) : r;
}

/* The newest version of a delegated role that lies in metadata/ unnamed yet, such as an account's upload. */
static int find_newer(const struct publication *p, const char *role, const struct signers *signers, uint64_t above,
		      json_t **ret_document)
{
	char file[TUF_FILE_NAME_SIZE], folder[4096], error[TUF_ERROR_SIZE], also[160];
	struct buffer data = { 0 };
	const struct dirent *entry;
	uint64_t version, best = above;
	DIR *entries;
	int r = 0;

	*ret_document = NULL;
	snprintf(folder, sizeof(folder), "%s/metadata", p->repository->folder);
	entries = opendir(folder);
	while (entries && r == 0 && (entry = readdir(entries))) {
		struct tuf_document parsed = { 0 };
		json_t *document;

		version = strtoull(entry->d_name, NULL, 10);
		if (version <= best || version > above + VERSIONS_AHEAD)
			continue;
		metadata_file_name(role, version, file);
		if (strcmp(file, entry->d_name) != 0)
			continue;
		r = repository_fetch(p->repository->folder, file, TUF_TARGETS_MOST, &data);
		if (r == 0 && tuf_document_parse(TUF_TARGETS, data.data, data.size, &parsed, error) == 0) {
			document = json_parse(data.data, data.size, also);
			if (version_of(document) == version && is_complete(signers, TUF_TARGETS, document)) {
				json_decref(*ret_document);
				*ret_document = json_incref(document);
				best = version;
			} else {
				log_warning("metadata/%s isn't signed by enough keys of %s: it isn't taken", file, role);
			}
			json_decref(document);
		} else if (r == 0) {
			log_warning("metadata/%s isn't taken: %s", file, error);
		}
		tuf_document_release(&parsed);
		buffer_release(&data);
	}
	if (entries)
		closedir(entries);
	return r;
}

static int choose_delegated(struct publication *p, const char *name)
{
	struct repository_role *role = repository_make_role(p->repository, name);
	json_t *targets = chosen(p, "targets"), *document = NULL;
	uint64_t above = role ? role->version : 0;
	struct signers signers;
	int r = role ? 0 : -ENOMEM;

	if (r < 0 || signers_of_delegated(signed_of(targets), name, &signers) < 0)
		return r;
	if (is_complete(&signers, TUF_TARGETS, role->staged))
		return choose(p, name, role->staged);
	r = find_newer(p, name, &signers, above, &document);
	if (r == 0 && document)
		r = choose(p, name, document);
	else if (r == 0 && is_complete(&signers, TUF_TARGETS, role->published))
		r = choose(p, name, role->published);
	json_decref(document);
	return r;
}

static int choose_all_delegated(struct publication *p)
{
	const json_t *delegations = json_object_get(json_object_get(signed_of(chosen(p, "targets")), "delegations"), "roles");
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(delegations); i++) {
		const char *name = json_get_string(json_array_get(delegations, i), "name");

		if (name)
			r = choose_delegated(p, name);
	}
	return r;
}

/* A delegation, and new keys of one, come into force with metadata that the keys have signed: nodes take a role that has none, or
 * one by other keys, for an attack. */
static int hold_back_delegations(struct publication *p)
{
	const struct repository_role *targets = &p->repository->roles[TUF_TARGETS];
	const json_t *delegations = json_object_get(json_object_get(signed_of(chosen(p, "targets")), "delegations"), "roles");

	if (!targets->staged || chosen(p, "targets") != targets->staged)
		return 0;
	for (size_t i = 0; i < json_array_size(delegations); i++) {
		const char *name = json_get_string(json_array_get(delegations, i), "name");
		const struct repository_role *role = name ? repository_role(p->repository, name) : NULL;

		if (!role || chosen(p, name) || is_in(p->options->leave_out, name))
			continue;
		log_warning("the keys of %s have to sign its metadata before targets are published that name them: repave-sign "
			    "publish --role %s (or, when its images may fail meanwhile, publish --leave-out %s)", name, name, name);
		p->waiting++;
		json_object_del(p->chosen, "targets");
		return 1;
	}
	return 0;
}

static int choose_documents(struct publication *p)
{
	struct repository_role *targets = &p->repository->roles[TUF_TARGETS];
	json_t *held_back;
	int r = choose_top(p);

	if (r == 0)
		r = choose_all_delegated(p);
	if (r < 0 || hold_back_delegations(p) == 0)
		return r;
	/* Again, as if the targets weren't staged. */
	held_back = targets->staged;
	targets->staged = NULL;
	json_object_clear(p->chosen);
	r = choose_top(p);
	if (r == 0)
		r = choose_all_delegated(p);
	targets->staged = held_back;
	return r;
}

/* ------------------------------------------------------------------ 4. naming */

static int add_file(struct publication *p, const char *role, const json_t *document)
{
	struct pending_file *more = realloc(p->files, (p->count + 1) * sizeof(*more)), *file;
	int r;

	if (!more)
		return -ENOMEM;
	p->files = more;
	file = &more[p->count];
	memset(file, 0, sizeof(*file));
	metadata_file_name(role, version_of(document), file->name);
	r = author_format(document, &file->data);
	if (r == 0)
		p->count++;
	return r;
}

/* Files of what is staged and chosen. */
static int add_chosen(struct publication *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->repository->count; i++) {
		const struct repository_role *role = &p->repository->roles[i];

		if (!role->staged || chosen(p, role->name) != role->staged)
			continue;
		r = add_file(p, role->name, role->staged);
		if (r == 0 && json_array_append_new(p->published, json_string(role->name)) < 0)
			r = -ENOMEM;
		p->has_root = p->has_root || role->type == TUF_ROOT;
	}
	return r;
}

static int add_meta(const struct publication *p, const char *role, const json_t *document, json_t *meta)
{
	const struct repository_role *published = repository_role(p->repository, role);
	char file[TUF_FILE_NAME_SIZE], name[META_NAME_SIZE];
	struct buffer text = { 0 };
	int r;

	if (published && document == published->published) {
		r = buffer_add(&text, published->data.data, published->data.size);
	} else if (published && document == published->staged) {
		r = author_format(document, &text);
	} else { /* lies in metadata/ already */
		metadata_file_name(role, version_of(document), file);
		r = repository_fetch(p->repository->folder, file, TUF_TARGETS_MOST, &text);
	}
	meta_name(role, name);
	if (r == 0 && json_object_set_new(meta, name, author_meta(version_of(document), &text)) < 0)
		r = -ENOMEM;
	buffer_release(&text);
	return r;
}

/* Everything that was ever named stays named: a node that saw it refuses a snapshot without it. */
static int make_meta(const struct publication *p, json_t **ret_meta)
{
	json_t *meta = snapshot_meta(p->repository) ? json_copy(snapshot_meta(p->repository)) : json_object(), *document;
	const char *role;
	int r = meta ? 0 : -ENOMEM;

	json_object_foreach(p->chosen, role, document) {
		if (r == 0 && strcmp(role, "root") != 0)
			r = add_meta(p, role, document, meta);
	}
	if (r < 0)
		json_decref(meta);
	else
		*ret_meta = meta;
	return r;
}

static int refuse_keyless(const struct publication *p, const char *role, uint64_t have, uint64_t needed)
{
	log_error(0, "%s has %" PRIu64 " of the %" PRIu64 " keys of this repository that %s needs: nothing was changed",
		  p->options->ring->folder ? p->options->ring->folder : "this call", have, needed, role);
	return -ENOKEY;
}

/* Takes over `body`. Signs as an online role and appends the file. */
static int sign_online(struct publication *p, enum tuf_type type, json_t *body, json_t **ret_document)
{
	json_t *document = json_pack("{s:[], s:o}", "signatures", "signed", body);
	struct signers signers;
	uint64_t count = 0;
	bool complete = false;
	int r = document ? signers_of_top(signed_of(chosen(p, "root")), tuf_type_name(type), &signers) : -ENOMEM;

	if (r == 0)
		r = sign_as(p, &signers, tuf_type_name(type), type, document);
	if (r == 0)
		r = signers_count(&signers, type, document, &count, &complete);
	if (r == 0 && !complete)
		r = refuse_keyless(p, tuf_type_name(type), count, signers.threshold);
	if (r == 0)
		r = add_file(p, tuf_type_name(type), document);
	if (r < 0)
		json_decref(document);
	else
		*ret_document = document;
	return r;
}

/* A new snapshot or timestamp, when it has to say something else, its life is half over, or its keys have changed. */
static int name_online(struct publication *p, enum tuf_type type, json_t *meta, json_t **ret_document)
{
	const struct repository_role *role = &p->repository->roles[type];
	json_t *body;

	if (role->published && json_equal(json_object_get(signed_of(role->published), "meta"), meta) &&
	    !is_due(p, role->published, type) && is_complete_by(chosen(p, "root"), role->name, type, role->published)) {
		*ret_document = json_incref(role->published);
		return 0;
	}
	body = author_body(type, role->version + 1, expiry(p, type));
	if (!body || json_object_set(body, "meta", meta) < 0) {
		json_decref(body);
		return -ENOMEM;
	}
	return sign_online(p, type, body, ret_document);
}

static int name_all(struct publication *p)
{
	json_t *meta = NULL, *snapshot = NULL, *timestamp = NULL;
	const struct repository_role *role = &p->repository->roles[TUF_SNAPSHOT];
	const struct buffer *text;
	int r = make_meta(p, &meta);

	if (r == 0)
		r = name_online(p, TUF_SNAPSHOT, meta, &snapshot);
	json_decref(meta);
	if (r == 0) {
		text = snapshot == role->published ? &role->data : &p->files[p->count - 1].data;
		meta = json_pack("{s:o}", "snapshot.json", author_meta(version_of(snapshot), text));
		r = meta ? name_online(p, TUF_TIMESTAMP, meta, &timestamp) : -ENOMEM;
		json_decref(meta);
	}
	json_decref(snapshot);
	json_decref(timestamp);
	return r;
}

/* ------------------------------------------------------------------ 5. and 6. */

static int verify_and_write(struct publication *p)
{
	struct repository *repository = p->repository;
	const struct buffer *root = repository->trusted_root.size > 0 ? &repository->trusted_root : &p->files[0].data;
	struct memory_store memory;
	int r = repository_verify(repository->folder, p->files, p->count, root, p->options->now, &memory);

	if (r == -ESTALE && !p->has_root && expires_of(repository->roles[TUF_ROOT].published) <= p->options->now)
		log_info("the root has expired: repave-sign publish --renew root signs a new one");
	memory_store_release(&memory);
	if (r == 0)
		r = repository_write(repository->folder, p->files, p->count, p->has_root);
	return r;
}

static int unstage_published(struct publication *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(p->published); i++) {
		struct repository_role *role =
			repository_role(p->repository, json_string_value(json_array_get(p->published, i)));

		json_decref(role->published);
		role->published = json_incref(role->staged);
		role->version = version_of(role->staged);
		r = repository_unstage(p->repository, role);
	}
	return r;
}

/* ------------------------------------------------------------------ what is still missing */

static int report_missing(struct publication *p, const struct repository_role *role, const struct signers *signers,
			  const char *as)
{
	struct buffer names = { 0 };
	uint64_t count = 0;
	bool complete = false;
	int r = signers_count(signers, role->type, role->staged, &count, &complete);

	if (r == 0 && !complete) {
		r = signers_missing(signers, role->type, role->staged, &names);
		if (r == 0)
			log_info("%s version %" PRIu64 " has %" PRIu64 " of %" PRIu64 " signatures%s, missing: %s", role->name,
				 version_of(role->staged), count, signers->threshold, as, (const char *)names.data);
		/* What an account hasn't signed yet is the account's affair. */
		p->waiting += delegation_of(repository_body(p->repository, "targets"), role->name) && !p->options->role ? 0 : 1;
	}
	buffer_release(&names);
	return r;
}

/* Staged documents that can't be published yet keep the signatures they got. */
static int keep_waiting(struct publication *p)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->repository->count; i++) {
		const struct repository_role *role = &p->repository->roles[i];
		struct signers old, new;

		if (!role->staged || chosen(p, role->name) == role->staged)
			continue;
		if (p->options->scope == PUBLISH_ALL && repository_signers(p->repository, role->name, &new) == 0) {
			if (role->type == TUF_ROOT && old_root_signers(p, &old) == 0 && !signers_are_same(&old, &new))
				r = report_missing(p, role, &old, " of the root before");
			if (r == 0)
				r = report_missing(p, role, &new, "");
		}
		if (r == 0 && p->signatures > 0 && json_array_size(json_object_get(role->staged, "signatures")) > 0)
			r = repository_store_staged(p->repository, role);
	}
	return r;
}

/* Nothing could be signed, for want of keys: said as a mistake, with nothing changed. */
static int refuse_unsigned(const struct publication *p)
{
	for (size_t i = 0; i < p->repository->count; i++) {
		const struct repository_role *role = &p->repository->roles[i];
		struct signers signers;

		if (role->staged && chosen(p, role->name) != role->staged && is_meant(p, role->name) &&
		    repository_signers(p->repository, role->name, &signers) == 0 && count_keys(p, &signers, role->name) == 0)
			return refuse_keyless(p, role->name, 0, signers.threshold);
	}
	return 0;
}

static void warn_of_expiry(const struct publication *p, enum tuf_type type)
{
	const json_t *document = chosen(p, tuf_type_name(type));
	int64_t days = (expires_of(document) - p->options->now) / DAY;

	if (document && is_due(p, document, type))
		log_warning("%s metadata expires in %" PRId64 " days: repave-sign publish --renew %s, with its keys",
			    tuf_type_name(type), days < 0 ? 0 : days, tuf_type_name(type));
}

/* ------------------------------------------------------------------ all of it */

/* Staged documents are the operator's; the online job takes those that are complete, and goes on without what is damaged. */
static int load_and_sign(struct publication *p)
{
	int r = repository_load_staged(p->repository);

	if (p->options->scope == PUBLISH_ONLINE) {
		for (size_t i = 0; r == -EINVAL && i < p->repository->count; i++) {
			json_decref(p->repository->roles[i].staged);
			p->repository->roles[i].staged = NULL;
		}
		return r == -EINVAL ? 0 : r;
	}
	if (r == 0 && p->options->role && !repository_body(p->repository, p->options->role) &&
	    !delegation_of(repository_body(p->repository, "targets"), p->options->role)) {
		log_error(0, "there is no role \"%s\": repave-sign show lists them", p->options->role);
		r = -ENOENT;
	}
	if (r == 0)
		r = renew_all(p);
	return r == 0 ? sign_all(p) : r;
}

/* Whether something that is chosen isn't published yet. */
static bool has_news(const struct publication *p)
{
	const json_t *document;
	const char *role;

	json_object_foreach(p->chosen, role, document) {
		const struct repository_role *published = repository_role(p->repository, role);

		if (!published || published->published != document)
			return true;
	}
	return false;
}

/* Whether the keys at hand can sign snapshot and timestamp under the root that will be in force. */
static bool can_name(const struct publication *p)
{
	static const char *const online[] = { "snapshot", "timestamp" };
	struct signers signers;

	for (size_t i = 0; i < 2; i++)
		if (signers_of_top(signed_of(chosen(p, "root")), online[i], &signers) < 0 ||
		    count_keys(p, &signers, online[i]) < signers.threshold)
			return false;
	return true;
}

static int write_chosen(struct publication *p)
{
	int r = add_chosen(p);

	if (r == 0)
		r = name_all(p);
	if (r == 0 && p->count > 0)
		r = verify_and_write(p);
	if (r == 0)
		r = unstage_published(p);
	for (size_t i = 0; r == 0 && i < p->count; i++)
		log_info("published %s", p->files[i].name);
	return r;
}

/* Signers without the online keys leave what they signed staged. */
static int leave_staged(struct publication *p)
{
	int r;

	json_object_clear(p->chosen);
	r = keep_waiting(p);
	if (r == 0 && p->waiting == 0)
		log_info("signed and staged: repave-sign refresh publishes it with the snapshot and timestamp keys");
	return r < 0 ? r : PUBLISH_WAITS;
}

static int publish(struct publication *p)
{
	bool all = p->options->scope == PUBLISH_ALL;
	int r = load_and_sign(p);

	if (r == 0)
		r = choose_documents(p);
	if (r == 0 && all && p->signatures == 0 && !has_news(p) && !p->options->keys_are_elsewhere)
		r = refuse_unsigned(p);
	if (r < 0)
		return r;
	if (all && p->signatures > 0 && !can_name(p))
		return leave_staged(p);
	if (chosen(p, "root") && chosen(p, "targets"))
		r = write_chosen(p);
	if (r == 0)
		r = keep_waiting(p);
	if (r < 0)
		return r;
	if (chosen(p, "root")) {
		warn_of_expiry(p, TUF_ROOT);
		warn_of_expiry(p, TUF_TARGETS);
	}
	return p->waiting > 0 && all ? PUBLISH_WAITS : (int)p->count;
}

int repository_publish_with(struct repository *repository, const struct publish_options *options)
{
	struct publication p = { .repository = repository, .options = options, .chosen = json_object(),
				 .published = json_array() };
	int r = p.chosen && p.published ? publish(&p) : -ENOMEM;

	for (size_t i = 0; i < p.count; i++)
		buffer_release(&p.files[i].data);
	free(p.files);
	json_decref(p.chosen);
	json_decref(p.published);
	return r;
}

int repository_publish(struct repository *repository, const char *keys_folder, const struct repository_policy *policy,
		       enum repository_scope scope, int64_t now)
{
	struct passphrases never = { .never = true };
	struct publish_options options = { .policy = policy, .scope = scope, .now = now };
	struct keyring ring;
	int r = keyring_load(keys_folder, &never, now, &ring);

	if (r < 0)
		return r;
	options.ring = &ring;
	r = repository_publish_with(repository, &options);
	keyring_release(&ring);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making, checking and writing metadata. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/author.h"
#include "signing/client.h"
#include "signing/repository-private.h"

const struct repository_policy repository_policy_default = {
	.lifetime = { [TUF_ROOT] = 365 * DAY, [TUF_TARGETS] = 90 * DAY, [TUF_SNAPSHOT] = 14 * DAY,
		      [TUF_TIMESTAMP] = 7 * DAY },
	.threshold = { 1, 1, 1, 1 },
	.keys = { 1, 1, 1, 1 },
};

/* ------------------------------------------------------------------ verifying with the node's own code */

struct overlay {
	const char *folder;
	const struct pending_file *pending;
	size_t count;
};

int repository_fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	const char *folder = context;
	char *path;
	int r;

	if (asprintf(&path, "%s/metadata/%s", folder, name) < 0)
		return -ENOMEM;
	r = file_load(path, most, ret_data);
	free(path);
	return r;
}

static int overlay_fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	const struct overlay *overlay = context;

	for (size_t i = 0; i < overlay->count; i++) {
		const struct pending_file *file = &overlay->pending[i];

		if (strcmp(file->name, name) == 0)
			return file->data.size > most ? -EFBIG : buffer_add(ret_data, file->data.data, file->data.size);
	}
	return repository_fetch((void *)(uintptr_t)overlay->folder, name, most, ret_data);
}

static struct buffer *slot_of(struct memory_store *memory, const char *role)
{
	for (unsigned type = TUF_ROOT; type <= TUF_TARGETS; type++)
		if (strcmp(role, tuf_type_name(type)) == 0)
			return &memory->data[type];
	return NULL;
}

static int memory_load(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	const struct buffer *data = slot_of(context, role);

	if (!data || !data->data)
		return -ENOENT;
	return data->size > most ? -EFBIG : buffer_add(ret_data, data->data, data->size);
}

static int memory_save(void *context, const char *role, const void *bytes, size_t size)
{
	struct buffer *data = slot_of(context, role);

	if (!data)
		return -EINVAL;
	buffer_release(data);
	return buffer_add(data, bytes, size);
}

static int memory_remove(void *context, const char *role)
{
	struct buffer *data = slot_of(context, role);

	if (data)
		buffer_release(data);
	return 0;
}

struct tuf_store memory_store_callbacks(struct memory_store *memory)
{
	return (struct tuf_store){ memory_load, memory_save, memory_remove, memory };
}

void memory_store_release(struct memory_store *memory)
{
	for (unsigned type = TUF_ROOT; type <= TUF_TARGETS; type++)
		buffer_release(&memory->data[type]);
}

int repository_verify(const char *folder, const struct pending_file *pending, size_t count, const struct buffer *root,
		      int64_t now, struct buffer ret_data[4])
{
	struct memory_store memory = { 0 };
	struct overlay overlay = { folder, pending, count };
	struct tuf_store store = memory_store_callbacks(&memory);
	struct tuf_fetch fetch = { overlay_fetch, &overlay };
	struct tuf_client *client = NULL;
	int r = tuf_client_open(&store, &fetch, root->data, root->size, now, &client);

	if (r < 0) {
		log_error(0, "the trusted root of %s isn't sound TUF metadata", folder);
	} else {
		r = tuf_client_refresh(client);
		if (r < 0)
			log_error(0, "%s doesn't verify: %s", folder, tuf_client_error(client));
	}
	tuf_client_close(client);
	if (r == 0)
		memcpy(ret_data, memory.data, sizeof(memory.data));
	else
		memory_store_release(&memory);
	return r;
}

/* ------------------------------------------------------------------ signing one role */

static bool is_signer(const struct tuf_signers *signers, const char *keyid)
{
	struct tree_steps steps = tree_begin(signers->keyids);

	while (tree_next(&steps))
		if (tree_is(steps.value, keyid))
			return true;
	return false;
}

/* The keys in the folder that the root names for the role; at least as many as the threshold. */
static int load_signers(const struct tuf_document *root, const char *keys_folder, enum tuf_type role,
			struct signing_keys *ret_keys)
{
	struct signing_keys all = { 0 }, keys = { 0 };
	struct tuf_signers signers;
	int r = signing_keys_load(keys_folder, role, &all);

	if (r < 0)
		return r;
	tuf_root_signers(root, role, &signers);
	for (size_t i = 0; r == 0 && i < all.count; i++)
		if (is_signer(&signers, all.keys[i].keyid))
			r = signing_keys_add(&keys, &all.keys[i]);
	signing_keys_release(&all);
	if (r == 0 && keys.count < signers.threshold) {
		log_error(0, "%s has %zu of the %" PRIu64 " keys of this repository that %s needs (%s-N.key): nothing was "
			  "changed", keys_folder, keys.count, signers.threshold, tuf_type_name(role),
			  tuf_type_name(role));
		r = -ENOKEY;
	}
	if (r < 0)
		signing_keys_release(&keys);
	else
		*ret_keys = keys;
	return r;
}

static int sign_pending(const struct tuf_document *root, const char *keys_folder, enum tuf_type role, json_t *body,
			uint64_t version, struct pending_file *ret_file)
{
	struct signing_keys keys = { 0 };
	int r = body ? load_signers(root, keys_folder, role, &keys) : -ENOMEM;

	if (r < 0)
		return r;
	if (role == TUF_TIMESTAMP)
		snprintf(ret_file->name, sizeof(ret_file->name), "timestamp.json");
	else
		snprintf(ret_file->name, sizeof(ret_file->name), "%" PRIu64 ".%s.json", version, tuf_type_name(role));
	r = author_sign(body, &keys, &ret_file->data);
	if (r < 0)
		log_error(r, "can't sign %s", ret_file->name);
	signing_keys_release(&keys);
	return r;
}

/* ------------------------------------------------------------------ publishing */

struct publication {
	const struct tuf_document *root;
	const char *keys_folder;
	const struct repository_policy *policy;
	int64_t now;
	struct pending_file files[3]; /* in the order of writing */
	size_t count;
};

static int64_t expiry(const struct publication *p, enum tuf_type role)
{
	return p->now + p->policy->lifetime[role];
}

static bool is_due(const struct publication *p, const struct tuf_document *document)
{
	return document->expires - p->now < p->policy->lifetime[document->type] / 2;
}

/* `body` is taken over. */
static int add_pending(struct publication *p, enum tuf_type role, json_t *body, uint64_t version)
{
	int r = sign_pending(p->root, p->keys_folder, role, body, version, &p->files[p->count]);

	json_decref(body);
	if (r == 0)
		p->count++;
	return r;
}

/* What the next role up has to name. */
struct below {
	uint64_t version;
	const struct buffer *data;
	bool is_new;
};

/* A new snapshot or timestamp, when what it names is new or its own life is half over. */
static int prepare_naming(struct publication *p, const struct repository *repository, enum tuf_type role,
			  const char *file, struct below *below)
{
	const struct tuf_document *current = &repository->documents[role];
	uint64_t version = current->version + 1;
	int r;

	if (!below->is_new && !is_due(p, current)) {
		*below = (struct below){ current->version, &repository->data[role], false };
		return 0;
	}
	r = add_pending(p, role, author_naming(role, version, expiry(p, role), file, below->version, below->data),
			version);
	if (r == 0)
		*below = (struct below){ version, &p->files[p->count - 1].data, true };
	return r;
}

/* Fills p->files, bottom up: each file names the one before by hash. */
static int prepare(struct publication *p, const struct repository *repository, enum repository_scope scope)
{
	const struct tuf_document *targets = &repository->documents[TUF_TARGETS];
	struct below below = { targets->version, &repository->data[TUF_TARGETS], false };
	int r = 0;

	if (scope == PUBLISH_ALL && (repository->is_staged || is_due(p, targets))) {
		below = (struct below){ targets->version + 1, &p->files[0].data, true };
		r = add_pending(p, TUF_TARGETS,
				author_targets(below.version, expiry(p, TUF_TARGETS), repository->targets), below.version);
	}
	if (r == 0)
		r = prepare_naming(p, repository, TUF_SNAPSHOT, "targets.json", &below);
	if (r == 0)
		r = prepare_naming(p, repository, TUF_TIMESTAMP, "snapshot.json", &below);
	return r;
}

/* timestamp.json is the last of them: until it is renamed into place nobody looks at the new ones. */
static int write_files(const char *folder, const struct pending_file *files, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		char *path;

		if (asprintf(&path, "%s/metadata/%s", folder, files[i].name) < 0)
			return -ENOMEM;
		r = file_store(path, files[i].data.data, files[i].data.size, 0644);
		if (r < 0)
			log_error(r, "can't write %s", path);
		free(path);
	}
	return r;
}

static int verify_and_write(struct publication *p, struct repository *repository)
{
	struct buffer accepted[4] = { 0 };
	int r = repository_verify(repository->folder, p->files, p->count, &repository->data[TUF_ROOT], p->now, accepted);

	for (unsigned type = TUF_ROOT; type <= TUF_TARGETS; type++)
		buffer_release(&accepted[type]);
	if (r == 0)
		r = write_files(repository->folder, p->files, p->count);
	return r;
}

static void warn_of_expiry(const struct publication *p, const struct tuf_document *document)
{
	int64_t days = (document->expires - p->now) / DAY;

	if (is_due(p, document))
		log_warning("%s metadata expires in %" PRId64 " days, and its keys are needed to renew it",
			    tuf_type_name(document->type), days < 0 ? 0 : days);
}

int repository_publish(struct repository *repository, const char *keys_folder, const struct repository_policy *policy,
		       enum repository_scope scope, int64_t now)
{
	struct publication p = { .root = &repository->documents[TUF_ROOT], .keys_folder = keys_folder,
				 .policy = policy, .now = now };
	int r = scope == PUBLISH_ALL ? repository_load_staged(repository) : 0;

	if (r == 0)
		r = prepare(&p, repository, scope);
	if (r == 0 && p.count > 0)
		r = verify_and_write(&p, repository);
	if (r == 0 && scope == PUBLISH_ALL && repository->is_staged)
		r = repository_unstage(repository);
	for (size_t i = 0; r == 0 && i < p.count; i++)
		log_info("published %s", p.files[i].name);
	if (r == 0) {
		r = (int)p.count;
		warn_of_expiry(&p, &repository->documents[TUF_ROOT]);
		if (scope == PUBLISH_ONLINE)
			warn_of_expiry(&p, &repository->documents[TUF_TARGETS]);
	}
	for (size_t i = 0; i < 3; i++)
		buffer_release(&p.files[i].data);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client workflow; step numbers are those of the specification, section 5. */
#include "signing/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signing/format.h"
#include "signing/verified-private.h"

/* 5.3.3: how many new roots one update follows. */
#define ROOTS_MOST 256u

struct tuf_client {
	struct tuf_store store;
	struct tuf_fetch fetch;
	int64_t now;
	struct buffer root_data;     /* the bytes of `root` */
	uint64_t stored_root;        /* version that the store's root claims, 0 when it has none */
	bool rotated_since_stored;   /* the given root has other online keys than an older one in the store */
	struct tuf_document root, timestamp, snapshot, targets; /* all-zero: not trusted yet */
	char error[TUF_ERROR_SIZE + 160];
};

__attribute__((format(printf, 3, 4))) static int fail(struct tuf_client *client, int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(client->error, sizeof(client->error), format, arguments);
	va_end(arguments);
	return r;
}

static bool is_trusted(const struct tuf_document *document)
{
	return !tuf_document_is_empty(document);
}

/* Moves `from` to `to`, which is released first. */
static void replace(struct tuf_document *to, struct tuf_document *from)
{
	tuf_document_release(to);
	*to = *from;
	memset(from, 0, sizeof(*from));
}

/* ------------------------------------------------------------------ one file */

/* Form and signatures; the sentence names the file. */
static int verify(struct tuf_client *client, const char *name, enum tuf_type type, const struct buffer *data,
		  const struct tuf_signers *signers, struct tuf_document *ret_document)
{
	char error[TUF_ERROR_SIZE];
	int r = tuf_document_parse(type, data->data, data->size, ret_document, error);

	if (r < 0)
		return fail(client, r, "%s: %s", name, error);
	r = tuf_check_signatures(ret_document, signers, error);
	if (r < 0) {
		tuf_document_release(ret_document);
		return fail(client, r, "%s: %s", name, error);
	}
	return 0;
}

static int fetch(struct tuf_client *client, const char *name, size_t most, struct buffer *ret_data)
{
	int r = client->fetch.fetch(client->fetch.context, name, most, ret_data);

	/* The bound is ours: a callback that forgets it must not matter. */
	if (r == 0 && ret_data->size > most)
		r = -EFBIG;
	if (r == 0)
		return 0;
	buffer_release(ret_data);
	if (r == -EFBIG)
		return fail(client, -EBADMSG, "%s: is longer than the %zu bytes it may have", name, most);
	return fail(client, r, "%s: can't be fetched: %s", name, r == -ENOENT ? "the repository doesn't have it" :
		    strerror(-r));
}

/* What the store has for a role, if it still verifies; ret_document is empty otherwise. Anybody may have written to
 * the store, so what doesn't verify is as good as absent. */
static int load_trusted(struct tuf_client *client, enum tuf_type type, const struct tuf_signers *signers, size_t most,
			struct buffer *ret_data, struct tuf_document *ret_document)
{
	const char *role = tuf_type_name(type);
	int r = client->store.load(client->store.context, role, most, ret_data);

	memset(ret_document, 0, sizeof(*ret_document));
	if (r == -ENOENT || r == -EFBIG)
		return 0;
	if (r < 0)
		return fail(client, r, "trusted %s metadata can't be read: %s", role, strerror(-r));
	r = verify(client, role, type, ret_data, signers, ret_document);
	return r == -ENOMEM ? r : 0;
}

static int save(struct tuf_client *client, enum tuf_type type, const struct buffer *data)
{
	int r = client->store.store(client->store.context, tuf_type_name(type), data->data, data->size);

	if (r < 0)
		return fail(client, r, "trusted %s metadata can't be stored: %s", tuf_type_name(type), strerror(-r));
	return 0;
}

static int check_expiry(struct tuf_client *client, const char *name, const struct tuf_document *document)
{
	char expires[24] = "?", now[24] = "?";

	if (client->now < document->expires)
		return 0;
	tuf_time_format(document->expires, expires);
	tuf_time_format(client->now, now);
	return fail(client, -ESTALE, "%s: version %" PRIu64 " expired at %s, and it is %s: %s, or this clock is wrong", name,
		    document->version, expires, now, document->type == TUF_ROOT ?
		    "a new root must be signed" : "the repository must be renewed (repave-sign publish)");
}

/* ------------------------------------------------------------------ 5.3: root */

/* 5.3.11: after a key was compromised, its thief may have published versions so high that honest ones would look
 * like a roll-back for ever. New keys start anew. */
static bool is_rotated(const struct tuf_document *old, const struct tuf_document *new)
{
	static const enum tuf_type online[] = { TUF_TIMESTAMP, TUF_SNAPSHOT };
	struct tuf_signers before, after;

	for (size_t i = 0; i < 2; i++) {
		tuf_root_signers(old, online[i], &before);
		tuf_root_signers(new, online[i], &after);
		if (!tuf_signers_equal(&before, &after))
			return true;
	}
	return false;
}

static int forget(struct tuf_client *client, enum tuf_type type)
{
	int r = client->store.remove(client->store.context, tuf_type_name(type));

	if (r < 0)
		return fail(client, r, "old %s metadata can't be removed: %s", tuf_type_name(type), strerror(-r));
	return 0;
}

static int forget_online(struct tuf_client *client)
{
	int r = forget(client, TUF_TIMESTAMP);

	return r < 0 ? r : forget(client, TUF_SNAPSHOT);
}

static int save_root(struct tuf_client *client)
{
	int r = save(client, TUF_ROOT, &client->root_data);

	if (r == 0)
		client->stored_root = client->root.version;
	return r;
}

/* A root newer than the store's, from outside the chain of updates (a new initramfs), takes its place. */
static int begin_with_given_root(struct tuf_client *client)
{
	int r = 0;

	if (client->root.version <= client->stored_root)
		return 0;
	if (client->rotated_since_stored)
		r = forget_online(client);
	client->rotated_since_stored = client->rotated_since_stored && r < 0;
	return r < 0 ? r : save_root(client);
}

/* 5.3.4 and 5.3.5: signed by the old root's keys and by its own, and exactly one version newer. */
static int verify_next_root(struct tuf_client *client, const char *name, const struct buffer *data,
			    struct tuf_document *ret_root)
{
	uint64_t wanted = client->root.version + 1;
	struct tuf_signers signers;
	char error[TUF_ERROR_SIZE];
	int r;

	tuf_root_signers(&client->root, TUF_ROOT, &signers);
	r = verify(client, name, TUF_ROOT, data, &signers, ret_root);
	if (r < 0)
		return r;
	tuf_root_signers(ret_root, TUF_ROOT, &signers);
	r = tuf_check_signatures(ret_root, &signers, error);
	if (r < 0)
		r = fail(client, r, "%s: %s by the keys it names itself", name, error);
	else if (ret_root->version != wanted)
		r = fail(client, -EBADMSG, "%s: has version %" PRIu64 ", not %" PRIu64, name, ret_root->version, wanted);
	if (r < 0)
		tuf_document_release(ret_root);
	return r;
}

/* One link of the chain; *ret_more tells whether there was one. */
static int follow_root(struct tuf_client *client, bool *ret_more)
{
	struct tuf_document next = { 0 };
	struct buffer data = { 0 };
	char name[48];
	int r;

	*ret_more = false;
	snprintf(name, sizeof(name), "%" PRIu64 ".root.json", client->root.version + 1);
	r = fetch(client, name, TUF_ROOT_MOST, &data);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	r = verify_next_root(client, name, &data, &next);
	/* Links up to the store's own version were followed before, and what was seen since isn't forgotten. Forget
	 * before saving: a power cut in between forgets again, instead of never. */
	if (r == 0 && next.version > client->stored_root && is_rotated(&client->root, &next))
		r = forget_online(client);
	if (r == 0) {
		replace(&client->root, &next);
		buffer_release(&client->root_data);
		client->root_data = data;
		data = (struct buffer){ 0 };
		*ret_more = true;
	}
	if (r == 0 && client->root.version > client->stored_root)
		r = save_root(client);
	tuf_document_release(&next);
	buffer_release(&data);
	return r;
}

static int refresh_root(struct tuf_client *client)
{
	bool more = true;
	int r = begin_with_given_root(client);

	for (unsigned n = 0; r == 0 && more && n < ROOTS_MOST; n++)
		r = follow_root(client, &more);
	/* The store's root claims a version that the chain doesn't reach: it wasn't ours. */
	if (r == 0 && client->root.version != client->stored_root)
		r = save_root(client);
	return r < 0 ? r : check_expiry(client, "root.json", &client->root);
}

/* ------------------------------------------------------------------ 5.4: timestamp */

static int check_timestamp_rollback(struct tuf_client *client, const struct tuf_document *old,
				    const struct tuf_document *new)
{
	struct tuf_file before = { 0 }, after = { 0 };

	if (new->version < old->version)
		return fail(client, -EBADMSG, "timestamp.json: version %" PRIu64 " is older than version %" PRIu64
			    ", which was seen before: this repository was rolled back", new->version, old->version);
	tuf_file_of(old, "snapshot.json", &before);
	tuf_file_of(new, "snapshot.json", &after);
	if (after.version < before.version)
		return fail(client, -EBADMSG, "timestamp.json: names snapshot version %" PRIu64 ", older than version %"
			    PRIu64 ", which was seen before: this repository was rolled back", after.version,
			    before.version);
	return 0;
}

static int refresh_timestamp(struct tuf_client *client)
{
	struct buffer old_data = { 0 }, data = { 0 };
	struct tuf_document old = { 0 }, new = { 0 };
	struct tuf_signers signers;
	bool is_new;
	int r;

	tuf_root_signers(&client->root, TUF_TIMESTAMP, &signers);
	r = load_trusted(client, TUF_TIMESTAMP, &signers, TUF_TIMESTAMP_MOST, &old_data, &old);
	if (r == 0)
		r = fetch(client, "timestamp.json", TUF_TIMESTAMP_MOST, &data);
	if (r == 0)
		r = verify(client, "timestamp.json", TUF_TIMESTAMP, &data, &signers, &new);
	if (r == 0 && is_trusted(&old))
		r = check_timestamp_rollback(client, &old, &new);
	/* 5.4.3.1: the same version isn't looked at again. */
	is_new = r == 0 && (!is_trusted(&old) || new.version != old.version);
	if (r == 0)
		r = check_expiry(client, "timestamp.json", is_new ? &new : &old);
	if (r == 0 && is_new)
		r = save(client, TUF_TIMESTAMP, &data);
	if (r == 0)
		replace(&client->timestamp, is_new ? &new : &old);
	tuf_document_release(&new);
	tuf_document_release(&old);
	buffer_release(&data);
	buffer_release(&old_data);
	return r;
}

/* ------------------------------------------------------------------ 5.5 and 5.6: what has a version signed above it */

/* Fetches and checks a file that trusted metadata describes (`file`). */
static int fetch_described(struct tuf_client *client, enum tuf_type type, const struct tuf_file *file, size_t most,
			   const struct tuf_signers *signers, struct buffer *ret_data, struct tuf_document *ret_document)
{
	char name[64], error[TUF_ERROR_SIZE];
	int r;

	if (tuf_root_consistent(&client->root))
		snprintf(name, sizeof(name), "%" PRIu64 ".%s.json", file->version, tuf_type_name(type));
	else
		snprintf(name, sizeof(name), "%s.json", tuf_type_name(type));
	if (file->has_length && file->length < most)
		most = (size_t)file->length;
	r = fetch(client, name, most, ret_data);
	if (r < 0)
		return r;
	r = tuf_check_file(file, ret_data->data, ret_data->size, error);
	if (r < 0)
		return fail(client, r, "%s: %s", name, error);
	r = verify(client, name, type, ret_data, signers, ret_document);
	if (r < 0)
		return r;
	if (ret_document->version != file->version)
		return fail(client, -EBADMSG, "%s: has version %" PRIu64 ", but version %" PRIu64 " is signed", name,
			    ret_document->version, file->version);
	return 0;
}

/* Whether what the store has is just what is described, so that nothing need be fetched. */
static bool is_current(const struct tuf_document *document, const struct buffer *data, const struct tuf_file *file)
{
	char error[TUF_ERROR_SIZE];

	return is_trusted(document) && document->version == file->version &&
	       tuf_check_file(file, data->data, data->size, error) == 0;
}

static int check_snapshot_rollback(struct tuf_client *client, const struct tuf_document *old,
				   const struct tuf_document *new)
{
	char error[TUF_ERROR_SIZE];
	int r = tuf_check_snapshot_rollback(old, new, error);

	return r < 0 ? fail(client, r, "snapshot.json: %s", error) : 0;
}

/* Snapshot or top-level targets: `above` is the trusted metadata that describes it. */
static int refresh_described(struct tuf_client *client, enum tuf_type type, const struct tuf_document *above,
			     size_t most, struct tuf_document *trusted)
{
	struct buffer old_data = { 0 }, data = { 0 };
	struct tuf_document old = { 0 }, new = { 0 };
	struct tuf_signers signers;
	struct tuf_file file = { 0 };
	char name[32];
	bool is_new = false;
	int r;

	snprintf(name, sizeof(name), "%s.json", tuf_type_name(type));
	tuf_file_of(above, name, &file);
	tuf_root_signers(&client->root, type, &signers);
	r = load_trusted(client, type, &signers, most, &old_data, &old);
	if (r == 0 && !is_current(&old, &old_data, &file)) {
		is_new = true;
		r = fetch_described(client, type, &file, most, &signers, &data, &new);
		if (r == 0 && type == TUF_SNAPSHOT && is_trusted(&old))
			r = check_snapshot_rollback(client, &old, &new);
	}
	if (r == 0)
		r = check_expiry(client, name, is_new ? &new : &old);
	if (r == 0 && is_new)
		r = save(client, type, &data);
	if (r == 0)
		replace(trusted, is_new ? &new : &old);
	tuf_document_release(&new);
	tuf_document_release(&old);
	buffer_release(&data);
	buffer_release(&old_data);
	return r;
}

int tuf_client_refresh(struct tuf_client *client)
{
	int r;

	tuf_document_release(&client->timestamp);
	tuf_document_release(&client->snapshot);
	tuf_document_release(&client->targets);
	client->error[0] = '\0';
	r = refresh_root(client);
	if (r == 0)
		r = refresh_timestamp(client);
	if (r == 0)
		r = refresh_described(client, TUF_SNAPSHOT, &client->timestamp, TUF_SNAPSHOT_MOST, &client->snapshot);
	if (r == 0)
		r = refresh_described(client, TUF_TARGETS, &client->snapshot, TUF_TARGETS_MOST, &client->targets);
	if (r == 0)
		client->error[0] = '\0';
	return r;
}

/* ------------------------------------------------------------------ opening */

/* A root that the store has counts when it is newer and signed by enough keys of the given root as well as by its own.
 * Anybody may have written to the store; a root that is further from the given one is found again link by link. */
static bool descends(const struct tuf_document *root, const struct tuf_document *from)
{
	struct tuf_signers signers;
	char error[TUF_ERROR_SIZE];

	tuf_root_signers(from, TUF_ROOT, &signers);
	if (root->version <= from->version || tuf_check_signatures(root, &signers, error) < 0)
		return false;
	tuf_root_signers(root, TUF_ROOT, &signers);
	return tuf_check_signatures(root, &signers, error) == 0;
}

static int open_stored_root(struct tuf_client *client)
{
	struct tuf_document stored = { 0 };
	struct buffer data = { 0 };
	char error[TUF_ERROR_SIZE];
	int r = client->store.load(client->store.context, "root", TUF_ROOT_MOST, &data);

	if (r == -ENOENT || r == -EFBIG)
		return 0;
	if (r < 0)
		return r;
	if (tuf_document_parse(TUF_ROOT, data.data, data.size, &stored, error) == 0) {
		client->stored_root = stored.version;
		client->rotated_since_stored =
			stored.version < client->root.version && is_rotated(&stored, &client->root);
		if (descends(&stored, &client->root)) {
			replace(&client->root, &stored);
			buffer_release(&client->root_data);
			client->root_data = data;
			data = (struct buffer){ 0 };
		}
	}
	tuf_document_release(&stored);
	buffer_release(&data);
	return 0;
}

static int open_given_root(struct tuf_client *client)
{
	struct tuf_signers signers;
	char error[TUF_ERROR_SIZE];
	int r = tuf_document_parse(TUF_ROOT, client->root_data.data, client->root_data.size, &client->root, error);

	if (r == 0) {
		tuf_root_signers(&client->root, TUF_ROOT, &signers);
		r = tuf_check_signatures(&client->root, &signers, error);
	}
	return r == -EBADMSG ? -EINVAL : r;
}

int tuf_client_open(const struct tuf_store *store, const struct tuf_fetch *fetch_by, const void *root,
		    size_t root_size, int64_t now, struct tuf_client **ret_client)
{
	struct tuf_client *client = calloc(1, sizeof(*client));
	int r;

	*ret_client = NULL;
	if (!client)
		return -ENOMEM;
	client->store = *store;
	client->fetch = *fetch_by;
	client->now = now;
	r = buffer_add(&client->root_data, root, root_size);
	if (r == 0)
		r = open_given_root(client);
	if (r == 0)
		r = open_stored_root(client);
	if (r < 0) {
		tuf_client_close(client);
		return r;
	}
	client->error[0] = '\0';
	*ret_client = client;
	return 0;
}

void tuf_client_close(struct tuf_client *client)
{
	if (!client)
		return;
	tuf_document_release(&client->root);
	tuf_document_release(&client->timestamp);
	tuf_document_release(&client->snapshot);
	tuf_document_release(&client->targets);
	buffer_release(&client->root_data);
	free(client);
}

/* ------------------------------------------------------------------ asking */

int tuf_client_target(struct tuf_client *client, const char *path, struct verified_target **ret_target)
{
	struct tuf_file file;
	int r;

	*ret_target = NULL;
	if (!is_trusted(&client->targets))
		return fail(client, -EBADMSG, "there is no trusted targets metadata: refresh first");
	if (tuf_target_of(&client->targets, path, &file) < 0)
		return fail(client, -ENOENT, "%.200s: nobody signed for this target (targets version %" PRIu64 ")", path,
			    client->targets.version);
	r = verified_target_new(path, &file, ret_target);
	if (r == -EBADMSG)
		return fail(client, r, "%.200s: is signed without a SHA-256", path);
	return r < 0 ? fail(client, r, "out of memory") : 0;
}

int tuf_client_each_target(struct tuf_client *client, int (*each)(void *context, const struct verified_target *target),
			   void *context)
{
	struct verified_target *target;
	struct tuf_file file;
	struct tree name;
	char *path;
	int r = 0;

	if (!is_trusted(&client->targets))
		return fail(client, -EBADMSG, "there is no trusted targets metadata: refresh first");
	for (size_t i = 0; r == 0 && i < client->targets.count; i++) {
		tuf_target_at(&client->targets, i, &name, &file);
		path = NULL;
		r = tree_string_new(name, &path);
		if (r == 0)
			r = verified_target_new(path, &file, &target);
		free(path);
		if (r == -ENOMEM)
			return fail(client, r, "out of memory");
		/* A NUL in its path, so nobody can ask for it; or no SHA-256, and tuf_client_target says so. */
		if (r < 0) {
			r = 0;
			continue;
		}
		r = each(context, target);
		verified_target_free(target);
	}
	return r;
}

const char *tuf_client_error(const struct tuf_client *client)
{
	return client->error;
}

uint64_t tuf_client_version(const struct tuf_client *client, const char *role)
{
	if (strcmp(role, "root") == 0)
		return client->root.version;
	if (strcmp(role, "timestamp") == 0)
		return client->timestamp.version;
	if (strcmp(role, "snapshot") == 0)
		return client->snapshot.version;
	return strcmp(role, "targets") == 0 ? client->targets.version : 0;
}

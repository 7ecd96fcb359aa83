/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client workflow but for delegations; step numbers are those of the specification, section 5. */
#include "signing/client.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signing/client-private.h"

/* 5.3.3: how many new roots one update follows. */
#define ROOTS_MOST 256u

int client_fail(struct tuf_client *client, int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(client->error, sizeof(client->error), format, arguments);
	va_end(arguments);
	return r;
}

#define fail client_fail

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

/* Form and signatures; the sentence names the file. Takes over `data`. */
static int verify(struct tuf_client *client, const char *name, enum tuf_type type, struct buffer *data,
		  const struct tuf_signers *signers, struct tuf_document *ret_document)
{
	char error[TUF_ERROR_SIZE];
	int r = tuf_document_take(type, data, ret_document, error);

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

/* What the store has for a role, or nothing: 0 also when there is none. */
static int load(struct tuf_client *client, const char *role, size_t most, struct buffer *ret_data)
{
	char name[TUF_FILE_NAME_SIZE];
	int r = client->store.load(client->store.context, role, most, ret_data);

	if (r == 0)
		return 0;
	buffer_release(ret_data);
	if (r == -ENOENT || r == -EFBIG)
		return 0;
	tuf_role_file_name(role, 0, name);
	return fail(client, r, "trusted %s can't be read: %s", name, strerror(-r));
}

/* What the store has for a top-level role, if it still verifies; ret_document is empty otherwise. Anybody may have
 * written to the store, so what doesn't verify is as good as absent. */
static int load_trusted(struct tuf_client *client, enum tuf_type type, const struct tuf_signers *signers, size_t most,
			struct tuf_document *ret_document)
{
	struct buffer data = { 0 };
	int r = load(client, tuf_type_name(type), most, &data);

	memset(ret_document, 0, sizeof(*ret_document));
	if (r == 0 && data.size) {
		r = verify(client, tuf_type_name(type), type, &data, signers, ret_document);
		if (r < 0)
			memset(ret_document, 0, sizeof(*ret_document));
		r = r == -ENOMEM ? r : 0;
	}
	buffer_release(&data);
	return r;
}

static int save(struct tuf_client *client, const char *role, const struct tuf_document *document)
{
	char name[TUF_FILE_NAME_SIZE];
	int r = client->store.store(client->store.context, role, document->data.data, document->data.size);

	if (r == 0)
		return 0;
	tuf_role_file_name(role, 0, name);
	return fail(client, r, "trusted %s can't be stored: %s", name, strerror(-r));
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
	int r = save(client, "root", &client->root);

	if (r == 0)
		client->root_is_stored = true;
	return r;
}

static int save_link(struct tuf_client *client, const struct tuf_document *root)
{
	int r = 0;

	if (client->store.store_root)
		r = client->store.store_root(client->store.context, root->version, root->data.data, root->data.size);
	return r < 0 ? fail(client, r, "trusted %" PRIu64 ".root.json can't be stored: %s", root->version, strerror(-r)) : 0;
}

/* The trusted root as opening found it takes the place of what the store has: an older one (a new initramfs came, or the
 * power was cut behind a link), none, or one that didn't verify. */
static int begin_with_trusted_root(struct tuf_client *client)
{
	int r = 0;

	/* What anybody else wrote there would take the room of real links. */
	if (client->store.keep_roots)
		r = client->store.keep_roots(client->store.context, client->given_root + 1, client->root.version);
	if (r < 0)
		return fail(client, r, "old root metadata can't be removed: %s", strerror(-r));
	if (client->root_is_stored)
		return 0;
	if (client->rotated_since_stored)
		r = forget_online(client);
	client->rotated_since_stored = client->rotated_since_stored && r < 0;
	return r < 0 ? r : save_root(client);
}

/* 5.3.4 and 5.3.5: signed by the old root's keys and by its own, and exactly one version newer. */
static int verify_next_root(struct tuf_client *client, const char *name, struct buffer *data,
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
	/* Forget before saving: a power cut in between forgets again, instead of never. And the link before the root: a
	 * root without the link to it might not be known for a descendant of the given one. */
	if (r == 0 && is_rotated(&client->root, &next))
		r = forget_online(client);
	if (r == 0)
		r = save_link(client, &next);
	if (r == 0) {
		replace(&client->root, &next);
		*ret_more = true;
		r = save_root(client);
	}
	tuf_document_release(&next);
	buffer_release(&data);
	return r;
}

static int refresh_root(struct tuf_client *client)
{
	bool more = true;
	int r = begin_with_trusted_root(client);

	for (unsigned n = 0; r == 0 && more && n < ROOTS_MOST; n++)
		r = follow_root(client, &more);
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
	struct tuf_document old = { 0 }, new = { 0 };
	struct buffer data = { 0 };
	struct tuf_signers signers;
	bool is_new;
	int r;

	tuf_root_signers(&client->root, TUF_TIMESTAMP, &signers);
	r = load_trusted(client, TUF_TIMESTAMP, &signers, TUF_TIMESTAMP_MOST, &old);
	if (r == 0)
		r = fetch(client, "timestamp.json", TUF_TIMESTAMP_MOST, &data);
	if (r == 0)
		r = verify(client, "timestamp.json", TUF_TIMESTAMP, &data, &signers, &new);
	/* 5.4.3.1: the same version isn't looked at again. */
	is_new = r == 0 && (!is_trusted(&old) || new.version != old.version);
	if (is_new && is_trusted(&old))
		r = check_timestamp_rollback(client, &old, &new);
	if (r == 0)
		r = check_expiry(client, "timestamp.json", is_new ? &new : &old);
	if (r == 0 && is_new)
		r = save(client, "timestamp", &new);
	if (r == 0)
		replace(&client->timestamp, is_new ? &new : &old);
	tuf_document_release(&new);
	tuf_document_release(&old);
	buffer_release(&data);
	return r;
}

/* ------------------------------------------------------------------ 5.5 and 5.6: what has a version signed above it */

/* `data` (taken over) against what trusted metadata says of it: length, hashes, signatures, version, expiry. */
static int verify_described(struct tuf_client *client, const char *name, enum tuf_type type, struct buffer *data,
			    const struct tuf_file *file, const struct tuf_signers *signers,
			    struct tuf_document *ret_document)
{
	char error[TUF_ERROR_SIZE];
	int r = tuf_check_file(file, data->data, data->size, error);

	if (r < 0)
		return fail(client, r, "%s: %s", name, error);
	r = verify(client, name, type, data, signers, ret_document);
	if (r < 0)
		return r;
	if (ret_document->version != file->version)
		r = fail(client, -EBADMSG, "%s: has version %" PRIu64 ", but version %" PRIu64 " is signed", name,
			 ret_document->version, file->version);
	if (r == 0)
		r = check_expiry(client, name, ret_document);
	if (r < 0)
		tuf_document_release(ret_document);
	return r;
}

static int fetch_described(struct tuf_client *client, enum tuf_type type, const struct described_role *described,
			   size_t most, struct tuf_document *ret_document)
{
	const struct tuf_file *file = &described->file;
	char name[TUF_FILE_NAME_SIZE];
	struct buffer data = { 0 };
	int r;

	tuf_role_file_name(described->role, tuf_root_consistent(&client->root) ? file->version : 0, name);
	if (file->has_length && file->length < most)
		most = (size_t)file->length;
	r = fetch(client, name, most, &data);
	if (r == 0)
		r = verify_described(client, name, type, &data, file, &described->signers, ret_document);
	buffer_release(&data);
	return r;
}

/* What the store has, if it is still all that is described. */
static int load_described(struct tuf_client *client, enum tuf_type type, const struct described_role *described,
			  size_t most, struct tuf_document *ret_document)
{
	struct buffer data = { 0 };
	int r = load(client, described->role, most, &data);

	if (r == 0 && data.size) {
		r = verify_described(client, described->role, type, &data, &described->file, &described->signers,
				     ret_document);
		if (r < 0)
			memset(ret_document, 0, sizeof(*ret_document));
		r = r == -ENOMEM ? r : 0;
	}
	buffer_release(&data);
	return r;
}

static void describe(const struct tuf_client *client, enum tuf_type type, const struct tuf_document *above,
		     struct described_role *ret_described)
{
	char name[32];

	memset(ret_described, 0, sizeof(*ret_described));
	ret_described->role = tuf_type_name(type);
	snprintf(name, sizeof(name), "%s.json", ret_described->role);
	tuf_file_of(above, name, &ret_described->file);
	tuf_root_signers(&client->root, type, &ret_described->signers);
}

/* The old snapshot counts for the roll-back check however old it is, and whether or not the timestamp still names it. */
static int refresh_snapshot(struct tuf_client *client)
{
	struct tuf_document old = { 0 }, new = { 0 };
	struct described_role described;
	char error[TUF_ERROR_SIZE];
	int r;

	describe(client, TUF_SNAPSHOT, &client->timestamp, &described);
	r = load_described(client, TUF_SNAPSHOT, &described, TUF_SNAPSHOT_MOST, &client->snapshot);
	if (r < 0 || is_trusted(&client->snapshot))
		return r;
	r = load_trusted(client, TUF_SNAPSHOT, &described.signers, TUF_SNAPSHOT_MOST, &old);
	if (r == 0)
		r = fetch_described(client, TUF_SNAPSHOT, &described, TUF_SNAPSHOT_MOST, &new);
	if (r == 0 && is_trusted(&old)) {
		r = tuf_check_snapshot_rollback(&old, &new, error);
		if (r < 0)
			fail(client, r, "snapshot.json: %s", error);
	}
	if (r == 0)
		r = save(client, "snapshot", &new);
	if (r == 0)
		replace(&client->snapshot, &new);
	tuf_document_release(&new);
	tuf_document_release(&old);
	return r;
}

int client_load_targets(struct tuf_client *client, const struct described_role *described,
			struct tuf_document *ret_document)
{
	int r;

	memset(ret_document, 0, sizeof(*ret_document));
	r = load_described(client, TUF_TARGETS, described, TUF_TARGETS_MOST, ret_document);
	if (r < 0 || is_trusted(ret_document))
		return r;
	/* Nothing of the old is in memory any more: two lists of all images would be too much for a small server. */
	r = fetch_described(client, TUF_TARGETS, described, TUF_TARGETS_MOST, ret_document);
	if (r < 0)
		return r;
	r = save(client, described->role, ret_document);
	if (r < 0)
		tuf_document_release(ret_document);
	return r;
}

static int refresh_targets(struct tuf_client *client)
{
	struct described_role described;

	describe(client, TUF_TARGETS, &client->snapshot, &described);
	return client_load_targets(client, &described, &client->targets);
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
		r = refresh_snapshot(client);
	if (r == 0)
		r = refresh_targets(client);
	if (r == 0)
		client->error[0] = '\0';
	return r;
}

/* ------------------------------------------------------------------ opening */

/* One link of the chain from the store; *ret_more tells whether there was one that verifies. */
static int walk_link(struct tuf_client *client, bool *ret_more)
{
	uint64_t version = client->root.version + 1;
	struct tuf_document next = { 0 };
	struct buffer data = { 0 };
	int r = client->store.load_root(client->store.context, version, TUF_ROOT_MOST, &data);

	*ret_more = false;
	if (r == -ENOENT || r == -EFBIG)
		r = -EBADMSG;
	else if (r == 0)
		r = verify_next_root(client, "stored root", &data, &next);
	if (r == 0) {
		replace(&client->root, &next);
		*ret_more = true;
	}
	buffer_release(&data);
	return r == -EBADMSG ? 0 : r;
}

/* The roots that were followed before count again without the repository's help: it would withhold the one that revoked
 * the keys it has stolen. */
static int walk_stored_links(struct tuf_client *client)
{
	bool more = client->store.load_root != NULL;
	int r = 0;

	for (unsigned n = 0; r == 0 && more && n < ROOTS_MOST; n++)
		r = walk_link(client, &more);
	return r;
}

/* The store's own root counts when it is newer than the trusted one and signed by enough of its keys as well as by its own.
 * Only a store that can't keep links may leave some out: with a revoked key a root of any version could be made that no
 * later rotation ever reaches. */
static bool descends(const struct tuf_client *client, const struct tuf_document *root)
{
	const struct tuf_document *from = &client->root;
	struct tuf_signers signers;
	char error[TUF_ERROR_SIZE];

	if (root->version <= from->version || (client->store.load_root && root->version != from->version + 1))
		return false;
	tuf_root_signers(from, TUF_ROOT, &signers);
	if (tuf_check_signatures(root, &signers, error) < 0)
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
		r = 0;
	else if (r == 0)
		r = tuf_document_take(TUF_ROOT, &data, &stored, error);
	if (r == 0 && is_trusted(&stored)) {
		if (descends(client, &stored)) {
			replace(&client->root, &stored);
			client->root_is_stored = true;
		} else {
			client->root_is_stored = stored.data.size == client->root.data.size &&
				memcmp(stored.data.data, client->root.data.data, stored.data.size) == 0;
			client->rotated_since_stored =
				stored.version < client->root.version && is_rotated(&stored, &client->root);
		}
	}
	tuf_document_release(&stored);
	buffer_release(&data);
	return r == -EBADMSG ? 0 : r;
}

static int open_given_root(struct tuf_client *client, const void *root, size_t size)
{
	struct tuf_signers signers;
	char error[TUF_ERROR_SIZE];
	int r = tuf_document_parse(TUF_ROOT, root, size, &client->root, error);

	if (r == 0) {
		tuf_root_signers(&client->root, TUF_ROOT, &signers);
		r = tuf_check_signatures(&client->root, &signers, error);
	}
	client->given_root = client->root.version;
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
	r = open_given_root(client, root, root_size);
	if (r == 0)
		r = walk_stored_links(client);
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
	free(client);
}

/* ------------------------------------------------------------------ asking */

const char *tuf_client_error(const struct tuf_client *client)
{
	return client->error;
}

bool tuf_client_consistent(const struct tuf_client *client)
{
	return tuf_root_consistent(&client->root);
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

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/test/forge.h"

#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "signing/sha256.h"
#include "signing/verified.h"

json_t *forge_description(void)
{
	/* 300 data blocks: 3 + 1 tree blocks, 304 in all and the superblock. */
	json_t *json = json_pack(
		"{s:i, s:s, s:s, s:s, s:{s:s, s:i, s:i, s:s, s:s, s:s}, s:{s:i}, s:{s:s, s:i, s:i, s:i}, s:{s:s, s:s, s:s}}",
		"format", 1, "kind", "os", "name", "debian", "version", "12.1", "verity", "algorithm", "sha256", "block_size",
		4096, "data_blocks", 300, "salt", "5a5a", "root_hash",
		"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "uuid",
		"00112233-4455-6677-8899-aabbccddeeff", "image", "size", 305 * 4096, "wire", "encoding", "zstd-seekable", "size",
		77777, "frame_size", 16384, "frames", 77, "os", "kernel", "/boot/vmlinuz", "initrd", "/boot/initrd", "cmdline",
		"quiet");

	assert_non_null(json);
	return json;
}

struct signing_key forge_key(unsigned number)
{
	struct signing_key key;
	uint8_t secret[KEY_SECRET_SIZE] = { 0x52, (uint8_t)number, (uint8_t)(number >> 8) };

	assert_int_equal(signing_key_from_secret(number < FORGE_P256 ? KEY_ED25519 : KEY_P256, secret, &key), 0);
	return key;
}

void forge_set_keys(struct forge *forge, enum tuf_type role, unsigned first, unsigned n, unsigned threshold)
{
	signing_keys_release(&forge->keys[role]);
	for (unsigned i = 0; i < n; i++) {
		struct signing_key key = forge_key(first + i);

		assert_int_equal(signing_keys_add(&forge->keys[role], &key), 0);
	}
	forge->thresholds[role] = threshold;
}

struct buffer *forge_file(struct forge *forge, const char *name)
{
	for (size_t i = 0; i < forge->count; i++)
		if (strcmp(forge->files[i].name, name) == 0)
			return &forge->files[i].data;
	return NULL;
}

void forge_put_text(struct forge *forge, const char *name, const char *text)
{
	struct buffer *data = forge_file(forge, name);

	if (!data) {
		assert_true(forge->count < FORGE_FILES);
		snprintf(forge->files[forge->count].name, sizeof(forge->files->name), "%s", name);
		data = &forge->files[forge->count++].data;
	}
	buffer_release(data);
	if (text)
		assert_int_equal(buffer_add(data, text, strlen(text)), 0);
}

static void file_name(enum tuf_type role, uint64_t version, char ret_name[48])
{
	if (role == TUF_TIMESTAMP)
		snprintf(ret_name, 48, "timestamp.json");
	else
		snprintf(ret_name, 48, "%" PRIu64 ".%s.json", version, tuf_type_name(role));
}

static void role_file_name(const struct forge_role *role, char ret_name[TUF_FILE_NAME_SIZE])
{
	tuf_role_file_name(role->name, role->version, ret_name);
}

/* Enters a delegated role into the snapshot, as it was put last. */
static void name_role(struct forge *forge, const struct forge_role *role, json_t *meta)
{
	char file[TUF_FILE_NAME_SIZE], name[sizeof(role->name) + 5], hash[65];
	uint8_t digest[SHA256_SIZE];
	const struct buffer *data;

	role_file_name(role, file);
	data = forge_file(forge, file);
	if (!data || !data->data)
		return;
	sha256_once(data->data, data->size, digest);
	hex_format(digest, sizeof(digest), hash);
	snprintf(name, sizeof(name), "%s.json", role->name);
	json_object_set_new(meta, name, json_pack("{s:I, s:I, s:{s:s}}", "version", (json_int_t)role->version, "length",
						  (json_int_t)data->size, "hashes", "sha256", hash));
}

json_t *forge_body(struct forge *forge, enum tuf_type role)
{
	enum tuf_type below = role == TUF_TIMESTAMP ? TUF_SNAPSHOT : TUF_TARGETS;
	char name[48];
	json_t *body;

	if (role == TUF_ROOT) {
		body = author_root(forge->versions[role], forge->expires[role], forge->keys, forge->thresholds);
	} else if (role == TUF_TARGETS) {
		body = author_targets(forge->versions[role], forge->expires[role], forge->targets);
	} else {
		file_name(below, forge->versions[below], name);
		body = author_naming(role, forge->versions[role], forge->expires[role],
				     below == TUF_SNAPSHOT ? "snapshot.json" : "targets.json", forge->versions[below],
				     forge_file(forge, name));
	}
	assert_non_null(body);
	if (role == TUF_TARGETS && forge->delegations)
		json_object_set(body, "delegations", forge->delegations);
	for (size_t i = 0; role == TUF_SNAPSHOT && i < forge->role_count; i++)
		name_role(forge, &forge->roles[i], json_object_get(body, "meta"));
	return body;
}

void forge_put_signed(struct forge *forge, enum tuf_type role, json_t *body, const struct signing_keys *keys)
{
	struct buffer text = { 0 };
	char name[48];

	file_name(role, (uint64_t)json_integer_value(json_object_get(body, "version")), name);
	assert_int_equal(author_sign(body, keys, &text), 0);
	forge_put_text(forge, name, (const char *)text.data);
	buffer_release(&text);
	json_decref(body);
}

void forge_put(struct forge *forge, enum tuf_type role)
{
	forge_put_signed(forge, role, forge_body(forge, role), &forge->keys[role]);
}

static void put_role(struct forge *forge, struct forge_role *role)
{
	json_t *body = author_targets(role->version, role->expires, role->targets);
	struct buffer text = { 0 };
	char name[TUF_FILE_NAME_SIZE];

	assert_non_null(body);
	if (role->delegations)
		json_object_set(body, "delegations", role->delegations);
	assert_int_equal(author_sign(body, &role->keys, &text), 0);
	role_file_name(role, name);
	forge_put_text(forge, name, (const char *)text.data);
	buffer_release(&text);
	json_decref(body);
}

void forge_publish(struct forge *forge)
{
	char name[TUF_FILE_NAME_SIZE];

	for (size_t i = 0; i < forge->role_count; i++)
		put_role(forge, &forge->roles[i]);
	forge_put(forge, TUF_TARGETS);
	forge_put(forge, TUF_SNAPSHOT);
	forge_put(forge, TUF_TIMESTAMP);
	for (size_t i = 0; i < forge->role_count; i++) {
		role_file_name(&forge->roles[i], name);
		if (forge->roles[i].withheld)
			forge_put_text(forge, name, NULL);
	}
}

void forge_publish_next(struct forge *forge)
{
	forge->versions[TUF_TARGETS]++;
	forge->versions[TUF_SNAPSHOT]++;
	forge->versions[TUF_TIMESTAMP]++;
	for (size_t i = 0; i < forge->role_count; i++)
		forge->roles[i].version++;
	forge_publish(forge);
}

void forge_put_next_root(struct forge *forge, const struct signing_keys *old)
{
	struct signing_keys both = { 0 };

	forge->versions[TUF_ROOT]++;
	for (size_t i = 0; old && i < old->count; i++)
		assert_int_equal(signing_keys_add(&both, &old->keys[i]), 0);
	for (size_t i = 0; i < forge->keys[TUF_ROOT].count; i++)
		assert_int_equal(signing_keys_add(&both, &forge->keys[TUF_ROOT].keys[i]), 0);
	forge_put_signed(forge, TUF_ROOT, forge_body(forge, TUF_ROOT), &both);
	signing_keys_release(&both);
}

void forge_init(struct forge *forge)
{
	struct buffer *root;

	memset(forge, 0, sizeof(*forge));
	forge->now = FORGE_NOW;
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++) {
		forge->versions[role] = 1;
		forge->expires[role] = FORGE_NOW + DAY;
		forge_set_keys(forge, role, 10 * (role + 1), 1, 1);
	}
	forge->targets = json_pack("{s:{s:i, s:{s:s}, s:o}}", FORGE_TARGET, "length", 77777, "hashes", "sha256",
				   "a0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebf", "custom",
				   forge_description());
	assert_non_null(forge->targets);
	forge_put(forge, TUF_ROOT);
	forge_publish(forge);
	root = forge_file(forge, "1.root.json");
	assert_int_equal(buffer_add(&forge->first_root, root->data, root->size), 0);
}

void forge_release(struct forge *forge)
{
	tuf_client_close(forge->client);
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++)
		signing_keys_release(&forge->keys[role]);
	for (size_t i = 0; i < forge->count; i++)
		buffer_release(&forge->files[i].data);
	for (size_t i = 0; i < forge->role_count; i++) {
		signing_keys_release(&forge->roles[i].keys);
		json_decref(forge->roles[i].targets);
		json_decref(forge->roles[i].delegations);
	}
	json_decref(forge->targets);
	json_decref(forge->delegations);
	buffer_release(&forge->first_root);
	forge_forget_stored(forge);
}

/* ------------------------------------------------------------------ delegated roles */

struct forge_role *forge_role(struct forge *forge, const char *name)
{
	struct forge_role *role;

	for (size_t i = 0; i < forge->role_count; i++)
		if (strcmp(forge->roles[i].name, name) == 0)
			return &forge->roles[i];
	assert_true(forge->role_count < FORGE_ROLES);
	role = &forge->roles[forge->role_count++];
	snprintf(role->name, sizeof(role->name), "%s", name);
	role->version = 1;
	role->expires = FORGE_NOW + DAY;
	role->targets = json_object();
	return role;
}

static json_t *split(const char *words)
{
	json_t *list = json_array();

	while (*words) {
		size_t size = strcspn(words, " ");

		json_array_append_new(list, json_stringn(words, size));
		words += size + strspn(words + size, " ");
	}
	return list;
}

/* By two delegators with the same key, a role signs once. */
static bool has_key(const struct signing_keys *keys, const struct signing_key *key)
{
	for (size_t i = 0; i < keys->count; i++)
		if (strcmp(keys->keys[i].keyid, key->keyid) == 0)
			return true;
	return false;
}

json_t *forge_delegate(struct forge *forge, const char *delegator, const char *name, const char *paths, unsigned first,
		       unsigned n, unsigned threshold)
{
	json_t **delegations = strcmp(delegator, "targets") == 0 ? &forge->delegations :
								    &forge_role(forge, delegator)->delegations;
	struct forge_role *role = forge_role(forge, name);
	json_t *entry = json_pack("{s:s, s:[], s:i, s:b}", "name", name, "keyids", "threshold", threshold, "terminating", 0);

	if (!*delegations)
		*delegations = json_pack("{s:{}, s:[]}", "keys", "roles");
	for (unsigned i = 0; i < n; i++) {
		struct signing_key key = forge_key(first + i);

		json_object_set_new(json_object_get(*delegations, "keys"), key.keyid, signing_key_public(&key));
		json_array_append_new(json_object_get(entry, "keyids"), json_string(key.keyid));
		if (!has_key(&role->keys, &key))
			assert_int_equal(signing_keys_add(&role->keys, &key), 0);
	}
	if (paths)
		json_object_set_new(entry, "paths", split(paths));
	json_array_append_new(json_object_get(*delegations, "roles"), entry);
	return entry;
}

void forge_target(struct forge *forge, const char *role, const char *path, unsigned length)
{
	json_t *targets = strcmp(role, "targets") == 0 ? forge->targets : forge_role(forge, role)->targets;
	char hash[65];

	snprintf(hash, sizeof(hash), "%064x", length);
	json_object_set_new(targets, path, json_pack("{s:i, s:{s:s}}", "length", length, "hashes", "sha256", hash));
}

int64_t forge_find(struct forge *forge, const char *path)
{
	struct verified_target *target;
	int64_t length = tuf_client_target(forge->client, path, &target);

	if (length == 0) {
		assert_string_equal(verified_target_path(target), path);
		length = (int64_t)verified_target_length(target);
	} else {
		assert_null(target);
	}
	verified_target_free(target);
	return length;
}

/* ------------------------------------------------------------------ the node */

struct buffer *forge_stored(struct forge *forge, const char *role)
{
	struct forge_stored *stored = forge->stored;

	for (size_t i = 0; i < forge->stored_count; i++)
		if (strcmp(stored[i].role, role) == 0)
			return &stored[i].data;
	assert_true(forge->stored_count < sizeof(forge->stored) / sizeof(*stored));
	snprintf(stored[forge->stored_count].role, sizeof(stored->role), "%s", role);
	return &stored[forge->stored_count++].data;
}

void forge_forget_stored(struct forge *forge)
{
	for (size_t i = 0; i < forge->stored_count; i++)
		buffer_release(&forge->stored[i].data);
	forge->stored_count = 0;
	for (size_t i = 0; i < FORGE_FILES; i++)
		buffer_release(&forge->links[i]);
}

static int fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	struct forge *forge = context;
	const struct buffer *data = forge_file(forge, name);
	size_t size = strlen(forge->asked);

	snprintf(forge->asked + size, sizeof(forge->asked) - size, "%s ", name);
	if (forge->fetch_fails_with && (!forge->fetch_fails_for || strcmp(name, forge->fetch_fails_for) == 0))
		return forge->fetch_fails_with;
	if (!data || !data->data)
		return -ENOENT;
	if (data->size > most && !forge->ignores_bounds)
		return -EFBIG;
	forge->fetched++;
	return buffer_add(ret_data, data->data, data->size);
}

static bool is_top_level(const char *role)
{
	for (enum tuf_type type = TUF_ROOT; type <= TUF_TARGETS; type++)
		if (strcmp(role, tuf_type_name(type)) == 0)
			return true;
	return false;
}

static int store(void *context, const char *role, const void *data, size_t size)
{
	struct forge *forge = context;
	struct buffer *stored;

	if (forge->store_fails_with)
		return forge->store_fails_with;
	if (forge->stores_top_level_only && !is_top_level(role))
		return 0;
	stored = forge_stored(forge, role);
	buffer_release(stored);
	return buffer_add(stored, data, size);
}

static int load(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	const struct buffer *stored = forge_stored(context, role);

	if (!stored->data)
		return -ENOENT;
	return stored->size > most ? -EFBIG : buffer_add(ret_data, stored->data, stored->size);
}

static int forget(void *context, const char *role)
{
	buffer_release(forge_stored(context, role));
	return 0;
}

static int load_root(void *context, uint64_t version, size_t most, struct buffer *ret_data)
{
	const struct forge *forge = context;

	if (version >= FORGE_FILES || !forge->links[version].data)
		return -ENOENT;
	if (forge->links[version].size > most)
		return -EFBIG;
	return buffer_add(ret_data, forge->links[version].data, forge->links[version].size);
}

static int store_root(void *context, uint64_t version, const void *data, size_t size)
{
	struct forge *forge = context;
	int r;

	assert_true(version < FORGE_FILES);
	if (forge->store_fails_with)
		return forge->store_fails_with;
	buffer_release(&forge->links[version]);
	r = buffer_add(&forge->links[version], data, size);
	if (version == forge->power_cut_after_link)
		forge->store_fails_with = -EIO;
	return r;
}

static int keep_roots(void *context, uint64_t first, uint64_t last)
{
	struct forge *forge = context;

	for (uint64_t version = 0; version < FORGE_FILES; version++)
		if (version < first || version > last)
			buffer_release(&forge->links[version]);
	return 0;
}

int forge_refresh(struct forge *forge)
{
	struct tuf_store callbacks = { .load = load, .store = store, .remove = forget, .load_root = load_root,
				       .store_root = store_root, .keep_roots = keep_roots, .context = forge };
	struct tuf_fetch fetch_by = { fetch, forge };
	int r;

	tuf_client_close(forge->client);
	forge->client = NULL;
	forge->fetched = 0;
	forge->asked[0] = '\0';
	r = tuf_client_open(&callbacks, &fetch_by, forge->first_root.data, forge->first_root.size, forge->now,
			    &forge->client);
	return r < 0 ? r : tuf_client_refresh(forge->client);
}

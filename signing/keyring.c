/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/keyring.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "signing/format.h"

#define FILES_MOST 1024
#define WARN_SECONDS (30 * 86400)
#define ASK_MOST 3

static bool has_ending(const char *name, const char *ending)
{
	size_t size = strlen(name), n = strlen(ending);

	return size > n && strcmp(name + size - n, ending) == 0;
}

static int is_key_entry(const struct dirent *entry)
{
	return entry->d_name[0] != '.' && (has_ending(entry->d_name, ".key") || has_ending(entry->d_name, ".pub"));
}

static int append(struct keyring *ring, struct keyring_key *key)
{
	struct keyring_key *more = realloc(ring->keys, (ring->count + 1) * sizeof(*more));

	if (!more)
		return -ENOMEM;
	ring->keys = more;
	ring->keys[ring->count++] = *key;
	return 0;
}

struct keyring_key *keyring_find(struct keyring *ring, const char *keyid)
{
	for (size_t i = 0; i < ring->count; i++)
		if (strcmp(ring->keys[i].file.keyid, keyid) == 0)
			return &ring->keys[i];
	return NULL;
}

static void release_key(struct keyring_key *key)
{
	free(key->path);
	key_file_release(&key->file);
	if (key->key)
		sodium_memzero(key->key, sizeof(*key->key));
	free(key->key);
}

int keyring_add(struct keyring *ring, const char *path)
{
	struct keyring_key key = { 0 }, *present;
	int r = key_file_load(path, &key.file);

	if (r < 0)
		return r;
	key.path = strdup(path);
	present = keyring_find(ring, key.file.keyid);
	if (present && !present->file.has_secret && key.file.has_secret) {
		release_key(present); /* the secret half beside its public one */
		*present = key;
		return 0;
	}
	r = !key.path ? -ENOMEM : present ? -EEXIST : append(ring, &key);
	if (r < 0)
		release_key(&key);
	return r;
}

int keyring_add_key(struct keyring *ring, const struct signing_key *key, json_t *roles, int64_t expires)
{
	struct keyring_key entry = { 0 };
	int r = 0;

	entry.path = strdup(key->name);
	entry.key = malloc(sizeof(*entry.key));
	entry.file.public = signing_key_public(key);
	entry.file.roles = json_incref(roles);
	if (!entry.path || !entry.key || !entry.file.public)
		r = -ENOMEM;
	if (r == 0) {
		*entry.key = *key;
		strcpy(entry.file.name, key->name);
		strcpy(entry.file.keyid, key->keyid);
		entry.file.type = key->type;
		entry.file.expires = expires;
		entry.file.has_secret = true;
		r = append(ring, &entry);
	}
	if (r < 0)
		release_key(&entry);
	return r;
}

int keyring_load(const char *folder, struct passphrases *passphrases, int64_t now, struct keyring *ret_ring)
{
	struct keyring ring = { .passphrases = passphrases, .now = now };
	struct dirent **entries = NULL;
	int n = 0, r = 0;

	if (folder) {
		ring.folder = strdup(folder);
		n = ring.folder ? scandir(folder, &entries, is_key_entry, alphasort) : -1;
		if (n < 0)
			r = log_error(-errno, "can't read the folder of keys %s", folder);
	}
	if (n > FILES_MOST)
		r = log_error(-EFBIG, "%s holds more than %d key files", folder, FILES_MOST);
	for (int i = 0; i < n; i++) {
		char *path = NULL;

		if (r == 0)
			r = asprintf(&path, "%s/%s", folder, entries[i]->d_name) < 0 ? -ENOMEM : keyring_add(&ring, path);
		if (r == -EEXIST)
			r = 0; /* a copy of a key, or its .pub */
		free(path);
		free(entries[i]);
	}
	free(entries);
	if (r < 0)
		keyring_release(&ring);
	else
		*ret_ring = ring;
	return r;
}

void keyring_release(struct keyring *ring)
{
	for (size_t i = 0; i < ring->count; i++)
		release_key(&ring->keys[i]);
	free(ring->keys);
	free(ring->folder);
	memset(ring, 0, sizeof(*ring));
}

bool keyring_key_is_for(const struct keyring_key *key, const char *role)
{
	size_t n = json_array_size(key->file.roles);

	for (size_t i = 0; i < n; i++)
		if (strcmp(json_string_value(json_array_get(key->file.roles, i)), role) == 0)
			return true;
	return n == 0;
}

/* ------------------------------------------------------------------ opening */

bool keyring_is_expired(const struct keyring *ring, const struct keyring_key *key)
{
	return key->file.expires != 0 && ring->now >= key->file.expires;
}

static int check_expiry(const struct keyring *ring, const struct keyring_key *key)
{
	char text[24] = "?";

	if (key->file.expires == 0)
		return 0;
	tuf_time_format(key->file.expires, text);
	if (keyring_is_expired(ring, key)) {
		log_error(0, "the key %s expired at %s: put another in its place with repave-sign rotate", key->path, text);
		return -EKEYEXPIRED;
	}
	if (key->file.expires - ring->now < WARN_SECONDS)
		log_warning("the key %s expires at %s: put another in its place with repave-sign rotate", key->path, text);
	return 0;
}

/* With the passphrase that fitted last, before anybody is asked. */
static int try_last(struct keyring *ring, struct keyring_key *key, struct signing_key *ret_key)
{
	const char *last = ring->passphrases ? passphrase_last(ring->passphrases) : NULL;

	if (!key->file.is_encrypted || last)
		return key_file_open(&key->file, last, ret_key);
	return -EACCES;
}

static int open_key(struct keyring *ring, struct keyring_key *key, struct signing_key *ret_key)
{
	struct passphrases never = { .never = true }, *from = ring->passphrases ? ring->passphrases : &never;
	const char *passphrase;
	int r = try_last(ring, key, ret_key);

	for (unsigned n = 0; r == -EACCES && n < (from->file ? 1 : ASK_MOST); n++) {
		r = passphrase_get(from, key->path, &passphrase);
		if (r < 0)
			return r;
		r = key_file_open(&key->file, passphrase, ret_key);
		if (r == -EACCES && n + 1 < ASK_MOST && !from->file)
			log_warning("that isn't the passphrase of %s", key->path);
	}
	if (r == -EACCES)
		log_error(0, "wrong passphrase for %s: nothing was changed", key->path);
	else if (r == -EINVAL)
		log_error(0, "the secret in %s isn't that of its public key: take the file from a backup", key->path);
	else if (r < 0)
		log_error(r, "can't open the key %s", key->path);
	return r;
}

int keyring_open(struct keyring *ring, struct keyring_key *key, const struct signing_key **ret_key)
{
	struct signing_key *opened;
	int r;

	if (!key->file.has_secret) {
		log_error(0, "%s is a public key, which can't sign: use repave-sign payload and attach", key->path);
		return -ENOKEY;
	}
	r = check_expiry(ring, key);
	if (r == 0 && !key->key) {
		opened = calloc(1, sizeof(*opened));
		r = opened ? open_key(ring, key, opened) : -ENOMEM;
		if (r < 0)
			free(opened);
		else
			key->key = opened;
	}
	if (r == 0)
		*ret_key = key->key;
	return r;
}

int signing_keys_load(const char *folder, enum tuf_type role, struct signing_keys *ret_keys)
{
	struct passphrases never = { .never = true };
	struct signing_keys keys = { 0 };
	struct keyring ring;
	const struct signing_key *key;
	int r = keyring_load(folder, &never, 0, &ring);

	if (r < 0)
		return r;
	for (size_t i = 0; r == 0 && i < ring.count; i++) {
		if (!ring.keys[i].file.has_secret || !keyring_key_is_for(&ring.keys[i], tuf_type_name(role)))
			continue;
		r = keyring_open(&ring, &ring.keys[i], &key);
		if (r == 0)
			r = signing_keys_add(&keys, key);
	}
	keyring_release(&ring);
	if (r < 0)
		signing_keys_release(&keys);
	else
		*ret_keys = keys;
	return r;
}

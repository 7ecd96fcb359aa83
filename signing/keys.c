/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/keys.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium/core.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/document-json.h"

#define KEY_FILE_MOST 4096u
#define SEED_SIZE crypto_sign_ed25519_SEEDBYTES

json_t *signing_key_public(const struct signing_key *key)
{
	char public[2 * sizeof(key->public) + 1];

	hex_format(key->public, sizeof(key->public), public);
	return json_pack("{s:s, s:s, s:{s:s}}", "keytype", "ed25519", "scheme", "ed25519", "keyval", "public", public);
}

int signing_key_from_seed(const uint8_t seed[SEED_SIZE], struct signing_key *ret_key)
{
	json_t *public;
	int r;

	crypto_sign_ed25519_seed_keypair(ret_key->public, ret_key->secret, seed);
	public = signing_key_public(ret_key);
	r = public ? json_keyid(public, ret_key->keyid) : -ENOMEM;
	json_decref(public);
	return r;
}

int signing_key_generate(struct signing_key *ret_key)
{
	uint8_t seed[SEED_SIZE];
	int r;

	if (sodium_init() < 0)
		return -ENOMEM;
	randombytes_buf(seed, sizeof(seed));
	r = signing_key_from_seed(seed, ret_key);
	sodium_memzero(seed, sizeof(seed));
	return r;
}

void signing_key_sign(const struct signing_key *key, const void *data, size_t size,
		      char ret_signature[2 * crypto_sign_ed25519_BYTES + 1])
{
	uint8_t signature[crypto_sign_ed25519_BYTES];

	crypto_sign_ed25519_detached(signature, NULL, data, size, key->secret);
	hex_format(signature, sizeof(signature), ret_signature);
}

static int key_path(const char *folder, enum tuf_type role, unsigned number, char **ret_path)
{
	return asprintf(ret_path, "%s/%s-%u.key", folder, tuf_type_name(role), number) < 0 ? -ENOMEM : 0;
}

int signing_key_store(const char *folder, enum tuf_type role, unsigned number, const struct signing_key *key)
{
	char public[2 * sizeof(key->public) + 1], seed[2 * SEED_SIZE + 1], text[512], *path;
	uint8_t bytes[SEED_SIZE];
	int r = key_path(folder, role, number, &path), size;

	if (r < 0)
		return r;
	crypto_sign_ed25519_sk_to_seed(bytes, key->secret);
	hex_format(bytes, sizeof(bytes), seed);
	hex_format(key->public, sizeof(key->public), public);
	size = snprintf(text, sizeof(text),
			"{ \"format\": 1, \"role\": \"%s\", \"keytype\": \"ed25519\", \"scheme\": \"ed25519\",\n"
			"  \"public\": \"%s\",\n  \"seed\": \"%s\" }\n", tuf_type_name(role), public, seed);
	if (access(path, F_OK) == 0)
		r = -EEXIST;
	else
		r = file_store(path, text, (size_t)size, 0600);
	sodium_memzero(bytes, sizeof(bytes));
	sodium_memzero(seed, sizeof(seed));
	sodium_memzero(text, sizeof(text));
	free(path);
	return r;
}

int signing_keys_add(struct signing_keys *keys, const struct signing_key *key)
{
	/* Not realloc: that could leave a copy of a secret behind. */
	struct signing_key *more = calloc(keys->count + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	if (keys->count > 0) {
		memcpy(more, keys->keys, keys->count * sizeof(*more));
		sodium_memzero(keys->keys, keys->count * sizeof(*keys->keys));
	}
	more[keys->count++] = *key;
	free(keys->keys);
	keys->keys = more;
	return 0;
}

static int parse_key(const struct buffer *data, enum tuf_type role, struct signing_key *ret_key)
{
	char error[160];
	uint8_t seed[SEED_SIZE], public[sizeof(ret_key->public)];
	json_t *json = json_parse(data->data, data->size, error);
	const char *said = json_get_string(json, "role"), *scheme = json_get_string(json, "scheme");
	int r = -EINVAL;

	if (said && strcmp(said, tuf_type_name(role)) == 0 && scheme && strcmp(scheme, "ed25519") == 0 &&
	    json_get_hex(json, "seed", seed, sizeof(seed)) == 0 &&
	    json_get_hex(json, "public", public, sizeof(public)) == 0)
		r = signing_key_from_seed(seed, ret_key);
	if (r == 0 && memcmp(public, ret_key->public, sizeof(public)) != 0)
		r = -EINVAL;
	sodium_memzero(seed, sizeof(seed));
	json_decref(json);
	return r;
}

static int load_key(const char *path, enum tuf_type role, struct signing_key *ret_key)
{
	struct buffer data = { 0 };
	struct stat status;
	int r;

	if (stat(path, &status) < 0)
		return -errno;
	if (status.st_mode & 077) {
		log_error(0, "%s can be read by others: chmod 600 it, and renew the key if others had access", path);
		return -EACCES;
	}
	r = file_load(path, KEY_FILE_MOST, &data);
	if (r < 0)
		return log_error(r, "can't read %s", path);
	r = parse_key(&data, role, ret_key);
	if (r == -EINVAL)
		log_error(0, "%s is no key file for %s of this program", path, tuf_type_name(role));
	if (data.data)
		sodium_memzero(data.data, data.size);
	buffer_release(&data);
	return r;
}

int signing_keys_load(const char *folder, enum tuf_type role, struct signing_keys *ret_keys)
{
	struct signing_keys keys = { 0 };
	int r = 0;

	for (unsigned number = 1; r == 0 && number <= KEYS_MOST; number++) {
		struct signing_key key;
		char *path;

		r = key_path(folder, role, number, &path);
		if (r < 0)
			break;
		r = load_key(path, role, &key);
		if (r == 0)
			r = signing_keys_add(&keys, &key);
		else if (r == -ENOENT)
			r = 0; /* kept elsewhere: an online folder has none of the offline keys */
		sodium_memzero(&key, sizeof(key));
		free(path);
	}
	if (r < 0) {
		signing_keys_release(&keys);
		return r;
	}
	*ret_keys = keys;
	return 0;
}

void signing_keys_release(struct signing_keys *keys)
{
	if (keys->keys)
		sodium_memzero(keys->keys, keys->count * sizeof(*keys->keys));
	free(keys->keys);
	memset(keys, 0, sizeof(*keys));
}

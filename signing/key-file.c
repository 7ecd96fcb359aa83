/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/key-file.h"

#include <errno.h>
#include <malloc.h>
#include <sodium/core.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_pwhash.h>
#include <sodium/crypto_pwhash_argon2id.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/document-json.h"
#include "signing/format.h"

/* Argon2id with 3 passes over 64 MiB is the second of the two choices of RFC 9106 (section 4), the one for machines with
 * little memory: an off-line signer may be a small board. Both numbers stand in the file, so they can grow. */
#define PASSES 3u
#define MEMORY (64u << 20)
/* A file from elsewhere must not take all memory or an hour. */
#define PASSES_MOST 16u
#define MEMORY_MOST (1u << 30)

#define SALT_SIZE crypto_pwhash_argon2id_SALTBYTES
#define NONCE_SIZE crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define WRAP_SIZE crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define SEALED_SIZE (KEY_SECRET_SIZE + crypto_aead_xchacha20poly1305_ietf_ABYTES)

void secret_buffer_release(struct buffer *buffer)
{
	if (buffer->data)
		sodium_memzero(buffer->data, buffer->size);
	buffer_release(buffer);
}

static void wiping_free(void *memory)
{
	if (memory)
		sodium_memzero(memory, malloc_usable_size(memory));
	free(memory);
}

void key_file_setup(void)
{
	json_set_alloc_funcs(malloc, wiping_free);
}

/* ------------------------------------------------------------------ sealing */

struct sealing {
	uint64_t passes, memory;
	uint8_t salt[SALT_SIZE], nonce[NONCE_SIZE];
};

/* What is authenticated with the secret: a key can't be given another name, role or expiry without its passphrase. */
static int authenticated(const json_t *file, struct buffer *ret_text)
{
	json_t *copy = json_copy((json_t *)(uintptr_t)file);
	int r = copy ? 0 : -ENOMEM;

	if (r == 0) {
		json_object_del(copy, "secret");
		r = json_canonical_format(copy, ret_text);
	}
	json_decref(copy);
	return r;
}

static int derive(const struct sealing *sealing, const char *passphrase, uint8_t ret_key[WRAP_SIZE])
{
	if (sodium_init() < 0)
		return -ENOMEM;
	return crypto_pwhash(ret_key, WRAP_SIZE, passphrase, strlen(passphrase), sealing->salt, sealing->passes,
			     (size_t)sealing->memory, crypto_pwhash_ALG_ARGON2ID13) == 0 ? 0 : -ENOMEM;
}

static int seal(const json_t *file, const uint8_t secret[KEY_SECRET_SIZE], const char *passphrase, json_t **ret_secret)
{
	struct sealing s = { PASSES, MEMORY, { 0 }, { 0 } };
	char salt[2 * SALT_SIZE + 1], nonce[2 * NONCE_SIZE + 1], text[2 * SEALED_SIZE + 1];
	uint8_t wrap[WRAP_SIZE], sealed[SEALED_SIZE];
	struct buffer context = { 0 };
	int r = authenticated(file, &context);

	randombytes_buf(s.salt, sizeof(s.salt));
	randombytes_buf(s.nonce, sizeof(s.nonce));
	if (r == 0)
		r = derive(&s, passphrase, wrap);
	if (r == 0) {
		crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, secret, KEY_SECRET_SIZE, context.data, context.size,
							   NULL, s.nonce, wrap);
		hex_format(s.salt, sizeof(s.salt), salt);
		hex_format(s.nonce, sizeof(s.nonce), nonce);
		hex_format(sealed, sizeof(sealed), text);
		*ret_secret = json_pack("{s:s, s:I, s:I, s:s, s:s, s:s, s:s}", "kdf", "argon2id", "passes",
					(json_int_t)s.passes, "memory", (json_int_t)s.memory, "salt", salt, "cipher",
					"xchacha20-poly1305", "nonce", nonce, "sealed", text);
		r = *ret_secret ? 0 : -ENOMEM;
	}
	sodium_memzero(wrap, sizeof(wrap));
	buffer_release(&context);
	return r;
}

static int parse_sealing(const json_t *secret, struct sealing *ret_sealing, uint8_t ret_sealed[SEALED_SIZE])
{
	const char *kdf = json_get_string(secret, "kdf"), *cipher = json_get_string(secret, "cipher");

	if (!kdf || strcmp(kdf, "argon2id") != 0 || !cipher || strcmp(cipher, "xchacha20-poly1305") != 0 ||
	    json_get_u64(secret, "passes", &ret_sealing->passes) < 0 || ret_sealing->passes == 0 ||
	    ret_sealing->passes > PASSES_MOST || json_get_u64(secret, "memory", &ret_sealing->memory) < 0 ||
	    ret_sealing->memory < crypto_pwhash_MEMLIMIT_MIN || ret_sealing->memory > MEMORY_MOST ||
	    json_get_hex(secret, "salt", ret_sealing->salt, SALT_SIZE) < 0 ||
	    json_get_hex(secret, "nonce", ret_sealing->nonce, NONCE_SIZE) < 0 ||
	    json_get_hex(secret, "sealed", ret_sealed, SEALED_SIZE) < 0)
		return -EINVAL;
	return 0;
}

static int unseal(const json_t *file, const char *passphrase, uint8_t ret_secret[KEY_SECRET_SIZE])
{
	struct sealing sealing;
	struct buffer context = { 0 };
	uint8_t sealed[SEALED_SIZE], wrap[WRAP_SIZE];
	int r = parse_sealing(json_get_object(file, "secret"), &sealing, sealed);

	if (r == 0)
		r = authenticated(file, &context);
	if (r == 0)
		r = derive(&sealing, passphrase, wrap);
	if (r == 0 && crypto_aead_xchacha20poly1305_ietf_decrypt(ret_secret, NULL, NULL, sealed, sizeof(sealed),
								 context.data, context.size, sealing.nonce, wrap) != 0)
		r = -EACCES;
	sodium_memzero(wrap, sizeof(wrap));
	buffer_release(&context);
	return r;
}

/* ------------------------------------------------------------------ parsing */

static int bad(char error[160], const char *why)
{
	snprintf(error, 160, "%s", why);
	return -EINVAL;
}

/* Also brings the first format into the form of the second. */
static int read_first_format(json_t *json, char error[160])
{
	const char *role = json_get_string(json, "role"), *public = json_get_string(json, "public");
	const char *seed = json_get_string(json, "seed");
	json_t *roles;

	if (!role || !public || !seed)
		return bad(error, "a key file of the first format needs \"role\", \"public\" and \"seed\"");
	roles = json_pack("[s]", role);
	if (json_object_set_new(json, "roles", roles) < 0 ||
	    json_object_set_new(json, "keyval", json_pack("{s:s}", "public", public)) < 0 ||
	    json_object_set_new(json, "secret", json_pack("{s:s}", "plain", seed)) < 0)
		return -ENOMEM;
	return 0;
}

static int read_time(const json_t *json, const char *member, int64_t *ret_time)
{
	const json_t *value = json_object_get(json, member);
	const char *text = json_string_value(value);

	*ret_time = 0;
	if (!value)
		return 0;
	return text ? tuf_time_parse(text, ret_time) : -EINVAL;
}

static int read_roles(const json_t *json, struct key_file *file, char error[160])
{
	json_t *roles = json_object_get(json, "roles"), *role;
	size_t i;

	if (roles && (!json_is_array(roles) || json_array_size(roles) > KEY_ROLES_MOST))
		return bad(error, "\"roles\" must be a short list of names of roles");
	json_array_foreach(roles, i, role) {
		if (!json_is_string(role))
			return bad(error, "\"roles\" must be a short list of names of roles");
	}
	file->roles = roles ? json_incref(roles) : json_array();
	return file->roles ? 0 : -ENOMEM;
}

/* Takes the public half through PEM and back: a file from elsewhere is held to what Repave itself would write, so that its
 * key id is the one that metadata gets. */
static int read_public(const json_t *json, struct key_file *file, char error[160])
{
	const char *keytype = json_get_string(json, "keytype"), *scheme = json_get_string(json, "scheme");
	const char *public = json_get_string(json_object_get(json, "keyval"), "public");
	struct buffer pem = { 0 };
	json_t *key = NULL;
	int r;

	if (!keytype || !scheme || !public)
		return bad(error, "it needs \"keytype\", \"scheme\" and \"keyval\"");
	key = json_pack("{s:s, s:s, s:{s:s}}", "keytype", keytype, "scheme", scheme, "keyval", "public", public);
	if (!key)
		return -ENOMEM;
	if (public_key_type(key, &file->type) < 0 || public_key_to_pem(key, &pem) < 0)
		r = bad(error, "its key is of no kind that Repave knows: ed25519, ecdsa-sha2-nistp256, rsassa-pss-sha256");
	else
		r = public_key_from_pem(pem.data, pem.size, &file->public, error);
	if (r == 0 && strcmp(json_get_string(file->public, "scheme"), scheme) != 0)
		r = bad(error, "its \"scheme\" isn't that of its key");
	if (r == 0)
		r = json_keyid(file->public, file->keyid);
	json_decref(key);
	buffer_release(&pem);
	return r;
}

static int read_secret(const json_t *json, struct key_file *file, char error[160])
{
	const json_t *secret = json_object_get(json, "secret");
	struct sealing sealing;
	uint8_t bytes[SEALED_SIZE];
	int r = 0;

	file->has_secret = secret != NULL;
	file->is_encrypted = json_object_get(secret, "plain") == NULL;
	if (!secret)
		return 0;
	if (file->type == KEY_RSA)
		return bad(error, "it holds a secret RSA key, and those sign elsewhere");
	if (file->is_encrypted ? parse_sealing(secret, &sealing, bytes) < 0 :
				 json_get_hex(secret, "plain", bytes, KEY_SECRET_SIZE) < 0)
		r = bad(error, "its \"secret\" is damaged");
	sodium_memzero(bytes, sizeof(bytes));
	return r;
}

static int read_json(json_t *json, struct key_file *file, char error[160])
{
	const char *name = json_get_string(json, "name");
	uint64_t format = 0;
	int r = json_get_u64(json, "format", &format) < 0 || format < 1 || format > 2 ?
		bad(error, "it has no \"format\" of 1 or 2") : 0;

	if (r == 0 && format == 1)
		r = read_first_format(json, error);
	if (r == 0 && format == 2 && (!name || !is_key_name(name)))
		r = bad(error, "it needs a \"name\" of letters, digits and \"._-\"");
	if (r == 0 && name && is_key_name(name))
		strcpy(file->name, name);
	if (r == 0)
		r = read_roles(json, file, error);
	if (r == 0)
		r = read_public(json, file, error);
	if (r == 0)
		r = read_secret(json, file, error);
	if (r == 0 && (read_time(json, "created", &file->created) < 0 || read_time(json, "expires", &file->expires) < 0))
		r = bad(error, "\"created\" and \"expires\" must be times such as 2030-01-01T00:00:00Z");
	return r;
}

int key_file_parse(const void *text, size_t size, struct key_file *ret_file, char ret_error[160])
{
	struct key_file file = { 0 };
	int r;

	file.json = json_parse(text, size, ret_error);
	r = json_is_object(file.json) ? 0 : -EINVAL;
	if (r < 0 && file.json)
		bad(ret_error, "it is no JSON object");
	if (r == 0)
		r = read_json(file.json, &file, ret_error);
	if (r < 0) {
		key_file_release(&file);
		return r;
	}
	*ret_file = file;
	return 0;
}

void key_file_release(struct key_file *file)
{
	json_decref(file->public);
	json_decref(file->roles);
	json_decref(file->json);
	memset(file, 0, sizeof(*file));
}

int key_file_open(const struct key_file *file, const char *passphrase, struct signing_key *ret_key)
{
	uint8_t secret[KEY_SECRET_SIZE] = { 0 };
	int r = file->has_secret ? 0 : -EINVAL;

	if (r == 0 && !file->is_encrypted)
		r = json_get_hex(json_object_get(file->json, "secret"), "plain", secret, sizeof(secret));
	else if (r == 0)
		r = passphrase ? unseal(file->json, passphrase, secret) : -EACCES;
	if (r == 0)
		r = signing_key_from_secret(file->type, secret, ret_key);
	if (r == 0 && strcmp(ret_key->keyid, file->keyid) != 0)
		r = -EINVAL;
	if (r == 0)
		strcpy(ret_key->name, file->name);
	else
		sodium_memzero(ret_key, sizeof(*ret_key));
	sodium_memzero(secret, sizeof(secret));
	return r;
}

/* ------------------------------------------------------------------ writing */

static int set_time(json_t *json, const char *member, int64_t time)
{
	char text[24];
	int r = tuf_time_format(time, text);

	return r < 0 ? r : json_object_set_new(json, member, json_string(text)) < 0 ? -ENOMEM : 0;
}

static int dump(const json_t *json, struct buffer *ret_text)
{
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	int r = text ? buffer_printf(ret_text, "%s\n", text) : -ENOMEM;

	wiping_free(text);
	return r;
}

static json_t *public_file(const char *name, const json_t *public)
{
	return json_pack("{s:i, s:s, s:O, s:O, s:O}", "format", 2, "name", name, "keytype",
			 json_object_get(public, "keytype"), "scheme", json_object_get(public, "scheme"), "keyval",
			 json_object_get(public, "keyval"));
}

int public_file_format(const char *name, const json_t *public, struct buffer *ret_text)
{
	json_t *json = public_file(name, public);
	int r = dump(json, ret_text);

	json_decref(json);
	return r;
}

static int plain_secret(const uint8_t secret[KEY_SECRET_SIZE], json_t **ret_secret)
{
	char text[2 * KEY_SECRET_SIZE + 1];

	hex_format(secret, KEY_SECRET_SIZE, text);
	*ret_secret = json_pack("{s:s}", "plain", text);
	sodium_memzero(text, sizeof(text));
	return *ret_secret ? 0 : -ENOMEM;
}

int key_file_format(const struct signing_key *key, json_t *roles, int64_t created, int64_t expires,
		    const char *passphrase, struct buffer *ret_text)
{
	json_t *public = signing_key_public(key), *json = public ? public_file(key->name, public) : NULL, *sealed = NULL;
	uint8_t secret[KEY_SECRET_SIZE];
	int r = json ? set_time(json, "created", created) : -ENOMEM;

	if (r == 0 && expires != 0)
		r = set_time(json, "expires", expires);
	if (r == 0 && json_object_set_new(json, "roles", roles ? json_incref(roles) : json_array()) < 0)
		r = -ENOMEM;
	signing_key_secret(key, secret);
	if (r == 0)
		r = passphrase ? seal(json, secret, passphrase, &sealed) : plain_secret(secret, &sealed);
	sodium_memzero(secret, sizeof(secret));
	if (r == 0)
		r = json_object_set(json, "secret", sealed) < 0 ? -ENOMEM : dump(json, ret_text);
	json_decref(sealed);
	json_decref(json);
	json_decref(public);
	return r;
}

/* ------------------------------------------------------------------ loading */

/* PEM may have text before it; JSON begins with its brace. */
static bool is_pem(const struct buffer *data)
{
	size_t blanks = data->size > 0 ? strspn((const char *)data->data, " \t\r\n") : 0;

	return blanks < data->size && data->data[blanks] != '{' && strstr((const char *)data->data, "-----BEGIN") != NULL;
}

/* "/x/alice.pem" -> "alice". */
static void name_after(const char *path, char ret_name[KEY_NAME_MOST + 1])
{
	const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *dot = strrchr(base, '.');
	int size = dot && dot > base ? (int)(dot - base) : (int)strlen(base);

	snprintf(ret_name, KEY_NAME_MOST + 1, "%.*s", size, base);
	if (!is_key_name(ret_name))
		strcpy(ret_name, "imported");
}

static int parse_pem(const char *path, const struct buffer *data, struct key_file *ret_file, char error[160])
{
	struct key_file file = { 0 };
	int r = public_key_from_pem(data->data, data->size, &file.public, error);

	if (r == 0)
		r = public_key_type(file.public, &file.type);
	if (r == 0)
		r = json_keyid(file.public, file.keyid);
	if (r == 0 && !(file.roles = json_array()))
		r = -ENOMEM;
	name_after(path, file.name);
	if (r < 0)
		key_file_release(&file);
	else
		*ret_file = file;
	return r;
}

int key_file_load(const char *path, struct key_file *ret_file)
{
	struct buffer data = { 0 };
	struct stat status;
	char error[160] = "out of memory";
	int r = file_load(path, KEY_FILE_MOST, &data);

	if (r < 0)
		return log_error(r, "can't read the key file %s", path);
	r = is_pem(&data) ? parse_pem(path, &data, ret_file, error) :
			    key_file_parse(data.data, data.size, ret_file, error);
	secret_buffer_release(&data);
	if (r < 0) {
		log_error(0, "%s is no key file: %s", path, error);
		return r;
	}
	if (ret_file->has_secret && stat(path, &status) == 0 && (status.st_mode & 077)) {
		log_error(0, "%s can be read by others: chmod 600 it, and renew the key if others had access", path);
		key_file_release(ret_file);
		return -EACCES;
	}
	if (!ret_file->name[0])
		name_after(path, ret_file->name);
	return 0;
}

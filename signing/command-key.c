/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: files of keys. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/command.h"
#include "signing/key-file.h"
#include "signing/keyring.h"

#define PAYLOAD_MOST TUF_TARGETS_MOST

/* Canonical JSON has control characters as they are (the lines of PEM), and only in strings. For a parser of JSON they are escaped. */
static json_t *parse_canonical(const struct buffer *payload)
{
	struct buffer text = { 0 };
	char error[160];
	json_t *json = NULL;
	size_t begin = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i <= payload->size; i++) {
		if (i < payload->size && payload->data[i] >= 0x20)
			continue;
		r = i > begin ? buffer_add(&text, payload->data + begin, i - begin) : 0;
		if (r == 0 && i < payload->size)
			r = buffer_printf(&text, "\\u%04x", payload->data[i]);
		begin = i + 1;
	}
	if (r == 0 && text.size > 0)
		json = json_parse(text.data, text.size, error);
	buffer_release(&text);
	return json;
}

/* Whether nothing but an earlier output of the same kind would be lost. */
static bool is_output(enum output_kind kind, const struct buffer *data)
{
	size_t controls = 0, hex = 0;
	json_t *body;
	bool is;

	if (data->size == 0)
		return true;
	if (kind == OUTPUT_PAYLOAD) {
		body = parse_canonical(data);
		is = json_get_string(body, "_type") != NULL;
		json_decref(body);
		return is;
	}
	for (size_t i = 0; i < data->size; i++) {
		hex += isxdigit(data->data[i]) || data->data[i] == '\n' ? 1 : 0;
		controls += iscntrl(data->data[i]) && !isspace(data->data[i]) ? 1 : 0;
	}
	return hex == data->size || (controls > 0 && data->size <= KEY_SIGNATURE_MOST); /* hexadecimal, or raw of another tool */
}

int check_output(const char *path, enum output_kind kind)
{
	const char *ending = strrchr(path, '.'), *what = kind == OUTPUT_PAYLOAD ? "payload" : "signature";
	struct buffer data = { 0 };
	struct stat status;
	int r = 0;

	if (ending && (strcmp(ending, ".key") == 0 || strcmp(ending, ".pub") == 0)) {
		log_error(0, "%s is a name of keys: name another file for the %s", path, what);
		return -EINVAL;
	}
	if (stat(path, &status) < 0)
		return 0; /* what else is wrong is said when it is written */
	if (S_ISREG(status.st_mode))
		r = file_load(path, PAYLOAD_MOST, &data);
	if (r == -ENOMEM)
		return r;
	if (!S_ISREG(status.st_mode) || r < 0 || !is_output(kind, &data)) {
		log_error(0, "%s exists and isn't an earlier %s: name another file", path, what);
		r = -EEXIST;
	}
	secret_buffer_release(&data);
	return r;
}

/* Never over an existing file. */
static int write_new(const char *path, const struct buffer *text, mode_t mode)
{
	int r;

	if (access(path, F_OK) == 0) {
		log_error(0, "%s exists already: name another file", path);
		return -EEXIST;
	}
	r = file_store(path, text->data, text->size, mode);
	return r < 0 ? log_error(r, "can't write %s", path) : 0;
}

/* --output, or NAME and the ending in --keys. malloc'd. */
static int name_output(const struct arguments *a, const char *name, const char *ending, char **ret_path)
{
	int r;

	if (!a->output && !a->keys) {
		log_error(0, "give --output FILE or --keys DIR");
		return -EINVAL;
	}
	if (!a->output && (r = make_folders(a->keys, 0700)) < 0)
		return log_error(r, "can't make %s", a->keys);
	r = a->output ? asprintf(ret_path, "%s", a->output) : asprintf(ret_path, "%s/%s%s", a->keys, name, ending);
	return r < 0 ? -ENOMEM : 0;
}

static json_t *roles_of(const struct arguments *a)
{
	json_t *roles = json_array();

	for (size_t i = 0; roles && i < a->role.count; i++)
		json_array_append_new(roles, json_string(a->role.items[i]));
	return roles;
}

static int check_name(const char *name)
{
	if (is_key_name(name))
		return 0;
	log_error(0, "\"%s\" is no name of a key: letters, digits and \"._-\", at most %d", name, KEY_NAME_MOST);
	return -EINVAL;
}

int run_key_new(const struct arguments *a)
{
	struct passphrases passphrases = { .file = passphrase_file_of(a) };
	const char *name = a->rest[0], *passphrase = NULL;
	struct buffer text = { 0 };
	struct signing_key key;
	json_t *roles = roles_of(a);
	int64_t now = time(NULL);
	char *path = NULL;
	int r = roles ? check_name(name) : -ENOMEM;

	if (r == 0)
		r = name_output(a, name, ".key", &path);
	if (r == 0 && access(path, F_OK) == 0) {
		log_error(0, "%s exists already: name another key", path);
		r = -EEXIST;
	}
	if (r == 0 && !a->no_passphrase)
		r = passphrase_get_new(&passphrases, path, &passphrase);
	if (r == 0 && (r = signing_key_generate(a->type, &key)) < 0)
		log_error(r, "can't make a key");
	if (r == 0) {
		snprintf(key.name, sizeof(key.name), "%s", name);
		r = key_file_format(&key, roles, now, a->expires ? now + a->expires : 0, passphrase, &text);
		if (r < 0)
			log_error(r, "can't make %s", path);
		else
			r = write_new(path, &text, 0600);
		if (r == 0)
			log_info("made %s, %s, key id %s", path, key_type_name(key.type), key.keyid);
		explicit_bzero(&key, sizeof(key));
	}
	secret_buffer_release(&text);
	passphrases_release(&passphrases);
	json_decref(roles);
	free(path);
	return r;
}

/* ------------------------------------------------------------------ looking */

static json_t *describe_key(const struct keyring_key *key)
{
	char created[24] = "", expires[24] = "";

	if (key->file.created)
		tuf_time_format(key->file.created, created);
	if (key->file.expires)
		tuf_time_format(key->file.expires, expires);
	return json_pack("{s:s, s:s, s:s, s:s, s:O, s:b, s:b, s:s, s:s}", "file", key->path, "name", key->file.name, "keyid",
			 key->file.keyid, "type", key_type_name(key->file.type), "roles", key->file.roles, "secret",
			 key->file.has_secret, "encrypted", key->file.has_secret && key->file.is_encrypted, "created", created,
			 "expires", expires);
}

static void print_key(const struct keyring_key *key)
{
	char expires[24] = "never";
	size_t n = json_array_size(key->file.roles);

	if (key->file.expires)
		tuf_time_format(key->file.expires, expires);
	printf("%-20s %.8s  %-8s %-10s %-20s ", key->file.name, key->file.keyid, key_type_name(key->file.type),
	       !key->file.has_secret ? "public" : key->file.is_encrypted ? "encrypted" : "PLAIN", expires);
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i ? "," : "", json_string_value(json_array_get(key->file.roles, i)));
	printf("%s\n", n == 0 ? "any" : "");
}

int run_key_list(const struct arguments *a)
{
	struct passphrases never = { .never = true };
	struct keyring ring;
	json_t *list = json_array();
	int r = list ? keyring_load(a->keys, &never, time(NULL), &ring) : -ENOMEM;

	if (r < 0) {
		json_decref(list);
		return r;
	}
	if (!a->json)
		printf("%-20s %-8s  %-8s %-10s %-20s %s\n", "KEY", "ID", "TYPE", "SECRET", "EXPIRES", "ROLES");
	for (size_t i = 0; i < ring.count; i++) {
		if (a->json)
			json_array_append_new(list, describe_key(&ring.keys[i]));
		else
			print_key(&ring.keys[i]);
	}
	if (a->json) {
		json_dumpf(list, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	json_decref(list);
	keyring_release(&ring);
	return 0;
}

/* ------------------------------------------------------------------ public halves */

int run_key_import(const struct arguments *a)
{
	struct key_file file;
	struct buffer text = { 0 };
	const char *name;
	char *path = NULL;
	int r = key_file_load(a->rest[0], &file);

	if (r < 0)
		return r;
	name = a->name ? a->name : file.name;
	r = check_name(name);
	if (r == 0)
		r = name_output(a, name, ".pub", &path);
	if (r == 0)
		r = public_file_format(name, file.public, &text);
	if (r == 0)
		r = write_new(path, &text, 0644);
	if (r == 0)
		log_info("made %s, %s, key id %s", path, key_type_name(file.type), file.keyid);
	buffer_release(&text);
	key_file_release(&file);
	free(path);
	return r;
}

int run_key_export(const struct arguments *a)
{
	struct key_file file;
	struct buffer text = { 0 };
	int r = key_file_load(a->rest[0], &file);

	if (r < 0)
		return r;
	r = a->pem ? public_key_to_pem(file.public, &text) : public_file_format(file.name, file.public, &text);
	if (r == 0 && a->output)
		r = write_new(a->output, &text, 0644);
	else if (r == 0)
		fputs((const char *)text.data, stdout);
	buffer_release(&text);
	key_file_release(&file);
	return r;
}

/* ------------------------------------------------------------------ secrets */

/* The only key of a file. The caller releases ret_ring. */
static int load_one(const char *path, struct passphrases *passphrases, struct keyring *ret_ring)
{
	int r = keyring_load(NULL, passphrases, time(NULL), ret_ring);

	return r == 0 ? keyring_add(ret_ring, path) : r;
}

/* The same, opened. */
static int open_one(const char *path, struct passphrases *passphrases, struct keyring *ret_ring, const struct signing_key **ret_key)
{
	int r = load_one(path, passphrases, ret_ring);

	if (r == 0)
		r = keyring_open(ret_ring, &ret_ring->keys[0], ret_key);
	return r;
}

int run_key_passphrase(const struct arguments *a)
{
	struct passphrases old = { .file = passphrase_file_of(a) }, new = { .file = a->new_passphrase_file };
	const struct signing_key *key;
	const char *passphrase = NULL, *path = a->rest[0];
	struct buffer text = { 0 };
	struct keyring ring = { 0 };
	struct signing_key named;
	int r = open_one(path, &old, &ring, &key);

	if (r == 0 && !a->no_passphrase)
		r = passphrase_get_new(&new, path, &passphrase);
	if (r == 0) {
		const struct key_file *file = &ring.keys[0].file;

		named = *key;
		snprintf(named.name, sizeof(named.name), "%s", file->name);
		r = key_file_format(&named, file->roles, file->created ? file->created : time(NULL), file->expires, passphrase,
				    &text);
		explicit_bzero(&named, sizeof(named));
		if (r == 0)
			r = file_store(path, text.data, text.size, 0600);
		if (r < 0)
			log_error(r, "can't write %s", path);
		else
			log_info("%s is %s", path, passphrase ? "encrypted with the new passphrase" : "no longer encrypted");
	}
	secret_buffer_release(&text);
	keyring_release(&ring);
	passphrases_release(&old);
	passphrases_release(&new);
	return r;
}

static bool is_top_level(const char *role)
{
	for (enum tuf_type type = TUF_ROOT; type <= TUF_TARGETS; type++)
		if (strcmp(role, tuf_type_name(type)) == 0)
			return true;
	return false;
}

/* What a signer should see before anything is signed. */
static int describe_payload(const char *path, const json_t *body)
{
	const char *type = json_get_string(body, "_type"), *expires = json_get_string(body, "expires");
	uint64_t version;
	int64_t time;

	if (!type || !is_top_level(type) || !expires || tuf_time_parse(expires, &time) < 0 ||
	    json_get_u64(body, "version", &version) < 0) {
		log_error(0, "%s isn't what repave-sign payload writes", path);
		return -EINVAL;
	}
	if (strcmp(type, "targets") == 0)
		log_info("signing targets, version %" PRIu64 ", good until %s: %zu targets, %zu delegations", version, expires,
			 json_object_size(json_object_get(body, "targets")),
			 json_array_size(json_object_get(json_object_get(body, "delegations"), "roles")));
	else
		log_info("signing %s, version %" PRIu64 ", good until %s: %zu keys", type, version, expires,
			 json_object_size(json_object_get(body, "keys")));
	return 0;
}

/* A payload says its type and not its role: targets may be those of a delegated role, too. */
static bool is_for_type(const struct keyring_key *key, const char *type)
{
	bool is = keyring_key_is_for(key, type);

	for (size_t i = 0; strcmp(type, "targets") == 0 && i < json_array_size(key->file.roles); i++)
		is = is || !is_top_level(json_string_value(json_array_get(key->file.roles, i)));
	return is;
}

static int check_roles(const struct keyring_key *key, const char *type)
{
	char *roles;

	if (is_for_type(key, type))
		return 0;
	roles = json_dumps(key->file.roles, JSON_ENCODE_ANY);
	log_error(0, "%s may sign for %s only, as its file says, and this is %s: take the key of that role", key->path,
		  roles ? roles : "other roles", type);
	free(roles);
	return -EKEYREJECTED;
}

int run_key_sign(const struct arguments *a)
{
	struct passphrases passphrases = { .file = passphrase_file_of(a) };
	struct buffer payload = { 0 };
	struct keyring ring = { 0 };
	const struct signing_key *key;
	char signature[2 * KEY_SIGNATURE_MOST + 2];
	json_t *body;
	int r = check_output(a->output, OUTPUT_SIGNATURE);

	if (r < 0)
		return r;
	r = file_load(a->rest[1], PAYLOAD_MOST, &payload);
	if (r < 0)
		return log_error(r, "can't read %s", a->rest[1]);
	body = parse_canonical(&payload);
	r = describe_payload(a->rest[1], body);
	if (r == 0)
		r = load_one(a->rest[0], &passphrases, &ring);
	if (r == 0)
		r = check_roles(&ring.keys[0], json_get_string(body, "_type"));
	if (r == 0)
		r = keyring_open(&ring, &ring.keys[0], &key);
	if (r == 0 && (r = signing_key_sign(key, payload.data, payload.size, signature)) < 0)
		log_error(r, "can't sign with %s", a->rest[0]);
	if (r == 0) {
		strcat(signature, "\n");
		r = file_store(a->output, signature, strlen(signature), 0644);
		if (r < 0)
			log_error(r, "can't write %s", a->output);
	}
	json_decref(body);
	buffer_release(&payload);
	keyring_release(&ring);
	passphrases_release(&passphrases);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/format.h"

#include <errno.h>
#include <inttypes.h>
#include <sodium/crypto_hash_sha512.h>
#include <sodium/crypto_sign_ed25519.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "signing/canonical.h"
#include "signing/sha256.h"

#define PUBLIC_SIZE crypto_sign_ed25519_PUBLICKEYBYTES
#define SIGNATURE_SIZE crypto_sign_ed25519_BYTES

static const char *const type_names[] = { "root", "timestamp", "snapshot", "targets" };

__attribute__((format(printf, 2, 3))) static int bad(char *error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, TUF_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return -EBADMSG;
}

const char *tuf_type_name(enum tuf_type type)
{
	return type_names[type];
}

/* ------------------------------------------------------------------ time */

int tuf_time_parse(const char *text, int64_t *ret_time)
{
	static const char pattern[] = "dddd-dd-ddTdd:dd:ddZ";
	struct tm tm = { 0 }, again;
	time_t time;

	if (strlen(text) != strlen(pattern))
		return -EINVAL;
	for (size_t i = 0; pattern[i]; i++)
		if (pattern[i] == 'd' ? text[i] < '0' || text[i] > '9' : text[i] != pattern[i])
			return -EINVAL;
	tm.tm_year = atoi(text) - 1900;
	tm.tm_mon = atoi(text + 5) - 1;
	tm.tm_mday = atoi(text + 8);
	tm.tm_hour = atoi(text + 11);
	tm.tm_min = atoi(text + 14);
	tm.tm_sec = atoi(text + 17);
	again = tm;
	time = timegm(&again);
	/* timegm makes 2 March of 30 February; such a date is no date. */
	if (again.tm_year != tm.tm_year || again.tm_mon != tm.tm_mon || again.tm_mday != tm.tm_mday ||
	    again.tm_hour != tm.tm_hour || again.tm_min != tm.tm_min || again.tm_sec != tm.tm_sec)
		return -EINVAL;
	*ret_time = time;
	return 0;
}

int tuf_time_format(int64_t time, char ret_text[24])
{
	time_t seconds = time;
	struct tm tm;

	if (!gmtime_r(&seconds, &tm) || tm.tm_year < 0 || tm.tm_year > 9999 - 1900)
		return -EINVAL;
	strftime(ret_text, 24, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return 0;
}

/* ------------------------------------------------------------------ form */

/* "1.N" or "1.N.M": other major versions may mean something else by the same fields. */
static bool is_known_spec(const char *text)
{
	size_t digits;

	if (!text || strncmp(text, "1.", 2) != 0)
		return false;
	text += 2;
	digits = strspn(text, "0123456789");
	if (digits == 0)
		return false;
	if (text[digits] == '\0')
		return true;
	text += digits + 1;
	digits = strspn(text, "0123456789");
	return text[-1] == '.' && digits > 0 && text[digits] == '\0';
}

/* Positive and at most INT64_MAX. */
static bool get_positive(const json_t *object, const char *key, uint64_t *ret_value)
{
	return json_get_u64(object, key, ret_value) == 0 && *ret_value > 0;
}

static int check_signature_list(const json_t *signatures, char *error)
{
	for (size_t i = 0; i < json_array_size(signatures); i++) {
		const json_t *signature = json_array_get(signatures, i);

		if (!json_get_string(signature, "keyid") || !json_get_string(signature, "sig"))
			return bad(error, "signatures[%zu] needs \"keyid\" and \"sig\"", i);
	}
	return 0;
}

static int check_keys(const json_t *keys, char *error)
{
	const char *keyid;
	json_t *key;

	if (!json_is_object(keys))
		return bad(error, "\"keys\" must be an object");
	json_object_foreach(json_iterable(keys), keyid, key) {
		if (!json_get_string(key, "keytype") || !json_get_string(key, "scheme") || !json_get_object(key, "keyval"))
			return bad(error, "key %.16s… needs \"keytype\", \"scheme\" and \"keyval\"", keyid);
	}
	return 0;
}

static int check_signers(const json_t *role, const char *name, char *error)
{
	const json_t *keyids = json_get_array(role, "keyids");
	uint64_t threshold;

	if (!keyids)
		return bad(error, "role %.64s needs a list \"keyids\"", name);
	for (size_t i = 0; i < json_array_size(keyids); i++)
		if (!json_is_string(json_array_get(keyids, i)))
			return bad(error, "role %.64s: \"keyids\" must be strings", name);
	if (!get_positive(role, "threshold", &threshold))
		return bad(error, "role %.64s: \"threshold\" must be a number of at least 1", name);
	return 0;
}

static int check_root(const json_t *body, char *error)
{
	const json_t *roles = json_get_object(body, "roles"), *consistent = json_object_get(body, "consistent_snapshot");
	int r = check_keys(json_object_get(body, "keys"), error);

	if (consistent && !json_is_boolean(consistent))
		return bad(error, "\"consistent_snapshot\" must be true or false");
	for (size_t i = 0; r == 0 && i < sizeof(type_names) / sizeof(*type_names); i++)
		r = check_signers(json_object_get(roles, type_names[i]), type_names[i], error);
	return r;
}

static int check_hashes(const json_t *hashes, const char *name, char *error)
{
	const char *algorithm;
	json_t *digest;

	if (!json_is_object(hashes) || json_object_size(hashes) == 0)
		return bad(error, "%.100s: \"hashes\" must be an object with at least one hash", name);
	json_object_foreach(json_iterable(hashes), algorithm, digest) {
		if (!json_is_string(digest))
			return bad(error, "%.100s: hash %.32s must be a string", name, algorithm);
	}
	return 0;
}

/* "meta" of timestamp and snapshot; `needed` must be in it. */
static int check_meta(const json_t *body, const char *needed, char *error)
{
	json_t *meta = json_get_object(body, "meta"), *file;
	const char *name;
	uint64_t number;

	if (!json_object_get(meta, needed))
		return bad(error, "\"meta\" must name %s", needed);
	json_object_foreach(meta, name, file) {
		int r;

		if (!get_positive(file, "version", &number))
			return bad(error, "%.100s: \"version\" must be a number of at least 1", name);
		r = json_get_u64(file, "length", &number);
		if (r < 0 && r != -ENOENT)
			return bad(error, "%.100s: \"length\" must be a number", name);
		if (json_object_get(file, "hashes") && check_hashes(json_object_get(file, "hashes"), name, error) < 0)
			return -EBADMSG;
	}
	return 0;
}

static int check_targets(const json_t *body, char *error)
{
	json_t *targets = json_get_object(body, "targets"), *target;
	const char *path;
	uint64_t length;

	if (!targets)
		return bad(error, "\"targets\" must be an object");
	json_object_foreach(targets, path, target) {
		if (json_get_u64(target, "length", &length) < 0)
			return bad(error, "target %.100s: \"length\" must be a number", path);
		if (check_hashes(json_object_get(target, "hashes"), path, error) < 0)
			return -EBADMSG;
		if (json_object_get(target, "custom") && !json_get_object(target, "custom"))
			return bad(error, "target %.100s: \"custom\" must be an object", path);
	}
	return 0;
}

static int check_body(enum tuf_type type, const json_t *body, char *error)
{
	switch (type) {
	case TUF_ROOT:
		return check_root(body, error);
	case TUF_TIMESTAMP:
		return check_meta(body, "snapshot.json", error);
	case TUF_SNAPSHOT:
		return check_meta(body, "targets.json", error);
	case TUF_TARGETS:
		return check_targets(body, error);
	}
	return -EBADMSG;
}

static int check_envelope(struct tuf_document *document, char *error)
{
	const char *type, *expires, *spec;

	document->body = json_get_object(document->json, "signed");
	document->signatures = json_get_array(document->json, "signatures");
	if (!document->body || !document->signatures)
		return bad(error, "isn't TUF metadata: no \"signed\" or no \"signatures\"");
	type = json_get_string(document->body, "_type");
	if (!type || strcmp(type, type_names[document->type]) != 0)
		return bad(error, "has type \"%.32s\", not \"%s\"", type ? type : "", type_names[document->type]);
	spec = json_get_string(document->body, "spec_version");
	if (!is_known_spec(spec))
		return bad(error, "has specification version \"%.32s\"; only 1.x is known", spec ? spec : "");
	if (!get_positive(document->body, "version", &document->version))
		return bad(error, "\"version\" must be a number of at least 1");
	expires = json_get_string(document->body, "expires");
	if (!expires || tuf_time_parse(expires, &document->expires) < 0)
		return bad(error, "\"expires\" must be a time such as 2030-01-01T00:00:00Z");
	return check_signature_list(document->signatures, error);
}

int tuf_document_parse(enum tuf_type type, const void *data, size_t size, struct tuf_document *ret_document,
		       char *ret_error)
{
	struct tuf_document document = { .type = type };
	int r;

	document.json = json_parse(data, size, ret_error);
	if (!document.json)
		return -EBADMSG;
	r = check_envelope(&document, ret_error);
	if (r == 0)
		r = check_body(type, document.body, ret_error);
	if (r < 0) {
		tuf_document_release(&document);
		return r;
	}
	*ret_document = document;
	return 0;
}

void tuf_document_release(struct tuf_document *document)
{
	json_decref(document->json);
	memset(document, 0, sizeof(*document));
}

/* ------------------------------------------------------------------ signatures */

void tuf_root_signers(const struct tuf_document *root, enum tuf_type role, struct tuf_signers *ret_signers)
{
	const json_t *signers = json_object_get(json_object_get(root->body, "roles"), type_names[role]);

	ret_signers->keys = json_object_get(root->body, "keys");
	ret_signers->keyids = json_object_get(signers, "keyids");
	ret_signers->threshold = 0;
	json_get_u64(signers, "threshold", &ret_signers->threshold);
}

int tuf_keyid(const json_t *key, char ret_keyid[65])
{
	uint8_t digest[SHA256_SIZE];
	int r = canonical_sha256(key, digest);

	if (r == 0)
		hex_format(digest, sizeof(digest), ret_keyid);
	return r;
}

/* The public key behind a key id, if it is one that this build can check. */
static bool get_public(const struct tuf_signers *signers, const char *keyid, uint8_t ret_public[PUBLIC_SIZE])
{
	const json_t *key = json_object_get(signers->keys, keyid);
	const char *type = json_get_string(key, "keytype"), *scheme = json_get_string(key, "scheme");
	char own[65];

	return type && strcmp(type, "ed25519") == 0 && scheme && strcmp(scheme, "ed25519") == 0 &&
	       json_get_hex(json_get_object(key, "keyval"), "public", ret_public, PUBLIC_SIZE) == 0 &&
	       tuf_keyid(key, own) == 0 && strcmp(own, keyid) == 0;
}

static bool has_signed(const struct tuf_document *document, const struct buffer *text, const char *keyid,
		       const uint8_t public[PUBLIC_SIZE])
{
	for (size_t i = 0; i < json_array_size(document->signatures); i++) {
		const json_t *signature = json_array_get(document->signatures, i);
		uint8_t bytes[SIGNATURE_SIZE];

		if (strcmp(json_get_string(signature, "keyid"), keyid) == 0 &&
		    json_get_hex(signature, "sig", bytes, sizeof(bytes)) == 0 &&
		    crypto_sign_ed25519_verify_detached(bytes, text->data, text->size, public) == 0)
			return true;
	}
	return false;
}

static bool is_counted(const uint8_t *counted, uint64_t count, const uint8_t *public)
{
	for (uint64_t i = 0; i < count; i++)
		if (memcmp(counted + i * PUBLIC_SIZE, public, PUBLIC_SIZE) == 0)
			return true;
	return false;
}

int tuf_count_signatures(const struct tuf_document *document, const struct tuf_signers *signers, uint64_t *ret_count)
{
	size_t n = json_array_size(signers->keyids);
	uint8_t *counted = calloc(n + 1, PUBLIC_SIZE), public[PUBLIC_SIZE];
	struct buffer text = { 0 };
	uint64_t count = 0;
	int r;

	*ret_count = 0;
	if (!counted)
		return -ENOMEM;
	r = canonical_format(document->body, &text);
	for (size_t i = 0; r == 0 && i < n; i++) {
		const char *keyid = json_string_value(json_array_get(signers->keyids, i));

		if (get_public(signers, keyid, public) && !is_counted(counted, count, public) &&
		    has_signed(document, &text, keyid, public))
			memcpy(counted + count++ * PUBLIC_SIZE, public, PUBLIC_SIZE);
	}
	buffer_release(&text);
	free(counted);
	*ret_count = count;
	/* What has no canonical form can't have been signed. */
	return r == -EINVAL ? 0 : r;
}

int tuf_check_signatures(const struct tuf_document *document, const struct tuf_signers *signers, char *ret_error)
{
	uint64_t count;
	int r = tuf_count_signatures(document, signers, &count);

	if (r < 0) {
		bad(ret_error, "out of memory");
		return r;
	}
	if (signers->threshold == 0 || count < signers->threshold)
		return bad(ret_error, "has %" PRIu64 " valid signature%s of trusted keys, but %" PRIu64 " %s needed", count,
			   count == 1 ? "" : "s", signers->threshold, signers->threshold == 1 ? "is" : "are");
	return 0;
}

/* A set: keyids in another order, or listed twice, are the same signers. */
static bool is_subset(const json_t *keyids, const json_t *of)
{
	for (size_t i = 0; i < json_array_size(keyids); i++) {
		bool found = false;

		for (size_t k = 0; !found && k < json_array_size(of); k++)
			found = json_equal(json_array_get(keyids, i), json_array_get(of, k));
		if (!found)
			return false;
	}
	return true;
}

bool tuf_signers_equal(const struct tuf_signers *a, const struct tuf_signers *b)
{
	return a->threshold == b->threshold && is_subset(a->keyids, b->keyids) && is_subset(b->keyids, a->keyids);
}

/* ------------------------------------------------------------------ files named by metadata */

int tuf_file_of(const struct tuf_document *document, const char *name, struct tuf_file *ret_file)
{
	const json_t *file = json_object_get(json_object_get(document->body, "meta"), name);
	struct tuf_file found = { 0 };

	if (!file || json_get_u64(file, "version", &found.version) < 0)
		return -ENOENT;
	found.has_length = json_get_u64(file, "length", &found.length) == 0;
	found.hashes = json_object_get(file, "hashes");
	*ret_file = found;
	return 0;
}

static int check_hash(const json_t *hashes, const char *algorithm, const uint8_t *digest, size_t size, unsigned *known,
		      char *error)
{
	uint8_t signed_digest[crypto_hash_sha512_BYTES];
	int r = json_get_hex(hashes, algorithm, signed_digest, size);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || memcmp(signed_digest, digest, size) != 0)
		return bad(error, "isn't the file that was signed: its %s differs", algorithm);
	(*known)++;
	return 0;
}

int tuf_check_file(const struct tuf_file *file, const void *data, size_t size, char *ret_error)
{
	uint8_t sha256[SHA256_SIZE], sha512[crypto_hash_sha512_BYTES];
	unsigned known = 0;
	int r;

	if (file->has_length && size != file->length)
		return bad(ret_error, "has %zu bytes, but %" PRIu64 " are signed", size, file->length);
	if (!file->hashes)
		return 0;
	sha256_once(data, size, sha256);
	crypto_hash_sha512(sha512, data, size);
	r = check_hash(file->hashes, "sha256", sha256, sizeof(sha256), &known, ret_error);
	if (r == 0)
		r = check_hash(file->hashes, "sha512", sha512, sizeof(sha512), &known, ret_error);
	if (r == 0 && known == 0)
		return bad(ret_error, "is signed with hashes of unknown kinds only");
	return r;
}

bool tuf_root_consistent(const struct tuf_document *root)
{
	return json_is_true(json_object_get(root->body, "consistent_snapshot"));
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/signers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "signing/author.h"
#include "signing/sha256.h"

/* ------------------------------------------------------------------ who */

static int signers_from(const json_t *role, json_t *keys, json_t *names, struct signers *ret_signers)
{
	*ret_signers = (struct signers){ .keys = keys, .names = names, .keyids = json_get_array(role, "keyids") };
	if (!ret_signers->keyids || json_get_u64(role, "threshold", &ret_signers->threshold) < 0)
		return -ENOENT;
	return 0;
}

int signers_of_top(const json_t *root, const char *role, struct signers *ret_signers)
{
	return signers_from(json_object_get(json_object_get(root, "roles"), role), json_object_get(root, "keys"),
			    json_object_get(root, AUTHOR_NAMES), ret_signers);
}

json_t *delegation_of(const json_t *targets, const char *role)
{
	const json_t *roles = json_object_get(json_object_get(targets, "delegations"), "roles");

	for (size_t i = 0; i < json_array_size(roles); i++) {
		json_t *delegation = json_array_get(roles, i);
		const char *name = json_get_string(delegation, "name");

		if (name && strcmp(name, role) == 0)
			return delegation;
	}
	return NULL;
}

int signers_of_delegated(const json_t *targets, const char *role, struct signers *ret_signers)
{
	return signers_from(delegation_of(targets, role), json_object_get(json_object_get(targets, "delegations"), "keys"),
			    json_object_get(targets, AUTHOR_NAMES), ret_signers);
}

const char *signers_key_name(const struct signers *signers, const char *keyid, char ret_short[16])
{
	const char *name = json_get_string(signers->names, keyid);

	if (name)
		return name;
	snprintf(ret_short, 16, "%.8s", keyid);
	return ret_short;
}

bool signers_have(const struct signers *signers, const char *keyid)
{
	for (size_t i = 0; i < json_array_size(signers->keyids); i++)
		if (strcmp(json_string_value(json_array_get(signers->keyids, i)), keyid) == 0)
			return true;
	return false;
}

bool signers_are_same(const struct signers *a, const struct signers *b)
{
	size_t n = json_array_size(a->keyids);

	if (a->threshold != b->threshold || n != json_array_size(b->keyids))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!signers_have(b, json_string_value(json_array_get(a->keyids, i))))
			return false;
	return true;
}

const char *signers_find(const struct signers *signers, const char *text)
{
	size_t size = strlen(text);

	for (size_t i = 0; i < json_array_size(signers->keyids); i++) {
		const char *keyid = json_string_value(json_array_get(signers->keyids, i));
		const char *name = json_get_string(signers->names, keyid);

		if ((name && strcmp(name, text) == 0) || (size >= 8 && strncmp(keyid, text, size) == 0))
			return keyid;
	}
	return NULL;
}

/* ------------------------------------------------------------------ who has signed */

/* The verifier counts by what a root says of its own role: a root with just these keys. */
static int count_by(const json_t *keys, json_t *keyids, uint64_t threshold, const struct tuf_document *document,
		    uint64_t *ret_count, bool *ret_complete)
{
	json_t *role = json_pack("{s:O, s:I}", "keyids", keyids, "threshold", (json_int_t)threshold);
	json_t *body = author_body(TUF_ROOT, 1, 0);
	struct tuf_document root = { 0 };
	struct tuf_signers signers;
	struct buffer text = { 0 };
	char error[TUF_ERROR_SIZE];
	json_t *whole = NULL;
	int r = -ENOMEM;

	if (role && body &&
	    json_object_set_new(body, "roles", json_pack("{s:O, s:O, s:O, s:O}", "root", role, "timestamp", role, "snapshot",
							 role, "targets", role)) == 0 &&
	    json_object_set(body, "keys", (json_t *)(uintptr_t)keys) == 0)
		whole = json_pack("{s:[], s:O}", "signatures", "signed", body);
	if (whole)
		r = author_format(whole, &text);
	if (r == 0)
		r = tuf_document_parse(TUF_ROOT, text.data, text.size, &root, error);
	if (r == 0) {
		tuf_root_signers(&root, TUF_ROOT, &signers);
		r = tuf_count_signatures(document, &signers, ret_count);
		*ret_complete = r == 0 && tuf_check_signatures(document, &signers, error) == 0;
		tuf_document_release(&root);
	}
	buffer_release(&text);
	json_decref(whole);
	json_decref(body);
	json_decref(role);
	return r;
}

static int parse_document(enum tuf_type type, const json_t *document, struct buffer *text, struct tuf_document *ret_document)
{
	char error[TUF_ERROR_SIZE];
	int r = author_format(document, text);

	return r < 0 ? r : tuf_document_parse(type, text->data, text->size, ret_document, error);
}

static int has_signed(const struct signers *signers, const struct tuf_document *document, const char *keyid, bool *ret_valid)
{
	json_t *key = json_object_get(signers->keys, keyid), *keys = json_pack("{s:O*}", keyid, key);
	json_t *keyids = json_pack("[s]", keyid);
	uint64_t count = 0;
	bool complete;
	int r = keys && keyids ? 0 : -ENOMEM;

	if (r == 0)
		r = count_by(keys, keyids, 1, document, &count, &complete);
	*ret_valid = r == 0 && count == 1;
	json_decref(keys);
	json_decref(keyids);
	return r;
}

int signers_has_signed(const struct signers *signers, enum tuf_type type, const json_t *document, const char *keyid,
		       bool *ret_valid)
{
	struct tuf_document parsed = { 0 };
	struct buffer text = { 0 };
	int r = parse_document(type, document, &text, &parsed);

	*ret_valid = false;
	if (r == 0)
		r = has_signed(signers, &parsed, keyid, ret_valid);
	tuf_document_release(&parsed);
	buffer_release(&text);
	return r;
}

int signers_count(const struct signers *signers, enum tuf_type type, const json_t *document, uint64_t *ret_count,
		  bool *ret_complete)
{
	struct tuf_document parsed = { 0 };
	struct buffer text = { 0 };
	int r = parse_document(type, document, &text, &parsed);

	*ret_count = 0;
	*ret_complete = false;
	if (r == 0)
		r = count_by(signers->keys, signers->keyids, signers->threshold, &parsed, ret_count, ret_complete);
	tuf_document_release(&parsed);
	buffer_release(&text);
	return r;
}

int signers_missing(const struct signers *signers, enum tuf_type type, const json_t *document, struct buffer *ret_names)
{
	struct tuf_document parsed = { 0 };
	struct buffer text = { 0 };
	int r = parse_document(type, document, &text, &parsed);
	char shortened[16];
	bool valid;

	for (size_t i = 0; r == 0 && i < json_array_size(signers->keyids); i++) {
		const char *keyid = json_string_value(json_array_get(signers->keyids, i));

		r = has_signed(signers, &parsed, keyid, &valid);
		if (r == 0 && !valid)
			r = buffer_printf(ret_names, "%s%s", ret_names->size > 0 ? ", " : "",
					  signers_key_name(signers, keyid, shortened));
	}
	tuf_document_release(&parsed);
	buffer_release(&text);
	return r;
}

/* ------------------------------------------------------------------ paths */

bool delegation_has_path(const json_t *delegation, const char *path)
{
	const json_t *paths = json_object_get(delegation, "paths"), *prefixes = json_object_get(delegation, "path_hash_prefixes");
	uint8_t digest[SHA256_SIZE];
	char hex[2 * SHA256_SIZE + 1];

	for (size_t i = 0; i < json_array_size(paths); i++) {
		const char *pattern = json_string_value(json_array_get(paths, i));

		if (pattern && tuf_path_matches(path, pattern))
			return true;
	}
	sha256_once(path, strlen(path), digest);
	hex_format(digest, sizeof(digest), hex);
	for (size_t i = 0; i < json_array_size(prefixes); i++) {
		const char *prefix = json_string_value(json_array_get(prefixes, i));

		if (prefix && strncmp(hex, prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

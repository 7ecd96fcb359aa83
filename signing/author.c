/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/author.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signing/document-json.h"
#include "signing/sha256.h"

json_t *author_body(enum tuf_type type, uint64_t version, int64_t expires)
{
	char text[24];

	if (tuf_time_format(expires, text) < 0)
		return NULL;
	return json_pack("{s:s, s:s, s:I, s:s}", "_type", tuf_type_name(type), "spec_version", AUTHOR_SPEC_VERSION,
			 "version", (json_int_t)version, "expires", text);
}

static int add_role(json_t *keys, json_t *roles, enum tuf_type type, const struct signing_keys *signers,
		    unsigned threshold)
{
	json_t *keyids = json_array(), *role;
	int r = keyids ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < signers->count; i++) {
		const struct signing_key *key = &signers->keys[i];

		if (json_object_set_new(keys, key->keyid, signing_key_public(key)) < 0 ||
		    json_array_append_new(keyids, json_string(key->keyid)) < 0)
			r = -ENOMEM;
	}
	role = json_pack("{s:O, s:i}", "keyids", keyids, "threshold", (int)threshold);
	if (r < 0 || json_object_set_new(roles, tuf_type_name(type), role) < 0)
		r = -ENOMEM;
	json_decref(keyids);
	return r;
}

json_t *author_root(uint64_t version, int64_t expires, const struct signing_keys keys[4], const unsigned thresholds[4])
{
	json_t *body = author_body(TUF_ROOT, version, expires), *all = json_object(), *roles = json_object();
	int r = body && all && roles ? 0 : -ENOMEM;

	for (unsigned type = TUF_ROOT; r == 0 && type <= TUF_TARGETS; type++)
		r = add_role(all, roles, type, &keys[type], thresholds[type]);
	if (r == 0 && (json_object_set(body, "keys", all) < 0 || json_object_set(body, "roles", roles) < 0 ||
		       json_object_set_new(body, "consistent_snapshot", json_true()) < 0))
		r = -ENOMEM;
	json_decref(all);
	json_decref(roles);
	if (r == 0)
		return body;
	json_decref(body);
	return NULL;
}

json_t *author_targets(uint64_t version, int64_t expires, json_t *targets)
{
	json_t *body = author_body(TUF_TARGETS, version, expires);

	if (body && json_object_set(body, "targets", targets) == 0)
		return body;
	json_decref(body);
	return NULL;
}

json_t *author_naming(enum tuf_type type, uint64_t version, int64_t expires, const char *file, uint64_t file_version,
		      const struct buffer *data)
{
	json_t *body = author_body(type, version, expires), *meta;
	uint8_t digest[SHA256_SIZE];
	char text[2 * SHA256_SIZE + 1];

	sha256_once(data->data, data->size, digest);
	hex_format(digest, sizeof(digest), text);
	meta = json_pack("{s:{s:I, s:I, s:{s:s}}}", file, "version", (json_int_t)file_version, "length",
			 (json_int_t)data->size, "hashes", "sha256", text);
	if (body && json_object_set(body, "meta", meta) == 0) {
		json_decref(meta);
		return body;
	}
	json_decref(meta);
	json_decref(body);
	return NULL;
}

static int sign_all(const struct buffer *canonical, const struct signing_keys *keys, json_t *signatures)
{
	for (size_t i = 0; i < keys->count; i++) {
		char text[2 * crypto_sign_ed25519_BYTES + 1];

		signing_key_sign(&keys->keys[i], canonical->data, canonical->size, text);
		if (json_array_append_new(signatures, json_pack("{s:s, s:s}", "keyid", keys->keys[i].keyid, "sig",
								text)) < 0)
			return -ENOMEM;
	}
	return 0;
}

int author_sign(json_t *body, const struct signing_keys *keys, struct buffer *ret_text)
{
	struct buffer canonical = { 0 };
	json_t *signatures = json_array(), *document;
	char *text = NULL;
	int r = signatures ? json_canonical_format(body, &canonical) : -ENOMEM;

	if (r == 0)
		r = sign_all(&canonical, keys, signatures);
	document = json_pack("{s:O, s:O}", "signatures", signatures, "signed", body);
	if (r == 0 && document)
		text = json_dumps(document, JSON_INDENT(1) | JSON_SORT_KEYS);
	if (r == 0)
		r = text ? buffer_add(ret_text, text, strlen(text)) : -ENOMEM;
	free(text);
	json_decref(document);
	json_decref(signatures);
	buffer_release(&canonical);
	return r;
}

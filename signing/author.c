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

int author_stamp(json_t *body, uint64_t version, int64_t expires)
{
	char text[24];

	if (tuf_time_format(expires, text) < 0)
		return -EINVAL;
	if (json_object_set_new(body, "version", json_integer((json_int_t)version)) < 0 ||
	    json_object_set_new(body, "expires", json_string(text)) < 0)
		return -ENOMEM;
	return 0;
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

json_t *author_empty_targets(void)
{
	json_t *none = json_object(), *body = none ? author_targets(1, 0, none) : NULL;

	json_decref(none);
	return body;
}

json_t *author_meta(uint64_t version, const struct buffer *data)
{
	uint8_t digest[SHA256_SIZE];
	char text[2 * SHA256_SIZE + 1];

	sha256_once(data->data, data->size, digest);
	hex_format(digest, sizeof(digest), text);
	return json_pack("{s:I, s:I, s:{s:s}}", "version", (json_int_t)version, "length", (json_int_t)data->size, "hashes",
			 "sha256", text);
}

json_t *author_naming(enum tuf_type type, uint64_t version, int64_t expires, const char *file, uint64_t file_version,
		      const struct buffer *data)
{
	json_t *body = author_body(type, version, expires), *meta = json_object();

	if (!body || !meta || json_object_set_new(meta, file, author_meta(file_version, data)) < 0 ||
	    json_object_set(body, "meta", meta) < 0) {
		json_decref(body);
		body = NULL;
	}
	json_decref(meta);
	return body;
}

/* ------------------------------------------------------------------ signing */

static int append_signature(json_t *document, const char *keyid, const char *signature)
{
	return json_array_append_new(json_object_get(document, "signatures"),
				     json_pack("{s:s, s:s}", "keyid", keyid, "sig", signature)) < 0 ? -ENOMEM : 0;
}

int author_put_signature(json_t *document, const char *keyid, const char *signature)
{
	json_t *signatures = json_object_get(document, "signatures"), *present;
	size_t i;

	json_array_foreach(signatures, i, present) {
		const char *other = json_string_value(json_object_get(present, "keyid"));

		if (other && strcmp(other, keyid) == 0) {
			json_array_remove(signatures, i);
			break;
		}
	}
	return append_signature(document, keyid, signature);
}

static int sign(const json_t *document, const struct signing_key *key, char ret_signature[2 * KEY_SIGNATURE_MOST + 1])
{
	struct buffer canonical = { 0 };
	int r = json_canonical_format(json_object_get(document, "signed"), &canonical);

	if (r == 0)
		r = signing_key_sign(key, canonical.data, canonical.size, ret_signature);
	buffer_release(&canonical);
	return r;
}

int author_add_signature(json_t *document, const struct signing_key *key)
{
	char text[2 * KEY_SIGNATURE_MOST + 1];
	int r = sign(document, key, text);

	return r < 0 ? r : author_put_signature(document, key->keyid, text);
}

int author_format(const json_t *document, struct buffer *ret_text)
{
	/* As compact and sorted as the canonical form, so that a node needs no second copy to verify it. */
	char *text = json_dumps(document, JSON_COMPACT | JSON_SORT_KEYS);
	int r = text ? buffer_add(ret_text, text, strlen(text)) : -ENOMEM;

	free(text);
	return r;
}

int author_sign(json_t *body, const struct signing_keys *keys, struct buffer *ret_text)
{
	json_t *document = json_pack("{s:[], s:O}", "signatures", "signed", body);
	char text[2 * KEY_SIGNATURE_MOST + 1];
	int r = document ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < keys->count; i++) {
		r = sign(document, &keys->keys[i], text);
		if (r == 0)
			r = append_signature(document, keys->keys[i].keyid, text);
	}
	if (r == 0)
		r = author_format(document, ret_text);
	json_decref(document);
	return r;
}

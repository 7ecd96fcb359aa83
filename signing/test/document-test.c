/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form of each role's metadata, delegations, and what one document says of another. Nothing here is signed: signatures are
 * keys-test.c's, and a client's whole way is client-test.c's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "common/json.h"
#include "signing/document-json.h"
#include "signing/format.h"
#include "signing/sha256.h"

#define HASH "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* ------------------------------------------------------------------ documents to spoil */

static json_t *sound(enum tuf_type type)
{
	static const char key[] = "{\"keytype\":\"ed25519\",\"scheme\":\"ed25519\",\"keyval\":{\"public\":\"" HASH "\"}}";
	json_t *body = json_pack("{s:s, s:s, s:i, s:s}", "_type", tuf_type_name(type), "spec_version", "1.0.31", "version", 3,
				 "expires", "2030-01-01T00:00:00Z"), *role;

	if (type == TUF_ROOT) {
		role = json_pack("{s:[s], s:i}", "keyids", "k1", "threshold", 1);
		json_object_set_new(body, "keys", json_pack("{s:o}", "k1", json_loads(key, 0, NULL)));
		json_object_set_new(body, "roles", json_pack("{s:o, s:o, s:o, s:o}", "root", json_deep_copy(role), "timestamp",
							     json_deep_copy(role), "snapshot", json_deep_copy(role), "targets", role));
	} else if (type == TUF_TARGETS) {
		json_object_set_new(body, "targets", json_pack("{s:{s:i, s:{s:s}}}", "a/b", "length", 7, "hashes", "sha256", HASH));
		json_object_set_new(body, "delegations",
				    json_pack("{s:{s:o}, s:[{s:s, s:[s], s:i, s:b, s:[s]}, {s:s, s:[s], s:i, s:b, s:[s,s]}]}", "keys", "k1",
					      json_loads(key, 0, NULL), "roles", "name", "acme", "keyids", "k1", "threshold", 1, "terminating",
					      0, "paths", "app/web/*/*", "name", "bin", "keyids", "k1", "threshold", 2, "terminating", 1,
					      "path_hash_prefixes", "0", "ff"));
	} else {
		json_object_set_new(body, "meta", json_pack("{s:{s:i, s:i, s:{s:s}}, s:{s:i}}",
							    type == TUF_TIMESTAMP ? "snapshot.json" : "targets.json", "version", 1, "length",
							    9, "hashes", "sha256", HASH, "acme.json", "version", 5));
	}
	body = json_pack("{s:[{s:s, s:s}], s:o}", "signatures", "keyid", "k1", "sig", "00", "signed", body);
	assert_non_null(body);
	return body;
}

/* The member at "a.b.0.c"; *ret_last is its own name. */
static json_t *parent_of(json_t *json, const char *place, char ret_last[64])
{
	for (const char *dot; (dot = strchr(place, '.')); place = dot + 1) {
		char name[64];

		snprintf(name, sizeof(name), "%.*s", (int)(dot - place), place);
		/* "~" stands for a dot within a name. */
		for (char *p = name; *p; p++)
			*p = *p == '~' ? '.' : *p;
		json = json_is_array(json) ? json_array_get(json, (size_t)atoi(name)) : json_object_get(json, name);
		assert_non_null(json);
	}
	snprintf(ret_last, 64, "%s", place);
	for (char *p = ret_last; *p; p++)
		*p = *p == '~' ? '.' : *p;
	return json;
}

static int parse_json(enum tuf_type type, json_t *json, struct tuf_document *ret_document, char *ret_error)
{
	char *text = json_dumps(json, JSON_INDENT(1));
	int r;

	assert_non_null(text);
	r = tuf_document_parse(type, text, strlen(text), ret_document, ret_error);
	free(text);
	json_decref(json);
	return r;
}

/* Sets the member to `value` (JSON; NULL takes it away) and wants this sentence, or NULL: still sound. */
static void spoil(enum tuf_type type, const char *place, const char *value, const char *sentence)
{
	struct tuf_document document = { 0 };
	json_t *json = sound(type), *parent;
	char last[64], error[TUF_ERROR_SIZE] = "";
	int r;

	parent = parent_of(json, place, last);
	if (!value)
		assert_int_equal(json_object_del(parent, last), 0);
	else if (json_is_array(parent))
		json_array_set_new(parent, (size_t)atoi(last), json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
	else
		json_object_set_new(parent, last, json_loads(value, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL));
	r = parse_json(type, json, &document, error);
	if (r != (sentence ? -EBADMSG : 0) || (sentence && !strstr(error, sentence)))
		fail_msg("%s.%s = %s: %d, said \"%s\", not \"%s\"", tuf_type_name(type), place, value ? value : "none", r, error,
			 sentence ? sentence : "");
	assert_int_equal(tuf_document_is_empty(&document), r < 0);
	tuf_document_release(&document);
}

/* The caller releases. */
static struct tuf_document parse_sound(enum tuf_type type, json_t *json)
{
	struct tuf_document document;
	char error[TUF_ERROR_SIZE];

	if (parse_json(type, json, &document, error) < 0)
		fail_msg("%s", error);
	return document;
}

/* ------------------------------------------------------------------ what every role has */

static void test_unsound_envelope_is_refused(void **state)
{
	(void)state;
	for (unsigned t = TUF_ROOT; t <= TUF_TARGETS; t++) {
		spoil(t, "x-unknown", "{\"a\":[1.5e3]}", NULL);
		spoil(t, "signed.x-unknown", "[null,{\"a\":-7}]", NULL);
		spoil(t, "signed", NULL, "no \"signed\" or no \"signatures\"");
		spoil(t, "signatures", NULL, "no \"signed\" or no \"signatures\"");
		spoil(t, "signed", "[]", "no \"signed\" or no \"signatures\"");
		spoil(t, "signatures", "{}", "no \"signed\" or no \"signatures\"");
		spoil(t, "signatures", "[]", NULL);
		spoil(t, "signatures.0.keyid", NULL, "signatures[0] needs \"keyid\" and \"sig\"");
		spoil(t, "signatures.0.sig", "5", "signatures[0] needs \"keyid\" and \"sig\"");
		spoil(t, "signatures.0.sig", "\"not hex\"", NULL); /* a signature that counts for nothing */
		spoil(t, "signatures.0", "17", "signatures[0] needs");
		spoil(t, "signed._type", t == TUF_ROOT ? "\"targets\"" : "\"root\"", "has type \"");
		spoil(t, "signed._type", "1", "has type \"\"");
		spoil(t, "signed._type", NULL, "has type \"\"");
	}
}

static void test_unknown_major_specification_is_refused(void **state)
{
	static const char *const bad[] = { "\"2.0.0\"", "\"0.9\"", "\"1\"", "\"1.\"", "\"1.0.\"", "\"1.0.x\"", "\"1.0.1.1\"", "\"11.0\"", "\"\"", "1.0",
					   "\"1.0.0 \"", "\"1.0.00000000000000000000000000000000000000000000\"", "null" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		spoil(TUF_TARGETS, "signed.spec_version", bad[i], "has specification version \"");
	spoil(TUF_TARGETS, "signed.spec_version", NULL, "has specification version \"\"; only 1.x is known");
	spoil(TUF_TARGETS, "signed.spec_version", "\"1.0\"", NULL);
	spoil(TUF_TARGETS, "signed.spec_version", "\"1.99.7\"", NULL);
}

static void test_negative_huge_and_fractional_numbers_are_refused(void **state)
{
	static const char *const bad[] = { "-1", "1.0", "1e3", "\"1\"", "null", "true", "[1]", "0.5" };
	static const char *const places[] = { "signed.version", "signed.delegations.roles.0.threshold" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		for (size_t k = 0; k < 2; k++)
			spoil(TUF_TARGETS, places[k], bad[i], "must be a number of at least 1");
		spoil(TUF_TARGETS, "signed.targets.a/b.length", bad[i], "target a/b: \"length\" must be a number");
		spoil(TUF_ROOT, "signed.roles.snapshot.threshold", bad[i], "role snapshot: \"threshold\" must be a number");
		spoil(TUF_SNAPSHOT, "signed.meta.acme~json.version", bad[i], "acme.json: \"version\" must be a number");
		spoil(TUF_SNAPSHOT, "signed.meta.acme~json.length", bad[i], "acme.json: \"length\" must be a number");
	}
	spoil(TUF_ROOT, "signed.version", "0", "\"version\" must be a number of at least 1");
	spoil(TUF_ROOT, "signed.version", NULL, "\"version\" must be a number of at least 1");
	spoil(TUF_ROOT, "signed.version", "9223372036854775807", NULL);
	spoil(TUF_ROOT, "signed.roles.root.threshold", "0", "role root: \"threshold\" must be a number of at least 1");
	spoil(TUF_SNAPSHOT, "signed.meta.acme~json.version", "0", "acme.json: \"version\" must be a number of at least 1");
	spoil(TUF_TARGETS, "signed.targets.a/b.length", "0", NULL);
}

/* jansson holds no such number, so this one is written by hand. */
static void test_number_beyond_64_bits_is_refused(void **state)
{
	static const char text[] = "{\"signatures\":[],\"signed\":{\"_type\":\"targets\",\"spec_version\":\"1.0\",\"version\":%s,"
				   "\"expires\":\"2030-01-01T00:00:00Z\",\"targets\":{}}}";
	struct tuf_document document;
	char error[TUF_ERROR_SIZE], whole[400];

	(void)state;
	snprintf(whole, sizeof(whole), text, "9223372036854775808");
	assert_int_equal(tuf_document_parse(TUF_TARGETS, whole, strlen(whole), &document, error), -EBADMSG);
	snprintf(whole, sizeof(whole), text, "18446744073709551617");
	assert_int_equal(tuf_document_parse(TUF_TARGETS, whole, strlen(whole), &document, error), -EBADMSG);
	assert_non_null(strstr(error, "\"version\" must be a number"));
}

static void test_unsound_expiry_is_refused(void **state)
{
	static const char *const bad[] = { "\"2030-01-01\"", "\"2030-01-01T00:00:00+00:00\"", "\"2030-02-30T00:00:00Z\"", "2030", "\"\"",
					   "\"2030-01-01T00:00:00Z\\u0000\"", "\"2030-01-01T00:00:00.000000Z\"", "\"2030-01-01t00:00:00z\"" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		spoil(TUF_TIMESTAMP, "signed.expires", bad[i], "\"expires\" must be a time such as");
	spoil(TUF_TIMESTAMP, "signed.expires", NULL, "\"expires\" must be a time such as");
	spoil(TUF_TIMESTAMP, "signed.expires", "\"1969-12-31T23:59:59Z\"", NULL);
}

static void test_too_many_signatures_are_not_looked_at(void **state)
{
	struct tuf_document document;
	char error[TUF_ERROR_SIZE];

	(void)state;
	for (unsigned n = TUF_SIGNERS_MOST; n <= TUF_SIGNERS_MOST + 1; n++) {
		json_t *json = sound(TUF_TARGETS), *list = json_array();
		int r;

		for (unsigned i = 0; i < n; i++)
			json_array_append_new(list, json_pack("{s:o, s:s}", "keyid", json_sprintf("k%u", i), "sig", "00"));
		json_object_set_new(json, "signatures", list);
		r = parse_json(TUF_TARGETS, json, &document, error);
		assert_int_equal(r, n > TUF_SIGNERS_MOST ? -EBADMSG : 0);
		if (r == 0)
			tuf_document_release(&document);
		else
			assert_string_equal(error, "has 257 signatures; 256 is the most that is looked at");
	}
}

static void test_two_signatures_of_one_key_id_are_refused(void **state)
{
	json_t *json = sound(TUF_TARGETS);
	struct tuf_document document;
	char error[TUF_ERROR_SIZE];

	(void)state;
	json_array_append_new(json_object_get(json, "signatures"), json_pack("{s:s, s:s}", "keyid", "k1", "sig", "01"));
	assert_int_equal(parse_json(TUF_TARGETS, json, &document, error), -EBADMSG);
	assert_string_equal(error, "a signature of key k1 is listed twice");
}

/* ------------------------------------------------------------------ root */

static void test_unsound_root_is_refused(void **state)
{
	(void)state;
	spoil(TUF_ROOT, "signed.keys", NULL, "\"keys\" must be an object");
	spoil(TUF_ROOT, "signed.keys", "[]", "\"keys\" must be an object");
	spoil(TUF_ROOT, "signed.keys.k1.keytype", NULL, "key k1 needs \"keytype\"");
	spoil(TUF_ROOT, "signed.keys.k1.scheme", "7", "key k1 needs \"keytype\"");
	spoil(TUF_ROOT, "signed.keys.k1.keyval", "\"x\"", "key k1 needs \"keytype\"");
	spoil(TUF_ROOT, "signed.keys.k1.keytype", "\"of the future\"", NULL);
	spoil(TUF_ROOT, "signed.keys.k1.keyval", "{}", NULL);
	spoil(TUF_ROOT, "signed.roles", NULL, "role root needs a list \"keyids\"");
	spoil(TUF_ROOT, "signed.roles.root", NULL, "role root needs a list \"keyids\"");
	spoil(TUF_ROOT, "signed.roles.timestamp", NULL, "role timestamp needs a list \"keyids\"");
	spoil(TUF_ROOT, "signed.roles.snapshot", NULL, "role snapshot needs a list \"keyids\"");
	spoil(TUF_ROOT, "signed.roles.targets", "{}", "role targets needs a list \"keyids\"");
	spoil(TUF_ROOT, "signed.roles.mirrors", "{\"keyids\":[],\"threshold\":1}", NULL);
	spoil(TUF_ROOT, "signed.roles.targets.keyids", "[\"k1\",5]", "role targets: \"keyids\" must be strings");
	spoil(TUF_ROOT, "signed.roles.targets.keyids", "[\"k1\",\"k2\",\"\\u006b1\"]", "key id k1 is listed twice");
	spoil(TUF_ROOT, "signed.roles.targets.keyids", "[\"not among the keys\"]", NULL);
	spoil(TUF_ROOT, "signed.consistent_snapshot", "1", "\"consistent_snapshot\" must be true or false");
}

static void test_too_many_keys_of_a_role_are_refused(void **state)
{
	json_t *json = sound(TUF_ROOT), *keyids = json_array();
	struct tuf_document document;
	char error[TUF_ERROR_SIZE];

	(void)state;
	for (unsigned i = 0; i <= TUF_SIGNERS_MOST; i++)
		json_array_append_new(keyids, json_sprintf("k%u", i));
	json_object_set_new(json_object_get(json_object_get(json_object_get(json, "signed"), "roles"), "root"), "keyids", keyids);
	assert_int_equal(parse_json(TUF_ROOT, json, &document, error), -EBADMSG);
	assert_string_equal(error, "role root has 257 keys; 256 is the most that is looked at");
}

static void test_consistent_snapshot_is_only_what_says_true(void **state)
{
	static const char *const values[] = { "true", "false", NULL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		json_t *json = sound(TUF_ROOT);
		struct tuf_document document;

		if (values[i])
			json_object_set_new(json_object_get(json, "signed"), "consistent_snapshot", json_loads(values[i], JSON_DECODE_ANY, NULL));
		document = parse_sound(TUF_ROOT, json);
		assert_int_equal(tuf_root_consistent(&document), i == 0);
		tuf_document_release(&document);
	}
}

/* ------------------------------------------------------------------ timestamp and snapshot */

static void test_unsound_meta_is_refused(void **state)
{
	(void)state;
	spoil(TUF_TIMESTAMP, "signed.meta", NULL, "\"meta\" must name snapshot.json");
	spoil(TUF_TIMESTAMP, "signed.meta", "[]", "\"meta\" must name snapshot.json");
	spoil(TUF_TIMESTAMP, "signed.meta.snapshot~json", NULL, "\"meta\" must name snapshot.json");
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json", NULL, "\"meta\" must name targets.json");
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json", "5", "targets.json: \"version\" must be a number");
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json.version", NULL, "targets.json: \"version\" must be a number");
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json.length", NULL, NULL);
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json.hashes", NULL, NULL);
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json.hashes", "{}", "targets.json: \"hashes\" must be an object with at least one hash");
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json.hashes", "\"x\"", "targets.json: \"hashes\" must be an object");
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json.hashes.sha256", "5", "targets.json: hash sha256 must be a string");
	spoil(TUF_SNAPSHOT, "signed.meta.targets~json.hashes.blake9", "\"x\"", NULL);
}

static struct tuf_document snapshot_of(const char *meta)
{
	json_t *json = sound(TUF_SNAPSHOT);

	json_object_set_new(json_object_get(json, "signed"), "meta", json_loads(meta, 0, NULL));
	return parse_sound(TUF_SNAPSHOT, json);
}

static void test_snapshot_without_or_with_older_files_is_a_roll_back(void **state)
{
	static const char old_meta[] = "{\"targets.json\":{\"version\":5},\"acme.json\":{\"version\":2},\"\\u00e9.json\":{\"version\":1}}";
	static const struct {
		const char *meta, *sentence;
	} cases[] = {
		{ "{\"targets.json\":{\"version\":5},\"acme.json\":{\"version\":2},\"\\u00e9.json\":{\"version\":1}}", NULL },
		{ "{\"targets.json\":{\"version\":6},\"\xc3\xa9.json\":{\"version\":9},\"acme.json\":{\"version\":3},\"new.json\":{\"version\":1}}", NULL },
		{ "{\"targets.json\":{\"version\":4},\"acme.json\":{\"version\":2},\"\\u00e9.json\":{\"version\":1}}",
		  "names version 4 of targets.json, older than version 5" },
		{ "{\"targets.json\":{\"version\":5},\"acme.json\":{\"version\":1},\"\\u00e9.json\":{\"version\":1}}",
		  "names version 1 of acme.json, older than version 2" },
		{ "{\"targets.json\":{\"version\":5},\"\\u00e9.json\":{\"version\":1}}", "no longer names acme.json" },
		{ "{\"targets.json\":{\"version\":5},\"acme.json\":{\"version\":2},\"e.json\":{\"version\":1}}", "no longer names ??.json" },
		{ "{\"targets.json\":{\"version\":5}}", "no longer names acme.json" },
	};
	struct tuf_document old = snapshot_of(old_meta);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct tuf_document new = snapshot_of(cases[i].meta);
		char error[TUF_ERROR_SIZE] = "";

		assert_int_equal(tuf_check_snapshot_rollback(&old, &new, error), cases[i].sentence ? -EBADMSG : 0);
		if (cases[i].sentence && !strstr(error, cases[i].sentence))
			fail_msg("said %s, not %s", error, cases[i].sentence);
		tuf_document_release(&new);
	}
	tuf_document_release(&old);
}

/* ------------------------------------------------------------------ files and targets */

static void test_file_must_have_its_length_and_every_known_hash(void **state)
{
	static const char data[] = "abc";
	static const struct {
		const char *entry;
		bool good;
	} cases[] = {
		{ "{\"version\":1}", true },
		{ "{\"version\":1,\"length\":3}", true },
		{ "{\"version\":1,\"length\":2}", false },
		{ "{\"version\":1,\"length\":4}", false },
		{ "{\"version\":1,\"hashes\":{\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}", true },
		{ "{\"version\":1,\"hashes\":{\"sha256\":\"BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD\",\"md9\":\"x\"}}", true },
		{ "{\"version\":1,\"hashes\":{\"sha256\":\"aa7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"}}", false },
		{ "{\"version\":1,\"hashes\":{\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015\"}}", false },
		{ "{\"version\":1,\"hashes\":{\"sha256\":\"not hexadecimal\"}}", false },
		{ "{\"version\":1,\"hashes\":{\"sha512\":\"ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f\"}}", true },
		/* One is right, the other isn't. */
		{ "{\"version\":1,\"hashes\":{\"sha256\":\"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\",\"sha512\":\"00\"}}", false },
		{ "{\"version\":1,\"hashes\":{\"md9\":\"x\"}}", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		json_t *meta = json_pack("{s:o}", "targets.json", json_loads(cases[i].entry, 0, NULL));
		char *text = json_dumps(meta, 0), error[TUF_ERROR_SIZE];
		struct tuf_document document = snapshot_of(text);
		struct tuf_file file;

		assert_int_equal(tuf_file_of(&document, "targets.json", &file), 0);
		if ((tuf_check_file(&file, data, 3, error) == 0) != cases[i].good)
			fail_msg("%s", cases[i].entry);
		assert_int_equal(tuf_file_of(&document, "other.json", &file), -ENOENT);
		assert_int_equal(tuf_target_of(&document, "targets.json", &file), -ENOENT);
		tuf_document_release(&document);
		json_decref(meta);
		free(text);
	}
}

static void test_each_of_a_thousand_targets_is_found(void **state)
{
	json_t *json = sound(TUF_TARGETS), *targets = json_object();
	struct tuf_document document;
	struct tuf_file file;
	struct tree path;
	char name[64], before[64] = "";

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "app/%u/\xc3\xa9", i * 7919 % 1000);
		json_object_set_new(targets, name, json_pack("{s:i, s:{s:s}, s:{s:i}}", "length", (int)(i * 7919 % 1000), "hashes", "sha256", HASH,
							     "custom", "n", (int)i));
	}
	json_object_set_new(json_object_get(json, "signed"), "targets", targets);
	document = parse_sound(TUF_TARGETS, json);
	assert_int_equal(document.count, 1000);
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "app/%u/\xc3\xa9", i);
		assert_int_equal(tuf_target_of(&document, name, &file), 0);
		assert_true(file.has_length);
		assert_int_equal(file.length, i);
		assert_int_equal(tree_kind(file.custom), TREE_OBJECT);
		tuf_target_at(&document, i, &path, &file);
		assert_int_equal(tree_string(path, name, sizeof(name)), 0);
		assert_true(strcmp(before, name) < 0);
		memcpy(before, name, sizeof(name));
	}
	assert_int_equal(tuf_target_of(&document, "app/1000/\xc3\xa9", &file), -ENOENT);
	assert_int_equal(tuf_target_of(&document, "", &file), -ENOENT);
	assert_int_equal(tuf_target_of(&document, "app/1/", &file), -ENOENT);
	tuf_document_release(&document);
}

static void test_unsound_targets_are_refused(void **state)
{
	(void)state;
	spoil(TUF_TARGETS, "signed.targets", NULL, "\"targets\" must be an object");
	spoil(TUF_TARGETS, "signed.targets", "[]", "\"targets\" must be an object");
	spoil(TUF_TARGETS, "signed.targets", "{}", NULL);
	spoil(TUF_TARGETS, "signed.targets.a/b", "null", "target a/b: \"length\" must be a number");
	spoil(TUF_TARGETS, "signed.targets.a/b.length", NULL, "target a/b: \"length\" must be a number");
	spoil(TUF_TARGETS, "signed.targets.a/b.hashes", NULL, "a/b: \"hashes\" must be an object with at least one hash");
	spoil(TUF_TARGETS, "signed.targets.a/b.custom", "[]", "target a/b: \"custom\" must be an object");
	spoil(TUF_TARGETS, "signed.targets.a/b.custom", "{\"any\":[1.5,\"\\u0000\"]}", NULL);
}

/* ------------------------------------------------------------------ delegations */

static void test_unsound_delegations_are_refused(void **state)
{
	static const char role[] = "signed.delegations.roles.0";

	(void)state;
	spoil(TUF_TARGETS, "signed.delegations", NULL, NULL);
	spoil(TUF_TARGETS, "signed.delegations", "[]", "\"delegations\" needs a list \"roles\"");
	spoil(TUF_TARGETS, "signed.delegations.roles", NULL, "\"delegations\" needs a list \"roles\"");
	spoil(TUF_TARGETS, "signed.delegations.keys", NULL, "\"keys\" must be an object");
	spoil(TUF_TARGETS, "signed.delegations.keys.k1.scheme", NULL, "key k1 needs");
	spoil(TUF_TARGETS, role, "5", "a delegated role needs a \"name\" of 1 to 255 bytes");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.name", NULL, "a delegated role needs a \"name\"");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.name", "\"\"", "a delegated role needs a \"name\"");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.name", "\"a\\u0000\"", "a delegated role needs a \"name\"");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.name", "\"../x?#/\\u00e9\"", NULL);
	spoil(TUF_TARGETS, "signed.delegations.roles.0.name", "\"\\u0062in\"", "delegated role bin is listed twice");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.keyids", NULL, "role acme needs a list \"keyids\"");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.keyids", "[\"a\",\"a\"]", "key id a is listed twice");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.threshold", "0", "role acme: \"threshold\" must be");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.terminating", NULL, "role acme: \"terminating\" must be true or false");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.terminating", "0", "role acme: \"terminating\" must be true or false");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.paths", NULL, "role acme needs one of \"paths\" and \"path_hash_prefixes\"");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.path_hash_prefixes", "[]", "role acme needs one of \"paths\" and");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.paths", "\"*\"", "role acme: \"paths\" must be a list of strings");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.paths", "[\"*\",1]", "role acme: \"paths\" must be a list of strings");
	spoil(TUF_TARGETS, "signed.delegations.roles.0.paths", "[]", NULL);
	spoil(TUF_TARGETS, "signed.delegations.roles.1.path_hash_prefixes", "[0]", "role bin: \"path_hash_prefixes\" must be a list of strings");
}

static void test_delegated_role_with_a_top_level_name_is_refused(void **state)
{
	(void)state;
	for (unsigned t = TUF_ROOT; t <= TUF_TARGETS; t++) {
		char name[32];

		snprintf(name, sizeof(name), "\"%s\"", tuf_type_name(t));
		spoil(TUF_TARGETS, "signed.delegations.roles.0.name", name, "can't have the name");
	}
}

static void test_delegations_are_given_in_their_order(void **state)
{
	struct tuf_document document = parse_sound(TUF_TARGETS, sound(TUF_TARGETS));
	struct tree_steps steps = tuf_delegations_begin(&document);
	struct tuf_delegation d;

	(void)state;
	assert_true(tuf_delegations_next(&document, &steps, &d));
	assert_string_equal(d.name, "acme");
	assert_int_equal(d.signers.threshold, 1);
	assert_false(d.terminating);
	assert_true(tuf_delegation_covers(&d, "app/web/debian/1.img.zst"));
	assert_false(tuf_delegation_covers(&d, "app/cache/debian/1.img.zst"));
	assert_true(tuf_delegations_next(&document, &steps, &d));
	assert_string_equal(d.name, "bin");
	assert_int_equal(d.signers.threshold, 2);
	assert_true(d.terminating);
	assert_int_equal(tree_count(d.signers.keys), 1);
	assert_int_equal(tree_count(d.signers.keyids), 1);
	assert_false(tuf_delegations_next(&document, &steps, &d));
	tuf_document_release(&document);
}

/* sha256("a") = ca97…, sha256("file1.txt") = 55ae… */
static void test_path_hash_prefixes_are_those_of_sha256(void **state)
{
	static const struct {
		const char *prefixes, *path;
		bool covers;
	} cases[] = { { "[\"ca\"]", "a", true },	 { "[\"cA\"]", "a", false },	      { "[\"c\",\"0\"]", "a", true },
		      { "[\"a\"]", "a", false },	 { "[\"0\",\"1\"]", "a", false },     { "[\"\"]", "a", true },
		      { "[]", "a", false },
		      { "[\"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\"]", "a", true },
		      { "[\"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb0\"]", "a", false },
		      { "[\"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\\u0000\"]", "a", false },
		      { "[\"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bc\"]", "a", false },
		      { "[\"55ae\"]", "file1.txt", true }, { "[\"55af\"]", "file1.txt", false } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char error[TREE_ERROR_SIZE];
		struct tuf_delegation d = { .name = "bin" };

		assert_int_equal(tree_parse(cases[i].prefixes, strlen(cases[i].prefixes), &d.path_hash_prefixes, error), 0);
		if (tuf_delegation_covers(&d, cases[i].path) != cases[i].covers)
			fail_msg("%s %s", cases[i].prefixes, cases[i].path);
	}
}

static void test_pattern_longer_than_its_bound_matches_nothing(void **state)
{
	char text[TUF_PATTERN_MOST + 8] = "[\"";
	struct tuf_delegation d = { .name = "acme" };
	char error[TREE_ERROR_SIZE];

	(void)state;
	for (size_t size = TUF_PATTERN_MOST; size <= TUF_PATTERN_MOST + 1; size++) {
		memset(text + 2, '*', size);
		memcpy(text + 2 + size, "\"]", 3);
		assert_int_equal(tree_parse(text, strlen(text), &d.paths, error), 0);
		assert_int_equal(tuf_delegation_covers(&d, "a"), size == TUF_PATTERN_MOST);
	}
}

/* ------------------------------------------------------------------ patterns */

static void test_patterns_never_match_across_a_slash(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool matches;
	} cases[] = {
		{ "app/web/*/*", "app/web/debian/1.img.zst", true },
		{ "app/web/*/*", "app/web/debian/x/1.img.zst", false },
		{ "app/web/*/*", "app/web/1.img.zst", false },
		{ "app/web/*/*", "app/cache/debian/1", false },
		{ "*", "a/b", false }, { "*", "", true }, { "", "", true }, { "", "a", false }, { "a", "", false }, { "*", "/", false },
		{ "?", "/", false }, { "a?b", "a/b", false }, { "a[/]b", "a/b", false }, { "a[!x]b", "a/b", false }, { "a[+-0]b", "a/b", false },
		{ "a*", "a/", false }, { "*/*", "/", true }, { "a/", "a", false }, { "a", "a/", false }, { "**", "a/b", false },
		{ "targets/*.tgz", "targets/foo.tgz", true }, { "targets/*.tgz", "targets/foo.txt", false },
		{ "foo-version-?.tgz", "foo-version-2.tgz", true }, { "foo-version-?.tgz", "foo-version-alpha.tgz", false },
		{ "?", "\xc3\xa9", true }, { "?", "\xf0\x9f\x98\x80", true }, { "??", "\xc3\xa9", false }, { "[\xc3\xa8-\xc3\xaa]", "\xc3\xa9", true },
		{ "A", "a", false }, { "[a-c]", "b", true }, { "[a-c]", "d", false }, { "[!a-c]", "d", true }, { "[!a-c]", "b", false },
		{ "[]]", "]", true }, { "[]x]", "x", true }, { "[!]]", "]", false }, { "[!]]", "a", true }, { "[a-]", "-", true }, { "[-a]", "-", true },
		{ "[", "[", true }, { "[]", "[]", true }, { "[!", "[!", true }, { "[!]", "[!]", true }, { "a[b", "a[b", true }, { "[^a]", "^", true },
		{ "[^a]", "b", false }, { "[z-a]", "m", false }, { "[!z-a]", "m", true }, { "\\*", "\\x", true }, { "\\*", "*", false },
		{ "*a*b*c", "xaxbxc", true }, { "*a*b*c", "xaxbx", false }, { "a*a", "a", false }, { "*.*.*", "1.22.img", true },
		{ ".*", ".hidden", true }, { "*", ".hidden", true }, { "[[:alpha:]]", "a]", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (tuf_path_matches(cases[i].path, cases[i].pattern) != cases[i].matches)
			fail_msg("%s against %s", cases[i].path, cases[i].pattern);
}

static void test_hostile_patterns_take_no_time(void **state)
{
	char path[1025], pattern[TUF_PATTERN_MOST + 1];
	clock_t start = clock();

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i + 1 < sizeof(pattern); i += 2)
		memcpy(pattern + i, "*a", 2);
	memcpy(pattern + 2000, "b", 2);
	assert_false(tuf_path_matches(path, pattern));
	memset(pattern, '[', sizeof(pattern) - 1);
	pattern[0] = '*';
	pattern[sizeof(pattern) - 1] = '\0';
	memset(path, '[', sizeof(path) - 1);
	assert_false(tuf_path_matches(path, pattern));
	memset(pattern + 1, '?', sizeof(pattern) - 2);
	assert_false(tuf_path_matches(path, pattern));
	assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 10); /* milliseconds; the exponential way: for ever */
}

/* ------------------------------------------------------------------ names of files */

static void test_role_name_never_leaves_its_folder(void **state)
{
	static const struct {
		const char *role, *file;
	} cases[] = { { "acme", "acme.json" }, { "../../etc/passwd", "..%2F..%2Fetc%2Fpasswd.json" }, { "..", "...json" }, { "/", "%2F.json" },
		      { "a b?#%", "a%20b%3F%23%25.json" }, { "\xc3\xa9", "%C3%A9.json" }, { "A-Z_0.9~", "A-Z_0.9~.json" }, { "a\nb", "a%0Ab.json" } };
	char name[TUF_FILE_NAME_SIZE], longest[TUF_ROLE_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		tuf_role_file_name(cases[i].role, 0, name);
		assert_string_equal(name, cases[i].file);
	}
	tuf_role_file_name("acme", 12, name);
	assert_string_equal(name, "12.acme.json");
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	tuf_role_file_name(longest, UINT64_MAX, name);
	assert_int_equal(strlen(name), 21 + 3 * (TUF_ROLE_SIZE - 1) + 5);
	assert_string_equal(name + strlen(name) - 8, "%2F.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unsound_envelope_is_refused),
		cmocka_unit_test(test_unknown_major_specification_is_refused),
		cmocka_unit_test(test_negative_huge_and_fractional_numbers_are_refused),
		cmocka_unit_test(test_number_beyond_64_bits_is_refused),
		cmocka_unit_test(test_unsound_expiry_is_refused),
		cmocka_unit_test(test_too_many_signatures_are_not_looked_at),
		cmocka_unit_test(test_two_signatures_of_one_key_id_are_refused),
		cmocka_unit_test(test_unsound_root_is_refused),
		cmocka_unit_test(test_too_many_keys_of_a_role_are_refused),
		cmocka_unit_test(test_consistent_snapshot_is_only_what_says_true),
		cmocka_unit_test(test_unsound_meta_is_refused),
		cmocka_unit_test(test_snapshot_without_or_with_older_files_is_a_roll_back),
		cmocka_unit_test(test_file_must_have_its_length_and_every_known_hash),
		cmocka_unit_test(test_each_of_a_thousand_targets_is_found),
		cmocka_unit_test(test_unsound_targets_are_refused),
		cmocka_unit_test(test_unsound_delegations_are_refused),
		cmocka_unit_test(test_delegated_role_with_a_top_level_name_is_refused),
		cmocka_unit_test(test_delegations_are_given_in_their_order),
		cmocka_unit_test(test_path_hash_prefixes_are_those_of_sha256),
		cmocka_unit_test(test_pattern_longer_than_its_bound_matches_nothing),
		cmocka_unit_test(test_patterns_never_match_across_a_slash),
		cmocka_unit_test(test_hostile_patterns_take_no_time),
		cmocka_unit_test(test_role_name_never_leaves_its_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

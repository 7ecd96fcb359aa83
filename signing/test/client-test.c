/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The client workflow against forged repositories. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "signing/document-json.h"
#include "signing/test/forge.h"
#include "signing/verified.h"

static int begin(void **state)
{
	struct forge *forge = calloc(1, sizeof(*forge));

	assert_non_null(forge);
	forge_init(forge);
	*state = forge;
	return 0;
}

static int end(void **state)
{
	forge_release(*state);
	free(*state);
	return 0;
}

#define assert_refused(forge, error, sentence)                                                       \
	do {                                                                                         \
		assert_int_equal(forge_refresh(forge), error);                                       \
		if (!strstr(tuf_client_error((forge)->client), sentence))                            \
			fail_msg("said: %s", tuf_client_error((forge)->client));                     \
		assert_no_target(forge);                                                             \
	} while (0)

static void assert_no_target(struct forge *forge)
{
	struct verified_target *target;

	assert_int_equal(tuf_client_target(forge->client, FORGE_TARGET, &target), -EBADMSG);
	assert_null(target);
}

static void assert_accepted(struct forge *forge)
{
	struct verified_target *target;
	int r = forge_refresh(forge);

	if (r != 0)
		fail_msg("%s", forge->client ? tuf_client_error(forge->client) : "no client");
	assert_int_equal(tuf_client_target(forge->client, FORGE_TARGET, &target), 0);
	verified_target_free(target);
}

static json_t *document_of(struct forge *forge, const char *name)
{
	const struct buffer *data = forge_file(forge, name);
	json_t *json = json_loadb((const char *)data->data, data->size, 0, NULL);

	assert_non_null(json);
	return json;
}

/* Takes over. */
static void put_document(struct forge *forge, const char *name, json_t *json)
{
	char *text = json_dumps(json, 0);

	assert_non_null(text);
	forge_put_text(forge, name, text);
	free(text);
	json_decref(json);
}

/* ------------------------------------------------------------------ sound */

static void test_sound_repository_is_accepted(void **state)
{
	struct forge *forge = *state;

	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 1);
	assert_int_equal(tuf_client_version(forge->client, "timestamp"), 1);
	assert_int_equal(tuf_client_version(forge->client, "snapshot"), 1);
	assert_int_equal(tuf_client_version(forge->client, "targets"), 1);
	assert_int_equal(tuf_client_version(forge->client, "nobody"), 0);
	assert_string_equal(tuf_client_error(forge->client), "");
}

static void test_unchanged_repository_costs_one_file(void **state)
{
	struct forge *forge = *state;

	assert_accepted(forge);
	assert_int_equal(forge->fetched, 3); /* timestamp, snapshot, targets */
	assert_accepted(forge);
	assert_int_equal(forge->fetched, 1);
	forge_publish_next(forge);
	assert_accepted(forge);
	assert_int_equal(forge->fetched, 3);
	assert_int_equal(tuf_client_version(forge->client, "targets"), 2);
}

static void test_unknown_fields_are_signed_and_tolerated(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_TARGETS);

	json_object_set_new(body, "x-future", json_pack("{s:[i,n,b], s:s}", "a", -7, 1, "\xc3\xa9", "\"\\\n"));
	forge_put_signed(forge, TUF_TARGETS, body, &forge->keys[TUF_TARGETS]);
	forge_put(forge, TUF_SNAPSHOT);
	forge_put(forge, TUF_TIMESTAMP);
	assert_accepted(forge);
}

static void test_names_without_versions_when_snapshots_are_not_consistent(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_ROOT);

	json_object_set_new(body, "consistent_snapshot", json_false());
	forge_put_signed(forge, TUF_ROOT, body, &forge->keys[TUF_ROOT]);
	buffer_release(&forge->first_root);
	buffer_add(&forge->first_root, forge_file(forge, "1.root.json")->data, forge_file(forge, "1.root.json")->size);
	forge_put_text(forge, "snapshot.json", (const char *)forge_file(forge, "1.snapshot.json")->data);
	forge_put_text(forge, "targets.json", (const char *)forge_file(forge, "1.targets.json")->data);
	forge_put_text(forge, "1.snapshot.json", NULL);
	forge_put_text(forge, "1.targets.json", NULL);
	assert_accepted(forge);
}

/* ------------------------------------------------------------------ signatures */

static void test_unsigned_targets_is_refused(void **state)
{
	struct forge *forge = *state;
	struct signing_keys none = { 0 };

	forge_put_signed(forge, TUF_TARGETS, forge_body(forge, TUF_TARGETS), &none);
	forge_put(forge, TUF_SNAPSHOT);
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "1.targets.json: has 0 valid signatures of trusted keys, but 1 is needed");
}

static void test_unsigned_timestamp_is_refused(void **state)
{
	struct forge *forge = *state;
	struct signing_keys none = { 0 };

	forge_put_signed(forge, TUF_TIMESTAMP, forge_body(forge, TUF_TIMESTAMP), &none);
	assert_refused(forge, -EBADMSG, "timestamp.json: has 0 valid signatures");
}

static void test_wrong_key_is_refused(void **state)
{
	struct forge *forge = *state;

	forge_set_keys(forge, TUF_TARGETS, 99, 1, 1);
	forge_publish(forge);
	assert_refused(forge, -EBADMSG, "1.targets.json: has 0 valid");
}

static void test_key_of_another_role_is_refused(void **state)
{
	struct forge *forge = *state;

	/* The online keys are all a taken-over control unit has: they must not make targets. */
	forge_put_signed(forge, TUF_TARGETS, forge_body(forge, TUF_TARGETS), &forge->keys[TUF_TIMESTAMP]);
	forge_put(forge, TUF_SNAPSHOT);
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "1.targets.json: has 0 valid");
}

static void test_foreign_signature_under_a_trusted_keyid_is_refused(void **state)
{
	struct forge *forge = *state;
	struct signing_keys liar = { 0 };
	struct signing_key key = forge_key(99);

	strcpy(key.keyid, forge->keys[TUF_TARGETS].keys[0].keyid);
	signing_keys_add(&liar, &key);
	forge_put_signed(forge, TUF_TARGETS, forge_body(forge, TUF_TARGETS), &liar);
	forge_put(forge, TUF_SNAPSHOT);
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "1.targets.json: has 0 valid");
	signing_keys_release(&liar);
}

static void test_changed_after_signing_is_refused(void **state)
{
	struct forge *forge = *state;
	json_t *json = document_of(forge, "timestamp.json");

	json_object_set_new(json_object_get(json, "signed"), "version", json_integer(2));
	put_document(forge, "timestamp.json", json);
	assert_refused(forge, -EBADMSG, "timestamp.json: has 0 valid");
}

static void restart_with_root(struct forge *forge)
{
	const struct buffer *root = forge_file(forge, "1.root.json");

	buffer_release(&forge->first_root);
	assert_int_equal(buffer_add(&forge->first_root, root->data, root->size), 0);
	forge_publish(forge);
}

static void put_targets_signed_by(struct forge *forge, const struct signing_keys *keys)
{
	forge_put_signed(forge, TUF_TARGETS, forge_body(forge, TUF_TARGETS), keys);
	forge_put(forge, TUF_SNAPSHOT);
	forge_put(forge, TUF_TIMESTAMP);
}

static void test_threshold_counts_distinct_keys(void **state)
{
	struct forge *forge = *state;
	struct signing_keys some;

	forge_set_keys(forge, TUF_TARGETS, 50, 3, 2);
	forge_put(forge, TUF_ROOT);
	restart_with_root(forge);
	assert_accepted(forge); /* 3 of 3 */
	forge_forget_stored(forge);
	some = (struct signing_keys){ forge->keys[TUF_TARGETS].keys, 2 };
	put_targets_signed_by(forge, &some);
	assert_accepted(forge); /* 2 of 3 */
	forge_forget_stored(forge);
	some.count = 1;
	put_targets_signed_by(forge, &some);
	assert_refused(forge, -EBADMSG, "1.targets.json: has 1 valid signature of trusted keys, but 2 are needed");
}

static void test_key_types_are_mixed_in_a_threshold(void **state)
{
	struct forge *forge = *state;
	struct signing_keys *keys = &forge->keys[TUF_TARGETS];
	struct signing_key ed25519 = forge_key(50);

	forge_set_keys(forge, TUF_ROOT, FORGE_P256 + 1, 1, 1);
	forge_set_keys(forge, TUF_TIMESTAMP, FORGE_P256 + 2, 1, 1);
	forge_set_keys(forge, TUF_TARGETS, FORGE_P256 + 3, 2, 2);
	assert_int_equal(signing_keys_add(keys, &ed25519), 0);
	forge_put(forge, TUF_ROOT);
	restart_with_root(forge);
	assert_accepted(forge);
	for (unsigned left_out = 0; left_out < 3; left_out++) {
		struct signing_key pair[2] = { keys->keys[left_out == 0], keys->keys[left_out == 2 ? 1 : 2] };

		forge_forget_stored(forge);
		put_targets_signed_by(forge, &(struct signing_keys){ pair, 2 });
		assert_accepted(forge);
		forge_forget_stored(forge);
		put_targets_signed_by(forge, &(struct signing_keys){ pair, 1 });
		assert_refused(forge, -EBADMSG, "has 1 valid signature of trusted keys, but 2 are needed");
	}
}

static void test_duplicate_signature_is_refused(void **state)
{
	struct forge *forge = *state;
	struct signing_keys twice = { 0 };

	forge_set_keys(forge, TUF_TARGETS, 50, 2, 2);
	forge_put(forge, TUF_ROOT);
	restart_with_root(forge);
	for (int i = 0; i < 2; i++)
		signing_keys_add(&twice, &forge->keys[TUF_TARGETS].keys[0]);
	put_targets_signed_by(forge, &twice);
	assert_refused(forge, -EBADMSG, "1.targets.json: a signature of key ");
	signing_keys_release(&twice);
}

/* Changes version 1 of the root before the node gets it. */
static void put_first_root(struct forge *forge, json_t *body)
{
	forge_put_signed(forge, TUF_ROOT, body, &forge->keys[TUF_ROOT]);
	restart_with_root(forge);
}

static void test_keyid_listed_twice_is_refused(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_ROOT), *role;

	role = json_object_get(json_object_get(body, "roles"), "targets");
	json_array_append(json_object_get(role, "keyids"), json_array_get(json_object_get(role, "keyids"), 0));
	json_object_set_new(role, "threshold", json_integer(2));
	put_first_root(forge, body);
	assert_int_equal(forge_refresh(forge), -EINVAL); /* no trust anchor */
}

static void test_key_under_two_ids_counts_once(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_ROOT), *role, *again;
	struct signing_keys twice = { 0 };
	struct signing_key key = forge->keys[TUF_TARGETS].keys[0];

	role = json_object_get(json_object_get(body, "roles"), "targets");
	again = signing_key_public(&key);
	json_object_set_new(again, "note", json_string("the same key, another id"));
	signing_keys_add(&twice, &key);
	assert_int_equal(json_keyid(again, key.keyid), 0);
	signing_keys_add(&twice, &key);
	json_object_set_new(json_object_get(body, "keys"), key.keyid, again);
	json_array_append_new(json_object_get(role, "keyids"), json_string(key.keyid));
	json_object_set_new(role, "threshold", json_integer(2));
	put_first_root(forge, body);
	put_targets_signed_by(forge, &twice);
	assert_refused(forge, -EBADMSG, "1.targets.json: has 1 valid signature of trusted keys, but 2 are needed");
	signing_keys_release(&twice);
}

static void test_keyid_is_a_name_and_no_hash(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_ROOT), *keys = json_object_get(body, "keys");
	char *keyid = forge->keys[TUF_TARGETS].keys[0].keyid;
	struct signing_key other = forge_key(99);

	json_object_set_new(keys, keyid, signing_key_public(&other));
	put_first_root(forge, body);
	strcpy(other.keyid, keyid);
	forge->keys[TUF_TARGETS].keys[0] = other;
	forge_publish(forge);
	assert_accepted(forge); /* specification 1.0.31: the root says whose key it is, its name doesn't */
}

static void test_unknown_key_type_is_tolerated_and_does_not_count(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_ROOT), *roles = json_object_get(body, "roles"), *key;
	char keyid[65];

	key = json_pack("{s:s, s:s, s:{s:s}}", "keytype", "sphincs", "scheme", "future", "keyval", "public", "00");
	assert_int_equal(json_keyid(key, keyid), 0);
	json_object_set(json_object_get(body, "keys"), keyid, key);
	json_array_append_new(json_object_get(json_object_get(roles, "targets"), "keyids"), json_string(keyid));
	put_first_root(forge, body);
	assert_accepted(forge);

	body = forge_body(forge, TUF_ROOT);
	json_object_set_new(json_object_get(body, "keys"), keyid, key);
	json_object_set_new(json_object_get(body, "roles"), "targets",
			    json_pack("{s:[s], s:i}", "keyids", keyid, "threshold", 1));
	forge_forget_stored(forge);
	put_first_root(forge, body);
	assert_refused(forge, -EBADMSG, "1.targets.json: has 0 valid");
}

static void test_root_not_signed_by_itself_is_no_anchor(void **state)
{
	struct forge *forge = *state;
	struct signing_keys none = { 0 };

	forge_put_signed(forge, TUF_ROOT, forge_body(forge, TUF_ROOT), &none);
	restart_with_root(forge);
	assert_int_equal(forge_refresh(forge), -EINVAL);
	assert_null(forge->client);
}

/* ------------------------------------------------------------------ form */

static void test_malformed_metadata_is_refused(void **state)
{
	static const char *const texts[] = { "", "{", "[]", "{}", "null", "{\"signed\": {}, \"signatures\": []}",
					     "{\"signed\": 1, \"signatures\": 2}",
					     "{\"signed\": {}, \"signed\": {}, \"signatures\": []}" };
	struct forge *forge = *state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		forge_put_text(forge, "timestamp.json", texts[i]);
		if (!forge_file(forge, "timestamp.json")->data)
			buffer_add(forge_file(forge, "timestamp.json"), "", 0);
		assert_int_not_equal(forge_refresh(forge), 0);
		assert_no_target(forge);
	}
}

static void test_text_behind_the_metadata_is_refused(void **state)
{
	struct forge *forge = *state;

	buffer_add(forge_file(forge, "timestamp.json"), "{}", 2);
	assert_refused(forge, -EBADMSG, "timestamp.json: not JSON");
}

/* Each change of a signed field must be refused although it is signed soundly. */
static void refuse_signed_change(struct forge *forge, enum tuf_type role, const char *field, json_t *value,
				 const char *sentence)
{
	json_t *body = forge_body(forge, role);

	forge_forget_stored(forge);
	if (value)
		json_object_set_new(body, field, value);
	else
		json_object_del(body, field);
	if (!json_object_get(body, "version"))
		json_object_set_new(body, "version", json_integer(1));
	forge_put_signed(forge, role, body, &forge->keys[role]);
	if (role == TUF_TARGETS)
		forge_put(forge, TUF_SNAPSHOT);
	if (role != TUF_TIMESTAMP)
		forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, sentence);
}

static void test_unsound_fields_are_refused(void **state)
{
	struct forge *forge = *state;

	refuse_signed_change(forge, TUF_TIMESTAMP, "_type", json_string("snapshot"), "has type \"snapshot\"");
	refuse_signed_change(forge, TUF_TIMESTAMP, "spec_version", json_string("2.0.0"), "specification version \"2.0.0\"");
	refuse_signed_change(forge, TUF_TIMESTAMP, "spec_version", json_string("1"), "specification version");
	refuse_signed_change(forge, TUF_TIMESTAMP, "spec_version", NULL, "specification version");
	refuse_signed_change(forge, TUF_TIMESTAMP, "version", json_integer(0), "version");
	refuse_signed_change(forge, TUF_TIMESTAMP, "version", json_integer(-1), "version");
	refuse_signed_change(forge, TUF_TIMESTAMP, "version", json_string("1"), "version");
	refuse_signed_change(forge, TUF_TIMESTAMP, "expires", json_string("2030-02-30T00:00:00Z"), "expires");
	refuse_signed_change(forge, TUF_TIMESTAMP, "expires", json_string("2030-01-01"), "expires");
	refuse_signed_change(forge, TUF_TIMESTAMP, "expires", json_integer(1), "expires");
	refuse_signed_change(forge, TUF_TIMESTAMP, "meta", NULL, "snapshot.json");
	refuse_signed_change(forge, TUF_TIMESTAMP, "meta", json_pack("{s:{s:i}}", "snapshot.json", "version", 0), "version");
	forge_publish(forge);
	refuse_signed_change(forge, TUF_TARGETS, "targets", NULL, "targets");
	refuse_signed_change(forge, TUF_TARGETS, "targets", json_pack("{s:{s:i}}", "a", "length", 1), "hashes");
	refuse_signed_change(forge, TUF_TARGETS, "targets", json_pack("{s:{s:i, s:{s:s}}}", "a", "length", -1, "hashes",
								      "sha256", "00"), "length");
}

/* ------------------------------------------------------------------ roll-back */

static void test_older_timestamp_is_refused(void **state)
{
	struct forge *forge = *state;

	forge_publish_next(forge);
	assert_accepted(forge);
	forge->versions[TUF_TIMESTAMP] = 1;
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "timestamp.json: version 1 is older than version 2");
}

static void test_older_snapshot_is_refused(void **state)
{
	struct forge *forge = *state;

	forge_publish_next(forge);
	assert_accepted(forge);
	forge->versions[TUF_SNAPSHOT] = 1;
	forge->versions[TUF_TIMESTAMP] = 3;
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "timestamp.json: names snapshot version 1, older than version 2");
}

static void test_older_targets_is_refused(void **state)
{
	struct forge *forge = *state;

	forge_publish_next(forge);
	assert_accepted(forge);
	forge->versions[TUF_TARGETS] = 1;
	forge->versions[TUF_SNAPSHOT] = forge->versions[TUF_TIMESTAMP] = 3;
	forge_put(forge, TUF_SNAPSHOT);
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "snapshot.json: names version 1 of targets.json, older than version 2");
}

static void test_file_gone_from_the_snapshot_is_refused(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_SNAPSHOT);

	json_object_set_new(json_object_get(body, "meta"), "account.json", json_pack("{s:i}", "version", 4));
	forge_put_signed(forge, TUF_SNAPSHOT, body, &forge->keys[TUF_SNAPSHOT]);
	forge_put(forge, TUF_TIMESTAMP);
	assert_accepted(forge);
	forge_publish_next(forge);
	assert_refused(forge, -EBADMSG, "snapshot.json: no longer names account.json");
}

static void test_expired_timestamp_in_the_store_still_forbids_older_ones(void **state)
{
	struct forge *forge = *state;

	forge_publish_next(forge);
	assert_accepted(forge);
	forge->now = FORGE_NOW + 2 * DAY;
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++)
		forge->expires[role] = FORGE_NOW + 10 * DAY;
	forge_put_next_root(forge, NULL);
	forge->versions[TUF_TARGETS] = forge->versions[TUF_SNAPSHOT] = forge->versions[TUF_TIMESTAMP] = 1;
	forge_publish(forge);
	assert_refused(forge, -EBADMSG, "older than version 2");
}

static void test_same_timestamp_version_is_not_looked_at_again(void **state)
{
	struct forge *forge = *state;

	assert_accepted(forge);
	forge->versions[TUF_SNAPSHOT] = forge->versions[TUF_TARGETS] = 2;
	forge_publish(forge); /* timestamp again 1, with other content */
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "snapshot"), 1);
}

/* ------------------------------------------------------------------ freeze */

static void expire(struct forge *forge, enum tuf_type role)
{
	forge->expires[role] = FORGE_NOW;
	if (role == TUF_ROOT) {
		forge_put(forge, TUF_ROOT);
		restart_with_root(forge);
	} else {
		forge_publish(forge);
	}
}

static void test_expired_root_is_refused(void **state)
{
	expire(*state, TUF_ROOT);
	assert_refused((struct forge *)*state, -ESTALE, "root.json: version 1 expired at 2027-01-15T08:00:00Z");
}

static void test_expired_timestamp_is_refused(void **state)
{
	expire(*state, TUF_TIMESTAMP);
	assert_refused((struct forge *)*state, -ESTALE, "timestamp.json: version 1 expired");
}

static void test_expired_snapshot_is_refused(void **state)
{
	expire(*state, TUF_SNAPSHOT);
	assert_refused((struct forge *)*state, -ESTALE, "snapshot.json: version 1 expired");
}

static void test_expired_targets_is_refused(void **state)
{
	expire(*state, TUF_TARGETS);
	assert_refused((struct forge *)*state, -ESTALE, "targets.json: version 1 expired");
}

static void test_frozen_repository_expires_also_from_the_store(void **state)
{
	struct forge *forge = *state;

	forge->expires[TUF_ROOT] = FORGE_NOW + 100 * DAY;
	forge_put(forge, TUF_ROOT);
	restart_with_root(forge);
	assert_accepted(forge);
	forge->now = FORGE_NOW + DAY - 1;
	assert_accepted(forge);
	forge->now = FORGE_NOW + DAY;
	assert_refused(forge, -ESTALE, "timestamp.json: version 1 expired");
}

/* ------------------------------------------------------------------ mix and match, endless data */

static void test_mixed_snapshot_is_refused(void **state)
{
	struct forge *forge = *state;

	/* Another snapshot of the same version, soundly signed, that the timestamp doesn't mean. */
	forge->expires[TUF_SNAPSHOT] += DAY;
	forge_put(forge, TUF_SNAPSHOT);
	assert_refused(forge, -EBADMSG, "1.snapshot.json: isn't the file that was signed: its sha256 differs");
}

static void test_mixed_targets_is_refused(void **state)
{
	struct forge *forge = *state;

	forge->expires[TUF_TARGETS] += DAY;
	forge_put(forge, TUF_TARGETS);
	assert_refused(forge, -EBADMSG, "1.targets.json: isn't the file that was signed");
}

static void test_other_version_than_signed_is_refused(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_TIMESTAMP), *file;

	/* Without length and hashes the version alone must hold. */
	file = json_object_get(json_object_get(body, "meta"), "snapshot.json");
	json_object_del(file, "hashes");
	json_object_del(file, "length");
	json_object_set_new(file, "version", json_integer(2));
	forge_put_signed(forge, TUF_TIMESTAMP, body, &forge->keys[TUF_TIMESTAMP]);
	forge_put_text(forge, "2.snapshot.json", (const char *)forge_file(forge, "1.snapshot.json")->data);
	assert_refused(forge, -EBADMSG, "2.snapshot.json: has version 1, but version 2 is signed");
}

static void test_hashes_of_unknown_kinds_only_are_refused(void **state)
{
	struct forge *forge = *state;
	json_t *body = forge_body(forge, TUF_TIMESTAMP), *file;

	file = json_object_get(json_object_get(body, "meta"), "snapshot.json");
	json_object_set_new(file, "hashes", json_pack("{s:s}", "md5", "00"));
	forge_put_signed(forge, TUF_TIMESTAMP, body, &forge->keys[TUF_TIMESTAMP]);
	assert_refused(forge, -EBADMSG, "hashes of unknown kinds only");
}

static void test_longer_than_signed_is_refused(void **state)
{
	struct forge *forge = *state;

	buffer_add(forge_file(forge, "1.targets.json"), "\n", 1);
	assert_refused(forge, -EBADMSG, "1.targets.json: is longer than the");
	forge->ignores_bounds = true;
	assert_refused(forge, -EBADMSG, "1.targets.json: is longer than the");
}

static void test_shorter_than_signed_is_refused(void **state)
{
	struct forge *forge = *state;

	forge_file(forge, "1.targets.json")->size--;
	assert_refused(forge, -EBADMSG, "1.targets.json: has");
}

static void test_endless_timestamp_is_refused(void **state)
{
	struct forge *forge = *state;
	char *text = malloc(TUF_TIMESTAMP_MOST + 2);

	memset(text, ' ', TUF_TIMESTAMP_MOST + 1);
	text[TUF_TIMESTAMP_MOST + 1] = '\0';
	forge_put_text(forge, "timestamp.json", text);
	free(text);
	assert_refused(forge, -EBADMSG, "timestamp.json: is longer than the 16384 bytes");
}

static void test_missing_file_is_refused(void **state)
{
	struct forge *forge = *state;

	forge_put_text(forge, "1.snapshot.json", NULL);
	assert_refused(forge, -ENOENT, "1.snapshot.json: can't be fetched: the repository doesn't have it");
	forge_put_text(forge, "timestamp.json", NULL);
	assert_refused(forge, -ENOENT, "timestamp.json: can't be fetched");
}

/* ------------------------------------------------------------------ root rotation */

static struct signing_keys take_root_keys(struct forge *forge, unsigned next)
{
	struct signing_keys old = forge->keys[TUF_ROOT];

	memset(&forge->keys[TUF_ROOT], 0, sizeof(old));
	forge_set_keys(forge, TUF_ROOT, next, 1, 1);
	return old;
}

static void test_root_rotation_is_followed(void **state)
{
	struct forge *forge = *state;

	for (unsigned n = 0; n < 3; n++) {
		struct signing_keys old = take_root_keys(forge, 60 + n);

		forge_set_keys(forge, TUF_TARGETS, 70 + n, 1, 1);
		forge_put_next_root(forge, &old);
		signing_keys_release(&old);
	}
	forge_publish_next(forge);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 4);
	assert_accepted(forge); /* from the store, whose root the given one didn't sign itself */
	assert_int_equal(tuf_client_version(forge->client, "root"), 4);
}

static void test_expired_root_on_the_way_is_followed(void **state)
{
	struct forge *forge = *state;

	forge->expires[TUF_ROOT] = FORGE_NOW - DAY;
	forge_put_next_root(forge, NULL);
	assert_refused(forge, -ESTALE, "root.json: version 2 expired");
	forge->expires[TUF_ROOT] = FORGE_NOW + DAY;
	forge_put_next_root(forge, NULL);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 3);
}

static void test_root_signed_only_by_new_keys_is_refused(void **state)
{
	struct forge *forge = *state;
	struct signing_keys old = take_root_keys(forge, 60);

	forge_put_next_root(forge, NULL);
	assert_refused(forge, -EBADMSG, "2.root.json: has 0 valid signatures of trusted keys, but 1 is needed");
	assert_int_equal(tuf_client_version(forge->client, "root"), 1);
	signing_keys_release(&old);
}

static void test_root_signed_only_by_old_keys_is_refused(void **state)
{
	struct forge *forge = *state;
	struct signing_keys old = take_root_keys(forge, 60);

	forge->versions[TUF_ROOT] = 2;
	forge_put_signed(forge, TUF_ROOT, forge_body(forge, TUF_ROOT), &old);
	assert_refused(forge, -EBADMSG, "by the keys it names itself");
	signing_keys_release(&old);
}

static void test_root_skipping_version_is_refused(void **state)
{
	struct forge *forge = *state;

	forge->versions[TUF_ROOT] = 3;
	forge_put(forge, TUF_ROOT);
	forge_put_text(forge, "2.root.json", (const char *)forge_file(forge, "3.root.json")->data);
	assert_refused(forge, -EBADMSG, "2.root.json: has version 3, not 2");
}

static void test_same_root_again_is_refused_as_the_next(void **state)
{
	struct forge *forge = *state;

	forge_put_text(forge, "2.root.json", (const char *)forge_file(forge, "1.root.json")->data);
	assert_refused(forge, -EBADMSG, "2.root.json: has version 1, not 2");
}

static void test_endless_roots_are_bounded(void **state)
{
	struct forge *forge = *state;

	/* More links than one update follows: the next update goes on from there. */
	for (unsigned n = 0; n < 260; n++)
		forge_put_next_root(forge, NULL);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 257);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 261);
}

static void test_rotated_timestamp_key_ends_a_fast_forward_attack(void **state)
{
	struct forge *forge = *state;

	/* A thief of the timestamp key sends the versions to the end of the world. */
	forge->versions[TUF_TIMESTAMP] = INT64_MAX;
	forge_publish(forge);
	assert_accepted(forge);
	forge->versions[TUF_TIMESTAMP] = 2;
	forge_publish(forge);
	assert_refused(forge, -EBADMSG, "older than version");
	forge_set_keys(forge, TUF_TIMESTAMP, 80, 1, 1);
	forge_put_next_root(forge, NULL);
	forge_publish(forge);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "timestamp"), 2);
}

static void test_rotated_snapshot_key_ends_a_fast_forward_attack(void **state)
{
	struct forge *forge = *state;

	forge->versions[TUF_SNAPSHOT] = forge->versions[TUF_TARGETS] = INT64_MAX;
	forge_publish(forge);
	assert_accepted(forge);
	forge->versions[TUF_SNAPSHOT] = forge->versions[TUF_TARGETS] = forge->versions[TUF_TIMESTAMP] = 2;
	forge_publish(forge);
	assert_refused(forge, -EBADMSG, "older than version");
	forge_set_keys(forge, TUF_SNAPSHOT, 80, 1, 1);
	forge_put_next_root(forge, NULL);
	forge_publish(forge);
	assert_accepted(forge);
}

static void test_added_timestamp_key_forgets_too(void **state)
{
	struct forge *forge = *state;

	forge->versions[TUF_TIMESTAMP] = 1000;
	forge_publish(forge);
	assert_accepted(forge);
	/* The old key is still among the new ones, so the store's timestamp would still verify. */
	forge_set_keys(forge, TUF_TIMESTAMP, 20, 2, 1);
	forge_put_next_root(forge, NULL);
	forge->versions[TUF_TIMESTAMP] = 2;
	forge_publish(forge);
	assert_accepted(forge);
}

/* ------------------------------------------------------------------ the store */

static void test_root_planted_in_the_store_is_ignored(void **state)
{
	struct forge *forge = *state;
	struct forge *other = calloc(1, sizeof(*other));
	const struct buffer *planted;

	/* Root in the running OS can write STATE: a whole repository of its own, root included. */
	forge_init(other);
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++) {
		forge_set_keys(other, role, 200 + role, 1, 1);
		other->versions[role] = 7;
	}
	forge_put(other, TUF_ROOT);
	forge_publish(other);
	planted = forge_file(other, "7.root.json");
	buffer_add(forge_stored(forge, "root"), planted->data, planted->size);
	planted = forge_file(other, "timestamp.json");
	buffer_add(forge_stored(forge, "timestamp"), planted->data, planted->size);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 1);
	assert_int_equal(tuf_client_version(forge->client, "timestamp"), 1);
	assert_accepted(forge);
	forge_release(other);
	free(other);
}

static void damage(struct buffer *data)
{
	assert_non_null(data->data);
	data->data[data->size / 2] ^= 0x40;
}

static void test_damaged_store_is_as_good_as_none(void **state)
{
	struct forge *forge = *state;

	assert_accepted(forge);
	for (unsigned role = TUF_ROOT; role <= TUF_TARGETS; role++)
		damage(forge_stored(forge, tuf_type_name(role)));
	assert_accepted(forge);
}

static void test_far_rotated_root_keeps_roll_back_protection(void **state)
{
	struct forge *forge = *state;
	struct signing_keys first = take_root_keys(forge, 60), second;

	/* Root 2 and 3 with wholly new root keys; the timestamp key changes in 2. The node is built with root 1. */
	forge_set_keys(forge, TUF_TIMESTAMP, 80, 1, 1);
	forge_put_next_root(forge, &first);
	second = take_root_keys(forge, 61);
	forge_put_next_root(forge, &second);
	forge_publish_next(forge);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "timestamp"), 2);
	forge->versions[TUF_TIMESTAMP] = 1;
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "timestamp.json: version 1 is older than version 2");
	signing_keys_release(&first);
	signing_keys_release(&second);
}

static void test_newer_built_in_root_replaces_the_stored_one(void **state)
{
	struct forge *forge = *state;
	const struct buffer *root;

	forge->versions[TUF_TIMESTAMP] = 1000;
	forge_publish(forge);
	assert_accepted(forge);
	/* A new initramfs with root 2 and one more timestamp key, so that the store's timestamp would still verify;
	 * 2.root.json isn't even served. */
	forge_set_keys(forge, TUF_TIMESTAMP, 20, 2, 1);
	forge_put_next_root(forge, NULL);
	root = forge_file(forge, "2.root.json");
	buffer_release(&forge->first_root);
	buffer_add(&forge->first_root, root->data, root->size);
	forge_put_text(forge, "2.root.json", NULL);
	forge->versions[TUF_TIMESTAMP] = 2;
	forge_publish(forge);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 2);
}

static void test_full_store_is_an_error(void **state)
{
	struct forge *forge = *state;

	forge->store_fails_with = -ENOSPC;
	assert_refused(forge, -ENOSPC, "can't be stored");
}

static void test_network_failure_keeps_what_was_accepted(void **state)
{
	struct forge *forge = *state;

	forge_put_next_root(forge, NULL);
	forge_publish_next(forge);
	forge->fetch_fails_with = -ECONNREFUSED;
	forge->fetch_fails_for = "2.snapshot.json";
	assert_refused(forge, -ECONNREFUSED, "2.snapshot.json: can't be fetched: Connection refused");
	assert_int_equal(tuf_client_version(forge->client, "root"), 2);
	forge->fetch_fails_with = 0;
	forge->versions[TUF_TIMESTAMP] = 1;
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "timestamp.json: version 1 is older than version 2");
}

static void test_network_failure_in_the_chain_keeps_the_links_before(void **state)
{
	struct forge *forge = *state;
	const struct buffer *second;

	forge_put_next_root(forge, NULL);
	forge_put_next_root(forge, NULL);
	forge->fetch_fails_with = -ECONNRESET;
	forge->fetch_fails_for = "3.root.json";
	assert_refused(forge, -ECONNRESET, "3.root.json: can't be fetched");
	second = forge_file(forge, "2.root.json");
	assert_int_equal(forge_stored(forge, "root")->size, second->size);
	assert_memory_equal(forge_stored(forge, "root")->data, second->data, second->size);
}

static void test_network_failure_at_the_root_is_no_end_of_the_chain(void **state)
{
	struct forge *forge = *state;

	forge->fetch_fails_with = -ETIMEDOUT;
	forge->fetch_fails_for = "2.root.json";
	assert_refused(forge, -ETIMEDOUT, "2.root.json: can't be fetched");
}

/* ------------------------------------------------------------------ the chain of roots in the store */

/* A node that is built with root 1 has seen root 3. Root 2 revoked the first root key, root 3 the second one and all
 * online keys; `ret_first` and `ret_timestamp` are what a thief of the revoked keys has. */
static void see_three_roots(struct forge *forge, struct signing_keys *ret_first, struct buffer *ret_timestamp)
{
	struct signing_keys second;
	const struct buffer *timestamp;

	*ret_first = take_root_keys(forge, 60);
	forge_put_next_root(forge, ret_first);
	forge_publish(forge);
	timestamp = forge_file(forge, "timestamp.json");
	*ret_timestamp = (struct buffer){ 0 };
	assert_int_equal(buffer_add(ret_timestamp, timestamp->data, timestamp->size), 0);
	second = take_root_keys(forge, 61);
	forge_set_keys(forge, TUF_TIMESTAMP, 80, 1, 1);
	forge_set_keys(forge, TUF_SNAPSHOT, 81, 1, 1);
	forge_put_next_root(forge, &second);
	signing_keys_release(&second);
	for (unsigned n = 0; n < 5; n++)
		forge_publish_next(forge);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 3);
	assert_int_equal(tuf_client_version(forge->client, "targets"), 6);
}

static void assert_stored_root(struct forge *forge, const char *name)
{
	const struct buffer *root = forge_file(forge, name), *stored = forge_stored(forge, "root");

	assert_int_equal(stored->size, root->size);
	assert_memory_equal(stored->data, root->data, root->size);
}

static void give_root(struct forge *forge, const char *name)
{
	const struct buffer *root = forge_file(forge, name);

	buffer_release(&forge->first_root);
	assert_int_equal(buffer_add(&forge->first_root, root->data, root->size), 0);
}

static void withhold_roots(struct forge *forge, unsigned from)
{
	char name[24];

	for (unsigned version = from; version < from + 8; version++) {
		snprintf(name, sizeof(name), "%u.root.json", version);
		if (forge_file(forge, name))
			forge_put_text(forge, name, NULL);
	}
}

static void test_withheld_root_does_not_bring_revoked_online_keys_back(void **state)
{
	struct forge *forge = *state;
	struct signing_keys first;
	struct buffer third = { 0 }, old;

	see_three_roots(forge, &first, &old);
	assert_int_equal(buffer_add(&third, forge_stored(forge, "root")->data, forge_stored(forge, "root")->size), 0);
	forge_put_text(forge, "3.root.json", NULL);
	forge_put_text(forge, "timestamp.json", (const char *)old.data);
	for (unsigned n = 0; n < 2; n++) {
		assert_refused(forge, -EBADMSG, "timestamp.json: has 0 valid signatures");
		assert_int_equal(tuf_client_version(forge->client, "root"), 3);
		assert_int_equal(forge_stored(forge, "root")->size, third.size);
		assert_memory_equal(forge_stored(forge, "root")->data, third.data, third.size);
	}
	signing_keys_release(&first);
	buffer_release(&third);
	buffer_release(&old);
}

static void test_revoked_root_key_forges_no_second_root(void **state)
{
	struct forge *forge = *state;
	struct signing_keys first, keys;
	struct buffer old;

	see_three_roots(forge, &first, &old);
	forge->versions[TUF_ROOT] = 1;
	keys = take_root_keys(forge, 300);
	for (unsigned role = TUF_TIMESTAMP; role <= TUF_TARGETS; role++)
		forge_set_keys(forge, role, 300 + role, 1, 1);
	forge_put_next_root(forge, &first);
	forge_put_text(forge, "3.root.json", NULL);
	forge_publish_next(forge);
	assert_refused(forge, -EBADMSG, "timestamp.json: has 0 valid signatures");
	assert_int_equal(tuf_client_version(forge->client, "root"), 3);
	signing_keys_release(&first);
	signing_keys_release(&keys);
	buffer_release(&old);
}

static void test_poisoned_links_are_ignored_and_mended(void **state)
{
	struct forge *forge = *state;
	struct signing_keys first;
	struct buffer old;

	see_three_roots(forge, &first, &old);
	/* Root in the running OS writes what he likes there: damage, another version, versions nobody made. */
	damage(&forge->links[2]);
	damage(forge_stored(forge, "root"));
	assert_int_equal(buffer_add(&forge->links[4], forge->links[3].data, forge->links[3].size), 0);
	assert_int_equal(buffer_add(&forge->links[200], "{}", 2), 0);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 3);
	assert_null(forge->links[4].data);
	assert_null(forge->links[200].data);
	assert_stored_root(forge, "3.root.json");
	withhold_roots(forge, 2);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 3);
	signing_keys_release(&first);
	buffer_release(&old);
}

static void test_planted_link_must_be_signed_by_the_root_before(void **state)
{
	struct forge *forge = *state;
	struct signing_keys first, keys;
	const struct buffer *forged;
	struct buffer old;

	see_three_roots(forge, &first, &old);
	/* Version 4, signed by its own keys and by the key that root 2 revoked. */
	keys = take_root_keys(forge, 300);
	forge_put_next_root(forge, &first);
	forged = forge_file(forge, "4.root.json");
	assert_int_equal(buffer_add(&forge->links[4], forged->data, forged->size), 0);
	forge_put_text(forge, "4.root.json", NULL);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 3);
	signing_keys_release(&first);
	signing_keys_release(&keys);
	buffer_release(&old);
}

static void test_planted_root_of_a_revoked_key_does_not_skip_the_chain(void **state)
{
	struct forge *forge = *state;
	struct signing_keys first;
	const struct buffer *forged;
	struct buffer old;

	see_three_roots(forge, &first, &old);
	/* With the honest online keys, so that the honest repository would verify, and no rotation ever be followed again. */
	forge->versions[TUF_ROOT] = 999;
	forge_put_next_root(forge, &first);
	forged = forge_file(forge, "1000.root.json");
	buffer_release(forge_stored(forge, "root"));
	assert_int_equal(buffer_add(forge_stored(forge, "root"), forged->data, forged->size), 0);
	buffer_release(&forge->links[2]);
	buffer_release(&forge->links[3]);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 3);
	assert_stored_root(forge, "3.root.json");
	signing_keys_release(&first);
	buffer_release(&old);
}

static void test_power_cut_between_link_and_root_loses_nothing(void **state)
{
	struct forge *forge = *state;
	struct signing_keys old = take_root_keys(forge, 60);

	assert_accepted(forge);
	forge_set_keys(forge, TUF_TIMESTAMP, 80, 1, 1);
	forge_put_next_root(forge, &old);
	forge_publish_next(forge);
	forge->power_cut_after_link = 2;
	assert_refused(forge, -EIO, "can't be stored");
	assert_stored_root(forge, "1.root.json");
	assert_null(forge_stored(forge, "timestamp")->data); /* the old key's were forgotten before */
	forge->power_cut_after_link = 0;
	forge->store_fails_with = 0;
	withhold_roots(forge, 3);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 2);
	assert_stored_root(forge, "2.root.json");
	signing_keys_release(&old);
}

static void test_older_built_in_root_walks_the_stored_chain_alone(void **state)
{
	struct forge *forge = *state;

	for (unsigned n = 0; n < 3; n++) {
		struct signing_keys old = take_root_keys(forge, 60 + n);

		forge_set_keys(forge, TUF_TIMESTAMP, 80 + n, 1, 1);
		forge_put_next_root(forge, &old);
		signing_keys_release(&old);
	}
	forge_publish_next(forge);
	assert_accepted(forge);
	withhold_roots(forge, 2);
	buffer_release(forge_stored(forge, "root")); /* the links are enough */
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 4);
	forge->versions[TUF_TIMESTAMP] = 1;
	forge_put(forge, TUF_TIMESTAMP);
	assert_refused(forge, -EBADMSG, "timestamp.json: version 1 is older than version 2");
}

static void test_newer_built_in_root_drops_older_links(void **state)
{
	struct forge *forge = *state;
	struct signing_keys first, third;
	struct buffer old;

	see_three_roots(forge, &first, &old);
	third = take_root_keys(forge, 62);
	forge_put_next_root(forge, &third);
	forge_put_next_root(forge, NULL);
	give_root(forge, "5.root.json");
	withhold_roots(forge, 2);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "root"), 5);
	for (unsigned version = 0; version < 10; version++)
		assert_null(forge->links[version].data);
	signing_keys_release(&first);
	signing_keys_release(&third);
	buffer_release(&old);
}

static void test_planted_root_version_does_not_keep_fast_forwarded_metadata(void **state)
{
	struct forge *forge = *state;
	struct forge *other = calloc(1, sizeof(*other));
	const struct buffer *planted;

	forge_init(other);
	forge_set_keys(other, TUF_ROOT, 200, 1, 1);
	other->versions[TUF_ROOT] = 1000;
	forge_put(other, TUF_ROOT);
	forge->versions[TUF_TIMESTAMP] = 1000;
	forge_publish(forge);
	assert_accepted(forge);
	planted = forge_file(other, "1000.root.json");
	buffer_release(forge_stored(forge, "root"));
	assert_int_equal(buffer_add(forge_stored(forge, "root"), planted->data, planted->size), 0);
	/* The old key is still among the new ones, so the store's timestamp would still verify. */
	forge_set_keys(forge, TUF_TIMESTAMP, 20, 2, 1);
	forge_put_next_root(forge, NULL);
	forge->versions[TUF_TIMESTAMP] = 2;
	forge_publish(forge);
	assert_accepted(forge);
	assert_int_equal(tuf_client_version(forge->client, "timestamp"), 2);
	forge_release(other);
	free(other);
}

/* ------------------------------------------------------------------ targets */

static void test_target_nobody_signed_is_not_found(void **state)
{
	struct forge *forge = *state;
	struct verified_target *target;

	assert_accepted(forge);
	assert_int_equal(tuf_client_target(forge->client, "os/debian/6.6.img.zst", &target), -ENOENT);
	assert_null(target);
	assert_non_null(strstr(tuf_client_error(forge->client), "os/debian/6.6.img.zst: nobody signed"));
}

static void test_target_without_sha256_is_refused(void **state)
{
	struct forge *forge = *state;
	struct verified_target *target;

	json_object_set_new(json_object_get(forge->targets, FORGE_TARGET), "hashes",
			    json_pack("{s:s}", "sha512", "00"));
	forge_publish(forge);
	assert_int_equal(forge_refresh(forge), 0);
	assert_int_equal(tuf_client_target(forge->client, FORGE_TARGET, &target), -EBADMSG);
	assert_null(target);
}

static int count_targets(void *context, const struct verified_target *target)
{
	unsigned *n = context;

	(*n)++;
	assert_int_equal(verified_target_length(target), 77777);
	return *n == 2 ? 42 : 0;
}

static void test_each_target_is_listed(void **state)
{
	struct forge *forge = *state;
	unsigned n = 0;

	assert_accepted(forge);
	assert_int_equal(tuf_client_each_target(forge->client, count_targets, &n), 0);
	assert_int_equal(n, 1);
	json_object_set(forge->targets, "another", json_object_get(forge->targets, FORGE_TARGET));
	json_object_set(forge->targets, "third", json_object_get(forge->targets, FORGE_TARGET));
	forge_publish_next(forge);
	assert_accepted(forge);
	n = 0;
	assert_int_equal(tuf_client_each_target(forge->client, count_targets, &n), 42);
}

static int image_of(struct forge *forge, const char *path, char error[160])
{
	struct verified_target *target;
	struct verified_image *image = NULL;
	int r;

	assert_int_equal(forge_refresh(forge), 0);
	assert_int_equal(tuf_client_target(forge->client, path, &target), 0);
	r = verified_image_of(target, &image, error);
	verified_target_free(target);
	if (r == 0) {
		assert_string_equal(verified_image_path(image), path);
		assert_int_equal(verified_image_wire_sha256(image)[31], 0xbf);
		assert_string_equal(verified_image_description(image)->kernel, "/boot/vmlinuz");
		assert_int_equal(verified_image_description(image)->data_blocks, 300);
	}
	verified_image_free(image);
	return r;
}

static void test_image_must_be_the_target_that_was_asked_for(void **state)
{
	struct forge *forge = *state;
	char error[160];

	assert_int_equal(image_of(forge, FORGE_TARGET, error), 0);
	/* The same image under another path: an operator who assigns debian must not get it as something else. */
	json_object_set(forge->targets, "os/minimal/12.1.img.zst", json_object_get(forge->targets, FORGE_TARGET));
	forge_publish_next(forge);
	assert_int_equal(image_of(forge, "os/minimal/12.1.img.zst", error), -EINVAL);
	assert_non_null(strstr(error, "another target"));
	json_object_set_new(json_object_get(forge->targets, FORGE_TARGET), "length", json_integer(77776));
	forge_publish_next(forge);
	assert_int_equal(image_of(forge, FORGE_TARGET, error), -EINVAL);
	assert_non_null(strstr(error, "length"));
	json_object_del(json_object_get(forge->targets, FORGE_TARGET), "custom");
	forge_publish_next(forge);
	assert_int_equal(image_of(forge, FORGE_TARGET, error), -EINVAL);
}

static void test_image_needs_a_sha256(void **state)
{
	struct forge *forge = *state;
	char error[160], hash[129];

	memset(hash, 'a', 128);
	hash[128] = '\0';
	json_object_set_new(json_object_get(forge->targets, FORGE_TARGET), "hashes", json_pack("{s:s}", "sha512", hash));
	forge_publish_next(forge);
	assert_int_equal(image_of(forge, FORGE_TARGET, error), -EINVAL);
	assert_non_null(strstr(error, "without a SHA-256"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sound_repository_is_accepted),
		T(test_unchanged_repository_costs_one_file),
		T(test_unknown_fields_are_signed_and_tolerated),
		T(test_names_without_versions_when_snapshots_are_not_consistent),
		T(test_unsigned_targets_is_refused),
		T(test_unsigned_timestamp_is_refused),
		T(test_wrong_key_is_refused),
		T(test_key_of_another_role_is_refused),
		T(test_foreign_signature_under_a_trusted_keyid_is_refused),
		T(test_changed_after_signing_is_refused),
		T(test_key_types_are_mixed_in_a_threshold),
		T(test_threshold_counts_distinct_keys),
		T(test_duplicate_signature_is_refused),
		T(test_keyid_listed_twice_is_refused),
		T(test_key_under_two_ids_counts_once),
		T(test_keyid_is_a_name_and_no_hash),
		T(test_unknown_key_type_is_tolerated_and_does_not_count),
		T(test_root_not_signed_by_itself_is_no_anchor),
		T(test_malformed_metadata_is_refused),
		T(test_text_behind_the_metadata_is_refused),
		T(test_unsound_fields_are_refused),
		T(test_older_timestamp_is_refused),
		T(test_older_snapshot_is_refused),
		T(test_older_targets_is_refused),
		T(test_file_gone_from_the_snapshot_is_refused),
		T(test_expired_timestamp_in_the_store_still_forbids_older_ones),
		T(test_same_timestamp_version_is_not_looked_at_again),
		T(test_expired_root_is_refused),
		T(test_expired_timestamp_is_refused),
		T(test_expired_snapshot_is_refused),
		T(test_expired_targets_is_refused),
		T(test_frozen_repository_expires_also_from_the_store),
		T(test_mixed_snapshot_is_refused),
		T(test_mixed_targets_is_refused),
		T(test_other_version_than_signed_is_refused),
		T(test_hashes_of_unknown_kinds_only_are_refused),
		T(test_longer_than_signed_is_refused),
		T(test_shorter_than_signed_is_refused),
		T(test_endless_timestamp_is_refused),
		T(test_missing_file_is_refused),
		T(test_root_rotation_is_followed),
		T(test_expired_root_on_the_way_is_followed),
		T(test_root_signed_only_by_new_keys_is_refused),
		T(test_root_signed_only_by_old_keys_is_refused),
		T(test_root_skipping_version_is_refused),
		T(test_same_root_again_is_refused_as_the_next),
		T(test_endless_roots_are_bounded),
		T(test_rotated_timestamp_key_ends_a_fast_forward_attack),
		T(test_rotated_snapshot_key_ends_a_fast_forward_attack),
		T(test_added_timestamp_key_forgets_too),
		T(test_root_planted_in_the_store_is_ignored),
		T(test_damaged_store_is_as_good_as_none),
		T(test_far_rotated_root_keeps_roll_back_protection),
		T(test_newer_built_in_root_replaces_the_stored_one),
		T(test_full_store_is_an_error),
		T(test_withheld_root_does_not_bring_revoked_online_keys_back),
		T(test_revoked_root_key_forges_no_second_root),
		T(test_poisoned_links_are_ignored_and_mended),
		T(test_planted_link_must_be_signed_by_the_root_before),
		T(test_planted_root_of_a_revoked_key_does_not_skip_the_chain),
		T(test_power_cut_between_link_and_root_loses_nothing),
		T(test_older_built_in_root_walks_the_stored_chain_alone),
		T(test_newer_built_in_root_drops_older_links),
		T(test_planted_root_version_does_not_keep_fast_forwarded_metadata),
		T(test_network_failure_keeps_what_was_accepted),
		T(test_network_failure_in_the_chain_keeps_the_links_before),
		T(test_network_failure_at_the_root_is_no_end_of_the_chain),
		T(test_target_nobody_signed_is_not_found),
		T(test_target_without_sha256_is_refused),
		T(test_each_target_is_listed),
		T(test_image_must_be_the_target_that_was_asked_for),
		T(test_image_needs_a_sha256),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

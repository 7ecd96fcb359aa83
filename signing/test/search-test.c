/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delegated roles against forged repositories: what an account may sign for, and what it may not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

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

static void refresh(struct forge *forge)
{
	if (forge_refresh(forge) != 0)
		fail_msg("%s", forge->client ? tuf_client_error(forge->client) : "no client");
	forge->asked[0] = '\0';
	forge->fetched = 0;
}

static void publish(struct forge *forge)
{
	forge_publish_next(forge);
	refresh(forge);
}

#define assert_found(forge, path, length)                                                            \
	do {                                                                                         \
		int64_t found = forge_find(forge, path);                                             \
		if (found != (length))                                                               \
			fail_msg("%s: %lld: %s", path, (long long)found, tuf_client_error((forge)->client)); \
	} while (0)

#define assert_refused(forge, path, error, sentence)                                                 \
	do {                                                                                         \
		assert_int_equal(forge_find(forge, path), error);                                    \
		if (!strstr(tuf_client_error((forge)->client), sentence))                            \
			fail_msg("said: %s", tuf_client_error((forge)->client));                     \
	} while (0)

/* Two accounts with an application each. */
static void delegate_accounts(struct forge *forge)
{
	forge_delegate(forge, "targets", "acme", "app/shop/*/*", 101, 1, 1);
	forge_delegate(forge, "targets", "zebra", "app/blog/*/*", 102, 1, 1);
	forge_target(forge, "acme", "app/shop/debian/1.img.zst", 11);
	forge_target(forge, "zebra", "app/blog/debian/1.img.zst", 22);
}

/* ------------------------------------------------------------------ who may sign for what */

static void test_account_signs_for_its_application(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	assert_string_equal(forge->asked, "2.acme.json ");
	assert_found(forge, "app/blog/debian/1.img.zst", 22);
	assert_string_equal(forge->asked, "2.acme.json 2.zebra.json ");
	assert_string_equal(tuf_client_error(forge->client), "");
	assert_found(forge, FORGE_TARGET, 77777);
	assert_refused(forge, "app/shop/debian/2.img.zst", -ENOENT, "nobody signed");
}

static void test_account_can_not_sign_for_another_account(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_target(forge, "acme", "app/blog/debian/2.img.zst", 33);
	forge_target(forge, "acme", "os/debian/13.img.zst", 33);
	forge_target(forge, "acme", "app/shop/debian/deep/1.img.zst", 33);
	publish(forge);
	assert_refused(forge, "app/blog/debian/2.img.zst", -ENOENT, "nobody signed");
	assert_refused(forge, "os/debian/13.img.zst", -ENOENT, "nobody signed");
	assert_refused(forge, "app/shop/debian/deep/1.img.zst", -ENOENT, "nobody signed");
}

static void test_top_level_targets_come_first(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_target(forge, "targets", "app/shop/debian/1.img.zst", 44);
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 44);
	assert_string_equal(forge->asked, "");
}

static void test_account_passes_on_no_more_than_it_has(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_delegate(forge, "acme", "contractor", "*/*/*/*", 103, 1, 1);
	forge_target(forge, "contractor", "app/shop/debian/3.img.zst", 55);
	forge_target(forge, "contractor", "app/blog/debian/3.img.zst", 55);
	publish(forge);
	assert_found(forge, "app/shop/debian/3.img.zst", 55);
	assert_refused(forge, "app/blog/debian/3.img.zst", -ENOENT, "nobody signed");
}

static void test_delegation_by_hash_prefixes(void **state)
{
	struct forge *forge = *state;

	/* SHA-256 of "some/where/file" begins with 607e. */
	json_object_set_new(forge_delegate(forge, "targets", "other", NULL, 101, 1, 1), "path_hash_prefixes",
			    json_pack("[s, s]", "61", "07"));
	json_object_set_new(forge_delegate(forge, "targets", "bin", NULL, 102, 1, 1), "path_hash_prefixes",
			    json_pack("[s, s]", "00", "607"));
	forge_target(forge, "other", "some/where/file", 66);
	forge_target(forge, "bin", "some/where/file", 77);
	publish(forge);
	assert_found(forge, "some/where/file", 77);
	assert_string_equal(forge->asked, "2.bin.json ");
}

static void test_removed_delegation_ends_at_once(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	json_array_remove(json_object_get(forge->delegations, "roles"), 0);
	publish(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -ENOENT, "nobody signed");
	assert_string_equal(forge->asked, "");
}

/* ------------------------------------------------------------------ signatures, versions, times */

static void test_unsigned_delegated_role_is_refused(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	signing_keys_release(&forge_role(forge, "acme")->keys);
	publish(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "2.acme.json: has 0 valid signatures");
	assert_null(forge_stored(forge, "acme")->data);
	assert_found(forge, "app/blog/debian/1.img.zst", 22);
}

static void test_keys_of_other_roles_do_not_sign_for_an_account(void **state)
{
	struct forge *forge = *state;
	struct forge_role *acme;

	delegate_accounts(forge);
	acme = forge_role(forge, "acme");
	signing_keys_release(&acme->keys);
	/* Another account's, and all that a taken-over control unit has. */
	for (unsigned i = 0; i < 3; i++) {
		struct signing_key key = i == 0 ? forge_key(102) : forge->keys[i == 1 ? TUF_SNAPSHOT : TUF_TIMESTAMP].keys[0];

		assert_int_equal(signing_keys_add(&acme->keys, &key), 0);
	}
	publish(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "2.acme.json: has 0 valid signatures");
}

static void test_threshold_of_an_account(void **state)
{
	struct forge *forge = *state;
	struct forge_role *role;

	forge_delegate(forge, "targets", "acme", "app/shop/*/*", 110, 3, 2);
	forge_target(forge, "acme", "app/shop/debian/1.img.zst", 11);
	role = forge_role(forge, "acme");
	role->keys.count = 2;
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	role->keys.count = 1;
	publish(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "has 1 valid signature of trusted keys, but 2 are needed");
}

static void test_expired_delegated_role_is_refused(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_role(forge, "acme")->expires = FORGE_NOW;
	publish(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -ESTALE, "2.acme.json: version 2 expired");
	assert_null(forge_stored(forge, "acme")->data);
}

static void test_stored_delegated_role_expires(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_role(forge, "acme")->expires = FORGE_NOW + DAY / 2;
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	forge->now += DAY / 2;
	refresh(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -ESTALE, "expired");
}

static void test_mixed_delegated_role_is_refused(void **state)
{
	static const char *const names[] = { "2.targets.json", "2.snapshot.json", "timestamp.json" };
	struct forge *forge = *state;
	char *before[3];

	delegate_accounts(forge);
	forge_publish_next(forge);
	for (size_t i = 0; i < 3; i++)
		before[i] = strdup((const char *)forge_file(forge, names[i])->data);
	/* Another role of the same version, soundly signed, that this snapshot doesn't mean. */
	forge_target(forge, "acme", "app/shop/debian/2.img.zst", 99);
	forge_publish(forge);
	for (size_t i = 0; i < 3; i++) {
		forge_put_text(forge, names[i], before[i]);
		free(before[i]);
	}
	refresh(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "2.acme.json: is longer than");
	forge_file(forge, "2.acme.json")->size = 0;
	assert_int_equal(buffer_add(forge_file(forge, "2.acme.json"), forge_file(forge, "2.zebra.json")->data,
				    forge_file(forge, "2.zebra.json")->size), 0);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "2.acme.json: isn't the file that was signed: its sha256");
}

/* The snapshot's word is changed as its signer could. */
static void publish_snapshot_that_says(struct forge *forge, const char *file, json_t *says)
{
	json_t *body;

	forge->versions[TUF_SNAPSHOT]++;
	forge->versions[TUF_TIMESTAMP]++;
	body = forge_body(forge, TUF_SNAPSHOT);
	if (says)
		json_object_set_new(json_object_get(body, "meta"), file, says);
	else
		json_object_del(json_object_get(body, "meta"), file);
	forge_put_signed(forge, TUF_SNAPSHOT, body, &forge->keys[TUF_SNAPSHOT]);
	forge_put(forge, TUF_TIMESTAMP);
}

static void test_delegated_role_of_another_version_is_refused(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_publish_next(forge);
	forge_put_text(forge, "7.acme.json", (const char *)forge_file(forge, "2.acme.json")->data);
	publish_snapshot_that_says(forge, "acme.json", json_pack("{s:i}", "version", 7));
	refresh(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "7.acme.json: has version 2, but version 7 is signed");
}

static void test_older_delegated_role_is_refused(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish(forge);
	forge_role(forge, "acme")->version = 1;
	forge->versions[TUF_TARGETS]++;
	forge->versions[TUF_SNAPSHOT]++;
	forge->versions[TUF_TIMESTAMP]++;
	forge_publish(forge);
	assert_int_equal(forge_refresh(forge), -EBADMSG);
	assert_non_null(strstr(tuf_client_error(forge->client), "names version 1 of acme.json, older than version 2"));
}

static void test_delegated_role_gone_from_the_snapshot_is_refused(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish(forge);
	publish_snapshot_that_says(forge, "acme.json", NULL);
	assert_int_equal(forge_refresh(forge), -EBADMSG);
	assert_non_null(strstr(tuf_client_error(forge->client), "no longer names acme.json"));
}

static void test_delegated_role_that_the_snapshot_never_named_is_refused(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish_snapshot_that_says(forge, "acme.json", NULL);
	forge_put(forge, TUF_TARGETS);
	publish_snapshot_that_says(forge, "acme.json", NULL);
	refresh(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "snapshot doesn't name");
	assert_string_equal(forge->asked, "");
}

static void test_endless_delegated_role_is_refused(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_publish_next(forge);
	assert_int_equal(buffer_add(forge_file(forge, "2.acme.json"), "          ", 10), 0);
	forge->ignores_bounds = true;
	refresh(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "2.acme.json: is longer than");
}

static void test_withheld_delegated_role_is_not_the_same_as_unsigned(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	forge_role(forge, "acme")->withheld = true;
	publish(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "2.acme.json: can't be fetched: the repository doesn't");
	forge->fetch_fails_with = -ECONNREFUSED;
	assert_refused(forge, "app/shop/debian/1.img.zst", -ECONNREFUSED, "2.acme.json: can't be fetched");
}

static void test_delegated_role_can_not_replace_the_root(void **state)
{
	static const char *const names[] = { "root", "timestamp", "snapshot", "targets" };
	struct forge *forge = *state;

	for (size_t i = 0; i < 4; i++) {
		struct buffer *root;
		int r;

		json_decref(forge->delegations);
		forge->delegations = NULL;
		forge_delegate(forge, "targets", "acme", "app/*", 101, 1, 1);
		json_object_set_new(json_array_get(json_object_get(forge->delegations, "roles"), 0), "name",
				    json_string(names[i]));
		forge_publish_next(forge);
		publish_snapshot_that_says(forge, "root.json", json_pack("{s:i}", "version", 1));
		r = forge_refresh(forge);
		if (r == 0)
			r = (int)forge_find(forge, "app/x");
		assert_int_equal(r, -EBADMSG);
		root = forge_stored(forge, "root");
		assert_int_equal(root->size, forge->first_root.size);
		assert_memory_equal(root->data, forge->first_root.data, root->size);
	}
}

/* ------------------------------------------------------------------ what is stored */

static void test_stored_delegated_role_saves_the_download(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	refresh(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	assert_string_equal(forge->asked, "");
	forge->stores_top_level_only = true;
	forge_forget_stored(forge);
	refresh(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	assert_string_equal(forge->asked, "2.acme.json 2.acme.json ");
}

static void test_planted_delegated_role_is_ignored(void **state)
{
	struct forge *forge = *state;
	struct buffer *stored, right = { 0 };

	delegate_accounts(forge);
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	stored = forge_stored(forge, "acme");
	right = *stored;
	*stored = (struct buffer){ 0 };
	/* A root user of the running OS writes a role of his own, and one that is damaged. */
	assert_int_equal(buffer_add(stored, forge_file(forge, "2.zebra.json")->data, forge_file(forge, "2.zebra.json")->size), 0);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	stored = forge_stored(forge, "acme");
	assert_memory_equal(stored->data, right.data, right.size);
	stored->data[stored->size / 2] ^= 1;
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	buffer_release(&right);
}

static void test_stored_role_counts_only_for_the_current_keys(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish(forge);
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
	/* The account's key is replaced in the delegation, and its metadata stays the same for now. */
	json_decref(forge->delegations);
	forge->delegations = NULL;
	forge_delegate(forge, "targets", "acme", "app/shop/*/*", 201, 1, 1);
	forge_role(forge, "acme")->keys.count = 1;
	forge->versions[TUF_TARGETS]++;
	forge->versions[TUF_SNAPSHOT]++;
	forge->versions[TUF_TIMESTAMP]++;
	forge_publish(forge);
	refresh(forge);
	assert_refused(forge, "app/shop/debian/1.img.zst", -EBADMSG, "has 0 valid signatures");
}

static void test_same_role_of_two_delegators_with_other_keys(void **state)
{
	struct forge *forge = *state;

	forge_delegate(forge, "targets", "A", "a/*", 101, 1, 1);
	forge_delegate(forge, "targets", "B", "b/*", 102, 1, 1);
	forge_delegate(forge, "A", "shared", "*/*", 103, 1, 1);
	forge_delegate(forge, "B", "shared", "*/*", 104, 1, 1);
	forge_role(forge, "shared")->keys.count = 1;
	forge_target(forge, "shared", "a/file", 11);
	forge_target(forge, "shared", "b/file", 22);
	publish(forge);
	assert_found(forge, "a/file", 11);
	assert_refused(forge, "b/file", -EBADMSG, "2.shared.json: has 0 valid signatures");
	assert_found(forge, "a/file", 11);
}

static void test_store_that_fails_is_an_error(void **state)
{
	struct forge *forge = *state;

	delegate_accounts(forge);
	publish(forge);
	forge->store_fails_with = -ENOSPC;
	assert_refused(forge, "app/shop/debian/1.img.zst", -ENOSPC, "trusted acme.json can't be stored: No space left");
	forge->store_fails_with = -EROFS;
	assert_refused(forge, "app/shop/debian/1.img.zst", -EROFS, "trusted acme.json can't be stored: Read-only");
	forge->store_fails_with = 0;
	assert_found(forge, "app/shop/debian/1.img.zst", 11);
}

/* ------------------------------------------------------------------ the search */

static void test_search_is_in_pre_order(void **state)
{
	struct forge *forge = *state;

	forge_delegate(forge, "targets", "A", "*", 101, 1, 1);
	forge_delegate(forge, "targets", "B", "*", 102, 1, 1);
	forge_delegate(forge, "A", "C", "*", 103, 1, 1);
	forge_delegate(forge, "A", "D", "*.py *", 104, 1, 1);
	forge_delegate(forge, "A", "E", "*.py", 105, 1, 1);
	forge_target(forge, "D", "file", 44);
	forge_target(forge, "B", "file", 22);
	publish(forge);
	assert_found(forge, "file", 44);
	assert_string_equal(forge->asked, "2.A.json 2.C.json 2.D.json ");
	assert_refused(forge, "missing", -ENOENT, "nobody signed");
	assert_string_equal(forge->asked, "2.A.json 2.C.json 2.D.json 2.B.json ");
}

static void test_terminating_delegation_ends_the_search(void **state)
{
	struct forge *forge = *state;

	forge_delegate(forge, "targets", "A", "*", 101, 1, 1);
	forge_delegate(forge, "targets", "B", "*", 102, 1, 1);
	json_object_set_new(forge_delegate(forge, "A", "C", "file*", 103, 1, 1), "terminating", json_true());
	forge_delegate(forge, "A", "D", "*", 104, 1, 1);
	forge_delegate(forge, "C", "E", "*", 105, 1, 1);
	forge_target(forge, "E", "file-e", 55);
	forge_target(forge, "D", "file", 44);
	forge_target(forge, "B", "file", 22);
	forge_target(forge, "B", "other", 23);
	publish(forge);
	assert_found(forge, "file-e", 55);
	assert_refused(forge, "file", -ENOENT, "nobody signed");
	assert_string_equal(forge->asked, "2.A.json 2.C.json 2.E.json ");
	assert_found(forge, "other", 23);
}

static void test_cycle_of_delegations_ends(void **state)
{
	struct forge *forge = *state;

	forge_delegate(forge, "targets", "A", "*", 101, 1, 1);
	forge_delegate(forge, "A", "B", "*", 102, 1, 1);
	forge_delegate(forge, "B", "A", "*", 101, 1, 1);
	forge_delegate(forge, "B", "B", "*", 102, 1, 1);
	forge_delegate(forge, "targets", "C", "*", 103, 1, 1);
	forge_target(forge, "C", "file", 33);
	publish(forge);
	assert_found(forge, "file", 33);
	assert_string_equal(forge->asked, "2.A.json 2.B.json 2.C.json ");
}

static void test_role_that_does_not_verify_ends_the_search(void **state)
{
	struct forge *forge = *state;

	/* Whoever can break A must not make B answer for what A signed. */
	forge_delegate(forge, "targets", "A", "*", 101, 1, 1);
	forge_delegate(forge, "targets", "B", "*", 102, 1, 1);
	forge_target(forge, "A", "file", 11);
	forge_target(forge, "B", "file", 22);
	forge_role(forge, "A")->withheld = true;
	publish(forge);
	assert_refused(forge, "file", -EBADMSG, "2.A.json");
	assert_string_equal(forge->asked, "2.A.json ");
}

static void test_search_is_bounded(void **state)
{
	struct forge *forge = *state;
	char name[16];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "role%u", i);
		forge_delegate(forge, "targets", name, "*", 101, 1, 1);
	}
	forge_target(forge, "role31", "near", 31);
	forge_target(forge, "role32", "far", 32);
	publish(forge);
	assert_found(forge, "near", 31);
	assert_refused(forge, "far", -EBADMSG, "more than 32 delegated roles");
}

static void test_deep_chain_is_bounded(void **state)
{
	struct forge *forge = *state;
	char name[16] = "targets", next[16];

	for (unsigned i = 0; i < 40; i++) {
		snprintf(next, sizeof(next), "role%u", i);
		forge_delegate(forge, name, next, "*", 101, 1, 1);
		strcpy(name, next);
	}
	forge_target(forge, "role31", "near", 31);
	forge_target(forge, "role39", "far", 39);
	publish(forge);
	assert_found(forge, "near", 31);
	assert_refused(forge, "far", -EBADMSG, "more than 32 delegated roles");
}

static void test_role_names_are_quoted(void **state)
{
	static const char *const names[] = { "../../etc/x", "/", "?", "#", "..", "a b%", "\xc3\xa4" };
	static const char *const files[] = { "2...%2F..%2Fetc%2Fx.json ", "2.%2F.json ", "2.%3F.json ", "2.%23.json ", "2....json ",
					     "2.a%20b%25.json ", "2.%C3%A4.json " };
	struct forge *forge = *state;
	char path[16];

	for (unsigned i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "file%u", i);
		forge_delegate(forge, "targets", names[i], path, 101 + i, 1, 1);
		forge_target(forge, names[i], path, 100 + i);
	}
	publish(forge);
	for (unsigned i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "file%u", i);
		forge->asked[0] = '\0';
		assert_found(forge, path, 100 + i);
		assert_string_equal(forge->asked, files[i]);
	}
}

/* ------------------------------------------------------------------ all targets */

static int note(void *context, const struct verified_target *target)
{
	char *text = context;
	size_t size = strlen(text);

	snprintf(text + size, 1000 - size, "%s=%llu ", verified_target_path(target),
		 (unsigned long long)verified_target_length(target));
	return 0;
}

static void list(struct forge *forge, char text[1000])
{
	text[0] = '\0';
	assert_int_equal(tuf_client_each_target(forge->client, note, text), 0);
}

static void test_all_targets_are_those_that_a_search_finds(void **state)
{
	struct forge *forge = *state;
	char text[1000];

	json_object_clear(forge->targets);
	forge_target(forge, "targets", "top", 1);
	forge_delegate(forge, "targets", "A", "a/* both", 101, 1, 1);
	json_object_set_new(forge_delegate(forge, "targets", "T", "t/*", 102, 1, 1), "terminating", json_true());
	forge_delegate(forge, "targets", "B", "*/* both", 103, 1, 1);
	forge_delegate(forge, "B", "A", "*/*", 101, 1, 1);
	forge_delegate(forge, "B", "B", "*/*", 103, 1, 1);
	forge_target(forge, "A", "a/1", 11);
	forge_target(forge, "A", "both", 12);
	forge_target(forge, "A", "b/through-b", 13);
	forge_target(forge, "A", "top", 14);
	forge_target(forge, "A", "outside", 15);
	forge_target(forge, "B", "both", 22);
	forge_target(forge, "B", "b/1", 21);
	forge_target(forge, "B", "t/hidden", 23);
	publish(forge);
	list(forge, text);
	assert_string_equal(text, "top=1 a/1=11 b/through-b=13 both=12 b/1=21 ");
	assert_string_equal(tuf_client_error(forge->client), "");
	assert_found(forge, "b/through-b", 13);
	assert_found(forge, "both", 12);
	assert_int_equal(forge_find(forge, "t/hidden"), -ENOENT);
	assert_int_equal(forge_find(forge, "outside"), -ENOENT);
}

static void test_listing_takes_no_delegators_word_for_anothers(void **state)
{
	struct forge *forge = *state;
	char text[1000];

	json_object_clear(forge->targets);
	forge_delegate(forge, "targets", "A", "a/*", 101, 1, 1);
	forge_delegate(forge, "targets", "B", "b/*", 102, 1, 1);
	forge_delegate(forge, "A", "shared", "*/*", 103, 1, 1);
	forge_delegate(forge, "B", "shared", "*/*", 104, 1, 1);
	forge_role(forge, "shared")->keys.count = 1;
	forge_target(forge, "shared", "a/file", 11);
	forge_target(forge, "shared", "b/file", 22);
	publish(forge);
	list(forge, text);
	assert_string_equal(text, "a/file=11 ");
	assert_non_null(strstr(tuf_client_error(forge->client), "2.shared.json: has 0 valid signatures"));
}

static void test_broken_account_does_not_hide_the_others(void **state)
{
	struct forge *forge = *state;
	char text[1000];

	json_object_clear(forge->targets);
	delegate_accounts(forge);
	forge_delegate(forge, "targets", "last", "app/*/*/*", 104, 1, 1);
	forge_target(forge, "last", "app/shop/debian/1.img.zst", 99);
	forge_role(forge, "acme")->expires = FORGE_NOW;
	publish(forge);
	list(forge, text);
	/* What only a search past the broken role would find isn't there either. */
	assert_string_equal(text, "app/blog/debian/1.img.zst=22 ");
	assert_non_null(strstr(tuf_client_error(forge->client), "2.acme.json: version 2 expired"));
}

static void test_many_accounts_are_listed(void **state)
{
	struct forge *forge = *state;
	char name[16], paths[16], text[1000];

	json_object_clear(forge->targets);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "r%u", i);
		snprintf(paths, sizeof(paths), "r%u/*", i);
		forge_delegate(forge, "targets", name, paths, 101, 1, 1);
		snprintf(paths, sizeof(paths), "r%u/x", i);
		forge_target(forge, name, paths, 100 + i);
	}
	publish(forge);
	list(forge, text);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(paths, sizeof(paths), "r%u/x=%u ", i, 100 + i);
		assert_non_null(strstr(text, paths));
	}
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_account_signs_for_its_application),
		T(test_account_can_not_sign_for_another_account),
		T(test_top_level_targets_come_first),
		T(test_account_passes_on_no_more_than_it_has),
		T(test_delegation_by_hash_prefixes),
		T(test_removed_delegation_ends_at_once),
		T(test_unsigned_delegated_role_is_refused),
		T(test_keys_of_other_roles_do_not_sign_for_an_account),
		T(test_threshold_of_an_account),
		T(test_expired_delegated_role_is_refused),
		T(test_stored_delegated_role_expires),
		T(test_mixed_delegated_role_is_refused),
		T(test_delegated_role_of_another_version_is_refused),
		T(test_older_delegated_role_is_refused),
		T(test_delegated_role_gone_from_the_snapshot_is_refused),
		T(test_delegated_role_that_the_snapshot_never_named_is_refused),
		T(test_endless_delegated_role_is_refused),
		T(test_withheld_delegated_role_is_not_the_same_as_unsigned),
		T(test_delegated_role_can_not_replace_the_root),
		T(test_stored_delegated_role_saves_the_download),
		T(test_planted_delegated_role_is_ignored),
		T(test_stored_role_counts_only_for_the_current_keys),
		T(test_same_role_of_two_delegators_with_other_keys),
		T(test_store_that_fails_is_an_error),
		T(test_search_is_in_pre_order),
		T(test_terminating_delegation_ends_the_search),
		T(test_cycle_of_delegations_ends),
		T(test_role_that_does_not_verify_ends_the_search),
		T(test_search_is_bounded),
		T(test_deep_chain_is_bounded),
		T(test_role_names_are_quoted),
		T(test_all_targets_are_those_that_a_search_finds),
		T(test_listing_takes_no_delegators_word_for_anothers),
		T(test_broken_account_does_not_hide_the_others),
		T(test_many_accounts_are_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Public keys as metadata has them: whose signature counts, and whose can't. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/bytes.h"
#include "signing/canonical.h"
#include "signing/document-json.h"
#include "signing/format.h"
#include "signing/test/key-vectors.h"
#include "signing/verify-key.h"

/* The text of {"keytype": …}, for as long as the test runs. */
static struct tree as_tree(json_t *json, struct buffer *text)
{
	char *written = json_dumps(json, JSON_ENCODE_ANY), error[TREE_ERROR_SIZE];
	struct tree tree;

	assert_non_null(written);
	buffer_release(text);
	assert_int_equal(buffer_add(text, written, strlen(written)), 0);
	free(written);
	assert_int_equal(tree_parse(text->data, text->size, &tree, error), 0);
	return tree;
}

static int parse_key(const char *type, const char *scheme, const char *public, struct verify_key *ret_key)
{
	json_t *json = json_pack("{s:s, s:s, s:{s:s}}", "keytype", type, "scheme", scheme, "keyval", "public", public);
	struct buffer text = { 0 };
	int r;

	assert_non_null(json);
	r = verify_key_parse(as_tree(json, &text), ret_key);
	json_decref(json);
	buffer_release(&text);
	return r;
}

static bool signs(struct verify_key *key, const char *message, const char *signature)
{
	struct verify_message signed_message;
	json_t *json = json_string(signature);
	struct buffer text = { 0 };
	bool good;

	verify_message_init(message, strlen(message), &signed_message);
	good = verify_key_check(key, &signed_message, as_tree(json, &text));
	json_decref(json);
	buffer_release(&text);
	return good;
}

static void assert_signs(const char *type, const char *scheme, const char *public, const char *signature)
{
	struct verify_key key;

	assert_int_equal(parse_key(type, scheme, public, &key), 0);
	assert_true(signs(&key, KEY_MESSAGE, signature));
	assert_false(signs(&key, KEY_MESSAGE " ", signature));
	verify_key_release(&key);
}

static void assert_no_key(const char *type, const char *scheme, const char *public)
{
	struct verify_key key;

	assert_int_equal(parse_key(type, scheme, public, &key), -EINVAL);
}

#define P256 "ecdsa", "ecdsa-sha2-nistp256"
#define RSA "rsa", "rsassa-pss-sha256"
#define ED25519 "ed25519", "ed25519"

/* ------------------------------------------------------------------ whose signature counts */

static void test_signatures_by_openssl_count(void **state)
{
	(void)state;
	assert_signs(ED25519, ed25519_public, ed25519_signature);
	assert_signs(P256, p256_pem, p256_signature);
	assert_signs("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", p256_pem, p256_signature);
	assert_signs(RSA, rsa_pem, rsa_salt_32_signature);
	assert_signs(RSA, rsa_3072_pem, rsa_3072_signature);
}

static void test_any_length_of_the_pss_salt_counts(void **state)
{
	(void)state;
	assert_signs(RSA, rsa_pem, rsa_salt_0_signature);
	assert_signs(RSA, rsa_pem, rsa_salt_most_signature);
}

/* Any digit of a signature matters, and so does each character that is signed. */
static void test_changed_signature_or_message_is_found(void **state)
{
	static const struct {
		const char *type, *scheme, *public, *signature;
	} cases[] = { { ED25519, ed25519_public, ed25519_signature },
		      { P256, p256_pem, p256_signature },
		      { RSA, rsa_pem, rsa_salt_32_signature } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char message[] = KEY_MESSAGE, *signature = strdup(cases[i].signature);
		struct verify_key key;

		assert_non_null(signature);
		assert_int_equal(parse_key(cases[i].type, cases[i].scheme, cases[i].public, &key), 0);
		for (size_t at = 0; at < strlen(signature); at += 1 + strlen(signature) / 100) {
			char before = signature[at];

			signature[at] = before == '0' ? '1' : '0';
			assert_false(signs(&key, message, signature));
			signature[at] = before;
		}
		for (size_t at = 0; message[at]; at++) {
			message[at] ^= 1;
			assert_false(signs(&key, message, signature));
			message[at] ^= 1;
		}
		assert_true(signs(&key, message, signature));
		verify_key_release(&key);
		free(signature);
	}
}

static void test_signature_with_something_behind_it_is_refused(void **state)
{
	struct verify_key key;
	char longer[2 * VERIFY_SIGNATURE_MOST + 8];

	(void)state;
	assert_int_equal(parse_key(P256, p256_pem, &key), 0);
	snprintf(longer, sizeof(longer), "%s00", p256_signature);
	assert_false(signs(&key, KEY_MESSAGE, longer));
	verify_key_release(&key);
	assert_int_equal(parse_key(RSA, rsa_pem, &key), 0);
	snprintf(longer, sizeof(longer), "%s00", rsa_salt_32_signature);
	assert_false(signs(&key, KEY_MESSAGE, longer));
	snprintf(longer, sizeof(longer), "00%s", rsa_salt_32_signature);
	assert_false(signs(&key, KEY_MESSAGE, longer));
	verify_key_release(&key);
	assert_int_equal(parse_key(ED25519, ed25519_public, &key), 0);
	snprintf(longer, sizeof(longer), "%s00", ed25519_signature);
	assert_false(signs(&key, KEY_MESSAGE, longer));
	/* Longer than any: must not even be copied. */
	memset(longer, 'a', sizeof(longer) - 1);
	longer[sizeof(longer) - 2] = '\0'; /* an even number of digits */
	assert_false(signs(&key, KEY_MESSAGE, longer));
	verify_key_release(&key);
}

static void test_signature_that_is_no_hex_is_refused(void **state)
{
	static const char *const bad[] = { "", "0", "zz", "3045x", "MEUCIQ==" };
	struct verify_key key;

	(void)state;
	assert_int_equal(parse_key(P256, p256_pem, &key), 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(signs(&key, KEY_MESSAGE, bad[i]));
	verify_key_release(&key);
}

static void test_signature_of_another_scheme_is_refused(void **state)
{
	struct verify_key key;

	(void)state;
	assert_int_equal(parse_key(RSA, rsa_pem, &key), 0);
	assert_false(signs(&key, KEY_MESSAGE, rsa_pkcs1_signature));
	assert_false(signs(&key, KEY_MESSAGE, rsa_sha512_signature));
	assert_false(signs(&key, KEY_MESSAGE, rsa_mgf1_sha1_signature));
	assert_false(signs(&key, KEY_MESSAGE, p256_signature));
	assert_false(signs(&key, KEY_MESSAGE, ed25519_signature));
	verify_key_release(&key);
	assert_int_equal(parse_key(P256, p256_pem, &key), 0);
	assert_false(signs(&key, KEY_MESSAGE, ed25519_signature));
	verify_key_release(&key);
	assert_int_equal(parse_key(P256, p256_other_pem, &key), 0);
	assert_false(signs(&key, KEY_MESSAGE, p256_signature));
	verify_key_release(&key);
}

/* With a point of small order as key, a signature of anything can be made up: R and S of zero. */
static void test_ed25519_key_of_small_order_signs_nothing(void **state)
{
	static const char *const keys[] = { "0100000000000000000000000000000000000000000000000000000000000000",
					    "0000000000000000000000000000000000000000000000000000000000000000",
					    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" };
	char signature[129];
	struct verify_key key;

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		snprintf(signature, sizeof(signature), "%s%064d", keys[i], 0);
		assert_int_equal(parse_key(ED25519, keys[i], &key), 0);
		assert_false(signs(&key, KEY_MESSAGE, signature));
		verify_key_release(&key);
	}
}

/* ------------------------------------------------------------------ what is no key */

static void test_unknown_type_or_scheme_is_no_key_and_no_error(void **state)
{
	static const char *const pairs[][2] = { { "sphincs", "future" }, { "ed25519", "ed25519ph" }, { "rsa", "rsa-pkcs1v15-sha256" },
						{ "rsa", "rsassa-pss-sha512" }, { "ecdsa", "ecdsa-sha2-nistp384" }, { "ed25519", "rsassa-pss-sha256" },
						{ "", "" }, { "ed25519\n", "ed25519" }, { "ED25519", "ed25519" } };
	struct verify_key key;

	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++)
		assert_int_equal(parse_key(pairs[i][0], pairs[i][1], ed25519_public, &key), -ENOTSUP);
}

static void test_key_of_another_kind_than_it_says_is_refused(void **state)
{
	(void)state;
	assert_no_key(P256, rsa_pem);
	assert_no_key(RSA, p256_pem);
	assert_no_key(RSA, ed25519_pem);
	assert_no_key(P256, ed25519_pem);
	assert_no_key(ED25519, ed25519_pem);
	assert_no_key(ED25519, p256_pem);
	assert_no_key(P256, ed25519_public);
}

static void test_other_curves_are_refused(void **state)
{
	(void)state;
	assert_no_key(P256, p384_pem);
	assert_no_key(P256, k1_pem);
	assert_no_key(P256, p256_explicit_pem); /* parameters of one's own choice */
}

static void test_weak_and_giant_rsa_keys_are_refused(void **state)
{
	(void)state;
	assert_no_key(RSA, rsa_1024_pem);
	assert_no_key(RSA, rsa_16384_pem);
}

static void test_bad_pem_is_refused(void **state)
{
	char text[2048], *at;

	(void)state;
	assert_no_key(P256, "");
	assert_no_key(P256, "-----BEGIN PUBLIC KEY-----");
	assert_no_key(P256, "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n");
	assert_no_key(P256, "-----BEGIN PUBLIC KEY-----\n!!!!\n-----END PUBLIC KEY-----\n");
	assert_no_key(RSA, rsa_pkcs1_pem); /* "BEGIN RSA PUBLIC KEY": not what TUF has */
	snprintf(text, sizeof(text), "x%s", p256_pem);
	assert_no_key(P256, text);
	snprintf(text, sizeof(text), "%sx", p256_pem);
	assert_no_key(P256, text);
	snprintf(text, sizeof(text), "%s%s", p256_pem, p256_other_pem);
	assert_no_key(P256, text);
	/* Cut anywhere. */
	for (size_t size = 0; size < strlen(p256_pem) - 1; size += 3) {
		snprintf(text, sizeof(text), "%.*s", (int)size, p256_pem);
		assert_no_key(P256, text);
	}
	/* A point that isn't on the curve: the last digits of the key. */
	snprintf(text, sizeof(text), "%s", p256_pem);
	at = strstr(text, "==\n-----END");
	assert_non_null(at);
	at[-5] = at[-5] == 'A' ? 'B' : 'A';
	assert_no_key(P256, text);
}

/* DER with a byte behind the key, which PEM itself can't show. */
static void test_key_with_something_behind_it_is_refused(void **state)
{
	struct buffer der = { 0 }, text = { 0 };
	char pem[2048] = "", *body;

	(void)state;
	for (const char *p = strchr(p256_pem, '\n') + 1; *p != '-'; p++)
		if (*p != '\n')
			buffer_add(&text, p, 1);
	assert_int_equal(base64_parse((const char *)text.data, &der), 0);
	assert_int_equal(der.size, 91);
	for (int with_junk = 0; with_junk < 2; with_junk++) {
		buffer_release(&text);
		if (with_junk)
			buffer_add(&der, "\0", 1);
		assert_int_equal(base64_format(der.data, der.size, &text), 0);
		body = (char *)text.data;
		snprintf(pem, sizeof(pem), "-----BEGIN PUBLIC KEY-----\n%.64s\n%s\n-----END PUBLIC KEY-----\n", body, body + 64);
		if (with_junk)
			assert_no_key(P256, pem);
		else
			assert_signs(P256, pem, p256_signature);
	}
	/* The length of the outer sequence in two bytes instead of one. */
	der.size--;
	buffer_release(&text);
	memmove(der.data + 2, der.data + 1, der.size - 1);
	der.data[1] = 0x81;
	der.size++;
	assert_int_equal(base64_format(der.data, der.size, &text), 0);
	body = (char *)text.data;
	snprintf(pem, sizeof(pem), "-----BEGIN PUBLIC KEY-----\n%.64s\n%s\n-----END PUBLIC KEY-----\n", body, body + 64);
	assert_no_key(P256, pem);
	buffer_release(&der);
	buffer_release(&text);
}

static void test_bad_ed25519_hex_is_refused(void **state)
{
	char text[80];

	(void)state;
	assert_no_key(ED25519, "");
	snprintf(text, sizeof(text), "%.62s", ed25519_public);
	assert_no_key(ED25519, text);
	snprintf(text, sizeof(text), "%s00", ed25519_public);
	assert_no_key(ED25519, text);
	snprintf(text, sizeof(text), "%.63sg", ed25519_public);
	assert_no_key(ED25519, text);
}

/* ------------------------------------------------------------------ one key counts once */

/* {"signed": {"a": 1}, "signatures": […]} without a type: counting doesn't ask for it. */
static uint64_t count(json_t *keys, json_t *keyids, json_t *signatures, const char *body)
{
	char error[TREE_ERROR_SIZE];
	struct buffer texts[3] = { 0 };
	struct tuf_document document = { 0 };
	struct tuf_signers signers = { .keys = as_tree(keys, &texts[0]), .keyids = as_tree(keyids, &texts[1]), .threshold = 1 };
	uint64_t found = 0;

	document.signatures = as_tree(signatures, &texts[2]);
	assert_int_equal(tree_parse(body, strlen(body), &document.body, error), 0);
	assert_int_equal(tuf_count_signatures(&document, &signers, &found), 0);
	for (size_t i = 0; i < 3; i++)
		buffer_release(&texts[i]);
	json_decref(keys);
	json_decref(keyids);
	json_decref(signatures);
	return found;
}

static json_t *key(const char *type, const char *scheme, const char *public)
{
	return json_pack("{s:s, s:s, s:{s:s}}", "keytype", type, "scheme", scheme, "keyval", "public", public);
}

/* KEY_MESSAGE is the canonical form of all but the last. */
#define BODY "{\"a\":[1,true],\"b\":\"\\u00e9\\\"\\n\"}"
#define BODY_WRITTEN_OTHERWISE " { \"\\u0062\" : \"\xc3\xa9\\u0022\\u000A\" , \"a\" : [ 1 , true ] } "
#define BODY_CHANGED "{\"a\":[1,true],\"b\":\"\\u00e9\\\"\\n\",\"c\":0}"

static void test_one_key_in_two_writings_counts_once(void **state)
{
	char crlf[1024] = "", *to = crlf;

	(void)state;
	/* The same P-256 key under both type names, and with other ends of lines. */
	for (const char *p = p256_pem; *p; p++) {
		if (*p == '\n')
			*to++ = '\r';
		*to++ = *p;
	}
	assert_int_equal(count(json_pack("{s:o, s:o, s:o}", "a", key(P256, p256_pem), "b",
					 key("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256", p256_pem), "c", key(P256, crlf)),
			       json_pack("[s,s,s]", "a", "b", "c"),
			       json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "keyid", "a", "sig", p256_signature, "keyid", "b", "sig",
					 p256_signature, "keyid", "c", "sig", p256_signature), BODY), 1);
	/* Hexadecimal digits of either case. */
	for (size_t i = 0; i <= strlen(ed25519_public); i++)
		crlf[i] = ed25519_public[i] >= 'a' ? (char)(ed25519_public[i] - 32) : ed25519_public[i];
	assert_int_equal(count(json_pack("{s:o, s:o}", "a", key(ED25519, ed25519_public), "b", key(ED25519, crlf)),
			       json_pack("[s,s]", "a", "b"),
			       json_pack("[{s:s,s:s},{s:s,s:s}]", "keyid", "a", "sig", ed25519_signature, "keyid", "b", "sig",
					 ed25519_signature), BODY), 1);
}

static void test_three_keys_of_three_kinds_count_three(void **state)
{
	json_t *keys = json_pack("{s:o, s:o, s:o, s:o}", "a", key(P256, p256_pem), "b", key(RSA, rsa_pem), "c",
				 key(ED25519, ed25519_public), "d", key("sphincs", "future", "00"));
	json_t *signatures = json_pack("[{s:s,s:s},{s:s,s:s},{s:s,s:s},{s:s,s:s}]", "keyid", "c", "sig", ed25519_signature, "keyid", "a",
				       "sig", p256_signature, "keyid", "b", "sig", rsa_salt_32_signature, "keyid", "d", "sig", "00");

	(void)state;
	assert_int_equal(count(json_incref(keys), json_pack("[s,s,s,s]", "a", "b", "c", "d"), json_incref(signatures), BODY), 3);
	/* The same with white space and another order: it is the canonical form that is signed. */
	assert_int_equal(count(json_incref(keys), json_pack("[s,s,s]", "a", "b", "c"), json_incref(signatures), BODY_WRITTEN_OTHERWISE), 3);
	assert_int_equal(count(json_incref(keys), json_pack("[s,s,s]", "a", "b", "c"), json_incref(signatures), BODY_CHANGED), 0);
	/* Only keys of the role count. */
	assert_int_equal(count(json_incref(keys), json_pack("[s,s]", "b", "x"), json_incref(signatures), BODY), 1);
	assert_int_equal(count(json_incref(keys), json_pack("[]"), json_incref(signatures), BODY), 0);
	json_decref(keys);
	json_decref(signatures);
}

static void test_signature_under_another_keys_id_is_refused(void **state)
{
	(void)state;
	assert_int_equal(count(json_pack("{s:o, s:o}", "a", key(P256, p256_pem), "b", key(ED25519, ed25519_public)),
			       json_pack("[s,s]", "a", "b"),
			       json_pack("[{s:s,s:s},{s:s,s:s}]", "keyid", "b", "sig", p256_signature, "keyid", "a", "sig",
					 ed25519_signature), BODY), 0);
}

static void test_with_a_real_number_has_no_signatures(void **state)
{
	(void)state;
	assert_int_equal(count(json_pack("{s:o}", "a", key(P256, p256_pem)), json_pack("[s]", "a"),
			       json_pack("[{s:s,s:s}]", "keyid", "a", "sig", p256_signature), "{\"a\":1.0}"), 0);
}

static void test_text_out_of_order_is_not_taken_for_canonical(void **state)
{
	/* Compact, nothing to escape, and not the canonical form that was signed. */
	static const char text[] = "{\"b\":\"\\u00e9\\\"\\n\",\"a\":[1,true]}";
	static const struct {
		const char *json;
		bool canonical;
	} cases[] = { { "{\"a\":[1,true],\"b\":\"x\"}", true }, { "{\"b\":\"x\",\"a\":[1,true]}", false }, { "{\"a\":[1, true]}", false },
		      { "[\"\\u0041\"]", false }, { "[-0]", false }, { "[\"\\\\\\\"\"]", true }, { "[1.5]", false }, { "{\"a\":{\"c\":1,\"b\":2}}", false } };
	char error[TREE_ERROR_SIZE];
	struct tree tree;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(tree_parse(cases[i].json, strlen(cases[i].json), &tree, error), 0);
		assert_int_equal(canonical_is_text(tree), cases[i].canonical);
	}
	assert_int_equal(count(json_pack("{s:o}", "a", key(P256, p256_pem)), json_pack("[s]", "a"),
			       json_pack("[{s:s,s:s}]", "keyid", "a", "sig", p256_signature), text), 1);
}

/* ------------------------------------------------------------------ roles that are the same */

static bool equal(json_t *keys_a, json_t *keyids_a, uint64_t threshold_a, json_t *keys_b, json_t *keyids_b, uint64_t threshold_b)
{
	struct buffer texts[4] = { 0 };
	struct tuf_signers a = { as_tree(keys_a, &texts[0]), as_tree(keyids_a, &texts[1]), threshold_a };
	struct tuf_signers b = { as_tree(keys_b, &texts[2]), as_tree(keyids_b, &texts[3]), threshold_b };
	bool same = tuf_signers_equal(&a, &b);

	for (size_t i = 0; i < 4; i++)
		buffer_release(&texts[i]);
	json_decref(keys_a);
	json_decref(keyids_a);
	json_decref(keys_b);
	json_decref(keyids_b);
	return same;
}

static void test_another_key_under_the_old_id_is_a_rotation(void **state)
{
	json_t *old = json_pack("{s:o, s:o}", "a", key(ED25519, ed25519_public), "b", key(P256, p256_pem));
	json_t *new = json_pack("{s:o, s:o}", "b", key(P256, p256_pem), "a", key(P256, p256_other_pem));

	(void)state;
	assert_true(equal(json_incref(old), json_pack("[s,s]", "a", "b"), 1, json_incref(old), json_pack("[s,s]", "b", "a"), 1));
	assert_true(equal(json_incref(old), json_pack("[s]", "b"), 1, json_incref(new), json_pack("[s]", "b"), 1));
	assert_false(equal(json_incref(old), json_pack("[s]", "a"), 1, json_incref(new), json_pack("[s]", "a"), 1));
	assert_false(equal(json_incref(old), json_pack("[s]", "a"), 1, json_incref(old), json_pack("[s,s]", "a", "b"), 1));
	assert_false(equal(json_incref(old), json_pack("[s,s]", "a", "b"), 1, json_incref(old), json_pack("[s]", "a"), 1));
	assert_false(equal(json_incref(old), json_pack("[s,s]", "a", "b"), 1, json_incref(old), json_pack("[s,s]", "a", "b"), 2));
	json_decref(old);
	json_decref(new);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures_by_openssl_count),
		cmocka_unit_test(test_any_length_of_the_pss_salt_counts),
		cmocka_unit_test(test_changed_signature_or_message_is_found),
		cmocka_unit_test(test_signature_with_something_behind_it_is_refused),
		cmocka_unit_test(test_signature_that_is_no_hex_is_refused),
		cmocka_unit_test(test_signature_of_another_scheme_is_refused),
		cmocka_unit_test(test_ed25519_key_of_small_order_signs_nothing),
		cmocka_unit_test(test_unknown_type_or_scheme_is_no_key_and_no_error),
		cmocka_unit_test(test_key_of_another_kind_than_it_says_is_refused),
		cmocka_unit_test(test_other_curves_are_refused),
		cmocka_unit_test(test_weak_and_giant_rsa_keys_are_refused),
		cmocka_unit_test(test_bad_pem_is_refused),
		cmocka_unit_test(test_key_with_something_behind_it_is_refused),
		cmocka_unit_test(test_bad_ed25519_hex_is_refused),
		cmocka_unit_test(test_one_key_in_two_writings_counts_once),
		cmocka_unit_test(test_three_keys_of_three_kinds_count_three),
		cmocka_unit_test(test_signature_under_another_keys_id_is_refused),
		cmocka_unit_test(test_with_a_real_number_has_no_signatures),
		cmocka_unit_test(test_text_out_of_order_is_not_taken_for_canonical),
		cmocka_unit_test(test_another_key_under_the_old_id_is_a_rotation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

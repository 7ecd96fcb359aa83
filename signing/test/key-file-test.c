/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of keys: what is in them, who may open them, and what doesn't pass for one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/json.h"
#include "signing/key-file.h"
#include "signing/keyring.h"

#define NOW INT64_C(1800000000)
#define DAYS 86400

static void make(enum key_type type, const char *passphrase, int64_t expires, struct signing_key *ret_key, struct buffer *ret_text)
{
	json_t *roles = json_pack("[s]", "root");

	assert_int_equal(signing_key_generate(type, ret_key), 0);
	strcpy(ret_key->name, "alice");
	assert_int_equal(key_file_format(ret_key, roles, NOW, expires, passphrase, ret_text), 0);
	json_decref(roles);
}

static int parse(const struct buffer *text, struct key_file *ret_file)
{
	char error[160] = "";
	int r = key_file_parse(text->data, text->size, ret_file, error);

	assert_true(r == 0 || error[0]);
	return r;
}

static void check_round_trip(enum key_type type, const char *passphrase)
{
	struct signing_key key, again;
	struct buffer text = { 0 };
	struct key_file file;

	make(type, passphrase, NOW + 30 * DAYS, &key, &text);
	assert_int_equal(parse(&text, &file), 0);
	assert_string_equal(file.name, "alice");
	assert_string_equal(file.keyid, key.keyid);
	assert_int_equal(file.type, type);
	assert_int_equal(file.created, NOW);
	assert_int_equal(file.expires, NOW + 30 * DAYS);
	assert_true(file.has_secret);
	assert_int_equal(file.is_encrypted, passphrase != NULL);
	assert_int_equal(key_file_open(&file, passphrase, &again), 0);
	assert_memory_equal(again.secret, key.secret, KEY_SECRET_SIZE);
	assert_memory_equal(again.public, key.public, type == KEY_P256 ? 65 : 32);
	key_file_release(&file);
	buffer_release(&text);
}

static void test_keys_come_back_as_they_were(void **state)
{
	(void)state;
	check_round_trip(KEY_ED25519, NULL);
	check_round_trip(KEY_P256, NULL);
	check_round_trip(KEY_ED25519, "correct horse");
	check_round_trip(KEY_P256, "correct horse");
}

static void test_secret_does_not_stand_in_an_encrypted_file(void **state)
{
	struct signing_key key;
	struct buffer text = { 0 };
	uint8_t secret[KEY_SECRET_SIZE];
	char hex[2 * KEY_SECRET_SIZE + 1];

	(void)state;
	make(KEY_ED25519, "correct horse", 0, &key, &text);
	signing_key_secret(&key, secret);
	hex_format(secret, sizeof(secret), hex);
	assert_null(strstr((const char *)text.data, hex));
	assert_null(strstr((const char *)text.data, "correct horse"));
	buffer_release(&text);
}

static void test_wrong_passphrase_opens_nothing(void **state)
{
	struct signing_key key, opened;
	struct buffer text = { 0 };
	struct key_file file;

	(void)state;
	make(KEY_ED25519, "correct horse", 0, &key, &text);
	assert_int_equal(parse(&text, &file), 0);
	assert_int_equal(key_file_open(&file, "correct hors", &opened), -EACCES);
	assert_int_equal(key_file_open(&file, "", &opened), -EACCES);
	assert_int_equal(key_file_open(&file, NULL, &opened), -EACCES);
	key_file_release(&file);
	buffer_release(&text);
}

/* What the file says of its key can't be changed by somebody without the passphrase: a root key that may sign for targets, one
 * that expired. */
static void test_forged_role_name_or_expiry_opens_nothing(void **state)
{
	static const char *const changes[][2] = { { "\"root\"", "\"boot\"" }, { "\"alice\"", "\"alicf\"" }, { "2027-02", "2028-02" } };
	struct signing_key key, opened;
	struct buffer text = { 0 };
	struct key_file file;

	(void)state;
	make(KEY_ED25519, "correct horse", NOW + 30 * DAYS, &key, &text);
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		char *at = strstr((char *)text.data, changes[i][0]);

		assert_non_null(at);
		memcpy(at, changes[i][1], strlen(changes[i][1]));
		assert_int_equal(parse(&text, &file), 0);
		assert_int_equal(key_file_open(&file, "correct horse", &opened), -EACCES);
		key_file_release(&file);
		memcpy(at, changes[i][0], strlen(changes[i][0]));
	}
	buffer_release(&text);
}

static void test_secret_of_another_key_is_refused(void **state)
{
	struct signing_key key, other, opened;
	struct buffer text = { 0 }, other_text = { 0 };
	struct key_file file;
	char *at, *from;

	(void)state;
	make(KEY_ED25519, NULL, 0, &key, &text);
	make(KEY_ED25519, NULL, 0, &other, &other_text);
	at = strstr((char *)text.data, "\"plain\": \"");
	from = strstr((char *)other_text.data, "\"plain\": \"");
	assert_non_null(at);
	memcpy(at, from, 10 + 64);
	assert_int_equal(parse(&text, &file), 0);
	assert_int_equal(key_file_open(&file, NULL, &opened), -EINVAL);
	key_file_release(&file);
	buffer_release(&text);
	buffer_release(&other_text);
}

static void test_first_format_is_read(void **state)
{
	/* RFC 8032, 7.1, test 1. */
	static const char text[] =
		"{ \"format\": 1, \"role\": \"targets\", \"keytype\": \"ed25519\", \"scheme\": \"ed25519\",\n"
		"  \"public\": \"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\",\n"
		"  \"seed\": \"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60\" }\n";
	struct buffer data = { (uint8_t *)(uintptr_t)text, sizeof(text) - 1, 0 };
	struct signing_key key;
	struct key_file file;

	(void)state;
	assert_int_equal(parse(&data, &file), 0);
	assert_string_equal(json_string_value(json_array_get(file.roles, 0)), "targets");
	assert_int_equal(key_file_open(&file, NULL, &key), 0);
	key_file_release(&file);
}

static void refuse(const char *text)
{
	struct buffer data = { (uint8_t *)(uintptr_t)text, strlen(text), 0 };
	struct key_file file;

	if (parse(&data, &file) != -EINVAL)
		fail_msg("was taken for a key file: %s", text);
}

#define PUBLIC "\"keytype\": \"ed25519\", \"scheme\": \"ed25519\", \"keyval\": {\"public\": " \
	"\"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a\"}"
#define SEALED(passes, memory, salt) "\"secret\": {\"kdf\": \"argon2id\", \"passes\": " passes ", \"memory\": " memory ", \"salt\": \"" salt \
	"\", \"cipher\": \"xchacha20-poly1305\", \"nonce\": \"000000000000000000000000000000000000000000000000\", \"sealed\": " \
	"\"000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000\"}"
#define SALT "00000000000000000000000000000000"

static void test_what_is_no_key_file_is_refused(void **state)
{
	(void)state;
	refuse("");
	refuse("[]");
	refuse("{");
	refuse("{\"format\": 3, \"name\": \"a\", " PUBLIC "}");
	refuse("{\"format\": 2, " PUBLIC "}");
	refuse("{\"format\": 2, \"name\": \"../a\", " PUBLIC "}");
	refuse("{\"format\": 2, \"name\": \"a\"}");
	refuse("{\"format\": 2, \"name\": \"a\", \"name\": \"b\", " PUBLIC "}");
	refuse("{\"format\": 2, \"name\": \"a\", \"roles\": \"root\", " PUBLIC "}");
	refuse("{\"format\": 2, \"name\": \"a\", \"expires\": \"tomorrow\", " PUBLIC "}");
	refuse("{\"format\": 2, \"name\": \"a\", \"secret\": {\"plain\": \"00\"}, " PUBLIC "}");
	refuse("{\"format\": 2, \"name\": \"a\", \"keytype\": \"ed25519\", \"scheme\": \"ed25519\", \"keyval\": {\"public\": \"d7\"}}");
	refuse("{\"format\": 2, \"name\": \"a\", \"keytype\": \"dsa\", \"scheme\": \"dsa\", \"keyval\": {\"public\": \"d7\"}}");
}

/* A file from elsewhere must not take all memory or an hour. */
static void test_costly_parameters_are_refused(void **state)
{
	(void)state;
	refuse("{\"format\": 2, \"name\": \"a\", " PUBLIC ", " SEALED("17", "67108864", SALT) "}");
	refuse("{\"format\": 2, \"name\": \"a\", " PUBLIC ", " SEALED("3", "1073741825", SALT) "}");
	refuse("{\"format\": 2, \"name\": \"a\", " PUBLIC ", " SEALED("0", "67108864", SALT) "}");
	refuse("{\"format\": 2, \"name\": \"a\", " PUBLIC ", " SEALED("3", "1", SALT) "}");
	refuse("{\"format\": 2, \"name\": \"a\", " PUBLIC ", " SEALED("3", "67108864", "00") "}");
}

static void test_expired_key_does_not_sign(void **state)
{
	struct passphrases never = { .never = true };
	char folder[] = "/tmp/key-file-test-XXXXXX", path[64], command[80];
	const struct signing_key *opened;
	struct signing_key key;
	struct buffer text = { 0 };
	struct keyring ring;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/alice.key", folder);
	make(KEY_P256, NULL, NOW + DAYS, &key, &text);
	assert_int_equal(file_store(path, text.data, text.size, 0600), 0);
	assert_int_equal(keyring_load(folder, &never, NOW + DAYS - 1, &ring), 0);
	assert_int_equal(ring.count, 1);
	assert_int_equal(keyring_open(&ring, &ring.keys[0], &opened), 0);
	keyring_release(&ring);
	assert_int_equal(keyring_load(folder, &never, NOW + DAYS, &ring), 0);
	assert_int_equal(keyring_open(&ring, &ring.keys[0], &opened), -EKEYEXPIRED);
	keyring_release(&ring);
	assert_int_equal(chmod(path, 0640), 0);
	assert_int_equal(keyring_load(folder, &never, NOW, &ring), -EACCES);
	snprintf(command, sizeof(command), "rm -r '%s'", folder);
	assert_int_equal(system(command), 0);
	buffer_release(&text);
}

static void test_pem_goes_there_and_back(void **state)
{
	struct signing_key key;
	struct buffer pem = { 0 };
	json_t *public, *again;
	char error[160];

	(void)state;
	for (enum key_type type = KEY_ED25519; type <= KEY_P256; type++) {
		assert_int_equal(signing_key_generate(type, &key), 0);
		public = signing_key_public(&key);
		assert_int_equal(public_key_to_pem(public, &pem), 0);
		assert_int_equal(public_key_from_pem(pem.data, pem.size, &again, error), 0);
		assert_true(json_equal(public, again));
		json_decref(public);
		json_decref(again);
		/* One byte less, or another one in the middle, is another key or none, and never a crash. */
		for (size_t i = 0; i < pem.size; i++) {
			pem.data[i] ^= 1;
			if (public_key_from_pem(pem.data, pem.size, &again, error) == 0)
				json_decref(again);
			pem.data[i] ^= 1;
			if (public_key_from_pem(pem.data, i, &again, error) == 0)
				json_decref(again);
		}
		buffer_release(&pem);
	}
}

static void test_private_pem_is_refused(void **state)
{
	static const char text[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
				   "-----END PRIVATE KEY-----\n";
	char error[160];
	json_t *key;

	(void)state;
	assert_int_equal(public_key_from_pem(text, sizeof(text) - 1, &key, error), -EINVAL);
	assert_non_null(strstr(error, "private key"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys_come_back_as_they_were),
		cmocka_unit_test(test_secret_does_not_stand_in_an_encrypted_file),
		cmocka_unit_test(test_wrong_passphrase_opens_nothing),
		cmocka_unit_test(test_forged_role_name_or_expiry_opens_nothing),
		cmocka_unit_test(test_secret_of_another_key_is_refused),
		cmocka_unit_test(test_first_format_is_read),
		cmocka_unit_test(test_what_is_no_key_file_is_refused),
		cmocka_unit_test(test_costly_parameters_are_refused),
		cmocka_unit_test(test_expired_key_does_not_sign),
		cmocka_unit_test(test_pem_goes_there_and_back),
		cmocka_unit_test(test_private_pem_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/sealed.h"

#include <errno.h>
#include <sodium/core.h>
#include <sodium/crypto_aead_xchacha20poly1305.h>
#include <sodium/crypto_generichash.h>
#include <sodium/randombytes.h>
#include <sodium/utils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"

#define KEY_BYTES crypto_aead_xchacha20poly1305_ietf_KEYBYTES
#define NONCE_BYTES crypto_aead_xchacha20poly1305_ietf_NPUBBYTES
#define TAG_BYTES crypto_aead_xchacha20poly1305_ietf_ABYTES
#define HEAD_SIZE 11u /* "1:", key id, ":" */

_Static_assert(KEY_BYTES == sizeof(((struct sealing_key *)0)->bytes), "size of a key");

static void name_key(struct sealing_key *key)
{
	uint8_t hash[crypto_generichash_BYTES_MIN];

	crypto_generichash(hash, sizeof hash, key->bytes, sizeof key->bytes, NULL, 0);
	hex_format(hash, sizeof key->id / 2, key->id);
}

void sealing_key_wipe(struct sealing_key *key)
{
	explicit_bzero(key, sizeof *key);
}

int sealing_key_make(const char *path)
{
	char text[2 * KEY_BYTES + 2];
	uint8_t key[KEY_BYTES];
	int r;

	if (sodium_init() < 0)
		return log_error(-EIO, "can't get random bytes");
	randombytes_buf(key, sizeof key);
	hex_format(key, sizeof key, text);
	strcpy(text + 2 * KEY_BYTES, "\n");
	r = file_store(path, text, sizeof text - 1, 0600);
	explicit_bzero(key, sizeof key);
	explicit_bzero(text, sizeof text);
	return r < 0 ? log_error(r, "can't write %s", path) : 0;
}

int sealing_key_load(const char *path, struct sealing_key *ret_key)
{
	struct buffer text = { 0 };
	struct stat info;
	int r = stat(path, &info) < 0 ? -errno : 0;

	if (r < 0)
		return log_error(r, "can't read %s", path);
	if (info.st_mode & 077) {
		log_error(0, "%s may be read by others; set the passwords that it seals anew if somebody did, and chmod 600 it", path);
		return -EACCES;
	}
	if (sodium_init() < 0)
		return log_error(-EIO, "can't start libsodium");
	r = file_load(path, 4096, &text);
	if (r < 0)
		return log_error(r, "can't read %s", path);
	if (text.size && text.data[text.size - 1] == '\n')
		text.data[--text.size] = 0;
	if (text.size != 2 * KEY_BYTES || hex_parse((const char *)text.data, ret_key->bytes, KEY_BYTES) < 0)
		r = (log_error(0, "%s must hold %u hexadecimal digits; put it back from a backup", path, 2 * KEY_BYTES), -EINVAL);
	else
		name_key(ret_key);
	explicit_bzero(text.data, text.size);
	buffer_release(&text);
	return r;
}

int sealing_key_find(const char *state, struct sealing_key *ret_key)
{
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	char *path = NULL;
	int r = 0;

	if (credentials && *credentials && asprintf(&path, "%s/%s", credentials, SEALING_CREDENTIAL) < 0)
		return -ENOMEM;
	if (path && access(path, F_OK) < 0) {
		free(path);
		path = NULL;
	}
	if (!path) {
		if (asprintf(&path, "%s/%s", state, SEALING_KEY_FILE) < 0)
			return -ENOMEM;
		if (access(path, F_OK) < 0 && errno == ENOENT)
			r = sealing_key_make(path);
	}
	if (!r)
		r = sealing_key_load(path, ret_key);
	free(path);
	return r;
}

int sealed_close(const struct sealing_key *key, const char *purpose, const char *secret, struct buffer *ret_text)
{
	uint8_t sealed[NONCE_BYTES + SEALED_SECRET_MOST + TAG_BYTES];
	size_t size = strlen(secret);
	int r;

	if (size > SEALED_SECRET_MOST)
		return -EINVAL;
	if (sodium_init() < 0)
		return -EIO;
	randombytes_buf(sealed, NONCE_BYTES);
	crypto_aead_xchacha20poly1305_ietf_encrypt(sealed + NONCE_BYTES, NULL, (const uint8_t *)secret, size, (const uint8_t *)purpose,
						   strlen(purpose), NULL, sealed, key->bytes);
	r = buffer_printf(ret_text, "1:%s:", key->id);
	return r < 0 ? r : base64_format(sealed, NONCE_BYTES + size + TAG_BYTES, ret_text);
}

static int open_bytes(const struct sealing_key *key, const char *purpose, const struct buffer *sealed, struct buffer *ret_secret)
{
	uint8_t secret[SEALED_SECRET_MOST];
	unsigned long long size = 0;
	int r = -EBADMSG;

	if (sealed->size < NONCE_BYTES + TAG_BYTES || sealed->size > NONCE_BYTES + sizeof secret + TAG_BYTES)
		return r;
	if (!crypto_aead_xchacha20poly1305_ietf_decrypt(secret, &size, NULL, sealed->data + NONCE_BYTES, sealed->size - NONCE_BYTES,
							(const uint8_t *)purpose, strlen(purpose), sealed->data, key->bytes))
		r = memchr(secret, 0, size) ? -EBADMSG : buffer_add(ret_secret, secret, size);
	explicit_bzero(secret, sizeof secret);
	return r;
}

int sealed_open(const struct sealing_key *key, const char *purpose, const char *text, struct buffer *ret_secret)
{
	struct buffer sealed = { 0 };
	int r;

	if (strlen(text) < HEAD_SIZE || strncmp(text, "1:", 2) || text[HEAD_SIZE - 1] != ':')
		return -EBADMSG;
	if (strncmp(text + 2, key->id, sizeof key->id - 1))
		return -ENOKEY;
	r = base64_parse(text + HEAD_SIZE, &sealed);
	if (!r)
		r = open_bytes(key, purpose, &sealed, ret_secret);
	buffer_release(&sealed);
	return r == -EINVAL ? -EBADMSG : r;
}

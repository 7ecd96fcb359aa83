// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/secret.h"

#include <errno.h>
#include <mbedtls/md.h>
#include <string.h>
#include <sys/random.h>

#include "common/bytes.h"
#include "common/log.h"

static int make(size_t size, char *ret_text)
{
	uint8_t random[TOKEN_SIZE / 2];

	if (getrandom(random, size, 0) != (ssize_t)size)
		return log_error(-errno, "can't get random bytes");
	hex_format(random, size, ret_text);
	explicit_bzero(random, sizeof random);
	return 0;
}

int secret_make(char ret_token[TOKEN_SIZE + 1])
{
	return make(TOKEN_SIZE / 2, ret_token);
}

int secret_make_id(char ret_id[TOKEN_ID_SIZE + 1])
{
	return make(TOKEN_ID_SIZE / 2, ret_id);
}

int digest_text(const void *data, size_t size, char ret_text[DIGEST_TEXT + 1])
{
	uint8_t digest[32];

	if (mbedtls_md(mbedtls_md_info_from_type(MBEDTLS_MD_SHA256), data, size, digest))
		return -EIO;
	hex_format(digest, sizeof digest, ret_text);
	return 0;
}

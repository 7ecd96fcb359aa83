/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A .key or .pub file, or PEM: they come from other people. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "signing/key-file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was taken must be what Repave itself would write. */
static void check_public(const json_t *key)
{
	struct buffer pem = { 0 };
	char error[160];
	json_t *again;

	if (public_key_to_pem(key, &pem) < 0 || public_key_from_pem(pem.data, pem.size, &again, error) < 0 ||
	    !json_equal((json_t *)(uintptr_t)key, again))
		abort();
	json_decref(again);
	buffer_release(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct signing_key key;
	struct key_file file;
	char error[160];
	json_t *public;

	if (key_file_parse(data, size, &file, error) == 0) {
		check_public(file.public);
		if (file.name[0] && !is_key_name(file.name))
			abort();
		/* Argon2 would take all the time; a secret that is there as it is takes none. */
		if (file.has_secret && key_file_open(&file, NULL, &key) == 0 && file.is_encrypted)
			abort();
		key_file_release(&file);
	}
	if (public_key_from_pem(data, size, &public, error) == 0) {
		check_public(public);
		json_decref(public);
	}
	return 0;
}

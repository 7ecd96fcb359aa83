/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "common/bytes.h"
#include "provisioner/rest.h"

#define LABEL "repave slot "
#define SLOT_NAME 2u

int rest_slot_key(const uint8_t key[DMCRYPT_KEY_SIZE], const char *slot, uint8_t ret_key[DMCRYPT_KEY_SIZE])
{
	uint8_t text[sizeof(LABEL) - 1 + SLOT_NAME];

	_Static_assert(DMCRYPT_KEY_SIZE == crypto_generichash_KEYBYTES_MAX && DMCRYPT_KEY_SIZE == crypto_generichash_BYTES_MAX, "BLAKE2b of 512 bits");
	if (strlen(slot) != SLOT_NAME)
		return -EINVAL;
	memcpy(text, LABEL, sizeof(LABEL) - 1);
	memcpy(text + sizeof(LABEL) - 1, slot, SLOT_NAME);
	return crypto_generichash(ret_key, DMCRYPT_KEY_SIZE, text, sizeof(text), key, DMCRYPT_KEY_SIZE) == 0 ? 0 : -EINVAL;
}

void rest_check(const uint8_t key[DMCRYPT_KEY_SIZE], char ret_check[REST_CHECK + 1])
{
	uint8_t check[HOME_CHECK_SIZE];

	dmcrypt_check(key, check);
	hex_format(check, sizeof(check), ret_check);
}

bool rest_is_plain(const uint8_t *head, size_t size)
{
	return size >= 4 && memcmp(head, "hsqs", 4) == 0;
}

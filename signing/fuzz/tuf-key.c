/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A key object, with a signature beside it as "sig" and what it signs as "message" (a member that verify_key_parse lets be). */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "signing/verify-key.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct verify_message message;
	struct verify_key key, again;
	char error[TREE_ERROR_SIZE], text[256];
	struct tree tree;

	if (tree_parse(data, size, &tree, error) < 0 || verify_key_parse(tree, &key) < 0)
		return 0;
	if (verify_key_parse(tree, &again) < 0 || again.kind != key.kind ||
	    memcmp(again.fingerprint, key.fingerprint, sizeof(key.fingerprint)) != 0)
		abort();
	if (tree_string(tree_get(tree, "message"), text, sizeof(text)) < 0)
		text[0] = '\0';
	verify_message_init(text, strlen(text), &message);
	if (verify_key_check(&key, &message, tree_get(tree, "sig")) != verify_key_check(&again, &message, tree_get(tree, "sig")))
		abort();
	verify_key_release(&key);
	verify_key_release(&again);
	return 0;
}

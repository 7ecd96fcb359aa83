/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/document-json.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signing/canonical.h"
#include "signing/sha256.h"

json_t *tree_to_json(struct tree value)
{
	return tree_is_none(value) ? NULL : json_loadb(value.text, tree_span(value), JSON_DECODE_ANY, NULL);
}

json_t *tuf_document_to_json(const struct tuf_document *document)
{
	return tree_to_json(document->body);
}

int json_canonical_format(const json_t *value, struct buffer *ret_text)
{
	char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY), error[TREE_ERROR_SIZE];
	struct tree tree;
	int r = text ? tree_parse(text, strlen(text), &tree, error) : -ENOMEM;

	if (r == 0)
		r = canonical_format(tree, ret_text);
	free(text);
	return r == -EBADMSG ? -EINVAL : r;
}

int json_canonical_sha256(const json_t *value, uint8_t ret_digest[32])
{
	struct buffer text = { 0 };
	int r = json_canonical_format(value, &text);

	if (r == 0)
		sha256_once(text.data, text.size, ret_digest);
	buffer_release(&text);
	return r;
}

int json_keyid(const json_t *key, char ret_keyid[65])
{
	uint8_t digest[SHA256_SIZE];
	int r = json_canonical_sha256(key, digest);

	if (r == 0)
		hex_format(digest, sizeof(digest), ret_keyid);
	return r;
}

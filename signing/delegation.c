/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delegations of a targets document: who they name, and for which paths. */
#include <string.h>

#include "signing/format-private.h"
#include "signing/sha256.h"

struct tree_steps tuf_delegations_begin(const struct tuf_document *targets)
{
	return tree_begin(tree_get(tree_get(targets->body, "delegations"), "roles"));
}

bool tuf_delegations_next(const struct tuf_document *targets, struct tree_steps *steps,
			  struct tuf_delegation *ret_delegation)
{
	struct tree role;

	if (!tree_next(steps))
		return false;
	role = steps->value;
	*ret_delegation = (struct tuf_delegation){
		.signers = { .keys = tree_get(tree_get(targets->body, "delegations"), "keys"),
			     .keyids = tree_get(role, "keyids") },
		.terminating = tree_kind(tree_get(role, "terminating")) == TREE_TRUE,
		.paths = tree_get(role, "paths"),
		.path_hash_prefixes = tree_get(role, "path_hash_prefixes"),
	};
	tree_string(tree_get(role, "name"), ret_delegation->name, sizeof(ret_delegation->name));
	tree_u64(tree_get(role, "threshold"), &ret_delegation->signers.threshold);
	return true;
}

static bool matches(const char *path, struct tree pattern)
{
	char text[TUF_PATTERN_MOST + 1];

	return tree_string(pattern, text, sizeof(text)) == 0 && tuf_path_matches(path, text);
}

/* Whether the hexadecimal digits begin with this prefix, letter by letter. */
static bool begins_with(const char *digits, struct tree prefix)
{
	struct tree_bytes bytes = tree_bytes_begin(prefix);
	int c;

	while ((c = tree_bytes_next(&bytes)) >= 0)
		if (c == 0 || *digits++ != (char)c)
			return false;
	return true;
}

bool tuf_delegation_covers(const struct tuf_delegation *delegation, const char *path)
{
	struct tree_steps paths = tree_begin(delegation->paths), prefixes = tree_begin(delegation->path_hash_prefixes);
	uint8_t digest[SHA256_SIZE];
	char digits[2 * SHA256_SIZE + 1];

	while (tree_next(&paths))
		if (matches(path, paths.value))
			return true;
	sha256_once(path, strlen(path), digest);
	hex_format(digest, sizeof(digest), digits);
	while (tree_next(&prefixes))
		if (begins_with(digits, prefixes.value))
			return true;
	return false;
}

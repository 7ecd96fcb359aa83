/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose signatures a document has, and whether they are enough. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "signing/canonical.h"
#include "signing/format-private.h"
#include "signing/verify-key.h"

void tuf_root_signers(const struct tuf_document *root, enum tuf_type role, struct tuf_signers *ret_signers)
{
	struct tree signers = tree_get(tree_get(root->body, "roles"), tuf_type_name(role));

	*ret_signers = (struct tuf_signers){ .keys = tree_get(root->body, "keys"), .keyids = tree_get(signers, "keyids") };
	tree_u64(tree_get(signers, "threshold"), &ret_signers->threshold);
}

int tuf_keyid(struct tree key, char ret_keyid[65])
{
	uint8_t digest[SHA256_SIZE];
	int r = canonical_sha256(key, digest);

	if (r == 0)
		hex_format(digest, sizeof(digest), ret_keyid);
	return r;
}

/* ------------------------------------------------------------------ counting */

static struct tree find_key(struct tree keys, struct tree keyid)
{
	struct tree_steps steps = tree_begin(keys);

	while (tree_next(&steps))
		if (tree_compare(steps.key, keyid) == 0)
			return steps.value;
	return (struct tree){ 0 };
}

static struct tree find_signature(const struct tuf_document *document, struct tree keyid)
{
	struct tree_steps steps = tree_begin(document->signatures);

	while (tree_next(&steps))
		if (tree_compare(tree_get(steps.value, "keyid"), keyid) == 0)
			return tree_get(steps.value, "sig");
	return (struct tree){ 0 };
}

/* Fingerprints of the keys that have signed. */
struct counted {
	uint8_t keys[TUF_SIGNERS_MOST][SHA256_SIZE];
	size_t count;
};

static bool is_counted(const struct counted *counted, const struct verify_key *key)
{
	for (size_t i = 0; i < counted->count; i++)
		if (memcmp(counted->keys[i], key->fingerprint, SHA256_SIZE) == 0)
			return true;
	return false;
}

/* Counts the key behind a key id if it has signed. A key that can't be used is as good as absent. 0 or -ENOMEM. */
static int count_key(struct verify_message *message, struct tree key, struct tree signature,
		     struct counted *counted)
{
	struct verify_key public;
	int r = verify_key_parse(key, &public);

	if (r < 0)
		return r == -ENOMEM ? r : 0;
	if (counted->count < TUF_SIGNERS_MOST && !is_counted(counted, &public) &&
	    verify_key_check(&public, message, signature))
		memcpy(counted->keys[counted->count++], public.fingerprint, SHA256_SIZE);
	verify_key_release(&public);
	return 0;
}

/* Only where the file's own bytes aren't the canonical form there is a copy, in `text`: targets metadata is large. */
static int find_message(struct tree body, struct buffer *text, struct verify_message *ret_message)
{
	int r;

	if (canonical_is_text(body)) {
		verify_message_init(body.text, tree_span(body), ret_message);
		return 0;
	}
	r = canonical_format(body, text);
	if (r == 0)
		verify_message_init(text->data, text->size, ret_message);
	return r;
}

int tuf_count_signatures(const struct tuf_document *document, const struct tuf_signers *signers, uint64_t *ret_count)
{
	struct tree_steps steps = tree_begin(signers->keyids);
	struct counted *counted = calloc(1, sizeof(*counted));
	struct verify_message message;
	struct buffer text = { 0 };
	int r = counted ? find_message(document->body, &text, &message) : -ENOMEM;

	*ret_count = 0;
	while (r == 0 && tree_next(&steps)) {
		struct tree signature = find_signature(document, steps.value);

		if (!tree_is_none(signature))
			r = count_key(&message, find_key(signers->keys, steps.value), signature, counted);
	}
	if (r == 0)
		*ret_count = counted->count;
	buffer_release(&text);
	free(counted);
	/* What has no canonical form can't have been signed. */
	return r == -EINVAL ? 0 : r;
}

int tuf_check_signatures(const struct tuf_document *document, const struct tuf_signers *signers, char *ret_error)
{
	uint64_t count;
	int r = tuf_count_signatures(document, signers, &count);

	if (r < 0) {
		tuf_bad(ret_error, "out of memory");
		return r;
	}
	if (signers->threshold == 0 || count < signers->threshold)
		return tuf_bad(ret_error, "has %" PRIu64 " valid signature%s of trusted keys, but %" PRIu64 " %s needed",
			       count, count == 1 ? "" : "s", signers->threshold, signers->threshold == 1 ? "is" : "are");
	return 0;
}

/* ------------------------------------------------------------------ comparing roles */

static bool has_keyid(struct tree keyids, struct tree keyid)
{
	struct tree_steps steps = tree_begin(keyids);

	while (tree_next(&steps))
		if (tree_compare(steps.value, keyid) == 0)
			return true;
	return false;
}

static bool is_same_key(struct tree a, struct tree b)
{
	uint8_t left[SHA256_SIZE], right[SHA256_SIZE];

	if (tree_is_none(a) && tree_is_none(b))
		return true;
	return canonical_sha256(a, left) == 0 && canonical_sha256(b, right) == 0 && memcmp(left, right, SHA256_SIZE) == 0;
}

/* As a set: key ids in another order are the same signers. */
static bool is_subset(const struct tuf_signers *a, const struct tuf_signers *b)
{
	struct tree_steps steps = tree_begin(a->keyids);

	while (tree_next(&steps))
		if (!has_keyid(b->keyids, steps.value) ||
		    !is_same_key(find_key(a->keys, steps.value), find_key(b->keys, steps.value)))
			return false;
	return true;
}

bool tuf_signers_equal(const struct tuf_signers *a, const struct tuf_signers *b)
{
	return a->threshold == b->threshold && is_subset(a, b) && is_subset(b, a);
}

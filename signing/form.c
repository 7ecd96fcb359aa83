/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The form of metadata: what specification 1.0 says must be there and of which kind. What it doesn't define is let be. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "signing/format-private.h"

#define LABEL 100

/* "1.N" or "1.N.M": other major versions may mean something else by the same fields. */
static bool is_known_spec(const char *text)
{
	size_t digits;

	if (strncmp(text, "1.", 2) != 0)
		return false;
	text += 2;
	digits = strspn(text, "0123456789");
	if (digits == 0)
		return false;
	if (text[digits] == '\0')
		return true;
	text += digits + 1;
	digits = strspn(text, "0123456789");
	return text[-1] == '.' && digits > 0 && text[digits] == '\0';
}

/* Positive and at most INT64_MAX. */
static bool get_positive(struct tree object, const char *key, uint64_t *ret_value)
{
	return tree_u64(tree_get(object, key), ret_value) == 0 && *ret_value > 0;
}

static bool is_kind(struct tree object, const char *key, enum tree_kind kind)
{
	return tree_kind(tree_get(object, key)) == kind;
}

static int compare_strings(const void *a, const void *b)
{
	const struct tree *left = a, *right = b;

	return tree_compare(*left, *right);
}

/* A list of strings, or of objects with a string of that name. -EEXIST when one is there twice; or -ENOMEM. */
static int check_differ(struct tree list, const char *name, struct tree *ret_twice)
{
	struct tree_steps steps = tree_begin(list);
	size_t count = tree_count(list), at = 0;
	struct tree *all = calloc(count + 1, sizeof(*all));
	int r = 0;

	if (!all)
		return -ENOMEM;
	while (at < count && tree_next(&steps))
		all[at++] = name ? tree_get(steps.value, name) : steps.value;
	if (count > 1)
		qsort(all, count, sizeof(*all), compare_strings);
	for (size_t i = 1; r == 0 && i < count; i++)
		if (tree_compare(all[i - 1], all[i]) == 0) {
			*ret_twice = all[i];
			r = -EEXIST;
		}
	free(all);
	return r;
}

static int refuse_twice(struct tree list, const char *name, const char *what, char *error)
{
	struct tree twice = { 0 };
	char label[LABEL];
	int r = check_differ(list, name, &twice);

	if (r == -EEXIST)
		return tuf_bad(error, "%s %s is listed twice", what, tree_label(twice, label, sizeof(label)));
	if (r < 0)
		tuf_bad(error, "out of memory");
	return r;
}

/* ------------------------------------------------------------------ keys and signers */

static int check_signature_list(struct tree signatures, char *error)
{
	struct tree_steps steps = tree_begin(signatures);
	size_t n = 0;

	for (; tree_next(&steps); n++) {
		if (!is_kind(steps.value, "keyid", TREE_STRING) || !is_kind(steps.value, "sig", TREE_STRING))
			return tuf_bad(error, "signatures[%zu] needs \"keyid\" and \"sig\"", n);
	}
	if (n > TUF_SIGNERS_MOST)
		return tuf_bad(error, "has %zu signatures; %u is the most that is looked at", n, TUF_SIGNERS_MOST);
	/* Specification 4.2.1. */
	return refuse_twice(signatures, "keyid", "a signature of key", error);
}

static int check_keys(struct tree keys, char *error)
{
	struct tree_steps steps = tree_begin(keys);
	char label[LABEL];

	if (tree_kind(keys) != TREE_OBJECT)
		return tuf_bad(error, "\"keys\" must be an object");
	while (tree_next(&steps)) {
		if (!is_kind(steps.value, "keytype", TREE_STRING) || !is_kind(steps.value, "scheme", TREE_STRING) ||
		    !is_kind(steps.value, "keyval", TREE_OBJECT))
			return tuf_bad(error, "key %s needs \"keytype\", \"scheme\" and \"keyval\"",
				       tree_label(steps.key, label, sizeof(label)));
	}
	return 0;
}

static int check_signers(struct tree role, const char *name, char *error)
{
	struct tree keyids = tree_get_kind(role, "keyids", TREE_ARRAY);
	struct tree_steps steps = tree_begin(keyids);
	uint64_t threshold;
	size_t n = 0;
	int r;

	if (tree_is_none(keyids))
		return tuf_bad(error, "role %s needs a list \"keyids\"", name);
	for (; tree_next(&steps); n++)
		if (tree_kind(steps.value) != TREE_STRING)
			return tuf_bad(error, "role %s: \"keyids\" must be strings", name);
	if (n > TUF_SIGNERS_MOST)
		return tuf_bad(error, "role %s has %zu keys; %u is the most that is looked at", name, n, TUF_SIGNERS_MOST);
	r = refuse_twice(keyids, NULL, "key id", error);
	if (r < 0)
		return r;
	if (!get_positive(role, "threshold", &threshold))
		return tuf_bad(error, "role %s: \"threshold\" must be a number of at least 1", name);
	return 0;
}

/* ------------------------------------------------------------------ root */

static int check_root(struct tree body, char *error)
{
	struct tree roles = tree_get(body, "roles"), consistent = tree_get(body, "consistent_snapshot");
	int r = check_keys(tree_get(body, "keys"), error);

	if (!tree_is_none(consistent) && tree_kind(consistent) != TREE_TRUE && tree_kind(consistent) != TREE_FALSE)
		return tuf_bad(error, "\"consistent_snapshot\" must be true or false");
	for (unsigned type = TUF_ROOT; r == 0 && type <= TUF_TARGETS; type++)
		r = check_signers(tree_get(roles, tuf_type_name(type)), tuf_type_name(type), error);
	return r;
}

/* ------------------------------------------------------------------ timestamp and snapshot */

static int check_hashes(struct tree hashes, struct tree name, char *error)
{
	struct tree_steps steps = tree_begin(hashes);
	char label[LABEL], algorithm[32];

	tree_label(name, label, sizeof(label));
	if (tree_kind(hashes) != TREE_OBJECT || tree_count(hashes) == 0)
		return tuf_bad(error, "%s: \"hashes\" must be an object with at least one hash", label);
	while (tree_next(&steps)) {
		if (tree_kind(steps.value) != TREE_STRING)
			return tuf_bad(error, "%s: hash %s must be a string", label,
				       tree_label(steps.key, algorithm, sizeof(algorithm)));
	}
	return 0;
}

/* "meta" of timestamp and snapshot; `needed` must be in it. */
static int check_meta(struct tree body, const char *needed, char *error)
{
	struct tree meta = tree_get_kind(body, "meta", TREE_OBJECT);
	struct tree_steps steps = tree_begin(meta);
	char label[LABEL];
	uint64_t number;

	if (tree_is_none(tree_get(meta, needed)))
		return tuf_bad(error, "\"meta\" must name %s", needed);
	while (tree_next(&steps)) {
		struct tree hashes = tree_get(steps.value, "hashes");
		int r = tree_u64(tree_get(steps.value, "length"), &number);

		if (r < 0 && r != -ENOENT)
			return tuf_bad(error, "%s: \"length\" must be a number",
				       tree_label(steps.key, label, sizeof(label)));
		if (!get_positive(steps.value, "version", &number))
			return tuf_bad(error, "%s: \"version\" must be a number of at least 1",
				       tree_label(steps.key, label, sizeof(label)));
		if (!tree_is_none(hashes) && check_hashes(hashes, steps.key, error) < 0)
			return -EBADMSG;
	}
	return 0;
}

/* ------------------------------------------------------------------ targets */

static bool is_list_of_strings(struct tree list)
{
	struct tree_steps steps = tree_begin(list);

	while (tree_next(&steps))
		if (tree_kind(steps.value) != TREE_STRING)
			return false;
	return tree_kind(list) == TREE_ARRAY;
}

static int check_delegation(struct tree role, char *error)
{
	struct tree paths = tree_get(role, "paths"), prefixes = tree_get(role, "path_hash_prefixes");
	enum tree_kind terminating = tree_kind(tree_get(role, "terminating"));
	char name[TUF_ROLE_SIZE], label[LABEL];
	int r = tree_string(tree_get(role, "name"), name, sizeof(name));

	tree_label(tree_get(role, "name"), label, sizeof(label));
	if (r < 0 || !name[0])
		return tuf_bad(error, "a delegated role needs a \"name\" of 1 to %d bytes", TUF_ROLE_SIZE - 1);
	if (tuf_is_top_level(name))
		return tuf_bad(error, "a delegated role can't have the name %s of a top-level role", label);
	r = check_signers(role, label, error);
	if (r < 0)
		return r;
	if (terminating != TREE_TRUE && terminating != TREE_FALSE)
		return tuf_bad(error, "role %s: \"terminating\" must be true or false", label);
	if (tree_is_none(paths) == tree_is_none(prefixes))
		return tuf_bad(error, "role %s needs one of \"paths\" and \"path_hash_prefixes\", and not both", label);
	if (!is_list_of_strings(tree_is_none(paths) ? prefixes : paths))
		return tuf_bad(error, "role %s: \"%s\" must be a list of strings", label,
			       tree_is_none(paths) ? "path_hash_prefixes" : "paths");
	return 0;
}

static int check_delegations(struct tree delegations, char *error)
{
	struct tree roles = tree_get_kind(delegations, "roles", TREE_ARRAY);
	struct tree_steps steps = tree_begin(roles);
	int r;

	if (tree_is_none(roles))
		return tuf_bad(error, "\"delegations\" needs a list \"roles\"");
	r = check_keys(tree_get(delegations, "keys"), error);
	while (r == 0 && tree_next(&steps))
		r = check_delegation(steps.value, error);
	return r < 0 ? r : refuse_twice(roles, "name", "delegated role", error);
}

static int check_target(struct tree path, struct tree target, char *error)
{
	struct tree custom = tree_get(target, "custom");
	char label[LABEL];
	uint64_t length;

	if (tree_u64(tree_get(target, "length"), &length) < 0)
		return tuf_bad(error, "target %s: \"length\" must be a number", tree_label(path, label, sizeof(label)));
	if (!tree_is_none(custom) && tree_kind(custom) != TREE_OBJECT)
		return tuf_bad(error, "target %s: \"custom\" must be an object", tree_label(path, label, sizeof(label)));
	return check_hashes(tree_get(target, "hashes"), path, error);
}

static int check_targets(struct tree body, char *error)
{
	struct tree targets = tree_get_kind(body, "targets", TREE_OBJECT), delegations = tree_get(body, "delegations");
	struct tree_steps steps = tree_begin(targets);
	int r = 0;

	if (tree_is_none(targets))
		return tuf_bad(error, "\"targets\" must be an object");
	while (r == 0 && tree_next(&steps))
		r = check_target(steps.key, steps.value, error);
	if (r == 0 && !tree_is_none(delegations))
		r = check_delegations(delegations, error);
	return r;
}

/* ------------------------------------------------------------------ all of it */

static int check_body(enum tuf_type type, struct tree body, char *error)
{
	switch (type) {
	case TUF_ROOT:
		return check_root(body, error);
	case TUF_TIMESTAMP:
		return check_meta(body, "snapshot.json", error);
	case TUF_SNAPSHOT:
		return check_meta(body, "targets.json", error);
	case TUF_TARGETS:
		return check_targets(body, error);
	}
	return -EBADMSG;
}

static int check_envelope(struct tree whole, struct tuf_document *document, char *error)
{
	const char *name = tuf_type_name(document->type);
	char text[32], label[32];
	struct tree spec, type;

	document->body = tree_get_kind(whole, "signed", TREE_OBJECT);
	document->signatures = tree_get_kind(whole, "signatures", TREE_ARRAY);
	if (tree_is_none(document->body) || tree_is_none(document->signatures))
		return tuf_bad(error, "isn't TUF metadata: no \"signed\" or no \"signatures\"");
	type = tree_get(document->body, "_type");
	if (!tree_is(type, name))
		return tuf_bad(error, "has type \"%s\", not \"%s\"", tree_label(type, label, sizeof(label)), name);
	spec = tree_get(document->body, "spec_version");
	if (tree_string(spec, text, sizeof(text)) < 0 || !is_known_spec(text))
		return tuf_bad(error, "has specification version \"%s\"; only 1.x is known",
			       tree_label(spec, label, sizeof(label)));
	if (!get_positive(document->body, "version", &document->version))
		return tuf_bad(error, "\"version\" must be a number of at least 1");
	if (tree_string(tree_get(document->body, "expires"), text, sizeof(text)) < 0 ||
	    tuf_time_parse(text, &document->expires) < 0)
		return tuf_bad(error, "\"expires\" must be a time such as 2030-01-01T00:00:00Z");
	return check_signature_list(document->signatures, error);
}

int tuf_check_form(struct tree whole, struct tuf_document *document, char *ret_error)
{
	int r = check_envelope(whole, document, ret_error);

	return r < 0 ? r : check_body(document->type, document->body, ret_error);
}

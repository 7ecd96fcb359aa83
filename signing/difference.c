/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/difference.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "signing/author.h"

#define HASH_SHOWN 16

/* Bodies, and where their keys and names are. */
struct two {
	const json_t *before, *after;
};

static struct two member(struct two two, const char *name)
{
	return (struct two){ json_object_get(two.before, name), json_object_get(two.after, name) };
}

static bool is_same(struct two two)
{
	return two.before == two.after || (two.before && two.after && json_equal(two.before, two.after));
}

static int add(json_t *list, const char *what, const char *name, const char *role, struct two two)
{
	const char *change = !two.before ? "added" : !two.after ? "removed" : "changed";

	return json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s*, s:O*, s:O*}", "change", change, "what", what, "name", name,
						     "role", role, "before", two.before, "after", two.after));
}

/* What is in either object and not the same in both. */
static int compare_members(json_t *list, const char *what, struct two two)
{
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach((json_t *)(uintptr_t)two.before, name, value) {
		struct two pair = { value, json_object_get(two.after, name) };

		if (r == 0 && !is_same(pair))
			r = add(list, what, name, NULL, pair);
	}
	json_object_foreach((json_t *)(uintptr_t)two.after, name, value) {
		if (r == 0 && !json_object_get(two.before, name))
			r = add(list, what, name, NULL, (struct two){ NULL, value });
	}
	return r;
}

/* ------------------------------------------------------------------ who signs */

/* A key with its name, or NULL when the role doesn't have it. Key ids are names that anybody may give to another key. */
static json_t *key_of(const json_t *role, const json_t *keys, const json_t *names, const char *keyid)
{
	const json_t *keyids = json_object_get(role, "keyids");

	for (size_t i = 0; i < json_array_size(keyids); i++)
		if (strcmp(json_string_value(json_array_get(keyids, i)), keyid) == 0)
			return json_pack("{s:O*, s:O*}", "name", json_object_get(names, keyid), "key", json_object_get(keys, keyid));
	return NULL;
}

static int compare_keys(json_t *list, const char *role, const json_t *keyids, struct two roles, struct two keys, struct two names,
			bool only_new)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(keyids); i++) {
		const char *keyid = json_string_value(json_array_get(keyids, i));
		json_t *before = key_of(roles.before, keys.before, names.before, keyid);
		json_t *after = key_of(roles.after, keys.after, names.after, keyid);

		if (!is_same((struct two){ before, after }) && !(only_new && before))
			r = add(list, "key", keyid, role, (struct two){ before, after });
		json_decref(before);
		json_decref(after);
	}
	return r;
}

static int compare_role(json_t *list, const char *role, struct two roles, struct two keys, struct two names)
{
	struct two threshold = member(roles, "threshold"), keyids = member(roles, "keyids");
	int r = 0;

	if (!is_same(threshold))
		r = add(list, "threshold", role, role, threshold);
	if (r == 0)
		r = compare_keys(list, role, keyids.before, roles, keys, names, false);
	return r == 0 ? compare_keys(list, role, keyids.after, roles, keys, names, true) : r;
}

static int compare_top(json_t *list, struct two two)
{
	static const char *const top[] = { "root", "targets", "snapshot", "timestamp" };
	struct two roles = member(two, "roles");
	int r = 0;

	for (size_t i = 0; r == 0 && i < sizeof(top) / sizeof(*top); i++)
		r = compare_role(list, top[i], member(roles, top[i]), member(two, "keys"), member(two, AUTHOR_NAMES));
	return r;
}

/* ------------------------------------------------------------------ delegations */

/* Delegations by their names, without what compare_role compares; "place" is the order in which they are asked. */
static json_t *by_name(const json_t *delegations, bool whole)
{
	const json_t *roles = json_object_get(delegations, "roles");
	json_t *all = json_object();

	for (size_t i = 0; i < json_array_size(roles); i++) {
		json_t *role = json_copy(json_array_get(roles, i));
		const char *name = json_get_string(role, "name");

		if (name && !whole) {
			json_object_set_new(role, "place", json_integer((json_int_t)i + 1));
			json_object_del(role, "keyids");
			json_object_del(role, "threshold");
		}
		if (name)
			json_object_set(all, name, role);
		json_decref(role);
	}
	return all;
}

static int compare_delegations(json_t *list, struct two two)
{
	struct two delegations = member(two, "delegations");
	json_t *before = by_name(delegations.before, false), *after = by_name(delegations.after, false);
	json_t *old = by_name(delegations.before, true), *new = by_name(delegations.after, true), *value;
	const char *name;
	int r = before && after && old && new ? compare_members(list, "delegation", (struct two){ before, after }) : -1;

	json_object_foreach(new, name, value) {
		if (r == 0)
			r = compare_role(list, name, (struct two){ json_object_get(old, name), value }, member(delegations, "keys"),
					 member(two, AUTHOR_NAMES));
	}
	json_decref(before);
	json_decref(after);
	json_decref(old);
	json_decref(new);
	return r;
}

/* ------------------------------------------------------------------ all of it */

static bool is_compared(const char *name)
{
	static const char *const names[] = { "version", "expires", "roles", "keys", "targets", "delegations", AUTHOR_NAMES };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int compare_fields(json_t *list, struct two two)
{
	json_t *all = json_array(), *entry;
	int r = all ? compare_members(all, "field", two) : -1;

	for (size_t i = 0; r == 0 && i < json_array_size(all); i++) {
		entry = json_array_get(all, i);
		if (!is_compared(json_get_string(entry, "name")))
			r = json_array_append(list, entry);
	}
	json_decref(all);
	return r;
}

json_t *difference_of(const json_t *before, const json_t *after)
{
	struct two two = { before, after };
	json_t *list = json_array();
	int r = list ? compare_members(list, "target", member(two, "targets")) : -1;

	if (r == 0)
		r = compare_delegations(list, two);
	if (r == 0)
		r = compare_top(list, two);
	if (r == 0 && before)
		r = compare_fields(list, two);
	if (r == 0)
		return list;
	json_decref(list);
	return NULL;
}

/* ------------------------------------------------------------------ printing */

static void put(FILE *to, const char *text, size_t most)
{
	for (size_t i = 0; text && text[i] && i < most; i++)
		putc(text[i] < 0x20 || text[i] > 0x7e ? '?' : text[i], to);
}

static void put_target(FILE *to, const json_t *target)
{
	const json_t *custom = json_object_get(target, "custom");
	const char *version = json_get_string(custom, "version"), *cmdline = json_get_string(json_object_get(custom, "os"), "cmdline");
	const char *root_hash = json_get_string(json_object_get(custom, "verity"), "root_hash");
	const char *sha256 = json_get_string(json_object_get(target, "hashes"), "sha256");

	if (version)
		fputs(", version ", to);
	put(to, version, 64);
	fputs(root_hash ? ", root hash " : ", SHA-256 ", to);
	put(to, root_hash ? root_hash : sha256 ? sha256 : "-", HASH_SHOWN);
	fputs("...", to);
	if (cmdline)
		fputs(", cmdline ", to); /* the kernel's: it decides as much as the image does */
	put(to, cmdline, 256);
}

static void put_paths(FILE *to, const json_t *delegation)
{
	char *text = json_dumps(json_object_get(delegation, "paths"), JSON_ENCODE_ANY | JSON_ENSURE_ASCII);

	fprintf(to, ", place %" JSON_INTEGER_FORMAT ", paths %s%s", json_integer_value(json_object_get(delegation, "place")),
		text ? text : "by hash", json_is_true(json_object_get(delegation, "terminating")) ? ", terminating" : "");
	free(text);
}

static void put_change(FILE *to, const json_t *entry)
{
	const char *change = json_get_string(entry, "change"), *what = json_get_string(entry, "what");
	const char *name = json_get_string(entry, "name"), *role = json_get_string(entry, "role");
	const json_t *before = json_object_get(entry, "before"), *after = json_object_get(entry, "after");
	const json_t *value = after ? after : before;

	fprintf(to, "  %-7s  %-10s  ", change, what);
	if (strcmp(what, "key") == 0) {
		put(to, json_get_string(value, "name"), 64);
		fputs(" ", to);
		put(to, name, HASH_SHOWN);
		fputs("... of ", to);
		put(to, role, 256);
	} else {
		put(to, name, 1024);
	}
	if (strcmp(what, "target") == 0)
		put_target(to, value);
	else if (strcmp(what, "delegation") == 0)
		put_paths(to, value);
	else if (strcmp(what, "threshold") == 0)
		fprintf(to, ": %" JSON_INTEGER_FORMAT " -> %" JSON_INTEGER_FORMAT, json_integer_value(before), json_integer_value(after));
	putc('\n', to);
}

static void put_stand(FILE *to, const json_t *body)
{
	const json_int_t version = json_integer_value(json_object_get(body, "version"));

	fprintf(to, "version %" JSON_INTEGER_FORMAT ", good until ", version);
	put(to, json_get_string(body, "expires"), 24);
}

void difference_print_changes(FILE *to, const json_t *difference)
{
	for (size_t i = 0; i < json_array_size(difference); i++)
		put_change(to, json_array_get(difference, i));
}

void difference_print(FILE *to, const char *role, const json_t *before, const json_t *after, const json_t *difference)
{
	put(to, role, 256);
	fputs(": ", to);
	put_stand(to, after);
	if (before) {
		fputs("; published is ", to);
		put_stand(to, before);
	}
	fputs(json_array_size(difference) == 0 ? "; nothing else changes\n" : "\n", to);
	difference_print_changes(to, difference);
}

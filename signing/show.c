/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "signing/client.h"
#include "signing/repository-private.h"
#include "signing/signers.h"
#include "signing/verified.h"

struct listing {
	json_t *roles, *targets, *staged;
	int staged_error; /* of reading what is staged: said, and the rest is shown */
};

/* How long before expiry a role is marked, in days, by enum tuf_type: in time for those who have to fetch its keys. */
static const int64_t soon_days[] = { [TUF_ROOT] = 60, [TUF_TIMESTAMP] = 1, [TUF_SNAPSHOT] = 3, [TUF_TARGETS] = 21 };

/* ------------------------------------------------------------------ roles */

static bool is_published(const struct repository *repository)
{
	return repository->roles[TUF_ROOT].published != NULL;
}

/* What is published, whatever is staged; before the first root is published, what is going to be. */
static json_t *document_of(const struct repository *repository, const struct repository_role *role)
{
	return is_published(repository) ? role->published : role->staged;
}

static json_t *published_body(const struct repository *repository, const char *role)
{
	const struct repository_role *found = repository_role(repository, role);

	return found ? json_object_get(document_of(repository, found), "signed") : NULL;
}

static int published_signers(const struct repository *repository, const char *role, struct signers *ret_signers)
{
	int r = signers_of_top(published_body(repository, "root"), role, ret_signers);

	return r == 0 ? 0 : signers_of_delegated(published_body(repository, "targets"), role, ret_signers);
}

static int add_signers(const struct signers *signers, enum tuf_type type, const json_t *document, json_t *entry)
{
	json_t *list = json_array();
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < json_array_size(signers->keyids); i++) {
		const char *keyid = json_string_value(json_array_get(signers->keyids, i));
		const json_t *name = json_object_get(signers->names, keyid);
		enum key_type kind;
		bool known = public_key_type(json_object_get(signers->keys, keyid), &kind) == 0, valid = false;

		if (document)
			r = signers_has_signed(signers, type, document, keyid, &valid);
		if (r == 0 && json_array_append_new(list, json_pack("{s:s, s:O*, s:s, s:b}", "keyid", keyid, "name", name, "type",
								    known ? key_type_name(kind) : "unknown", "signed",
								    valid)) < 0)
			r = -ENOMEM;
	}
	if (r == 0 && json_object_set(entry, "signers", list) < 0)
		r = -ENOMEM;
	json_decref(list);
	return r;
}

static int add_role(const struct repository *repository, const struct repository_role *role, int64_t now, json_t *roles)
{
	const json_t *delegation = delegation_of(published_body(repository, "targets"), role->name);
	const json_t *document = document_of(repository, role);
	const char *expires = json_get_string(json_object_get(document, "signed"), "expires");
	struct signers signers;
	uint64_t count = 0;
	int64_t time = 0;
	bool complete = false;
	json_t *entry;
	int r = published_signers(repository, role->name, &signers);

	if (r == -ENOENT)
		return 0; /* was delegated once */
	if (r == 0 && document)
		r = signers_count(&signers, role->type, document, &count, &complete);
	if (r < 0)
		return r;
	if (expires)
		tuf_time_parse(expires, &time);
	entry = json_pack("{s:s, s:b, s:I, s:s*, s:b, s:I, s:b, s:I, s:I, s:I, s:O*, s:O*}", "role", role->name, "delegated",
			  delegation != NULL, "version", (json_int_t)role->version, "expires", expires, "expired", expires && time <= now, "days_left",
			  (json_int_t)((time - now + DAY / 2) / DAY), "expires_soon", expires && time - now < soon_days[role->type] * DAY,
			  "threshold", (json_int_t)signers.threshold, "keys", (json_int_t)json_array_size(signers.keyids),
			  "valid_signatures", (json_int_t)count, "paths", json_object_get(delegation, "paths"), "terminating",
			  json_object_get(delegation, "terminating"));
	if (!entry)
		return -ENOMEM;
	r = add_signers(&signers, role->type, document, entry);
	if (r == 0 && json_array_append(roles, entry) < 0)
		r = -ENOMEM;
	json_decref(entry);
	return r;
}

/* Roles that the targets delegate to and that have no metadata yet are roles too. */
static int make_delegated(struct repository *repository)
{
	const json_t *roles = json_object_get(json_object_get(published_body(repository, "targets"), "delegations"), "roles");

	for (size_t i = 0; i < json_array_size(roles); i++) {
		const char *name = json_get_string(json_array_get(roles, i), "name");

		if (name && !repository_make_role(repository, name))
			return -ENOMEM;
	}
	return 0;
}

/* ------------------------------------------------------------------ staged */

static int add_missing(const struct signers *signers, const struct repository_role *role, bool is_old, json_t *staged)
{
	struct buffer missing = { 0 };
	uint64_t count = 0;
	bool complete = false;
	int r = signers_count(signers, role->type, role->staged, &count, &complete);

	if (r == 0)
		r = signers_missing(signers, role->type, role->staged, &missing);
	if (r == 0 && json_array_append_new(staged, json_pack("{s:s, s:b, s:O, s:O, s:I, s:I, s:b, s:s}", "role", role->name,
							      "by_root_before", is_old, "version",
							      json_object_get(json_object_get(role->staged, "signed"), "version"),
							      "expires",
							      json_object_get(json_object_get(role->staged, "signed"), "expires"),
							      "signatures", (json_int_t)count, "threshold",
							      (json_int_t)signers->threshold, "complete", complete, "missing",
							      missing.data ? (const char *)missing.data : "")) < 0)
		r = -ENOMEM;
	buffer_release(&missing);
	return r;
}

static int gather_staged(struct repository *repository, json_t *staged)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < repository->count; i++) {
		const struct repository_role *role = &repository->roles[i];
		struct signers old, new;

		if (!role->staged || repository_signers(repository, role->name, &new) < 0)
			continue;
		if (role->type == TUF_ROOT && signers_of_top(published_body(repository, "root"), "root", &old) == 0 &&
		    !signers_are_same(&old, &new))
			r = add_missing(&old, role, true, staged);
		if (r == 0)
			r = add_missing(&new, role, false, staged);
	}
	return r;
}

/* ------------------------------------------------------------------ targets */

struct gathering {
	const struct repository *repository;
	json_t *targets;
};

static const char *role_of_target(const struct repository *repository, const char *path)
{
	for (size_t i = TUF_TARGETS; i < repository->count; i++)
		if (json_object_get(json_object_get(published_body(repository, repository->roles[i].name), "targets"), path))
			return repository->roles[i].name;
	return "?";
}

static int add_description(const struct verified_target *target, json_t *entry)
{
	struct verified_image *image;
	char error[160], root_hash[65];
	const struct image_description *d;
	int r = verified_image_of(target, &image, error);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return json_object_set_new(entry, "problem", json_string(error));
	d = verified_image_description(image);
	hex_format(d->root_hash, 32, root_hash);
	json_object_set_new(entry, "kind", json_string(d->kind == IMAGE_OS ? "os" : "app"));
	json_object_set_new(entry, "name", json_string(d->name));
	json_object_set_new(entry, "version", json_string(d->version));
	if (d->requires_os)
		json_object_set_new(entry, "requires_os", json_string(d->requires_os));
	json_object_set_new(entry, "disk_bytes", json_integer((json_int_t)d->image_size));
	json_object_set_new(entry, "root_hash", json_string(root_hash));
	verified_image_free(image);
	return 0;
}

static int gather_target(void *context, const struct verified_target *target)
{
	struct gathering *g = context;
	const uint8_t *hash = verified_target_sha256(target);
	const char *path = verified_target_path(target);
	char sha256[65] = "";
	json_t *entry;

	if (hash)
		hex_format(hash, 32, sha256);
	entry = json_pack("{s:s, s:s, s:I, s:s}", "path", path, "role", role_of_target(g->repository, path), "wire_bytes",
			  (json_int_t)verified_target_length(target), "sha256", sha256);
	if (!entry || add_description(target, entry) < 0) {
		json_decref(entry);
		return -ENOMEM;
	}
	return json_array_append_new(g->targets, entry) < 0 ? -ENOMEM : 0;
}

static int compare_paths(const void *a, const void *b)
{
	json_t *const *left = a, *const *right = b;

	return strcmp(json_string_value(json_object_get(*left, "path")),
		      json_string_value(json_object_get(*right, "path")));
}

/* A new reference to the same elements in the order of their paths, or NULL. */
static json_t *sorted(const json_t *targets)
{
	size_t n = json_array_size(targets);
	json_t **all = calloc(n + 1, sizeof(json_t *)), *result = json_array();

	for (size_t i = 0; all && i < n; i++)
		all[i] = json_array_get(targets, i);
	if (all && n > 0)
		qsort(all, n, sizeof(json_t *), compare_paths);
	for (size_t i = 0; all && i < n; i++)
		json_array_append(result, all[i]);
	free(all);
	return result;
}

static int gather_targets(const struct repository *repository, struct listing *listing, int64_t now)
{
	struct memory_store memory = { 0 };
	struct gathering gathering = { repository, listing->targets };
	struct tuf_store store = memory_store_callbacks(&memory);
	struct tuf_fetch fetch = { repository_fetch, (void *)(uintptr_t)repository->folder };
	struct tuf_client *client = NULL;
	json_t *in_order;
	int r = tuf_client_open(&store, &fetch, repository->trusted_root.data, repository->trusted_root.size, now, &client);

	if (r == 0)
		r = tuf_client_refresh(client);
	if (r == 0)
		r = tuf_client_each_target(client, gather_target, &gathering);
	if (r == 0 && tuf_client_error(client)[0])
		log_warning("left out: %s", tuf_client_error(client));
	if (r == 0) {
		in_order = sorted(listing->targets);
		json_decref(listing->targets);
		listing->targets = in_order;
	} else if (client) {
		log_error(0, "%s doesn't verify: %s%s", repository->folder, tuf_client_error(client), repository_remedy(r));
	}
	tuf_client_close(client);
	memory_store_release(&memory);
	return r;
}

/* ------------------------------------------------------------------ printing */

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_get_string(object, key);

	return text ? text : "-";
}

static json_int_t number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_roles(const json_t *roles)
{
	printf("%-16s %7s  %-20s %14s  %s\n", "ROLE", "VERSION", "EXPIRES", "IN", "SIGNATURES");
	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *role = json_array_get(roles, i);
		json_int_t days = number_of(role, "days_left");
		bool soon = json_is_true(json_object_get(role, "expires_soon"));
		char left[32] = "-", version[24] = "-";

		if (json_object_get(role, "expires") && (days <= 0 || json_is_true(json_object_get(role, "expired"))))
			snprintf(left, sizeof(left), "%s", json_is_true(json_object_get(role, "expired")) ? "expired" : "today");
		else if (json_object_get(role, "expires"))
			snprintf(left, sizeof(left), "%s%" JSON_INTEGER_FORMAT " days", soon ? "! " : "", days);
		if (number_of(role, "version") > 0)
			snprintf(version, sizeof(version), "%" JSON_INTEGER_FORMAT, number_of(role, "version"));
		printf("%-16s %7s  %-20s %14s  %" JSON_INTEGER_FORMAT " valid, %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
		       " keys needed\n", text_of(role, "role"), version, text_of(role, "expires"), left, number_of(role, "valid_signatures"), number_of(role, "threshold"),
		       number_of(role, "keys"));
	}
}

static void print_keys(const json_t *roles)
{
	printf("\n%-16s %-20s %-8s  %-8s  %s\n", "ROLE", "KEY", "ID", "TYPE", "");
	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *role = json_array_get(roles, i), *signers = json_object_get(role, "signers");

		for (size_t k = 0; k < json_array_size(signers); k++) {
			const json_t *signer = json_array_get(signers, k);

			printf("%-16s %-20s %-8.8s  %-8s  %s\n", k == 0 ? text_of(role, "role") : "", text_of(signer, "name"),
			       text_of(signer, "keyid"), text_of(signer, "type"),
			       json_is_true(json_object_get(signer, "signed")) ? "has signed" : "hasn't signed");
		}
	}
}

static void print_delegations(const json_t *roles)
{
	bool any = false;

	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *role = json_array_get(roles, i), *paths = json_object_get(role, "paths");

		if (!json_is_true(json_object_get(role, "delegated")))
			continue;
		if (!any)
			printf("\n%-16s %s\n", "DELEGATION", "PATHS");
		any = true;
		printf("%-16s", text_of(role, "role"));
		for (size_t k = 0; k < json_array_size(paths); k++)
			printf(" %s", json_string_value(json_array_get(paths, k)));
		printf("%s%s\n", json_array_size(paths) == 0 ? " (by hash)" : "",
		       json_is_true(json_object_get(role, "terminating")) ? " (terminating)" : "");
	}
}

static void print_staged(const json_t *staged)
{
	if (json_array_size(staged) > 0)
		printf("\n%-16s %7s  %s\n", "STAGED", "VERSION", "SIGNATURES");
	for (size_t i = 0; i < json_array_size(staged); i++) {
		const json_t *entry = json_array_get(staged, i);

		printf("%-16s %7" JSON_INTEGER_FORMAT "  %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " signatures%s",
		       text_of(entry, "role"), number_of(entry, "version"), number_of(entry, "signatures"),
		       number_of(entry, "threshold"),
		       json_is_true(json_object_get(entry, "by_root_before")) ? " of the root before" : "");
		if (json_is_true(json_object_get(entry, "complete")))
			printf(", complete\n");
		else
			printf(", missing: %s\n", text_of(entry, "missing"));
	}
}

static void print_targets(const json_t *targets)
{
	printf("\n%-44s %-12s %10s %10s  %s\n", "TARGET", "BY", "ON DISK", "ON WIRE", "ROOT HASH");
	for (size_t i = 0; i < json_array_size(targets); i++) {
		const json_t *target = json_array_get(targets, i);
		const char *problem = json_get_string(target, "problem");
		char disk[16], wire[16];

		format_size((uint64_t)number_of(target, "disk_bytes"), disk);
		format_size((uint64_t)number_of(target, "wire_bytes"), wire);
		printf("%-44s %-12s %10s %10s  ", text_of(target, "path"), text_of(target, "role"), problem ? "-" : disk, wire);
		if (problem)
			printf("%s\n", problem);
		else
			printf("%.16s…\n", text_of(target, "root_hash"));
	}
	if (json_array_size(targets) == 0)
		printf("(none)\n");
}

static int print(const struct listing *listing, bool published, bool as_json)
{
	json_t *all;

	if (!as_json) {
		print_roles(listing->roles);
		print_keys(listing->roles);
		print_delegations(listing->roles);
		print_staged(listing->staged);
		if (published)
			print_targets(listing->targets);
		else
			printf("\nNothing is published yet. What is missing: repave-sign payload and attach, or publish with the keys.\n");
		return 0;
	}
	all = json_pack("{s:b, s:O, s:O, s:b, s:O}", "published", published, "roles", listing->roles, "staged", listing->staged,
			"staged_damaged", listing->staged_error < 0, "targets", listing->targets);
	if (!all)
		return -ENOMEM;
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return 0;
}

/* ------------------------------------------------------------------ all of it */

static int gather(struct repository *repository, int64_t now, struct listing *listing)
{
	int r = 0;

	if (!is_published(repository))
		listing->staged_error = repository_load_staged(repository);
	if (listing->staged_error != -ENOMEM)
		r = make_delegated(repository);
	for (size_t i = 0; r == 0 && i < repository->count; i++)
		r = add_role(repository, &repository->roles[i], now, listing->roles);
	/* What has expired is what the operator wants to look at. */
	if (r == 0 && is_published(repository)) {
		r = gather_targets(repository, listing, 0);
		listing->staged_error = repository_load_staged(repository);
	}
	return r == 0 ? gather_staged(repository, listing->staged) : r;
}

/* What a node would say now. */
static int verify(const struct repository *repository, int64_t now)
{
	struct memory_store memory;
	int r = repository_verify(repository->folder, NULL, 0, &repository->trusted_root, now, &memory);

	memory_store_release(&memory);
	return r;
}

int repository_show(const char *folder, int64_t now, bool as_json)
{
	struct listing listing = { json_array(), json_array(), json_array(), 0 };
	struct repository repository;
	int r = repository_open(folder, NULL, &repository);

	if (r == 0) {
		r = gather(&repository, now, &listing);
		if (r == 0)
			r = print(&listing, is_published(&repository), as_json);
		if (r == 0 && is_published(&repository))
			r = verify(&repository, now);
		if (r == 0)
			r = listing.staged_error;
		repository_close(&repository);
	}
	json_decref(listing.roles);
	json_decref(listing.targets);
	json_decref(listing.staged);
	return r;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/client.h"
#include "signing/repository-private.h"
#include "signing/verified.h"

struct listing {
	json_t *roles, *targets;
};

/* ------------------------------------------------------------------ gathering */

static int add_role(const struct tuf_document *root, const struct tuf_document *document, json_t *roles)
{
	struct tuf_signers signers;
	char expires[24] = "";
	uint64_t signatures;
	int r;

	tuf_root_signers(root, document->type, &signers);
	tuf_time_format(document->expires, expires);
	r = tuf_count_signatures(document, &signers, &signatures);
	if (r < 0)
		return r;
	r = json_array_append_new(roles, json_pack("{s:s, s:I, s:s, s:I, s:I, s:I}", "role",
						   tuf_type_name(document->type), "version",
						   (json_int_t)document->version, "expires", expires, "threshold",
						   (json_int_t)signers.threshold, "keys",
						   (json_int_t)tree_count(signers.keyids), "valid_signatures",
						   (json_int_t)signatures));
	return r < 0 ? -ENOMEM : 0;
}

static int gather_roles(const struct buffer data[4], json_t *roles)
{
	struct tuf_document documents[4] = { 0 };
	char error[TUF_ERROR_SIZE];
	int r = 0;

	for (unsigned type = TUF_ROOT; r == 0 && type <= TUF_TARGETS; type++)
		r = tuf_document_parse(type, data[type].data, data[type].size, &documents[type], error);
	for (unsigned type = TUF_ROOT; r == 0 && type <= TUF_TARGETS; type++)
		r = add_role(&documents[TUF_ROOT], &documents[type], roles);
	for (unsigned type = TUF_ROOT; type <= TUF_TARGETS; type++)
		tuf_document_release(&documents[type]);
	return r;
}

static int gather_target(void *context, const struct verified_target *target)
{
	struct verified_image *image;
	const uint8_t *hash = verified_target_sha256(target);
	char error[160], sha256[65] = "", root_hash[65];
	json_t *entry;
	int r;

	if (hash)
		hex_format(hash, 32, sha256);
	entry = json_pack("{s:s, s:I, s:s}", "path", verified_target_path(target), "wire_bytes",
			  (json_int_t)verified_target_length(target), "sha256", sha256);
	r = verified_image_of(target, &image, error);
	if (r == 0) {
		const struct image_description *d = verified_image_description(image);

		hex_format(d->root_hash, 32, root_hash);
		json_object_set_new(entry, "kind", json_string(d->kind == IMAGE_OS ? "os" : "app"));
		json_object_set_new(entry, "name", json_string(d->name));
		json_object_set_new(entry, "version", json_string(d->version));
		if (d->requires_os)
			json_object_set_new(entry, "requires_os", json_string(d->requires_os));
		json_object_set_new(entry, "disk_bytes", json_integer((json_int_t)d->image_size));
		json_object_set_new(entry, "root_hash", json_string(root_hash));
		verified_image_free(image);
	} else {
		json_object_set_new(entry, "problem", json_string(error));
	}
	return json_array_append_new(context, entry) < 0 ? -ENOMEM : 0;
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

/* ------------------------------------------------------------------ printing */

static void print_roles(const json_t *roles, int64_t now)
{
	printf("%-10s %7s  %-20s %9s  %s\n", "ROLE", "VERSION", "EXPIRES", "IN", "SIGNATURES");
	for (size_t i = 0; i < json_array_size(roles); i++) {
		const json_t *role = json_array_get(roles, i);
		const char *expires = json_string_value(json_object_get(role, "expires"));
		int64_t time = now;
		char left[32];

		tuf_time_parse(expires, &time);
		if (time > now)
			snprintf(left, sizeof(left), "%" PRId64 " days", (time - now) / DAY);
		else
			snprintf(left, sizeof(left), "expired");
		printf("%-10s %7" JSON_INTEGER_FORMAT "  %-20s %9s  %" JSON_INTEGER_FORMAT
		       " valid, %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " keys needed\n",
		       json_string_value(json_object_get(role, "role")),
		       json_integer_value(json_object_get(role, "version")), expires, left,
		       json_integer_value(json_object_get(role, "valid_signatures")),
		       json_integer_value(json_object_get(role, "threshold")),
		       json_integer_value(json_object_get(role, "keys")));
	}
}

static void print_targets(const json_t *targets)
{
	printf("\n%-44s %10s %10s  %s\n", "TARGET", "ON DISK", "ON WIRE", "ROOT HASH");
	for (size_t i = 0; i < json_array_size(targets); i++) {
		const json_t *target = json_array_get(targets, i);
		const char *problem = json_string_value(json_object_get(target, "problem"));
		char disk[16], wire[16];

		format_size((uint64_t)json_integer_value(json_object_get(target, "disk_bytes")), disk);
		format_size((uint64_t)json_integer_value(json_object_get(target, "wire_bytes")), wire);
		if (problem)
			printf("%-44s %10s %10s  %s\n", json_string_value(json_object_get(target, "path")), "-", wire,
			       problem);
		else
			printf("%-44s %10s %10s  %.16s…\n", json_string_value(json_object_get(target, "path")), disk, wire,
			       json_string_value(json_object_get(target, "root_hash")));
	}
	if (json_array_size(targets) == 0)
		printf("(none)\n");
}

static int print(const struct listing *listing, int64_t now, bool as_json)
{
	json_t *all;

	if (!as_json) {
		print_roles(listing->roles, now);
		print_targets(listing->targets);
		return 0;
	}
	all = json_pack("{s:O, s:O}", "roles", listing->roles, "targets", listing->targets);
	if (!all)
		return -ENOMEM;
	json_dumpf(all, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(all);
	return 0;
}

/* ------------------------------------------------------------------ all of it */

static int gather_targets(const char *folder, const struct buffer data[4], int64_t now, json_t *targets)
{
	struct memory_store memory = { 0 };
	struct tuf_store store = memory_store_callbacks(&memory);
	struct tuf_fetch fetch = { repository_fetch, (void *)(uintptr_t)folder };
	struct tuf_client *client;
	int r = tuf_client_open(&store, &fetch, data[TUF_ROOT].data, data[TUF_ROOT].size, now, &client);

	if (r == 0)
		r = tuf_client_refresh(client);
	if (r == 0)
		r = tuf_client_each_target(client, gather_target, targets);
	tuf_client_close(client);
	memory_store_release(&memory);
	return r;
}

/* Everything, as it verifies at the time `now`. */
static int gather(const char *folder, const struct buffer *root, int64_t now, struct listing *listing)
{
	struct buffer data[4] = { 0 };
	json_t *in_order;
	int r = repository_verify(folder, NULL, 0, root, now, data);

	if (r == 0)
		r = gather_roles(data, listing->roles);
	if (r == 0)
		r = gather_targets(folder, data, now, listing->targets);
	if (r == 0) {
		in_order = sorted(listing->targets);
		json_decref(listing->targets);
		listing->targets = in_order;
	}
	for (unsigned type = TUF_ROOT; type <= TUF_TARGETS; type++)
		buffer_release(&data[type]);
	return r;
}

int repository_show(const char *folder, int64_t now, bool as_json)
{
	struct listing listing = { json_array(), json_array() };
	struct buffer root = { 0 };
	char *path;
	int r, shown;

	if (asprintf(&path, "%s/metadata/1.root.json", folder) < 0)
		return -ENOMEM;
	r = file_load(path, TUF_ROOT_MOST, &root);
	if (r < 0)
		log_error(r, "can't read %s (repave-sign init makes a repository)", path);
	if (r == 0)
		r = gather(folder, &root, now, &listing);
	shown = r;
	/* What has expired is what the operator wants to look at. */
	if (r == -ESTALE)
		shown = gather(folder, &root, 0, &listing);
	if (shown == 0 && print(&listing, now, as_json) < 0)
		r = -ENOMEM;
	buffer_release(&root);
	json_decref(listing.roles);
	json_decref(listing.targets);
	free(path);
	return r;
}

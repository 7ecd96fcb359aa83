/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole repository, looked at as a node does. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/client.h"
#include "signing/repository-private.h"
#include "signing/sha256.h"
#include "signing/show.h"
#include "signing/verified.h"

#define CHUNK (1u << 20)

struct checking {
	const char *folder;
	uint64_t targets, bytes;
	json_t *roles, *problems;
	bool shows_progress;
};

static void progress(const struct checking *c, const char *path)
{
	char size[16];

	if (c->shows_progress)
		fprintf(stderr, "\r\033[K%" PRIu64 " targets, %s: %.60s", c->targets, format_size(c->bytes, size), path);
}

static int add_problem(struct checking *c, const char *path, const char *what)
{
	json_t *problem = json_sprintf("%s: %s", path, what);

	if (c->shows_progress)
		fprintf(stderr, "\r\033[K");
	log_error(0, "%s: %s", path, what);
	return json_array_append_new(c->problems, problem) < 0 ? -ENOMEM : 0;
}

/* 0; -EBADMSG when the bytes are others; or the error of open/read. */
static int hash_target(const char *file, uint64_t length, const uint8_t sha256[32])
{
	uint8_t *chunk = malloc(CHUNK), digest[SHA256_SIZE];
	int fd = open(file, O_RDONLY | O_CLOEXEC), r = fd < 0 ? -errno : chunk ? 0 : -ENOMEM;
	struct stat status;
	struct sha256 sha;

	if (r == 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || (uint64_t)status.st_size != length))
		r = -EBADMSG;
	sha256_init(&sha);
	for (uint64_t at = 0; r == 0 && at < length; at += CHUNK) {
		size_t now = length - at < CHUNK ? (size_t)(length - at) : CHUNK;

		r = read_full_at(fd, chunk, now, at);
		if (r == 0)
			sha256_update(&sha, chunk, now);
	}
	sha256_final(&sha, digest);
	if (r == 0 && memcmp(digest, sha256, sizeof(digest)) != 0)
		r = -EBADMSG;
	if (fd >= 0)
		close(fd);
	free(chunk);
	return r;
}

static int check_target(void *context, const struct verified_target *target)
{
	struct checking *c = context;
	const char *path = verified_target_path(target);
	const uint8_t *sha256 = verified_target_sha256(target);
	struct verified_image *image;
	char error[160], *file;
	int r;

	progress(c, path);
	if (!sha256)
		return add_problem(c, path, "is signed without a SHA-256, which nodes of Repave need");
	r = verified_image_of(target, &image, error);
	if (r == -ENOMEM)
		return r;
	if (r == 0)
		verified_image_free(image);
	else
		return add_problem(c, path, error);
	file = repository_target_file(c->folder, path, sha256);
	if (!file)
		return -ENOMEM;
	r = hash_target(file, verified_target_length(target), sha256);
	free(file);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return add_problem(c, path, r == -EBADMSG ? "its file isn't the one that is signed: repave-sign add it again" :
				   strerror(-r));
	c->targets++;
	c->bytes += verified_target_length(target);
	return 0;
}

static int add_roles(struct checking *c, const struct memory_store *memory)
{
	for (size_t i = 0; i < memory->count; i++) {
		const struct buffer *data = &memory->entries[i].data;
		char error[160];
		json_t *json = data->data ? json_parse(data->data, data->size, error) : NULL;
		const json_t *body = json_object_get(json, "signed");
		int r = 0;

		if (body)
			r = json_array_append_new(c->roles, json_pack("{s:s, s:O, s:O}", "role", memory->entries[i].role, "version",
								      json_object_get(body, "version"), "expires",
								      json_object_get(body, "expires")));
		json_decref(json);
		if (r < 0)
			return -ENOMEM;
	}
	return 0;
}

/* Of the whole repository. Returns `r`, which isn't out of memory. */
static int say(struct checking *c, int r, const char *format, ...) __attribute__((format(printf, 3, 4)));
static int say(struct checking *c, int r, const char *format, ...)
{
	va_list arguments;
	json_t *text;

	va_start(arguments, format);
	text = json_vsprintf(format, arguments);
	va_end(arguments);
	if (c->shows_progress)
		fprintf(stderr, "\r\033[K");
	log_error(0, "%s", text ? json_string_value(text) : "the repository doesn't verify");
	return json_array_append_new(c->problems, text) < 0 ? -ENOMEM : r;
}

static bool waits_for_signatures(const char *folder)
{
	char path[4096];

	return snprintf(path, sizeof(path), "%s/metadata", folder) < (int)sizeof(path) && access(path, F_OK) < 0 &&
	       snprintf(path, sizeof(path), "%s/staged/root.json", folder) < (int)sizeof(path) && access(path, F_OK) == 0;
}

static int say_unreadable(struct checking *c, int r, const char *path, const char *given)
{
	if (r == -ENOMEM)
		return r;
	if (!given && waits_for_signatures(c->folder))
		return say(c, r, "%s: nothing is published yet: repave-sign show lists whose signatures are missing", c->folder);
	return say(c, r, "can't read the trusted root %s: %s: %s", path, strerror(-r), given ? "give --root the root.json that you keep" :
		   "give the folder of a repository, or the root.json that you keep with --root");
}

static int run(struct checking *c, const struct buffer *root, const char *root_file, int64_t now)
{
	struct memory_store memory = { 0 };
	struct tuf_store store = memory_store_callbacks(&memory);
	struct tuf_fetch fetch = { repository_fetch, (void *)(uintptr_t)c->folder };
	struct tuf_client *client = NULL;
	char error[TUF_ERROR_SIZE];
	int r = tuf_client_open(&store, &fetch, root->data, root->size, now, &client);

	if (r < 0 && r != -ENOMEM) {
		root_problem(root, error);
		r = say(c, r, "the trusted root %s can't be used: %s: take it from a copy that you keep (--root FILE)", root_file, error);
	}
	if (r == 0) {
		r = tuf_client_refresh(client);
		if (r < 0 && r != -ENOMEM)
			r = say(c, r, "%s doesn't verify: %s%s", c->folder, tuf_client_error(client), repository_remedy(r));
	}
	if (r == 0)
		r = tuf_client_each_target(client, check_target, c);
	if (r == 0 && tuf_client_error(client)[0])
		r = add_problem(c, "a delegated role", tuf_client_error(client));
	if (r == 0)
		r = add_roles(c, &memory);
	tuf_client_close(client);
	memory_store_release(&memory);
	return r;
}

static void print(const struct checking *c, bool as_json)
{
	char size[16];
	json_t *all;

	if (as_json) {
		all = json_pack("{s:b, s:O, s:I, s:I, s:O}", "sound", json_array_size(c->problems) == 0, "roles", c->roles, "targets",
				(json_int_t)c->targets, "bytes", (json_int_t)c->bytes, "problems", c->problems);
		json_dumpf(all, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(all);
		return;
	}
	for (size_t i = 0; i < json_array_size(c->roles); i++) {
		const json_t *role = json_array_get(c->roles, i);

		printf("%-16s version %-6" JSON_INTEGER_FORMAT " good until %s\n", json_get_string(role, "role"),
		       json_integer_value(json_object_get(role, "version")), json_get_string(role, "expires"));
	}
	printf("%" PRIu64 " targets, %s: lengths and hashes are as signed%s\n", c->targets, format_size(c->bytes, size),
	       json_array_size(c->problems) > 0 ? ", except for what was named" : "");
}

int repository_check(const char *folder, const char *root_file, int64_t now, bool as_json)
{
	struct checking c = { .folder = folder, .roles = json_array(), .problems = json_array(),
			      .shows_progress = isatty(STDERR_FILENO) };
	struct buffer root = { 0 };
	char *path = NULL;
	int r = c.roles && c.problems ? 0 : -ENOMEM;

	if (r == 0 && asprintf(&path, root_file ? "%s" : "%s/metadata/1.root.json", root_file ? root_file : folder) < 0)
		r = -ENOMEM;
	if (r == 0 && (r = file_load(path, TUF_ROOT_MOST, &root)) < 0)
		r = say_unreadable(&c, r, path, root_file);
	if (r == 0)
		r = run(&c, &root, path, now);
	if (c.shows_progress)
		fprintf(stderr, "\r\033[K");
	if (r == 0 || (as_json && r != -ENOMEM))
		print(&c, as_json);
	if (r == 0 && json_array_size(c.problems) > 0)
		r = -EBADMSG;
	buffer_release(&root);
	json_decref(c.roles);
	json_decref(c.problems);
	free(path);
	return r;
}

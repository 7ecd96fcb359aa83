/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands: who signs, and signatures made elsewhere. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/command.h"
#include "signing/edit.h"
#include "signing/sha256.h"

#define SIGNATURE_FILE_MOST 8192u

static const char *const *values_or_null(const struct values *values)
{
	return values->count > 0 ? values->items : NULL;
}

static void say_staged(void)
{
	log_info("staged: repave-sign publish signs it; repave-sign show lists what is missing");
}

/* What an application of an account may be called in target paths; `*` stands for any part of a name. */
static bool is_app_pattern(const char *name)
{
	return *name && strlen(name) <= 64 &&
	       strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-*") == strlen(name);
}

/* app/NAME/OS/VERSION.img.zst for each --app, and each --path as it is. The caller frees with free_patterns. */
static int make_patterns(const struct arguments *a, struct values *ret_patterns, size_t *ret_made)
{
	for (size_t i = 0; i < a->app.count; i++) {
		char *pattern;

		if (!is_app_pattern(a->app.items[i])) {
			log_error(0, "\"%s\" is no name of applications: letters, digits, \"._-\" and \"*\"", a->app.items[i]);
			return -EINVAL;
		}
		if (ret_patterns->count == VALUES_MOST || asprintf(&pattern, "app/%s/*/*", a->app.items[i]) < 0)
			return -ENOMEM;
		ret_patterns->items[ret_patterns->count++] = pattern;
		*ret_made = ret_patterns->count;
	}
	for (size_t i = 0; i < a->path.count && ret_patterns->count < VALUES_MOST; i++)
		ret_patterns->items[ret_patterns->count++] = a->path.items[i];
	return 0;
}

static void free_patterns(struct values *patterns, size_t made)
{
	for (size_t i = 0; i < made; i++)
		free((void *)(uintptr_t)patterns->items[i]);
}

int run_delegate(const struct arguments *a)
{
	static struct values patterns;
	struct delegation_change change = { .role = a->rest[0], .keys = { values_or_null(&a->key), NULL, a->threshold },
					    .terminating = a->terminating ? 1 : -1 };
	struct repository repository;
	size_t made = 0;
	int r = make_patterns(a, &patterns, &made);

	change.paths = values_or_null(&patterns);
	if (r == 0)
		r = repository_open(a->repository, a->keys, &repository);
	if (r == 0) {
		r = repository_delegate(&repository, &change, &a->policy, time(NULL));
		repository_close(&repository);
	}
	free_patterns(&patterns, made);
	if (r == 0)
		say_staged();
	return r;
}

int run_undelegate(const struct arguments *a)
{
	struct repository repository;
	int r = repository_open(a->repository, a->keys, &repository);

	if (r < 0)
		return r;
	r = repository_undelegate(&repository, a->rest[0], &a->policy, time(NULL));
	repository_close(&repository);
	if (r == 0)
		say_staged();
	return r;
}

static int rotate(const struct arguments *a, const char *role, const struct key_change *change)
{
	struct repository repository;
	int r = repository_open(a->repository, a->keys, &repository);

	if (r < 0)
		return r;
	r = repository_rotate(&repository, role, change, &a->policy, time(NULL));
	repository_close(&repository);
	if (r == 0)
		say_staged();
	return r;
}

int run_rotate(const struct arguments *a)
{
	struct key_change change = { values_or_null(&a->add), values_or_null(&a->remove), a->threshold };

	if (!change.add && !change.remove && !change.threshold) {
		log_error(0, "nothing to change: give --add FILE, --remove NAME or --threshold N");
		return -EINVAL;
	}
	return rotate(a, a->rest[0], &change);
}

int run_threshold(const struct arguments *a)
{
	struct key_change change = { 0 };
	uint64_t threshold;

	if (parse_u64(a->rest[1], &threshold) < 0 || threshold == 0 || threshold > KEYS_MOST) {
		log_error(0, "\"%s\" is no threshold from 1 to %d", a->rest[1], KEYS_MOST);
		return -EINVAL;
	}
	change.threshold = (unsigned)threshold;
	return rotate(a, a->rest[0], &change);
}

/* ------------------------------------------------------------------ signatures made elsewhere */

static int write_output(const char *path, const struct buffer *data)
{
	if (path) {
		int r = file_store(path, data->data, data->size, 0644);

		return r < 0 ? log_error(r, "can't write %s", path) : 0;
	}
	if (isatty(STDOUT_FILENO)) {
		log_error(0, "these bytes aren't for a terminal: give --output FILE");
		return -EINVAL;
	}
	return fwrite(data->data, 1, data->size, stdout) == data->size && fflush(stdout) == 0 ? 0 :
	       log_error(-EIO, "can't write to the standard output");
}

int run_payload(const struct arguments *a)
{
	struct buffer payload = { 0 };
	struct repository repository;
	uint8_t digest[SHA256_SIZE];
	char text[2 * SHA256_SIZE + 1];
	int r = a->output ? check_output(a->output, OUTPUT_PAYLOAD) : 0;

	if (r == 0)
		r = repository_open(a->repository, NULL, &repository);
	if (r < 0)
		return r;
	r = repository_payload(&repository, a->role.items[0], a->new_version, &a->policy, time(NULL), &payload);
	repository_close(&repository);
	if (r == 0)
		r = write_output(a->output, &payload);
	if (r == 0) {
		sha256_once(payload.data, payload.size, digest);
		hex_format(digest, sizeof(digest), text);
		log_info("%zu bytes to sign for %s, SHA-256 %s", payload.size, a->role.items[0], text);
	}
	buffer_release(&payload);
	return r;
}

int run_attach(const struct arguments *a)
{
	struct buffer signature = { 0 };
	struct repository repository;
	int r = file_load(a->signature, SIGNATURE_FILE_MOST, &signature);

	if (r < 0)
		return log_error(r, "can't read the signature %s", a->signature);
	r = repository_open(a->repository, NULL, &repository);
	if (r == 0) {
		r = repository_attach(&repository, a->role.items[0], a->key.count > 0 ? a->key.items[0] : NULL, &signature);
		repository_close(&repository);
	}
	buffer_release(&signature);
	return r;
}

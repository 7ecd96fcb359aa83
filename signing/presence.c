/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether the images are there that a list of targets names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/json.h"
#include "signing/repository-private.h"

/* 1 when it isn't there with this length. Lists by others may have hashes that no file of ours is named by: these pass. */
static int is_absent(const char *folder, const char *path, const json_t *target, char **ret_file)
{
	const char *hex = json_get_string(json_object_get(target, "hashes"), "sha256");
	uint8_t sha256[32];
	struct stat status;
	uint64_t length;
	char *file;

	if (!hex || hex_parse(hex, sha256, sizeof(sha256)) < 0 || json_get_u64(target, "length", &length) < 0)
		return 0;
	file = repository_target_file(folder, path, sha256);
	if (!file)
		return -ENOMEM;
	if (stat(file, &status) == 0 && S_ISREG(status.st_mode) && (uint64_t)status.st_size == length) {
		free(file);
		return 0;
	}
	*ret_file = file;
	return 1;
}

static bool is_same_file(const json_t *a, const json_t *b)
{
	return a && json_equal(json_object_get(a, "length"), json_object_get(b, "length")) &&
	       json_equal(json_object_get(a, "hashes"), json_object_get(b, "hashes"));
}

int repository_find_absent(const struct repository *repository, const json_t *published, const json_t *document, char **ret_file)
{
	json_t *before = json_object_get(json_object_get(published, "signed"), "targets"), *target;
	json_t *targets = json_object_get(json_object_get(document, "signed"), "targets");
	const char *path;
	int r = 0;

	json_object_foreach(targets, path, target) {
		if (r == 0 && !is_same_file(json_object_get(before, path), target))
			r = is_absent(repository->folder, path, target, ret_file);
	}
	return r;
}

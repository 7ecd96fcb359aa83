// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/tuf-store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"

/* A file system's own bound is 255 bytes; three for each byte that is encoded, and ".json". */
#define ROLE_FILE_MOST 250u

static bool is_plain(unsigned char c)
{
	return c < 0x80 && c && strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~", c);
}

/* STATE/tuf/ROLE.json, malloc'd. A leading dot is encoded as well: "." and ".." are folders. 0, -EINVAL or -ENOMEM. */
static int role_path(const char *state, const char *role, char **ret_path)
{
	char name[ROLE_FILE_MOST + 1];
	size_t size = 0;

	for (const char *at = role; *at; at++) {
		bool plain = is_plain((unsigned char)*at) && !(at == role && *at == '.');

		if (size + 3 > ROLE_FILE_MOST)
			return -EINVAL;
		size += (size_t)snprintf(name + size, 4, plain ? "%c" : "%%%02X", (unsigned char)*at);
	}
	if (!size)
		return -EINVAL;
	return asprintf(ret_path, "%s/tuf/%s.json", state, name) < 0 ? -ENOMEM : 0;
}

static int load_role(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	char *path;
	int r = role_path(context, role, &path);

	if (r < 0)
		return r;
	r = file_load(path, most, ret_data);
	free(path);
	return r;
}

static int store_role(void *context, const char *role, const void *data, size_t size)
{
	char *path;
	int r = role_path(context, role, &path);

	if (r < 0)
		return r;
	r = file_store(path, data, size, 0600);
	free(path);
	return r;
}

static int remove_role(void *context, const char *role)
{
	char *path;
	int r = role_path(context, role, &path);

	if (r < 0)
		return r;
	r = unlink(path) < 0 && errno != ENOENT ? -errno : 0;
	free(path);
	return r;
}

struct tuf_store tuf_store_of(const char *state)
{
	return (struct tuf_store){ .load = load_role, .store = store_role, .remove = remove_role,
				   .context = (void *)(uintptr_t)state };
}

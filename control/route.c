// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/route.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool matches(const char *pattern, const char *path, char argument[ROUTE_ARGUMENT_MOST + 1])
{
	const char *hole = strstr(pattern, "{}");
	size_t before = hole ? (size_t)(hole - pattern) : strlen(pattern), size;

	argument[0] = 0;
	if (!hole)
		return !strcmp(pattern, path);
	if (strncmp(pattern, path, before))
		return false;
	size = strcspn(path + before, "/");
	if (size == 0 || size > ROUTE_ARGUMENT_MOST || strcmp(path + before + size, hole + 2))
		return false;
	memcpy(argument, path + before, size);
	argument[size] = 0;
	return true;
}

int route_find(const struct route *routes, size_t count, const char *method, const char *path,
	       char ret_argument[ROUTE_ARGUMENT_MOST + 1])
{
	int r = -ENOENT;

	for (size_t i = 0; i < count; i++) {
		if (!matches(routes[i].pattern, path, ret_argument))
			continue;
		if (!strcmp(routes[i].method, method))
			return routes[i].operation;
		r = -EOPNOTSUPP;
	}
	return r;
}

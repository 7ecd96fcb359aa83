/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /app/app.json: what an application image asks the OS to start. Pure.
 *
 *   { "format": 1, "name": "web", "version": "1.22.1-9", "requires_os": "debian",
 *     "command": ["/app/bin/server", "…"], "user": "app", "environment": {"K": "V"},
 *     "home": {"path": "/var/lib/web"},
 *     "ports": [8080], "health": { "type": "http", "port": 8080, "path": "/" } } */
#ifndef ROOTFS_APP_SPEC_H
#define ROOTFS_APP_SPEC_H

#include <stddef.h>

#include <jansson.h>

#define APP_SPEC_BYTES_MOST (64 * 1024)
#define APP_ARGUMENTS_MOST 64
#define APP_VARIABLES_MOST 64

struct app_spec {
	json_t *json; /* owns the strings of `arguments` */
	const char *name;
	const char *version;
	const char *requires_os;
	const char *home; /* where it wants its part of H:, or NULL */
	const char *arguments[APP_ARGUMENTS_MOST + 1];        /* NULL-terminated */
	char *environment[APP_VARIABLES_MOST + 1];            /* "K=V", owned, NULL-terminated */
};

/* Parses `size` bytes of app.json. 0; -EINVAL with a sentence in `ret_error` (160 bytes); -ENOMEM. The caller calls
 * app_spec_release, also after an error. */
int app_spec_parse(const void *text, size_t size, struct app_spec *ret_spec, char ret_error[160]);
void app_spec_release(struct app_spec *spec);

/* The value of a KEY=VALUE line in os-release(5), with quotes taken off; malloc'd, or NULL when there is none. */
char *os_release_value(const char *text, const char *key);

#endif

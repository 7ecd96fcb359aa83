/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The repository's files over HTTP, read-only. The parsers are pure. */
#ifndef CONTROL_REPOSITORY_H
#define CONTROL_REPOSITORY_H

#include <stdbool.h>
#include <stdint.h>

#include "control/http-server.h"
#include "control/names.h"

#define REPOSITORY_PATH_MOST 512u

/* From the path of a request ("/repository/metadata/timestamp.json", percent signs decoded) to a path below the
 * repository: no empty, hidden or odd components. 0, or -ENOENT for what can't be a file of a repository. */
int repository_path_parse(const char *path, char ret_path[REPOSITORY_PATH_MOST + 1]);

/* Parses "bytes=…" for a file of `size` bytes. 1 and the range; 0 when the header is absent or asks for what isn't offered
 * (several ranges, another unit): the whole file is the answer; -ERANGE when nothing of it lies in the file. */
int range_parse(const char *header, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length);

/* Whether `etag` is in the list of an If-None-Match header, or that is "*" (RFC 9110, 13.1.2: weak comparison). */
bool etag_listed(const char *header, const char *etag);

/* Cache-Control for a path below the repository. Names with a version or hash never change what they hold; a patch may be made
 * anew. */
const char *repository_cache_control(const char *path);

struct repository_files {
	const char *folder;
	/* Whether the file at `path` (below the folder) must not be served now, with the reason. May be NULL. */
	bool (*refuse)(void *context, const char *path, char ret_why[ERROR_TEXT]);
	void *context;
	/* Whether it must not go to the address `peer`, with the reason: 403. May be NULL. */
	bool (*forbid)(void *context, const char *path, const char *peer, char ret_why[ERROR_TEXT]);
	void *forbid_context;
};

/* The HTTP service; `context` is a struct repository_files. The folder is opened anew for each request, so it may be replaced
 * while the daemon runs. What is refused gets 503 and the reason. */
void repository_admit(void *context, const struct http_call *call, struct http_answer *answer);
void repository_answer(void *context, const struct http_call *call, struct http_answer *answer);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/bytes.h"
#include "control/names.h"

#define PREFIX "/repository/"

/* What repositories are made of: letters, digits and the marks of versions. No backslash, no percent, no space. */
#define PATH_CHARACTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~@-/"

int repository_path_parse(const char *path, char ret_path[REPOSITORY_PATH_MOST + 1])
{
	const char *below = path + strlen(PREFIX);

	if (strncmp(path, PREFIX, strlen(PREFIX)) || !text_of(below, PATH_CHARACTERS, REPOSITORY_PATH_MOST))
		return -ENOENT;
	/* A component begins at the start and after each slash; "." at its start covers ".", ".." and hidden files. */
	for (const char *at = below;; at++) {
		if (*at == '.' || *at == '/' || !*at)
			return -ENOENT;
		at = strchr(at, '/');
		if (!at)
			break;
	}
	/* What is staged beside them isn't published. */
	if (strncmp(below, "metadata/", 9) && strncmp(below, "targets/", 8))
		return -ENOENT;
	strcpy(ret_path, below);
	return 0;
}

/* Digits up to `stop`; an empty text is -ENOENT. */
static int parse_number(const char *text, size_t size, uint64_t *ret_value)
{
	char copy[21];

	if (size == 0)
		return -ENOENT;
	if (size >= sizeof copy)
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = 0;
	return parse_u64(copy, ret_value);
}

int range_parse(const char *header, uint64_t size, uint64_t *ret_offset, uint64_t *ret_length)
{
	const char *dash, *spec;
	uint64_t first = 0, last = 0;
	int has_first, has_last;

	if (!header || strncmp(header, "bytes=", 6))
		return 0;
	spec = header + 6;
	dash = strchr(spec, '-');
	if (!dash)
		return 0;
	has_first = parse_number(spec, (size_t)(dash - spec), &first);
	has_last = parse_number(dash + 1, strlen(dash + 1), &last);
	/* A number that doesn't parse, several ranges ("0-1,4-5"), or "-" alone: not a range at all. */
	if ((has_first < 0 && has_first != -ENOENT) || (has_last < 0 && has_last != -ENOENT) || (has_first && has_last))
		return 0;
	if (has_first == -ENOENT) {
		if (last == 0 || size == 0)
			return -ERANGE;
		*ret_length = last < size ? last : size;
		*ret_offset = size - *ret_length;
		return 1;
	}
	if (!has_last && last < first)
		return 0;
	if (first >= size)
		return -ERANGE;
	if (has_last == -ENOENT || last >= size)
		last = size - 1;
	*ret_offset = first;
	*ret_length = last - first + 1;
	return 1;
}

bool etag_listed(const char *header, const char *etag)
{
	size_t length = strlen(etag);

	if (!header || !length)
		return false;
	for (const char *at = header; *(at += strspn(at, " \t,"));) {
		const char *end;

		if (*at == '*')
			return true;
		if (!strncmp(at, "W/", 2))
			at += 2;
		if (!strncmp(at, etag, length))
			return true;
		/* A tag may hold commas. */
		end = *at == '"' ? strchr(at + 1, '"') : NULL;
		at = end ? end + 1 : at + strcspn(at, ",");
	}
	return false;
}

const char *repository_cache_control(const char *path)
{
	static const char forever[] = "public, max-age=31536000, immutable";
	const char *name = path + strlen("metadata/");

	if (strstr(path, ".img.zst.from-"))
		return "public, max-age=3600";
	if (!strncmp(path, "targets/", 8))
		return forever;
	if (!strncmp(path, "metadata/", 9) && name[strspn(name, "0123456789")] == '.' && name[0] != '.')
		return forever;
	return "no-cache";
}

static int open_below(const char *repository, const char *path)
{
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	int folder = open(repository, O_PATH | O_DIRECTORY | O_CLOEXEC);
	long fd;

	if (folder < 0)
		return -errno;
	fd = syscall(SYS_openat2, folder, path, &how, sizeof how);
	if (fd < 0)
		fd = -errno;
	close(folder);
	return (int)fd;
}

static const char *content_type(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot && !strcmp(dot, ".json") ? "application/json" : "application/octet-stream";
}

void repository_admit(void *context, const struct http_call *call, struct http_answer *answer)
{
	(void)context;
	if (strcmp(call->method, "GET") && strcmp(call->method, "HEAD"))
		http_answer_error(answer, 405, "the repository is read-only");
}

/* True when the answer was made. */
static bool refuse(const struct repository_files *files, const char *path, struct http_answer *answer)
{
	char why[ERROR_TEXT], sentence[ERROR_TEXT + 80];

	if (!files->refuse || !files->refuse(files->context, path, why))
		return false;
	snprintf(sentence, sizeof sentence, "the repository isn't served, because it is refused: %s", why);
	http_answer_error(answer, 503, sentence);
	return true;
}

static bool forbid(const struct repository_files *files, const char *path, const char *peer, struct http_answer *answer)
{
	char why[ERROR_TEXT];

	if (!files->forbid || !files->forbid(files->forbid_context, path, peer, why))
		return false;
	http_answer_error(answer, 403, why);
	return true;
}

/* A file's state as a validator: another content has another size or time. */
static void format_etag(const struct stat *info, char ret_etag[64])
{
	snprintf(ret_etag, 64, "\"%" PRIx64 "-%" PRIx64 ".%lx\"", (uint64_t)info->st_size, (uint64_t)info->st_mtim.tv_sec,
		 (unsigned long)info->st_mtim.tv_nsec);
}

static void answer_file(const struct http_call *call, const char *path, int fd, const struct stat *info,
			struct http_answer *answer)
{
	uint64_t offset = 0, length = (uint64_t)info->st_size;
	int r = 0;

	format_etag(info, answer->etag);
	answer->content_type = content_type(path);
	answer->cache_control = repository_cache_control(path);
	if (etag_listed(call->if_none_match, answer->etag)) {
		close(fd);
		answer->status = 304;
		return;
	}
	/* Of another copy of the file than the one that the client has a part of, it gets all (RFC 9110, 13.1.5). */
	if (!call->if_range || !strcmp(call->if_range, answer->etag))
		r = range_parse(call->range, length, &offset, &length);
	if (r < 0) {
		close(fd);
		snprintf(answer->content_range, sizeof answer->content_range, "bytes */%" PRIu64, (uint64_t)info->st_size);
		answer->content_type = answer->cache_control = NULL;
		http_answer_error(answer, 416, "the range lies outside the file");
		return;
	}
	if (r > 0)
		snprintf(answer->content_range, sizeof answer->content_range, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64, offset,
			 offset + length - 1, (uint64_t)info->st_size);
	answer->status = r > 0 ? 206 : 200;
	answer->fd = fd;
	answer->offset = offset;
	answer->size = length;
}

void repository_answer(void *context, const struct http_call *call, struct http_answer *answer)
{
	const struct repository_files *files = context;
	char path[REPOSITORY_PATH_MOST + 1];
	struct stat info;
	int fd;

	if (repository_path_parse(call->path, path) < 0) {
		http_answer_error(answer, 404, "no such file in the repository");
		return;
	}
	if (refuse(files, path, answer) || forbid(files, path, call->peer, answer))
		return;
	fd = open_below(files->folder, path);
	if (fd < 0) {
		http_answer_error(answer, 404, "no such file in the repository");
		return;
	}
	if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode)) {
		close(fd);
		http_answer_error(answer, 404, "no such file in the repository");
		return;
	}
	answer_file(call, path, fd, &info, answer);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/prune.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/repository-private.h"

#define DEPTH_MOST 16

struct pruning {
	int64_t before;
	json_t *keep;    /* names of files: metadata files, and below targets/ */
	uint64_t files, bytes;
};

static int keep(struct pruning *p, const char *name)
{
	return json_object_set_new(p->keep, name, json_true()) < 0 ? -ENOMEM : 0;
}

static int keep_metadata(struct pruning *p, const struct repository_role *role)
{
	char file[TUF_FILE_NAME_SIZE];

	if (!role->published)
		return 0;
	metadata_file_name(role->name, role->version, file);
	return keep(p, file);
}

static int keep_targets(struct pruning *p, const json_t *document)
{
	json_t *target;
	const char *path;

	json_object_foreach(json_object_get(json_object_get(document, "signed"), "targets"), path, target) {
		uint8_t sha256[32];
		char *file;
		int r;

		if (json_get_hex(json_get_object(target, "hashes"), "sha256", sha256, 32) < 0)
			continue;
		file = repository_target_file(".", path, sha256);
		if (!file)
			return -ENOMEM;
		r = keep(p, file + strlen("./targets/"));
		free(file);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A patch (docs/protocol.md) is kept as long as the image that it leads to. */
static bool is_kept(const struct pruning *p, const char *name)
{
	static const char mark[] = ".from-";
	const char *from = strrchr(name, '.');
	bool kept = json_object_get(p->keep, name) != NULL;
	char *wire;

	if (kept || from == NULL || strncmp(from, mark, strlen(mark)) != 0)
		return kept;
	wire = strndup(name, (size_t)(from - name));
	kept = wire == NULL || json_object_get(p->keep, wire) != NULL;
	free(wire);
	return kept;
}

static int remove_file(struct pruning *p, int folder, const char *entry, const char *name, const struct stat *status)
{
	if (unlinkat(folder, entry, 0) < 0)
		return log_error(-errno, "can't remove %s", name);
	log_info("removed %s", name);
	p->files++;
	p->bytes += (uint64_t)status->st_size;
	return 0;
}

/* "7.acme.json", and no root's. */
static bool is_old_kind(const char *name)
{
	size_t digits = strspn(name, "0123456789"), size = strlen(name);

	return digits > 0 && name[digits] == '.' && strcmp(name + digits, ".root.json") != 0 && size > 5 &&
	       strcmp(name + size - 5, ".json") == 0;
}

static int prune_metadata(struct pruning *p, int folder)
{
	DIR *entries = fdopendir(folder);
	const struct dirent *entry;
	struct stat status;
	int r = entries ? 0 : -errno;

	while (r == 0 && (entry = readdir(entries)))
		if (is_old_kind(entry->d_name) && !json_object_get(p->keep, entry->d_name) &&
		    fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode) &&
		    status.st_mtime < p->before)
			r = remove_file(p, folder, entry->d_name, entry->d_name, &status);
	if (entries)
		closedir(entries);
	return r;
}

/* `below` is the folder's name below targets/, with a slash at its end, or "". Takes over `folder`. */
static int prune_targets(struct pruning *p, int folder, const char *below, unsigned depth)
{
	DIR *entries = fdopendir(folder);
	const struct dirent *entry;
	struct stat status;
	char *name;
	int r = entries ? 0 : -errno;

	while (r == 0 && (entry = readdir(entries))) {
		if (entry->d_name[0] == '.' || fstatat(folder, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		if (asprintf(&name, "%s%s%s", below, entry->d_name, S_ISDIR(status.st_mode) ? "/" : "") < 0) {
			r = -ENOMEM;
			break;
		}
		if (S_ISDIR(status.st_mode) && depth > 0) {
			int fd = openat(folder, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

			r = fd < 0 ? -errno : prune_targets(p, fd, name, depth - 1);
		} else if (S_ISREG(status.st_mode) && status.st_mtime < p->before && !is_kept(p, name)) {
			r = remove_file(p, folder, entry->d_name, name, &status);
		}
		free(name);
	}
	if (entries)
		closedir(entries);
	return r;
}

static int open_in(const char *folder, const char *name, int *ret_fd)
{
	char *path;
	int r = asprintf(&path, "%s/%s", folder, name) < 0 ? -ENOMEM : 0;

	if (r < 0)
		return r;
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		r = log_error(-errno, "can't open %s", path);
	free(path);
	return r;
}

int repository_prune(struct repository *repository, int64_t before)
{
	struct pruning p = { .before = before, .keep = json_object() };
	char size[16];
	int fd, r = p.keep ? repository_load_staged(repository) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < repository->count; i++) {
		const struct repository_role *role = &repository->roles[i];

		r = keep_metadata(&p, role);
		if (r == 0)
			r = keep_targets(&p, role->published);
		if (r == 0)
			r = keep_targets(&p, role->staged);
	}
	if (r == 0 && (r = open_in(repository->folder, "metadata", &fd)) == 0)
		r = prune_metadata(&p, fd);
	if (r == 0 && (r = open_in(repository->folder, "targets", &fd)) == 0)
		r = prune_targets(&p, fd, "", DEPTH_MOST);
	if (r == 0)
		log_info("removed %" PRIu64 " files, %s", p.files, format_size(p.bytes, size));
	json_decref(p.keep);
	return r;
}

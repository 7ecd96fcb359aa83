/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metadata files of a repository: read, verified as a node would, written. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"
#include "signing/repository-private.h"

void metadata_file_name(const char *role, uint64_t version, char ret_name[TUF_FILE_NAME_SIZE])
{
	tuf_role_file_name(role, strcmp(role, "timestamp") == 0 ? 0 : version, ret_name);
}

void meta_name(const char *role, char ret_name[META_NAME_SIZE])
{
	snprintf(ret_name, META_NAME_SIZE, "%.*s.json", TUF_ROLE_SIZE - 1, role);
}

/* ------------------------------------------------------------------ reading */

struct overlay {
	const char *folder;
	const struct pending_file *pending;
	size_t count;
};

int repository_fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	const char *folder = context;
	char *path;
	int r;

	if (asprintf(&path, "%s/metadata/%s", folder, name) < 0)
		return -ENOMEM;
	r = file_load(path, most, ret_data);
	free(path);
	return r;
}

static int overlay_fetch(void *context, const char *name, size_t most, struct buffer *ret_data)
{
	const struct overlay *overlay = context;

	for (size_t i = 0; i < overlay->count; i++) {
		const struct pending_file *file = &overlay->pending[i];

		if (strcmp(file->name, name) == 0)
			return file->data.size > most ? -EFBIG : buffer_add(ret_data, file->data.data, file->data.size);
	}
	return repository_fetch((void *)(uintptr_t)overlay->folder, name, most, ret_data);
}

/* ------------------------------------------------------------------ a store in memory */

static struct memory_entry *find_entry(const struct memory_store *memory, const char *role)
{
	for (size_t i = 0; i < memory->count; i++)
		if (strcmp(memory->entries[i].role, role) == 0)
			return &memory->entries[i];
	return NULL;
}

struct buffer *memory_store_get(const struct memory_store *memory, const char *role)
{
	struct memory_entry *entry = find_entry(memory, role);

	return entry && entry->data.data ? &entry->data : NULL;
}

static int memory_load(void *context, const char *role, size_t most, struct buffer *ret_data)
{
	const struct buffer *data = memory_store_get(context, role);

	if (!data)
		return -ENOENT;
	return data->size > most ? -EFBIG : buffer_add(ret_data, data->data, data->size);
}

static int memory_save(void *context, const char *role, const void *bytes, size_t size)
{
	struct memory_store *memory = context;
	struct memory_entry *entry = find_entry(memory, role), *more;
	struct buffer copy = { 0 };
	int r = buffer_add(&copy, bytes, size);

	if (r == 0 && !entry) {
		more = realloc(memory->entries, (memory->count + 1) * sizeof(*more));
		if (more) {
			memory->entries = more;
			entry = &more[memory->count];
			*entry = (struct memory_entry){ .role = strdup(role) };
		}
		if (!more || !entry->role)
			r = -ENOMEM;
		else
			memory->count++;
	}
	if (r < 0) {
		buffer_release(&copy);
		return r;
	}
	buffer_release(&entry->data);
	entry->data = copy;
	return 0;
}

static int memory_remove(void *context, const char *role)
{
	struct memory_entry *entry = find_entry(context, role);

	if (entry)
		buffer_release(&entry->data);
	return 0;
}

struct tuf_store memory_store_callbacks(struct memory_store *memory)
{
	return (struct tuf_store){ .load = memory_load, .store = memory_save, .remove = memory_remove, .context = memory };
}

void memory_store_release(struct memory_store *memory)
{
	for (size_t i = 0; i < memory->count; i++) {
		free(memory->entries[i].role);
		buffer_release(&memory->entries[i].data);
	}
	free(memory->entries);
	memset(memory, 0, sizeof(*memory));
}

/* ------------------------------------------------------------------ verifying with the node's own code */

void root_problem(const struct buffer *root, char ret_error[TUF_ERROR_SIZE])
{
	struct tuf_document document = { 0 };
	struct tuf_signers signers;
	int r;

	snprintf(ret_error, TUF_ERROR_SIZE, "out of memory");
	r = tuf_document_parse(TUF_ROOT, root->data, root->size, &document, ret_error);
	if (r == 0) {
		tuf_root_signers(&document, TUF_ROOT, &signers);
		tuf_check_signatures(&document, &signers, ret_error);
	}
	tuf_document_release(&document);
}

const char *repository_remedy(int error)
{
	return error == -EBADMSG || error == -EINVAL || error == -ENOENT ?
	       ": put metadata/ back as it was, from a backup or a mirror" : "";
}

int repository_verify(const char *folder, const struct pending_file *pending, size_t count, const struct buffer *root,
		      int64_t now, struct memory_store *ret_store)
{
	struct overlay overlay = { folder, pending, count };
	struct tuf_store store = memory_store_callbacks(ret_store);
	struct tuf_fetch fetch = { overlay_fetch, &overlay };
	struct tuf_client *client = NULL;
	char error[TUF_ERROR_SIZE];
	int r;

	memset(ret_store, 0, sizeof(*ret_store));
	r = tuf_client_open(&store, &fetch, root->data, root->size, now, &client);
	if (r < 0) {
		root_problem(root, error);
		log_error(0, "the trusted root of %s (root.json of the keys, or 1.root.json) can't be used: %s: take it from a copy that "
			  "you keep", folder, error);
	} else {
		r = tuf_client_refresh(client);
		if (r < 0)
			log_error(0, "%s doesn't verify: %s%s", folder, tuf_client_error(client), count == 0 ? repository_remedy(r) : "");
	}
	tuf_client_close(client);
	if (r < 0)
		memory_store_release(ret_store);
	return r;
}

/* ------------------------------------------------------------------ writing */

static int write_files(const char *folder, const struct pending_file *files, size_t count)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < count; i++) {
		char *path;

		if (asprintf(&path, "%s/%s", folder, files[i].name) < 0)
			return -ENOMEM;
		r = file_store(path, files[i].data.data, files[i].data.size, 0644);
		if (r < 0)
			log_error(r, "can't write %s", path);
		free(path);
	}
	return r;
}

static int sync_folder(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	if (fd < 0 || fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r;
}

/* A folder of this program's own making, without folders in it. */
static void remove_flat(const char *folder)
{
	DIR *entries = opendir(folder);
	const struct dirent *entry;

	while (entries && (entry = readdir(entries)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(entries), entry->d_name, 0);
	if (entries)
		closedir(entries);
	rmdir(folder);
}

/* Links everything of `from` into `to`. What has no hard links is copied. */
static int link_all(const char *from, const char *to)
{
	DIR *entries = opendir(from);
	const struct dirent *entry;
	int fd = open(to, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = entries && fd >= 0 ? 0 : -errno;

	while (r == 0 && (errno = 0, entry = readdir(entries))) {
		struct buffer data = { 0 };
		char *path;

		if (entry->d_name[0] == '.' || linkat(dirfd(entries), entry->d_name, fd, entry->d_name, 0) == 0)
			continue;
		r = file_load_at(dirfd(entries), entry->d_name, TUF_TARGETS_MOST, &data);
		if (r == 0) {
			r = asprintf(&path, "%s/%s", to, entry->d_name) < 0 ? -ENOMEM : file_store(path, data.data, data.size, 0644);
			free(path);
		}
		buffer_release(&data);
	}
	if (entries)
		closedir(entries);
	if (fd >= 0)
		close(fd);
	return r;
}

/* Everything of `present` and the new files, in a folder beside it. */
static int make_replacement(const char *present, const char *replacement, const struct pending_file *files, size_t count)
{
	struct stat status;
	bool exists = stat(present, &status) == 0;
	int r;

	remove_flat(replacement);
	if (mkdir(replacement, 0755) < 0)
		return log_error(-errno, "can't make %s", replacement);
	r = exists ? link_all(present, replacement) : 0;
	if (r < 0)
		log_error(r, "can't fill %s", replacement);
	if (r == 0)
		r = write_files(replacement, files, count);
	if (r == 0 && exists && (chmod(replacement, status.st_mode & 07777) < 0 ||
				 (chown(replacement, status.st_uid, status.st_gid) < 0 && errno != EPERM)))
		r = log_error(-errno, "can't make %s like %s", replacement, present);
	if (r == 0 && (r = sync_folder(replacement)) < 0)
		log_error(r, "can't write %s", replacement);
	return r;
}

/* A new root and a timestamp signed by other keys must come into force in one step, which two files can't. */
static int replace_folder(const char *folder, const char *present, const char *replacement, const struct pending_file *files,
			  size_t count)
{
	int r = make_replacement(present, replacement, files, count);

	if (r < 0) {
		remove_flat(replacement);
		return r;
	}
	r = renameat2(AT_FDCWD, replacement, AT_FDCWD, present, RENAME_EXCHANGE) < 0 ? -errno : 0;
	if (r == -ENOENT)
		r = rename(replacement, present) < 0 ? -errno : 0;
	if (r == 0)
		r = sync_folder(folder);
	remove_flat(replacement);
	if (r == -EINVAL || r == -ENOSYS) {
		log_warning("the file system of %s can't exchange folders: a crash in the next moment needs repave-sign publish again",
			    folder);
		r = write_files(present, files, count);
	} else if (r < 0) {
		log_error(r, "can't put %s in the place of %s", replacement, present);
	}
	return r;
}

int repository_write(const char *folder, const struct pending_file *files, size_t count, bool replace_all)
{
	char *present = NULL, *replacement = NULL;
	int r = asprintf(&present, "%s/metadata", folder) < 0 || asprintf(&replacement, "%s.new", present) < 0 ? -ENOMEM : 0;

	if (r == 0)
		r = replace_all ? replace_folder(folder, present, replacement, files, count) : write_files(present, files, count);
	free(present);
	free(replacement);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/log.h"

#define PIECE (256u * 1024)

struct archive {
	const char *path;
	int fd;
	uint8_t *piece;          /* PIECE bytes */
};

static int damaged(const struct archive *archive, const char *why)
{
	log_error(0, "%s is no whole backup: %s; take another one", archive->path, why);
	return -EBADMSG;
}

/* Exactly `size` bytes. */
static int take(const struct archive *archive, void *ret_data, size_t size)
{
	uint8_t *at = ret_data;

	while (size) {
		ssize_t got = read(archive->fd, at, size);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return log_error(-errno, "can't read %s", archive->path);
		if (got == 0)
			return damaged(archive, "it ends in the middle");
		at += got;
		size -= (size_t)got;
	}
	return 0;
}

/* The next member must be this one. */
static int take_header(const struct archive *archive, const char *name, uint64_t *ret_size)
{
	char found[BACKUP_NAME_MOST + 1];
	uint8_t header[BACKUP_BLOCK];
	int r = take(archive, header, sizeof header);

	if (r < 0)
		return r;
	if (backup_header_parse(header, found, ret_size) < 0 || strcmp(found, name))
		return damaged(archive, "it isn't as `repave backup` writes it");
	return 0;
}

static int take_padding(const struct archive *archive, uint64_t size)
{
	uint8_t padding[BACKUP_BLOCK];

	return take(archive, padding, (size_t)(-size % BACKUP_BLOCK));
}

static int take_manifest(const struct archive *archive, struct backup_manifest *ret_manifest)
{
	char why[ERROR_TEXT] = "";
	uint64_t size = 0;
	uint8_t *text;
	int r = take_header(archive, BACKUP_MANIFEST, &size);

	if (r < 0)
		return r;
	if (size > BACKUP_MANIFEST_MOST)
		return damaged(archive, "its manifest is too long");
	text = malloc(size + 1);
	r = text ? take(archive, text, size) : -ENOMEM;
	if (!r)
		r = take_padding(archive, size);
	if (!r) {
		r = backup_manifest_parse(text, size, ret_manifest, why);
		if (r == -EINVAL)
			r = damaged(archive, why);
	}
	free(text);
	return r;
}

/* Its bytes into `out`, with their hash. */
static int copy_member(const struct archive *archive, const struct backup_file *file, int out)
{
	mbedtls_sha256_context sha;
	uint8_t digest[32];
	uint64_t at = 0;
	int r = 0;

	mbedtls_sha256_init(&sha);
	mbedtls_sha256_starts_ret(&sha, 0);
	while (!r && at < file->size) {
		size_t size = file->size - at < PIECE ? (size_t)(file->size - at) : PIECE;

		r = take(archive, archive->piece, size);
		if (!r)
			r = write_full_at(out, archive->piece, size, at);
		mbedtls_sha256_update_ret(&sha, archive->piece, size);
		at += size;
	}
	mbedtls_sha256_finish_ret(&sha, digest);
	mbedtls_sha256_free(&sha);
	if (!r && memcmp(digest, file->sha256, sizeof digest))
		r = damaged(archive, "bytes of it have changed");
	return r;
}

static int take_file(const struct archive *archive, const struct backup_file *file, int folder)
{
	uint64_t size = 0;
	int out, r = take_header(archive, file->name, &size);

	if (r < 0)
		return r;
	if (size != file->size)
		return damaged(archive, "it isn't as `repave backup` writes it");
	if (!strncmp(file->name, "tuf/", 4) && mkdirat(folder, "tuf", 0700) < 0 && errno != EEXIST)
		return log_error(-errno, "can't make a folder for %s", file->name);
	out = openat(folder, file->name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, strstr(file->name, ".pem") ? 0644 : 0600);
	if (out < 0)
		return log_error(-errno, "can't write %s", file->name);
	r = copy_member(archive, file, out);
	if (!r && fsync(out) < 0)
		r = -errno;
	if (r < 0 && r != -EBADMSG)
		log_error(r, "can't write %s", file->name);
	close(out);
	return r ? r : take_padding(archive, size);
}

static int take_end(const struct archive *archive)
{
	uint8_t end[2 * BACKUP_BLOCK];
	int r = take(archive, end, sizeof end);

	for (size_t i = 0; !r && i < sizeof end; i++)
		if (end[i])
			r = damaged(archive, "there is more in it than its manifest says");
	return r;
}

int backup_unpack(const char *from, const char *folder, struct backup_manifest *ret_manifest)
{
	struct archive archive = { .path = from, .fd = strcmp(from, "-") ? open(from, O_RDONLY | O_CLOEXEC) : STDIN_FILENO,
				   .piece = malloc(PIECE) };
	struct backup_manifest manifest = { 0 };
	int out = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = out < 0 ? -errno : archive.piece ? 0 : -ENOMEM;

	if (!r && archive.fd < 0)
		r = log_error(-errno, "can't read %s", from);
	if (!r)
		r = take_manifest(&archive, &manifest);
	for (size_t i = 0; !r && i < manifest.count; i++)
		r = take_file(&archive, &manifest.files[i], out);
	if (!r)
		r = take_end(&archive);
	if (!r && (fsync(out) < 0))
		r = -errno;
	if (archive.piece)
		explicit_bzero(archive.piece, PIECE);
	free(archive.piece);
	if (archive.fd > STDIN_FILENO)
		close(archive.fd);
	if (out >= 0)
		close(out);
	if (r < 0)
		backup_manifest_release(&manifest);
	else
		*ret_manifest = manifest;
	return r;
}

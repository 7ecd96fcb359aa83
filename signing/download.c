/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/download.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium/crypto_hash_sha512.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "signing/sha256.h"

#define SHA512_SIZE crypto_hash_sha512_BYTES

__attribute__((format(printf, 3, 4))) static int fail(char *error, int r, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(error, DOWNLOAD_ERROR_SIZE, format, arguments);
	va_end(arguments);
	return r;
}

/* ------------------------------------------------------------------ names */

static bool is_unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_.-~", c));
}

int target_file_name(const char *path, char ret_name[256])
{
	size_t size = 0;

	for (const char *c = path; *c; c++) {
		/* No hidden file, no "." and no "..". */
		bool plain = is_unreserved(*c) && !(c == path && *c == '.');

		if (size + (plain ? 1 : 3) > 255)
			return -ENAMETOOLONG;
		if (plain)
			ret_name[size++] = *c;
		else
			size += (size_t)sprintf(ret_name + size, "%%%02X", (unsigned char)*c);
	}
	ret_name[size] = '\0';
	return size ? 0 : -ENAMETOOLONG;
}

/* A target's path is a URL's path already (specification 4.5): an escape in it is one. */
static bool stands_in_url(const char *c)
{
	if (*c == '%')
		return c[1] && c[2] && strspn(c + 1, "0123456789abcdefABCDEF") >= 2;
	return is_unreserved(*c) || strchr("/!$&'()*+,;=:@", *c);
}

static int add_quoted(struct buffer *url, const char *text, size_t size)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < size; i++)
		r = stands_in_url(text + i) ? buffer_add(url, text + i, 1) :
					      buffer_printf(url, "%%%02X", (unsigned char)text[i]);
	return r;
}

static int add_hash(struct buffer *url, const struct verified_target *target)
{
	const uint8_t *sha256 = verified_target_sha256(target), *sha512 = verified_target_sha512(target);
	char hash[2 * SHA512_SIZE + 1];

	hex_format(sha256 ? sha256 : sha512, sha256 ? SHA256_SIZE : SHA512_SIZE, hash);
	return buffer_printf(url, "%s.", hash);
}

int target_url(const struct verified_target *target, const char *base, bool consistent, struct buffer *ret_url)
{
	const char *path = verified_target_path(target), *slash = strrchr(path, '/'), *file = slash ? slash + 1 : path;
	size_t size = strlen(base);
	int r = buffer_printf(ret_url, "%s%s", base, size && base[size - 1] == '/' ? "" : "/");

	if (r == 0)
		r = add_quoted(ret_url, path, (size_t)(file - path));
	if (r == 0 && consistent)
		r = add_hash(ret_url, target);
	return r < 0 ? r : add_quoted(ret_url, file, strlen(file));
}

/* ------------------------------------------------------------------ hashes */

struct digest {
	struct sha256 sha256;
	crypto_hash_sha512_state sha512;
	uint64_t size;
};

static void digest_init(struct digest *digest)
{
	sha256_init(&digest->sha256);
	crypto_hash_sha512_init(&digest->sha512);
	digest->size = 0;
}

static void digest_update(struct digest *digest, const void *data, size_t size)
{
	sha256_update(&digest->sha256, data, size);
	crypto_hash_sha512_update(&digest->sha512, data, size);
	digest->size += size;
}

/* NULL when all that is signed fits, or else what differs. */
static const char *digest_check(struct digest *digest, const struct verified_target *target)
{
	const uint8_t *sha256 = verified_target_sha256(target), *sha512 = verified_target_sha512(target);
	uint8_t own[SHA512_SIZE];

	if (digest->size != verified_target_length(target))
		return "length";
	sha256_final(&digest->sha256, own);
	if (sha256 && memcmp(own, sha256, SHA256_SIZE) != 0)
		return "SHA-256";
	crypto_hash_sha512_final(&digest->sha512, own);
	if (sha512 && memcmp(own, sha512, SHA512_SIZE) != 0)
		return "SHA-512";
	return sha256 || sha512 ? NULL : "hash";
}

static bool is_there(const struct folder *folder, const char *name, const struct verified_target *target)
{
	int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	uint8_t piece[65536];
	struct digest digest;
	struct stat info;
	ssize_t n = -1;

	if (fd < 0)
		return false;
	digest_init(&digest);
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && (uint64_t)info.st_size == verified_target_length(target))
		while ((n = read(fd, piece, sizeof(piece))) > 0)
			digest_update(&digest, piece, (size_t)n);
	close(fd);
	return n == 0 && !digest_check(&digest, target);
}

/* ------------------------------------------------------------------ fetching */

struct arriving {
	struct digest digest;
	int fd;
	bool disk_failed;
};

static int take(void *context, const uint8_t *data, size_t size)
{
	struct arriving *file = context;
	int r = write_full_at(file->fd, data, size, file->digest.size);

	file->disk_failed = r < 0;
	digest_update(&file->digest, data, size);
	return r;
}

static int fetch(struct http *http, const struct verified_target *target, const char *url, struct arriving *file,
		 char *error)
{
	const char *differs;
	int r = http_get_stream(http, url, verified_target_length(target), take, file);

	if (file->disk_failed)
		return fail(error, r, "%s can't be written: %s", verified_target_path(target), strerror(-r));
	if (r < 0)
		return fail(error, r, "%s", http_error(http));
	differs = digest_check(&file->digest, target);
	if (differs)
		return fail(error, -EBADMSG, "%s: isn't the file that was signed: its %s differs", url, differs);
	return 0;
}

int target_download(struct http *http, const struct verified_target *target, const char *base, bool consistent,
		    const struct folder *folder, char ret_error[DOWNLOAD_ERROR_SIZE])
{
	struct arriving file = { .fd = -1 };
	const char *path = verified_target_path(target);
	struct buffer url = { 0 };
	char name[256];
	int r = target_file_name(path, name);

	if (r < 0)
		return fail(ret_error, r, "%s: no file can have this name: %s", path, strerror(-r));
	if (is_there(folder, name, target))
		return 0;
	r = target_url(target, base, consistent, &url);
	if (r < 0)
		return fail(ret_error, r, "out of memory");
	digest_init(&file.digest);
	r = folder_begin(folder, &file.fd);
	if (r < 0) {
		fail(ret_error, r, "%s can't be written: %s", path, strerror(-r));
		goto release_url;
	}
	r = fetch(http, target, (const char *)url.data, &file, ret_error);
	if (r < 0) {
		folder_cancel(folder, file.fd);
		goto release_url;
	}
	r = folder_commit(folder, file.fd, name);
	if (r < 0)
		fail(ret_error, r, "%s can't be written: %s", path, strerror(-r));
release_url:
	buffer_release(&url);
	return r;
}

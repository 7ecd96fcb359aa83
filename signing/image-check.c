/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/image-check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "common/seekable.h"
#include "signing/canonical.h"
#include "signing/sha256.h"
#include "signing/verity.h"

#define DESCRIPTION_MOST 65536u
#define CHUNK (1u << 20)

static int open_sized(const char *path, uint64_t *ret_size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	*ret_size = (uint64_t)status.st_size;
	return fd;
}

static int hash_file(int fd, uint64_t size, uint8_t ret_digest[32])
{
	uint8_t *chunk = malloc(CHUNK);
	struct sha256 sha;
	int r = chunk ? 0 : -ENOMEM;

	sha256_init(&sha);
	for (uint64_t at = 0; r == 0 && at < size; at += CHUNK) {
		size_t now = size - at < CHUNK ? (size_t)(size - at) : CHUNK;

		r = read_full_at(fd, chunk, now, at);
		if (r == 0)
			sha256_update(&sha, chunk, now);
	}
	sha256_final(&sha, ret_digest);
	free(chunk);
	return r;
}

/* ------------------------------------------------------------------ the file for the wire */

static int check_seek_table(int fd, const struct image_description *d)
{
	size_t size = seekable_table_size(d->frames);
	struct seek_table table = { 0 };
	uint8_t *data;
	int r;

	if (size > d->wire_size)
		return -EINVAL;
	data = malloc(size);
	if (!data)
		return -ENOMEM;
	r = read_full_at(fd, data, size, d->wire_size - size);
	if (r == 0)
		r = seek_table_parse(data, size, d->wire_size, d->frames, d->frame_size, d->image_size, &table);
	if (r == 0)
		seek_table_release(&table);
	free(data);
	return r;
}

static int check_wire(struct checked_image *image)
{
	const struct image_description *d = &image->description;
	uint64_t size;
	int fd = open_sized(image->wire_file, &size), r;

	if (fd < 0)
		return log_error(fd, "%s: can't open the image's wire file %s", image->description_file,
				 image->wire_file);
	if (size != d->wire_size) {
		log_error(0, "%s says wire.size %" PRIu64 ", but %s has %" PRIu64 " bytes: build the image again",
			  image->description_file, d->wire_size, image->wire_file, size);
		r = -EINVAL;
		goto out;
	}
	r = check_seek_table(fd, d);
	if (r < 0) {
		log_error(r == -EINVAL ? 0 : r, "%s: its seek table doesn't fit %s: build the image again",
			  image->wire_file, image->description_file);
		goto out;
	}
	r = hash_file(fd, size, image->wire_sha256);
	if (r < 0)
		log_error(r, "can't read %s", image->wire_file);
out:
	close(fd);
	return r;
}

/* ------------------------------------------------------------------ the image itself */

static int check_superblock(int fd, const struct image_description *d)
{
	uint8_t wanted[VERITY_BLOCK] = { 0 }, found[VERITY_BLOCK];
	int r = read_full_at(fd, found, sizeof(found), d->data_blocks * VERITY_BLOCK);

	if (r < 0)
		return r;
	verity_superblock_format(d->data_blocks, d->uuid, d->salt, d->salt_size, wanted);
	return memcmp(wanted, found, sizeof(wanted)) == 0 ? 0 : -EINVAL;
}

static int check_data(int fd, const struct image_description *d, const struct verity_layout *layout,
		      const uint8_t *tree, uint64_t *ret_block)
{
	uint8_t *chunk = malloc(CHUNK), digest[VERITY_DIGEST];
	const uint64_t step = CHUNK / VERITY_BLOCK;
	int r = chunk ? 0 : -ENOMEM;

	for (uint64_t first = 0; r == 0 && first < d->data_blocks; first += step) {
		uint64_t n = d->data_blocks - first < step ? d->data_blocks - first : step;

		r = read_full_at(fd, chunk, n * VERITY_BLOCK, first * VERITY_BLOCK);
		for (uint64_t i = 0; r == 0 && i < n; i++) {
			verity_digest(d->salt, d->salt_size, chunk + i * VERITY_BLOCK, digest);
			if (memcmp(digest, verity_tree_leaf(layout, tree, first + i), VERITY_DIGEST) != 0) {
				*ret_block = first + i;
				r = -EBADMSG;
			}
		}
	}
	free(chunk);
	return r;
}

static int check_blocks(int fd, const struct checked_image *image, const char *file)
{
	const struct image_description *d = &image->description;
	struct verity_layout layout;
	uint64_t block = 0;
	uint8_t *tree;
	int r = verity_layout_init(&layout, d->data_blocks);

	if (r < 0)
		return r;
	tree = malloc(layout.tree_blocks * VERITY_BLOCK);
	if (!tree)
		return log_error(-ENOMEM, "can't check %s", file);
	r = read_full_at(fd, tree, layout.tree_blocks * VERITY_BLOCK, layout.tree_start * VERITY_BLOCK);
	if (r < 0) {
		log_error(r, "can't read %s", file);
		goto out;
	}
	r = verity_tree_check(&layout, d->salt, d->salt_size, d->root_hash, tree);
	if (r < 0) {
		log_error(0, "%s: its hash tree doesn't lead to verity.root_hash of %s: build the image again", file,
			  image->description_file);
		goto out;
	}
	r = check_data(fd, d, &layout, tree, &block);
	if (r == -EBADMSG)
		log_error(0, "%s: block %" PRIu64 " isn't the one in its hash tree: build the image again", file, block);
	else if (r < 0)
		log_error(r, "can't read %s", file);
out:
	free(tree);
	return r == -EBADMSG ? -EINVAL : r;
}

static int check_image(struct checked_image *image)
{
	char *file = strndup(image->wire_file, strlen(image->wire_file) - strlen(".zst"));
	uint64_t size;
	int fd, r = 0;

	if (!file)
		return -ENOMEM;
	fd = open_sized(file, &size);
	if (fd == -ENOENT)
		goto out;
	if (fd < 0) {
		r = log_error(fd, "can't open %s", file);
		goto out;
	}
	if (size != image->description.image_size) {
		log_error(0, "%s says image.size %" PRIu64 ", but %s has %" PRIu64 " bytes: build the image again",
			  image->description_file, image->description.image_size, file, size);
		r = -EINVAL;
		goto out_close;
	}
	r = check_superblock(fd, &image->description);
	if (r < 0) {
		log_error(r == -EINVAL ? 0 : r, "%s: its verity superblock doesn't say what %s says: build the image again",
			  file, image->description_file);
		goto out_close;
	}
	r = check_blocks(fd, image, file);
	image->has_image = r == 0;
out_close:
	close(fd);
out:
	free(file);
	return r;
}

/* ------------------------------------------------------------------ all of it */

static int load_description(struct checked_image *image)
{
	struct buffer data = { 0 };
	uint8_t digest[32];
	char error[160];
	int r = file_load(image->description_file, DESCRIPTION_MOST, &data);

	if (r < 0)
		return log_error(r, "can't read the image description %s", image->description_file);
	image->json = json_parse(data.data, data.size, error);
	r = image->json ? image_description_parse(image->json, &image->description, error) : -EINVAL;
	if (r == 0 && canonical_sha256(image->json, digest) < 0) {
		snprintf(error, sizeof(error), "it holds a number that isn't whole");
		r = -EINVAL;
	}
	if (r < 0)
		log_error(0, "%s is no sound image description: %s", image->description_file, error);
	else
		image_target_path(&image->description, image->path);
	buffer_release(&data);
	return r;
}

static int name_files(const char *description_file, struct checked_image *image)
{
	size_t size = strlen(description_file);

	if (size < 6 || strcmp(description_file + size - 5, ".json") != 0) {
		log_error(0, "%s is no image description: give NAME.json with NAME.img.zst beside it",
			  description_file);
		return -EINVAL;
	}
	image->description_file = strdup(description_file);
	if (!image->description_file ||
	    asprintf(&image->wire_file, "%.*s.img.zst", (int)(size - 5), description_file) < 0) {
		image->wire_file = NULL;
		return log_error(-ENOMEM, "%s", description_file);
	}
	return 0;
}

int checked_image_load(const char *description_file, struct checked_image *ret_image)
{
	struct checked_image image = { 0 };
	int r = name_files(description_file, &image);

	if (r == 0)
		r = load_description(&image);
	if (r == 0)
		r = check_wire(&image);
	if (r == 0)
		r = check_image(&image);
	if (r < 0) {
		checked_image_release(&image);
		return r;
	}
	*ret_image = image;
	return 0;
}

void checked_image_release(struct checked_image *image)
{
	free(image->description_file);
	free(image->wire_file);
	json_decref(image->json);
	memset(image, 0, sizeof(*image));
}

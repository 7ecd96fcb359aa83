/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/image-check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "signing/document-json.h"
#include "signing/image-source.h"
#include "signing/sha256.h"
#include "signing/verity.h"

#define DESCRIPTION_MOST 65536u
#define CHUNK (1u << 20)

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

/* ------------------------------------------------------------------ every block against the root hash */

/* -EINVAL when it says something else than the description. */
static int check_superblock(struct image_source *source, const struct image_description *d)
{
	uint8_t wanted[VERITY_BLOCK] = { 0 }, found[VERITY_BLOCK];
	int r = image_source_read(source, found, sizeof(found), d->data_blocks * VERITY_BLOCK);

	if (r < 0)
		return r;
	verity_superblock_format(d->data_blocks, d->uuid, d->salt, d->salt_size, wanted);
	return memcmp(wanted, found, sizeof(wanted)) == 0 ? 0 : -EINVAL;
}

/* -EINVAL when a block isn't the tree's. */
static int check_data(struct image_source *source, const struct image_description *d,
		      const struct verity_layout *layout, const uint8_t *tree, uint64_t *ret_block)
{
	uint8_t *chunk = malloc(CHUNK), digest[VERITY_DIGEST];
	const uint64_t step = CHUNK / VERITY_BLOCK;
	int r = chunk ? 0 : -ENOMEM;

	for (uint64_t first = 0; r == 0 && first < d->data_blocks; first += step) {
		uint64_t n = d->data_blocks - first < step ? d->data_blocks - first : step;

		r = image_source_read(source, chunk, n * VERITY_BLOCK, first * VERITY_BLOCK);
		for (uint64_t i = 0; r == 0 && i < n; i++) {
			verity_digest(d->salt, d->salt_size, chunk + i * VERITY_BLOCK, digest);
			if (memcmp(digest, verity_tree_leaf(layout, tree, first + i), VERITY_DIGEST) != 0) {
				*ret_block = first + i;
				r = -EINVAL;
			}
		}
	}
	free(chunk);
	return r;
}

static int refuse(const char *file, const char *why)
{
	log_error(0, "%s: %s: build the image again", file, why);
	return -EINVAL;
}

static int broken_source(const char *file, int r)
{
	if (r == -EBADMSG)
		return refuse(file, "a frame doesn't decode to what the description says");
	return log_error(r, "can't read %s", file);
}

static int check_tree(struct image_source *source, const char *file, const struct image_description *d,
		      const struct verity_layout *layout, uint8_t *tree)
{
	char why[80];
	uint64_t block = 0;
	int r = image_source_read(source, tree, layout->tree_blocks * VERITY_BLOCK, layout->tree_start * VERITY_BLOCK);

	if (r < 0)
		return broken_source(file, r);
	if (verity_tree_check(layout, d->salt, d->salt_size, d->root_hash, tree) < 0)
		return refuse(file, "its hash tree doesn't lead to verity.root_hash of the description");
	r = check_data(source, d, layout, tree, &block);
	if (r == -EINVAL) {
		snprintf(why, sizeof(why), "block %" PRIu64 " isn't the one in its hash tree", block);
		return refuse(file, why);
	}
	return r < 0 ? broken_source(file, r) : 0;
}

static int check_blocks(struct image_source *source, const char *file, const struct image_description *d)
{
	struct verity_layout layout;
	uint8_t *tree;
	int r = verity_layout_init(&layout, d->data_blocks);

	if (r == 0)
		r = check_superblock(source, d);
	if (r == -EINVAL)
		return refuse(file, "its verity superblock doesn't say what the description says");
	if (r < 0)
		return broken_source(file, r);
	tree = malloc(layout.tree_blocks * VERITY_BLOCK);
	if (!tree)
		return log_error(-ENOMEM, "can't check %s", file);
	r = check_tree(source, file, d, &layout, tree);
	free(tree);
	return r;
}

/* ------------------------------------------------------------------ the files */

static int check_size(const char *file, uint64_t size, const char *member, uint64_t wanted)
{
	if (size == wanted)
		return 0;
	log_error(0, "%s has %" PRIu64 " bytes, but the description says %s %" PRIu64 ": build the image again", file,
		  size, member, wanted);
	return -EINVAL;
}

/* What nodes will fetch and decode. */
static int check_wire(struct checked_image *image)
{
	const struct image_description *d = &image->description;
	struct image_source source;
	int r = image_source_open(image->wire_file, &source);

	if (r < 0)
		return log_error(r, "can't open the wire file %s of %s", image->wire_file, image->description_file);
	r = check_size(image->wire_file, source.file_size, "wire.size", d->wire_size);
	if (r < 0)
		goto out;
	r = hash_file(source.fd, d->wire_size, image->wire_sha256);
	if (r < 0) {
		log_error(r, "can't read %s", image->wire_file);
		goto out;
	}
	r = image_source_decode(&source, d);
	if (r == -EBADMSG)
		r = refuse(image->wire_file, "its seek table doesn't fit the description");
	else if (r < 0)
		log_error(r, "can't decode %s", image->wire_file);
	if (r == 0)
		r = check_blocks(&source, image->wire_file, d);
out:
	image_source_close(&source);
	return r;
}

static int check_image(struct checked_image *image)
{
	char *file = strndup(image->wire_file, strlen(image->wire_file) - strlen(".zst"));
	struct image_source source;
	int r = file ? image_source_open(file, &source) : -ENOMEM;

	if (r == -ENOENT) {
		r = 0; /* the wire file holds it all */
	} else if (r < 0) {
		log_error(r, "can't open the image of %s", image->description_file);
	} else {
		r = check_size(file, source.file_size, "image.size", image->description.image_size);
		if (r == 0)
			r = check_blocks(&source, file, &image->description);
		image_source_close(&source);
	}
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
	if (r == 0 && json_canonical_sha256(image->json, digest) < 0) {
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

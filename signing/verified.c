/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/verified.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "signing/verified-private.h"

struct verified_image {
	char *path;
	uint8_t wire_sha256[32];
	json_t *custom; /* the description's strings point into it */
	struct image_description description;
};

/* A custom field is any JSON: a NUL or a number that is too large for jansson is no reason to refuse the target. */
static int parse_custom(struct tree custom, json_t **ret_custom)
{
	json_error_t error;

	if (tree_is_none(custom))
		return 0;
	*ret_custom = json_loadb(custom.text, tree_span(custom), 0, &error);
	return !*ret_custom && json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : 0;
}

/* false when there is one that isn't hexadecimal or has another length. */
static bool get_hashes(struct tree hashes, struct verified_target *target)
{
	int sha256 = tree_hex(tree_get(hashes, "sha256"), target->sha256, sizeof(target->sha256));
	int sha512 = tree_hex(tree_get(hashes, "sha512"), target->sha512, sizeof(target->sha512));

	target->has_sha256 = sha256 == 0;
	target->has_sha512 = sha512 == 0;
	return (sha256 == 0 || sha256 == -ENOENT) && (sha512 == 0 || sha512 == -ENOENT) &&
	       (target->has_sha256 || target->has_sha512);
}

int verified_target_new(const char *path, const char *role, const struct tuf_file *file,
			struct verified_target **ret_target)
{
	struct verified_target *target;
	int r;

	*ret_target = NULL;
	target = calloc(1, sizeof(*target));
	if (!target)
		return -ENOMEM;
	target->length = file->length;
	r = get_hashes(file->hashes, target) ? 0 : -EBADMSG;
	if (r == 0)
		r = parse_custom(file->custom, &target->custom);
	if (r == 0) {
		target->path = strdup(path);
		target->role = strdup(role);
		r = target->path && target->role ? 0 : -ENOMEM;
	}
	if (r < 0) {
		verified_target_free(target);
		return r;
	}
	*ret_target = target;
	return 0;
}

const char *verified_target_path(const struct verified_target *target)
{
	return target->path;
}

const char *verified_target_role(const struct verified_target *target)
{
	return target->role;
}

uint64_t verified_target_length(const struct verified_target *target)
{
	return target->length;
}

const uint8_t *verified_target_sha256(const struct verified_target *target)
{
	return target->has_sha256 ? target->sha256 : NULL;
}

const uint8_t *verified_target_sha512(const struct verified_target *target)
{
	return target->has_sha512 ? target->sha512 : NULL;
}

const json_t *verified_target_custom(const struct verified_target *target)
{
	return target->custom;
}

void verified_target_free(struct verified_target *target)
{
	if (!target)
		return;
	free(target->path);
	free(target->role);
	json_decref(target->custom);
	free(target);
}

/* What the path says must be what the description says: the control unit chooses by path, the node checks by
 * description. */
static int check_against_target(const struct image_description *description, const struct verified_target *target,
				char ret_error[160])
{
	char path[IMAGE_PATH_SIZE];

	image_target_path(description, path);
	if (strcmp(path, target->path) != 0) {
		snprintf(ret_error, 160, "the description belongs to another target (%.100s)", path);
		return -EINVAL;
	}
	if (description->wire_size != target->length) {
		snprintf(ret_error, 160, "wire.size %llu isn't the target's length %llu",
			 (unsigned long long)description->wire_size, (unsigned long long)target->length);
		return -EINVAL;
	}
	return 0;
}

int verified_image_of(const struct verified_target *target, struct verified_image **ret_image, char ret_error[160])
{
	struct verified_image *image;
	int r;

	*ret_image = NULL;
	if (!target->custom) {
		snprintf(ret_error, 160, "the target has no image description");
		return -EINVAL;
	}
	if (!target->has_sha256) {
		snprintf(ret_error, 160, "the target is signed without a SHA-256");
		return -EINVAL;
	}
	image = calloc(1, sizeof(*image));
	if (!image)
		goto no_memory;
	image->path = strdup(target->path);
	image->custom = json_deep_copy(target->custom);
	if (!image->path || !image->custom)
		goto no_memory;
	memcpy(image->wire_sha256, target->sha256, sizeof(image->wire_sha256));
	r = image_description_parse(image->custom, &image->description, ret_error);
	if (r == 0)
		r = check_against_target(&image->description, target, ret_error);
	if (r < 0) {
		verified_image_free(image);
		return r;
	}
	*ret_image = image;
	return 0;

no_memory:
	verified_image_free(image);
	snprintf(ret_error, 160, "out of memory");
	return -ENOMEM;
}

const struct image_description *verified_image_description(const struct verified_image *image)
{
	return &image->description;
}

const char *verified_image_path(const struct verified_image *image)
{
	return image->path;
}

const uint8_t *verified_image_wire_sha256(const struct verified_image *image)
{
	return image->wire_sha256;
}

void verified_image_free(struct verified_image *image)
{
	if (!image)
		return;
	free(image->path);
	json_decref(image->custom);
	free(image);
}

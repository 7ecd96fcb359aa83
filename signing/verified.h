/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The verified types. Both structures are opaque and only signing/ makes them: code that writes a disk or boots
 * takes `const struct verified_image *`, so nothing unverified can reach it. */
#ifndef SIGNING_VERIFIED_H
#define SIGNING_VERIFIED_H

#include <jansson.h>
#include <stdint.h>

struct verified_target; /* what signed targets metadata says of one path */
struct verified_image;  /* a target whose custom field is a sound image description */

const char *verified_target_path(const struct verified_target *target);
const char *verified_target_role(const struct verified_target *target);       /* that signed for it: "targets", or a delegated one */
uint64_t verified_target_length(const struct verified_target *target);        /* bytes of the wire file */
/* Of the wire file: 32 and 64 bytes, or NULL. At least one is there; images have a SHA-256. */
const uint8_t *verified_target_sha256(const struct verified_target *target);
const uint8_t *verified_target_sha512(const struct verified_target *target);
const json_t *verified_target_custom(const struct verified_target *target);   /* may be NULL */
void verified_target_free(struct verified_target *target);

/* Longest salt dm-verity's superblock has room for. */
#define VERITY_SALT_MOST 256
#define VERITY_BLOCK 4096u

enum image_kind { IMAGE_OS, IMAGE_APP };

/* The "image description" of docs/protocol.md, numbers checked against each other. */
struct image_description {
	enum image_kind kind;
	const char *name;            /* of the OS, or of the application */
	const char *version;
	const char *requires_os;     /* IMAGE_APP: name of the OS it is adapted to; else NULL */
	uint64_t image_size;         /* bytes on disk: data, superblock, tree; a multiple of VERITY_BLOCK */
	uint64_t data_blocks;        /* the squashfs; superblock is block `data_blocks`, the tree begins after it */
	uint8_t root_hash[32];
	uint8_t salt[VERITY_SALT_MOST];
	uint32_t salt_size;
	uint8_t uuid[16];            /* of the superblock */
	uint64_t wire_size;          /* bytes of the wire file; equals the target's length */
	uint32_t frame_size;         /* decompressed; a multiple of VERITY_BLOCK, at most 64 KiB */
	uint32_t frames;
	const char *kernel;          /* IMAGE_OS: absolute paths in the image */
	const char *initrd;
	const char *cmdline;
};

/* Parses the target's custom field. 0; -EINVAL with a sentence in ret_error (160 bytes); -ENOMEM.
 * The result is independent of the target; the caller frees it with verified_image_free. */
int verified_image_of(const struct verified_target *target, struct verified_image **ret_image,
		      char ret_error[160]);
const struct image_description *verified_image_description(const struct verified_image *image);
const char *verified_image_path(const struct verified_image *image);          /* target path */
const uint8_t *verified_image_wire_sha256(const struct verified_image *image);
void verified_image_free(struct verified_image *image);

/* Pure parser behind it, also used when signing: NULL-terminated strings point into `custom`. 0 or -EINVAL. */
int image_description_parse(const json_t *custom, struct image_description *ret_description, char ret_error[160]);

/* The target path of an image: "os/<name>/<version>.img.zst" or "app/<name>/<requires_os>/<version>.img.zst". */
#define IMAGE_PATH_SIZE 224
void image_target_path(const struct image_description *description, char ret_path[IMAGE_PATH_SIZE]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks an image description against the files beside it, before anything is signed. Host only. */
#ifndef SIGNING_IMAGE_CHECK_H
#define SIGNING_IMAGE_CHECK_H

#include <jansson.h>
#include <stdint.h>

#include "signing/verified.h"

struct checked_image {
	char *description_file;
	char *wire_file;             /* NAME.img.zst beside NAME.json */
	json_t *json;                /* the description, unchanged; `description` points into it */
	struct image_description description;
	char path[IMAGE_PATH_SIZE];  /* of the target */
	uint8_t wire_sha256[32];
};

/* Reads NAME.json, hashes NAME.img.zst and decodes it as a node would, and checks every block against the root hash;
 * the same with NAME.img when it is there. Says on stderr what is wrong in one line. 0; -EINVAL when description
 * and files don't fit, or -errno. The caller calls checked_image_release. */
int checked_image_load(const char *description_file, struct checked_image *ret_image);
void checked_image_release(struct checked_image *image);

#endif

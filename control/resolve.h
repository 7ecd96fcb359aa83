/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the names an operator writes to the targets a node fetches. Pure. */
#ifndef CONTROL_RESOLVE_H
#define CONTROL_RESOLVE_H

#include <stddef.h>
#include <stdint.h>

#include "control/names.h"
#include "signing/verified.h"

#define TARGET_PATH_MOST 255u

/* What the control unit needs of an image's signed description. */
struct image {
	enum image_kind kind;
	char name[IMAGE_NAME_MOST + 1];
	char os[IMAGE_NAME_MOST + 1];     /* the OS an application needs; "" for an OS */
	char version[IMAGE_VERSION_MOST + 1];
	char target[TARGET_PATH_MOST + 1];
	char signed_by[ROLE_NAME_SHOWN + 1]; /* "targets", or the delegated role; for people */
	uint64_t image_size;              /* bytes on a node's disk */
	uint64_t wire_size;               /* bytes of the wire file */
	uint8_t root_hash[32];
};

struct image_list {
	struct image *items;
	size_t count;
};

/* Finds the OS image `os` ("debian" or "debian@12.1"; without a version the newest) and, unless `app` is NULL, the
 * application image `app` that is adapted to that OS. The results point into the list; `*ret_app` is
 * NULL without an application. 0; -EINVAL malformed name; -ENOENT unknown image; -EMEDIUMTYPE when the
 * application exists, but not for that OS. A sentence in `ret_error` with each. */
int resolve_images(const struct image_list *images, const char *os, const char *app, const struct image **ret_os,
		   const struct image **ret_app, char ret_error[ERROR_TEXT]);

#endif

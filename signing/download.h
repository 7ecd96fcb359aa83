/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Target files: their addresses, and fetching them into a folder. For host programs. */
#ifndef SIGNING_DOWNLOAD_H
#define SIGNING_DOWNLOAD_H

#include <stdbool.h>
#include <stddef.h>

#include "common/http.h"
#include "signing/folder.h"
#include "signing/verified.h"

#define DOWNLOAD_ERROR_SIZE 1200

/* Pure. The name of a target's file in a folder: its path, percent-encoded as a file name of metadata is. -ENAMETOOLONG when
 * no file can have it. */
int target_file_name(const char *path, char ret_name[256]);

/* Pure. Appends the address of a target: the base, a slash if it has none, and the path as it stands in a URL (what can't
 * stand there is percent-encoded); in consistent snapshots with a hash before the last part. 0 or -ENOMEM. */
int target_url(const struct verified_target *target, const char *base, bool consistent, struct buffer *ret_url);

/* Puts the target into the folder, as file target_file_name, unless it is there. The name never stands for anything but
 * the whole file with the hashes that are signed. 0 or -errno with a sentence in ret_error. */
int target_download(struct http *http, const struct verified_target *target, const char *base, bool consistent,
		    const struct folder *folder, char ret_error[DOWNLOAD_ERROR_SIZE]);

#endif

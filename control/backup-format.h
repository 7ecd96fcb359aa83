/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A backup of a control unit's state: a tar archive (POSIX ustar), so that tar -t shows what is in it. Pure.
 *
 *   manifest.json                 { "format": 1, "made": time, "files": [ { "name", "size", "sha256" } ] }
 *   the files, in that order      ca.pem, ca.key, …, tuf/NAME, repave.db; mode 0600, no owner
 *   two blocks of zeros
 *
 * Each member is a header of 512 bytes and its bytes, filled up with zeros to a multiple of 512. */
#ifndef CONTROL_BACKUP_FORMAT_H
#define CONTROL_BACKUP_FORMAT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/names.h"

#define BACKUP_BLOCK 512u
#define BACKUP_MANIFEST "manifest.json"
#define BACKUP_MANIFEST_MOST (1024u * 1024)
#define BACKUP_DATABASE "repave.db"
#define BACKUP_NAME_MOST 99u
#define BACKUP_FILES_MOST 4096u
#define BACKUP_SIZE_MOST ((1ull << 33) - 1) /* of one file: 11 octal digits */

struct backup_file {
	char name[BACKUP_NAME_MOST + 1];
	uint64_t size;
	uint8_t sha256[32];
};

struct backup_manifest {
	int64_t made;                /* seconds since 1970 */
	struct backup_file *files;   /* owned */
	size_t count;
};

/* Whether a file of that name may be in a backup: those of the state folder (control/state.h), and what lies in tuf/. */
bool backup_name_ok(const char *name);

/* Adds a manifest as JSON. 0 or -ENOMEM. */
int backup_manifest_format(const struct backup_manifest *manifest, struct buffer *ret_text);
/* 0 with a manifest to release; -EINVAL with a sentence; -ENOMEM. */
int backup_manifest_parse(const void *text, size_t size, struct backup_manifest *ret_manifest, char ret_error[ERROR_TEXT]);
void backup_manifest_release(struct backup_manifest *manifest);

void backup_header_format(const char *name, uint64_t size, int64_t time, uint8_t ret_header[BACKUP_BLOCK]);
/* A header of a plain file. 0 or -EINVAL. */
int backup_header_parse(const uint8_t header[BACKUP_BLOCK], char ret_name[BACKUP_NAME_MOST + 1], uint64_t *ret_size);

#endif

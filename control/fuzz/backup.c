// SPDX-License-Identifier: GPL-2.0-or-later
/* A backup's header, and behind it its manifest: names that come out lead nowhere else. */
#include <stdlib.h>
#include <string.h>

#include "control/backup-format.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct backup_manifest *manifest)
{
	struct buffer text = { 0 };

	for (size_t i = 0; i < manifest->count; i++) {
		const char *name = manifest->files[i].name;

		if (strnlen(name, BACKUP_NAME_MOST + 1) > BACKUP_NAME_MOST || name[0] == '/' || strstr(name, "..") == name || strstr(name, "/.") ||
		    (strchr(name, '/') && strncmp(name, "tuf/", 4)) || manifest->files[i].size > BACKUP_SIZE_MOST)
			abort();
	}
	if (backup_manifest_format(manifest, &text) < 0)
		abort();
	buffer_release(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[BACKUP_NAME_MOST + 1], error[ERROR_TEXT];
	uint8_t header[BACKUP_BLOCK], again[BACKUP_BLOCK];
	struct backup_manifest manifest;
	uint64_t length = 0;

	if (size < sizeof header)
		return 0;
	memcpy(header, data, sizeof header);
	if (!backup_header_parse(header, name, &length)) {
		backup_header_format(name, length, 0, again);
		if (strlen(name) > BACKUP_NAME_MOST || backup_header_parse(again, name, &length) < 0)
			abort();
	}
	if (!backup_manifest_parse(data + sizeof header, size - sizeof header, &manifest, error)) {
		check(&manifest);
		backup_manifest_release(&manifest);
	}
	return 0;
}

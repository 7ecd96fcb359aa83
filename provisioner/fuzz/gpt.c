/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "provisioner/gpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECTORS (UINT64_C(1) << 24)

/* A table that is accepted must keep its promises. */
static void check(int r, const struct gpt *gpt)
{
	const struct gpt_entry *parts[PARTS];
	char text[37];

	if (r < 0)
		return;
	for (unsigned i = 0; i < gpt->count; i++) {
		if (gpt->entries[i].first > gpt->entries[i].last || gpt->entries[i].last >= gpt->sectors)
			abort();
		guid_format(gpt->entries[i].guid, text);
	}
	if (gpt_ours(gpt, parts) == 0 && parts[PART_STATE] == NULL)
		abort();
}

/* The first byte chooses the sector size. The rest is taken for the beginning of a disk, and for its end. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gpt gpt;
	uint32_t sector = size > 0 && data[0] & 1 ? 4096 : 512;

	if (size < 1)
		return 0;
	check(gpt_parse(data + 1, size - 1, sector, SECTORS, &gpt), &gpt);
	check(gpt_parse_backup(data + 1, (size - 1) / sector * sector, sector, SECTORS, &gpt), &gpt);
	return 0;
}

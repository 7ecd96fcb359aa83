/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "provisioner/gpt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte chooses the sector size. A table that is accepted must keep its promises. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct gpt gpt;
	const struct gpt_entry *parts[PARTS];
	char text[37];

	if (size < 1 || gpt_parse(data + 1, size - 1, data[0] & 1 ? 4096 : 512, UINT64_C(1) << 24, &gpt) < 0)
		return 0;
	for (unsigned i = 0; i < gpt.count; i++) {
		if (gpt.entries[i].first > gpt.entries[i].last || gpt.entries[i].last >= gpt.sectors)
			abort();
		guid_format(gpt.entries[i].guid, text);
	}
	if (gpt_ours(&gpt, parts) == 0 && parts[PART_STATE] == NULL)
		abort();
	return 0;
}

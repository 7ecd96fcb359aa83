/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Input: frames, frame size (KiB), image size, wire size (le32 each), then the seek table. */
#include <stdlib.h>

#include "common/bytes.h"
#include "common/seekable.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seek_table table;

	if (size < 16)
		return 0;
	if (seek_table_parse(data + 16, size - 16, get_le32(data + 12), get_le32(data), get_le32(data + 4),
			     get_le32(data + 8), &table) == 0) {
		for (uint32_t i = 0; i < table.frames; i++)
			if (table.starts[i] >= table.starts[i + 1])
				abort();
		seek_table_release(&table);
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "provisioner/pstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char reason[CRASH_REASON];

	if (crash_reason((const char *)data, size, reason) == 0) {
		assert(strlen(reason) < CRASH_REASON);
		for (const char *c = reason; *c != '\0'; c++)
			assert(*c >= ' ' && *c <= '~');
	}
	return 0;
}

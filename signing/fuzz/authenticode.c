/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a program. What has no digest has no signatures to count either; the subsystem is in the digest, and writing it twice
 * gives the first one back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "signing/authenticode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t before[SHA256_SIZE], other[SHA256_SIZE], after[SHA256_SIZE], *copy;
	unsigned count;
	int r = authenticode_digest(data, size, before);

	if (authenticode_signatures(data, size, &count) == 0 && r < 0)
		abort();
	if (r < 0 || !(copy = malloc(size)))
		return 0;
	memcpy(copy, data, size);
	if (pe_set_subsystem(copy, size, 0x1234) < 0 || authenticode_digest(copy, size, other) < 0 ||
	    pe_set_subsystem(copy, size, 0x4321) < 0 || authenticode_digest(copy, size, after) < 0 || memcmp(other, after, sizeof(other)) == 0)
		abort();
	free(copy);
	return 0;
}

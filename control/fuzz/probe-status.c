/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/probe-record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the very size, so that a read behind it is seen. */
	char *bytes = malloc(size ? size : 1);
	unsigned status = 0;
	int r;

	memcpy(bytes, data, size);
	r = probe_status(bytes, size, &status);
	if ((r == -EAGAIN && size >= PROBE_ANSWER_LEAST) || (!r && (status > 999 || size < PROBE_ANSWER_LEAST)))
		abort();
	free(bytes);
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What anybody may send to the metrics port; the same bytes as an address in the configuration. */
#include <stdlib.h>
#include <string.h>

#include "agent/exposition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the very size, so that a read behind it is seen. */
	char *bytes = malloc(size > 0 ? size : 1);
	struct sockaddr_storage address;
	socklen_t length;
	uint16_t port = 0;
	unsigned status;

	memcpy(bytes, data, size);
	status = metrics_request(bytes, size);
	if (status != 0 && status != 200 && status != 400 && status != 404 && status != 405)
		abort();
	if (status == 0 && size >= METRICS_REQUEST_MOST)
		abort();
	if (metrics_address(bytes, size, &address, &length, &port) == 0 && port == 0)
		abort();
	free(bytes);
	return 0;
}

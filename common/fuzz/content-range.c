/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "common/http-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t first, last, total;
	char *text = malloc(size + 1);

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	if (content_range_parse(text, &first, &last, &total) == 0 && (first > last || (total != 0 && last >= total)))
		abort();
	if (http_mirror_ok(text) && strlen(text) < 8)
		abort();
	free(text);
	return 0;
}

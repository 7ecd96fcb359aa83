/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/home-disk.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t mark[HOME_MARK_SIZE] = { 0 };
	enum home_content content = HOME_CONTENT_FOREIGN;
	struct home_lock lock = { 0 };

	memcpy(mark, data, size < sizeof(mark) ? size : sizeof(mark));
	if (!home_mark_parse(mark, &content, &lock))
		return 0;
	if (content == HOME_CONTENT_BLANK || content == HOME_CONTENT_FOREIGN)
		abort();
	if (content >= HOME_CONTENT_HALF_LOCKED && lock.sector != 512 && lock.sector != 4096)
		abort();
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "provisioner/pstore.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crash_record records[2];
	struct buffer text = { 0 };
	char reason[CRASH_REASON];

	if (crash_reason((const char *)data, size, reason) == 0) {
		assert(strlen(reason) < CRASH_REASON);
		for (const char *c = reason; *c != '\0'; c++)
			assert(*c >= ' ' && *c <= '~');
	}
	crash_record_parse((const char *)data, size, &records[0]);
	assert(records[0].text >= (const char *)data && records[0].text + records[0].size == (const char *)data + size);
	crash_record_parse((const char *)data, size / 2, &records[1]);
	if (crash_text(records, 2, &text) == 0) {
		assert(text.size > 0 && text.size <= CRASH_TEXT_MOST);
		for (size_t i = 0; i < text.size; i++)
			assert((text.data[i] >= ' ' && text.data[i] <= '~') || text.data[i] == '\n' || text.data[i] == '\t');
	}
	buffer_release(&text);
	return 0;
}

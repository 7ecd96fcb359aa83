/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "provisioner/cmdline.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is accepted must come out the same after format and parse. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer text = { 0 };
	struct boot_slot slot, again;
	char *line = malloc(size + 1);

	if (line == NULL)
		return 0;
	memcpy(line, data, size);
	line[size] = '\0';
	if (cmdline_boot_slot(line, "repave.c", &slot) == 0) {
		if (cmdline_add_boot_slot(&text, "repave.c", &slot) == 0 &&
		    (cmdline_boot_slot((const char *)text.data, "repave.c", &again) < 0 ||
		     memcmp(&slot, &again, sizeof(slot)) != 0))
			abort();
	}
	buffer_release(&text);
	cmdline_add_consoles(&text, line);
	buffer_release(&text);
	free(line);
	return 0;
}

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
	struct boot_start start, start_again;
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
	if (cmdline_boot_start(line, &start) == 0 &&
	    (cmdline_add_boot_start(&text, &start) < 0 || cmdline_boot_start((const char *)text.data, &start_again) < 0 ||
	     start.way != start_again.way || strcmp(start.nonce, start_again.nonce) != 0))
		abort();
	buffer_release(&text);
	cmdline_add_consoles(&text, line);
	buffer_release(&text);
	free(line);
	return 0;
}

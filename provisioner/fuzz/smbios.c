/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/smbios.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer words = { 0 };

	smbios_words(data, size, &words);
	buffer_release(&words);
	return 0;
}

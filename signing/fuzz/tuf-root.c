/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "signing/fuzz/document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_document(TUF_ROOT, data, size);
}

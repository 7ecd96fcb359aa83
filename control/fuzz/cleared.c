// SPDX-License-Identifier: GPL-2.0-or-later
/* What a node says that it cleared: what is taken can be stored, read again, and told. */
#include <stdlib.h>
#include <string.h>

#include "control/sanitizing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sanitizing s = { .ordered = 1 }, again;
	char why[ERROR_TEXT] = "";
	json_t *stored;
	int r = cleared_parse(data, size, &s.done, why);

	if (r < 0) {
		if (!why[0])
			abort();
		return 0;
	}
	strcpy(s.order, s.done.order);
	stored = sanitizing_format(&s);
	if (!stored || sanitizing_read(stored, &again) < 0)
		abort();
	json_decref(stored);
	if (s.done.disk.cleared > s.done.disk.size || s.done.disk.erased > s.done.disk.discarded)
		abort();
	return 0;
}

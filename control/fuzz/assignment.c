// SPDX-License-Identifier: GPL-2.0-or-later
/* Bodies that operators send. What is accepted must survive the store. */
#include <stdlib.h>

#include "common/json.h"
#include "control/assignment.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct assignment assignment, again;
	char error[ERROR_TEXT], why[160];
	json_t *change = json_parse(data, size, why), *stored;

	if (!change)
		return 0;
	if (assignment_init(&assignment) < 0)
		abort();
	if (!assignment_change(&assignment, change, error)) {
		stored = assignment_format(&assignment);
		if (!stored || assignment_parse(stored, &again) < 0 || !json_equal(assignment.config, again.config) ||
		    !json_equal(assignment.mirrors, again.mirrors) || assignment.lazy != again.lazy)
			abort();
		assignment_release(&again);
		json_decref(stored);
		json_decref(assignment_describe(&assignment));
	}
	assignment_release(&assignment);
	json_decref(change);
	return 0;
}

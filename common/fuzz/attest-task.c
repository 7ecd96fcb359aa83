/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The control unit's answers to a node's TPM, and the log that stage 1 left. */
#include <stdlib.h>
#include <string.h>

#include "common/attest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct attest_verdict verdict;
	struct attest_task task;
	char error[ATTEST_TEXT];
	json_t *events;

	for (int with = 0; with <= 1; with++)
		if (attest_task_parse(data, size, with, &task, error) == 0)
			if (strlen(task.session) != 32 || task.nonce.size < 16 || task.nonce.size > 64 || task.mask == 0 ||
			    task.mask >> TPM_PCRS != 0 || (task.credential.size > 0) != (with != 0))
				abort();
	attest_verdict_parse(data, size, &verdict);
	events = attest_parse_events(data, size);
	json_decref(events);
	return 0;
}

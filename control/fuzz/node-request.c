// SPDX-License-Identifier: GPL-2.0-or-later
/* Bodies that nodes send: both parsers on the same bytes. What a parser accepts must hold what it promises. */
#include <stdlib.h>
#include <string.h>

#include "control/node-request.h"

#define ID "5e70a7e0-0000-4000-8000-000000000001"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_request request;
	struct boot_report report;
	char error[ERROR_TEXT];

	if (size > NODE_BODY_MOST)
		return 0;
	if (!boot_request_parse(data, size, ID, &request, error)) {
		if (!nonce_valid(request.nonce) || !json_is_object(request.inventory) || json_object_size(request.slots) != 4)
			abort();
		boot_request_release(&request);
	}
	if (!boot_report_parse(data, size, &report, error)) {
		if (!text_printable(report.error, strlen(report.error)) || !json_is_array(report.stages) ||
		    report.progress.done > report.progress.total ||
		    !json_is_array(report.images))
			abort();
		boot_report_release(&report);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Logs that nodes and agents send. What is accepted goes to an operator's terminal. */
#include <stdlib.h>
#include <string.h>

#include "control/node-log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void parse(const uint8_t *data, size_t size, bool from_agent)
{
	char error[ERROR_TEXT] = "";
	struct node_log log;

	if (node_log_parse(data, size, from_agent, &log, error) < 0) {
		if (!error[0])
			abort();
		return;
	}
	for (const char *at = json_string_value(log.text); *at; at++)
		if ((*at < 0x20 || *at > 0x7e) && *at != '\n' && *at != '\t')
			abort();
	if (strlen(json_string_value(log.text)) != json_string_length(log.text) || from_agent != !log.nonce[0])
		abort();
	node_log_release(&log);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	parse(data, size, false);
	parse(data, size, true);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What may answer to "show map": what it is told in return is one command a line, about names that can't end or widen it. */
#include <stdlib.h>
#include <string.h>

#include "control/haproxy-notice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct buffer *lines)
{
	size_t spaces = 0;

	for (size_t i = 0; i < lines->size; i++) {
		char c = (char)lines->data[i];

		if (c != '\n' && (c < 0x20 || c > 0x7e || c == ';'))
			abort();
		spaces = c == '\n' ? 0 : spaces + (c == ' ');
		if (spaces > 4)
			abort();
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct haproxy_notices seen, wanted = { 0 };
	struct buffer lines = { 0 };
	char why[ERROR_TEXT] = "";

	if (haproxy_notices_parse((const char *)data, size, &seen, why) < 0)
		return 0;
	if (haproxy_notices_add(&wanted, "b", 17) < 0 || haproxy_notices_reconcile(&wanted, &seen, &lines) < 0)
		abort();
	check_lines(&lines);
	if (seen.has_map && !lines.size && (seen.count != 1 || seen.items[0].end != 17))
		abort();
	buffer_release(&lines);
	haproxy_notices_release(&wanted);
	haproxy_notices_release(&seen);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What may answer at a stats socket: "show servers state", a NUL, "show stat". Whatever it says, what it is told in return is one command a
 * line, of printable ASCII. */
#include <stdlib.h>
#include <string.h>

#include "control/haproxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_lines(const struct buffer *lines)
{
	for (size_t i = 0; i < lines->size; i++)
		if (lines->data[i] != '\n' && (lines->data[i] < 0x20 || lines->data[i] > 0x7e))
			abort();
}

static void reconcile(const struct haproxy_seen *seen)
{
	static const char backends[][HAPROXY_NAME_MOST + 1] = { "repave", "web" };
	static const struct haproxy_server servers[] = { { .backend = "web", .name = "a", .address = "10.0.0.1", .port = 80, .weight = 1 },
							 { .backend = "web", .name = "b", .address = "::1", .port = 80, .weight = 9,
							   .state = BALANCER_DRAIN } };
	const struct haproxy_wanted wanted = { servers, 2, backends + 1, 1 };
	struct haproxy_orders orders;

	if (haproxy_reconcile(&wanted, seen, &orders) < 0)
		abort();
	check_lines(&orders.lines);
	buffer_release(&orders.lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *middle = size ? memchr(data, 0, size) : NULL;
	size_t first = middle ? (size_t)(middle - data) : size, rest = middle ? size - first - 1 : 0;
	char why[ERROR_TEXT] = "", address[INET_TEXT_MOST + 1], text[64];
	struct haproxy_seen seen;
	uint16_t port = 1;

	if (!haproxy_parse((const char *)data, first, middle ? (const char *)middle + 1 : "", rest, &seen, why)) {
		reconcile(&seen);
		haproxy_seen_release(&seen);
	}
	if (!text_printable(why, strlen(why)))
		abort();
	if (!haproxy_done("add server web/a 10.0.0.1:80", (const char *)data, size, why) && !text_printable(why, strlen(why)))
		abort();
	if (first < sizeof text) {
		memcpy(text, data, first);
		text[first] = 0;
		if (!haproxy_address_parse(text, address, &port) && (port == 0 || !text_of(address, "0123456789abcdef.:", INET_TEXT_MOST)))
			abort();
	}
	return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/addresses.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* "HOST PORT" or "HOST PORT NAME". */
static bool address_parse(const char *line, struct address *ret_address)
{
	char rest;
	int words = sscanf(line, "%255[0-9A-Za-z.:%_-] %5[0-9] %127[0-9a-z.-]%c", ret_address->host, ret_address->port, ret_address->name, &rest);
	size_t end = words >= 2 ? strlen(ret_address->host) + 1 + strlen(ret_address->port) : 0;
	uint64_t port;

	if (words < 2 || words > 3 || end > strlen(line) || line[end] != (words == 3 ? ' ' : '\0'))
		return false;
	if (words == 2)
		strcpy(ret_address->name, CONTROL_NAME);
	return strchr(ret_address->name, '.') != NULL && parse_u64(ret_address->port, &port) == 0 && port >= 1 && port <= 65535;
}

int addresses_parse(const char *text, struct address ret_addresses[ADDRESSES_MOST], size_t *ret_count)
{
	*ret_count = 0;
	while (*text != '\0') {
		struct address *address = &ret_addresses[*ret_count];
		size_t size = strcspn(text, "\n");
		char line[ADDRESS_LINE_SIZE];

		if (*ret_count == ADDRESSES_MOST || size >= sizeof(line))
			return -EINVAL;
		memcpy(line, text, size);
		line[size] = '\0';
		text += size;
		text += *text == '\n';
		if (size == 0)
			continue;
		if (!address_parse(line, address))
			return -EINVAL;
		++*ret_count;
	}
	return *ret_count > 0 ? 0 : -EINVAL;
}

static int add_line(struct buffer *text, const struct address *address)
{
	bool own = strcmp(address->name, CONTROL_NAME) == 0;

	return buffer_printf(text, "%s %s%s%s\n", address->host, address->port, own ? "" : " ", own ? "" : address->name);
}

int addresses_prefer(const char *text, const char *line, struct buffer *ret_text)
{
	struct address addresses[ADDRESSES_MOST], first[ADDRESSES_MOST];
	size_t count, one, kept = 1;
	int r = addresses_parse(text, addresses, &count);

	if (r == 0)
		r = addresses_parse(line, first, &one);
	/* Whatever claims to be the control unit would stay, and push its own lines out. */
	if (r == 0 && (one != 1 || strcmp(first[0].name, CONTROL_NAME) == 0))
		r = -EINVAL;
	if (r == 0)
		r = add_line(ret_text, &first[0]);
	for (size_t i = 0; r == 0 && i < count && kept < ADDRESSES_MOST; i++) {
		if (strcmp(addresses[i].name, CONTROL_NAME) != 0)
			continue;
		r = add_line(ret_text, &addresses[i]);
		kept++;
	}
	return r;
}

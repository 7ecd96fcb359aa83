/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/http-text.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "common/bytes.h"

static bool number_before(const char **text, char end, uint64_t *ret_value)
{
	const char *stop = strchr(*text, end);
	char digits[21];
	size_t length;

	if (stop == NULL || (length = (size_t)(stop - *text)) >= sizeof(digits))
		return false;
	memcpy(digits, *text, length);
	digits[length] = '\0';
	*text = stop + 1;
	return parse_u64(digits, ret_value) == 0;
}

int content_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last, uint64_t *ret_total)
{
	if (strncasecmp(text, "bytes ", 6) != 0)
		return -EINVAL;
	text += 6;
	if (!number_before(&text, '-', ret_first) || !number_before(&text, '/', ret_last) || *ret_last < *ret_first)
		return -EINVAL;
	*ret_total = 0;
	if (strcmp(text, "*") == 0)
		return 0;
	return parse_u64(text, ret_total) == 0 && *ret_last < *ret_total ? 0 : -EINVAL;
}

#define NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"

/* "" or ":1" to ":65535", up to a slash or the end. Moves `text` there. */
static bool port_ok(const char **text)
{
	size_t length = strcspn(*text, "/");
	char digits[6];
	uint64_t port;

	if (length == 0)
		return true;
	if (**text != ':' || length < 2 || length > sizeof(digits))
		return false;
	memcpy(digits, *text + 1, length - 1);
	digits[length - 1] = '\0';
	*text += length;
	return parse_u64(digits, &port) == 0 && port >= 1 && port <= 65535;
}

bool http_mirror_ok(const char *base)
{
	size_t length = strlen(base), host;
	const char *rest = base + strlen("http://");

	if (length <= strlen("http://") || length > HTTP_BASE_MOST || strncmp(base, "http://", 7) != 0 || base[length - 1] == '/')
		return false;
	if (rest[0] == '[') {
		host = strspn(rest + 1, "0123456789abcdefABCDEF:.");
		if (host < 2 || rest[1 + host] != ']')
			return false;
		rest += host + 2;
	} else {
		host = strspn(rest, NAME);
		if (host == 0)
			return false;
		rest += host;
	}
	return port_ok(&rest) && rest[strspn(rest, NAME "~:/[]%+")] == '\0';
}

bool http_proxy_ok(const char *proxy)
{
	return http_mirror_ok(proxy) && strpbrk(proxy + strlen("http://"), "/%+") == NULL;
}

/* RFC 9110, 8.8.3: opaque characters in quotes; a weak one begins with W/. */
bool entity_tag_strong(const char *tag)
{
	size_t length = strlen(tag);

	if (length < 2 || tag[0] != '"' || tag[length - 1] != '"')
		return false;
	for (size_t i = 1; i < length - 1; i++)
		if (tag[i] <= 0x20 || tag[i] >= 0x7f || tag[i] == '"')
			return false;
	return true;
}

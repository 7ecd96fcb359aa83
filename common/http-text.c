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

bool http_mirror_ok(const char *base)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/[]%+";
	size_t length = strlen(base);
	const char *host = base + strlen("http://");

	return length > strlen("http://") && length <= HTTP_BASE_MOST && strncmp(base, "http://", 7) == 0 && host[0] != '/' &&
	       host[0] != ':' && base[length - 1] != '/' && base[strspn(base, plain)] == '\0';
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

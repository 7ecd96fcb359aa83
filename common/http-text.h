/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Words of HTTP that come from outside. Pure. */
#ifndef COMMON_HTTP_TEXT_H
#define COMMON_HTTP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#define HTTP_BASE_MOST 512u

/* A server of plain files, as "http://host[:port]/path" without a slash at the end: plain http (what is fetched is checked against what
 * was signed), no credentials, nothing that needs quoting in a sentence, at most HTTP_BASE_MOST characters. */
bool http_mirror_ok(const char *base);

/* An HTTP proxy, as "http://host[:port]": no path, no credentials. */
bool http_proxy_ok(const char *proxy);

/* Whether the value of an ETag header is a strong one, sound enough to be sent back. */
bool entity_tag_strong(const char *tag);

/* "bytes 5-9/100" or "bytes 5-9/" and an asterisk (then `ret_total` is 0), as RFC 9110, 14.4; first and last are
 * positions. 0 or -EINVAL. */
int content_range_parse(const char *text, uint64_t *ret_first, uint64_t *ret_last, uint64_t *ret_total);

#endif

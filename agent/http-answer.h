/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The answer to an HTTP/1.1 request (RFC 9112), as strict as the one server that it comes from allows: a Content-Length, no transfer
 * coding, no interim answers, nothing behind the body. Pure. */
#ifndef AGENT_HTTP_ANSWER_H
#define AGENT_HTTP_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "common/bytes.h"

#define HTTP_HEAD_MOST 8192u
#define HTTP_FIELDS_MOST 64u

struct http_answer {
	unsigned status;         /* 200 to 599 */
	bool close;              /* the connection isn't to be used again */
	struct buffer body;
	/* inside */
	char head[HTTP_HEAD_MOST + 1];
	size_t head_size;
	bool head_done;
	size_t length;
};

/* `answer` is all zero at first. Takes bytes as they come. 1 when the answer is whole; 0 when there is more to come; -EPROTO for what isn't
 * such an answer; -EFBIG for a head of more than HTTP_HEAD_MOST or a body of more than `most` bytes; -ENOMEM. */
int http_answer_feed(struct http_answer *answer, const void *data, size_t size, size_t most);
void http_answer_release(struct http_answer *answer);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request after the other to the control unit, over one connection that is kept. Blocks; each call ends by its deadline. */
#ifndef AGENT_HTTP_H
#define AGENT_HTTP_H

#include <stdint.h>

#include "agent/addresses.h"
#include "agent/http-answer.h"
#include "agent/tls.h"

struct http_client {
	struct tls *tls;
	struct address addresses[ADDRESSES_MOST]; /* asked in turn, the next one after a failure */
	size_t address_count, at;
	char error[TLS_ERROR + HOST_SIZE + 16];
};

/* POST of JSON. 0 when an answer came, whatever its status; the caller releases `ret_answer`. Else -errno, and a sentence in
 * client->error. After a failure, and after a status of 400 and above, the next address is asked next. A connection that ended while nothing was on its way is made anew once. */
int http_post(struct http_client *client, const char *path, const void *body, size_t size, int64_t deadline, struct http_answer *ret_answer);

#endif

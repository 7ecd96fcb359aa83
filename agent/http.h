/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One request after the other to the control unit, over one connection that is kept. Blocks; each call ends by its deadline. */
#ifndef AGENT_HTTP_H
#define AGENT_HTTP_H

#include <stdint.h>

#include "agent/http-answer.h"
#include "agent/tls.h"

#define ADDRESSES_MOST 8u
#define HOST_SIZE 256u
#define NAME_SIZE 128u
#define ADDRESS_LINE_SIZE (HOST_SIZE + NAME_SIZE + 8u)

struct address {
	char host[HOST_SIZE], port[6];
	char name[NAME_SIZE]; /* which its certificate must be for */
};

struct http_client {
	struct tls *tls;
	struct address addresses[ADDRESSES_MOST]; /* asked in turn, the next one after a failure */
	size_t address_count, at;
	char error[TLS_ERROR + HOST_SIZE + 16];
};

/* The text of the file `addresses`: one "HOST PORT" per line, or "HOST PORT NAME" (docs/protocol.md). 0; -EINVAL, also when there is none. */
int addresses_parse(const char *text, struct address ret_addresses[ADDRESSES_MOST], size_t *ret_count);
/* That text with the monitor of `line` ("HOST PORT NAME") in front, in place of other monitors; control units stay. As many as fit. 0; -EINVAL when
 * either isn't sound; -ENOMEM. */
int addresses_prefer(const char *text, const char *line, struct buffer *ret_text);

/* POST of JSON. 0 when an answer came, whatever its status; the caller releases `ret_answer`. After a failure, and after a status of 400 and
 * above, the next address is asked next. Else -errno, and a sentence in
 * client->error. A connection that ended while nothing was on its way is made anew once. */
int http_post(struct http_client *client, const char *path, const void *body, size_t size, int64_t deadline, struct http_answer *ret_answer);

#endif

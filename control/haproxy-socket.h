/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to the runtime API of an HAProxy over its stats socket. */
#ifndef CONTROL_HAPROXY_SOCKET_H
#define CONTROL_HAPROXY_SOCKET_H

#include <stdint.h>

#include "common/bytes.h"
#include "control/names.h"

/* Milliseconds of a clock that nobody sets. */
int64_t haproxy_clock(void);

/* Sends a line (several commands with ";" between them are one) and reads the answer to its end, by haproxy_clock() == `until` at the
 * latest. `socket` as in the settings. 0 (the caller releases); -ETIMEDOUT, -EMSGSIZE or -errno with a sentence. */
int haproxy_ask(const char *socket, const char *line, int64_t until, struct buffer *ret_answer, char ret_error[ERROR_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An application's own health check, as its app.json declares it ("health" of docs/protocol.md). */
#ifndef COMMON_PROBE_H
#define COMMON_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROBE_PATH_MOST 1024u

struct probe {
	bool http;                        /* else: whether the port takes a connection */
	uint16_t port;
	char path[PROBE_PATH_MOST + 1];   /* of http */
};

/* Pure. Parses app.json. 0; -ENOENT when it declares no check; -EINVAL when what it declares isn't sound. */
int probe_parse(const void *text, size_t size, struct probe *ret_probe);
/* Asks once, on this machine. 0 when healthy (http: a status of 200 to 399), or -errno. A server that sends a
 * byte now and then can make it take 28 s: less than the hardware watchdog waits. */
int probe_ask(const struct probe *probe);

#endif

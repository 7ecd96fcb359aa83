/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HAProxy 2.6 as its runtime API shows it and takes orders (its "management guide", 9.3): what it says, and from what is wanted and what
 * is seen the commands that make them equal. Pure.
 *
 *   backend   as a group                    server   a node's id
 *   repave    a backend of ours with one server, "replayed", which isn't up when HAProxy starts: as long as it isn't, new
 *             connections are held for a moment. It is made up when everything wanted is there.
 */
#ifndef CONTROL_HAPROXY_H
#define CONTROL_HAPROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/model.h"

#define HAPROXY_ANSWER_MOST (16u * 1024 * 1024)
#define HAPROXY_NAME_MOST 63u
#define HAPROXY_SERVERS_MOST 20000u
#define HAPROXY_OWN_BACKEND "repave"
#define HAPROXY_OWN_SERVER "replayed"

/* A server as HAProxy has it, or as it should. */
struct haproxy_server {
	char backend[HAPROXY_NAME_MOST + 1], name[HAPROXY_NAME_MOST + 1];
	char address[INET_TEXT_MOST + 1];     /* numeric, without brackets */
	uint16_t port;
	unsigned weight;
	enum balancer_want state;
	bool up;                              /* by its check; true while that knows nothing */
	char check[16];
	uint64_t sessions, queue, response_ms;
	bool shared;                          /* wanted: requests under way may end in maint; whoever comes again goes to another server */
};

struct haproxy_seen {
	struct haproxy_server *servers;       /* ordered by backend and name; owned */
	size_t count;
	char (*backends)[HAPROXY_NAME_MOST + 1]; /* ordered; owned */
	size_t backend_count;
	bool has_own, replayed;               /* its configuration has our backend; and its server is up */
};

void haproxy_seen_release(struct haproxy_seen *seen);
/* Reads the answers of "show servers state" and "show stat" (CSV), which came from outside. 0 (the caller releases); -EINVAL with a
 * sentence; -ENOMEM. */
int haproxy_parse(const char *states, size_t states_size, const char *stat, size_t stat_size, struct haproxy_seen *ret_seen,
		  char ret_error[ERROR_TEXT]);

/* What is wanted: servers ordered by backend and name, and the backends that may have any; all borrowed. */
struct haproxy_wanted {
	const struct haproxy_server *servers;
	size_t count;
	const char (*backends)[HAPROXY_NAME_MOST + 1];
	size_t backend_count;
};

struct haproxy_orders {
	struct buffer lines;                  /* one command a line; owned */
	size_t added, removed, changed;
	char missing[HAPROXY_NAME_MOST + 1];  /* a wanted backend that its configuration hasn't, or "" */
};

/* Appends what must be said to make it so. A server of our backends that isn't wanted is drained, and removed when it has no
 * sessions left. Server and backend names are those that names.h and groups.h admit. 0 or -ENOMEM. */
int haproxy_reconcile(const struct haproxy_wanted *wanted, const struct haproxy_seen *seen, struct haproxy_orders *ret_orders);

/* Whether the answer of a command means that it was done; else a printable line of it is in `ret_error`. */
bool haproxy_done(const char *command, const char *answer, size_t size, char ret_error[ERROR_TEXT]);

/* An address "HOST", "HOST:PORT", "[HOST]:PORT" with a numeric host; `*ret_port` stays when there is none. 0 or -EINVAL. */
int haproxy_address_parse(const char *text, char ret_address[INET_TEXT_MOST + 1], uint16_t *ret_port);

#endif

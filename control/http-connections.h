/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The connections of one HTTP server: a thread of its own takes them from the socket, hands them over in small lots, and ends those whose
 * request doesn't get whole.
 *
 * Taken at once, a whole fleet that comes back doesn't overflow the kernel's queue, where it would wait for ever longer retries. Handed over in
 * lots, it doesn't hold up those who are there already: libmicrohttpd does a step of each waiting handshake before it looks at anybody again.
 * (Its own way, one connection for each look at all others, is too slow for either.) */
#ifndef CONTROL_HTTP_CONNECTIONS_H
#define CONTROL_HTTP_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "control/http-peer.h"

#define HTTP_LOT 32u            /* connections handed over that the server hasn't begun with */
#define HTTP_REQUEST_SECONDS 60 /* from a connection's beginning, or its last answer's end, until a request is whole */

struct MHD_Daemon;

/* What is known of one connection, from its beginning to its end. */
struct http_link {
	struct peer_link peer;
	int fd;
	_Atomic int64_t waits_since; /* ms; INT64_MAX while it isn't its client's turn */
	struct http_link *previous, *next;
};

struct http_connections_options {
	int listen_fd;              /* taken over when it starts */
	unsigned waiting_most;      /* connections that wait to be handed over; more are closed */
	unsigned of_address;        /* one address may open so many at once, and a twentieth of that in each second; 0: as it likes */
	struct MHD_Daemon *daemon;
};

struct http_connections;

/* Made before the daemon is, which tells it of connections. 0 or -ENOMEM. */
int http_connections_new(struct http_connections **ret_connections);
/* 0 or -errno. */
int http_connections_start(struct http_connections *connections, const struct http_connections_options *options);
/* No more come. Before the daemon is stopped. */
void http_connections_end(struct http_connections *connections);
/* After the daemon is stopped. */
void http_connections_free(struct http_connections *connections);

/* The daemon begins with a connection; NULL when out of memory. And it is about to close it. From any thread. */
struct http_link *http_connections_begin(struct http_connections *connections, int fd);
void http_connections_over(struct http_connections *connections, struct http_link *link);

/* It's the client's turn to send a request, from now on; or it isn't. */
void http_link_waits(struct http_link *link, bool waits);

/* Milliseconds for which somebody has been waiting in front of the door all the time; 0: nobody is. From any thread. */
int64_t http_connections_behind(const struct http_connections *connections);

#endif

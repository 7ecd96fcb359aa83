/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is at the other end of a TLS connection, by the certificate that was shown. */
#ifndef CONTROL_HTTP_PEER_H
#define CONTROL_HTTP_PEER_H

#include <gnutls/gnutls.h>
#include <time.h>

#include "control/http-server.h"

/* A connection's, which outlives its requests: a signature is checked once. */
struct peer_link {
	bool known;
	struct http_peer who;
	time_t from, until; /* of the certificate */
};

/* Certificates that verified: a fleet that comes back at once shows those it showed before, and looking at a certificate costs as much as the
 * handshake. For one authority; from any thread. */
struct peer_cache;
/* 0 or -ENOMEM. */
int peer_cache_new(struct peer_cache **ret_cache);
void peer_cache_free(struct peer_cache *cache);

/* Checks chain, dates, and that it may be a client's, and fills in `who` and the dates; a connection may outlast them: look again with
 * each request. */
void peer_verify(struct peer_cache *cache, gnutls_session_t session, struct peer_link *link);

#endif

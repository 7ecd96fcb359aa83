/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Glue to libmicrohttpd: bounded requests in, answers out. Knows nothing of nodes. */
#ifndef CONTROL_HTTP_SERVER_H
#define CONTROL_HTTP_SERVER_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/meters.h"

/* Who is at the other end of a connection, as far as the transport says. */
struct http_peer {
	/* TLS: a certificate that verifies under the authority of http_server_options, and may be a client's; else "" and why not. */
	char name[65], unit[33];    /* CN and OU of its subject */
	char key[65];               /* SHA-256 of its SubjectPublicKeyInfo, lower-case hexadecimal */
	const char *refused;        /* static sentence; NULL when `name` counts */
	const struct http_peer *by; /* the monitor that passes on what `name` says (control/relay-api.h); NULL: nobody */
	/* Unix socket. */
	bool local;
	unsigned uid;
};

/* A request. Everything is borrowed and from outside. */
struct http_call {
	const char *method;
	const char *path;           /* percent signs decoded, no query */
	const char *authorization;  /* header, or NULL */
	const char *range;          /* header, or NULL */
	const char *if_range;       /* header, or NULL */
	const char *if_none_match;  /* header, or NULL */
	const char *peer;           /* numeric address; "local" on a Unix socket */
	const struct http_peer *who;
	void *connection;           /* for http_argument, http_call_hold and http_call_resume */
	void *request;              /* for http_call_hold */
	void *held;                 /* what http_call_hold was given: the call comes again; else NULL */
	const uint8_t *body;
	size_t body_size;
};

/* An answer: JSON, or a piece of a file, or nothing (status alone). Starts as status 0, fd -1. */
struct http_answer {
	unsigned status;
	json_t *json;               /* owned */
	char *text;                 /* owned, malloc'd: metrics */
	int fd;                     /* owned; -1: none */
	uint64_t offset, size;      /* of the file */
	char content_range[80];     /* "" without */
	char etag[64];              /* "" without */
	const char *content_type;   /* static texts, for a file */
	const char *cache_control;
	unsigned retry_after;       /* seconds; 0: without that header */
};

/* The value of an argument behind the path's question mark, or NULL. */
const char *http_argument(const struct http_call *call, const char *name);

/* The value of a header of the request, or NULL. */
const char *http_header(const struct http_call *call, const char *name);

/* Makes the answer a text (taken over; NULL when there was no memory for it). */
void http_answer_text(struct http_answer *answer, char *text);
/* Makes the answer {"error": sentence} with that status. */
void http_answer_error(struct http_answer *answer, unsigned status, const char *sentence);

/* Within a service's `answer`: the answer comes later. The same call comes again, without its body and with `held` (not NULL), once
 * http_call_resume was called, which any other thread may do, once. Where the connection ends instead, `dropped` gets it. */
void http_call_hold(const struct http_call *call, void *held);
void http_call_resume(void *connection);

struct http_service {
	/* Called with the headers, before any of the body is kept: sets a status to refuse. May be NULL. */
	void (*admit)(void *context, const struct http_call *call, struct http_answer *answer);
	/* Called with the whole request, from any thread. Must set a status. */
	void (*answer)(void *context, const struct http_call *call, struct http_answer *answer);
	/* A call that was held ended without an answer. May be NULL where nothing is held. */
	void (*dropped)(void *context, void *held);
	void *context;
	size_t body_most;           /* longer bodies get 413 */
	size_t (*body_most_of)(const struct http_call *call); /* the same for what this call asks for; NULL: body_most */
	struct meter_requests *meter; /* counts them; may be NULL */
};

struct http_server_options {
	int listen_fd;              /* bound and listening; taken over when the server starts */
	unsigned threads;
	unsigned connections_most;      /* 0: a number that suits a server for people */
	unsigned connections_of_address_most;
	size_t memory_of_connection;    /* bytes for headers and buffers; 0: the library's default */
	const char *certificate;    /* PEM; NULL: plain HTTP */
	const char *key;            /* PEM */
	const char *client_ca;      /* PEM: clients are asked for a certificate, and may come without; NULL: they aren't */
};

struct http_server;

/* The service is copied; its context must outlive the server. 0 or -EIO; -EINVAL when key or certificate is unusable. */
int http_server_start(const struct http_server_options *options, const struct http_service *service,
		      struct http_server **ret_server);
/* Ends the listener, waits up to 5 s for the requests under way, and closes all connections. */
void http_server_stop(struct http_server *server);
/* Milliseconds for which new connections have been waiting without a break; 0: none waits. From any thread. */
int64_t http_server_behind(const struct http_server *server);

#endif

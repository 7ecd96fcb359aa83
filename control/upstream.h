/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A monitor's connections to the control unit. What an agent said is passed on, and the agent's call held meanwhile; the control unit holds
 * its side likewise, so an order goes through at once. Each agent that waits has a connection of its own there, which stays for the next
 * one; all are of one thread. */
#ifndef CONTROL_UPSTREAM_H
#define CONTROL_UPSTREAM_H

#include "common/bytes.h"
#include "control/http-server.h"
#include "control/names.h"

#define UPSTREAM_AGENTS_MOST 1500u  /* at once; below what the control unit takes from one address */
#define UPSTREAM_CONTROLS_MOST 8u
#define UPSTREAM_ANSWER_MOST 65536u

struct upstream_options {
	const char *name;                                 /* the monitor's */
	const char *controls[UPSTREAM_CONTROLS_MOST];     /* "HOST:PORT"; the next one after a failure */
	unsigned control_count;
	const char *credential, *ca;                      /* paths of PEM files: key and certificate; the fleet's authority */
};

/* What an agent said, and what came back. */
struct exchange {
	char path[96], key[65], address[64];
	struct buffer body, answer;
	unsigned status;              /* of the answer; 0: there is none, and `error` says why */
	char error[ERROR_TEXT];
	/* Of upstream.c: */
	void *connection;             /* the agent's; NULL: the monitor's own */
	struct curl_slist *headers;
	void *curl;                   /* while it is under way */
	unsigned *connecting;         /* not NULL: it is counted there, as one that has no connection yet */
	struct exchange *previous, *next;
};
void exchange_free(struct exchange *exchange);

struct upstream;

/* Starts the thread. Everything of the options must outlive it. 0 or -errno; logs the cause. */
int upstream_start(const struct upstream_options *options, struct upstream **ret_upstream);
/* Lets all agents that wait be answered, without an answer, and takes no further ones. Before the HTTP server ends. */
void upstream_end(struct upstream *upstream);
void upstream_free(struct upstream *upstream);

/* Holds the call, and passes its body on: the call comes again with the exchange as call->held, which is the caller's then to free, as it is
 * on error. 0; -EBUSY when as many wait as may; -ESHUTDOWN. */
int upstream_forward(struct upstream *upstream, const struct http_call *call, struct exchange *exchange);

#endif

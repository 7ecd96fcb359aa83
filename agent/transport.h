/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process that speaks with the network. It is the only one that reads what arrives there before it is verified, and it has no
 * rights: no account's, no capability, no program, no file to write (sandbox.h); it holds the key of this boot and nothing else. The main process, root, hands it
 * statuses over a socket pair, and gets whole answers back.
 *
 *   request  kind le32 (TRANSPORT_…) | size le32 | milliseconds to wait le32 | bytes
 *   reply    result le32 (0 or -errno) | HTTP status le32 | size le32 | bytes: the body, or the sentence of a failure */
#ifndef AGENT_TRANSPORT_H
#define AGENT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "agent/http.h"
#include "common/bytes.h"

enum transport_kind { TRANSPORT_STATUS = 1, TRANSPORT_RENEW = 2, TRANSPORT_LOG = 3, TRANSPORT_EVIDENCE = 4,
		      TRANSPORT_ATTEST = 5, TRANSPORT_QUOTE = 6 };

struct transport_options {
	const struct credential *credential;
	struct address addresses[ADDRESSES_MOST];
	size_t address_count;
	char node[37];
	uid_t user; /* becomes this account when it is root; both OSes call it nobody */
};

struct transport {
	pid_t process; /* 0: none */
	int fd;
	bool busy;
	int64_t deadline;      /* of the reply that is awaited */
	struct buffer reply;
	int64_t renew_at;      /* seconds since 1970: two thirds of the certificate's life */
};

struct transport_reply {
	int result;            /* 0: an answer came; else -errno */
	unsigned status;
	const char *text;      /* in the transport's buffer, until the next request; ends in NUL */
	size_t size;
};

/* Starts the process. 0; -EINVAL with a sentence in `ret_error` when the credential isn't sound; or -errno. */
int transport_start(struct transport *transport, const struct transport_options *options, char ret_error[TLS_ERROR]);
/* Ends it at once, whatever it is doing. */
void transport_stop(struct transport *transport);

/* Hands it a request that must be answered in `wait_ms`. 0 or -errno, after which it is to be stopped. */
int transport_send(struct transport *transport, enum transport_kind kind, const void *data, size_t size, unsigned wait_ms);
/* When its socket is readable, or the deadline is over. 1: `ret_reply` is there; 0: not yet; -ETIMEDOUT or -EPIPE: it is to be stopped. */
int transport_receive(struct transport *transport, struct transport_reply *ret_reply);

#endif

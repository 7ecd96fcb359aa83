/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A user of this server asks for another OS: `repave-request-os OS` (this program by another name) says so over a local socket, the agent takes who
 * he is from the kernel, brings it to the control unit with its next status, and tells him the answer. One at a time. */
#ifndef AGENT_REQUEST_H
#define AGENT_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#define REQUEST_OS_MOST 129u   /* NAME@VERSION */
#define REQUEST_USER_MOST 31u
#define REQUEST_TEXT_MOST 400u
/* In the abstract name space, so that it is there in each user's view of the server, whatever folders he sees. */
#define REQUEST_SOCKET "repave-request"

struct user_asks {
	int listener;            /* -1: none */
	int connection;          /* of who waits for his answer; -1: nobody */
	int64_t until;           /* and not longer, by steady_ms */
	bool complete;           /* the next two are for the next status */
	char user[REQUEST_USER_MOST + 1], os[REQUEST_OS_MOST + 1];
	bool sent;               /* with the status that is under way */
};

/* Without a socket users can't ask; the agent goes on without. */
void user_asks_open(struct user_asks *asks, const char *name);
/* Takes a connection and what it says; never waits. True when there is something new to bring. */
bool user_asks_read(struct user_asks *asks);
/* The control unit's answer to it. */
void user_asks_answer(struct user_asks *asks, bool taken, const char *text);
void user_asks_close(struct user_asks *asks);

/* repave-request-os: the exit status; 0 when it is pending, 1 when it is refused, 2 for wrong usage. */
int request_os_main(int argc, char **argv, const char *name);

#endif

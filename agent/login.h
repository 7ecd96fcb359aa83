/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Log-ins, of the log lines of the two OSes' ssh servers: dropbear 2022.83 and OpenSSH 9.2. Pure.
 *
 * What is unusual: many failures from one address, a log-in from an address that failed before, and any log-in without a key, because
 * both OSes take nothing else. */
#ifndef AGENT_LOGIN_H
#define AGENT_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOGIN_FAILURES 5u      /* from one address within LOGIN_SECONDS: an alarm, and again at each tenfold */
#define LOGIN_SECONDS 600
#define LOGIN_BEFORE 3u        /* failures after which a success is an alarm */
#define LOGIN_ADDRESSES 64u
#define LOGIN_TEXT 200u

enum login_kind { LOGIN_NONE, LOGIN_CONNECTED, LOGIN_FAILED, LOGIN_STRANGER, LOGIN_ACCEPTED };

struct login_event {
	enum login_kind kind;
	char user[33];
	char from[46];   /* "" when the line doesn't say */
	bool by_key;     /* of LOGIN_ACCEPTED */
	uint32_t process; /* of dropbear; 0: the line doesn't say */
};

/* Parses a line "…PROGRAM[PID]: text" or "…ssh: text"; lines of other programs and other events are LOGIN_NONE. */
void login_parse(const char *line, struct login_event *ret_event);

struct login_source {
	char from[46];
	uint32_t failures, told;
	int64_t first, last;
};

/* Zero it first. */
struct login_watch {
	struct login_source sources[LOGIN_ADDRESSES];
	struct { uint32_t process; char from[46]; } connections[16]; /* dropbear says the address of a stranger only once, at the start */
	size_t next;
};

/* Takes an event at time `now` (seconds, any steady clock). True when it is an alarm, with its text. */
bool login_note(struct login_watch *watch, const struct login_event *event, int64_t now, char ret_text[LOGIN_TEXT]);

#endif

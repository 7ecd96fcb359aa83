/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A privileged user of a server asks for another OS from within it: kept until he has logged out, then the server is reimaged. His server's agent
 * says who he is; whether he may is for the control unit to know. All within control_enter or control_lock. */
#ifndef CONTROL_USER_REQUEST_H
#define CONTROL_USER_REQUEST_H

#include "common/user.h"
#include "control/control.h"

struct user_request {
	char node[NODE_ID_SIZE + 1];
	char user[USER_NAME_MOST + 1];
	char os[IMAGE_SPEC_MOST + 1];
	char group[GROUP_NAME_MOST + 1]; /* of the same account, with that OS: the server goes to it; "": it is of no group */
	int64_t since;                   /* seconds since 1970 */
	uint64_t id;                     /* in the journal */
};

/* What the user is told. */
struct user_verdict {
	bool given, taken;
	char text[ERROR_TEXT];
};

/* The agent brings a request; it may bring the same again. */
void user_request_take(struct control *control, struct node *node, const char *user, const char *os, int64_t now, struct user_verdict *ret_verdict);
/* Begins the reimage of servers whose user has logged out; each second. */
void user_request_round(struct control *control, int64_t now);
/* A person says no. 0; -ENOENT with a sentence; -EIO. */
int user_request_refuse(struct control *control, const char *node, char ret_error[ERROR_TEXT]);
/* null without one; a new reference. */
json_t *user_request_describe(const struct control *control, const struct node *node);

/* For the store. A new reference; NULL when out of memory. */
json_t *user_request_format(const struct user_request *request);
/* 0 or -EINVAL. */
int user_request_restore(const json_t *object, struct user_request *ret_request);

#endif

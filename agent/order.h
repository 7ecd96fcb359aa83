/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the control unit answers to a status (docs/protocol.md, "Agent channel"): what it has taken, and orders. Pure. */
#ifndef AGENT_ORDER_H
#define AGENT_ORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ANSWER_BYTES_MOST 65536u
#define ORDERS_MOST 8u          /* of one answer; what is beyond comes again */
#define ORDER_TEXT_MOST 1000u
#define ORDER_ARGUMENTS_MOST 8u
#define ORDER_VALUE_MOST 128u
#define EVIDENCE_BYTES_MOST (256u << 20)
#define EVIDENCE_SECONDS_MOST 120u
#define BOOT_ID_SIZE 36u
#define INTERVAL_MOST 300u
#define ANSWER_MONITOR_MOST 391u

enum order_action { ACTION_INVALID, ACTION_DRAIN, ACTION_UNDRAIN, ACTION_NOTICE, ACTION_LOGOUT, ACTION_REBOOT, ACTION_SHUTDOWN, ACTION_RUN, ACTION_LOG,
		    ACTION_RESET, ACTION_EVIDENCE };

struct order_argument {
	char name[33];
	char value[ORDER_VALUE_MOST + 1];
};

struct order {
	uint64_t number;
	int64_t expires;                      /* seconds since 1970 */
	enum order_action action;             /* ACTION_INVALID: `text` says why */
	char boot_id[BOOT_ID_SIZE + 1];       /* the only boot that it is for; "": any */
	char text[ORDER_TEXT_MOST + 1];       /* notice: what to say; logout: the account, "" for all */
	char name[33];                        /* run: which action; log: app or system */
	struct order_argument arguments[ORDER_ARGUMENTS_MOST]; /* of run */
	size_t argument_count;
	unsigned bytes, seconds;              /* evidence: at most */
};

#define ANSWER_TEXT_MOST 400u

struct control_answer {
	uint64_t acknowledged;                /* alarms up to this sequence number */
	unsigned interval;                    /* seconds; 1 to INTERVAL_MOST */
	struct order orders[ORDERS_MOST];
	size_t order_count;
	bool has_verdict, request_taken;      /* on what a user of this server asked for */
	char request_text[ANSWER_TEXT_MOST + 1];
	char monitor[ANSWER_MONITOR_MOST + 1]; /* a line of the file `addresses`, which is to be its first; "": as it is */
};

/* 0; -EINVAL with a sentence in `ret_error`. An order that isn't sound doesn't spoil the answer: its action is ACTION_INVALID. */
int control_answer_parse(const void *text, size_t size, struct control_answer *ret_answer, char ret_error[160]);

/* 1 to 32 letters, digits and '-', not beginning with '-': names of actions and of their arguments. */
int action_name_check(const char *name);

/* Whether `value` is one of those that a line "NAME KIND" of an action's declaration allows. KIND: `number` (1 to 18 digits), `word`
 * (letters, digits, and ._- but not first), or the words themselves: `low|high`. */
bool argument_allowed(const char *declaration, const char *name, const char *value);

#endif

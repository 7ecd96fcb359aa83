/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The agent's side of the channel to the control unit (docs/protocol.md, "Agent channel"): which alarms are still to be taken, which
 * orders are to be carried out, were, and how that went. Pure: main.c moves bytes and time.
 *
 *   order:  queued ──begin (noted in the state file)──> running ──end──> done, to be told ──status taken──> told
 *              └──expired, for another boot, not sound──────────────────────^                                │
 *                                                                           └──the order comes again─────────┘
 *
 * An order that began is never begun again, in this life of the agent or the next: its number is in the state file before. */
#ifndef AGENT_CHANNEL_H
#define AGENT_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/order.h"

#define ALARMS_MOST 256u
#define ALARMS_IN_STATUS 32u
#define ALARM_TEXT_MOST 240u
#define RESULTS_MOST 32u
#define RESULT_TEXT_MOST 200u
#define INTERVAL_DEFAULT 5u
#define STATE_BYTES_MOST 65536u

struct alarm_entry {
	uint64_t sequence;
	int64_t time; /* seconds since 1970 */
	char kind[24];
	char text[ALARM_TEXT_MOST + 1];
};

enum order_result { RESULT_DONE, RESULT_FAILED, RESULT_REFUSED };

struct order_outcome {
	uint64_t number; /* 0: free */
	enum order_result result;
	char text[RESULT_TEXT_MOST + 1];
	bool told, in_flight;
};

struct channel {
	char boot_id[BOOT_ID_SIZE + 1];
	uint64_t sequence; /* of the last status */
	struct alarm_entry alarms[ALARMS_MOST]; /* a ring */
	size_t alarm_first, alarm_count;
	uint64_t alarm_sequence, alarms_lost;
	struct order queue[ORDERS_MOST];
	size_t queue_count;
	uint64_t begun;   /* the highest number that was begun */
	uint64_t running; /* 0: none */
	struct order_outcome outcomes[RESULTS_MOST]; /* a ring */
	size_t outcome_next;
	unsigned interval;
	unsigned failures; /* of the connection, in a row */
};

/* `uptime` in seconds: sequence numbers begin where none of an earlier life of the agent in this boot was, with nothing stored. */
void channel_init(struct channel *channel, const char *boot_id, double uptime);

/* Adds an alarm; bytes that aren't printable ASCII become '?'. When ALARMS_MOST wait, it is lost, and counted: the first ones tell
 * the cause. */
void channel_alarm(struct channel *channel, int64_t now, const char *kind, const char *text);

/* What a status must bring. Marks what is brought as on its way. Returns the number of alarms from alarm_first on. */
size_t channel_status_begin(struct channel *channel);
/* The status didn't get through, or nobody knows whether it did: the same will be brought again. */
void channel_status_failed(struct channel *channel);
/* The status was answered. */
void channel_status_answered(struct channel *channel, const struct control_answer *answer);

/* The next order to carry out, when none is running; false: none. It counts as begun: store the state before anything else. Orders
 * that have expired are refused here. */
bool channel_begin_order(struct channel *channel, int64_t now, struct order *ret_order);
/* How it ended. The state is to be stored. */
void channel_end_order(struct channel *channel, uint64_t number, enum order_result result, const char *text);
/* Whether the control unit knows how an order ended. */
bool channel_was_told(const struct channel *channel, uint64_t number);
/* Whether something waits for the next status: it needn't wait for its time. */
bool channel_has_news(const struct channel *channel);

/* Milliseconds to wait before the next try, after `failures` in a row (1 and more): the fleet's agents mustn't come back in one moment. */
unsigned channel_wait_ms(unsigned failures, unsigned interval, uint32_t random);

/* The state file: what must outlive the agent, and no boot. malloc'd text, NULL when out of memory. */
char *channel_state_format(const struct channel *channel);
/* 0 or -EINVAL, which leaves the channel as it was. */
int channel_state_parse(struct channel *channel, const void *text, size_t size);

const char *order_result_name(enum order_result result);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders to agents: durable before they are sent, sent until they are answered, have expired, or the boot that they were for is over
 * (docs/protocol.md, "Agent channel"). All within control_enter.
 *
 *   waiting ──sent with an answer to a status──> sent ──its agent's answer──> done, failed, refused
 *      └──────────time, another boot──────────────┴──> expired, void ──a late answer──^ */
#ifndef CONTROL_ORDERS_H
#define CONTROL_ORDERS_H

#include "control/control.h"

#define ORDERS_KEPT 50u            /* of each node */
#define ORDERS_OUTSTANDING_MOST 32u
#define ORDERS_IN_ANSWER 8u
#define ORDER_SECONDS_MOST 86400
#define ORDER_LATE_SECONDS 10      /* an answer to one that was sent may be on its way so long after its end */

/* Reads those that weren't answered. 0 or -EIO. */
int orders_load(struct control *control);

/* Stores an order and lets a held status be answered with it. `arguments` is taken over, also on error, and may be NULL. `this_boot`: it is
 * void when the node has started again. 0; -ENOENT: no such node; -EAGAIN: `this_boot`, and its agent never said which boot this is; -EDQUOT: too
 * many aren't answered; -EIO, -ENOMEM. */
int orders_give(struct control *control, const char *node, const char *action, json_t *arguments, bool this_boot, int64_t expires,
		int64_t now, uint64_t *ret_number);
/* How it stands; `ret_text` is what the agent said, or "". 0, -ENOENT (it was never given, or so long ago that it was forgotten) or -EIO. */
int orders_state(struct control *control, const char *node, uint64_t number, enum order_state *ret_state, char ret_text[ERROR_TEXT]);
/* The newest `most` of a node, or only `number` unless it is 0, newest first; a new reference. 0 or -EIO. */
int orders_list(struct control *control, const struct node *node, uint64_t number, unsigned most, json_t **ret_list);

/* The agent's answer. What was never asked is ignored: 0 or -EIO. */
int orders_answered(struct control *control, struct node *node, const struct order_answer *answer, int64_t now);
/* Another boot began; "" when stage 1 asks, and nobody knows yet which. 0 or -EIO. */
int orders_of_other_boots(struct control *control, struct node *node, const char *boot_id, int64_t now);
/* Ends those whose time is over. 0 or -EIO. */
int orders_expire(struct control *control, struct node *node, int64_t now);
/* Whether one wasn't sent yet; whether one isn't answered. */
bool orders_unsent(const struct node *node, int64_t now);
bool orders_outstanding(const struct node *node, int64_t now);
/* By way of which monitor they go now, "" for none: an event for each that goes for the first time says so. */
void orders_tell_way(struct control *control, const struct node *node, const char *via, int64_t now);
/* What an answer to a status brings, now counted as sent: a new reference, NULL when out of memory. */
json_t *orders_send(struct node *node, int64_t now);

#endif

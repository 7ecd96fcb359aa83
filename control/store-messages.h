/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages that wait to be sent, durable with what they tell. Within control_enter. */
#ifndef CONTROL_STORE_MESSAGES_H
#define CONTROL_STORE_MESSAGES_H

#include "control/messages.h"
#include "control/store.h"

#define MESSAGES_MOST 1000u /* that wait for one target; what is beyond is only counted */

struct message {
	int64_t sequence;
	char id[MESSAGE_ID_SIZE + 1];
	char target[MESSAGE_TARGET_NAME_MOST + 1];
	int64_t created, next;        /* seconds since 1970 */
	unsigned tries;               /* that failed */
	uint64_t count, alarms;       /* of a summary: what it stands for; else 0 */
	json_t *facts;                /* owned */
};

void message_release(struct message *message);

/* 0 or -EIO. */
int store_add_message(struct store *store, const struct message *message);
/* Counts something into the target's summary `slot`, which `message` becomes unless it is there: with its id, as it then tells something else. */
int store_count_message(struct store *store, int64_t slot, bool is_alarm, const struct message *message);
/* The one whose turn it is; one that would wait for longer than `longest` seconds is due, as then the clock was set. 0 (the caller releases), -ENOENT or -EIO. */
int store_next_message(struct store *store, const char *target, int64_t now, int64_t longest, struct message *ret_message);
/* It was sent: forgets it, or of a summary what it told. */
int store_end_message(struct store *store, const struct message *message);
int store_delay_message(struct store *store, int64_t sequence, int64_t next, const char *error);
/* Makes all of the target due. */
int store_hurry_messages(struct store *store, const char *target, int64_t now, uint64_t *ret_count);
/* Forgets those of the target ("": all) with that id ("": all) that are older than `before`. */
int store_drop_messages(struct store *store, const char *target, const char *id, int64_t before, uint64_t *ret_count);
/* Forgets those whose target isn't in the list of names. */
int store_keep_message_targets(struct store *store, const json_t *names);
/* How many wait, and since when the oldest does (0: none). */
int store_count_messages(struct store *store, const char *target, uint64_t *ret_count, int64_t *ret_oldest);
/* The first `most` that wait for the target ("": all), oldest first: JSON objects as in docs/openapi.yaml; a new reference. */
int store_list_messages(struct store *store, const char *target, unsigned most, json_t **ret_list);

#endif

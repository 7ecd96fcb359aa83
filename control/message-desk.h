/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes messages in: what is to be told goes into the store together with what it tells, and waits there for control/messenger.h. All within
 * control_enter, and nothing of it waits for anybody outside. */
#ifndef CONTROL_MESSAGE_DESK_H
#define CONTROL_MESSAGE_DESK_H

#include "control/control.h"
#include "control/health.h"
#include "control/message-send.h"
#include "control/store-messages.h"


#define MESSAGE_LOST_KIND "message-lost"

struct messenger;

/* What is known of a target while the control unit runs. */
struct message_state {
	char name[MESSAGE_TARGET_NAME_MOST + 1];
	int64_t minute;                /* since 1970 */
	unsigned accepted;             /* messages in it */
	unsigned failures;             /* tries on end */
	int64_t pause_until;           /* milliseconds of a clock that nobody sets */
	bool busy;                     /* one is on its way */
	uint64_t sent, failed, lost;   /* since the start; tries that failed, and messages that were given up */
	int64_t failing_since;         /* seconds since 1970; 0: the last try succeeded */
	struct message_try {
		char id[MESSAGE_ID_SIZE + 1]; /* "" before the first */
		int64_t at;
		bool ok;
		char error[MESSAGE_ERROR_MOST + 1];
	} last, test;                  /* of all messages, and of those that somebody sent to see whether they arrive */
};

struct messages {
	char *folder;                  /* of the administrator's files; owned */
	struct message_settings settings;
	struct message_state states[MESSAGE_TARGETS_MOST]; /* of the settings' targets, in their order */
	struct messenger *messenger;   /* NULL before it runs; control/messenger.h */
};

/* Reads the settings. 0 or -errno; logs the cause. */
int messages_load(struct control *control, const char *folder, struct messages **ret_messages);
void messages_free(struct messages *messages);
/* Borrowed; NULL for a target that isn't there any more. */
struct message_state *messages_state(struct messages *messages, const char *name);

/* Whether anybody wants to hear of the event. */
bool messages_want_event(const struct control *control, const struct event *event);
/* Puts it into the spool for each target that wants it: within the transaction that stores it. 0, -ENOMEM or -EIO. */
int messages_note_event(struct control *control, const struct event *event);
/* The same with a decision; without `name` and `account` those of its node and group are taken. */
int messages_note(struct control *control, const struct message_facts *facts);

/* Settings: stored within a transaction, with messages to targets that aren't in them forgotten; then adopted, which takes them over. */
int messages_store_settings(struct control *control, const struct message_settings *settings);
void messages_adopt_settings(struct messages *messages, struct message_settings *settings);

/* The targets as in docs/openapi.yaml; a new reference. */
json_t *messages_describe(struct control *control);
/* Puts a test in for the target, before all others; its id. 0; -ENOENT with a sentence; -ENOMEM; -EIO. */
int messages_test(struct control *control, const char *target, int64_t now, char ret_id[MESSAGE_ID_SIZE + 1], char ret_error[ERROR_TEXT]);
/* Makes all of the target due now. The same errors. */
int messages_retry(struct control *control, const char *target, int64_t now, uint64_t *ret_count, char ret_error[ERROR_TEXT]);
/* Forgets all of the target, or the one with that id ("": all). The same errors. */
int messages_drop(struct control *control, const char *target, const char *id, uint64_t *ret_count, char ret_error[ERROR_TEXT]);
void messages_health(struct control *control, struct health *health, int64_t now);

#endif

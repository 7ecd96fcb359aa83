/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages about decisions and events: to whom, about what, in which words. Pure.
 *
 *   notify: list of {name, one way, on, account, subject, text, timeout, retry, give_up, per_minute}, where a way is
 *     webhook: URL or webhook_file: PATH, secret_file, ca_file
 *     mail: list of addresses, from, sendmail: PATH
 *     command: PATH
 *
 * The facts of a message are a JSON object of texts (and "time", "decision", "count", "alarms", which are numbers), see message_facts. A template has
 * {{NAME}} where a fact is to stand; facts are one line each, whatever an application or an agent wrote into them. */
#ifndef CONTROL_MESSAGES_H
#define CONTROL_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "control/records.h"

#define MESSAGE_TARGETS_MOST 16u
#define MESSAGE_TARGET_NAME_MOST 32u
#define MESSAGE_ADDRESSES_MOST 20u
#define MESSAGE_ADDRESS_MOST 254u      /* RFC 5321, 4.5.3.1.3, without the brackets */
#define MESSAGE_WORDS_MOST 64u
#define MESSAGE_SUBJECT_MOST 200u
#define MESSAGE_TEMPLATE_MOST 4000u
#define MESSAGE_PLACEHOLDERS_MOST 40u
#define MESSAGE_ID_SIZE 32u            /* hexadecimal digits */
#define MESSAGE_PATH_MOST 255u
#define MESSAGE_FOLDER "/etc/repave/notify"
#define MESSAGE_FOLDER_MOST 180u

enum message_way { MESSAGE_WEBHOOK, MESSAGE_MAIL, MESSAGE_COMMAND };

/* Texts are borrowed from the settings' list. */
struct message_target {
	const char *name;
	enum message_way way;
	const char *url, *url_file;    /* one of them */
	const char *secret_file;       /* NULL: no signature */
	const char *ca_file;           /* NULL: the machine's authorities */
	const json_t *mail;            /* list of addresses */
	const char *from, *sendmail;
	const char *command;
	const json_t *on;              /* list of words */
	const char *account;           /* NULL: all, and what is nobody's */
	const char *subject, *text;    /* NULL: the usual ones */
	unsigned timeout;              /* seconds for one try */
	unsigned retry;                /* seconds until the second try; each next wait is twice as long */
	unsigned give_up;              /* seconds after which a message is dropped */
	unsigned per_minute;           /* messages; what is beyond is counted, and told in one */
};

struct message_settings {
	struct message_target *items;  /* owned */
	size_t count;
	json_t *list;                  /* as the operator wrote it; owned */
};

/* What there is to tell; texts are borrowed, NULL or "" for none. */
struct message_facts {
	int64_t time;                  /* seconds since 1970 */
	const char *action, *verdict, *origin, *rule; /* of a decision: "add"; "do", "hurry", "later", "denied", "advised", "failed"; "rule", "operator NAME" … */
	uint64_t decision;             /* its number in the journal; 0 without */
	const char *kind;              /* of an event, which has no action */
	enum severity severity;
	const char *node, *name;       /* id and host name */
	const char *group, *account;
	const char *reason;            /* a sentence */
};

/* Reads the list; paths must be files of `folder` (NULL: it is known elsewhere). 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int message_settings_parse(const json_t *list, const char *folder, struct message_settings *ret_settings, char ret_error[ERROR_TEXT]);
void message_settings_release(struct message_settings *settings);
const struct message_target *message_settings_find(const struct message_settings *settings, const char *name);
/* One of them as settings of their own, for another thread. The same errors. */
int message_target_copy(const struct message_target *target, const char *folder, const struct message_settings *settings,
			struct message_settings *ret_copy);
const char *message_way_name(enum message_way way);
/* Where the messages go, for people; without what may be secret. */
void message_target_describe(const struct message_target *target, char ret_text[ERROR_TEXT]);
bool message_target_name_valid(const char *name);

/* Whether the target wants to hear of this. */
bool message_wanted(const struct message_target *target, const struct message_facts *facts);

/* 0, or -EINVAL with a sentence: what is wrong with a template. */
int message_template_check(const char *template, size_t most, bool one_line, char ret_error[ERROR_TEXT]);
/* Appends the template with the facts in it. 0 or -ENOMEM. */
int message_expand(const char *template, const json_t *facts, struct buffer *text);

/* The seconds until the next try, after `tries` of them failed: twice as long each time, an hour at most, and a quarter more or less by `random`. */
unsigned message_backoff(unsigned retry, unsigned tries, uint32_t random);
#define MESSAGE_BACKOFF_MOST 4500u /* seconds: with the quarter more */

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A message as it goes out: the JSON of a webhook and of a command, and the mail. Pure.
 *
 *   {"format": 1, "id", "class": decision|event|summary|test, "time", "action", "verdict", "origin", "rule", "kind", "severity", "node", "name",
 *    "group", "account", "reason", "decision", "count", "alarms", "subject", "text"}; what isn't known is absent */
#ifndef CONTROL_MESSAGE_TEXT_H
#define CONTROL_MESSAGE_TEXT_H

#include "control/messages.h"

/* The facts as they are kept; a new reference, NULL when out of memory. */
json_t *message_facts_format(const struct message_facts *facts);
/* Of what was more than a target takes; "count" and "alarms" are the caller's to add. */
json_t *message_facts_summary(int64_t time);
json_t *message_facts_test(int64_t time);

/* Appends the JSON. 0 or -ENOMEM. */
int message_body(const struct message_target *target, const char *id, const json_t *facts, struct buffer *body);
/* Appends the mail, header and body, its lines ended by a line feed as sendmail programs want them. 0 or -ENOMEM. */
int message_mail(const struct message_target *target, const char *id, const json_t *facts, struct buffer *mail);

#endif

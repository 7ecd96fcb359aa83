/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is remembered of a node's security alarms: those that nothing was done about yet, and when its power was cut for one. Pure. */
#ifndef CONTROL_ALARM_RECORD_H
#define CONTROL_ALARM_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/agent-status.h"

#define ALARM_CUTS_KEPT 16u
#define ALARM_CUTS_SECONDS 86400   /* within which cuts count for the rules */
#define ALARM_KINDS_MOST 32u
#define ALARM_KIND_OPERATOR "operator" /* a person or a tool raised it */

struct node_alarms {
	unsigned pending;
	int64_t since;                       /* of the first that is pending; seconds since 1970 */
	char kind[ALARM_KIND_MOST + 1], text[ALARM_TEXT_MOST + 1]; /* that one: the cause, sooner than what came of it */
	int64_t cuts[ALARM_CUTS_KEPT];       /* seconds since 1970, oldest first */
	unsigned cut_count;
};

/* Whether alarms of this kind are security alarms: `kinds` is the list of an operator, or NULL for those of root's deeds only. What
 * anybody can cause from outside, or any user without rights, isn't among these: he could have servers cut. */
bool alarm_kind_counts(const json_t *kinds, const char *kind);
/* Whether `kinds` is a list of kinds. */
bool alarm_kinds_valid(const json_t *kinds);

void node_alarms_add(struct node_alarms *alarms, const char *kind, const char *text, int64_t now);
/* Something is done about those that are pending. */
void node_alarms_settle(struct node_alarms *alarms);
void node_alarms_cut(struct node_alarms *alarms, int64_t now);
/* How often it was cut after `now` - `seconds`. Times of the future are of a clock that was wrong, and don't count. */
unsigned node_alarms_cuts(const struct node_alarms *alarms, int64_t now, int64_t seconds);

/* For the store. A new reference; NULL when out of memory. And its inverse: 0 or -EINVAL. */
json_t *node_alarms_format(const struct node_alarms *alarms);
int node_alarms_parse(const json_t *object, struct node_alarms *ret_alarms);

#endif

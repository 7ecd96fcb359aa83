/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How the control unit decides: the rule matrix, and what of a fleet file's "decisions" holds for all groups. Pure.
 *
 *   decisions: {mode: act, tick: 5s, spares: 50%, spares_least: 1, spare_off: 10m, cuts: 3, cuts_within: 10m, evidence: 0, alarms: [verity, file]}
 *   rules: [...]      as control/rules.h; null: the shipped matrix
 */
#ifndef CONTROL_DECISION_SETTINGS_H
#define CONTROL_DECISION_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/names.h"
#include "control/rules.h"

#define DECISION_EVIDENCE_MOST (256u * 1024 * 1024)

struct decision_settings {
	bool acts;               /* mode: act; else ("advise") decisions are told and nothing is done */
	double tick;             /* seconds between two looks, 0.1 to 3600 */
	double spare_ratio;      /* spares for each server with work that there should be */
	unsigned spares_least;
	uint32_t spare_off;      /* seconds after which the power of an idle spare is switched off; 0: never */
	unsigned cuts_most;      /* of one group within cuts_within seconds; more alarms are for people */
	uint32_t cuts_within;
	unsigned evidence;       /* bytes that are kept at most of what a server says after an alarm, before it is cut; 0: cut at once */
	struct rule_list rules;  /* owned */
	json_t *given;           /* owned; the members of "decisions" that were given; "alarms", which kinds are security alarms, is read from it */
	json_t *rules_given;     /* owned; NULL: the shipped matrix */
};

/* What it is while nothing was given. 0 or -ENOMEM. */
int decision_settings_init(struct decision_settings *ret_settings);
void decision_settings_release(struct decision_settings *settings);

/* `before` with other members (NULL: none; one that is null is as if it had never been given) and other rules (NULL: the same; null: the shipped
 * ones). 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int decision_settings_change(const struct decision_settings *before, const json_t *change, const json_t *rules,
			     struct decision_settings *ret_settings, char ret_error[ERROR_TEXT]);

/* {"decisions": {…}, "rules": […] or null}, as given: for the store and the fleet file. A new reference; NULL when out of memory. */
json_t *decision_settings_format(const struct decision_settings *settings);

#endif

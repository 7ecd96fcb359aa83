/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a group wants and allows: limits for the rule matrix, how fast plans may go on, and when. Pure.
 *
 *   policy: {first: 15m, second: 30m, grace: 10m, jitter: 10%, users_high: 400, users_low: 20, load_high: 1.5, response_high: 500ms,
 *            maximum: 8, pace: 20%, rack: 1, settle: 30s, failures: 2, when: {zone: Europe/Stockholm, windows: ["Mon-Fri 22:00-05:00"]},
 *            priority: 10, place: {site: stockholm, rack: r7, only: true}}
 */
#ifndef CONTROL_POLICY_H
#define CONTROL_POLICY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/calendar.h"
#include "control/names.h"
#include "control/rules.h"

#define POLICY_COUNT_MOST 10000u
#define POLICY_PLACE_MOST 63u

struct policy {
	double limits[LIMITS];      /* 0: none */
	double grace;               /* seconds from a request to leave until users are thrown out */
	double jitter;              /* share of `first` by which servers fall due earlier; 0 to 0.5 */
	unsigned minimum;           /* servers that serve at any time */
	unsigned maximum;           /* 0: no maximum */
	unsigned pace;              /* servers that may be on their way at once for a plan's sake */
	double pace_share;          /* or that share of the group, at least one; 0: `pace` counts */
	unsigned rack_pace;         /* and in one rack, of whatever group; 0: any number */
	uint32_t settle;            /* seconds between the return of one and the start of the next */
	unsigned failures_most;     /* so many that didn't come back stop its plans; 0: any number */
	unsigned priority;          /* a group of more gets servers first, and may get those above the minimum of one with less */
	char site[POLICY_PLACE_MOST + 1], rack[POLICY_PLACE_MOST + 1]; /* where its servers should be; "": anywhere */
	bool place_only;            /* and nowhere else */
	struct calendar *calendar;  /* owned; NULL: any time */
};

/* Reads a policy; what it leaves out is as the requirements say, without an age unless `first` is there. `object` may be NULL. 0 (the
 * caller releases); -EINVAL with a sentence; -ENOMEM. */
int policy_parse(const json_t *object, unsigned minimum, struct policy *ret_policy, char ret_error[ERROR_TEXT]);
void policy_release(struct policy *policy);
/* How many of `servers` may be on their way at once; at least 1. */
size_t policy_pace(const struct policy *policy, size_t servers);

#endif

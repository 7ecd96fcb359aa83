/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A reimage of the fleet, or of a part of it, that a person ordered by a deadline; and exemptions from reimages. Pure.
 *
 *   running ──stop──> stopped ──resume──> running          nobody is begun any more while it is stopped
 *      └── all are done ──> done          and: some can't be, for they failed ──> failed
 *
 * How many go at once follows from what is left to do and the time for it, anew at each look, and never from how many may: who has
 * a whole night does it one after the other. `serving` is the share of each group's servers that go on serving. Only at the last
 * moment a forced campaign goes below that, and throws users out. */
#ifndef CONTROL_CAMPAIGN_H
#define CONTROL_CAMPAIGN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/decide.h"
#include "control/names.h"
#include "control/records.h"
#include "control/restart-record.h"

#define CAMPAIGN_NAME_MOST 47u
#define CAMPAIGN_BY_MOST (OPERATOR_NAME_MOST + 8)
#define CAMPAIGN_SECONDS_MOST (366 * INT64_C(86400))
#define CAMPAIGN_SERVING 0.5            /* default share */
#define CAMPAIGN_START_SECONDS 120.0    /* how long a server takes of which nothing is learned yet */
#define EXEMPTION_SECONDS_MOST (90 * INT64_C(86400))

enum campaign_state { CAMPAIGN_RUNNING, CAMPAIGN_STOPPED, CAMPAIGN_DONE, CAMPAIGN_FAILED };

struct campaign {
	uint64_t id;                             /* ascending; 0 before it is stored */
	char name[CAMPAIGN_NAME_MOST + 1];       /* "" for none */
	char by[CAMPAIGN_BY_MOST + 1];           /* who ordered it */
	char reason[REASON_MOST + 1];
	json_t *groups, *nodes;                  /* owned; objects whose keys are names of groups and ids of nodes; both NULL: all */
	int64_t began, deadline, ended;          /* seconds since 1970; `ended` 0 while it isn't over */
	double serving;                          /* share of each group that goes on serving, 0 to 1 */
	bool forced;                             /* at the last moment users are thrown out, and the share doesn't count */
	bool in_windows;                         /* only while the group's window is open, until that moment */
	enum campaign_state state;
	char note[LIFE_REASON_MOST + 1];         /* who stopped it, or what it ended with; "" without */
	bool told_late;                          /* the deadline passed, and that was told */
};

void campaign_release(struct campaign *campaign);

/* What a person asks for: {"deadline": seconds since 1970, "name", "reason", "groups": [names], "nodes": [ids], "serving": 0 to 1,
 * "forced", "windows"}; all but the first may be absent. Unknown members are refused. `by` is who asks. 0 (the caller releases);
 * -EINVAL with a sentence; -ENOMEM. */
int campaign_parse(const json_t *body, const char *by, int64_t now, struct campaign *ret_campaign, char ret_error[ERROR_TEXT]);
/* For the store: all but the id. A new reference; NULL when out of memory. */
json_t *campaign_format(const struct campaign *campaign);
/* The inverse. 0 (the caller releases), -EINVAL or -ENOMEM. */
int campaign_read(const json_t *object, struct campaign *ret_campaign);

/* Whether a node of this group ("" for none) is meant. */
bool campaign_covers(const struct campaign *campaign, const char *node, const char *group);

/* Seconds from an order to start until a server of the group (NULL: none) serves, as learned. */
double campaign_start(const struct seen_group *group);
/* Seconds that a reimage of this node is thought to take until it serves again: its users' leaving, the start, the settling. `group` may
 * be NULL. */
double campaign_takes(const struct seen_group *group, const struct seen_node *node);
/* Seconds until its reimage must begin for it to be over at the deadline, a fifth of it in reserve. One that isn't forced never comes to 0:
 * then it goes on as it did, and is late. */
double campaign_due_in(const struct campaign *campaign, double takes, int64_t now);
/* How many must be on their way at once for `remaining` to be done within `left` seconds, a fifth of them in reserve. At least 1. */
size_t campaign_pace(size_t remaining, double left, double takes);

/* How many of so many servers of a group go on serving. */
unsigned campaign_share(const struct campaign *campaign, size_t members);

/* Gives a snapshot what a running campaign asks of it. Of the nodes that it is still to reach `due` is any number, of the others NAN; from
 * then on it is seconds. 0 or -ENOMEM. */
int campaign_see(const struct campaign *campaign, int64_t now, struct seen_group *groups, size_t group_count, struct seen_node *nodes,
		 size_t node_count);

/* "running" … "failed". */
const char *campaign_state_name(enum campaign_state state);

/* ------------------------------------------------------------------ exemptions */

/* A node that no plan reimages until then. */
struct exemption {
	uint64_t id;                             /* ascending; 0 before it is stored */
	char node[NODE_ID_SIZE + 1];
	char by[CAMPAIGN_BY_MOST + 1];
	char reason[REASON_MOST + 1];
	int64_t since, until, ended;             /* seconds since 1970; `ended` 0 while it holds */
};

/* {"until": seconds since 1970, "reason"}; both must be there. 0; -EINVAL with a sentence. */
int exemption_parse(const json_t *body, int64_t now, struct exemption *ret_exemption, char ret_error[ERROR_TEXT]);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be done about the fleet. Pure: the same snapshot gives the same decisions, so that a journal of snapshots can be replayed.
 *
 * Every rule is asked in the order of the matrix, nodes and groups in the order of the snapshot. A node gets one decision at most, and
 * none while it is on its way, but to hurry it. What a rule wants is then held to what the group allows: its minimum, its maximum, its
 * window, its pace, and how many servers failed to come back. Alarms and failures don't wait for windows and pace. Where servers are
 * scarce, groups get them by priority, then by how far they are above their limits.
 *
 * Texts that aren't there may be "" or NULL. */
#ifndef CONTROL_DECIDE_H
#define CONTROL_DECIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/life.h"
#include "control/names.h"
#include "control/policy.h"
#include "control/restart.h"
#include "control/rules.h"

#define DECIDE_NOBODY SIZE_MAX

/* Texts are borrowed. */
struct seen_group {
	const char *name;
	struct policy policy;    /* its calendar isn't looked at: */
	bool window_open;        /* plans may go on */
	unsigned failures;       /* servers that didn't come back, since a person looked last */
	int64_t returned;        /* when one came back last; seconds since 1970 */
	double trend;            /* users per second, all servers; NAN: unknown */
	double users_most;       /* all servers, the most of the last minutes; 0 or NAN: unknown, then the present figure counts */
	double load_most;        /* mean per processor, the same */
	double start_s;          /* how long a server takes from the decision until it serves, as learned */
	double hour;             /* local time */
	const char *site;        /* where its users are, unless the policy says it */
	const char *os, *app, *account; /* as in the group's definition */
	/* A hint of what is to come: that many users, all servers, from then until then (seconds since 1970; 0: no hint). */
	double expected_users;
	int64_t expected_at, expected_until;
	unsigned cuts;           /* servers cut or set aside for alarms within the snapshot's cuts_within */
	/* Of a campaign (control/campaign.h), for those of its servers that are due; without one of no meaning. */
	unsigned campaign_pace;  /* on their way at once; 0: the policy's */
	unsigned serving_least;  /* go on serving, if that is more than the minimum */
	bool campaign_any_time;  /* a closed window is nothing to it */
};

struct seen_node {
	const char *id, *name;   /* name "" for none */
	size_t group;            /* index; DECIDE_NOBODY for none */
	enum life_state life;
	bool busy;               /* a restart is under way */
	bool goes;               /* by which it leaves its group */
	enum restart_urgency urgency; /* of it */
	bool taken;              /* a spare that another restart counts on */
	bool off;
	bool exempt;             /* from plans: an exception of a person, not yet expired */
	double up;               /* seconds since it served first in this boot; NAN: doesn't serve yet */
	double jitter;           /* seconds by which it falls due earlier, fixed for this boot */
	double users, load, response; /* NAN: unknown */
	unsigned alarms, cuts, retries;
	double due;              /* seconds until a campaign needs its reimage to begin; NAN: no campaign, or done */
	unsigned uses;           /* how often it was taken as a spare */
	double release_s;        /* how long its users would take to leave, as learned; NAN: unknown */
	const char *site, *rack;
	size_t warm_for;         /* a spare: the group whose images it holds already; DECIDE_NOBODY */
};

/* When a rule did something last: its cool-down counts from then on. */
struct cooling {
	size_t rule, node, group; /* of the decision; of a rule for groups the group alone, else the node alone, and DECIDE_NOBODY */
	int64_t until;
};

struct snapshot {
	int64_t now;             /* seconds since 1970 */
	const struct seen_node *nodes;
	size_t node_count;
	const struct seen_group *groups;
	size_t group_count;
	const struct rule_list *rules;
	const struct cooling *cooling;
	size_t cooling_count;
	double spare_ratio;      /* spares per server with work that there should be */
	unsigned spares_least;
	unsigned cuts_most;      /* of a group within cuts_within, then a person must look; 0: no bound */
	uint32_t cuts_within;    /* seconds */
	unsigned spare_cuts;     /* as seen_group.cuts, of those without a group */
};

enum verdict {
	VERDICT_DO,
	VERDICT_HURRY,           /* the node is on its way, less urgently */
	VERDICT_LATER,           /* pace, window, settling: it will be done without anybody's doing */
	VERDICT_DENIED,          /* it can't be done, for this reason: */
};

enum denial {
	DENIAL_NONE,
	DENIAL_SLA_MAX,          /* the group has its maximum */
	DENIAL_SLA_MIN,          /* or its minimum, and would lose one */
	DENIAL_NO_RESOURCE,      /* nobody is free */
	DENIAL_PRIORITY,         /* a group of higher priority has who was free */
	DENIAL_SECURITY,         /* too many of the group were cut for alarms: a person must look */
};

struct decision {
	enum verdict verdict;
	enum rule_action action; /* the rule's, but RULE_MOVE when a rule to add takes a server of another group */
	enum restart_urgency urgency;
	size_t rule;
	size_t node;             /* whom it is about; RULE_ADD, RULE_MOVE: who comes; DECIDE_NOBODY: nobody */
	size_t group;            /* whose server it is; RULE_ADD, RULE_MOVE: who gets it. A cool-down counts for it */
	size_t spare;            /* RULE_REPLACE, RULE_REIMAGE: who comes; DECIDE_NOBODY: nobody is free, or needed */
	bool moves;              /* RULE_MOVE: who comes leaves another group: */
	size_t from;             /* which; DECIDE_NOBODY */
	enum denial denial;
	char reason[ERROR_TEXT]; /* a sentence with the measured values */
};

struct decisions {
	struct decision *items;  /* owned */
	size_t count;
	size_t spares_wanted, spares_there;
};

/* 0 (the caller releases) or -ENOMEM. */
int decide(const struct snapshot *snapshot, struct decisions *ret_decisions);
void decisions_release(struct decisions *decisions);

/* What is known of a node, with its group and the fleet; texts are the snapshot's. 0 or -ENOMEM. */
int decide_measure(const struct snapshot *snapshot, size_t node, struct facts *ret_facts);
/* The same of a group. */
int decide_measure_group(const struct snapshot *snapshot, size_t group, struct facts *ret_facts);

/* "do", "hurry", "later", "denied" */
const char *verdict_name(enum verdict verdict);
/* "" for none, "sla_max", "sla_min", "no_resource", "priority", "security" */
const char *denial_name(enum denial denial);

#endif

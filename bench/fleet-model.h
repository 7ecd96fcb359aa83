/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A fleet without machines: users who come and go, servers that boot, break and are attacked. What is decided about them is
 * control/decide.c's, as in a control unit. */
#ifndef BENCH_FLEET_MODEL_H
#define BENCH_FLEET_MODEL_H

#include "control/decide.h"
#include "control/trend.h"

#define USERS_HARD 500.0        /* what a server can carry at all */
#define USERS_HIGH 400.0
#define START_SECONDS 60.0      /* from the decision until it serves, in the mean */
#define COLD_SECONDS 30.0       /* more when it was off */
#define OFF_SECONDS 600.0       /* a spare that idles for so long is powered off */
#define REPAIR_SECONDS 14400.0  /* of a failed one */
#define TREND_SECONDS 300.0
#define COOLING_MOST 4096

enum doing { DOING_NOTHING, DOING_LEAVE, DOING_BOOT, DOING_REPAIR };

struct server {
	enum doing doing;
	double until;            /* of a boot or repair */
	double asked;            /* since when its users are asked to leave; 0: they aren't */
	double idle;             /* a spare: for how long */
	size_t goes_to;          /* after the boot: group, or DECIDE_NOBODY */
	size_t stand_in;         /* the spare that works meanwhile */
	char id[24];
};

struct group {
	double demand, peak, phase;
	size_t most;             /* servers that a fleet without decisions would need for its peak */
	struct trend trend;
	double served, denied;
	char name[24];
};

struct sums {
	double server_hours, powered_hours, static_hours, user_hours, denied_hours, age_most;
	size_t decisions, by_action[RULE_ACTIONS], later, denials, below_minimum, thrown_out, failures, alarms;
	double decide_most_ms, decide_sum_ms;
	size_t decide_count;
};

struct world {
	size_t servers, groups;
	double now, tick;        /* seconds */
	double failures_a_day, alarms_a_day; /* of a server */
	bool fixed;              /* nothing is decided: whoever fails is repaired, and as many as are needed at the peak are on */
	double (*demand)(struct world *world, size_t group);
	void (*tell)(const struct world *world, const struct decision *decision); /* NULL: nobody listens */
	double *told;            /* when each rule was last told of each server and each group */
	struct server *server;
	struct seen_node *node;
	struct group *group;
	struct seen_group *seen_group;
	struct snapshot seen;
	struct rule_list rules;
	struct cooling *cooling;
	size_t cooling_next;
	struct sums sums;
	uint64_t random;
};

/* `servers` spares and `groups` groups with the shipped matrix. 0, or -ENOMEM; either way the caller releases. */
int world_init(struct world *world);
void world_release(struct world *world);
/* From 0 to 1. */
double world_chance(struct world *world);
/* Begins as a server of that group that has served for so many seconds. */
void world_put(struct world *world, size_t server, size_t group, double up);
void world_fail(struct world *world, size_t server);
/* One tick: users, servers, and what is decided. 0 or -errno. */
int world_turn(struct world *world);

/* fleet-decisions.c */
int world_decide(struct world *world);
/* fleet-model.c: on its way to `group`, or to be a spare. */
void world_boot(struct world *world, size_t server, size_t group);
bool world_takes_users(const struct world *world, size_t server);

#endif

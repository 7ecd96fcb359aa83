/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is learned for decisions: how long servers take to start and to be left, how many users come, when a rule did something last, and the
 * history of nodes; in memory, and what must last in the store. All within control_enter or control_lock. */
#ifndef CONTROL_LEARNED_H
#define CONTROL_LEARNED_H

#include "control/control.h"
#include "control/trend.h"

#define LEARNED_IMAGES_MOST (2 * IMAGE_SPEC_MOST + 1)
#define START_SECONDS_DEFAULT 60.0 /* while nothing is known */

struct learned_group {
	char name[GROUP_NAME_MOST + 1];
	struct trend users, load;
	int64_t returned;          /* when one of its servers came back last; stored */
	double release;            /* seconds that users take to leave, mean; NAN: unknown; stored */
	bool denies;               /* new users are denied for want of servers; stored */
	struct standing standing;
};

struct learned_start {
	char images[LEARNED_IMAGES_MOST + 1]; /* "OS APP" */
	double seconds;
};

struct learned_cooling {
	char rule[RULE_NAME_MOST + 1], node[NODE_ID_SIZE + 1], group[GROUP_NAME_MOST + 1];
	int64_t until;
};

struct learned {
	struct learned_group *groups;  /* owned, ordered by name */
	struct learned_start *starts;  /* owned */
	struct learned_cooling *cooling; /* owned */
	size_t group_count, start_count, cooling_count;
};

/* Reads what the store has, of nodes into the fleet. 0 or -errno; logs the cause. */
int learned_load(struct control *control, struct learned *ret_learned);
void learned_release(struct learned *learned);

/* Of a group; makes it. NULL when out of memory. Borrowed until the next call. */
struct learned_group *learned_group(struct learned *learned, const char *name);
/* Forgets groups that are gone. */
void learned_tidy(struct control *control, struct learned *learned, int64_t now);
int learned_put_group(struct control *control, const struct learned_group *group);
/* A node's history, within or without a transaction. 0, -ENOMEM or -EIO. */
int learned_put_node(struct control *control, const struct node *node);

/* How long a server of the group takes until it serves, in seconds; and one that boots these images. */
double learned_start_time(const struct learned *learned, const struct group *group);
double learned_start_of(const struct learned *learned, const char *os, const char *app);
/* A restart has ended well: its steps tell how long things take. Within its transaction. 0 or -errno. */
int learned_note_restart(struct control *control, struct learned *learned, const struct restart_record *record, int64_t now);

/* A rule did something to the node or the group ("" for neither). 0 or -errno. */
int learned_cool(struct control *control, struct learned *learned, const char *rule, const char *node, const char *group, int64_t until);

#endif

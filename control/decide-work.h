/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of decide() share: a round's picture of the fleet, as its decisions change it. */
#ifndef CONTROL_DECIDE_WORK_H
#define CONTROL_DECIDE_WORK_H

#include <assert.h>

#include "control/decide.h"

/* A group isn't made smaller when those who stay would come this near to its limit: else it would grow again at once. */
#define FULL_ENOUGH 0.8

/* Of a group, or of those without one. */
struct tally {
	size_t members;
	size_t ready;            /* serve, and nothing was decided about them */
	size_t coming;           /* will */
	size_t leaving;          /* on their way for a plan's sake */
	size_t known_users, known_load, known_response;
	size_t strange;          /* ready, and nobody knows how many users */
	double users, load, response;
	double pressure;         /* how far it is above its limits; 1 is at them */
	unsigned cuts;
	bool grows, shrinks;
	bool tight;              /* can't do without one but for a group that needs it more: it won't in this round */
	size_t first, end;       /* its nodes in work.members; */
	bool sorted;             /* who leaves most easily first, from then on */
};

struct spare {
	bool off, gone;
	unsigned uses;
	size_t node;
};

struct aged {
	double age;
	uint64_t rules;          /* those whose conditions about the node itself hold: they don't change in a round; a bit each */
	size_t node;
};
static_assert(RULES_MOST <= 64, "a bit each");

/* Which nodes have the same name of a rack or site: the first of them stands for it. */
struct places {
	bool racks;              /* else sites */
	size_t *of;              /* by node: who stands for its place; DECIDE_NOBODY for none */
	size_t *value;           /* by who stands for it: what its user counts */
	size_t *heads, slots;    /* hash table of them, plus one */
};

struct work {
	const struct snapshot *seen;
	struct tally *tallies;   /* by group, and one more: those without */
	struct tally fleet;
	bool *decided;           /* by node */
	struct aged *oldest;     /* who could be the matter of a rule, the oldest first: where not all may go, they go first */
	size_t oldest_count;
	size_t *members;         /* all nodes, by group */
	size_t *order;           /* the groups, as they are asked */
	struct spare *spares;    /* free ones at first, least used first */
	size_t spare_count, spare_room, spare_first;
	bool spares_sorted;
	struct places sites;     /* of free spares; the first of the site that may be free still */
	size_t *spare_at;        /* by node: where it is among them, of a free spare */
	bool any_warm;
	struct places racks;     /* of all nodes, where a group asks; how many are on their way */
	bool by_rack;
	size_t *donors;          /* groups that may be able to do without a server, even for one that needs it more */
	size_t donor_count;
	const struct cooling **cooling; /* what cools still, in order */
	size_t cooling_count;
	unsigned top_taker;      /* the highest priority of a group that took a spare */
	bool taken;
	bool returning;          /* a spare is on its way back, or is held by a restart under way */
	struct decisions *out;
	size_t room;
};

/* decide.c */
bool decide_is_ready(const struct seen_node *node);
bool decide_is_free_spare(const struct seen_node *node);
struct tally *decide_tally(const struct work *w, size_t group);
/* Those values and texts that a rule looks at; all with rule NULL. */
void decide_measure_for(const struct work *w, const struct rule *rule, size_t node, size_t group, struct facts *ret_facts);
/* The rules of those before it whose conditions about the node itself hold; a bit each. */
uint64_t decide_node_rules(const struct snapshot *seen, size_t node);
/* One more, with the rule's conditions as its reason. NULL when out of memory. */
struct decision *decide_on(struct work *w, enum verdict verdict, size_t rule, size_t node, size_t group, const struct facts *facts);
void decide_add_reason(struct decision *decision, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* decide-picture.c: 0 or -ENOMEM; either way the caller ends it. */
int decide_begin(struct work *w, const struct snapshot *seen);
void decide_end(struct work *w);
/* A server leaves those that serve. */
void decide_leaves(struct work *w, const struct seen_node *node, bool returns);
bool decide_cools(const struct work *w, size_t rule, size_t node, size_t group);
/* Users of all its servers, as trend and expectations have it `seconds` from now. */
double decide_users_in(const struct work *w, size_t group, double seconds);
/* It is over before another server could serve for as long as its start takes, as a hint has it. */
bool decide_peak_passes(const struct work *w, size_t group);
/* Who stands for its place from now on; DECIDE_NOBODY when it has no name. */
size_t decide_places_add(struct places *places, const struct snapshot *seen, size_t node);
size_t decide_places_find(const struct places *places, const struct snapshot *seen, const char *name);

/* decide-choice.c: who comes, who goes. */
/* The best free spare for a group, of `site` unless the group says another; it is nobody else's from now on. DECIDE_NOBODY. */
size_t decide_take_spare(struct work *w, size_t group, const char *site);
void decide_forget_spare(struct work *w, size_t node);
bool decide_fits(const struct work *w, size_t node, size_t group);
/* Whether a group can do without one of its servers, whose users go to the others; `pressed`: for one that needs it more. */
bool decide_can_spare_one(const struct work *w, size_t group, bool pressed);
/* Who leaves `group` most easily for `taker` (or DECIDE_NOBODY: to be a spare), and the next best. */
size_t decide_find_leaver(struct work *w, size_t group, size_t taker, size_t *ret_second);
/* The same among all other groups that can do without one. */
size_t decide_find_donor(struct work *w, size_t taker, bool pressed, size_t *ret_second);
const char *decide_node_name(const struct seen_node *node);
/* "s4: 30 users, 40 s to release" */
void decide_describe_leaver(const struct seen_node *node, char ret_text[128]);

/* decide-nodes.c, decide-groups.c: a rule's conditions hold. 0 or -ENOMEM. */
int decide_node(struct work *w, size_t rule, size_t node, const struct facts *facts);
int decide_group(struct work *w, size_t rule, size_t group, const struct facts *facts);

#endif

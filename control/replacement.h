/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A failed server that a spare stands in for: first its power is off, verified; then the spare joins its group. Kept in the store, so that it
 * goes on after the control unit's own restart. All within control_lock. */
#ifndef CONTROL_REPLACEMENT_H
#define CONTROL_REPLACEMENT_H

#include "control/control.h"

struct replacement {
	char node[NODE_ID_SIZE + 1], spare[NODE_ID_SIZE + 1], group[GROUP_NAME_MOST + 1];
	char rule[RULE_NAME_MOST + 1];
	uint64_t row;             /* of the journal */
	uint64_t job;             /* of the power control; 0 for none */
	unsigned tries;
	int64_t acted;            /* dispatch_clock() when the power was used last; 0: not yet */
};

struct replacements {
	struct replacement *items; /* owned */
	size_t count;
};

/* Reads what was under way. 0 or -errno. */
int replacements_load(struct control *control, struct replacements *ret_replacements);
void replacements_release(struct replacements *replacements);

/* Begins one: the failed server gets nobody from now on. Within the caller's transaction; on failure nothing is added. 0 or -errno. */
int replacement_begin(struct control *control, struct replacements *replacements, const struct replacement *begun);
/* Whether one is under way for a failed server, or counts on a spare; NULL without. Borrowed. */
const struct replacement *replacement_of(const struct replacements *replacements, const char *node);
const struct replacement *replacement_by(const struct replacements *replacements, const char *spare);
/* Goes on with all. True while one waits for something. */
bool replacements_look(struct control *control, struct replacements *replacements);

#endif

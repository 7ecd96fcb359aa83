/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How one decision of a rule is carried out and written down. Only for control/decider.c. Within control_lock. */
#ifndef CONTROL_DECIDER_DEEDS_H
#define CONTROL_DECIDER_DEEDS_H

#include "control/decider.h"
#include "control/journal.h"

/* What a round decided from. */
struct decider_view {
	struct control *control;
	struct learned *learned;
	struct replacements *replacements;
	const struct snapshot *seen;
	uint64_t round;             /* row of it; 0: not kept */
	int64_t now;
};

/* Whether the nodes are still as they were seen, so that the decision holds. */
bool decider_still_holds(const struct decider_view *view, const struct decision *decision);
/* Does it, and notes it, or that it failed. 0 with the row; -EIO, -ENOMEM with nothing done. `ret_failed`: it couldn't be done. */
int decider_do(const struct decider_view *view, const struct decision *decision, uint64_t *ret_row, bool *ret_failed);
/* Notes one that isn't done. 0 or -EIO. */
int decider_note(const struct decider_view *view, const struct decision *decision, enum journal_state state, uint64_t restart, const char *why,
		 uint64_t *ret_row);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/journal.h"

#include <time.h>

#include "control/message-desk.h"

/* What people call what became of it at once. */
static const char *verdict_of(const struct journal_entry *entry)
{
	switch (entry->state) {
	case JOURNAL_ADVISED:
	case JOURNAL_DENIED:
	case JOURNAL_LATER:
	case JOURNAL_FAILED:
		return journal_state_name(entry->state);
	case JOURNAL_GRANTED:
	case JOURNAL_DONE:
	case JOURNAL_CANCELLED:
		break;
	}
	return entry->verdict;
}

int journal_add(struct control *control, const struct journal_entry *entry, uint64_t *ret_id)
{
	struct message_facts facts = { .time = entry->time, .action = entry->action, .verdict = verdict_of(entry), .origin = entry->origin,
				       .rule = entry->rule, .node = entry->node, .group = entry->group, .reason = entry->reason };
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_add_decision(control->store, entry, ret_id);
	facts.decision = *ret_id;
	if (!r)
		r = messages_note(control, &facts);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

int journal_follow(struct control *control, uint64_t id, enum journal_state state, uint64_t restart)
{
	return store_follow_decision(control->store, id, state, restart, state != JOURNAL_GRANTED, time(NULL));
}

int journal_restart_ended(struct control *control, const struct restart_record *record)
{
	enum journal_state state = record->restart.step == RESTART_DONE ? JOURNAL_DONE :
				   record->restart.step == RESTART_CANCELLED ? JOURNAL_CANCELLED : JOURNAL_FAILED;
	unsigned count;

	return store_end_decisions(control->store, record->id, state, time(NULL), &count);
}

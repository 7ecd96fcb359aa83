/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The journal of decisions: those of rules and those of people. All within control_enter or control_lock. */
#ifndef CONTROL_JOURNAL_H
#define CONTROL_JOURNAL_H

#include "control/control.h"
#include "control/restart-record.h"
#include "control/store-journal.h"

/* Notes a decision, with the messages that tell of it (control/message-desk.h), within or without a transaction. 0, -ENOMEM or -EIO. */
int journal_add(struct control *control, const struct journal_entry *entry, uint64_t *ret_id);
/* What came of one that no restart carries out, or (`restart`) which one does from now on. 0 or -EIO. */
int journal_follow(struct control *control, uint64_t id, enum journal_state state, uint64_t restart);
/* A restart has ended: so have the decisions that it carried out. Within its transaction. 0 or -EIO. */
int journal_restart_ended(struct control *control, const struct restart_record *record);

#endif

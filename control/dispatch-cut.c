// SPDX-License-Identifier: GPL-2.0-or-later
/* What an alarm orders. */
#include "control/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/dispatch-deeds.h"

/* One that is under way becomes the cut: what it was for comes about by it, but that a released node doesn't become a spare. What runs now
 * is what is to end, a system too that the restart has just started. */
static int convert(struct control *control, struct node *node, const struct restart_wish *wish, char ret_error[ERROR_TEXT])
{
	struct restart_record *record = node->restart;
	const struct restart_record was = *record;
	int64_t clock = dispatch_clock();
	struct restart after = record->restart;
	int r;

	if (after.kind == RESTART_CUT && after.step <= RESTART_AT_SHUTDOWN) {
		refused(ret_error, "it is being cut off already");
		return -EEXIST;
	}
	after.kind = RESTART_CUT;
	after.urgency = URGENCY_EVICT;
	after.limits.evidence = wish->limits.evidence;
	after.step = RESTART_AT_DRAIN;
	after.since = clock;
	after.acted = after.noticed = after.asked = after.failing = 0;
	after.tries = 0;
	snprintf(record->by, sizeof record->by, "%s", wish->by);
	snprintf(record->reason, sizeof record->reason, "%s", wish->reason);
	strcpy(record->nonce, node->booted_once ? node->boot.nonce : "");
	strcpy(record->boot_id, node->live ? node->channel.boot_id : "");
	record->asked = record->refused = record->expired = false;
	record->asks[0] = 0;
	record->order = record->ended_order = 0;
	record->job = 0;
	record->power = POWER_SEEN_ABSENT;
	r = dispatch_advance(control, record, &after, 0, clock);
	if (r < 0) {
		memcpy(record->by, was.by, sizeof was.by);
		memcpy(record->reason, was.reason, sizeof was.reason);
		memcpy(record->nonce, was.nonce, sizeof was.nonce);
		memcpy(record->boot_id, was.boot_id, sizeof was.boot_id);
		record->order = was.order;
	}
	return r;
}

int dispatch_cut(struct control *control, struct node *node, const struct restart_wish *wish, const struct restart_record **ret_record,
		 char ret_error[ERROR_TEXT])
{
	int r;

	if (!node->restart)
		return dispatch_begin(control, node->id, wish, ret_record, ret_error);
	r = convert(control, node, wish, ret_error);
	*ret_record = node->restart;
	dispatch_wake(control);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/deeds.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/alarm.h"
#include "control/balancer.h"
#include "control/lifecycle.h"
#include "control/peers.h"
#include "control/place.h"

int deeds_begin(struct deeds *deeds, struct control *control)
{
	*deeds = (struct deeds){ .control = control, .restarts = dispatch_count(control) };
	return store_begin(control->store);
}

int deeds_end(struct deeds *deeds, int failed)
{
	int r = failed;

	if (!r)
		r = store_commit(deeds->control->store);
	else
		store_rollback(deeds->control->store);
	dispatch_end_saved(&deeds->saved, r < 0);
	if (r < 0)
		dispatch_forget_added(deeds->control, deeds->restarts);
	return r;
}

int deed_restart(struct deeds *deeds, struct node *node, enum restart_kind kind, const char *to, const struct deed_order *order,
		 uint64_t *ret_restart, char ret_error[ERROR_TEXT])
{
	struct restart_wish wish = { .kind = kind, .urgency = order->urgency, .limits = restart_limits_default, .to = to, .forced = order->forced,
				     .by = order->by };
	const struct restart_record *record;
	char reason[REASON_MOST + 1];
	int r;

	text_copy_printable(order->reason, REASON_MOST, reason);
	wish.reason = reason;
	if (order->grace >= 0)
		wish.limits.grace = (int64_t)(order->grace * 1000);
	wish.limits.grace_given = order->urgency == URGENCY_NOTIFY;
	r = dispatch_save_node(&deeds->saved, node);
	if (!r)
		r = dispatch_begin(deeds->control, node->id, &wish, &record, ret_error);
	if (!r)
		*ret_restart = record->id;
	return r;
}

int deed_join(struct deeds *deeds, struct node *spare, const char *name, const struct deed_order *order, uint64_t *ret_restart,
	      char ret_error[ERROR_TEXT])
{
	const struct group *group = group_list_find(fleet_groups(deeds->control->fleet), name);
	struct deed_order start = { .by = order->by, .reason = order->reason, .urgency = URGENCY_EVICT, .grace = -1 };
	bool is_new = group && peers_fits(deeds->control, spare, group) && strcmp(spare->history.used, spare->boot.nonce);
	int r = dispatch_save_node(&deeds->saved, spare);

	*ret_restart = 0;
	if (!r)
		r = place_node(deeds->control, spare->id, name, time(NULL), ret_error);
	if (!r)
		r = balancer_want(deeds->control, spare->id, BALANCER_READY);
	return r < 0 || is_new ? r : deed_restart(deeds, spare, RESTART_REBOOT, NULL, &start, ret_restart, ret_error);
}

int deed_quarantine(struct deeds *deeds, struct node *node, const struct deed_order *order, char ret_error[ERROR_TEXT])
{
	int r = dispatch_save_node(&deeds->saved, node);

	if (!r)
		r = lifecycle_move(deeds->control, node, LIFE_QUARANTINE, time(NULL), "quarantined by %s: %.100s", order->by, order->reason);
	if (r == -EINVAL)
		snprintf(ret_error, ERROR_TEXT, "it is %s", life_name(node->life.state));
	if (!r)
		r = alarm_settle(deeds->control, node);
	/* Its life says that it has nobody; this wakes the balancer. */
	return r < 0 ? r : balancer_want(deeds->control, node->id, node->balancer_want);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/dispatch-deeds.h"

#include <errno.h>
#include <string.h>

#include "control/balancer.h"
#include "control/lifecycle.h"
#include "control/monitor.h"
#include "control/orders.h"
#include "control/peers.h"
#include "control/power.h"

#define POWER_KNOWN_MILLISECONDS 2000 /* whether there is power control at all */

/* ------------------------------------------------------------------ others */

static enum spare_seen see_spare(struct control *control, const struct restart_record *record, const struct node *node, bool has_spare)
{
	const struct node *spare = record->spare[0] ? fleet_get(control->fleet, record->spare) : NULL;

	/* Instead of one that failed another one is taken. */
	if (!spare || strcmp(spare->group, node->group) || spare->life.state == LIFE_FAILED)
		return has_spare && !record->no_spare ? SPARE_FREE : SPARE_NONE;
	return peers_ready(control, spare) ? SPARE_SERVING : SPARE_COMING;
}

static void see_others(struct control *control, const struct restart_record *record, const struct node *node, bool fresh, int64_t now,
		       struct restart_view *view)
{
	struct group *group = group_list_find(fleet_groups(control->fleet), node->group);
	const struct group_peers *peers;

	/* Who has no users needs nobody in his place. */
	if (!group || !(view->has_service || group->minimum) || !peers_takes_users(control, node)) {
		view->alternatives = RESTART_ENOUGH;
		return;
	}
	peers = peers_count(control, group, fresh, now);
	view->alternatives = peers->ready - (peers->ready && peers_ready(control, node) ? 1u : 0u);
	view->minimum = group->minimum;
	/* Whatever began it: what a campaign promises holds for who goes on its way meanwhile. */
	if (record->restart.kind == RESTART_REIMAGE && group->serving_least > view->minimum)
		view->minimum = group->serving_least;
	view->others_return = peers->returning;
	view->unsettled = peers->unsettled;
	view->spare = see_spare(control, record, node, peers->has_spare);
}

/* ------------------------------------------------------------------ its users */

/* Nobody is left who could tell how many log-ins there are: it failed, or is in a state that silence doesn't move to failed. So long a
 * silence isn't the network's, as far as the monitor supposes. */
static bool is_gone(const struct control *control, const struct node *node)
{
	if (!node->live || node->life.state == LIFE_FAILED)
		return true;
	if (node->life.state == LIFE_SERVING || node->life.state == LIFE_DRAINING || node->life.state == LIFE_BOOTING ||
	    node->life.state == LIFE_SUSPECT)
		return false;
	/* It was told to stop, or was a spare that is off. */
	if (node->life.state == LIFE_REBOOTING)
		return !peers_heard(control, node);
	return lifecycle_silence(control, node) >= LOST_INTERVALS &&
	       control->round_ms - node->live->heard_round_ms >= MONITOR_MASS_SECONDS * INT64_C(1000);
}

static void see_users(const struct control *control, const struct node *node, const struct balancer_view *balancer,
		      struct restart_view *view)
{
	view->users = balancer->known ? balancer->sessions : 0;
	if (peers_returning(control, node) || view->balancer_gone)
		return;
	if (is_gone(control, node)) {
		view->users_known = true;
		return;
	}
	view->users_known = peers_heard(control, node);
	view->users += node->live->figures.users;
	if (!balancer->known && node->live->figures.has_application)
		view->users += node->live->figures.peers;
}

/* ------------------------------------------------------------------ its boot */

/* It asks, and can't be answered; its try failed; or it asks again, and hasn't started between. */
static bool is_failing(struct restart_record *record, const struct node *node, bool is_new)
{
	bool again = is_new && record->asks[0] && strcmp(node->boot.nonce, record->asks);

	if (is_new && (!record->asks[0] || node->boot.event == BOOT_KEXEC || node->boot.event == BOOT_RESET))
		strcpy(record->asks, node->boot.nonce);
	return (node->waiting && (record->asked || is_new)) || again || (is_new && node->boot.event == BOOT_FAILED);
}

static void see_boot(const struct control *control, struct restart_record *record, const struct node *node, struct restart_view *view)
{
	bool is_new = node->booted_once && strcmp(node->boot.nonce, record->nonce) != 0;
	enum agent_health health = node->live ? node->live->figures.health : AGENT_HEALTH_UNKNOWN;

	view->asked = record->asked || is_new;
	view->started = is_new && (node->boot.event == BOOT_KEXEC || node->boot.event == BOOT_RESET);
	view->failing = is_failing(record, node, is_new);
	if (node->live && strcmp(node->channel.boot_id, record->boot_id))
		view->healthy = peers_heard(control, node) && (health == AGENT_HEALTHY || health == AGENT_HEALTH_NONE);
	else if (!node->identity.agent_key[0])
		view->healthy = view->started; /* a system without an agent says no more */
}

/* ------------------------------------------------------------------ its shutdown */

static bool is_outstanding(const struct node *node, uint64_t number)
{
	for (const struct order *order = node->orders; order; order = order->next)
		if (order->number == number)
			return true;
	return false;
}

/* What became of the order to its agent. The store is asked once: what ended stays so. */
static void see_order(struct control *control, struct restart_record *record, const struct node *node, struct restart_view *view)
{
	char text[ERROR_TEXT];
	enum order_state state;

	bool waits = record->restart.step == RESTART_AT_SHUTDOWN && record->restart.acted;

	if (record->restart.kind == RESTART_CUT)
		waits = record->restart.step == RESTART_AT_EVIDENCE || (record->restart.step == RESTART_AT_SHUTDOWN && record->restart.noticed);
	view->evidence_over = !record->order;
	if (!record->order || !waits)
		return;
	if (record->ended_order != record->order) {
		if (is_outstanding(node, record->order) || orders_state(control, record->node, record->order, &state, text) < 0)
			return;
		record->ended_order = record->order;
		record->refused = state == ORDER_FAILED || state == ORDER_REFUSED;
		record->expired = state == ORDER_EXPIRED;
	}
	view->evidence_over = true;
	view->refused = record->refused;
	view->expired = record->expired;
}

static enum power_seen see_power(struct control *control, struct restart_record *record, int64_t now)
{
	struct power_job job = { 0 };
	int r;

	if (!record->power_known || now - record->power_known >= POWER_KNOWN_MILLISECONDS) {
		record->power_known = now;
		record->has_power = power_has(control->power, record->node);
	}
	if (!record->has_power)
		return POWER_SEEN_ABSENT;
	if (record->job) {
		r = power_result(control->power, record->job, &job);
		if (r == -EAGAIN)
			return POWER_SEEN_BUSY;
		record->job = 0;
		record->power = r || job.failed ? POWER_SEEN_UNKNOWN : job.state == POWER_STATE_OFF ? POWER_SEEN_OFF :
				job.state == POWER_STATE_ON ? POWER_SEEN_ON : POWER_SEEN_UNKNOWN;
	}
	return record->power ? record->power : POWER_SEEN_UNKNOWN;
}

/* ------------------------------------------------------------------ all of it */

static void see_balancer(struct control *control, const struct restart_record *record, const struct node *node,
			 const struct balancer_view *balancer, struct restart_view *view)
{
	const struct group *group = group_of(control->fleet, node);

	view->has_service = peers_balanced(control, node);
	view->balancer_gone = view->has_service && !balancer->complete;
	/* What runs since isn't what the group's users want: nobody waits for the balancer. */
	if (record->restart.step >= RESTART_AT_READY && group && !group_runs(group, node->boot.os_target, node->boot.app_target))
		view->has_service = false;
	/* What was set aside stays so, and gets nobody. */
	if (record->restart.step >= RESTART_AT_READY && (node->life.state == LIFE_QUARANTINED || node->life.state == LIFE_MAINTENANCE))
		view->has_service = false;
	view->drained = !view->balancer_gone && (!balancer->known || balancer->state != BALANCER_READY);
	view->balancing = balancer->known && balancer->up && balancer->state == BALANCER_READY;
}

void dispatch_observe(struct control *control, struct restart_record *record, bool fresh, int64_t now, struct restart_view *ret_view)
{
	const struct node *node = fleet_get(control->fleet, record->node);
	struct balancer_view balancer;

	*ret_view = (struct restart_view){ .now = now, .power = POWER_SEEN_UNKNOWN };
	if (!node || balancer_look(control, node->id, &balancer) < 0)
		return;
	see_balancer(control, record, node, &balancer, ret_view);
	if (record->restart.step == RESTART_AT_REPLACE)
		see_others(control, record, node, fresh, now, ret_view);
	ret_view->reporting = peers_heard(control, node) && (!record->boot_id[0] || !strcmp(node->channel.boot_id, record->boot_id));
	ret_view->returning = peers_returning(control, node);
	see_users(control, node, &balancer, ret_view);
	see_boot(control, record, node, ret_view);
	see_order(control, record, node, ret_view);
	if (record->restart.step >= RESTART_AT_SHUTDOWN || record->restart.kind == RESTART_CUT)
		ret_view->power = see_power(control, record, now);
}

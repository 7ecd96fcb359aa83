// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/dispatch-deeds.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/balancer.h"
#include "control/lifecycle.h"
#include "control/orders.h"
#include "control/place.h"
#include "control/power.h"

#define POWER_LOOK_MILLISECONDS 2000  /* between two questions to a BMC */
#define BOOT_FAILED_SECONDS 120       /* stage 1 tries again by itself: a failure that lasts so long is one */
#define NOTICE_SECONDS 300            /* an order that comes later than that says nothing any more */
#define STOP_SECONDS 60

/* ------------------------------------------------------------------ what is seen */

/* Its agent was heard within two intervals. */
static bool is_heard(const struct control *control, const struct node *node)
{
	return node->live && control->round_ms - node->live->heard_round_ms <= 2000 * (int64_t)node->live->interval + 1000;
}

/* A group's node that takes new users, and isn't on its way out. */
static bool is_alternative(struct control *control, const struct node *other, const struct node *node)
{
	struct balancer_view view;

	if (other == node || strcmp(other->group, node->group) || dispatch_of(control, other->id))
		return false;
	if (other->life.state != LIFE_SERVING)
		return false;
	return balancer_look(control, other->id, &view) == 0 && view.known && view.up && view.state == BALANCER_READY;
}

static unsigned count_alternatives(struct control *control, const struct node *node)
{
	unsigned count = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		count += is_alternative(control, fleet_node(control->fleet, i), node) ? 1u : 0u;
	return count;
}

/* The spare to take: one that runs what is needed before one that must be restarted first. NULL without. */
static const struct node *choose_spare(const struct control *control, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);
	const struct node *chosen = NULL;

	for (size_t i = 0; group && i < fleet_count(control->fleet); i++) {
		const struct node *spare = fleet_node(control->fleet, i);

		if (!spare->spare || spare->life.state == LIFE_FAILED || spare->life.state == LIFE_QUARANTINED ||
		    spare->life.state == LIFE_MAINTENANCE || dispatch_of(control, spare->id))
			continue;
		if (is_heard(control, spare) && group_runs(group, spare->boot.os_target, spare->boot.app_target))
			return spare;
		if (!chosen)
			chosen = spare;
	}
	return chosen;
}

static enum spare_seen see_spare(struct control *control, const struct restart_record *record, const struct node *node)
{
	const struct node *spare = record->spare[0] ? fleet_get(control->fleet, record->spare) : NULL;
	struct balancer_view view;

	if (!record->spare[0])
		return choose_spare(control, node) ? SPARE_FREE : SPARE_NONE;
	if (!spare || strcmp(spare->group, node->group) || spare->life.state == LIFE_FAILED)
		return SPARE_NONE;
	if (balancer_look(control, spare->id, &view) == 0 && view.known && view.up && view.state == BALANCER_READY)
		return SPARE_SERVING;
	return SPARE_COMING;
}

/* What the balancer and the agent count. */
static bool is_returning(const struct control *control, const struct node *node)
{
	return !node->live && node->identity.agent_key[0] && control->round_ms < RETURN_SECONDS * 1000;
}

static void see_users(const struct control *control, const struct node *node, const struct balancer_view *balancer,
		      struct restart_view *view)
{
	if (is_returning(control, node))
		return;
	if (!node->live || node->life.state == LIFE_FAILED) {
		/* Nobody is left who could tell. */
		view->users_known = true;
		view->users = balancer->known ? balancer->sessions : 0;
		return;
	}
	view->users_known = is_heard(control, node) && (!balancer->known || balancer->seconds <= 5);
	view->users = node->live->figures.users;
	if (balancer->known)
		view->users += balancer->sessions;
	else if (node->live->figures.has_application)
		view->users += node->live->figures.peers;
}

static void see_boot(const struct control *control, const struct restart_record *record, const struct node *node, int64_t now,
		     struct restart_view *view)
{
	bool is_new = node->booted_once && strcmp(node->boot.nonce, record->nonce) != 0;
	enum agent_health health = node->live ? node->live->figures.health : AGENT_HEALTH_UNKNOWN;

	view->asked = record->asked || is_new;
	view->started = is_new && (node->boot.event == BOOT_KEXEC || node->boot.event == BOOT_RESET);
	view->boot_failed = is_new && node->boot.event == BOOT_FAILED && now / 1000 - node->boot.updated > BOOT_FAILED_SECONDS;
	if (node->live && strcmp(node->channel.boot_id, record->boot_id))
		view->healthy = is_heard(control, node) && (health == AGENT_HEALTHY || health == AGENT_HEALTH_NONE);
	else if (!node->identity.agent_key[0])
		view->healthy = view->started; /* a system without an agent says no more */
}

static bool was_refused(struct control *control, const struct restart_record *record)
{
	char text[ERROR_TEXT];
	enum order_state state;

	if (!record->order || record->restart.step != RESTART_AT_SHUTDOWN || !record->restart.acted ||
	    orders_state(control, record->node, record->order, &state, text) < 0)
		return false;
	return state == ORDER_FAILED || state == ORDER_REFUSED || state == ORDER_EXPIRED;
}

static enum power_seen see_power(struct control *control, struct restart_record *record)
{
	struct power_job job = { 0 };
	int r;

	if (!power_has(control->power, record->node))
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

void dispatch_observe(struct control *control, struct restart_record *record, int64_t now, struct restart_view *ret_view)
{
	const struct node *node = fleet_get(control->fleet, record->node);
	const struct group *group = node ? group_of(control->fleet, node) : NULL;
	struct balancer_view balancer = { 0 };

	*ret_view = (struct restart_view){ .now = now };
	if (!node) {
		ret_view->power = POWER_SEEN_ABSENT;
		return;
	}
	if (balancer_look(control, node->id, &balancer) < 0)
		balancer = (struct balancer_view){ 0 };
	ret_view->has_service = group && group->service.offered && json_array_size(balancer_settings(control->balancer)->sockets) > 0;
	/* What runs since isn't what the group's users want: nobody waits for the balancer. */
	if (record->restart.step >= RESTART_AT_READY && group && !group_runs(group, node->boot.os_target, node->boot.app_target))
		ret_view->has_service = false;
	/* What was set aside stays so, and gets nobody. */
	if (record->restart.step >= RESTART_AT_READY && (node->life.state == LIFE_QUARANTINED || node->life.state == LIFE_MAINTENANCE))
		ret_view->has_service = false;
	if (record->restart.step == RESTART_AT_REPLACE && ret_view->has_service) {
		/* Who has no users needs nobody in his place. */
		ret_view->alternatives = balancer.known && balancer.up && balancer.state == BALANCER_READY ?
						 count_alternatives(control, node) : 1;
		ret_view->spare = see_spare(control, record, node);
	}
	ret_view->drained = !balancer.known || balancer.state != BALANCER_READY;
	ret_view->balancing = balancer.known && balancer.up && balancer.state == BALANCER_READY;
	ret_view->reporting = is_heard(control, node) && (!record->boot_id[0] || !strcmp(node->channel.boot_id, record->boot_id));
	ret_view->returning = is_returning(control, node);
	see_users(control, node, &balancer, ret_view);
	see_boot(control, record, node, now, ret_view);
	ret_view->refused = was_refused(control, record);
	ret_view->power = record->restart.step >= RESTART_AT_SHUTDOWN ? see_power(control, record) : POWER_SEEN_UNKNOWN;
}

/* ------------------------------------------------------------------ what is done */

/* The order that was given just before the control unit ended, and that the record doesn't know yet; 0 without. */
static uint64_t given_before(struct control *control, const struct restart_record *record, const char *action)
{
	const struct node *node = fleet_get(control->fleet, record->node);
	json_t *list = NULL, *order;
	uint64_t number = 0, found = 0;
	size_t i;

	if (!record->taken_up || orders_list(control, node, 0, 8, &list) < 0)
		return 0;
	json_array_foreach(list, i, order)
		if (!json_get_u64(order, "order", &number) && number > record->order && !strcmp(json_get_string(order, "action"), action))
			found = number;
	json_decref(list);
	return found;
}

/* Gives the agent an order, once for each deed. */
static int give(struct control *control, struct restart_record *record, const char *action, json_t *arguments, int64_t seconds,
		int64_t now)
{
	uint64_t number = given_before(control, record, action);
	int r;

	if (number) {
		json_decref(arguments);
		record->order = number;
		return 0;
	}
	r = orders_give(control, record->node, action, arguments, true, now / 1000 + seconds, now / 1000, &number);

	/* Without an agent nobody can be told; what must happen is done by power. */
	if (r == -EAGAIN || r == -ENOENT || r == -EDQUOT)
		return 0;
	if (!r)
		record->order = number;
	return r;
}

static int tell_users(struct control *control, struct restart_record *record, int64_t now)
{
	int64_t left = record->restart.limits.grace - (record->restart.asked ? now - record->restart.asked : 0);
	json_t *text = json_sprintf("This server restarts. Please finish and log out; who is still here in %lld minutes is logged out.%s%s",
				    (long long)(left > 0 ? (left + 59999) / 60000 : 0), record->reason[0] ? " Reason: " : "", record->reason);

	return give(control, record, "notice", json_pack("{so}", "text", text), NOTICE_SECONDS, now);
}

static int throw_out(struct control *control, struct restart_record *record, int64_t now)
{
	int r = balancer_want(control, record->node, BALANCER_MAINT);

	return r < 0 ? r : give(control, record, "logout", NULL, STOP_SECONDS, now);
}

static int drain(struct control *control, struct restart_record *record, struct node *node, int64_t now)
{
	int r = balancer_want(control, record->node, BALANCER_DRAIN);

	if (!r && node->life.state != LIFE_DRAINING)
		r = lifecycle_move(control, node, LIFE_DRAIN, now / 1000, "restart %llu", (unsigned long long)record->id);
	if (r == -EINVAL)
		r = 0; /* it serves nobody anyway */
	return r < 0 ? r : give(control, record, "drain", NULL, NOTICE_SECONDS, now);
}

static int undrain(struct control *control, struct restart_record *record, struct node *node, int64_t now)
{
	int r = balancer_want(control, record->node, BALANCER_READY);

	if (!r && node->life.state == LIFE_DRAINING) {
		r = lifecycle_move(control, node, LIFE_UNDRAIN, now / 1000, "restart %llu is cancelled", (unsigned long long)record->id);
		if (!r)
			r = give(control, record, "undrain", NULL, NOTICE_SECONDS, now);
	}
	return r;
}

static int stop(struct control *control, struct restart_record *record, struct node *node, const char *action, int64_t now)
{
	int r = lifecycle_move(control, node, LIFE_REBOOT, now / 1000, "restart %llu", (unsigned long long)record->id);

	record->order = 0;
	if (r == -EINVAL)
		r = 0;
	return r < 0 ? r : give(control, record, action, NULL, record->restart.limits.stop / 1000 + 1, now);
}

static int use_power(struct control *control, struct restart_record *record, enum power_action action, int64_t now)
{
	char why[ERROR_TEXT] = "";
	int r;

	if (record->job || (action == POWER_STATUS && now - record->power_asked < POWER_LOOK_MILLISECONDS))
		return 0;
	record->power_asked = now;
	r = power_start(control->power, record->node, action, &record->job, why);
	if (r < 0) {
		record->job = 0;
		log_warning("restart %llu: power %s of node %s: %s", (unsigned long long)record->id, power_action_name(action), record->node,
			    why);
	}
	/* The restart's own limits say when it is enough. */
	return 0;
}

static int select_images(struct control *control, struct restart_record *record)
{
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = record->change ? fleet_assign(control->fleet, catalogue_images(control->catalogue), record->node, record->change, &node, why) :
				 0;

	if (r < 0 && r != -EIO && r != -ENOMEM) {
		/* The image is gone since it was ordered: what was assigned before boots. */
		control_event(control, dispatch_clock() / 1000, record->node, SEVERITY_ALARM, "restart", NULL,
			      "restart %llu: the assignment stays as it was: %s", (unsigned long long)record->id, why);
		r = 0;
	}
	return r;
}

static int take_spare(struct control *control, struct restart_record *record, const struct node *node, int64_t now)
{
	const struct group *group = group_of(control->fleet, node);
	const struct node *spare = choose_spare(control, node);
	const struct restart_record *prepares;
	struct restart_wish wish = { .kind = RESTART_REBOOT, .urgency = URGENCY_EVICT, .limits = restart_limits_default, .by = "restart",
				     .reason = "spare for a restart" };
	char why[ERROR_TEXT] = "";
	bool fits;
	int r;

	if (!spare || !group)
		return 0;
	fits = is_heard(control, spare) && group_runs(group, spare->boot.os_target, spare->boot.app_target);
	strcpy(record->spare, spare->id);
	r = place_node(control, spare->id, group->name, now / 1000, why);
	if (!r)
		r = balancer_want(control, record->spare, BALANCER_READY);
	if (!r && !fits)
		r = dispatch_begin(control, record->spare, &wish, &prepares, why);
	if (r < 0 && r != -EIO && r != -ENOMEM) {
		log_warning("spare %s can't be taken: %s", record->spare, why);
		r = 0;
	}
	return r;
}

/* The spare goes back once its users have left. */
static int release_spare(struct control *control, const struct restart_record *record)
{
	struct restart_wish wish = { .kind = RESTART_RELEASE, .urgency = URGENCY_WAIT, .limits = restart_limits_default, .by = "restart",
				     .reason = "the server that it stood in for is back" };
	const struct restart_record *release;
	char why[ERROR_TEXT] = "";
	int r;

	const struct node *spare = fleet_get(control->fleet, record->spare), *node = fleet_get(control->fleet, record->node);

	/* It may have been given something else to do meanwhile. */
	if (!spare || (node && strcmp(spare->group, node->group)))
		return 0;
	r = dispatch_begin(control, record->spare, &wish, &release, why);
	if (r < 0 && r != -EIO && r != -ENOMEM) {
		log_warning("spare %s can't be released: %s", record->spare, why);
		r = 0;
	}
	return r;
}

/* It keeps running, ready for whoever needs it next. */
static int become_spare(struct control *control, struct restart_record *record, struct node *node, int64_t now)
{
	char why[ERROR_TEXT] = "";
	int r = place_node(control, record->node, NULL, now / 1000, why);

	if (!r)
		r = balancer_want(control, record->node, BALANCER_READY);
	if (!r && node->life.state != LIFE_SPARE)
		r = lifecycle_move(control, node, LIFE_RELEASE, now / 1000, "restart %llu", (unsigned long long)record->id);
	if (r == -EINVAL || r == -ENOENT)
		r = 0;
	return r < 0 ? r : give(control, record, "undrain", NULL, NOTICE_SECONDS, now);
}

static int deny(struct control *control, struct restart_record *record, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);
	char why[ERROR_TEXT] = "";
	int r;

	/* Who denied it before lifts it, too. */
	if (!group || group->denied)
		return 0;
	strcpy(record->denied, group->name);
	r = balancer_deny(control, record->denied, true, why);
	return r == -ENOENT ? 0 : r;
}

static int allow(struct control *control, struct restart_record *record)
{
	char why[ERROR_TEXT] = "";
	int r = record->denied[0] ? balancer_deny(control, record->denied, false, why) : 0;

	if (!r || r == -ENOENT)
		record->denied[0] = 0;
	return r == -ENOENT ? 0 : r;
}

/* The restart failed. Should the node come back by itself, its agent's word and the balancer's check let it serve. */
static int give_up(struct control *control, struct restart_record *record, struct node *node, int64_t now)
{
	int r = balancer_want(control, record->node, BALANCER_READY);

	if (!r)
		r = lifecycle_move(control, node, LIFE_BOOT_FAILED, now / 1000, "restart %llu failed", (unsigned long long)record->id);
	if (r == -EINVAL || r == -ENOENT)
		r = 0;
	return r < 0 ? r : give(control, record, "undrain", NULL, NOTICE_SECONDS, now);
}

void dispatch_undo(struct control *control, struct restart_record *record)
{
	allow(control, record);
	release_spare(control, record);
}

int dispatch_do(struct control *control, struct restart_record *record, unsigned deeds, int64_t now)
{
	struct node *node = fleet_get(control->fleet, record->node);
	int r = 0;

	if (!node)
		return 0;
	if (deeds & DO_TAKE_SPARE)
		r = take_spare(control, record, node, now);
	if (!r && deeds & DO_DENY)
		r = deny(control, record, node);
	if (!r && deeds & DO_ALLOW)
		r = allow(control, record);
	if (!r && deeds & DO_DRAIN)
		r = drain(control, record, node, now);
	if (!r && deeds & DO_UNDRAIN)
		r = undrain(control, record, node, now);
	if (!r && deeds & DO_NOTICE)
		r = tell_users(control, record, now);
	if (!r && deeds & DO_EVICT)
		r = throw_out(control, record, now);
	if (!r && deeds & DO_SHUTDOWN)
		r = stop(control, record, node, "shutdown", now);
	if (!r && deeds & DO_REBOOT)
		r = stop(control, record, node, "reboot", now);
	if (!r && deeds & DO_POWER_LOOK)
		r = use_power(control, record, POWER_STATUS, now);
	if (!r && deeds & DO_POWER_OFF)
		r = use_power(control, record, POWER_OFF, now);
	if (!r && deeds & DO_POWER_ON)
		r = use_power(control, record, POWER_ON, now);
	if (!r && deeds & DO_SELECT)
		r = select_images(control, record);
	if (!r && deeds & DO_RELEASE_SPARE)
		r = release_spare(control, record);
	if (!r && deeds & DO_GIVE_UP)
		r = give_up(control, record, node, now);
	if (!r && deeds & DO_BECOME_SPARE)
		r = become_spare(control, record, node, now);
	return r;
}

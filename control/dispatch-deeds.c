// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/dispatch-deeds.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "common/log.h"
#include "control/alarm.h"
#include "control/balancer.h"
#include "control/lifecycle.h"
#include "control/orders.h"
#include "control/peers.h"
#include "control/place.h"
#include "control/power.h"

#define POWER_LOOK_MILLISECONDS 2000  /* between two questions to a BMC */
#define NOTICE_SECONDS 300            /* an order that comes later than that says nothing any more */
#define STOP_SECONDS 60

/* Gives the agent an order. */
static int give(struct control *control, struct restart_record *record, const char *action, json_t *arguments, int64_t seconds)
{
	int64_t now = time(NULL);
	uint64_t number;
	int r = orders_give(control, record->node, action, arguments, true, now + seconds, now, &number);

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

	return give(control, record, "notice", json_pack("{so}", "text", text), NOTICE_SECONDS);
}

static int throw_out(struct control *control, struct restart_record *record)
{
	int r = balancer_want(control, record->node, BALANCER_MAINT);

	return r < 0 ? r : give(control, record, "logout", NULL, STOP_SECONDS);
}

/* Its life, where that can be moved so. */
static int live(struct control *control, const struct restart_record *record, struct node *node, enum life_cause cause, const char *how)
{
	int r = lifecycle_move(control, node, cause, time(NULL), "restart %llu%s", (unsigned long long)record->id, how);

	return r == -EINVAL ? 0 : r;
}

static int drain(struct control *control, struct restart_record *record, struct node *node)
{
	int r = balancer_want(control, record->node, BALANCER_DRAIN);

	if (!r)
		r = live(control, record, node, LIFE_DRAIN, "");
	return r < 0 ? r : give(control, record, "drain", NULL, NOTICE_SECONDS);
}

static int undrain(struct control *control, struct restart_record *record, struct node *node)
{
	/* Its system was told to, and runs on. */
	bool is_cancelled = record->restart.step > RESTART_AT_REPLACE && record->restart.step < RESTART_AT_SHUTDOWN;
	int r = balancer_want(control, record->node, BALANCER_READY);

	if (!r && is_cancelled)
		r = live(control, record, node, LIFE_UNDRAIN, " is cancelled");
	if (!r && is_cancelled)
		r = give(control, record, "undrain", NULL, ORDER_SECONDS_MOST);
	return r;
}

static int stop(struct control *control, struct restart_record *record, struct node *node, const char *action)
{
	int r = live(control, record, node, LIFE_REBOOT, "");

	record->order = 0;
	return r < 0 ? r : give(control, record, action, NULL, record->restart.limits.stop / 1000 + 1);
}

/* Off with it. What it says of the system's last moments is asked of that system, which may refuse, or lie. */
static int cut_off(struct control *control, struct restart_record *record, struct node *node)
{
	int64_t seconds = record->restart.limits.evidence / 1000;
	int r = balancer_want(control, record->node, BALANCER_MAINT);

	record->order = 0;
	if (!r)
		r = live(control, record, node, LIFE_REBOOT, " cuts it off");
	if (!r && seconds)
		r = give(control, record, "evidence", json_pack("{sI sI}", "bytes", (json_int_t)control->decisions.evidence, "seconds", (json_int_t)seconds),
			 seconds);
	return r;
}

static int quarantine(struct control *control, struct restart_record *record, struct node *node)
{
	int r = live(control, record, node, LIFE_QUARANTINE, " couldn't cut it off");

	/* Its life keeps users away from it now, and whoever clears it wants them back. */
	return r < 0 ? r : balancer_want(control, record->node, BALANCER_READY);
}

static void use_power(struct control *control, struct restart_record *record, enum power_action action, int64_t now)
{
	char why[ERROR_TEXT] = "";
	int r;

	if (record->job || (action == POWER_STATUS && now - record->power_asked < POWER_LOOK_MILLISECONDS))
		return;
	record->power_asked = now;
	r = power_start(control->power, record->node, action, &record->job, why);
	/* The restart's own limits say when it is enough. */
	if (r < 0) {
		record->job = 0;
		log_warning("restart %llu: power %s of node %s: %s", (unsigned long long)record->id, power_action_name(action), record->node,
			    why);
	}
}

void dispatch_use_power(struct control *control, struct restart_record *record, unsigned deeds, int64_t now)
{
	if (deeds & DO_POWER_LOOK)
		use_power(control, record, POWER_STATUS, now);
	if (deeds & DO_POWER_OFF)
		use_power(control, record, POWER_OFF, now);
	if (deeds & DO_POWER_ON)
		use_power(control, record, POWER_ON, now);
}

static int select_images(struct control *control, struct restart_record *record)
{
	const struct node *node;
	char why[ERROR_TEXT] = "";
	struct node *now = fleet_get(control->fleet, record->node);
	int r = now ? alarm_settle(control, now) : 0; /* they were about what is gone */

	/* Whatever it said of boots until its power was off was the old system's word. */
	if (record->restart.kind == RESTART_CUT && record->power == POWER_SEEN_OFF && now) {
		record->asked = false;
		record->asks[0] = 0;
		strcpy(record->nonce, now->booted_once ? now->boot.nonce : "");
		strcpy(record->boot_id, now->channel.boot_id);
	}
	if (!r && record->to[0])
		r = place_node(control, record->node, record->to, time(NULL), why);
	else if (!r && record->change)
		r = fleet_assign(control->fleet, catalogue_images(control->catalogue), record->node, record->change, &node, why);

	if (r < 0 && r != -EIO && r != -ENOMEM) {
		/* The image is gone since it was ordered: what was assigned before boots. */
		control_event(control, time(NULL), record->node, SEVERITY_ALARM, "restart", NULL,
			      "restart %llu: the assignment stays as it was: %s", (unsigned long long)record->id, why);
		r = 0;
	}
	return r;
}

/* ------------------------------------------------------------------ spares */

/* Among the spares again, at once: whoever might be there keeps his session until it boots something else. */
static int put_back(struct control *control, struct node *spare, struct dispatch_saved *saved)
{
	char why[ERROR_TEXT] = "";
	int r = dispatch_save_node(saved, spare);

	if (!r)
		r = place_node(control, spare->id, NULL, time(NULL), why);
	return r;
}

/* The spare, if it still is where the restart put it: it may have been given something else to do meanwhile. */
static struct node *own_spare(struct control *control, const struct restart_record *record)
{
	struct node *spare = record->spare[0] ? fleet_get(control->fleet, record->spare) : NULL;
	const struct node *node = fleet_get(control->fleet, record->node);

	return spare && !spare->spare && (!node || !strcmp(spare->group, node->group)) ? spare : NULL;
}

static int take_spare(struct control *control, struct restart_record *record, const struct node *node, struct dispatch_saved *saved)
{
	struct restart_wish wish = { .kind = RESTART_REBOOT, .urgency = URGENCY_EVICT, .limits = restart_limits_default, .by = "restart",
				     .reason = "spare for a restart" };
	const struct group *group = group_of(control->fleet, node);
	struct node *failed = own_spare(control, record), *spare;
	const struct node *chosen = group ? peers_choose_spare(control, group) : NULL;
	const struct restart_record *prepares = NULL;
	char why[ERROR_TEXT] = "";
	bool fits;
	int r;

	if (!chosen)
		return 0;
	spare = fleet_get(control->fleet, chosen->id);
	fits = peers_fits(control, spare, group);
	r = failed ? put_back(control, failed, saved) : 0;
	if (!r)
		r = dispatch_save_node(saved, spare);
	if (!r)
		r = place_node(control, spare->id, group->name, time(NULL), why);
	if (!r)
		r = balancer_want(control, spare->id, BALANCER_READY);
	if (!r && !fits)
		r = dispatch_begin(control, spare->id, &wish, &prepares, why);
	if (r < 0 && r != -EIO && r != -ENOMEM) {
		/* An image that is gone: it goes on without one. */
		log_warning("restart %llu: spare %s can't be taken: %s", (unsigned long long)record->id, spare->id, why[0] ? why : strerror(-r));
		record->no_spare = true;
		return spare->spare ? 0 : put_back(control, spare, saved);
	}
	if (r < 0)
		return r;
	strcpy(record->spare, spare->id);
	record->spare_restart = prepares ? prepares->id : 0;
	return 0;
}

/* The spare goes back once its users have left; one that isn't ready yet has none. */
static int release_spare(struct control *control, struct restart_record *record, struct dispatch_saved *saved)
{
	struct restart_wish wish = { .kind = RESTART_RELEASE, .urgency = URGENCY_WAIT, .limits = restart_limits_default, .by = "restart",
				     .reason = "the server that it stood in for is back" };
	struct node *spare = own_spare(control, record);
	const struct restart_record *release;
	char why[ERROR_TEXT] = "";

	if (!spare)
		return 0;
	return spare->restart ? put_back(control, spare, saved) : dispatch_begin(control, spare->id, &wish, &release, why);
}

/* It keeps running, ready for whoever needs it next. */
static int become_spare(struct control *control, struct restart_record *record, struct node *node)
{
	char why[ERROR_TEXT] = "";
	int r = place_node(control, record->node, NULL, time(NULL), why);

	if (!r)
		r = balancer_want(control, record->node, BALANCER_READY);
	if (!r)
		r = live(control, record, node, LIFE_RELEASE, "");
	return r < 0 ? r : give(control, record, "undrain", NULL, ORDER_SECONDS_MOST);
}

/* ------------------------------------------------------------------ its group */

static int deny(struct control *control, struct restart_record *record, const struct node *node, struct dispatch_saved *saved)
{
	struct group *group = group_list_find(fleet_groups(control->fleet), node->group);
	char why[ERROR_TEXT] = "";

	/* Who denied it before lifts it, too. */
	if (!group || group->denied)
		return 0;
	dispatch_save_group(saved, group);
	strcpy(record->denied, group->name);
	return balancer_deny(control, record->denied, true, why);
}

static int allow(struct control *control, struct restart_record *record, struct dispatch_saved *saved)
{
	struct group *group = record->denied[0] ? group_list_find(fleet_groups(control->fleet), record->denied) : NULL;
	char why[ERROR_TEXT] = "";
	int r = 0;

	if (group) {
		dispatch_save_group(saved, group);
		r = balancer_deny(control, record->denied, false, why);
	}
	if (!r)
		record->denied[0] = 0;
	return r;
}

static int tell_short(struct control *control, const struct restart_record *record, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);

	return control_event(control, time(NULL), record->node, SEVERITY_WARNING, "restart-short",
			     json_pack("{sI ss sI}", "restart", (json_int_t)record->id, "group", node->group, "minimum",
				       (json_int_t)(group ? group->minimum : 0)),
			     "restart %llu, urgency %s, leaves group %s with fewer servers than its minimum of %u", (unsigned long long)record->id,
			     restart_urgency_name(record->restart.urgency), node->group, group ? group->minimum : 0);
}

/* The restart failed. Should the node come back by itself, its agent's word and the balancer's check let it serve. */
static int give_up(struct control *control, struct restart_record *record, struct node *node)
{
	int r = balancer_want(control, record->node, BALANCER_READY);

	if (!r)
		r = live(control, record, node, LIFE_BOOT_FAILED, " failed");
	return r < 0 ? r : give(control, record, "undrain", NULL, ORDER_SECONDS_MOST);
}

int dispatch_undo(struct control *control, struct restart_record *record, struct dispatch_saved *saved)
{
	int r = allow(control, record, saved);

	return r < 0 ? r : release_spare(control, record, saved);
}

/* Of the node itself. */
static int do_node(struct control *control, struct restart_record *record, struct node *node, unsigned deeds, int64_t now)
{
	int r = 0;

	if (deeds & DO_DRAIN)
		r = drain(control, record, node);
	if (!r && deeds & DO_UNDRAIN)
		r = undrain(control, record, node);
	if (!r && deeds & DO_NOTICE)
		r = tell_users(control, record, now);
	if (!r && deeds & DO_EVICT)
		r = throw_out(control, record);
	if (!r && deeds & DO_SHUTDOWN)
		r = stop(control, record, node, "shutdown");
	if (!r && deeds & DO_REBOOT)
		r = stop(control, record, node, "reboot");
	if (!r && deeds & DO_CUT)
		r = cut_off(control, record, node);
	if (!r && deeds & DO_RESET)
		r = stop(control, record, node, "reset");
	if (!r && deeds & DO_QUARANTINE)
		r = quarantine(control, record, node);
	/* A spare that was switched off says nothing for as long as its firmware takes, and that isn't a failure. */
	if (!r && deeds & DO_NOTE_OFF)
		r = live(control, record, node, LIFE_OFF, ": its power is off");
	if (!r && deeds & DO_SELECT)
		r = select_images(control, record);
	if (!r && deeds & DO_GIVE_UP)
		r = give_up(control, record, node);
	if (!r && deeds & DO_BECOME_SPARE)
		r = become_spare(control, record, node);
	return r;
}

int dispatch_do(struct control *control, struct restart_record *record, unsigned deeds, struct dispatch_saved *saved, int64_t now)
{
	struct node *node = fleet_get(control->fleet, record->node);
	int r = node ? dispatch_save_node(saved, node) : 0;

	if (!node || r < 0)
		return r;
	if (deeds & DO_TELL_SHORT)
		r = tell_short(control, record, node);
	if (!r && deeds & DO_TAKE_SPARE)
		r = take_spare(control, record, node, saved);
	if (!r && deeds & DO_DENY)
		r = deny(control, record, node, saved);
	if (!r && deeds & DO_ALLOW)
		r = allow(control, record, saved);
	if (!r)
		r = do_node(control, record, node, deeds, now);
	if (!r && deeds & DO_RELEASE_SPARE)
		r = release_spare(control, record, saved);
	return r;
}

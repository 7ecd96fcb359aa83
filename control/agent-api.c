// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/agent-api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "common/log.h"
#include "control/alarm.h"
#include "control/holds.h"
#include "control/lifecycle.h"
#include "control/orders.h"
#include "control/registry.h"
#include "control/relays.h"
#include "control/user-request.h"

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ what it may cause */

int agent_api_minute(struct control *control, struct node *node, int64_t now)
{
	struct allowed *allowed = &node->allowed;
	unsigned left_out = allowed->left_out;

	if (allowed->minute == now / 60)
		return 0;
	*allowed = (struct allowed){ .minute = now / 60, .second = allowed->second, .statuses = allowed->statuses };
	if (!left_out)
		return 0;
	return control_event(control, now, node->id, SEVERITY_ALARM, "alarms-left-out", json_pack("{si}", "left_out", (int)left_out),
			     "%u more alarms came from its agent within a minute, and are left out", left_out);
}

/* Whether the journal takes one more alarm. The first that it doesn't is told of. 1, 0 or -EIO. */
static int takes_alarm(struct control *control, struct node *node, int64_t now)
{
	int r = agent_api_minute(control, node, now);

	if (r < 0)
		return r;
	if (node->allowed.events++ < AGENT_ALARMS_MOST)
		return 1;
	if (node->allowed.left_out++)
		return 0;
	r = control_event(control, now, node->id, SEVERITY_ALARM, "alarm-flood", NULL,
			  "its agent sent more than %u alarms within a minute; until that is over they are only counted", AGENT_ALARMS_MOST);
	return r < 0 ? r : 0;
}

/* An agent waits for its answer, and then for a while. */
static bool is_too_often(struct node *node, int64_t now)
{
	if (node->allowed.second != now) {
		node->allowed.second = now;
		node->allowed.statuses = 0;
	}
	return node->allowed.statuses++ >= AGENT_STATUSES_MOST;
}

/* ------------------------------------------------------------------ what must last */

static int tell_alarm(struct control *control, struct node *node, const struct agent_status *status, const struct agent_alarm *alarm,
		      int64_t now)
{
	json_t *data;
	int r = alarm_raise(control, node, status->boot_id, alarm->kind, alarm->text, now);

	if (!r)
		r = takes_alarm(control, node, now);
	if (r <= 0)
		return r;
	data = json_pack("{ss sI sI}", "boot_id", status->boot_id, "sequence", (json_int_t)alarm->sequence, "time",
				 (json_int_t)alarm->time);

	return control_event(control, now, node->id, SEVERITY_ALARM, alarm->kind, data, "%s", alarm->text);
}

/* The alarms that aren't stored yet, and that some were lost. `next` is what the agent is acknowledged then. */
static int store_news(struct control *control, struct node *node, const struct agent_status *status, struct channel *next, int64_t now)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < status->alarm_count; i++) {
		if (status->alarms[i].sequence <= next->alarms)
			continue;
		r = tell_alarm(control, node, status, &status->alarms[i], now);
		next->alarms = status->alarms[i].sequence;
	}
	if (!r && status->alarms_lost > next->lost)
		r = takes_alarm(control, node, now);
	if (r > 0)
		r = control_event(control, now, node->id, SEVERITY_ALARM, "alarms-lost", json_pack("{sI}", "lost", (json_int_t)status->alarms_lost),
				  "its agent had more alarms than it keeps; %llu are lost", (unsigned long long)(status->alarms_lost - next->lost));
	next->lost = status->alarms_lost;
	if (!r)
		r = store_put_channel(control->store, node->id, next);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

/* Most statuses bring nothing that must last, and write nothing. */
static int take_news(struct control *control, struct node *node, const struct agent_status *status, int64_t now)
{
	bool other_boot = strcmp(node->channel.boot_id, status->boot_id) != 0;
	const struct allowed allowed = node->allowed;
	struct channel next = node->channel;
	int r;

	if (other_boot) {
		next = (struct channel){ 0 };
		strcpy(next.boot_id, status->boot_id);
	}
	if (!other_boot && next.lost == status->alarms_lost &&
	    (!status->alarm_count || status->alarms[status->alarm_count - 1].sequence <= next.alarms))
		return 0;
	r = store_news(control, node, status, &next, now);
	if (!r)
		node->channel = next;
	else /* what wasn't taken comes again */
		node->allowed = allowed;
	return r;
}

/* ------------------------------------------------------------------ a status */

/* The figures, which live in memory only: a node is heard whatever the store does. A status that was sent twice, or overtook another, isn't
 * news. */
static int take_figures(struct control *control, struct node *node, struct agent_status *status, int64_t now, bool *ret_fresh)
{
	struct live *live = node->live;

	*ret_fresh = false;
	if (!live) {
		live = calloc(1, sizeof *live);
		if (!live)
			return -ENOMEM;
		live->interval = (unsigned)control->settings.interval;
		node->live = live;
	} else if (status->sequence <= live->sequence) {
		return 0;
	}
	free(live->measures);
	live->measures = status->measures;
	status->measures = NULL;
	live->figures = status->figures;
	live->sequence = status->sequence;
	live->heard = node->last_seen = now;
	live->heard_ms = steady_ms();
	live->heard_round_ms = control->round_ms;
	*ret_fresh = true;
	return 0;
}

static int move_on(struct control *control, struct node *node, int64_t now)
{
	enum life_state before = node->life.state;
	int r;

	if (node->allowed.moves >= AGENT_MOVES_MOST)
		return 0;
	r = lifecycle_heard(control, node, now);
	node->allowed.moves += node->life.state != before;
	return r;
}

/* A node's first status changes several things: together they cost one write to the disk. */
static int take_together(struct control *control, struct node *node, const struct agent_status *status, bool fresh, int64_t now)
{
	bool first = strcmp(node->channel.boot_id, status->boot_id) != 0;
	const struct node before = *node;
	int r = first ? store_begin(control->store) : 0;

	if (r < 0)
		return r;
	r = agent_api_minute(control, node, now);
	if (!r)
		r = take_news(control, node, status, now);
	if (!r && fresh)
		r = move_on(control, node, now);
	if (!first)
		return r;
	if (r < 0)
		store_rollback(control->store);
	else
		r = store_commit(control->store);
	if (r < 0) {
		node->channel = before.channel;
		node->allowed = before.allowed;
		node->life = before.life;
		node->life_since = before.life_since;
		memcpy(node->life_reason, before.life_reason, sizeof node->life_reason);
		memcpy(node->boot_failure, before.boot_failure, sizeof node->boot_failure);
	}
	return r;
}

/* -ENOMEM, with nothing taken. Where the store fails, nothing is acknowledged that isn't stored: the agent tells alarms again, and orders are
 * sent, and answered, again. */
static int take(struct control *control, struct node *node, struct agent_status *status, int64_t now)
{
	bool fresh;
	int r;

	/* What it says of another boot than before isn't to be compared. */
	if (node->live && strcmp(node->channel.boot_id, status->boot_id)) {
		live_free(node->live);
		node->live = NULL;
	}
	r = take_figures(control, node, status, now, &fresh);
	if (r < 0)
		return r;
	r = take_together(control, node, status, fresh, now);
	if (!r)
		r = orders_of_other_boots(control, node, status->boot_id, now);
	for (size_t i = 0; !r && i < status->answer_count; i++)
		r = orders_answered(control, node, &status->answers[i], now);
	return 0;
}

/* `verdict` on a user's request; NULL: there was none. */
static void reply(struct control *control, struct node *node, const struct http_call *call, const struct user_verdict *verdict, int64_t now,
		  struct http_answer *answer)
{
	const char *via = call->who->by ? call->who->by->name : "";
	char line[MONITOR_LINE_MOST + 1];
	struct live *live = node->live;
	json_t *orders;

	orders_tell_way(control, node, via, now);
	orders = orders_send(node, now);
	live->interval = (unsigned)control->settings.interval;
	/* It had to wait for this: that was no silence of its own. */
	if (live->heard_round_ms < control->round_ms - (int64_t)live->interval * 1000)
		live->heard_round_ms = control->round_ms - (int64_t)live->interval * 1000;
	answer->json = !orders ? NULL : json_pack("{si sI sI so}", "format", 1, "acknowledged", (json_int_t)node->channel.alarms, "interval",
						   (json_int_t)control->settings.interval, "orders", orders);
	if (answer->json && relays_tell(control, node, via, line))
		json_object_set_new(answer->json, "monitor", json_string(line));
	if (answer->json && verdict)
		json_object_set_new(answer->json, "request", json_pack("{sb ss}", "taken", (int)verdict->taken, "text", verdict->text));
	if (answer->json)
		answer->status = 200;
	else
		http_answer_error(answer, 500, "out of memory");
}

/* Holds the status, or makes its answer. */
static void hold_or_reply(struct control *control, struct node *node, const struct http_call *call, int64_t now, struct http_answer *answer)
{
	struct live *live = node->live;
	struct held *held = NULL;

	/* One is held for each node: an older one's connection is gone, or will be. */
	if (live->held)
		holds_wake(control->holds, live->held);
	live->held = NULL;
	strcpy(live->via, call->who->by ? call->who->by->name : "");
	if (call->who->by)
		relays_heard(control, call->who->by, NULL, now);
	/* As long as the agent was told: it doesn't wait for a longer interval before it knows of that. */
	if (!orders_unsent(node, now))
		held = holds_add(control->holds, call, node->id, live->interval, orders_outstanding(node, now));
	if (held)
		live->held = held;
	else
		reply(control, node, call, NULL, now, answer);
}

/* A user waits for it, so it isn't held. */
static void reply_to_user(struct control *control, struct node *node, const struct agent_status *status, const struct http_call *call, int64_t now,
			  struct http_answer *answer)
{
	struct user_verdict verdict;

	user_request_take(control, node, status->request_user, status->request_os, now, &verdict);
	reply(control, node, call, &verdict, now, answer);
}

static void first_time(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct agent_status status;
	char why[ERROR_TEXT] = "";
	struct node *node;
	int64_t now;
	int r = agent_status_parse(call->body, call->body_size, &status, why);

	if (r < 0) {
		control_log_refused(control, "agent of %s at %s: %s", id, call->peer, why[0] ? why : "out of memory");
		http_answer_error(answer, r == -EINVAL ? 400 : 500, why[0] ? why : "out of memory");
		return;
	}
	now = control_lock(control);
	/* Again: meanwhile another boot may have begun. */
	if (registry_admits(control, id, CLIENT_AGENT, call, answer)) {
		node = fleet_get(control->fleet, id);
		if (is_too_often(node, now)) {
			http_answer_error(answer, 429, "statuses come too often; wait for the answer of each");
			answer->retry_after = 1;
			goto out;
		}
		if (take(control, node, &status, now) < 0)
			http_answer_error(answer, 500, "out of memory");
		else if (status.request_user[0])
			reply_to_user(control, node, &status, call, now, answer);
		else
			hold_or_reply(control, node, call, now, answer);
	}
out:
	control_leave(control);
	agent_status_release(&status);
}

static void again(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct held *held = call->held;
	int64_t now = control_lock(control), late = held_late(held);
	struct node *node = fleet_get(control->fleet, id);

	if (late >= 0)
		meter_observe(&control->meters.late, meter_short, (double)late / 1000);
	if (late > control->latest_ms)
		control->latest_ms = late;

	if (node && node->live && node->live->held == held)
		node->live->held = NULL;
	free(held);
	if (registry_admits(control, id, CLIENT_AGENT, call, answer)) {
		if (node->live)
			reply(control, node, call, NULL, now, answer);
		else
			http_answer_error(answer, 403, "the credential is of an earlier boot; the next one has a new one");
	}
	control_leave(control);
}

void agent_api_status(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	if (call->held)
		again(control, id, call, answer);
	else
		first_time(control, id, call, answer);
}

void agent_api_dropped(void *context, void *what)
{
	struct control *control = context;
	struct held *held = what;
	struct node *node;

	control_lock(control);
	node = fleet_get(control->fleet, held->node);
	if (node && node->live && node->live->held == held)
		node->live->held = NULL;
	control_leave(control);
	free(held);
}

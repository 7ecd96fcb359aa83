// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-life.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "control/alarm.h"
#include "control/balancer.h"
#include "control/decider.h"
#include "control/lifecycle.h"
#include "control/orders.h"
#include "control/place.h"

#define SAID_MOST 100u /* beside who said it, within LIFE_REASON_MOST */
#define DRAIN_SECONDS 300

struct move {
	const char *name;
	enum life_cause cause;
	enum life_state state;   /* that it leads to */
	const char *order;       /* to the agent, for the application's sake; NULL for none */
	const char *words;
};

/* In quarantine the agent is told nothing: what holds the machine must not learn of it. */
static const struct move moves[] = {
	{ "quarantine", LIFE_QUARANTINE, LIFE_QUARANTINED, NULL, "quarantined by" },
	{ "maintenance", LIFE_MAINTAIN, LIFE_MAINTENANCE, "drain", "in maintenance by" },
	{ "clear", LIFE_CLEAR, LIFE_BOOTING, "undrain", "cleared by" },
};

static int parse(const json_t *body, const struct move **ret_move, const char **ret_reason, char ret_error[ERROR_TEXT])
{
	const json_t *reason = json_object_get(body, "reason");
	const char *name = json_get_string(body, "move"), *text = json_string_value(reason);

	if (reason && !json_is_null(reason) &&
	    (!text || json_string_length(reason) > SAID_MOST || !text_printable(text, json_string_length(reason))))
		return refused(ret_error, "\"reason\" must be a text of at most %u bytes without control characters", SAID_MOST);
	*ret_reason = text ? text : "";
	for (size_t i = 0; name && i < sizeof moves / sizeof moves[0]; i++) {
		if (!strcmp(moves[i].name, name)) {
			*ret_move = &moves[i];
			return 0;
		}
	}
	return refused(ret_error, "\"move\" must be quarantine, maintenance or clear");
}

static int refuse(const struct node *node, const struct move *move, char ret_error[ERROR_TEXT])
{
	const char *is = life_name(node->life.state);

	if (node->life.state == move->state && move->cause != LIFE_CLEAR)
		snprintf(ret_error, ERROR_TEXT, "it is that already: %s (%.160s)", is, node->life_reason);
	else if (move->cause == LIFE_CLEAR)
		snprintf(ret_error, ERROR_TEXT, "it is %s: only what is quarantined, in maintenance or failed can be cleared", is);
	else
		snprintf(ret_error, ERROR_TEXT, "it is %s (%.160s); `repave node clear %.8s` ends that first", is, node->life_reason, node->id);
	return -EBUSY;
}

/* Its agent's silence was nobody's concern so far: it has the time of a boot to be heard. */
static void begin_anew(struct control *control, struct node *node, int64_t now)
{
	if (!node->live || lifecycle_silence(control, node) < SILENT_INTERVALS)
		return;
	live_free(node->live);
	node->live = NULL;
	node->boot_began = now;
}

static int move_node(struct control *control, struct node *node, const struct move *move, const char *reason, const char *who,
		     int64_t now, char ret_error[ERROR_TEXT])
{
	uint64_t number;
	int r = -EINVAL;

	if (node->life.state != move->state)
		r = lifecycle_move(control, node, move->cause, now, "%s %s%s%s", move->words, who, reason[0] ? ": " : "", reason);
	if (r == -EINVAL)
		return refuse(node, move, ret_error);
	/* Somebody is at it, or has been. */
	if (!r)
		r = move->cause == LIFE_CLEAR ? alarm_forget(control, node) : alarm_settle(control, node);
	if (!r && move->cause == LIFE_CLEAR) {
		begin_anew(control, node, now);
		r = place_life(control, node, now);
		if (!r)
			r = decider_cleared(control, node, "");
	}
	/* As wanted before: what its life says of users is added to that. This only wakes the balancer. */
	if (!r)
		r = balancer_want(control, node->id, node->balancer_want);
	if (!r && move->order)
		r = orders_give(control, node->id, move->order, NULL, true, now + DRAIN_SECONDS, now, &number);
	return r == -EAGAIN || r == -EDQUOT ? 0 : r; /* no agent, or one that doesn't listen: the balancer does it alone */
}

int life_set_aside(struct control *control, struct node *node, enum life_cause cause, const char *reason, const char *who, int64_t now,
		   char ret_error[ERROR_TEXT])
{
	const struct move *move = moves;

	while (move->cause != cause)
		move++;
	return move_node(control, node, move, reason, who, now, ret_error);
}

void operator_move_life(struct control *control, const char *text, const json_t *body, const char *who, int64_t now,
			struct http_answer *answer)
{
	const struct move *move = NULL;
	const struct node *node = NULL;
	const char *reason = "";
	char why[ERROR_TEXT] = "";
	int r = parse(body, &move, &reason, why);

	if (!r)
		r = fleet_find(control->fleet, text, &node, why);
	if (!r)
		r = move_node(control, fleet_get(control->fleet, node->id), move, reason, who, now, why);
	if (r < 0) {
		http_answer_error(answer, r == -EBUSY ? 409 : control_status(r), why[0] ? why : "the control unit failed; its log says more");
		return;
	}
	answer->json = json_pack("{ss ss sI ss}", "id", node->id, "life", life_name(node->life.state), "life_since",
				 (json_int_t)node->life_since, "life_reason", node->life_reason);
	answer->status = 200;
	if (!answer->json)
		http_answer_error(answer, 500, "out of memory");
}

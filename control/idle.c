// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/idle.h"

#include <errno.h>
#include <stdio.h>

#include "common/log.h"
#include "control/alarm.h"
#include "control/balancer.h"
#include "control/deeds.h"
#include "control/journal.h"
#include "control/orders.h"
#include "control/peers.h"
#include "control/power.h"

#define STOP_SECONDS 60        /* for the agent's shutdown to have an effect; then its power is cut */
#define AGAIN_SECONDS 600      /* where neither had one */

/* Somebody may be logged in, or still have a session of what it did before. */
static bool is_used(struct control *control, const struct node *node)
{
	struct balancer_view view = { 0 };

	balancer_look(control, node->id, &view);
	return node->live->figures.users || (view.known && view.sessions);
}

static bool is_idle(struct control *control, const struct node *node, int64_t now)
{
	int64_t since = node_runs(node) && node->boot.updated > node->life_since ? node->boot.updated : node->life_since;

	return node->life.state == LIFE_SPARE && !node->restart && !alarm_pending(node) && peers_heard(control, node) &&
	       !is_used(control, node) && now - since >= (int64_t)control->decisions.spare_off;
}

static int note(struct control *control, const struct node *node, int64_t now)
{
	char reason[ERROR_TEXT];
	struct journal_entry entry = { .time = now, .origin = "rule", .rule = "", .action = "off", .verdict = "do", .urgency = "", .node = node->id,
				       .group = "", .spare = "", .reason = reason, .state = JOURNAL_DONE };
	uint64_t row;

	snprintf(reason, sizeof reason, "a spare that nobody needed for %u s (spare_off of decisions)", control->decisions.spare_off);
	return journal_add(control, &entry, &row);
}

/* Asked to shut down first: its agent may still say what it had to. */
static void ask(struct control *control, struct node *node, int64_t now)
{
	uint64_t number;
	int r = store_begin(control->store);

	if (r < 0)
		return;
	r = orders_give(control, node->id, "shutdown", NULL, true, now + STOP_SECONDS, now, &number);
	if (!r)
		r = note(control, node, now);
	if (!r)
		r = store_commit(control->store);
	else
		store_rollback(control->store);
	if (r < 0)
		log_warning("idle spare %s can't be asked to shut down", node->id);
	node->idle_off = now;
}

static void cut(struct control *control, struct node *node, int64_t now)
{
	char why[ERROR_TEXT] = "";
	uint64_t job;

	node->idle_off = now + AGAIN_SECONDS;
	if (power_start(control->power, node->id, POWER_OFF, &job, why) < 0)
		log_warning("idle spare %s can't be switched off: %s", node->id, why);
}

void idle_look(struct control *control, const struct replacements *replacements, int64_t now)
{
	for (size_t i = 0; control->decisions.spare_off && i < fleet_count(control->fleet); i++) {
		struct node *node = fleet_at(control->fleet, i);

		if (!is_idle(control, node, now) || replacement_by(replacements, node->id) || !power_has(control->power, node->id)) {
			if (node->life.state != LIFE_SPARE || !peers_heard(control, node))
				node->idle_off = 0;
			continue;
		}
		if (!node->idle_off)
			ask(control, node, now);
		else if (now - node->idle_off >= STOP_SECONDS)
			cut(control, node, now);
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/lifecycle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/decider.h"
#include "control/orders.h"

static enum severity severity_of(enum life_state state)
{
	switch (state) {
	case LIFE_SUSPECT: return SEVERITY_WARNING;
	case LIFE_FAILED:
	case LIFE_QUARANTINED: return SEVERITY_ALARM;
	case LIFE_MAINTENANCE:
	case LIFE_SPARE: return SEVERITY_NOTICE;
	default: return SEVERITY_INFO;
	}
}

/* What is better again is told as loudly as it was bad. */
static enum severity severity_of_change(enum life_state from, enum life_state to)
{
	bool returns = (from == LIFE_SUSPECT || from == LIFE_FAILED) && to != LIFE_SUSPECT && to != LIFE_FAILED;

	return returns && severity_of(to) < SEVERITY_NOTICE ? SEVERITY_NOTICE : severity_of(to);
}

static int store_change(struct control *control, const struct node *node, const struct node *was, enum severity severity, int64_t now)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_put_life(control->store, node);
	if (!r)
		r = control_event(control, now, node->id, severity, "life",
				  json_pack("{ss ss ss}", "from", life_name(was->life.state), "to", life_name(node->life.state), "reason",
					    node->life_reason), "%s, was %s: %s", life_name(node->life.state), life_name(was->life.state),
				  node->life_reason);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

int lifecycle_move(struct control *control, struct node *node, enum life_cause cause, int64_t now, const char *format, ...)
{
	struct node changed = *node;
	enum severity severity;
	va_list args;
	int r = life_move(&changed.life, cause);

	if (!r && changed.life.state == node->life.state && changed.life.before != node->life.before) {
		/* What it is keeps its reason; only what it becomes is another. */
		r = store_put_life(control->store, &changed);
		if (!r)
			node->life = changed.life;
		return r;
	}
	if (r < 0 || changed.life.state == node->life.state)
		return r;
	va_start(args, format);
	vsnprintf(changed.life_reason, sizeof changed.life_reason, format, args);
	va_end(args);
	changed.life_since = now;
	severity = severity_of_change(node->life.state, changed.life.state);
	/* A boot that fails each minute for the same reason is told of once. */
	if (cause == LIFE_BOOT_FAILED && !strcmp(node->boot_failure, changed.life_reason))
		severity = SEVERITY_INFO;
	r = store_change(control, &changed, node, severity, now);
	if (r < 0)
		return r;
	if (cause == LIFE_BOOT_FAILED)
		strcpy(changed.boot_failure, changed.life_reason);
	*node = changed;
	if (node->live)
		node->live->in_row = 0;
	if (node->life.state == LIFE_FAILED || node->life.state == LIFE_QUARANTINED)
		decider_wake(control);
	return 0;
}

int lifecycle_asked(struct control *control, struct node *node, int64_t now)
{
	int r = orders_of_other_boots(control, node, "", now);

	live_free(node->live);
	node->live = NULL;
	if (!r)
		r = lifecycle_move(control, node, LIFE_ASKED, now, "it asks what to boot");
	if (node->life.state == LIFE_BOOTING && !node->boot_began)
		node->boot_began = now;
	return r;
}

static bool is_doubted(const struct node *node)
{
	return node->life.state == LIFE_SUSPECT || node->life.state == LIFE_FAILED;
}

int lifecycle_heard(struct control *control, struct node *node, int64_t now)
{
	const struct figures *figures = &node->live->figures;
	struct live *live = node->live;
	enum life_cause cause;

	live->in_row++;
	live->unhealthy_in_row = figures->health == AGENT_UNHEALTHY ? live->unhealthy_in_row + 1 : 0;
	node->boot_began = 0;
	if (figures->health == AGENT_UNHEALTHY) {
		if (live->unhealthy_in_row < STATUSES_TO_SUSPECT && !(node->life.state == LIFE_FAILED && live->in_row >= STATUSES_TO_RETURN))
			return 0;
		return lifecycle_move(control, node, LIFE_UNHEALTHY, now, "its application is unhealthy");
	}
	if (is_doubted(node) && live->in_row < STATUSES_TO_RETURN)
		return 0;
	cause = figures->health == AGENT_HEALTH_UNKNOWN ? LIFE_HEARD : LIFE_HEALTHY;
	if (cause == LIFE_HEALTHY)
		node->boot_failure[0] = 0;
	return lifecycle_move(control, node, cause, now, cause == LIFE_HEARD ? "its agent is heard again" :
			      figures->health == AGENT_HEALTHY ? "its application is healthy" : "its agent is heard, and there is nothing to check");
}

/* Seconds, by the monitor's clock; -1 of a node that nobody waits for. */
static int64_t silent_seconds(const struct control *control, const struct node *node)
{
	int64_t since = RETURN_SECONDS * 1000;

	/* Heard by an earlier life of the control unit, its agent needs time to come back. */
	if (node->live)
		since = node->live->heard_round_ms;
	else if (node->life.state != LIFE_SERVING && node->life.state != LIFE_DRAINING && node->life.state != LIFE_SUSPECT)
		return -1;
	/* While its status waits for an answer it can't speak. */
	if (node->live && node->live->held)
		return 0;
	/* Who couldn't be heard wasn't silent. */
	if (since < control->deaf_ms)
		since = control->deaf_ms;
	return control->round_ms > since ? (control->round_ms - since) / 1000 : 0;
}

bool lifecycle_is_missed(const struct node *node)
{
	return node->life.state != LIFE_SPARE && node->life.state != LIFE_QUARANTINED && node->life.state != LIFE_MAINTENANCE;
}

int64_t lifecycle_silence(const struct control *control, const struct node *node)
{
	int64_t seconds = silent_seconds(control, node);

	return seconds < 0 ? -1 : seconds / (node->live ? node->live->interval : control->settings.interval);
}

static void fall_silent(struct control *control, struct node *node, bool is_lost, int64_t now)
{
	int64_t seconds = silent_seconds(control, node);

	if (node->live) {
		node->live->in_row = 0;
		lifecycle_move(control, node, is_lost ? LIFE_LOST : LIFE_SILENT, now, "its agent is silent for %" PRId64 " s", seconds);
	} else {
		lifecycle_move(control, node, is_lost ? LIFE_LOST : LIFE_SILENT, now,
			       "its agent hasn't come back since the control unit started, %" PRId64 " s ago", seconds + RETURN_SECONDS);
	}
}

bool lifecycle_watch(struct control *control, struct node *node, bool held_back, int64_t now)
{
	int64_t silence = lifecycle_silence(control, node);
	enum life_state before = node->life.state;

	if (silence >= SILENT_INTERVALS && lifecycle_is_missed(node))
		fall_silent(control, node, silence >= LOST_INTERVALS && !held_back, now);
	if (before != LIFE_BOOTING || node->live || !node->boot_began || now - node->boot_began < BOOT_LONG_SECONDS)
		return node->life.state != before;
	node->boot_began = 0;
	control_event(control, now, node->id, SEVERITY_WARNING, "boot-slow", NULL,
		      "it has been booting for %d minutes, and no agent of that boot was heard", BOOT_LONG_SECONDS / 60);
	return true;
}

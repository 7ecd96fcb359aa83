// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/restart-steps.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define SECONDS(n) ((n) * INT64_C(1000))
#define POWER_TRIES 3u
#define FAILING_MOST SECONDS(120) /* stage 1 tries again by itself: what lasts so long is a failure */
#define HANDOVER_LEAST SECONDS(3) /* for every HAProxy to obey */

const struct restart_limits restart_limits_default = {
	.grace = SECONDS(600), .notice = SECONDS(60), .spare = SECONDS(600), .drain = SECONDS(15), .evict = SECONDS(10), .stop = SECONDS(60),
	.power = SECONDS(15), .boot = SECONDS(1800), .health = SECONDS(300), .ready = SECONDS(60),
};

static const char *const step_names[] = { "replace", "drain", "release", "evidence", "shutdown", "select", "boot", "healthy", "ready", "done",
					  "cancelled", "failed" };
static const char *const kind_names[] = { "reboot", "reimage", "release", "cut" };
static const char *const urgency_names[] = { "wait", "notify", "handover", "evict" };

void restart_begin(struct restart *restart, enum restart_kind kind, enum restart_urgency urgency, const struct restart_limits *limits, int64_t now)
{
	*restart = (struct restart){ .kind = kind, .urgency = urgency, .limits = *limits, .since = now,
				     .step = kind == RESTART_CUT ? RESTART_AT_DRAIN : RESTART_AT_REPLACE };
}

bool restart_has_ended(const struct restart *restart)
{
	return restart->step >= RESTART_DONE;
}

static bool lasted(const struct restart *restart, int64_t now, int64_t limit)
{
	return now - restart->since >= limit;
}

unsigned restart_move(struct restart *restart, enum restart_step step, int64_t now, unsigned deeds)
{
	restart->step = step;
	restart->since = now;
	restart->acted = 0;
	restart->tries = 0;
	restart->failing = 0;
	return deeds;
}

/* What was done to the service for the time of the restart. */
static unsigned undo(struct restart *restart)
{
	unsigned deeds = (restart->denied ? DO_ALLOW : 0u) | (restart->took_spare ? DO_RELEASE_SPARE : 0u);

	restart->denied = restart->took_spare = false;
	return deeds;
}

/* New users stay denied no longer than the restart; a spare that came stays: the node isn't back. What was to be cut off and runs on
 * must not get users again. */
unsigned restart_fail(struct restart *restart, int64_t now, const char *why)
{
	bool at_large = restart->kind == RESTART_CUT && restart->step <= RESTART_AT_SHUTDOWN;
	unsigned deeds = (at_large ? DO_QUARANTINE : DO_GIVE_UP) | (restart->denied ? (unsigned)DO_ALLOW : 0u);

	snprintf(restart->error, sizeof restart->error, "%s", why);
	restart->denied = false;
	return restart_move(restart, RESTART_FAILED, now, deeds);
}

/* ------------------------------------------------------------------ users */

static unsigned wanted(const struct restart_view *view)
{
	return view->minimum ? view->minimum : 1;
}

/* Nobody else could come whose users wouldn't be fewer by one: what is to be waited for then. NULL when there is nothing. */
static const char *waits_for_others(const struct restart *restart, const struct restart_view *view)
{
	if (restart->urgency == URGENCY_EVICT || restart->forced)
		return NULL;
	if (view->unsettled)
		return "who serves isn't known yet: agents and HAProxies are coming back";
	if (view->others_return && restart->kind != RESTART_RELEASE)
		return "another server of its group is being restarted, and too few would be left";
	if (view->alternatives < view->minimum)
		return "too few servers of its group would be left: make another server a spare, lower the group's minimum, or raise the urgency to evict";
	return NULL;
}

/* Whether it may go as far as others are concerned. One that has its spare leaves as many as there were; but another restart may
 * count on the same. */
static bool is_replaced(const struct restart *restart, const struct restart_view *view)
{
	if (view->alternatives >= wanted(view))
		return true;
	return view->spare == SPARE_SERVING && (restart->urgency == URGENCY_EVICT || !(view->others_return || view->unsettled));
}

static unsigned leave_group(struct restart *restart, const struct restart_view *view)
{
	unsigned deeds = DO_DRAIN;

	if (view->alternatives < view->minimum && view->spare != SPARE_SERVING)
		deeds |= DO_TELL_SHORT;
	/* Whoever is released by hand is meant to be. */
	if (view->has_service && !view->alternatives && view->spare != SPARE_SERVING && restart->kind != RESTART_RELEASE) {
		restart->denied = true;
		deeds |= DO_DENY;
	}
	return restart_move(restart, RESTART_AT_DRAIN, view->now, deeds);
}

static unsigned look_replace(struct restart *restart, const struct restart_view *view)
{
	bool in_time = !lasted(restart, view->now, restart->limits.spare);

	if (is_replaced(restart, view))
		return restart_move(restart, RESTART_AT_DRAIN, view->now, DO_DRAIN);
	if (restart->kind != RESTART_RELEASE && (!view->unsettled || restart->urgency == URGENCY_EVICT)) {
		if (view->spare == SPARE_FREE && (!restart->took_spare || in_time)) {
			restart->took_spare = true;
			return DO_TAKE_SPARE;
		}
		if (view->spare == SPARE_COMING && in_time)
			return 0;
	}
	return waits_for_others(restart, view) ? 0 : leave_group(restart, view);
}

static unsigned look_drain(struct restart *restart, const struct restart_view *view)
{
	/* A balancer that is gone sends nobody new either, and must not keep a server from its drain for ever. */
	if (view->drained || lasted(restart, view->now, restart->limits.drain))
		return restart_move(restart, RESTART_AT_RELEASE, view->now, 0);
	return 0;
}

static bool must_go(const struct restart *restart, int64_t now)
{
	int64_t from = restart->asked ? restart->asked : restart->since;

	/* Handed over to whom? Then they are waited for. */
	if (restart->urgency == URGENCY_EVICT || (restart->urgency == URGENCY_HANDOVER && !restart->denied))
		return true;
	return (restart->urgency == URGENCY_NOTIFY || restart->limits.grace_given) && now - from >= restart->limits.grace;
}

static unsigned after_release(struct restart *restart, int64_t now)
{
	if (restart->kind == RESTART_RELEASE)
		return restart_move(restart, RESTART_DONE, now, DO_BECOME_SPARE);
	return restart_move(restart, RESTART_AT_SHUTDOWN, now, 0);
}

/* Who has a session and no request under way is counted by nobody: first the balancer sends him elsewhere, then the server may go. */
static bool hands_over(const struct restart *restart, int64_t now)
{
	return restart->urgency == URGENCY_HANDOVER && !restart->denied && (!restart->acted || now - restart->acted < HANDOVER_LEAST);
}

static unsigned look_release(struct restart *restart, const struct restart_view *view)
{
	if (view->users_known && view->users == 0 && !hands_over(restart, view->now))
		return after_release(restart, view->now);
	if (must_go(restart, view->now)) {
		if (!restart->acted) {
			restart->acted = view->now;
			return DO_EVICT;
		}
		/* The shutdown ends whatever is left. */
		return view->now - restart->acted >= restart->limits.evict ? after_release(restart, view->now) : 0;
	}
	if (restart->urgency == URGENCY_NOTIFY && (!restart->noticed || view->now - restart->noticed >= restart->limits.notice)) {
		if (!restart->asked)
			restart->asked = view->now;
		restart->noticed = view->now;
		return DO_NOTICE;
	}
	return 0;
}

/* ------------------------------------------------------------------ power */

/* Without power out of band the agent restarts the machine, and stage 1's question proves that the old system is gone. */
static unsigned shutdown_by_agent(struct restart *restart, const struct restart_view *view)
{
	if (view->returning && !restart->acted)
		return 0;
	if (view->refused)
		return restart_fail(restart, view->now, "the agent can't restart the system, and there is no power control out of band: `repave node power set`");
	if (!restart->acted && view->reporting) {
		restart->acted = view->now;
		return DO_REBOOT;
	}
	if (restart->acted && view->reporting && view->now - restart->acted >= restart->limits.stop)
		return restart_fail(restart, view->now, "its agent was told to restart it, and it still runs; there is no power control out of band: "
			    "`repave node power set`");
	if (!restart->acted && lasted(restart, view->now, restart->limits.stop))
		return restart_fail(restart, view->now,
			    "its agent doesn't report, and there is no power control out of band: restart it by hand, or `repave node power set`");
	if (lasted(restart, view->now, restart->limits.boot))
		return restart_fail(restart, view->now, "it was told to restart, and hasn't asked what to boot");
	return 0;
}

static unsigned shutdown_with_power(struct restart *restart, const struct restart_view *view)
{
	if (view->power == POWER_SEEN_OFF)
		return restart_move(restart, RESTART_AT_SELECT, view->now, DO_NOTE_OFF | DO_SELECT);
	if (view->power == POWER_SEEN_BUSY || (view->returning && !restart->acted))
		return 0;
	/* Whoever can't be switched on again isn't shut down: the agent restarts it. */
	if (!restart->acted && view->reporting && view->power == POWER_SEEN_UNKNOWN && !lasted(restart, view->now, restart->limits.power))
		return DO_POWER_LOOK;
	if (!restart->acted && view->reporting) {
		restart->acted = view->now;
		return view->power == POWER_SEEN_ON ? DO_SHUTDOWN : DO_REBOOT;
	}
	/* Not reporting, refused, or no effect in time. */
	if (restart->tries == 0 && restart->acted && !view->refused && !lasted(restart, view->now, restart->limits.stop))
		return DO_POWER_LOOK;
	if (restart->tries > 0 && view->now - restart->acted < restart->limits.power)
		return DO_POWER_LOOK;
	if (restart->tries == POWER_TRIES)
		return restart_fail(restart, view->now, "it can't be switched off: neither its agent nor the power control had an effect");
	restart->tries++;
	restart->acted = view->now;
	return DO_POWER_OFF;
}

static unsigned look_shutdown(struct restart *restart, const struct restart_view *view)
{
	/* By a jump of the clock, or it was told late: once more while there is time. */
	if (view->expired && restart->tries == 0 && !lasted(restart, view->now, restart->limits.stop))
		restart->acted = 0;
	return view->power == POWER_SEEN_ABSENT ? shutdown_by_agent(restart, view) : shutdown_with_power(restart, view);
}

/* Whether its boots fail for so long that they won't succeed. */
static bool keeps_failing(struct restart *restart, const struct restart_view *view)
{
	if (!view->failing) {
		restart->failing = view->started ? 0 : restart->failing;
		return false;
	}
	if (!restart->failing)
		restart->failing = view->now;
	return view->now - restart->failing >= FAILING_MOST;
}

static unsigned look_boot(struct restart *restart, const struct restart_view *view)
{
	if (view->started)
		return restart_move(restart, RESTART_AT_HEALTHY, view->now, 0);
	if (keeps_failing(restart, view))
		return restart_fail(restart, view->now, "stage 1 couldn't boot it: `repave node show` says why");
	if (lasted(restart, view->now, restart->limits.boot))
		return restart_fail(restart, view->now, "it didn't boot in time");
	if ((view->asked && view->power != POWER_SEEN_OFF) || view->power == POWER_SEEN_ABSENT || view->power == POWER_SEEN_BUSY)
		return 0;
	if (restart->acted && view->now - restart->acted < restart->limits.power)
		return view->power == POWER_SEEN_UNKNOWN ? DO_POWER_LOOK : 0u;
	if (view->power == POWER_SEEN_ON && restart->acted)
		return 0; /* it is on its way */
	if (restart->tries == POWER_TRIES)
		return restart_fail(restart, view->now, "it can't be switched on");
	restart->tries++;
	restart->acted = view->now;
	return DO_POWER_ON;
}

static unsigned look_healthy(struct restart *restart, const struct restart_view *view)
{
	unsigned deeds = DO_UNDRAIN | (restart->denied ? (unsigned)DO_ALLOW : 0u);

	if (view->healthy) {
		restart->denied = false;
		return restart_move(restart, RESTART_AT_READY, view->now, deeds);
	}
	if (keeps_failing(restart, view))
		return restart_fail(restart, view->now, "the new system didn't become healthy: `repave node show` says why");
	if (lasted(restart, view->now, restart->limits.health))
		return restart_fail(restart, view->now, "the new system didn't become healthy in time");
	return 0;
}

static unsigned look_ready(struct restart *restart, const struct restart_view *view)
{
	bool in_time = !lasted(restart, view->now, restart->limits.ready);

	/* An HAProxy that is gone isn't the server's fault, and is told of by itself. */
	if (!view->has_service || view->balancing || (view->balancer_gone && !in_time))
		return restart_move(restart, RESTART_DONE, view->now, undo(restart));
	if (!in_time)
		return restart_fail(restart, view->now, "the balancer doesn't find it healthy");
	return 0;
}

unsigned restart_look(struct restart *restart, const struct restart_view *view)
{
	/* That it asks what to boot may be what its intruder says. */
	if (restart->kind == RESTART_CUT && restart->step <= RESTART_AT_SHUTDOWN)
		return restart_look_cut(restart, view);
	/* Whether it was told to or restarted by itself: the old system is gone, and its users with it. */
	if (view->asked && restart->step < RESTART_AT_SHUTDOWN && restart->kind == RESTART_RELEASE)
		return restart_move(restart, RESTART_DONE, view->now, DO_DRAIN | DO_BECOME_SPARE);
	if (view->asked && restart->step <= RESTART_AT_SHUTDOWN)
		return restart_move(restart, RESTART_AT_SELECT, view->now, DO_SELECT | (restart->step < RESTART_AT_DRAIN ? (unsigned)DO_DRAIN : 0u));
	switch (restart->step) {
	case RESTART_AT_REPLACE:
		return look_replace(restart, view);
	case RESTART_AT_DRAIN:
		return look_drain(restart, view);
	case RESTART_AT_RELEASE:
		return look_release(restart, view);
	case RESTART_AT_EVIDENCE: /* only of a cut */
	case RESTART_AT_SHUTDOWN:
		return look_shutdown(restart, view);
	case RESTART_AT_SELECT:
		return restart_move(restart, RESTART_AT_BOOT, view->now, 0);
	case RESTART_AT_BOOT:
		return look_boot(restart, view);
	case RESTART_AT_HEALTHY:
		return look_healthy(restart, view);
	case RESTART_AT_READY:
		return look_ready(restart, view);
	case RESTART_DONE:
	case RESTART_CANCELLED:
	case RESTART_FAILED:
		break;
	}
	return 0;
}

const char *restart_waits(const struct restart *restart, const struct restart_view *view)
{
	const char *others = restart->step == RESTART_AT_REPLACE ? waits_for_others(restart, view) : NULL;

	switch (restart->step) {
	case RESTART_AT_REPLACE:
		if (is_replaced(restart, view))
			return "";
		return view->spare == SPARE_COMING ? "its spare doesn't serve yet" : others ? others : "";
	case RESTART_AT_DRAIN:
		return view->balancer_gone ? "an HAProxy doesn't answer" : "the balancer still sends new users";
	case RESTART_AT_RELEASE:
		if (view->users_known)
			return view->users ? "users are still there" : "";
		return view->balancer_gone ? "an HAProxy doesn't answer: whether users are there isn't known" :
					     "its agent is silent: whether users are there isn't known";
	case RESTART_AT_EVIDENCE:
		return "its agent gathers evidence";
	case RESTART_AT_SHUTDOWN:
		return view->power == POWER_SEEN_ABSENT ? "it hasn't asked yet what to boot" : "its power isn't off yet";
	case RESTART_AT_BOOT:
		return view->failing ? "its boot fails, and is tried again" : view->asked ? "its system isn't started yet" :
											"it hasn't asked yet what to boot";
	case RESTART_AT_HEALTHY:
		return "its agent hasn't said yet that the application is healthy";
	case RESTART_AT_READY:
		return view->balancer_gone ? "an HAProxy doesn't answer" : "the balancer doesn't find it healthy yet";
	case RESTART_AT_SELECT:
	case RESTART_DONE:
	case RESTART_CANCELLED:
	case RESTART_FAILED:
		break;
	}
	return "";
}

/* ------------------------------------------------------------------ people */

int restart_cancel(struct restart *restart, int64_t now, unsigned *ret_deeds)
{
	if (restart->step > RESTART_AT_RELEASE || (restart->step == RESTART_AT_RELEASE && restart->acted))
		return -EBUSY;
	*ret_deeds = DO_UNDRAIN | undo(restart);
	restart_move(restart, RESTART_CANCELLED, now, 0);
	return 0;
}

int restart_hurry(struct restart *restart, enum restart_urgency urgency, int64_t now)
{
	if (restart->step > RESTART_AT_RELEASE)
		return -EBUSY;
	/* Whoever is asked now has the whole grace. */
	if (urgency != restart->urgency && urgency == URGENCY_NOTIFY)
		restart->asked = restart->noticed = 0;
	if (restart->step == RESTART_AT_RELEASE && urgency > restart->urgency && !restart->acted)
		restart->since = now;
	restart->urgency = urgency;
	return 0;
}

/* ------------------------------------------------------------------ names */

static int find_name(const char *const names[], size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -EINVAL;
}

const char *restart_step_name(enum restart_step step)
{
	return step_names[step];
}

const char *restart_kind_name(enum restart_kind kind)
{
	return kind_names[kind];
}

const char *restart_urgency_name(enum restart_urgency urgency)
{
	return urgency_names[urgency];
}

int restart_step_parse(const char *text, enum restart_step *ret_step)
{
	int i = find_name(step_names, sizeof step_names / sizeof step_names[0], text);

	if (i >= 0)
		*ret_step = (enum restart_step)i;
	return i < 0 ? i : 0;
}

int restart_kind_parse(const char *text, enum restart_kind *ret_kind)
{
	int i = find_name(kind_names, sizeof kind_names / sizeof kind_names[0], text);

	if (i >= 0)
		*ret_kind = (enum restart_kind)i;
	return i < 0 ? i : 0;
}

int restart_urgency_parse(const char *text, enum restart_urgency *ret_urgency)
{
	int i = find_name(urgency_names, sizeof urgency_names / sizeof urgency_names[0], text);

	if (i >= 0)
		*ret_urgency = (enum restart_urgency)i;
	return i < 0 ? i : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* An alarm's restart, until the system that it is about is gone. Nobody is asked, least of all that system: whoever has it may lie. */
#include "control/restart-steps.h"

#define AGAIN 1000    /* milliseconds between two tries to cut its power */

/* The agent of a system that can't be cut off may be honest, and the quickest that is left. */
static unsigned by_agent(struct restart *restart, const struct restart_view *view)
{
	if (restart->noticed || !view->reporting)
		return 0;
	restart->noticed = view->now;
	return DO_RESET;
}

/* Without power out of band: stage 1's question is all the proof there is. */
static unsigned without_power(struct restart *restart, const struct restart_view *view)
{
	if (view->asked)
		return restart_move(restart, RESTART_AT_SELECT, view->now, DO_SELECT);
	if (view->refused || view->now - restart->since >= restart->limits.stop)
		return restart_fail(restart, view->now, "it can't be cut off: there is no power control out of band (`repave node power set`), and its"
				    " agent didn't restart it; it is quarantined: switch it off by hand");
	return by_agent(restart, view);
}

static unsigned look_power(struct restart *restart, const struct restart_view *view)
{
	unsigned deeds = DO_POWER_OFF;

	if (view->power == POWER_SEEN_ABSENT)
		return without_power(restart, view);
	if (view->power == POWER_SEEN_OFF)
		return restart_move(restart, RESTART_AT_SELECT, view->now, DO_SELECT);
	if (view->power == POWER_SEEN_BUSY)
		return 0;
	if (restart->acted && view->now - restart->acted < AGAIN)
		return 0;
	if (view->now - restart->since >= 3 * restart->limits.power)
		return restart_fail(restart, view->now, "its power can't be cut: the BMC didn't do it; it is quarantined: switch it off by hand");
	if (restart->tries > 0)
		deeds |= by_agent(restart, view);
	restart->tries++;
	restart->acted = view->now;
	return deeds;
}

/* The power's command goes out before anything is written. */
static unsigned begin(struct restart *restart, const struct restart_view *view)
{
	bool can = view->power == POWER_SEEN_ON || view->power == POWER_SEEN_UNKNOWN;

	restart_move(restart, RESTART_AT_SHUTDOWN, view->now, 0);
	if (!can)
		return DO_CUT;
	restart->tries = 1;
	restart->acted = view->now;
	return DO_CUT | DO_POWER_OFF;
}

unsigned restart_look_cut(struct restart *restart, const struct restart_view *view)
{
	bool is_over = view->evidence_over || view->now - restart->since >= restart->limits.evidence;

	if (restart->step < RESTART_AT_EVIDENCE && restart->limits.evidence)
		return restart_move(restart, RESTART_AT_EVIDENCE, view->now, DO_CUT);
	if (restart->step < RESTART_AT_EVIDENCE)
		return begin(restart, view);
	if (restart->step == RESTART_AT_EVIDENCE)
		return is_over ? restart_move(restart, RESTART_AT_SHUTDOWN, view->now, 0) : 0;
	return look_power(restart, view);
}

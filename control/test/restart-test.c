// SPDX-License-Identifier: GPL-2.0-or-later
/* A node's way through its restart: each step for its own reason, and what must never happen on the way. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/restart.h"

#define START 1000000

/* A server, its group and its balancer, as far as a restart sees them. */
struct world {
	struct restart restart;
	struct restart_view view;
	unsigned deeds;          /* all that were done */
	unsigned last;           /* of the last look */
};

static void begin(struct world *w, enum restart_kind kind, enum restart_urgency urgency)
{
	*w = (struct world){ .view = { .now = START, .has_service = true, .alternatives = 1, .balancing = true, .reporting = true,
				       .users_known = true, .power = POWER_SEEN_ABSENT } };
	restart_begin(&w->restart, kind, urgency, &restart_limits_default, START);
}

static unsigned look(struct world *w)
{
	w->last = restart_look(&w->restart, &w->view);
	w->deeds |= w->last;
	return w->last;
}

/* Looks each second until the step is another one, for at most `seconds`. */
static void look_on(struct world *w, int seconds)
{
	enum restart_step step = w->restart.step;

	for (int i = 0; i < seconds && w->restart.step == step; i++) {
		look(w);
		w->view.now += 1000;
	}
}

static void reach_release(struct world *w, uint64_t users)
{
	w->view.users = users;
	look(w);
	assert_int_equal(w->last, DO_DRAIN);
	w->view.drained = true;
	w->view.balancing = false;
	look(w);
	assert_int_equal(w->restart.step, RESTART_AT_RELEASE);
}

static void reach_shutdown(struct world *w)
{
	reach_release(w, 0);
	look(w);
	assert_int_equal(w->restart.step, RESTART_AT_SHUTDOWN);
}

/* ------------------------------------------------------------------ the whole way */

static void test_steps_come_in_order(void **state)
{
	static const enum restart_step order[] = { RESTART_AT_DRAIN, RESTART_AT_RELEASE, RESTART_AT_SHUTDOWN, RESTART_AT_SHUTDOWN, RESTART_AT_SELECT,
						RESTART_AT_BOOT, RESTART_AT_HEALTHY, RESTART_AT_READY, RESTART_DONE };
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	for (size_t i = 0; i < sizeof order / sizeof order[0]; i++) {
		look(&w);
		assert_int_equal(w.restart.step, order[i]);
		w.view.now += 100;
		w.view.drained = true;
		w.view.asked = w.last & DO_REBOOT || w.view.asked;
		w.view.started = w.restart.step == RESTART_AT_BOOT;
		w.view.healthy = w.restart.step == RESTART_AT_HEALTHY;
		w.view.balancing = w.restart.step == RESTART_AT_READY;
	}
	assert_int_equal(w.deeds, DO_DRAIN | DO_REBOOT | DO_SELECT | DO_UNDRAIN);
}

static void test_power_is_verified_off_before_anything_is_selected(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REIMAGE, URGENCY_WAIT);
	w.view.power = POWER_SEEN_ON;
	reach_shutdown(&w);
	assert_int_equal(look(&w), DO_SHUTDOWN);
	w.view.now += 5000;
	w.view.reporting = false; /* silence isn't proof */
	assert_int_equal(look(&w), DO_POWER_LOOK);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
	w.view.power = POWER_SEEN_OFF;
	assert_int_equal(look(&w), DO_NOTE_OFF | DO_SELECT);
	look(&w);
	assert_int_equal(look(&w), DO_POWER_ON);
	w.view.power = POWER_SEEN_ON;
	w.view.now += 60000;
	assert_int_equal(look(&w), 0);
	w.view.asked = w.view.started = true;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_HEALTHY);
}

/* ------------------------------------------------------------------ somebody else first */

static void test_spare_serves_before_the_only_server_is_drained(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_EVICT);
	w.view.alternatives = 0;
	w.view.spare = SPARE_FREE;
	assert_int_equal(look(&w), DO_TAKE_SPARE);
	w.view.spare = SPARE_COMING;
	look_on(&w, 300);
	assert_int_equal(w.restart.step, RESTART_AT_REPLACE);
	assert_int_equal(w.deeds, DO_TAKE_SPARE);
	w.view.spare = SPARE_SERVING;
	assert_int_equal(look(&w), DO_DRAIN);
	w.view.drained = true;
	w.view.asked = true;
	for (int i = 0; i < 8; i++) {
		w.view.started = w.view.healthy = w.view.balancing = i > 2;
		look(&w);
	}
	assert_int_equal(w.restart.step, RESTART_DONE);
	assert_true(w.deeds & DO_RELEASE_SPARE);
	assert_false(w.deeds & DO_DENY);
}

static void test_without_spare_new_users_are_denied_until_it_serves_again(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.alternatives = 0;
	assert_int_equal(look(&w), DO_DRAIN | DO_DENY);
	w.view.drained = w.view.asked = w.view.started = true;
	w.view.balancing = false;
	for (int i = 0; i < 8; i++)
		look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_HEALTHY);
	assert_false(w.deeds & DO_ALLOW);
	w.view.healthy = true;
	assert_int_equal(look(&w), DO_UNDRAIN | DO_ALLOW);
	/* The denial drained it at the balancer, too. */
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_READY);
	w.view.balancing = true;
	assert_int_equal(look(&w), 0);
	assert_int_equal(w.restart.step, RESTART_DONE);
}

static void test_spare_that_never_comes_ends_in_denial(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.alternatives = 0;
	w.view.spare = SPARE_FREE;
	look(&w);
	w.view.spare = SPARE_COMING;
	look_on(&w, 700);
	assert_int_equal(w.restart.step, RESTART_AT_DRAIN);
	assert_true(w.deeds & DO_DENY);
}

static void test_second_of_two_waits_until_the_first_is_back(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_NOTIFY);
	w.view.alternatives = 0;
	w.view.others_return = true;
	look_on(&w, 3600);
	assert_int_equal(w.restart.step, RESTART_AT_REPLACE);
	assert_int_equal(w.deeds, 0);
	assert_non_null(strstr(restart_waits(&w.restart, &w.view), "is being restarted"));
	w.view.others_return = false;
	w.view.alternatives = 1;
	assert_int_equal(look(&w), DO_DRAIN);
}

static void test_second_of_two_takes_a_spare(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.alternatives = 0;
	w.view.others_return = true;
	w.view.spare = SPARE_FREE;
	assert_int_equal(look(&w), DO_TAKE_SPARE);
	w.view.spare = SPARE_SERVING;
	w.view.alternatives = 1;
	assert_int_equal(look(&w), DO_DRAIN);
}

/* Another restart may have counted on the spare of this one. */
static void test_spare_that_another_restart_counted_on_isnt_enough(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.minimum = 2;
	w.view.spare = SPARE_SERVING;
	w.view.others_return = true;
	look_on(&w, 100);
	assert_int_equal(w.restart.step, RESTART_AT_REPLACE);
	w.view.others_return = false;   /* it isn't a restart that keeps it below */
	assert_int_equal(look(&w), DO_DRAIN);
}

static void test_minimum_is_kept_unless_evicted(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_NOTIFY);
	w.view.minimum = 2;
	look_on(&w, 3600);
	assert_int_equal(w.restart.step, RESTART_AT_REPLACE);
	assert_int_equal(w.deeds, 0);
	assert_non_null(strstr(restart_waits(&w.restart, &w.view), "minimum"));
	assert_int_equal(restart_hurry(&w.restart, URGENCY_EVICT, w.view.now), 0);
	assert_int_equal(look(&w), DO_DRAIN | DO_TELL_SHORT);
	begin(&w, RESTART_REBOOT, URGENCY_EVICT);
	w.view.minimum = 1;
	w.view.alternatives = 0;
	assert_int_equal(look(&w), DO_DRAIN | DO_TELL_SHORT | DO_DENY);
}

static void test_released_server_leaves_the_minimum_behind(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_RELEASE, URGENCY_WAIT);
	w.view.minimum = 2;
	look_on(&w, 100);
	assert_int_equal(w.restart.step, RESTART_AT_REPLACE);
	w.view.alternatives = 2;
	assert_int_equal(look(&w), DO_DRAIN);
}

static void test_nobody_is_denied_before_agents_are_back(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.alternatives = 0;
	w.view.unsettled = true;
	w.view.spare = SPARE_FREE;
	look_on(&w, 60);
	assert_int_equal(w.deeds, 0);
	w.view.unsettled = false;
	w.view.alternatives = 1;
	assert_int_equal(look(&w), DO_DRAIN);
}

static void test_failed_spare_is_followed_by_another(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.alternatives = 0;
	w.view.spare = SPARE_FREE;
	assert_int_equal(look(&w), DO_TAKE_SPARE);
	w.view.now += 5000; /* free: instead of the one that failed */
	assert_int_equal(look(&w), DO_TAKE_SPARE);
	w.view.now += restart_limits_default.spare;
	assert_int_equal(look(&w), DO_DRAIN | DO_DENY); /* not for ever */
}

/* ------------------------------------------------------------------ users */

static void test_haproxy_that_is_gone_doesnt_end_the_wait_for_users(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	look(&w);
	w.view.balancer_gone = true;
	w.view.users_known = false;
	look_on(&w, 100);
	assert_int_equal(w.restart.step, RESTART_AT_RELEASE);
	assert_non_null(strstr(restart_waits(&w.restart, &w.view), "HAProxy"));
	look_on(&w, 3600);
	assert_int_equal(w.restart.step, RESTART_AT_RELEASE);
	restart_hurry(&w.restart, URGENCY_EVICT, w.view.now);
	assert_int_equal(look(&w), DO_EVICT);
	look_on(&w, 20);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
}

static void test_nobody_is_thrown_out_while_it_waits(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	reach_release(&w, 1);
	look_on(&w, 100000);
	assert_int_equal(w.restart.step, RESTART_AT_RELEASE);
	assert_int_equal(w.deeds, DO_DRAIN);
	w.view.users = 0;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
}

static void test_stale_figures_arent_an_empty_server(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.users_known = false;
	reach_release(&w, 0);
	look_on(&w, 1000);
	assert_int_equal(w.restart.step, RESTART_AT_RELEASE);
}

static void test_grace_of_ten_minutes_is_honoured(void **state)
{
	struct world w;
	int64_t asked;
	int notices = 0;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_NOTIFY);
	reach_release(&w, 2);
	assert_int_equal(look(&w), DO_NOTICE);
	asked = w.view.now;
	for (;;) {
		w.view.now += 1000;
		look(&w);
		notices += w.last & DO_NOTICE ? 1 : 0;
		if (w.last & DO_EVICT)
			break;
	}
	assert_int_equal(w.view.now - asked, 600000);
	assert_int_equal(notices, 9);
	w.view.users = 0;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
}

static void test_raised_to_evict_throws_out_at_the_next_look(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	reach_release(&w, 3);
	look_on(&w, 50);
	assert_int_equal(restart_hurry(&w.restart, URGENCY_EVICT, w.view.now), 0);
	assert_int_equal(look(&w), DO_EVICT);
	assert_int_equal(look(&w), 0);   /* once */
	w.view.now += restart_limits_default.evict;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN); /* somebody who doesn't go has no say */
}

static void test_handed_over_only_to_somebody(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_HANDOVER);
	reach_release(&w, 3);
	assert_int_equal(look(&w), DO_EVICT);
	w.view.now += 2000;
	assert_int_equal(look(&w), 0);
	w.view.users = 0;
	assert_int_equal(look(&w), 0);
	assert_int_equal(w.restart.step, RESTART_AT_RELEASE);
	w.view.now += 2000;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
	/* Sessions without a request under way are handed over, too. */
	begin(&w, RESTART_REBOOT, URGENCY_HANDOVER);
	reach_release(&w, 0);
	assert_int_equal(look(&w), DO_EVICT);
	look_on(&w, 3);
	assert_int_equal(w.restart.step, RESTART_AT_RELEASE);
	look_on(&w, 2);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
	/* Nobody came: then they are waited for. */
	begin(&w, RESTART_REBOOT, URGENCY_HANDOVER);
	w.restart.denied = true;
	reach_release(&w, 3);
	look_on(&w, 3600);
	assert_int_equal(w.restart.step, RESTART_AT_RELEASE);
	assert_false(w.deeds & DO_EVICT);
}

static void test_grace_given_with_wait_counts_from_the_drain(void **state)
{
	struct restart_limits limits = restart_limits_default;
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	limits.grace = 30000;
	limits.grace_given = true;
	restart_begin(&w.restart, RESTART_REBOOT, URGENCY_WAIT, &limits, START);
	reach_release(&w, 1);
	w.view.now += 29999;
	assert_int_equal(look(&w), 0);
	w.view.now += 1;
	assert_int_equal(look(&w), DO_EVICT);
}

/* ------------------------------------------------------------------ what doesn't obey */

static void test_stopped_agent_is_powered_off(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_EVICT);
	w.view.power = POWER_SEEN_ON;
	reach_shutdown(&w);
	assert_int_equal(look(&w), DO_SHUTDOWN);
	look_on(&w, 59);
	assert_false(w.deeds & DO_POWER_OFF);
	look_on(&w, 2);
	assert_true(w.deeds & DO_POWER_OFF);
	w.view.power = POWER_SEEN_OFF;
	assert_int_equal(look(&w), DO_NOTE_OFF | DO_SELECT);
}

static void test_silent_server_is_powered_off_at_once(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.power = POWER_SEEN_UNKNOWN;
	w.view.reporting = false;
	reach_shutdown(&w);
	assert_int_equal(look(&w), DO_POWER_OFF);
}

static void test_server_whose_power_control_is_gone_isnt_switched_off(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.power = POWER_SEEN_UNKNOWN;
	reach_shutdown(&w);
	look_on(&w, 30);
	assert_true(w.deeds & DO_POWER_LOOK && w.deeds & DO_REBOOT);
	assert_false(w.deeds & (DO_SHUTDOWN | DO_POWER_OFF));
	w.view.asked = true;
	assert_int_equal(look(&w), DO_SELECT);
}

static void test_agents_come_back_before_anybody_is_called_gone(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.power = POWER_SEEN_ON;
	reach_shutdown(&w);
	w.view.reporting = false;
	w.view.returning = true;
	look_on(&w, 60);
	assert_false(w.deeds & (DO_POWER_OFF | DO_REBOOT | DO_SHUTDOWN));
	w.view.returning = false;
	look_on(&w, 2);
	assert_true(w.deeds & DO_POWER_OFF);
}

static void test_power_control_without_effect_fails_after_three_tries(void **state)
{
	struct world w;
	int offs = 0;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_EVICT);
	w.view.power = POWER_SEEN_UNKNOWN;
	w.view.reporting = false;
	reach_shutdown(&w);
	for (int i = 0; i < 200 && !restart_has_ended(&w.restart); i++) {
		offs += look(&w) & DO_POWER_OFF ? 1 : 0;
		w.view.now += 1000;
	}
	assert_int_equal(w.restart.step, RESTART_FAILED);
	assert_int_equal(offs, 3);
	assert_true(w.restart.error[0]);
}

static void test_no_way_to_restart_is_said(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_EVICT);
	w.view.reporting = false;
	reach_shutdown(&w);
	look_on(&w, 100);
	assert_int_equal(w.restart.step, RESTART_FAILED);
	assert_non_null(strstr(w.restart.error, "power set"));
	begin(&w, RESTART_REBOOT, URGENCY_EVICT);
	reach_shutdown(&w);
	assert_int_equal(look(&w), DO_REBOOT);
	w.view.refused = true;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_FAILED);
	begin(&w, RESTART_REBOOT, URGENCY_EVICT);
	reach_shutdown(&w);
	look_on(&w, 100);
	assert_int_equal(w.restart.step, RESTART_FAILED); /* it obeyed in words */
}

static void test_system_that_isnt_healthy_doesnt_get_users(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REIMAGE, URGENCY_WAIT);
	w.view.alternatives = 0;
	look(&w);
	w.view.asked = w.view.started = true;
	for (int i = 0; i < 4; i++)
		look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_HEALTHY);
	look_on(&w, 400);
	assert_int_equal(w.restart.step, RESTART_FAILED);
	assert_false(w.deeds & DO_UNDRAIN);
	assert_true(w.deeds & DO_ALLOW);
}

static void reach_boot(struct world *w)
{
	w->view.asked = true;
	w->view.drained = true;
	for (int i = 0; i < 5 && w->restart.step != RESTART_AT_BOOT; i++)
		look(w);
	assert_int_equal(w->restart.step, RESTART_AT_BOOT);
}

/* Each failure is followed by another try: none lasts. */
static void test_boot_that_fails_again_and_again_is_told(void **state)
{
	struct world w;
	int64_t from;

	(void)state;
	begin(&w, RESTART_REIMAGE, URGENCY_WAIT);
	reach_boot(&w);
	w.view.failing = true;
	from = w.view.now;
	look_on(&w, 300);
	assert_int_equal(w.restart.step, RESTART_FAILED);
	assert_in_range(w.view.now - from, 120000, 122000);
	begin(&w, RESTART_REIMAGE, URGENCY_WAIT);
	reach_boot(&w);
	w.view.failing = true;
	look_on(&w, 100);
	w.view.failing = false; /* it worked at last */
	w.view.started = true;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_HEALTHY);
	w.view.started = false;
	w.view.failing = true;
	look_on(&w, 100);
	assert_int_equal(w.restart.step, RESTART_AT_HEALTHY);
	look_on(&w, 30);
	assert_int_equal(w.restart.step, RESTART_FAILED);
}

static void test_healthy_server_isnt_called_failed_for_an_haproxy_that_is_gone(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	reach_boot(&w);
	w.view.started = w.view.healthy = w.view.balancer_gone = true;
	w.view.balancing = false;
	look(&w);
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_READY);
	look_on(&w, 59);
	assert_int_equal(w.restart.step, RESTART_AT_READY);
	look_on(&w, 5);
	assert_int_equal(w.restart.step, RESTART_DONE);
}

/* ------------------------------------------------------------------ people */

static void test_cancelled_drain_cancels_the_reboot(void **state)
{
	struct world w;
	unsigned deeds = 0;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	w.view.alternatives = 0;
	look(&w);
	assert_int_equal(restart_cancel(&w.restart, w.view.now, &deeds), 0);
	assert_int_equal(deeds, DO_UNDRAIN | DO_ALLOW);
	assert_int_equal(w.restart.step, RESTART_CANCELLED);
	for (int i = 0; i < 100; i++) {
		w.view.now += 60000;
		w.view.users = 0;
		assert_int_equal(look(&w), 0);
	}
	assert_int_equal(w.restart.step, RESTART_CANCELLED);
}

static void test_too_late_to_cancel_is_said(void **state)
{
	struct world w;
	unsigned deeds = 0;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	reach_shutdown(&w);
	assert_int_equal(restart_cancel(&w.restart, w.view.now, &deeds), -EBUSY);
	assert_int_equal(restart_hurry(&w.restart, URGENCY_EVICT, w.view.now), -EBUSY);
}

static void test_server_that_crashes_on_the_way_is_taken_from_there(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_REBOOT, URGENCY_WAIT);
	reach_release(&w, 5);
	w.view.asked = true;
	assert_int_equal(look(&w), DO_SELECT);
	assert_int_equal(w.restart.step, RESTART_AT_SELECT);
}

static void test_release_makes_a_spare_without_a_restart(void **state)
{
	struct world w;

	(void)state;
	begin(&w, RESTART_RELEASE, URGENCY_WAIT);
	w.view.alternatives = 0;
	reach_release(&w, 0);
	assert_int_equal(look(&w), DO_BECOME_SPARE);
	assert_int_equal(w.restart.step, RESTART_DONE);
	assert_false(w.deeds & (DO_REBOOT | DO_SHUTDOWN | DO_DENY));
}

/* ------------------------------------------------------------------ any world */

/* Whatever happens around it: steps only go on, nobody loses a session who wasn't asked or thrown out, who was denied is allowed again,
 * and with an urgency above "wait" it ends. */
static void live_through(unsigned seed)
{
	struct world w;
	bool evicted = false, denied = false, empty = false;
	enum restart_step before;
	unsigned long looks = 0;

	srandom(seed);
	begin(&w, random() % 2 ? RESTART_REBOOT : RESTART_REIMAGE, random() % 2 ? URGENCY_NOTIFY : URGENCY_EVICT);
	w.view.has_service = random() % 4;
	w.view.alternatives = (unsigned)(random() % 2);
	w.view.minimum = (unsigned)(random() % 3);
	w.view.spare = random() % 2 ? SPARE_FREE : SPARE_NONE;
	w.view.power = (enum power_seen)(random() % 5);
	w.view.users = (uint64_t)(random() % 5);
	while (!restart_has_ended(&w.restart)) {
		before = w.restart.step;
		empty |= before == RESTART_AT_RELEASE && w.view.users_known && !w.view.users;
		look(&w);
		assert_true(w.restart.step >= before);
		assert_true(++looks < 100000);
		evicted |= (w.last & DO_EVICT) != 0;
		denied = (denied || w.last & DO_DENY) && !(w.last & DO_ALLOW);
		/* Never below the minimum by its own doing, but for a spare that is there, or evict; then it is said. */
		if (w.last & DO_DRAIN && before == RESTART_AT_REPLACE && !w.view.asked && w.view.has_service && w.view.alternatives < w.view.minimum &&
		    w.view.spare != SPARE_SERVING)
			assert_true(w.restart.urgency == URGENCY_EVICT && w.last & DO_TELL_SHORT);
		if (w.last & (DO_REBOOT | DO_SHUTDOWN | DO_POWER_OFF))
			assert_true(evicted || empty);
		assert_true(!(w.last & (DO_REBOOT | DO_POWER_OFF)) || w.restart.step == RESTART_AT_SHUTDOWN);
		w.view.now += random() % 20000;
		w.view.drained = random() % 3;
		w.view.balancing = !(random() % 3);
		w.view.reporting = random() % 3;
		w.view.users_known = random() % 3;
		if (w.view.users && !(random() % 30))
			w.view.users--;
		if (w.last & DO_TAKE_SPARE)
			w.view.spare = SPARE_COMING;
		else if (w.view.spare == SPARE_COMING && !(random() % 20))
			w.view.spare = random() % 2 ? SPARE_SERVING : SPARE_NONE;
		if (w.view.power != POWER_SEEN_ABSENT)
			w.view.power = (enum power_seen)(1 + random() % 4);
		w.view.refused = !(random() % 50);
		w.view.asked |= w.restart.step >= RESTART_AT_SHUTDOWN && !(random() % 10);
		w.view.started |= w.view.asked && !(random() % 10);
		w.view.failing = !(random() % 30);
		w.view.alternatives = random() % 10 ? w.view.alternatives : (unsigned)(random() % 4);
		w.view.others_return = !(random() % 4);
		w.view.unsettled = !(random() % 8);
		w.view.balancer_gone = !(random() % 8);
		w.view.healthy = w.view.started && !(random() % 5);
	}
	assert_false(denied);
	assert_true(w.restart.step == RESTART_DONE || w.restart.step == RESTART_FAILED);
	assert_true((w.restart.step == RESTART_FAILED) == (w.restart.error[0] != 0));
}

static void test_any_world(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 20000; seed++)
		live_through(seed);
}

/* ------------------------------------------------------------------ cut off */

static void begin_cut(struct world *w, enum power_seen power, int64_t evidence)
{
	struct restart_limits limits = restart_limits_default;

	begin(w, RESTART_CUT, URGENCY_EVICT);
	limits.evidence = evidence;
	restart_begin(&w->restart, RESTART_CUT, URGENCY_EVICT, &limits, START);
	w->view.power = power;
	w->view.users = 7;
}

static void test_cut_asks_nobody_and_begins_with_the_power(void **state)
{
	struct world w;

	(void)state;
	begin_cut(&w, POWER_SEEN_UNKNOWN, 0);
	w.view.alternatives = 0;
	w.view.minimum = 3;
	w.view.spare = SPARE_FREE;
	assert_int_equal(look(&w), DO_CUT | DO_POWER_OFF);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
	w.view.power = POWER_SEEN_BUSY;
	assert_int_equal(look(&w), 0);
	w.view.power = POWER_SEEN_OFF;
	assert_int_equal(look(&w), DO_SELECT);
	look(&w);
	assert_int_equal(look(&w), DO_POWER_ON);
	w.view.power = POWER_SEEN_ON;
	w.view.asked = w.view.started = true;
	look(&w);
	w.view.healthy = true;
	assert_int_equal(look(&w), DO_UNDRAIN);
	look(&w);
	assert_int_equal(w.restart.step, RESTART_DONE);
	assert_int_equal(w.deeds & (DO_NOTICE | DO_SHUTDOWN | DO_REBOOT | DO_TAKE_SPARE | DO_DENY), 0);
}

static void test_intruder_who_asks_what_to_boot_is_cut_off_all_the_same(void **state)
{
	struct world w;

	(void)state;
	begin_cut(&w, POWER_SEEN_UNKNOWN, 0);
	w.view.asked = w.view.started = w.view.healthy = true;
	assert_int_equal(look(&w), DO_CUT | DO_POWER_OFF);
	w.view.power = POWER_SEEN_ON; /* the BMC's job failed */
	look_on(&w, 5);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
	assert_true(w.restart.tries > 1);
}

static void test_bmc_that_is_busy_is_asked_again_within_a_second(void **state)
{
	struct world w;

	(void)state;
	begin_cut(&w, POWER_SEEN_UNKNOWN, 0);
	look(&w);
	w.view.now += 900;
	assert_int_equal(look(&w), 0);
	w.view.now += 100;
	assert_int_equal(look(&w), DO_POWER_OFF | DO_RESET);
	w.view.now += 1000;
	assert_int_equal(look(&w), DO_POWER_OFF); /* the agent was told once */
}

static void test_what_cannot_be_cut_off_is_quarantined(void **state)
{
	struct world w;

	(void)state;
	begin_cut(&w, POWER_SEEN_UNKNOWN, 0);
	look_on(&w, 60);
	look_on(&w, 60);
	assert_int_equal(w.restart.step, RESTART_FAILED);
	assert_true(w.last & DO_QUARANTINE);
	assert_false(w.deeds & (DO_UNDRAIN | DO_GIVE_UP));
	assert_non_null(strstr(w.restart.error, "quarantined"));
}

static void test_without_power_control_the_agent_resets_it(void **state)
{
	struct world w;

	(void)state;
	begin_cut(&w, POWER_SEEN_ABSENT, 0);
	assert_int_equal(look(&w), DO_CUT);
	assert_int_equal(look(&w), DO_RESET);
	w.view.now += 1000;
	assert_int_equal(look(&w), 0);
	w.view.asked = true;
	assert_int_equal(look(&w), DO_SELECT);
}

static void test_agent_that_refuses_its_reset_is_quarantined(void **state)
{
	struct world w;

	(void)state;
	begin_cut(&w, POWER_SEEN_ABSENT, 0);
	look(&w);
	look(&w);
	w.view.refused = true;
	assert_int_equal(look(&w), DO_QUARANTINE);
	assert_int_equal(w.restart.step, RESTART_FAILED);
}

static void test_evidence_comes_before_the_power_and_holds_it_no_longer_than_its_limit(void **state)
{
	struct world w;

	(void)state;
	begin_cut(&w, POWER_SEEN_UNKNOWN, 20000);
	assert_int_equal(look(&w), DO_CUT);
	assert_int_equal(w.restart.step, RESTART_AT_EVIDENCE);
	look_on(&w, 19);
	assert_int_equal(w.restart.step, RESTART_AT_EVIDENCE);
	look_on(&w, 3);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
	assert_int_equal(look(&w) & DO_POWER_OFF, DO_POWER_OFF);
	begin_cut(&w, POWER_SEEN_UNKNOWN, 20000);
	look(&w);
	w.view.evidence_over = true;
	look(&w);
	assert_int_equal(w.restart.step, RESTART_AT_SHUTDOWN);
}

static void test_cut_cannot_be_cancelled(void **state)
{
	struct world w;
	unsigned deeds;

	(void)state;
	begin_cut(&w, POWER_SEEN_UNKNOWN, 20000);
	look(&w);
	assert_int_equal(restart_cancel(&w.restart, w.view.now, &deeds), -EBUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_come_in_order),
		cmocka_unit_test(test_power_is_verified_off_before_anything_is_selected),
		cmocka_unit_test(test_spare_serves_before_the_only_server_is_drained),
		cmocka_unit_test(test_without_spare_new_users_are_denied_until_it_serves_again),
		cmocka_unit_test(test_spare_that_never_comes_ends_in_denial),
		cmocka_unit_test(test_nobody_is_thrown_out_while_it_waits),
		cmocka_unit_test(test_stale_figures_arent_an_empty_server),
		cmocka_unit_test(test_grace_of_ten_minutes_is_honoured),
		cmocka_unit_test(test_raised_to_evict_throws_out_at_the_next_look),
		cmocka_unit_test(test_handed_over_only_to_somebody),
		cmocka_unit_test(test_grace_given_with_wait_counts_from_the_drain),
		cmocka_unit_test(test_stopped_agent_is_powered_off),
		cmocka_unit_test(test_silent_server_is_powered_off_at_once),
		cmocka_unit_test(test_server_whose_power_control_is_gone_isnt_switched_off),
		cmocka_unit_test(test_agents_come_back_before_anybody_is_called_gone),
		cmocka_unit_test(test_power_control_without_effect_fails_after_three_tries),
		cmocka_unit_test(test_no_way_to_restart_is_said),
		cmocka_unit_test(test_system_that_isnt_healthy_doesnt_get_users),
		cmocka_unit_test(test_cancelled_drain_cancels_the_reboot),
		cmocka_unit_test(test_too_late_to_cancel_is_said),
		cmocka_unit_test(test_server_that_crashes_on_the_way_is_taken_from_there),
		cmocka_unit_test(test_release_makes_a_spare_without_a_restart),
		cmocka_unit_test(test_second_of_two_waits_until_the_first_is_back),
		cmocka_unit_test(test_second_of_two_takes_a_spare),
		cmocka_unit_test(test_spare_that_another_restart_counted_on_isnt_enough),
		cmocka_unit_test(test_minimum_is_kept_unless_evicted),
		cmocka_unit_test(test_released_server_leaves_the_minimum_behind),
		cmocka_unit_test(test_nobody_is_denied_before_agents_are_back),
		cmocka_unit_test(test_failed_spare_is_followed_by_another),
		cmocka_unit_test(test_haproxy_that_is_gone_doesnt_end_the_wait_for_users),
		cmocka_unit_test(test_boot_that_fails_again_and_again_is_told),
		cmocka_unit_test(test_healthy_server_isnt_called_failed_for_an_haproxy_that_is_gone),
		cmocka_unit_test(test_cut_asks_nobody_and_begins_with_the_power),
		cmocka_unit_test(test_intruder_who_asks_what_to_boot_is_cut_off_all_the_same),
		cmocka_unit_test(test_bmc_that_is_busy_is_asked_again_within_a_second),
		cmocka_unit_test(test_what_cannot_be_cut_off_is_quarantined),
		cmocka_unit_test(test_without_power_control_the_agent_resets_it),
		cmocka_unit_test(test_agent_that_refuses_its_reset_is_quarantined),
		cmocka_unit_test(test_evidence_comes_before_the_power_and_holds_it_no_longer_than_its_limit),
		cmocka_unit_test(test_cut_cannot_be_cancelled),
		cmocka_unit_test(test_any_world),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/monitor.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "common/log.h"
#include "control/agent-api.h"
#include "control/lifecycle.h"
#include "control/orders.h"
#include "control/relays.h"

#define STEP_MOST_MS 1000

struct monitor {
	struct control *control;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	pthread_t thread, watchdog;
	bool is_ending;
	_Atomic int64_t round_at;      /* ms of the last round's end */
	size_t next;                   /* the node that the last round left off at */
	/* Of the control lock: */
	int64_t last_ms, round_took_ms;
	int64_t mass_since;            /* by the monitor's clock; 0: not now */
	int64_t busy_since;            /* the same */
	unsigned busy_told;            /* how loudly */
	unsigned stalls;
	int64_t longest_stall_ms;
};

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ a round */

/* More than half of those that were heard: the network's fault, or the control unit's own, sooner than that of each. */
static bool is_mass(unsigned silent, unsigned heard)
{
	return silent >= MONITOR_MASS_LEAST && silent > heard;
}

/* Whether none is to become failed now. */
static bool judge_mass(struct monitor *monitor, int64_t now)
{
	struct control *control = monitor->control;
	unsigned silent = 0, heard = 0;
	bool mass;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		int64_t silence = lifecycle_is_missed(node) ? lifecycle_silence(control, node) : -1;

		silent += silence >= SILENT_INTERVALS;
		heard += silence >= 0 && silence < SILENT_INTERVALS;
	}
	mass = is_mass(silent, heard);
	if (mass && !monitor->mass_since) {
		monitor->mass_since = control->round_ms;
		control_event(control, now, "", SEVERITY_ALARM, "silence", json_pack("{si si}", "silent", (int)silent, "heard", (int)heard),
			      "%u of %u agents are silent at once: look at the network and at the control unit first; for %d s none counts as failed",
			      silent, silent + heard, MONITOR_MASS_SECONDS);
	}
	if (!mass)
		monitor->mass_since = 0;
	return mass && control->round_ms - monitor->mass_since < MONITOR_MASS_SECONDS * 1000;
}

static void look_at_nodes(struct monitor *monitor, int64_t now)
{
	bool held_back = judge_mass(monitor, now);
	struct control *control = monitor->control;
	size_t count = fleet_count(control->fleet);
	unsigned changes = 0;

	for (size_t i = 0; i < count && changes < MONITOR_CHANGES_MOST; i++, monitor->next++) {
		struct node *node = fleet_at(control->fleet, monitor->next % count);

		changes += lifecycle_watch(control, node, held_back || relays_excuse(control, node), now);
		if (node->allowed.left_out)
			agent_api_minute(control, node, now);
		if (node->orders && orders_expire(control, node, now) < 0)
			return;
	}
	if (count)
		monitor->next %= count;
}

/* The control lock may have been what it waited for. */
static void tell_stall(struct monitor *monitor, int64_t still_ms, int64_t now)
{
	monitor->stalls++;
	if (still_ms > monitor->longest_stall_ms)
		monitor->longest_stall_ms = still_ms;
	control_event(monitor->control, now, "", SEVERITY_ALARM, "stall", json_pack("{sf}", "seconds", (double)still_ms / 1000),
		      "the control unit's monitor stood still for %.1f s; silence of nodes wasn't noticed meanwhile", (double)still_ms / 1000);
}

/* Whether it was too busy to listen. */
static void judge_itself(struct monitor *monitor, int64_t still, int64_t now)
{
	struct control *control = monitor->control;
	bool busy = still >= MONITOR_BUSY_MS || control->latest_ms >= MONITOR_BUSY_MS ||
		    (control->nodes && http_server_behind(control->nodes) >= MONITOR_BUSY_MS);
	int64_t seconds;

	control->latest_ms = 0;
	if (!busy) {
		monitor->busy_since = 0;
		monitor->busy_told = 0;
		return;
	}
	if (!monitor->busy_since)
		monitor->busy_since = control->round_ms;
	seconds = (control->round_ms - monitor->busy_since) / 1000;
	if (seconds < MONITOR_BUSY_SECONDS)
		control->deaf_ms = control->round_ms;
	if (seconds >= MONITOR_BUSY_TOLD_SECONDS && monitor->busy_told < 1) {
		control_event(control, now, "", SEVERITY_WARNING, "busy", NULL,
			      "the control unit has more to do than it can: connections wait, or answers are late; until that is over no node counts as silent");
		monitor->busy_told = 1;
	}
	if (seconds >= MONITOR_BUSY_SECONDS && monitor->busy_told < 2) {
		control_event(control, now, "", SEVERITY_ALARM, "busy", NULL,
			      "the control unit has had more to do than it can for %d minutes; silence of nodes counts again, and may be its own fault",
			      MONITOR_BUSY_SECONDS / 60);
		monitor->busy_told = 2;
	}
}

static void look(struct monitor *monitor)
{
	struct control *control = monitor->control;
	int64_t now = control_lock(control), begun = steady_ms(), still = begun - monitor->last_ms;

	control->round_ms += still < STEP_MOST_MS ? still : STEP_MOST_MS;
	if (still >= MONITOR_STALL_SECONDS * 1000)
		tell_stall(monitor, still, now);
	judge_itself(monitor, still, now);
	monitor->last_ms = begun;
	relays_watch(control, now);
	look_at_nodes(monitor, now);
	monitor->round_took_ms = steady_ms() - begun;
	control_leave(control);
	control_log_refused(control, NULL);
	atomic_store(&monitor->round_at, steady_ms());
}

/* ------------------------------------------------------------------ threads */

/* True when the monitor is to end. */
static bool wait_ms(struct monitor *monitor, int64_t ms)
{
	struct timespec until;
	bool ends;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms / 1000;
	until.tv_nsec += ms % 1000 * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&monitor->mutex);
	while (!monitor->is_ending && !pthread_cond_timedwait(&monitor->wake, &monitor->mutex, &until))
		;
	ends = monitor->is_ending;
	pthread_mutex_unlock(&monitor->mutex);
	return ends;
}

static void *run(void *context)
{
	struct monitor *monitor = context;

	do
		look(monitor);
	while (!wait_ms(monitor, MONITOR_ROUND_MS));
	return NULL;
}

/* Can't wait for the lock that the monitor waits for perhaps: the log gets it at once, the events when the monitor goes on. */
static void *watch(void *context)
{
	struct monitor *monitor = context;
	int64_t told = 0;

	while (!wait_ms(monitor, 1000)) {
		int64_t last = atomic_load(&monitor->round_at), still = steady_ms() - last;

		if (still < MONITOR_STALL_SECONDS * 1000 || told == last)
			continue;
		told = last;
		log_error(0, "ALARM: the monitor has stood still for %.1f s; is the state folder's disk stuck?", (double)still / 1000);
	}
	return NULL;
}

int monitor_start(struct control *control, struct monitor **ret_monitor)
{
	struct monitor *monitor = calloc(1, sizeof *monitor);
	pthread_condattr_t monotonic;
	int r;

	if (!monitor)
		return -ENOMEM;
	monitor->control = control;
	monitor->last_ms = steady_ms();
	atomic_store(&monitor->round_at, monitor->last_ms);
	pthread_mutex_init(&monitor->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&monitor->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = pthread_create(&monitor->thread, NULL, run, monitor);
	if (r) {
		free(monitor);
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	}
	r = pthread_create(&monitor->watchdog, NULL, watch, monitor);
	if (r) {
		monitor->watchdog = monitor->thread;
		monitor_stop(monitor);
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	}
	*ret_monitor = monitor;
	return 0;
}

void monitor_stop(struct monitor *monitor)
{
	if (!monitor)
		return;
	pthread_mutex_lock(&monitor->mutex);
	monitor->is_ending = true;
	pthread_cond_broadcast(&monitor->wake);
	pthread_mutex_unlock(&monitor->mutex);
	pthread_join(monitor->thread, NULL);
	if (!pthread_equal(monitor->thread, monitor->watchdog))
		pthread_join(monitor->watchdog, NULL);
	pthread_mutex_destroy(&monitor->mutex);
	pthread_cond_destroy(&monitor->wake);
	free(monitor);
}

json_t *monitor_describe(const struct monitor *monitor)
{
	return json_pack("{sf sf si sf}", "clock_seconds", (double)monitor->control->round_ms / 1000, "round_seconds",
			 (double)monitor->round_took_ms / 1000, "stalls", (int)monitor->stalls, "longest_stall_seconds",
			 (double)monitor->longest_stall_ms / 1000);
}

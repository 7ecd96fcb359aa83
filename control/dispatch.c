// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "control/balancer.h"
#include "control/dispatch-deeds.h"
#include "control/lifecycle.h"
#include "control/place.h"

#define LOOK_MILLISECONDS 200
#define IDLE_SECONDS 5           /* when nothing is under way */
#define PROGRESS_MILLISECONDS 60000 /* what has passed of a limit is stored so often */
#define REST_NANOSECONDS 1000000L   /* between two holds of the lock: whoever waits for it gets it */

struct dispatch {
	struct control *control;
	pthread_t thread;
	bool is_running, is_ending;
	pthread_cond_t wake;           /* with the control's lock */
	struct restart_record **active;
	size_t count, room;
	int64_t hold_until;            /* of the round's hold of the lock, by steady_ms() */
};

int64_t dispatch_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t clock_begin; /* of dispatch_clock, at 0 of the steady one */

static void begin_clock(void)
{
	clock_begin = dispatch_time() - steady_ms();
}

int64_t dispatch_clock(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, begin_clock);
	return clock_begin + steady_ms();
}

/* ------------------------------------------------------------------ the active ones */

static void record_free(struct restart_record *record)
{
	if (!record)
		return;
	restart_record_release(record);
	free(record);
}

static int add(struct dispatch *dispatch, struct restart_record *record, struct restart_record **ret_added)
{
	struct node *node = fleet_get(dispatch->control->fleet, record->node);
	struct restart_record *added = malloc(sizeof *added);
	struct restart_record **grown;

	if (added && dispatch->count == dispatch->room) {
		grown = reallocarray(dispatch->active, dispatch->room + 16, sizeof(*grown));
		if (!grown) {
			free(added);
			added = NULL;
		} else {
			dispatch->active = grown;
			dispatch->room += 16;
		}
	}
	if (!added) {
		restart_record_release(record);
		return -ENOMEM;
	}
	*added = *record;
	dispatch->active[dispatch->count++] = added;
	if (node)
		node->restart = added;
	if (ret_added)
		*ret_added = added;
	return 0;
}

int dispatch_add(struct control *control, struct restart_record *record, struct restart_record **ret_added)
{
	return add(control->dispatch, record, ret_added);
}

void dispatch_wake(struct control *control)
{
	pthread_cond_signal(&control->dispatch->wake);
}

/* The node of one that goes on; NULL when it was forgotten, even if it is back: its restarts were forgotten with it. */
static struct node *node_of(const struct control *control, const struct restart_record *record)
{
	struct node *node = fleet_get(control->fleet, record->node);

	return node && node->restart == record ? node : NULL;
}

void dispatch_forget_added(struct control *control, size_t count)
{
	struct dispatch *dispatch = control->dispatch;

	while (dispatch->count > count) {
		struct restart_record *record = dispatch->active[--dispatch->count];
		struct node *node = node_of(control, record);

		if (node)
			node->restart = NULL;
		record_free(record);
	}
}

static void drop_ended(struct dispatch *dispatch)
{
	size_t kept = 0;

	for (size_t i = 0; i < dispatch->count; i++) {
		if (dispatch->active[i]->ended)
			record_free(dispatch->active[i]);
		else
			dispatch->active[kept++] = dispatch->active[i];
	}
	dispatch->count = kept;
}

const struct restart_record *dispatch_of(const struct control *control, const char *id)
{
	const struct node *node = fleet_get(control->fleet, id);

	return node ? node->restart : NULL;
}

bool dispatch_checks_all(const struct control *control, const char *id)
{
	const struct restart_record *record = dispatch_of(control, id);

	return record && (record->restart.kind == RESTART_REIMAGE || record->restart.kind == RESTART_CUT) && record->restart.step >= RESTART_AT_SELECT;
}

size_t dispatch_count(const struct control *control)
{
	return control->dispatch->count;
}

/* ------------------------------------------------------------------ one look */

const char *dispatch_name(const struct control *control, const char *id)
{
	const struct node *node = fleet_get(control->fleet, id);
	const char *name = node ? assignment_host_name(&node->assignment) : NULL;

	return name ? name : id;
}

/* Says what keeps it from beginning: somebody may have to do something about it. Not each time when that changes to and fro. */
static void tell_waits(struct control *control, struct restart_record *record, const char *waits, int64_t clock)
{
	bool is_new = strcmp(record->waits, waits) != 0;

	snprintf(record->waits, sizeof record->waits, "%s", waits);
	if (!is_new || !waits[0] || record->restart.step != RESTART_AT_REPLACE ||
	    (record->told_waits && clock - record->told_waits < PROGRESS_MILLISECONDS))
		return;
	record->told_waits = clock;
	control_event(control, time(NULL), record->node, SEVERITY_NOTICE, "restart-waits", json_pack("{sI}", "restart", (json_int_t)record->id),
		      "%s %s waits: %s", restart_kind_name(record->restart.kind), dispatch_name(control, record->node), waits);
}

/* Whether time passes towards a limit that would be lost with the control unit. */
static bool counts_time(const struct restart *restart)
{
	if (restart->step == RESTART_AT_REPLACE)
		return restart->took_spare;
	return restart->step != RESTART_AT_RELEASE || restart->urgency != URGENCY_WAIT || restart->limits.grace_given;
}

/* What is to be done now. 1 when it is nothing; else 0. */
static int decide(struct control *control, struct restart_record *record, int64_t clock, struct restart *ret_after, unsigned *ret_deeds)
{
	enum restart_step before = record->restart.step;
	struct restart_view view;

	for (int fresh = 0; fresh < 2; fresh++) {
		*ret_after = record->restart;
		dispatch_observe(control, record, fresh, clock, &view);
		*ret_deeds = restart_look(ret_after, &view);
		/* A figure of a second ago is enough to wait, and for nothing else. */
		if (before != RESTART_AT_REPLACE || (ret_after->step == before && !*ret_deeds))
			break;
	}
	if (ret_after->step == before)
		tell_waits(control, record, restart_waits(ret_after, &view), clock);
	else
		record->waits[0] = 0;
	return !*ret_deeds && !memcmp(ret_after, &record->restart, sizeof *ret_after);
}

/* Of a node that was forgotten, and its row with it. */
static void forget(struct control *control, struct restart_record *record)
{
	size_t count = control->dispatch->count;
	struct dispatch_saved saved = { 0 };
	int r = store_begin(control->store);

	if (!r) {
		r = dispatch_undo(control, record, &saved);
		if (!r)
			r = store_commit(control->store);
		else
			store_rollback(control->store);
	}
	dispatch_end_saved(&saved, r < 0);
	if (!r)
		record->ended = dispatch_time();
	else
		dispatch_forget_added(control, count);
}

/* Steps as far as it goes now. */
static void look(struct control *control, struct restart_record *record, int64_t clock)
{
	struct restart after;
	unsigned deeds;
	int r = 0;

	if (!record->ended && !node_of(control, record))
		forget(control, record);
	while (!r && !record->ended) {
		if (decide(control, record, clock, &after, &deeds)) {
			if (clock - record->clock < PROGRESS_MILLISECONDS || !counts_time(&after))
				return;
			/* Its progress. */
		} else if (deeds == DO_POWER_LOOK && !memcmp(&after, &record->restart, sizeof after)) {
			/* A mere question to a BMC isn't worth a write. */
			dispatch_use_power(control, record, deeds, clock);
			return;
		}
		r = dispatch_advance(control, record, &after, deeds, clock);
		/* The same step again waits for the next look: its deeds need time. Whoever wants the lock doesn't wait for more than one write. */
		if (!r && ((deeds && !(deeds & (DO_SELECT | DO_DRAIN | DO_CUT))) || steady_ms() >= control->dispatch->hold_until))
			return;
	}
	if (r < 0)
		log_error(r, "restart %llu of %s waits", (unsigned long long)record->id, dispatch_name(control, record->node));
}

void dispatch_round(struct control *control)
{
	const struct timespec rest = { 0, REST_NANOSECONDS };
	struct dispatch *dispatch = control->dispatch;

	dispatch->hold_until = steady_ms() + DISPATCH_HOLD_MS;
	/* By index: a look may add one. */
	for (size_t i = 0; i < dispatch->count && !dispatch->is_ending; i++) {
		look(control, dispatch->active[i], dispatch_clock());
		if (steady_ms() < dispatch->hold_until)
			continue;
		pthread_mutex_unlock(&control->lock);
		nanosleep(&rest, NULL);
		pthread_mutex_lock(&control->lock);
		dispatch->hold_until = steady_ms() + DISPATCH_HOLD_MS;
	}
	drop_ended(dispatch);
}

/* ------------------------------------------------------------------ the thread */

static void *run(void *context)
{
	struct dispatch *dispatch = context;
	struct control *control = dispatch->control;
	struct timespec until;

	pthread_mutex_lock(&control->lock);
	while (!dispatch->is_ending) {
		dispatch_round(control);
		clock_gettime(CLOCK_MONOTONIC, &until);
		if (dispatch->count) {
			until.tv_nsec += LOOK_MILLISECONDS * 1000000L;
			until.tv_sec += until.tv_nsec / 1000000000L;
			until.tv_nsec %= 1000000000L;
		} else {
			until.tv_sec += IDLE_SECONDS;
		}
		pthread_cond_timedwait(&dispatch->wake, &control->lock, &until);
	}
	pthread_mutex_unlock(&control->lock);
	return NULL;
}

static int take_up(void *context, struct restart_record *record)
{
	restart_record_resume(record, dispatch_clock());
	/* Agents need time to come back. */
	if (record->restart.step >= RESTART_AT_SHUTDOWN)
		record->restart.since += RETURN_SECONDS * 1000;
	return add(context, record, NULL);
}

/* Of a database from a backup, perhaps: what was done for the restart is so. */
static int repeat(struct control *control, struct restart_record *record)
{
	struct node *node = node_of(control, record);
	int r = store_put_restart(control->store, record);

	if (r < 0 || !node || record->restart.step < RESTART_AT_DRAIN || record->restart.step >= RESTART_AT_READY)
		return r;
	return node->balancer_want == BALANCER_READY ? balancer_want(control, record->node, BALANCER_DRAIN) : 0;
}

static int repeat_all(struct control *control, struct dispatch *dispatch)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < dispatch->count; i++)
		r = repeat(control, dispatch->active[i]);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

int dispatch_new(struct control *control, struct dispatch **ret_dispatch)
{
	struct dispatch *dispatch = calloc(1, sizeof *dispatch);
	pthread_condattr_t monotonic;
	int r;

	if (!dispatch)
		return -ENOMEM;
	dispatch->control = control;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&dispatch->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = store_prune_restarts(control->store);
	if (!r)
		r = store_each_restart(control->store, &(struct restart_filter){ .node = "", .active = true, .most = UINT32_MAX }, take_up,
				       dispatch);
	if (!r)
		r = repeat_all(control, dispatch);
	if (r < 0) {
		dispatch_free(dispatch);
		return r;
	}
	/* A control unit that ended between a node's membership and its life. */
	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		place_life(control, fleet_at(control->fleet, i), time(NULL));
	if (dispatch->count)
		log_info("%zu restarts go on that were under way", dispatch->count);
	*ret_dispatch = dispatch;
	return 0;
}

int dispatch_start(struct dispatch *dispatch)
{
	int r = pthread_create(&dispatch->thread, NULL, run, dispatch);

	dispatch->is_running = r == 0;
	return r ? log_error(-r, "can't start a thread; are its limits of threads and memory too small?") : 0;
}

void dispatch_free(struct dispatch *dispatch)
{
	if (!dispatch)
		return;
	if (dispatch->is_running) {
		pthread_mutex_lock(&dispatch->control->lock);
		dispatch->is_ending = true;
		pthread_cond_signal(&dispatch->wake);
		pthread_mutex_unlock(&dispatch->control->lock);
		pthread_join(dispatch->thread, NULL);
	}
	pthread_cond_destroy(&dispatch->wake);
	for (size_t i = 0; i < dispatch->count; i++)
		record_free(dispatch->active[i]);
	free(dispatch->active);
	free(dispatch);
}

void dispatch_asked(struct control *control, const char *id, const char *nonce)
{
	const struct node *node = fleet_get(control->fleet, id);
	struct restart_record *record = node ? node->restart : NULL;

	if (!record || !strcmp(nonce, record->nonce))
		return;
	/* The node's own record has that nonce only once it was answered. */
	record->asked = true;
	look(control, record, dispatch_clock());
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "control/dispatch-deeds.h"
#include "control/place.h"

#define LOOK_MILLISECONDS 200
#define IDLE_SECONDS 5 /* when nothing is under way */

struct dispatch {
	struct control *control;
	pthread_t thread;
	bool is_running, is_ending;
	pthread_cond_t wake;           /* with the control's lock */
	struct restart_record **active;
	size_t count, room;
};

int64_t dispatch_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ the active ones */

static void record_free(struct restart_record *record)
{
	if (!record)
		return;
	restart_record_release(record);
	free(record);
}

/* Takes the record's content over, also on error. */
static int add(struct dispatch *dispatch, struct restart_record *record, struct restart_record **ret_added)
{
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
	if (ret_added)
		*ret_added = added;
	return 0;
}

static int take_up(void *context, struct restart_record *record)
{
	record->taken_up = true;
	/* The time that the control unit was away counts for nobody. */
	if (record->restart.step >= RESTART_AT_SHUTDOWN)
		record->restart.since = dispatch_clock();
	return add(context, record, NULL);
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

static struct restart_record *find(const struct dispatch *dispatch, const char *id)
{
	for (size_t i = 0; i < dispatch->count; i++)
		if (!dispatch->active[i]->ended && !strcmp(dispatch->active[i]->node, id))
			return dispatch->active[i];
	return NULL;
}

const struct restart_record *dispatch_of(const struct control *control, const char *id)
{
	return find(control->dispatch, id);
}

bool dispatch_checks_all(const struct control *control, const char *id)
{
	const struct restart_record *record = find(control->dispatch, id);

	return record && record->restart.kind == RESTART_REIMAGE && record->restart.step >= RESTART_AT_SELECT;
}

size_t dispatch_count(const struct control *control)
{
	return control->dispatch->count;
}

/* ------------------------------------------------------------------ one look */

static const char *name_of(const struct control *control, const char *id)
{
	const struct node *node = fleet_get(control->fleet, id);
	const char *name = node ? assignment_host_name(&node->assignment) : NULL;

	return name ? name : id;
}

static int tell_step(struct control *control, const struct restart_record *record, enum restart_step before, int64_t now)
{
	const struct restart *restart = &record->restart;
	enum severity severity = restart->step == RESTART_FAILED ? SEVERITY_ALARM : SEVERITY_INFO;
	json_t *data = json_pack("{sI ss ss}", "restart", (json_int_t)record->id, "step", restart_step_name(restart->step), "before",
				 restart_step_name(before));

	return control_event(control, now / 1000, record->node, severity, "restart", data, "%s %s: %s%s%s (%s took %.1f s)",
			     restart_kind_name(restart->kind), name_of(control, record->node), restart_step_name(restart->step),
			     restart->error[0] ? ": " : "", restart->error, restart_step_name(before),
			     record->steps ? json_number_value(json_object_get(json_array_get(record->steps, json_array_size(record->steps) - 1),
									      "seconds")) : 0.0);
}

/* Stores the record, and with another step than `before` the event of it. 0 or -errno. */
static int keep(struct control *control, struct restart_record *record, enum restart_step before, int64_t now)
{
	int r;

	if (restart_has_ended(&record->restart))
		record->ended = now;
	r = store_begin(control->store);
	if (r < 0)
		return r;
	r = store_put_restart(control->store, record);
	if (!r && record->restart.step != before)
		r = tell_step(control, record, before, now);
	if (!r)
		r = store_commit(control->store);
	else
		store_rollback(control->store);
	if (!r)
		record->taken_up = false;
	return r;
}

/* What `after` says was done or reached, from `record->restart` on. On failure nothing has changed, and it is tried again. */
static int advance(struct control *control, struct restart_record *record, const struct restart *after, unsigned deeds, int64_t now)
{
	struct restart before = record->restart;
	size_t steps = json_array_size(record->steps);
	int r = deeds ? dispatch_do(control, record, deeds, now) : 0;

	if (!r && after->step != before.step)
		r = restart_record_note(record, now);
	if (r < 0)
		return r;
	record->restart = *after;
	r = keep(control, record, before.step, now);
	if (r < 0) {
		record->restart = before;
		record->ended = 0;
		while (json_array_size(record->steps) > steps)
			json_array_remove(record->steps, steps);
	}
	return r;
}

/* Steps as far as it goes now. */
static void look(struct control *control, struct restart_record *record, int64_t now)
{
	struct restart_view view;
	struct restart after;
	unsigned deeds;
	int r = 0;

	if (!fleet_get(control->fleet, record->node)) {
		/* Forgotten, and its row with it. */
		dispatch_undo(control, record);
		record->ended = now;
	}
	while (!r && !record->ended) {
		after = record->restart;
		dispatch_observe(control, record, now, &view);
		deeds = restart_look(&after, &view);
		if (!deeds && !memcmp(&after, &record->restart, sizeof after))
			return;
		/* A mere question to a BMC isn't worth a write. */
		if (deeds == DO_POWER_LOOK && !memcmp(&after, &record->restart, sizeof after)) {
			dispatch_do(control, record, deeds, now);
			return;
		}
		r = advance(control, record, &after, deeds, now);
		/* The same step again waits for the next look: its deeds need time. */
		if (!r && deeds && !(deeds & (DO_SELECT | DO_DRAIN)))
			return;
	}
	if (r < 0)
		log_error(r, "restart %llu of %s waits", (unsigned long long)record->id, name_of(control, record->node));
}

static void *run(void *context)
{
	struct dispatch *dispatch = context;
	struct control *control = dispatch->control;
	struct timespec until;

	pthread_mutex_lock(&control->lock);
	while (!dispatch->is_ending) {
		/* By index: a look may add one. */
		for (size_t i = 0; i < dispatch->count; i++)
			look(control, dispatch->active[i], dispatch_clock());
		drop_ended(dispatch);
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
	if (r < 0) {
		dispatch_free(dispatch);
		return r;
	}
	/* A control unit that ended between a node's membership and its life. */
	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		place_life(control, fleet_get(control->fleet, fleet_node(control->fleet, i)->id), dispatch_clock() / 1000);
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

/* ------------------------------------------------------------------ people */

/* Whether what it is to boot is there, after the change (or NULL), which is made at the step "select". */
static int check_change(struct control *control, const struct node *node, const json_t *change, char ret_error[ERROR_TEXT])
{
	const struct image *os, *app;
	struct assignment changed;
	int r = assignment_copy(&node->assignment, &changed);

	if (r < 0)
		return r;
	if (!changed.os[0] && !change)
		r = refused(ret_error, "nothing is assigned to it; `repave assign` first");
	if (!r && change)
		r = assignment_change(&changed, change, ret_error);
	if (!r)
		r = resolve_images(catalogue_images(control->catalogue), changed.os, changed.app[0] ? changed.app : NULL, &os, &app, ret_error);
	assignment_release(&changed);
	return r;
}

static int fill(struct restart_record *record, const struct node *node, const struct restart_wish *wish, int64_t now)
{
	*record = (struct restart_record){ .started = now, .steps = json_array() };
	strcpy(record->node, node->id);
	snprintf(record->by, sizeof record->by, "%s", wish->by);
	snprintf(record->reason, sizeof record->reason, "%s", wish->reason);
	strcpy(record->nonce, node->booted_once ? node->boot.nonce : "");
	strcpy(record->boot_id, node->live ? node->channel.boot_id : "");
	if (wish->change)
		record->change = json_deep_copy(wish->change);
	restart_begin(&record->restart, wish->kind, wish->urgency, &wish->limits, now);
	return record->steps && (record->change || !wish->change) ? 0 : -ENOMEM;
}

static int store_new(struct control *control, struct restart_record *record, int64_t now)
{
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_put_restart(control->store, record);
	if (!r)
		r = control_event(control, now / 1000, record->node, SEVERITY_NOTICE, "restart",
				  json_pack("{sI ss}", "restart", (json_int_t)record->id, "step", "begin"), "%s %s, urgency %s, ordered by %s%s%s",
				  restart_kind_name(record->restart.kind), name_of(control, record->node),
				  restart_urgency_name(record->restart.urgency), record->by, record->reason[0] ? ": " : "", record->reason);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

int dispatch_begin(struct control *control, const char *text, const struct restart_wish *wish, const struct restart_record **ret_record,
		   char ret_error[ERROR_TEXT])
{
	struct dispatch *dispatch = control->dispatch;
	struct restart_record record, *added = NULL;
	const struct restart_record *present;
	int64_t now = dispatch_clock();
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	if (r < 0)
		return r;
	present = find(dispatch, node->id);
	if (present) {
		snprintf(ret_error, ERROR_TEXT, "a %s of %s is under way since %.0f s (step %s); `repave node urgency` hurries it, `repave node cancel`"
			 " ends it", restart_kind_name(present->restart.kind), name_of(control, node->id),
			 (double)(now - present->started) / 1000, restart_step_name(present->restart.step));
		return -EEXIST;
	}
	r = wish->kind == RESTART_RELEASE ? 0 : check_change(control, node, wish->change, ret_error);
	if (r < 0)
		return r;
	r = fill(&record, node, wish, now);
	if (!r)
		r = store_new(control, &record, now);
	if (r < 0) {
		restart_record_release(&record);
		return r;
	}
	/* Stored, and without memory for it taken up at the next start. */
	r = add(dispatch, &record, &added);
	if (!r)
		*ret_record = added;
	pthread_cond_signal(&dispatch->wake);
	return r;
}

static int find_active(struct control *control, const char *text, struct restart_record **ret_record, char ret_error[ERROR_TEXT])
{
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);

	if (r < 0)
		return r;
	*ret_record = find(control->dispatch, node->id);
	if (!*ret_record)
		snprintf(ret_error, ERROR_TEXT, "no restart of %s is under way; `repave restart list` shows those that were",
			 name_of(control, node->id));
	return *ret_record ? 0 : -ENOENT;
}

static int too_late(const struct restart_record *record, char ret_error[ERROR_TEXT])
{
	snprintf(ret_error, ERROR_TEXT, "too late: its users are gone, and it is at the step \"%s\" since %.0f s",
		 restart_step_name(record->restart.step), (double)(dispatch_clock() - record->restart.since) / 1000);
	return -EBUSY;
}

int dispatch_cancel(struct control *control, const char *text, const char *by, const struct restart_record **ret_record,
		    char ret_error[ERROR_TEXT])
{
	struct restart_record *record;
	int64_t now = dispatch_clock();
	struct restart after;
	unsigned deeds;
	int r = find_active(control, text, &record, ret_error);

	if (r < 0)
		return r;
	after = record->restart;
	if (restart_cancel(&after, now, &deeds) < 0)
		return too_late(record, ret_error);
	r = advance(control, record, &after, deeds, now);
	if (!r)
		log_info("operator %s: the %s of %s is cancelled", by, restart_kind_name(after.kind), name_of(control, record->node));
	*ret_record = record;
	return r;
}

int dispatch_hurry(struct control *control, const char *text, enum restart_urgency urgency, const struct restart_record **ret_record,
		   char ret_error[ERROR_TEXT])
{
	struct restart_record *record;
	int64_t now = dispatch_clock();
	struct restart after;
	int r = find_active(control, text, &record, ret_error);

	if (r < 0)
		return r;
	after = record->restart;
	if (restart_hurry(&after, urgency, now) < 0)
		return too_late(record, ret_error);
	r = advance(control, record, &after, 0, now);
	pthread_cond_signal(&control->dispatch->wake);
	*ret_record = record;
	return r;
}

/* ------------------------------------------------------------------ nodes */

void dispatch_asked(struct control *control, const char *id, const char *nonce)
{
	struct restart_record *record = find(control->dispatch, id);

	if (!record || !strcmp(nonce, record->nonce))
		return;
	/* The node's own record has that nonce only once it was answered. */
	record->asked = true;
	look(control, record, dispatch_clock());
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decider.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <zstd.h>

#include "common/json.h"
#include "common/log.h"
#include "control/alarm.h"
#include "control/balancer.h"
#include "control/decider-deeds.h"
#include "control/dispatch.h"
#include "control/idle.h"
#include "control/place.h"
#include "control/restart-record.h"

#define PENDING_MS 200           /* between two looks at replacements under way */
#define APART_MS 100             /* rounds that were asked for */
#define REST_NANOSECONDS 1000000L
#define RETRY_SECONDS 60         /* what couldn't be done is tried again then */
#define FORGIVEN_SECONDS 3600    /* who has served for so long is no failed server any more */
#define PACK_LEVEL 3

struct decider {
	struct control *control;
	pthread_t thread;
	bool is_running, is_ending, is_woken;
	pthread_cond_t wake;             /* with the control's lock */
	struct learned learned;
	struct replacements replacements;
	uint32_t round;
	bool spares_low;                 /* told */
};

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ what stands */

/* FNV-1a. */
static uint32_t hash_of(const struct snapshot *seen, const struct decision *d)
{
	uint32_t hash = 2166136261u ^ (uint32_t)d->verdict;

	for (const char *at = seen->rules->items[d->rule].name; *at; at++)
		hash = (hash ^ (uint8_t)*at) * 16777619u;
	return hash | 1u;
}

/* Where it is remembered; NULL when what it is about is gone. */
static struct standing *standing_of(struct decider *decider, const struct snapshot *seen, const struct decision *d)
{
	struct learned_group *group;
	struct node *node;

	if (d->node != DECIDE_NOBODY) {
		node = fleet_get(decider->control->fleet, seen->nodes[d->node].id);
		return node ? &node->standing : NULL;
	}
	group = d->group == DECIDE_NOBODY ? NULL : learned_group(&decider->learned, seen->groups[d->group].name);
	return group ? &group->standing : NULL;
}

/* Those that were told already still stand. How many are new. */
static size_t mark_standing(struct decider *decider, const struct snapshot *seen, const struct decisions *out, int64_t now)
{
	size_t fresh = 0;

	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		struct standing *standing = standing_of(decider, seen, d);
		bool is_done = decider->control->decisions.acts && (d->verdict == VERDICT_DO || d->verdict == VERDICT_HURRY);

		if (standing && standing->row && standing->what == hash_of(seen, d) && (!is_done || standing->retry > now))
			standing->round = decider->round;
		else
			fresh++;
	}
	return fresh;
}

static void close_standing(struct decider *decider, struct standing *standing, int64_t now)
{
	if (!standing->row || standing->round == decider->round)
		return;
	if (store_close_decision(decider->control->store, standing->row, now) == 0)
		*standing = (struct standing){ 0 };
}

/* Those that don't stand any more. */
static void close_all(struct decider *decider, int64_t now)
{
	struct control *control = decider->control;

	if (store_begin(control->store) < 0)
		return;
	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		close_standing(decider, &fleet_at(control->fleet, i)->standing, now);
	for (size_t i = 0; i < decider->learned.group_count; i++)
		close_standing(decider, &decider->learned.groups[i].standing, now);
	store_commit(control->store);
}

/* ------------------------------------------------------------------ a round */

/* Gives the lock to whoever waits for it when it was held for so long. */
static void rest(struct control *control, int64_t *held_since)
{
	const struct timespec pause = { 0, REST_NANOSECONDS };

	if (steady_ms() - *held_since < DECIDER_HOLD_MS)
		return;
	pthread_mutex_unlock(&control->lock);
	nanosleep(&pause, NULL);
	pthread_mutex_lock(&control->lock);
	*held_since = steady_ms();
}

static int carry_out_one(struct decider *decider, const struct decider_view *view, const struct decision *d)
{
	bool acts = decider->control->decisions.acts && (d->verdict == VERDICT_DO || d->verdict == VERDICT_HURRY), failed = false;
	struct standing *standing = standing_of(decider, view->seen, d);
	enum journal_state state = d->verdict == VERDICT_LATER ? JOURNAL_LATER : d->verdict == VERDICT_DENIED ? JOURNAL_DENIED : JOURNAL_ADVISED;
	uint64_t row = 0;
	int r;

	/* A group has room for one: the first. */
	if (!standing || standing->round == decider->round || !decider_still_holds(view, d))
		return 0;
	if (acts)
		r = decider_do(view, d, &row, &failed);
	else
		r = decider_note(view, d, state, 0, "", &row);
	if (!r && d->verdict == VERDICT_DENIED && d->action == RULE_CUT && decider->control->decisions.acts)
		r = alarm_leave_to_people(decider->control, fleet_get(decider->control->fleet, view->seen->nodes[d->node].id));
	if (r < 0)
		return r;
	close_standing(decider, standing, view->now);
	/* What was done stands nowhere: it won't be decided again. */
	standing = acts && !failed ? NULL : standing_of(decider, view->seen, d);
	if (standing)
		*standing = (struct standing){ .row = row, .what = hash_of(view->seen, d), .round = decider->round,
					       .retry = failed ? view->now + RETRY_SECONDS : 0 };
	return 0;
}

/* False when not all was looked at. */
static bool carry_out(struct decider *decider, const struct decider_view *view, const struct decisions *out, bool settled)
{
	int64_t began = steady_ms(), held = began;

	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		int r = 0;

		if (decider->is_ending || steady_ms() - began > DECIDER_ROUND_MS)
			return false;
		if (settled || d->action == RULE_CUT || d->action == RULE_QUARANTINE)
			r = carry_out_one(decider, view, d);
		if (r < 0) {
			log_error(r, "a decision of the rule %s waits", view->seen->rules->items[d->rule].name);
			return true;
		}
		rest(decider->control, &held);
	}
	return true;
}

/* What a round saw and decided, for replay. Not within the lock. NULL when out of memory. */
static void *pack(const struct fleet_snapshot *snapshot, const struct decisions *out, size_t *ret_size)
{
	json_t *object = snapshot_format(snapshot);
	char *text = NULL;
	void *packed = NULL;
	size_t room;

	json_object_set_new(object, "decisions", decisions_format(&snapshot->seen, out));
	text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	if (text) {
		room = ZSTD_compressBound(strlen(text));
		packed = malloc(room);
		*ret_size = packed ? ZSTD_compress(packed, room, text, strlen(text), PACK_LEVEL) : 0;
		if (packed && ZSTD_isError(*ret_size)) {
			free(packed);
			packed = NULL;
		}
	}
	free(text);
	return packed;
}

static bool does_something(const struct decisions *out)
{
	for (size_t i = 0; i < out->count; i++)
		if (out->items[i].verdict == VERDICT_DO || out->items[i].verdict == VERDICT_HURRY)
			return true;
	return false;
}

/* ------------------------------------------------------------------ what isn't a rule's */

/* A failed server that left its group is a spare once it is back; and who served well for long hasn't failed. */
static void tidy(struct decider *decider, int64_t now)
{
	struct control *control = decider->control;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		struct node *node = fleet_at(control->fleet, i);

		if (node->spare && (node->life.state == LIFE_SERVING || node->life.state == LIFE_DRAINING) && !node->restart)
			place_life(control, node, now);
		if (node->history.retries && (node->life.state == LIFE_SERVING || node->life.state == LIFE_SPARE) && node_runs(node) &&
		    now - node->boot.updated > FORGIVEN_SECONDS) {
			node->history.retries = 0;
			learned_put_node(control, node);
		}
	}
	learned_tidy(control, &decider->learned, now);
}

static void tell_spares(struct decider *decider, const struct decisions *out, const struct snapshot *seen, int64_t now)
{
	bool has_work = false, low;

	for (size_t i = 0; i < seen->node_count && !has_work; i++)
		has_work = seen->nodes[i].group != DECIDE_NOBODY;
	low = has_work && out->spares_there < out->spares_wanted;
	if (low == decider->spares_low)
		return;
	decider->spares_low = low;
	control_event(decider->control, now, "", low ? SEVERITY_WARNING : SEVERITY_NOTICE, low ? "spares-low" : "spares-enough",
		      json_pack("{sI sI}", "spares", (json_int_t)out->spares_there, "wanted", (json_int_t)out->spares_wanted),
		      low ? "%zu spare(s) are free, and there should be %zu; make more servers spares, or lower spares or spares_least of decisions"
			  : "%zu spare(s) are free; there should be %zu", out->spares_there, out->spares_wanted);
}

/* Whether its servers have more users than they should, and nobody comes. */
static bool is_overrun(const struct snapshot *seen, size_t group)
{
	double high = seen->groups[group].policy.limits[LIMIT_USERS_HIGH], users = 0;
	unsigned ready = 0;

	for (size_t i = 0; i < seen->node_count; i++) {
		const struct seen_node *node = &seen->nodes[i];

		if (node->group != group)
			continue;
		/* Who comes will help. */
		if (node->life == LIFE_BOOTING || node->life == LIFE_REBOOTING || (node->busy && !node->goes))
			return false;
		ready += node->life == LIFE_SERVING;
		users += isnan(node->users) ? 0 : node->users;
	}
	return high > 0 && ready && users / ready > high;
}

static void set_denied(struct decider *decider, struct learned_group *past, bool denied, int64_t now)
{
	struct group *group = group_list_find(fleet_groups(decider->control->fleet), past->name);
	char why[ERROR_TEXT] = "";
	int r;

	/* A person who denied lifts it, too. */
	if (!group || (denied && group->denied))
		return;
	past->denies = denied;
	r = store_begin(decider->control->store);
	if (r < 0)
		return;
	r = balancer_deny(decider->control, group->name, denied, why);
	if (!r)
		r = learned_put_group(decider->control, past);
	if (!r)
		r = control_event(decider->control, now, "", denied ? SEVERITY_ALARM : SEVERITY_NOTICE, denied ? "overrun" : "overrun-over",
				  json_pack("{ss}", "group", group->name),
				  denied ? "group %s has too many users and no server can be added: new users are denied; add spares or raise its maximum"
					 : "group %s takes new users again", group->name);
	if (!r)
		r = store_commit(decider->control->store);
	else
		store_rollback(decider->control->store);
	if (r < 0) {
		past->denies = !denied;
		group->denied = !denied;
	}
}

/* New users are denied only while nothing else is left. */
static void deny_overrun(struct decider *decider, const struct decisions *out, const struct snapshot *seen, int64_t now)
{
	for (size_t i = 0; i < out->count; i++) {
		const struct decision *d = &out->items[i];
		struct learned_group *past;
		bool helped = false;

		/* Who was added in this round will help. */
		for (size_t other = 0; other < out->count && !helped; other++)
			helped = out->items[other].verdict == VERDICT_DO && out->items[other].group == d->group &&
				 (out->items[other].action == RULE_ADD || out->items[other].action == RULE_MOVE);
		if (helped || d->verdict != VERDICT_DENIED || (d->action != RULE_ADD && d->action != RULE_MOVE) || d->group == DECIDE_NOBODY || !is_overrun(seen, d->group))
			continue;
		past = learned_group(&decider->learned, seen->groups[d->group].name);
		if (past && !past->denies)
			set_denied(decider, past, true, now);
	}
	for (size_t i = 0; i < seen->group_count; i++) {
		struct learned_group *past = learned_group(&decider->learned, seen->groups[i].name);

		if (past && past->denies && !is_overrun(seen, i))
			set_denied(decider, past, false, now);
	}
}

/* ------------------------------------------------------------------ all of it */

static void finish(struct decider *decider, const struct decider_view *view, const struct decisions *out, bool settled)
{
	bool whole = carry_out(decider, view, out, settled);

	if (!settled)
		return;
	if (whole)
		close_all(decider, view->now);
	else
		decider->is_woken = true;
	tell_spares(decider, out, view->seen, view->now);
	if (!decider->control->decisions.acts)
		return;
	idle_look(decider->control, &decider->replacements, view->now);
	deny_overrun(decider, out, view->seen, view->now);
}

void decider_round(struct control *control)
{
	struct decider *decider = control->decider;
	struct decisions out = { 0 };
	struct fleet_snapshot snapshot;
	int64_t now = time(NULL);
	bool settled = snapshot_settled(control);
	struct decider_view view = { control, &decider->learned, &decider->replacements, &snapshot.seen, 0, now };
	void *packed = NULL;
	size_t size = 0;
	int r;

	decider->round++;
	tidy(decider, now);
	r = snapshot_take(control, &decider->learned, &decider->replacements, true, now, &snapshot);
	if (r < 0) {
		decider->is_woken |= r == -EAGAIN;
		return;
	}
	pthread_mutex_unlock(&control->lock);
	r = decide(&snapshot.seen, &out);
	pthread_mutex_lock(&control->lock);
	if (r < 0)
		goto out;
	if (mark_standing(decider, &snapshot.seen, &out, now) && does_something(&out)) {
		pthread_mutex_unlock(&control->lock);
		packed = pack(&snapshot, &out, &size);
		pthread_mutex_lock(&control->lock);
		if (packed)
			store_add_round(control->store, now, packed, size, &view.round);
	}
	finish(decider, &view, &out, settled);
	decisions_release(&out);
out:
	free(packed);
	fleet_snapshot_release(&snapshot);
}

int decider_snapshot(struct control *control, int64_t now, struct fleet_snapshot *ret_snapshot)
{
	struct decider *decider = control->decider;

	return decider ? snapshot_take(control, &decider->learned, &decider->replacements, false, now, ret_snapshot) : -ENOENT;
}

int decider_restart_ended(struct control *control, const struct restart_record *record)
{
	struct node *node = fleet_get(control->fleet, record->node);
	int r = journal_restart_ended(control, record);

	if (r < 0 || !control->decider)
		return r;
	if (record->restart.step == RESTART_FAILED && node && node->group[0]) {
		strcpy(node->history.failed, node->group);
		r = learned_put_node(control, node);
	}
	if (!r)
		r = learned_note_restart(control, &control->decider->learned, record, time(NULL));
	decider_wake(control);
	return r;
}

int decider_cleared(struct control *control, struct node *node, const char *group)
{
	int r = 0;

	for (size_t i = 0; !r && i < fleet_count(control->fleet); i++) {
		struct node *one = fleet_at(control->fleet, i);
		struct history before = one->history;

		if (node ? one != node : strcmp(one->history.failed, group) != 0)
			continue;
		one->history.failed[0] = '\0';
		one->history.retries = 0;
		r = learned_put_node(control, one);
		if (r < 0)
			one->history = before;
	}
	decider_wake(control);
	return r;
}

double decider_start_time(const struct control *control, const struct node *node)
{
	const struct group *group = group_of(control->fleet, node);

	if (!control->decider)
		return START_SECONDS_DEFAULT;
	return group ? learned_start_time(&control->decider->learned, group) :
		       learned_start_of(&control->decider->learned, node->assignment.os, node->assignment.app);
}

/* ------------------------------------------------------------------ the thread */

void decider_wake(struct control *control)
{
	if (!control->decider)
		return;
	control->decider->is_woken = true;
	pthread_cond_signal(&control->decider->wake);
}

static void wait_until(struct decider *decider, int64_t ms)
{
	struct timespec until = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	pthread_cond_timedwait(&decider->wake, &decider->control->lock, &until);
}

static void *run(void *context)
{
	struct decider *decider = context;
	struct control *control = decider->control;
	int64_t last = 0;

	pthread_mutex_lock(&control->lock);
	while (!decider->is_ending) {
		bool pending = replacements_look(control, &decider->replacements);
		int64_t now = steady_ms(), next = last + (decider->is_woken ? APART_MS : (int64_t)(control->decisions.tick * 1000));

		if (!last || now >= next) {
			decider->is_woken = false;
			decider_round(control);
			last = steady_ms();
			next = last + (int64_t)(control->decisions.tick * 1000);
			pending |= decider->replacements.count > 0;
		}
		if (decider->is_woken && next > last + APART_MS)
			next = last + APART_MS;
		if (pending && next > steady_ms() + PENDING_MS)
			next = steady_ms() + PENDING_MS;
		if (!decider->is_ending)
			wait_until(decider, next);
	}
	pthread_mutex_unlock(&control->lock);
	return NULL;
}

int decider_new(struct control *control, struct decider **ret_decider)
{
	struct decider *decider = calloc(1, sizeof *decider);
	pthread_condattr_t monotonic;
	int r;

	if (!decider)
		return -ENOMEM;
	decider->control = control;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&decider->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = learned_load(control, &decider->learned);
	if (!r)
		r = replacements_load(control, &decider->replacements);
	if (!r)
		r = store_end_standing(control->store, time(NULL));
	if (r < 0) {
		decider_free(decider);
		return r;
	}
	*ret_decider = decider;
	return 0;
}

int decider_start(struct decider *decider)
{
	int r = pthread_create(&decider->thread, NULL, run, decider);

	decider->is_running = r == 0;
	return r ? log_error(-r, "can't start a thread; are its limits of threads and memory too small?") : 0;
}

void decider_stop(struct decider *decider)
{
	if (!decider || !decider->is_running)
		return;
	pthread_mutex_lock(&decider->control->lock);
	decider->is_ending = true;
	pthread_cond_signal(&decider->wake);
	pthread_mutex_unlock(&decider->control->lock);
	pthread_join(decider->thread, NULL);
	decider->is_running = false;
}

void decider_free(struct decider *decider)
{
	if (!decider)
		return;
	decider_stop(decider);
	pthread_cond_destroy(&decider->wake);
	learned_release(&decider->learned);
	replacements_release(&decider->replacements);
	free(decider);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/people.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/snapshot.h"

#define PEOPLE_SETTING "people"

/* ------------------------------------------------------------------ the store */

static json_t *format(const struct people *people)
{
	json_t *events = json_array(), *hints = json_array(), *requests = json_array();

	for (size_t i = 0; i < people->event_count; i++)
		json_array_append_new(events, planned_format(&people->events[i]));
	for (size_t i = 0; i < people->hint_count; i++)
		json_array_append_new(hints, hint_format(&people->hints[i]));
	for (size_t i = 0; i < people->request_count; i++)
		json_array_append_new(requests, user_request_format(&people->requests[i]));
	return json_pack("{so so so sI}", "events", events, "hints", hints, "requests", requests, "next", (json_int_t)people->next);
}

int people_store(struct control *control)
{
	json_t *value = format(control->people);
	int r = value ? store_put_setting(control->store, PEOPLE_SETTING, value) : -ENOMEM;

	json_decref(value);
	return r;
}

static struct planned *grow_events(struct people *people)
{
	struct planned *grown = reallocarray(people->events, people->event_count + 1, sizeof *grown);

	if (grown)
		people->events = grown;
	return grown ? &grown[people->event_count] : NULL;
}

static struct hint *grow_hints(struct people *people)
{
	struct hint *grown = reallocarray(people->hints, people->hint_count + 1, sizeof *grown);

	if (grown)
		people->hints = grown;
	return grown ? &grown[people->hint_count] : NULL;
}

static int restore_requests(struct people *people, const json_t *list)
{
	size_t count = json_array_size(list);
	int r = 0;

	people->requests = calloc(count + 1, sizeof *people->requests);
	if (!people->requests)
		return -ENOMEM;
	for (size_t i = 0; !r && i < count; i++) {
		r = user_request_restore(json_array_get(list, i), &people->requests[i]);
		people->request_count += !r;
	}
	return r;
}

static int restore(struct people *people, const json_t *value)
{
	const json_t *item;
	size_t i;
	int r = 0;

	people->next = (uint64_t)json_integer_value(json_object_get(value, "next"));
	json_array_foreach(json_object_get(value, "events"), i, item) {
		struct planned *event = grow_events(people);

		r = event ? planned_restore(item, event) : -ENOMEM;
		if (r < 0)
			return r;
		people->event_count++;
	}
	json_array_foreach(json_object_get(value, "hints"), i, item) {
		struct hint *hint = grow_hints(people);

		r = hint ? hint_restore(item, hint) : -ENOMEM;
		if (r < 0)
			return r;
		people->hint_count++;
	}
	return restore_requests(people, json_object_get(value, "requests"));
}

int people_new(struct control *control, struct people **ret_people)
{
	struct people *people = calloc(1, sizeof *people);
	json_t *stored = NULL;
	int r = people ? store_get_setting(control->store, PEOPLE_SETTING, &stored) : -ENOMEM;

	if (!r && stored)
		r = restore(people, stored);
	json_decref(stored);
	if (r == -EINVAL)
		log_error(r, "planned events and hints in the database are damaged");
	if (r < 0) {
		people_free(people);
		return r;
	}
	*ret_people = people;
	snapshot_sources.expect = people_expect_group;
	return 0;
}

void people_free(struct people *people)
{
	if (!people)
		return;
	for (size_t i = 0; i < people->event_count; i++)
		planned_release(&people->events[i]);
	free(people->events);
	free(people->hints);
	free(people->requests);
	free(people);
}

/* ------------------------------------------------------------------ events */

static bool is_over(const struct planned *event)
{
	return event->step >= PLANNED_OVER;
}

static void forget_event(struct people *people, size_t at)
{
	planned_release(&people->events[at]);
	memmove(&people->events[at], &people->events[at + 1], (--people->event_count - at) * sizeof people->events[0]);
}

/* The oldest of those that are over, when there are many. */
static void prune(struct people *people)
{
	size_t over = 0;

	for (size_t i = 0; i < people->event_count; i++)
		over += is_over(&people->events[i]);
	for (size_t i = 0; over > PLANNED_KEPT && i < people->event_count;) {
		if (is_over(&people->events[i])) {
			forget_event(people, i);
			over--;
		} else {
			i++;
		}
	}
}

int people_add_event(struct control *control, struct planned *event, char ret_error[ERROR_TEXT])
{
	struct people *people = control->people;
	struct planned *added;
	int r;

	if (people->event_count >= PLANNED_MOST + PLANNED_KEPT) {
		snprintf(ret_error, ERROR_TEXT, "there are %u planned events; remove some: `repave event planned`", PLANNED_MOST);
		return -EDQUOT;
	}
	prune(people);
	added = grow_events(people);
	if (!added)
		return -ENOMEM;
	event->id = ++people->next;
	*added = *event;
	people->event_count++;
	r = people_store(control);
	if (r < 0)
		people->event_count--;
	return r;
}

int people_cancel_event(struct control *control, uint64_t id, int64_t now, char ret_error[ERROR_TEXT])
{
	struct people *people = control->people;

	for (size_t i = 0; i < people->event_count; i++) {
		struct planned *event = &people->events[i], was = *event;
		int r;

		if (event->id != id || is_over(event))
			continue;
		planned_cancel(event, now);
		r = people_store(control);
		if (r < 0)
			*event = was;
		return r;
	}
	snprintf(ret_error, ERROR_TEXT, "there is no planned event %llu that isn't over; `repave event planned` lists them", (unsigned long long)id);
	return -ENOENT;
}

static bool is_same(const struct planned *a, const struct planned *b)
{
	json_t *one, *other;
	bool same;

	if (strcmp(a->node, b->node))
		return false;
	one = planned_definition(a);
	other = planned_definition(b);
	same = json_equal(one, other);
	json_decref(one);
	json_decref(other);
	return same;
}

/* The one among `events` that it is; NULL: none. */
static const struct planned *same_of(const struct planned *event, const struct planned *events, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!is_over(&events[i]) && !events[i].cancelled && is_same(&events[i], event))
			return &events[i];
	return NULL;
}

/* Of the others only those that are new are taken over: their times of the week are borrowed until people_end_change. */
static int add_others(struct people *people, const struct planned *events, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct planned *added;

		if (same_of(&events[i], people->events, people->event_count))
			continue;
		if (people->event_count >= PLANNED_MOST + PLANNED_KEPT)
			return -EDQUOT;
		added = grow_events(people);
		if (!added)
			return -ENOMEM;
		*added = events[i];
		added->id = ++people->next;
		people->event_count++;
	}
	return 0;
}

int people_replace_events(struct control *control, const struct planned *events, size_t count, int64_t now, struct people_change *ret_change)
{
	struct people *people = control->people;
	int r;

	prune(people);
	*ret_change = (struct people_change){ .before = calloc(people->event_count + 1, sizeof *people->events), .count = people->event_count,
					      .next = people->next };
	if (!ret_change->before)
		return -ENOMEM;
	for (size_t i = 0; i < ret_change->count; i++) {
		ret_change->before[i] = people->events[i];
		if (!is_over(&people->events[i]) && !same_of(&people->events[i], events, count))
			planned_cancel(&people->events[i], now);
	}
	r = add_others(people, events, count);
	return r < 0 ? r : people_store(control);
}

void people_end_change(struct control *control, struct people_change *change, struct planned *events, size_t count, bool failed)
{
	struct people *people = control->people;

	if (failed && change->before) {
		memcpy(people->events, change->before, change->count * sizeof *people->events);
		people->event_count = change->count;
		people->next = change->next;
	}
	for (size_t i = 0; !failed && i < count; i++) {
		bool is_taken = false;

		for (size_t k = change->count; k < people->event_count; k++)
			is_taken = is_taken || (events[i].when && people->events[k].when == events[i].when);
		if (!is_taken)
			planned_release(&events[i]);
	}
	free(change->before);
	*change = (struct people_change){ 0 };
}

json_t *people_export_events(const struct people *people)
{
	return planned_definitions(people ? people->events : NULL, people ? people->event_count : 0);
}

/* ------------------------------------------------------------------ hints */

int people_add_hint(struct control *control, const struct hint *hint, char ret_error[ERROR_TEXT])
{
	struct people *people = control->people;
	struct hint *added;
	int r;

	if (people->hint_count >= HINTS_MOST) {
		snprintf(ret_error, ERROR_TEXT, "there are %u hints already; they end by themselves", HINTS_MOST);
		return -EDQUOT;
	}
	added = grow_hints(people);
	if (!added)
		return -ENOMEM;
	*added = *hint;
	added->id = ++people->next;
	people->hint_count++;
	r = people_store(control);
	if (r < 0)
		people->hint_count--;
	return r;
}

static void forget_hint(struct people *people, size_t at)
{
	memmove(&people->hints[at], &people->hints[at + 1], (--people->hint_count - at) * sizeof people->hints[0]);
}

int people_remove_hint(struct control *control, uint64_t id, char ret_error[ERROR_TEXT])
{
	struct people *people = control->people;

	for (size_t i = 0; i < people->hint_count; i++) {
		if (people->hints[i].id != id)
			continue;
		forget_hint(people, i);
		return people_store(control);
	}
	snprintf(ret_error, ERROR_TEXT, "there is no hint %llu; `repave hint list` shows them", (unsigned long long)id);
	return -ENOENT;
}

bool people_expect(const struct control *control, const char *group, double users, int64_t now, double *ret_users, int64_t *ret_at, int64_t *ret_until)
{
	const struct people *people = control->people;
	const struct hint *best = NULL;

	for (size_t i = 0; people && i < people->hint_count; i++) {
		const struct hint *hint = &people->hints[i];
		bool holds = hint->at <= now, best_holds = best && best->at <= now;

		if (strcmp(hint->group, group) || hint->until <= now)
			continue;
		if (!best || holds > best_holds || (holds && best_holds && hint_expects(hint, users) > hint_expects(best, users)) ||
		    (!holds && !best_holds && hint->at < best->at))
			best = hint;
	}
	if (!best)
		return false;
	*ret_users = hint_expects(best, users);
	*ret_at = best->at;
	*ret_until = best->until;
	return true;
}

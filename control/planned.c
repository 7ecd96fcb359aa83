// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/planned.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "control/calendar.h"

#define TIME_MOST INT64_C(253402300799) /* the year 9999 */

static const char *const kinds[] = { "maintenance", "backup" };
static const char *const steps[] = { "waiting", "replacing", "aside", "returning", "over", "missed" };

const char *planned_kind_name(enum planned_kind kind)
{
	return kinds[kind];
}

const char *planned_step_name(enum planned_step step)
{
	return steps[step];
}

static int find(const char *const names[], size_t count, const char *text)
{
	for (size_t i = 0; text && i < count; i++)
		if (!strcmp(names[i], text))
			return (int)i;
	return -EINVAL;
}

/* ------------------------------------------------------------------ one look */

static unsigned step(struct planned *event, enum planned_step to, int64_t now, unsigned deeds)
{
	event->step = to;
	event->since = now;
	return deeds;
}

int64_t planned_begins(const struct planned *event, int64_t start_s)
{
	/* As long again for users to leave. */
	return event->from - (2 * start_s > event->lead ? 2 * start_s : event->lead);
}

static unsigned end(struct planned *event, enum planned_step to, int64_t now, unsigned deeds)
{
	return step(event, to, now, deeds | (event->spare[0] ? (unsigned)PLANNED_RELEASE_SPARE : 0u) | (unsigned)PLANNED_NEXT);
}

static unsigned look_waiting(struct planned *event, const struct planned_view *view)
{
	if (event->cancelled)
		return end(event, PLANNED_OVER, view->now, 0);
	if (view->now >= event->to)
		return end(event, PLANNED_MISSED, view->now, PLANNED_TELL_MISSED);
	if (view->now < planned_begins(event, view->start_s))
		return 0;
	return step(event, PLANNED_REPLACING, view->now, view->in_group && view->spare_free ? (unsigned)PLANNED_TAKE_SPARE : 0u);
}

/* Whether its users find somebody else. */
static bool is_replaced(const struct planned *event, const struct planned_view *view)
{
	unsigned wanted = view->minimum ? view->minimum : 1;

	if (!view->in_group)
		return true;
	/* A spare that is late isn't waited for where there are enough others. */
	if (event->spare[0] && !view->spare_serves && view->now < event->from)
		return false;
	return view->others >= wanted || (event->forced && (!event->spare[0] || view->spare_serves || view->now >= event->from));
}

static unsigned look_replacing(struct planned *event, const struct planned_view *view)
{
	if (event->cancelled)
		return end(event, PLANNED_OVER, view->now, 0);
	if (view->now >= event->to)
		return end(event, PLANNED_MISSED, view->now, PLANNED_TELL_MISSED);
	if (view->busy)
		return 0;
	if (is_replaced(event, view))
		return step(event, PLANNED_ASIDE, view->now, PLANNED_SET_ASIDE);
	if (!event->spare[0] && view->spare_free)
		return PLANNED_TAKE_SPARE;
	if (event->told || event->spare[0])
		return 0;
	event->told = true;
	return PLANNED_TELL_SHORT;
}

static unsigned look_aside(struct planned *event, const struct planned_view *view)
{
	/* Somebody else brought it back, or took it further. */
	if (!view->aside)
		return step(event, PLANNED_RETURNING, view->now, 0);
	if (event->cancelled || view->now >= event->to)
		return step(event, PLANNED_RETURNING, view->now, PLANNED_CLEAR);
	if (view->now < event->from || event->thrown || event->kind == PLANNED_BACKUP)
		return 0;
	event->thrown = true;
	return PLANNED_THROW_OUT;
}

static unsigned look_returning(struct planned *event, const struct planned_view *view)
{
	if (view->serving)
		return end(event, PLANNED_OVER, view->now, 0);
	/* The spare stays: it isn't back. */
	return view->now - event->since < PLANNED_RETURN_MOST ? 0 : step(event, PLANNED_OVER, view->now, PLANNED_NEXT);
}

unsigned planned_look(struct planned *event, const struct planned_view *view)
{
	if (!view->exists && event->step < PLANNED_OVER)
		return end(event, PLANNED_MISSED, view->now, 0);
	switch (event->step) {
	case PLANNED_WAITING: return look_waiting(event, view);
	case PLANNED_REPLACING: return look_replacing(event, view);
	case PLANNED_ASIDE: return look_aside(event, view);
	case PLANNED_RETURNING: return look_returning(event, view);
	case PLANNED_OVER:
	case PLANNED_MISSED: break;
	}
	return 0;
}

void planned_cancel(struct planned *event, int64_t now)
{
	event->cancelled = true;
	if (event->step == PLANNED_WAITING)
		step(event, PLANNED_OVER, now, 0);
}

int planned_next(struct planned *event, int64_t now)
{
	struct calendar *calendar;
	char why[ERROR_TEXT];
	int64_t from;
	int r;

	if (!event->when || event->cancelled)
		return 0;
	r = calendar_parse(event->when, &calendar, why);
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	from = calendar_change(calendar, now);
	/* One that is under way isn't begun in its middle. */
	if (from && calendar_is_open(calendar, now))
		from = calendar_change(calendar, from);
	event->from = from;
	event->to = from ? calendar_change(calendar, from) : 0;
	calendar_release(calendar);
	event->spare[0] = event->group[0] = 0;
	event->told = event->thrown = false;
	event->request = 0;
	step(event, event->to > event->from ? PLANNED_WAITING : PLANNED_OVER, now, 0);
	return 0;
}

/* ------------------------------------------------------------------ reading */

/* "Z", "+01:00" or "-0330": what is to be subtracted. */
static int parse_zone(const char *at, int64_t *ret_seconds)
{
	int hours, minutes, used = 0;

	*ret_seconds = 0;
	if (!strcmp(at, "Z"))
		return 0;
	if ((at[0] != '+' && at[0] != '-') || sscanf(at + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || at[1 + used] || used != 5 || hours > 23 ||
	    minutes > 59 || hours < 0 || minutes < 0)
		return -EINVAL;
	*ret_seconds = (at[0] == '-' ? -1 : 1) * (int64_t)(hours * 3600 + minutes * 60);
	return 0;
}

int time_value(const json_t *value, int64_t *ret_time)
{
	const char *text = json_string_value(value), *end;
	int64_t number = json_integer_value(value), zone;
	struct tm tm = { 0 };

	if (json_is_integer(value)) {
		*ret_time = number;
		return number > 0 && number <= TIME_MOST ? 0 : -EINVAL;
	}
	if (!text || strlen(text) != json_string_length(value) || strlen(text) > 32)
		return -EINVAL;
	end = strptime(text, "%Y-%m-%dT%H:%M", &tm);
	if (end && *end == ':')
		end = strptime(end, ":%S", &tm);
	if (!end || parse_zone(end, &zone) < 0)
		return -EINVAL;
	*ret_time = (int64_t)timegm(&tm) - zone;
	return *ret_time > 0 && *ret_time <= TIME_MOST ? 0 : -EINVAL;
}

static int take_reason(const json_t *object, struct planned *event, char error[ERROR_TEXT])
{
	const json_t *value = json_object_get(object, "reason");
	const char *reason = value && !json_is_null(value) ? json_string_value(value) : "";

	if (!reason || strlen(reason) > REASON_MOST || (value && strlen(reason) != json_string_length(value)) || !text_printable(reason, strlen(reason)))
		return refused(error, "\"reason\" must be a line of at most %u bytes", REASON_MOST);
	strcpy(event->reason, reason);
	return 0;
}

static int take_window(const json_t *object, int64_t now, struct planned *event, char error[ERROR_TEXT])
{
	const json_t *when = json_object_get(object, "when"), *from = json_object_get(object, "from"), *to = json_object_get(object, "to");
	struct calendar *calendar;
	int r;

	if (!when) {
		if (time_value(from, &event->from) < 0 || time_value(to, &event->to) < 0)
			return refused(error, "\"from\" and \"to\" must be times, such as 2026-12-01T02:00Z or 2026-12-01T03:00+01:00");
		return event->to > event->from ? 0 : refused(error, "\"to\" must be later than \"from\"");
	}
	if (from || to)
		return refused(error, "either \"from\" and \"to\", or \"when\" for the windows of each week");
	if (!json_array_size(json_object_get(when, "windows")))
		return refused(error, "\"when\" needs \"windows\", such as [\"Sun 02:00-04:00\"]");
	r = calendar_parse(when, &calendar, error);
	if (r < 0)
		return r;
	calendar_release(calendar);
	event->when = json_deep_copy(when);
	r = event->when ? planned_next(event, now) : -ENOMEM;
	return r || event->step != PLANNED_OVER ? r : refused(error, "\"when\" has no window within %d days", CALENDAR_LOOK_DAYS);
}

static int take_members(const json_t *object, struct planned *event, char error[ERROR_TEXT])
{
	static const char *const known[] = { "node", "kind", "from", "to", "when", "lead", "force", "reason" };
	const json_t *force = json_object_get(object, "force"), *lead = json_object_get(object, "lead");
	int kind = find(kinds, 2, json_get_string(object, "kind"));
	const char *key;
	json_t *value;

	json_object_foreach(json_iterable(object), key, value)
		if (find(known, sizeof known / sizeof known[0], key) < 0)
			return refused(error, "a planned event has node, kind, from, to, when, lead, force and reason, and nothing else");
	if (kind < 0)
		return refused(error, "\"kind\" must be maintenance or backup");
	event->kind = (enum planned_kind)kind;
	if (force && !json_is_boolean(force))
		return refused(error, "\"force\" must be true or false");
	event->forced = json_is_true(force);
	event->lead = PLANNED_LEAD_DEFAULT;
	if (json_is_string(lead) && duration_parse(json_string_value(lead), &event->lead, error) < 0)
		return -EINVAL;
	if (json_is_integer(lead))
		event->lead = json_integer_value(lead);
	if ((lead && !json_is_string(lead) && !json_is_integer(lead)) || event->lead < 0 || event->lead > PLANNED_LEAD_MOST)
		return refused(error, "\"lead\" must be a time of at most a day, such as 10m");
	return 0;
}

int planned_parse(const json_t *object, int64_t now, struct planned *ret_event, char ret_error[ERROR_TEXT])
{
	int r;

	*ret_event = (struct planned){ .since = now };
	if (!json_is_object(object))
		return refused(ret_error, "a planned event must be an object");
	r = take_members(object, ret_event, ret_error);
	if (!r)
		r = take_reason(object, ret_event, ret_error);
	if (!r)
		r = take_window(object, now, ret_event, ret_error);
	if (r < 0)
		planned_release(ret_event);
	return r;
}

void planned_release(struct planned *event)
{
	json_decref(event->when);
	*event = (struct planned){ 0 };
}

/* ------------------------------------------------------------------ the store */

static json_t *time_text(int64_t seconds)
{
	time_t time = (time_t)seconds;
	char text[40];
	struct tm tm;

	gmtime_r(&time, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return json_string(text);
}

json_t *planned_definition(const struct planned *event)
{
	json_t *object = json_pack("{ss ss sI}", "kind", kinds[event->kind], "reason", event->reason, "lead", (json_int_t)event->lead);

	if (event->forced)
		json_object_set_new(object, "force", json_true());
	if (event->when) {
		json_object_set(object, "when", event->when);
	} else {
		json_object_set_new(object, "from", time_text(event->from));
		json_object_set_new(object, "to", time_text(event->to));
	}
	return object;
}

json_t *planned_definitions(const struct planned *events, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *one = events[i].step < PLANNED_OVER && !events[i].cancelled ? planned_definition(&events[i]) : NULL;

		if (!one)
			continue;
		json_object_set_new(one, "node", json_string(events[i].node));
		json_array_append_new(list, one);
	}
	return list;
}

json_t *planned_format(const struct planned *event)
{
	return json_pack("{sI ss ss sI sI sO? sI sb ss ss ss sI ss ss sb sb sb sI}", "id", (json_int_t)event->id, "node", event->node, "kind",
			 kinds[event->kind], "from", (json_int_t)event->from, "to", (json_int_t)event->to, "when", event->when, "lead",
			 (json_int_t)event->lead, "force", event->forced, "reason", event->reason, "by", event->by, "step", steps[event->step], "since",
			 (json_int_t)event->since, "spare", event->spare, "group", event->group, "told", event->told, "thrown", event->thrown, "cancelled",
			 event->cancelled, "request", (json_int_t)event->request);
}

static int copy_text(const json_t *object, const char *key, char *ret_text, size_t size)
{
	const char *text = json_get_string(object, key);

	if (!text || strlen(text) >= size)
		return -EINVAL;
	strcpy(ret_text, text);
	return 0;
}

int planned_restore(const json_t *object, struct planned *ret_event)
{
	struct planned *e = ret_event;
	int kind = find(kinds, 2, json_get_string(object, "kind")), at = find(steps, 6, json_get_string(object, "step"));
	const json_t *when = json_object_get(object, "when");
	uint64_t from, to, lead, since;

	*e = (struct planned){ 0 };
	if (kind < 0 || at < 0 || json_get_u64(object, "id", &e->id) < 0 || json_get_u64(object, "from", &from) < 0 ||
	    json_get_u64(object, "to", &to) < 0 || json_get_u64(object, "lead", &lead) < 0 || json_get_u64(object, "since", &since) < 0 ||
	    json_get_u64(object, "request", &e->request) < 0 || from > TIME_MOST || to > TIME_MOST || lead > PLANNED_LEAD_MOST || since > TIME_MOST ||
	    copy_text(object, "node", e->node, sizeof e->node) < 0 || copy_text(object, "reason", e->reason, sizeof e->reason) < 0 ||
	    copy_text(object, "by", e->by, sizeof e->by) < 0 || copy_text(object, "spare", e->spare, sizeof e->spare) < 0 ||
	    copy_text(object, "group", e->group, sizeof e->group) < 0)
		return -EINVAL;
	e->kind = (enum planned_kind)kind;
	e->step = (enum planned_step)at;
	e->from = (int64_t)from;
	e->to = (int64_t)to;
	e->lead = (int64_t)lead;
	e->since = (int64_t)since;
	e->forced = json_is_true(json_object_get(object, "force"));
	e->told = json_is_true(json_object_get(object, "told"));
	e->thrown = json_is_true(json_object_get(object, "thrown"));
	e->cancelled = json_is_true(json_object_get(object, "cancelled"));
	e->when = json_is_object(when) ? json_deep_copy(when) : NULL;
	return json_is_object(when) && !e->when ? -ENOMEM : 0;
}

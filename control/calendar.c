// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/calendar.h"

#include <errno.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define DAY_MINUTES 1440

struct window {
	uint8_t days;            /* bit 0: Monday */
	int from, to;            /* minutes of the day; `to` up to 2 * DAY_MINUTES, where it ends on the next day */
};

struct exception {
	int32_t first, last;     /* Julian days, both excepted */
};

struct calendar {
	GTimeZone *zone;
	struct window windows[CALENDAR_WINDOWS_MOST];
	size_t windows_count;
	struct exception exceptions[CALENDAR_EXCEPTIONS_MOST];
	size_t exceptions_count;
};

/* ------------------------------------------------------------------ reading */

static int parse_day(const char **at)
{
	static const char days[7][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

	for (int i = 0; i < 7; i++)
		if (!strncmp(*at, days[i], 3)) {
			*at += 3;
			return i;
		}
	return -EINVAL;
}

/* "Mon-Fri,Sun " or nothing, which is each day. */
static int parse_days(const char **at, uint8_t *ret_days)
{
	*ret_days = 0;
	if (**at >= '0' && **at <= '9') {
		*ret_days = 0x7f;
		return 0;
	}
	for (;;) {
		int first = parse_day(at), last = first;

		if (first < 0)
			return -EINVAL;
		if (**at == '-') {
			++*at;
			last = parse_day(at);
		}
		if (last < 0)
			return -EINVAL;
		/* "Sat-Mon" goes over the end of the week. */
		for (int day = first;; day = (day + 1) % 7) {
			*ret_days = (uint8_t)(*ret_days | 1u << day);
			if (day == last)
				break;
		}
		if (**at == ' ') {
			*at += strspn(*at, " ");
			return 0;
		}
		if (*(*at)++ != ',')
			return -EINVAL;
	}
}

static bool two_digits(const char *text, int *ret_value)
{
	if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9')
		return false;
	*ret_value = (text[0] - '0') * 10 + (text[1] - '0');
	return true;
}

/* "22:00" up to "24:00", in minutes. */
static int parse_clock(const char *text)
{
	int hours, minutes;

	if (!two_digits(text, &hours) || text[2] != ':' || !two_digits(text + 3, &minutes) || minutes > 59 || hours * 60 + minutes > DAY_MINUTES)
		return -EINVAL;
	return hours * 60 + minutes;
}

static int parse_window(const char *text, struct window *ret_window)
{
	const char *at = text;

	if (parse_days(&at, &ret_window->days) < 0 || strlen(at) != strlen("22:00-05:00") || at[5] != '-')
		return -EINVAL;
	ret_window->from = parse_clock(at);
	ret_window->to = parse_clock(at + 6);
	if (ret_window->from < 0 || ret_window->to < 0 || ret_window->from == ret_window->to || ret_window->from == DAY_MINUTES)
		return -EINVAL;
	if (ret_window->to < ret_window->from)
		ret_window->to += DAY_MINUTES;
	return 0;
}

/* "2026-12-24" as a Julian day. */
static int parse_date(const char *text, int32_t *ret_day)
{
	int century, year, month, day;
	GDate date;

	if (!two_digits(text, &century) || !two_digits(text + 2, &year) || text[4] != '-' || !two_digits(text + 5, &month) || text[7] != '-' ||
	    !two_digits(text + 8, &day) || !g_date_valid_dmy((GDateDay)day, (GDateMonth)month, (GDateYear)(century * 100 + year)))
		return -EINVAL;
	g_date_clear(&date, 1);
	g_date_set_dmy(&date, (GDateDay)day, (GDateMonth)month, (GDateYear)(century * 100 + year));
	*ret_day = (int32_t)g_date_get_julian(&date);
	return 0;
}

static int parse_exception(const char *text, struct exception *ret_exception)
{
	size_t size = strlen(text);

	if ((size != 10 && size != 21) || parse_date(text, &ret_exception->first) < 0)
		return -EINVAL;
	ret_exception->last = ret_exception->first;
	if (size == 21 && (text[10] != '/' || parse_date(text + 11, &ret_exception->last) < 0 || ret_exception->last < ret_exception->first))
		return -EINVAL;
	return 0;
}

static const char *text_at(const json_t *list, size_t i)
{
	const json_t *value = json_array_get(list, i);
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) && strlen(text) < 64 ? text : "";
}

static int parse_lists(const json_t *object, struct calendar *calendar, char error[ERROR_TEXT])
{
	const json_t *windows = json_object_get(object, "windows"), *except = json_object_get(object, "except");

	if (windows && (!json_is_array(windows) || !json_array_size(windows) || json_array_size(windows) > CALENDAR_WINDOWS_MOST))
		return refused(error, "\"windows\" must be a list of 1 to %u", CALENDAR_WINDOWS_MOST);
	if (except && (!json_is_array(except) || json_array_size(except) > CALENDAR_EXCEPTIONS_MOST))
		return refused(error, "\"except\" must be a list of at most %u", CALENDAR_EXCEPTIONS_MOST);
	calendar->windows_count = json_array_size(windows);
	calendar->exceptions_count = json_array_size(except);
	for (size_t i = 0; i < calendar->windows_count; i++)
		if (parse_window(text_at(windows, i), &calendar->windows[i]) < 0)
			return refused(error, "window %zu isn't like \"Mon-Fri 22:00-05:00\" or \"00:30-04:00\"", i + 1);
	for (size_t i = 0; i < calendar->exceptions_count; i++)
		if (parse_exception(text_at(except, i), &calendar->exceptions[i]) < 0)
			return refused(error, "exception %zu isn't like \"2026-12-24\" or \"2026-12-24/2026-12-26\"", i + 1);
	return 0;
}

static int parse_zone(const json_t *object, struct calendar *calendar, char error[ERROR_TEXT])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/_+-";
	const json_t *zone = json_object_get(object, "zone");
	const char *name = zone ? json_string_value(zone) : "UTC";

	/* GLib opens a file of that name below the system's time zones: nothing may lead out of there. */
	calendar->zone = name && text_of(name, letters, 48) && name[0] != '/' ? g_time_zone_new_identifier(name) : NULL;
	return calendar->zone ? 0 : refused(error, "\"zone\" must be a time zone that this machine knows, such as \"Europe/Stockholm\"");
}

int calendar_parse(const json_t *object, struct calendar **ret_calendar, char ret_error[ERROR_TEXT])
{
	struct calendar *calendar;
	const char *key;
	json_t *value;

	if (!json_is_object(object))
		return refused(ret_error, "it must be a mapping");
	json_object_foreach(json_iterable(object), key, value)
		if (strcmp(key, "zone") && strcmp(key, "windows") && strcmp(key, "except"))
			return refused(ret_error, "it has no member \"%.32s\"", text_printable(key, strlen(key)) ? key : "?");
	calendar = calloc(1, sizeof *calendar);
	if (!calendar)
		return -ENOMEM;
	if (parse_zone(object, calendar, ret_error) < 0 || parse_lists(object, calendar, ret_error) < 0) {
		calendar_release(calendar);
		return -EINVAL;
	}
	*ret_calendar = calendar;
	return 0;
}

void calendar_release(struct calendar *calendar)
{
	if (!calendar)
		return;
	if (calendar->zone)
		g_time_zone_unref(calendar->zone);
	free(calendar);
}

/* ------------------------------------------------------------------ asking */

/* What the clock on the wall and the calendar beside it say. */
static void look(const struct calendar *calendar, int64_t now, int32_t *ret_day, int *ret_weekday, int *ret_second)
{
	int32_t offset = g_time_zone_get_offset(calendar->zone, g_time_zone_find_interval(calendar->zone, G_TIME_TYPE_UNIVERSAL, now));
	int64_t local = now + offset, days = local / 86400;

	if (local % 86400 < 0)
		days--;
	*ret_second = (int)(local - days * 86400);
	*ret_day = (int32_t)(days + 719163); /* GLib's Julian day of 1970-01-01 */
	*ret_weekday = (int)(((days + 3) % 7 + 7) % 7); /* that was a Thursday */
}

bool calendar_is_open(const struct calendar *calendar, int64_t now)
{
	int weekday, second, minute;
	int32_t day;

	if (!calendar)
		return true;
	look(calendar, now, &day, &weekday, &second);
	for (size_t i = 0; i < calendar->exceptions_count; i++)
		if (day >= calendar->exceptions[i].first && day <= calendar->exceptions[i].last)
			return false;
	minute = second / 60;
	for (size_t i = 0; i < calendar->windows_count; i++) {
		const struct window *w = &calendar->windows[i];

		if ((w->days >> weekday & 1) && minute >= w->from && minute < w->to)
			return true;
		/* Begun yesterday. */
		if ((w->days >> ((weekday + 6) % 7) & 1) && minute + DAY_MINUTES < w->to)
			return true;
	}
	return calendar->windows_count == 0;
}

int64_t calendar_change(const struct calendar *calendar, int64_t now)
{
	bool open = calendar_is_open(calendar, now);
	int64_t minute = now - now % 60;

	if (!calendar || (!calendar->windows_count && !calendar->exceptions_count))
		return 0;
	for (int i = 1; i <= CALENDAR_LOOK_DAYS * DAY_MINUTES; i++)
		if (calendar_is_open(calendar, minute + i * 60) != open)
			return minute + i * 60;
	return 0;
}

double calendar_hour(const struct calendar *calendar, int64_t now)
{
	int weekday, second;
	int32_t day;

	if (!calendar)
		return (double)(now % 86400) / 3600;
	look(calendar, now, &day, &weekday, &second);
	return second / 3600.0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/moment.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <time.h>

/* Takes exactly `digits` digits of `*at`. 0 or -EINVAL. */
static int take_number(const char **at, unsigned digits, int least, int most, int *ret_value)
{
	int value = 0;

	for (unsigned i = 0; i < digits; i++) {
		if (!isdigit((unsigned char)(*at)[i]))
			return -EINVAL;
		value = 10 * value + ((*at)[i] - '0');
	}
	*at += digits;
	*ret_value = value;
	return value >= least && value <= most ? 0 : -EINVAL;
}

static bool take_sign(const char **at, char sign)
{
	if (**at != sign)
		return false;
	++*at;
	return true;
}

/* "22:00" or "22:00:30". 0 or -EINVAL. */
static int take_clock(const char **at, struct tm *tm)
{
	if (take_number(at, 2, 0, 23, &tm->tm_hour) < 0 || !take_sign(at, ':') || take_number(at, 2, 0, 59, &tm->tm_min) < 0)
		return -EINVAL;
	return take_sign(at, ':') ? take_number(at, 2, 0, 59, &tm->tm_sec) : 0;
}

static int take_date(const char **at, struct tm *tm)
{
	int year, month;

	if (take_number(at, 4, 1970, 2999, &year) < 0 || !take_sign(at, '-') || take_number(at, 2, 1, 12, &month) < 0 || !take_sign(at, '-') ||
	    take_number(at, 2, 1, 31, &tm->tm_mday) < 0)
		return -EINVAL;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	return 0;
}

/* A day that the month doesn't have comes out as another one. 0 or -EINVAL. */
static int resolve(const struct tm *given, bool is_utc, int64_t *ret_time)
{
	struct tm tm = *given;
	time_t found = is_utc ? timegm(&tm) : mktime(&tm);

	if (found < 0 || tm.tm_mday != given->tm_mday || tm.tm_mon != given->tm_mon)
		return -EINVAL;
	*ret_time = (int64_t)found;
	return 0;
}

static int parse_date(const char *at, int64_t *ret_time)
{
	struct tm tm = { .tm_isdst = -1 };
	bool is_utc;

	if (take_date(&at, &tm) < 0)
		return -EINVAL;
	if ((take_sign(&at, 'T') || take_sign(&at, ' ')) && take_clock(&at, &tm) < 0)
		return -EINVAL;
	is_utc = take_sign(&at, 'Z');
	return *at ? -EINVAL : resolve(&tm, is_utc, ret_time);
}

/* Of today, tomorrow or yesterday. */
static int parse_clock(const char *at, int64_t now, bool past, int64_t *ret_time)
{
	time_t seconds = (time_t)now;
	struct tm tm = { 0 }, clock = { 0 };

	if (take_clock(&at, &clock) < 0 || *at || !localtime_r(&seconds, &tm))
		return -EINVAL;
	for (int day = past ? 0 : 1; day >= -1; day--) {
		struct tm one = tm;
		time_t found;

		one.tm_mday += past ? day : 1 - day;
		one.tm_hour = clock.tm_hour;
		one.tm_min = clock.tm_min;
		one.tm_sec = clock.tm_sec;
		one.tm_isdst = -1;
		found = mktime(&one);
		if (found >= 0 && (past ? found <= seconds : found > seconds)) {
			*ret_time = (int64_t)found;
			return 0;
		}
	}
	return -EINVAL;
}

int moment_parse(const char *text, int64_t now, bool past, int64_t *ret_time, char ret_error[ERROR_TEXT])
{
	size_t size = strlen(text);
	int64_t seconds;

	if (!duration_parse(text, &seconds, ret_error)) {
		*ret_time = past ? now - seconds : now + seconds;
		if (*ret_time >= 0)
			return 0;
	} else if (!parse_date(text, ret_time) || !parse_clock(text, now, past, ret_time)) {
		return 0;
	}
	return refused(ret_error, "\"%.40s\" is no time; give 4h, 22:00, \"2026-11-22 22:00\", or the like with a Z behind it for UTC",
		       text_printable(text, size) ? text : "?");
}

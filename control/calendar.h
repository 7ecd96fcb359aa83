/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When plans may go on: windows that come each week, and days on which nothing is planned. Pure once it was read; time zones are GLib's.
 *
 *   {"zone": "Europe/Stockholm", "windows": ["Mon-Fri 22:00-05:00", "Sat,Sun 00:00-24:00"], "except": ["2026-12-24/2026-12-26"]}
 *
 * Times are those of a clock on a wall there: an hour that the change to summer time leaves out doesn't come, and one that comes twice
 * counts twice. Without windows any time is right; without a zone it is UTC. */
#ifndef CONTROL_CALENDAR_H
#define CONTROL_CALENDAR_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "control/names.h"

#define CALENDAR_WINDOWS_MOST 32u
#define CALENDAR_EXCEPTIONS_MOST 64u
#define CALENDAR_LOOK_DAYS 60     /* how far calendar_change looks ahead */

struct calendar;

/* 0 (the caller releases); -EINVAL with a sentence; -ENOMEM. */
int calendar_parse(const json_t *object, struct calendar **ret_calendar, char ret_error[ERROR_TEXT]);
void calendar_release(struct calendar *calendar);

/* `calendar` may be NULL: always. */
bool calendar_is_open(const struct calendar *calendar, int64_t now);
/* The next whole minute at which calendar_is_open becomes another; 0 when it doesn't within CALENDAR_LOOK_DAYS. */
int64_t calendar_change(const struct calendar *calendar, int64_t now);
/* Hour of the day there, 0 to 23.99. */
double calendar_hour(const struct calendar *calendar, int64_t now);

#endif

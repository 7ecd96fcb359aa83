/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hints of what is to come: so many users of a group from a time on, said by a person or by another program. Pure. */
#ifndef CONTROL_HINTS_H
#define CONTROL_HINTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "control/model.h"
#include "control/restart-record.h"

#define HINTS_MOST 500u
#define HINT_LASTS 3600           /* seconds, unless it says until when */
#define HINT_USERS_MOST 1e7

struct hint {
	uint64_t id;
	char group[GROUP_NAME_MOST + 1];
	double users;                /* of all servers; or with `relative` a share to add: 0.5 is half as many again */
	bool relative;
	int64_t at, until;           /* seconds since 1970 */
	double base;                 /* users when it began, to which the share is added; below 0: it hasn't */
	char by[RESTART_BY_MOST + 1];
};

/* Reads {"group", "users": 600 or "+50%" or "-20%", "at", "until"}; times as time_value. 0; -EINVAL with a sentence. */
int hint_parse(const json_t *object, int64_t now, struct hint *ret_hint, char ret_error[ERROR_TEXT]);
/* How many users are expected, while the group has `users`. */
double hint_expects(const struct hint *hint, double users);
/* For the store and for people. A new reference; NULL when out of memory. */
json_t *hint_format(const struct hint *hint);
/* 0 or -EINVAL. */
int hint_restore(const json_t *object, struct hint *ret_hint);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/hints.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/groups.h"
#include "control/planned.h"

/* "+50%", "-20%". */
static int parse_share(const char *text, double *ret_share)
{
	char *end;
	long percent;

	if (!text || (text[0] != '+' && text[0] != '-') || text[1] < '0' || text[1] > '9' || strlen(text) > 7)
		return -EINVAL;
	percent = strtol(text, &end, 10);
	*ret_share = (double)percent / 100;
	return strcmp(end, "%") || percent < -100 ? -EINVAL : 0;
}

static int take_users(const json_t *value, struct hint *hint)
{
	if (json_is_integer(value)) {
		hint->users = (double)json_integer_value(value);
		return hint->users >= 0 && hint->users <= HINT_USERS_MOST ? 0 : -EINVAL;
	}
	hint->relative = true;
	return parse_share(json_string_value(value), &hint->users);
}

int hint_parse(const json_t *object, int64_t now, struct hint *ret_hint, char ret_error[ERROR_TEXT])
{
	const json_t *at = json_object_get(object, "at"), *until = json_object_get(object, "until");
	const char *group = json_get_string(object, "group");
	struct hint *hint = ret_hint;

	*hint = (struct hint){ .base = -1 };
	if (!json_is_object(object) || json_object_size(object) != 3u + (until ? 1u : 0u))
		return refused(ret_error, "a hint has group, users, at and perhaps until, and nothing else");
	if (!group || !group_name_valid(group))
		return refused(ret_error, "\"group\" must be the name of a group");
	strcpy(hint->group, group);
	if (take_users(json_object_get(object, "users"), hint) < 0)
		return refused(ret_error, "\"users\" must be a number of users, or a change such as +50%% or -20%%");
	if (time_value(at, &hint->at) < 0)
		return refused(ret_error, "\"at\" must be a time, such as 2026-12-01T14:00Z");
	hint->until = hint->at + HINT_LASTS;
	if (until && time_value(until, &hint->until) < 0)
		return refused(ret_error, "\"until\" must be a time, such as 2026-12-01T16:00Z");
	return hint->until > hint->at && hint->until > now ? 0 : refused(ret_error, "a hint must end after it begins, and not before now");
}

double hint_expects(const struct hint *hint, double users)
{
	if (!hint->relative)
		return hint->users;
	return round((hint->base >= 0 ? hint->base : users) * (1 + hint->users));
}

json_t *hint_format(const struct hint *hint)
{
	return json_pack("{sI ss sf sb sI sI sf ss}", "id", (json_int_t)hint->id, "group", hint->group, "users", hint->users, "relative",
			 (int)hint->relative, "at", (json_int_t)hint->at, "until", (json_int_t)hint->until, "base", hint->base, "by", hint->by);
}

int hint_restore(const json_t *object, struct hint *ret_hint)
{
	const char *group = json_get_string(object, "group"), *by = json_get_string(object, "by");
	struct hint *hint = ret_hint;
	uint64_t at, until;

	*hint = (struct hint){ 0 };
	if (!group || strlen(group) > GROUP_NAME_MOST || !by || strlen(by) > RESTART_BY_MOST || json_get_u64(object, "id", &hint->id) < 0 ||
	    json_get_u64(object, "at", &at) < 0 || json_get_u64(object, "until", &until) < 0 || at > INT64_MAX || until > INT64_MAX)
		return -EINVAL;
	strcpy(hint->group, group);
	strcpy(hint->by, by);
	hint->at = (int64_t)at;
	hint->until = (int64_t)until;
	hint->users = json_number_value(json_object_get(object, "users"));
	hint->base = json_number_value(json_object_get(object, "base"));
	hint->relative = json_is_true(json_object_get(object, "relative"));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>

#include "common/json.h"
#include "control/decision-settings.h"
#include "control/fleet-file.h"
#include "control/groups.h"
#include "control/messages.h"

/* The error again, after the line where "SECTION/ENTRY" begins. */
static int refuse_entry(const json_t *lines, const char *section, const char *entry, const char *why, char error[ERROR_TEXT])
{
	char path[128], text[ERROR_TEXT];
	json_int_t line;

	snprintf(path, sizeof path, "%s/%s", section, entry);
	line = json_integer_value(json_object_get(lines, path));
	snprintf(text, sizeof text, "%s", why);
	return line ? refused(error, "line %lld: %.400s", (long long)line, text) : refused(error, "%.400s", text);
}

static int check_groups(const json_t *groups, const json_t *lines, char error[ERROR_TEXT])
{
	struct group group;
	const char *name;
	json_t *definition;

	json_object_foreach(json_iterable(groups), name, definition) {
		int r = group_parse(name, definition, &group, error);

		if (r < 0)
			return r == -EINVAL ? refuse_entry(lines, "groups", name, error, error) : r;
		group_release(&group);
	}
	return 0;
}

/* The first rules that are wrong together end with the one that is wrong. */
static int check_rules(const json_t *rules, const json_t *lines, char error[ERROR_TEXT])
{
	json_t *some = json_array(), *rule;
	struct rule_list list;
	char number[24];
	int r = some ? 0 : -ENOMEM;
	size_t i;

	json_array_foreach(json_iterable(rules), i, rule) {
		json_array_append(some, rule);
		r = rule_list_parse(some, &list, error);
		if (r < 0)
			break;
		rule_list_release(&list);
	}
	json_decref(some);
	if (r != -EINVAL)
		return r;
	snprintf(number, sizeof number, "%zu", i + 1);
	return refuse_entry(lines, "rules", number, error, error);
}

/* As with rules. */
static int check_notify(const json_t *notify, const json_t *lines, char error[ERROR_TEXT])
{
	json_t *some = json_array(), *target;
	struct message_settings settings;
	char number[24];
	int r = some ? 0 : -ENOMEM;
	size_t i;

	json_array_foreach(json_iterable(notify), i, target) {
		json_array_append(some, target);
		r = message_settings_parse(some, NULL, &settings, error);
		if (r < 0)
			break;
		message_settings_release(&settings);
	}
	json_decref(some);
	if (r != -EINVAL)
		return r;
	snprintf(number, sizeof number, "%zu", i + 1);
	return refuse_entry(lines, "notify", number, error, error);
}

static int check_decisions(const json_t *fleet, char error[ERROR_TEXT])
{
	struct decision_settings initial, changed;
	int r = decision_settings_init(&initial);

	if (!r)
		r = decision_settings_change(&initial, json_object_get(fleet, "decisions"), json_object_get(fleet, "rules"), &changed, error);
	if (!r)
		decision_settings_release(&changed);
	decision_settings_release(&initial);
	return r;
}

int fleet_file_check(const json_t *fleet, const json_t *lines, char ret_error[ERROR_TEXT])
{
	int r = check_groups(json_object_get(fleet, "groups"), lines, ret_error);

	if (!r)
		r = check_rules(json_object_get(fleet, "rules"), lines, ret_error);
	if (!r)
		r = check_notify(json_object_get(fleet, "notify"), lines, ret_error);
	return r ? r : check_decisions(fleet, ret_error);
}

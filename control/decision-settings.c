// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/decision-settings.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/alarm-record.h"

#define TICK_LEAST 0.1
#define TICK_MOST 3600
#define RATIO_MOST 10
#define COUNT_MOST 10000u

static int refuse_member(char error[ERROR_TEXT], const char *key, const char *example)
{
	return refused(error, "decisions: %s must be %s", key, example);
}

/* A text without a NUL inside; NULL otherwise. */
static const char *text_of_member(const json_t *value)
{
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/* "500ms", "5s", "10m". In seconds. */
static int take_time(const json_t *value, double *ret_seconds)
{
	const char *text = text_of_member(value);
	char why[ERROR_TEXT];
	int64_t seconds;
	char *end;

	if (!text || text[0] < '0' || text[0] > '9')
		return -EINVAL;
	if (strlen(text) < 8) {
		long milliseconds = strtol(text, &end, 10);

		if (!strcmp(end, "ms")) {
			*ret_seconds = (double)milliseconds / 1000;
			return 0;
		}
	}
	if (duration_parse(text, &seconds, why) < 0)
		return -EINVAL;
	*ret_seconds = (double)seconds;
	return 0;
}

/* "50%". */
static int take_share(const json_t *value, double most, double *ret_share)
{
	const char *text = text_of_member(value);
	char *end;
	long percent;

	if (!text || text[0] < '0' || text[0] > '9' || strlen(text) > 5)
		return -EINVAL;
	percent = strtol(text, &end, 10);
	*ret_share = (double)percent / 100;
	return strcmp(end, "%") || *ret_share > most ? -EINVAL : 0;
}

static int take_count(const json_t *value, unsigned *ret_count)
{
	json_int_t number = json_integer_value(value);

	if (!json_is_integer(value) || number < 0 || number > COUNT_MOST)
		return -EINVAL;
	*ret_count = (unsigned)number;
	return 0;
}

/* "8MiB", "512KiB", or 0. */
static int take_size(const json_t *value, unsigned *ret_size)
{
	const char *text = text_of_member(value);
	unsigned long number;
	char *end;

	if (json_is_integer(value) && json_integer_value(value) == 0) {
		*ret_size = 0;
		return 0;
	}
	if (!text || text[0] < '0' || text[0] > '9' || strlen(text) > 9)
		return -EINVAL;
	number = strtoul(text, &end, 10);
	number *= strcmp(end, "KiB") ? strcmp(end, "MiB") ? 0u : 1024u * 1024 : 1024u;
	*ret_size = (unsigned)number;
	return number && number <= DECISION_EVIDENCE_MOST ? 0 : -EINVAL;
}

static int take_mode(const json_t *value, bool *ret_acts)
{
	const char *text = text_of_member(value);

	if (!text || (strcmp(text, "act") && strcmp(text, "advise")))
		return -EINVAL;
	*ret_acts = !strcmp(text, "act");
	return 0;
}

static int take_member(const char *key, const json_t *value, struct decision_settings *s, char error[ERROR_TEXT])
{
	double seconds;

	if (!strcmp(key, "mode"))
		return take_mode(value, &s->acts) ? refuse_member(error, key, "act or advise") : 0;
	if (!strcmp(key, "tick"))
		return take_time(value, &s->tick) || s->tick < TICK_LEAST || s->tick > TICK_MOST ?
			       refuse_member(error, key, "a time from 100ms to 1h") : 0;
	if (!strcmp(key, "spares"))
		return take_share(value, RATIO_MOST, &s->spare_ratio) ?
			       refuse_member(error, key, "a share of the servers with work, such as 50%%") : 0;
	if (!strcmp(key, "spares_least"))
		return take_count(value, &s->spares_least) ? refuse_member(error, key, "a number from 0 to 10000") : 0;
	if (!strcmp(key, "cuts"))
		return take_count(value, &s->cuts_most) ? refuse_member(error, key, "a number from 0 to 10000") : 0;
	if (!strcmp(key, "evidence"))
		return take_size(value, &s->evidence) ? refuse_member(error, key, "0, or a size such as 512KiB or 8MiB, at most 256MiB") : 0;
	if (!strcmp(key, "alarms"))
		return alarm_kinds_valid(value) ? 0 : refuse_member(error, key, "a list of kinds, such as [verity, file, setuid]");
	if (!strcmp(key, "spare_off") || !strcmp(key, "cuts_within")) {
		if (take_time(value, &seconds))
			return refuse_member(error, key, "a time, such as 45s, 15m or 12h");
		*(key[0] == 's' ? &s->spare_off : &s->cuts_within) = (uint32_t)seconds;
		return 0;
	}
	return refused(error, "decisions has no member \"%.32s\"", text_printable(key, strlen(key)) ? key : "?");
}

static int set_rules(struct decision_settings *settings, const json_t *given, char error[ERROR_TEXT])
{
	json_t *shipped = given ? NULL : json_loads(rules_default, JSON_REJECT_DUPLICATES, NULL);
	int r = given || shipped ? rule_list_parse(given ? given : shipped, &settings->rules, error) : -ENOMEM;

	json_decref(shipped);
	if (r < 0)
		return r;
	settings->rules_given = given ? json_deep_copy(given) : NULL;
	return given && !settings->rules_given ? -ENOMEM : 0;
}

static int build(json_t *given, const json_t *rules, struct decision_settings *settings, char error[ERROR_TEXT])
{
	const char *key;
	json_t *value;
	int r = 0;

	*settings = (struct decision_settings){ .acts = true, .tick = 5, .spare_ratio = 0.5, .spares_least = 1, .cuts_most = 3, .cuts_within = 600,
						.given = given };
	if (!given)
		return -ENOMEM;
	json_object_foreach(given, key, value) {
		r = take_member(key, value, settings, error);
		if (r < 0)
			return r;
	}
	return set_rules(settings, rules, error);
}

int decision_settings_init(struct decision_settings *ret_settings)
{
	char error[ERROR_TEXT];
	int r = build(json_object(), NULL, ret_settings, error);

	if (r < 0)
		decision_settings_release(ret_settings);
	return r;
}

void decision_settings_release(struct decision_settings *settings)
{
	rule_list_release(&settings->rules);
	json_decref(settings->given);
	json_decref(settings->rules_given);
	*settings = (struct decision_settings){ 0 };
}

int decision_settings_change(const struct decision_settings *before, const json_t *change, const json_t *rules,
			     struct decision_settings *ret_settings, char ret_error[ERROR_TEXT])
{
	json_t *given = json_copy(before->given), *value;
	struct decision_settings settings;
	const char *key;
	int r;

	if (change && !json_is_object(change)) {
		json_decref(given);
		return refused(ret_error, "decisions must be a mapping");
	}
	json_object_foreach(json_iterable(change), key, value) {
		if (json_is_null(value))
			json_object_del(given, key);
		else
			json_object_set(given, key, value);
	}
	r = build(given, json_is_null(rules) ? NULL : rules ? rules : before->rules_given, &settings, ret_error);
	if (r < 0)
		decision_settings_release(&settings);
	else
		*ret_settings = settings;
	return r;
}

json_t *decision_settings_format(const struct decision_settings *settings)
{
	return json_pack("{sO so}", "decisions", settings->given, "rules", settings->rules_given ? json_incref(settings->rules_given) : json_null());
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/policy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define FIRST_LEAST 10            /* seconds; a fleet's first is minutes or more, a test's isn't */
#define SECOND_OF_FIRST 2         /* the second time, unless said otherwise */
#define GRACE_DEFAULT 600
#define USERS_HIGH_DEFAULT 400
#define JITTER_MOST 0.5
#define NUMBER_MOST 1e9

static bool text_in(const json_t *value, char *ret_text, size_t size)
{
	const char *text = json_string_value(value);

	if (!text || strlen(text) != json_string_length(value) || strlen(text) >= size)
		return false;
	strcpy(ret_text, text);
	return true;
}

/* "15m" in seconds. */
static int take_time(const json_t *object, const char *key, double *value, char error[ERROR_TEXT])
{
	const json_t *member = json_object_get(object, key);
	char text[24], why[ERROR_TEXT];
	int64_t seconds;

	if (!member)
		return 0;
	if (!text_in(member, text, sizeof text) || duration_parse(text, &seconds, why) < 0)
		return refused(error, "%s must be a time, such as 45s, 15m or 12h", key);
	*value = (double)seconds;
	return 0;
}

/* A number, or digits with a decimal point: a fleet file knows only whole ones as numbers. */
static int take_number(const json_t *object, const char *key, double *value, char error[ERROR_TEXT])
{
	const json_t *member = json_object_get(object, key);
	double number = json_number_value(member);
	char text[24], *end;

	if (!member)
		return 0;
	if (text_in(member, text, sizeof text) && text[0] && strspn(text, "0123456789.") == strlen(text)) {
		number = strtod(text, &end);
		if (*end)
			number = -1;
	} else if (!json_is_number(member)) {
		number = -1;
	}
	if (!(number >= 0 && number <= NUMBER_MOST))
		return refused(error, "%s must be a number that isn't negative", key);
	*value = number;
	return 0;
}

static int take_count(const json_t *object, const char *key, unsigned least, unsigned *value, char error[ERROR_TEXT])
{
	uint64_t number = *value;
	int r = json_get_u64(object, key, &number);

	if (r == -ENOENT)
		return 0;
	if (r < 0 || number < least || number > POLICY_COUNT_MOST)
		return refused(error, "%s must be a number from %u to %u", key, least, POLICY_COUNT_MOST);
	*value = (unsigned)number;
	return 0;
}

/* "500ms" or "2s". */
static int take_response(const json_t *object, double *value, char error[ERROR_TEXT])
{
	const json_t *member = json_object_get(object, "response_high");
	char text[24];
	unsigned number;
	int end = 0;

	if (!member)
		return 0;
	if (text_in(member, text, sizeof text) && text[0] >= '0' && text[0] <= '9' && sscanf(text, "%7u%n", &number, &end) == 1 && number) {
		*value = number * (strcmp(text + end, "s") ? 1.0 : 1000.0);
		if (!strcmp(text + end, "ms") || !strcmp(text + end, "s"))
			return 0;
	}
	return refused(error, "response_high must be like 500ms or 2s");
}

/* "20%" as a share of at most `most`. */
static int parse_share(const json_t *member, double most, double *ret_share)
{
	char text[8];
	unsigned percent;
	int end = 0;

	if (!text_in(member, text, sizeof text) || text[0] < '0' || text[0] > '9' || sscanf(text, "%3u%n", &percent, &end) != 1 || strcmp(text + end, "%") ||
	    percent / 100.0 > most)
		return -EINVAL;
	*ret_share = percent / 100.0;
	return 0;
}

static int take_pace(const json_t *object, struct policy *policy, char error[ERROR_TEXT])
{
	const json_t *pace = json_object_get(object, "pace"), *jitter = json_object_get(object, "jitter");

	if (jitter && parse_share(jitter, JITTER_MOST, &policy->jitter) < 0)
		return refused(error, "jitter must be a share of the first time up to 50%%, such as 10%%");
	if (!json_is_string(pace))
		return take_count(object, "pace", 1, &policy->pace, error);
	if (parse_share(pace, 1, &policy->pace_share) < 0 || policy->pace_share == 0)
		return refused(error, "pace must be a number of servers, or a share of the group such as 20%%");
	return 0;
}

/* The second time comes after the first. */
static int take_ages(const json_t *object, struct policy *policy, char error[ERROR_TEXT])
{
	double first = 0, second = 0;
	int r = take_time(object, "first", &first, error);

	if (!r)
		r = take_time(object, "second", &second, error);
	if (!r)
		r = take_time(object, "grace", &policy->grace, error);
	if (r < 0)
		return r;
	if (!first && (second || json_object_get(object, "jitter")))
		return refused(error, "second and jitter need first, the age at which a server is reimaged once nobody uses it");
	if (first && first < FIRST_LEAST)
		return refused(error, "first must be %d s or more", FIRST_LEAST);
	if (first && !second)
		second = SECOND_OF_FIRST * first;
	if (second < first)
		return refused(error, "second can't come before first");
	policy->limits[LIMIT_FIRST] = first;
	policy->limits[LIMIT_SECOND] = second;
	return 0;
}

static int take_limits(const json_t *object, struct policy *policy, char error[ERROR_TEXT])
{
	double *limits = policy->limits;
	int r = take_number(object, "users_high", &limits[LIMIT_USERS_HIGH], error);

	if (!r)
		r = take_number(object, "users_low", &limits[LIMIT_USERS_LOW], error);
	if (!r)
		r = take_number(object, "load_high", &limits[LIMIT_LOAD_HIGH], error);
	if (!r)
		r = take_number(object, "load_low", &limits[LIMIT_LOAD_LOW], error);
	if (!r)
		r = take_response(object, &limits[LIMIT_RESPONSE_HIGH], error);
	if (r < 0)
		return r;
	if (limits[LIMIT_USERS_HIGH] && limits[LIMIT_USERS_LOW] >= limits[LIMIT_USERS_HIGH])
		return refused(error, "users_low must be less than users_high, %.0f", limits[LIMIT_USERS_HIGH]);
	if (limits[LIMIT_LOAD_HIGH] && limits[LIMIT_LOAD_LOW] >= limits[LIMIT_LOAD_HIGH])
		return refused(error, "load_low must be less than load_high");
	return 0;
}

/* A name of a place: one printable word, so that a rule's condition can name it too. */
static int take_place_name(const json_t *place, const char *key, char ret_name[POLICY_PLACE_MOST + 1], char error[ERROR_TEXT])
{
	const json_t *name = json_object_get(place, key);

	if (!name)
		return 0;
	if (!text_in(name, ret_name, POLICY_PLACE_MOST + 1) || !ret_name[0] || strchr(ret_name, ' ') || !text_printable(ret_name, strlen(ret_name))) {
		ret_name[0] = '\0';
		return refused(error, "place: %s must be one word of at most %u bytes", key, POLICY_PLACE_MOST);
	}
	return 0;
}

static int take_place(const json_t *object, struct policy *policy, char error[ERROR_TEXT])
{
	const json_t *place = json_object_get(object, "place"), *only = json_object_get(place, "only");
	const char *key;
	json_t *value;

	if (!place)
		return 0;
	if (!json_is_object(place))
		return refused(error, "place must be a mapping, such as {site: stockholm}");
	json_object_foreach(json_iterable(place), key, value)
		if (strcmp(key, "site") && strcmp(key, "rack") && strcmp(key, "only"))
			return refused(error, "place has site, rack and only, and no other member");
	if (only && !json_is_boolean(only))
		return refused(error, "place: only must be true or false");
	policy->place_only = json_is_true(only);
	if (take_place_name(place, "site", policy->site, error) < 0 || take_place_name(place, "rack", policy->rack, error) < 0)
		return -EINVAL;
	if (policy->place_only && !policy->site[0] && !policy->rack[0])
		return refused(error, "place: only needs site or rack");
	return 0;
}

static int take_members(const json_t *object, struct policy *policy, char error[ERROR_TEXT])
{
	const json_t *when = json_object_get(object, "when");
	char why[ERROR_TEXT];
	double settle = 0;
	int r = take_ages(object, policy, error);

	if (!r)
		r = take_limits(object, policy, error);
	if (!r)
		r = take_pace(object, policy, error);
	if (!r)
		r = take_count(object, "maximum", 1, &policy->maximum, error);
	if (!r)
		r = take_count(object, "failures", 0, &policy->failures_most, error);
	if (!r)
		r = take_count(object, "rack", 1, &policy->rack_pace, error);
	if (!r)
		r = take_count(object, "priority", 0, &policy->priority, error);
	if (!r)
		r = take_place(object, policy, error);
	if (!r)
		r = take_time(object, "settle", &settle, error);
	if (r < 0)
		return r;
	policy->settle = (uint32_t)settle;
	if (policy->maximum && policy->maximum < policy->minimum)
		return refused(error, "maximum can't be less than the group's minimum, %u", policy->minimum);
	r = when ? calendar_parse(when, &policy->calendar, why) : 0;
	return r == -EINVAL ? refused(error, "when: %.300s", why) : r;
}

int policy_parse(const json_t *object, unsigned minimum, struct policy *ret_policy, char ret_error[ERROR_TEXT])
{
	static const char *const known[] = { "first", "second", "grace", "jitter", "users_high", "users_low", "load_high", "load_low", "response_high",
					     "maximum", "pace", "rack", "settle", "failures", "priority", "place", "when" };
	struct policy policy = { .limits = { [LIMIT_USERS_HIGH] = USERS_HIGH_DEFAULT }, .grace = GRACE_DEFAULT, .minimum = minimum, .pace = 1 };
	const char *key;
	json_t *value;
	int r = 0;

	if (object && !json_is_object(object))
		return refused(ret_error, "it must be a mapping");
	json_object_foreach(json_iterable(object), key, value) {
		size_t i = 0;

		while (i < sizeof known / sizeof known[0] && strcmp(known[i], key))
			i++;
		if (i == sizeof known / sizeof known[0])
			return refused(ret_error, "it has no member \"%.32s\"", text_printable(key, strlen(key)) ? key : "?");
	}
	if (object)
		r = take_members(object, &policy, ret_error);
	if (r < 0) {
		policy_release(&policy);
		return r;
	}
	*ret_policy = policy;
	return 0;
}

void policy_release(struct policy *policy)
{
	calendar_release(policy->calendar);
	policy->calendar = NULL;
}

size_t policy_pace(const struct policy *policy, size_t servers)
{
	size_t share = (size_t)(policy->pace_share * (double)servers);

	if (policy->pace_share == 0)
		return policy->pace ? policy->pace : 1;
	return share ? share : 1;
}

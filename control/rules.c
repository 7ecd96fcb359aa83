// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/rules.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define NUMBER_MOST 1e12

enum unit { UNIT_NUMBER, UNIT_SECONDS, UNIT_MILLISECONDS };

static const struct {
	const char *name;
	enum unit unit;
} measures[MEASURES] = {
	[MEASURE_UP] = { "up", UNIT_SECONDS }, [MEASURE_AGE] = { "age", UNIT_SECONDS }, [MEASURE_USERS] = { "users", UNIT_NUMBER },
	[MEASURE_LOAD] = { "load", UNIT_NUMBER }, [MEASURE_RESPONSE] = { "response", UNIT_MILLISECONDS },
	[MEASURE_ALARMS] = { "alarms", UNIT_NUMBER }, [MEASURE_CUTS] = { "cuts", UNIT_NUMBER }, [MEASURE_FAILED] = { "failed", UNIT_NUMBER },
	[MEASURE_RETRIES] = { "retries", UNIT_NUMBER }, [MEASURE_GROUPED] = { "grouped", UNIT_NUMBER },
	[MEASURE_DUE] = { "due", UNIT_SECONDS },
	[MEASURE_SERVERS] = { "servers", UNIT_NUMBER }, [MEASURE_MISSING] = { "missing", UNIT_NUMBER },
	[MEASURE_GROUP_USERS] = { "group_users", UNIT_NUMBER }, [MEASURE_USERS_PER_SERVER] = { "users_per_server", UNIT_NUMBER },
	[MEASURE_USERS_SOON] = { "users_soon", UNIT_NUMBER }, [MEASURE_USERS_MOST] = { "users_most", UNIT_NUMBER },
	[MEASURE_USERS_TREND] = { "users_trend", UNIT_NUMBER }, [MEASURE_GROUP_LOAD] = { "group_load", UNIT_NUMBER },
	[MEASURE_LOAD_MOST] = { "load_most", UNIT_NUMBER }, [MEASURE_GROUP_RESPONSE] = { "group_response", UNIT_MILLISECONDS },
	[MEASURE_OTHERS_USERS] = { "others_users", UNIT_NUMBER }, [MEASURE_OTHERS_LOAD] = { "others_load", UNIT_NUMBER },
	[MEASURE_FLEET_USERS] = { "fleet_users", UNIT_NUMBER }, [MEASURE_FLEET_LOAD] = { "fleet_load", UNIT_NUMBER },
	[MEASURE_SPARES] = { "spares", UNIT_NUMBER }, [MEASURE_HOUR] = { "hour", UNIT_NUMBER },
};

static const struct {
	const char *name;
	enum unit unit;
} limits_known[LIMITS] = {
	[LIMIT_FIRST] = { "first", UNIT_SECONDS }, [LIMIT_SECOND] = { "second", UNIT_SECONDS },
	[LIMIT_USERS_HIGH] = { "users_high", UNIT_NUMBER }, [LIMIT_USERS_LOW] = { "users_low", UNIT_NUMBER },
	[LIMIT_LOAD_HIGH] = { "load_high", UNIT_NUMBER }, [LIMIT_LOAD_LOW] = { "load_low", UNIT_NUMBER },
	[LIMIT_RESPONSE_HIGH] = { "response_high", UNIT_MILLISECONDS },
};

static const char *const attributes[ATTRIBUTES] = { "group", "os", "app", "account", "site", "rack" };
static const char *const actions[RULE_ACTIONS] = { "reimage", "cut", "quarantine", "replace", "retry", "add", "remove", "move" };
static const char *const operators[] = { "<", "<=", "=", ">=", ">", "!=" };
static const char *const urgencies[] = { "wait", "notify", "handover", "evict" }; /* as enum restart_urgency */
#define NO_TEXT "none"

/* The requirements' matrix, in the order in which its rules win. */
const char rules_default[] =
"[{\"rule\": \"alarm, again\", \"when\": [\"alarms > 0\", \"cuts >= 3\"], \"do\": \"quarantine\"},"
" {\"rule\": \"alarm\", \"when\": [\"alarms > 0\"], \"do\": \"cut\"},"
" {\"rule\": \"failed\", \"when\": [\"failed = 1\", \"grouped = 1\"], \"do\": \"replace\"},"
" {\"rule\": \"failed, no work\", \"when\": [\"failed = 1\", \"grouped = 0\", \"retries < 1\"], \"do\": \"retry\"},"
" {\"rule\": \"below minimum\", \"when\": [\"missing > 0\"], \"do\": \"add\"},"
" {\"rule\": \"deadline\", \"when\": [\"due <= 0s\"], \"do\": \"reimage\", \"urgency\": \"evict\", \"hard\": true},"
" {\"rule\": \"old\", \"when\": [\"age >= second\"], \"do\": \"reimage\", \"urgency\": \"notify\", \"hard\": true},"
" {\"rule\": \"campaign\", \"when\": [\"due > 0s\"], \"do\": \"reimage\", \"urgency\": \"notify\"},"
" {\"rule\": \"trend\", \"when\": [\"users_soon > users_high\"], \"do\": \"add\", \"urgency\": \"notify\", \"cool_down\": \"1m\"},"
" {\"rule\": \"peak\", \"when\": [\"users_per_server > users_high\"], \"do\": \"add\", \"cool_down\": \"1m\"},"
" {\"rule\": \"load\", \"when\": [\"group_load > load_high\"], \"do\": \"add\", \"cool_down\": \"5m\"},"
" {\"rule\": \"slow\", \"when\": [\"group_response > response_high\"], \"do\": \"add\", \"cool_down\": \"5m\"},"
" {\"rule\": \"lull\", \"when\": [\"users_most < users_low\"], \"do\": \"remove\", \"cool_down\": \"10m\"},"
" {\"rule\": \"idle\", \"when\": [\"load_most < load_low\"], \"do\": \"remove\", \"cool_down\": \"10m\"},"
" {\"rule\": \"due\", \"when\": [\"age >= first\", \"users = 0\"], \"do\": \"reimage\"}]";

const char *rule_action_name(enum rule_action action)
{
	return actions[action];
}

const char *measure_name(enum measure measure)
{
	return measures[measure].name;
}

const char *limit_name(enum limit limit)
{
	return limits_known[limit].name;
}

const char *attribute_name(enum attribute attribute)
{
	return attributes[attribute];
}

bool rule_is_for_nodes(const struct rule *rule)
{
	return rule->action != RULE_ADD && rule->action != RULE_REMOVE && rule->action != RULE_MOVE;
}

/* ------------------------------------------------------------------ parsing */

/* Takes the next word of `*at`; whether there is one, of at most `most` bytes. */
static bool take_word(const char **at, char *ret_word, size_t most)
{
	size_t size;

	*at += strspn(*at, " ");
	size = strcspn(*at, " ");
	if (!size || size > most)
		return false;
	memcpy(ret_word, *at, size);
	ret_word[size] = '\0';
	*at += size + strspn(*at + size, " ");
	return true;
}

static int find_name(const char *word, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word, names[i]))
			return (int)i;
	return -EINVAL;
}

static int find_measure(const char *word)
{
	for (int i = 0; i < MEASURES; i++)
		if (!strcmp(word, measures[i].name))
			return i;
	return -EINVAL;
}

static int find_limit(const char *word)
{
	for (int i = 0; i < LIMITS; i++)
		if (!strcmp(word, limits_known[i].name))
			return i;
	return -EINVAL;
}

/* A number with a unit that suits the measure, in the measure's own unit. */
static int parse_value(const char *word, enum unit unit, double *ret_value)
{
	static const struct {
		const char *text;
		enum unit unit;
		double factor;
	} known[] = { { "", UNIT_NUMBER, 1 }, { "%", UNIT_NUMBER, 0.01 }, { "s", UNIT_SECONDS, 1 }, { "m", UNIT_SECONDS, 60 },
		      { "h", UNIT_SECONDS, 3600 }, { "d", UNIT_SECONDS, 86400 }, { "ms", UNIT_MILLISECONDS, 1 }, { "s", UNIT_MILLISECONDS, 1000 } };
	size_t digits = strspn(word, "0123456789.");
	char number[32], *end;
	double value;

	/* strtod alone would take "inf", "nan" and hexadecimal. */
	if (!digits || digits >= sizeof number)
		return -EINVAL;
	memcpy(number, word, digits);
	number[digits] = '\0';
	value = strtod(number, &end);
	if (*end || value > NUMBER_MOST)
		return -EINVAL;
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
		if (known[i].unit == unit && !strcmp(word + digits, known[i].text)) {
			*ret_value = value * known[i].factor;
			return 0;
		}
	return -EINVAL;
}

static const char *unit_help(enum unit unit)
{
	return unit == UNIT_SECONDS ? "a number with s, m, h or d" : unit == UNIT_MILLISECONDS ? "a number with ms or s" : "a number, or one with %";
}

static int parse_measured(const char *measure, const char *operator, const char *value, struct condition *c, char error[ERROR_TEXT])
{
	int found = find_measure(measure);

	if (found < 0)
		return refused(error, "there is no measure or attribute \"%s\"", text_printable(measure, strlen(measure)) ? measure : "?");
	c->measure = (enum measure)found;
	found = find_name(operator, operators, RULE_UNEQUAL);
	if (found < 0)
		return refused(error, "%s is compared by <, <=, =, >= or >", measure);
	c->operator = (enum rule_operator)found;
	found = find_limit(value);
	if (found >= 0 && limits_known[found].unit != measures[c->measure].unit)
		return refused(error, "%s and %s are different things", measure, value);
	c->by_limit = found >= 0;
	c->limit = found >= 0 ? (enum limit)found : LIMIT_FIRST;
	if (!c->by_limit && parse_value(value, measures[c->measure].unit, &c->value) < 0)
		return refused(error, "%s is compared with %s, or with the name of a limit", measure, unit_help(measures[c->measure].unit));
	return 0;
}

static int parse_named(const char *attribute, const char *operator, const char *text, struct condition *c, char error[ERROR_TEXT])
{
	int found = find_name(operator, operators, sizeof operators / sizeof operators[0]);

	if (found != RULE_EQUAL && found != RULE_UNEQUAL)
		return refused(error, "%s is compared by = or !=", attribute);
	if (!text_printable(text, strlen(text)))
		return refused(error, "%s is compared with a printable word", attribute);
	c->by_text = true;
	c->operator = (enum rule_operator)found;
	strcpy(c->text, strcmp(text, NO_TEXT) ? text : "");
	return 0;
}

int condition_parse(const char *text, struct condition *ret_condition, char ret_error[ERROR_TEXT])
{
	char subject[24], operator[3], value[RULE_TEXT_MOST + 1];
	const char *at = text;
	struct condition c = { 0 };
	int found, r;

	if (!take_word(&at, subject, sizeof subject - 1) || !take_word(&at, operator, sizeof operator - 1) ||
	    !take_word(&at, value, sizeof value - 1) || *at)
		return refused(ret_error, "a condition is MEASURE OPERATOR VALUE, such as \"users > 400\"");
	found = find_name(subject, attributes, ATTRIBUTES);
	c.attribute = found >= 0 ? (enum attribute)found : ATTRIBUTE_GROUP;
	r = found >= 0 ? parse_named(subject, operator, value, &c, ret_error) : parse_measured(subject, operator, value, &c, ret_error);
	if (!r)
		*ret_condition = c;
	return r;
}

static int parse_conditions(const json_t *when, struct rule *rule, char error[ERROR_TEXT])
{
	const json_t *one;
	size_t i;

	if (!json_is_array(when) || !json_array_size(when) || json_array_size(when) > RULE_CONDITIONS_MOST)
		return refused(error, "\"when\" must be a list of 1 to %u conditions", RULE_CONDITIONS_MOST);
	json_array_foreach(json_iterable(when), i, one) {
		const char *text = json_string_value(one);

		if (!text || strlen(text) != json_string_length(one))
			return refused(error, "condition %zu isn't a text", i + 1);
		if (condition_parse(text, &rule->when[i], error) < 0)
			return -EINVAL;
	}
	rule->conditions = (unsigned)json_array_size(when);
	return 0;
}

static int parse_choice(const json_t *object, const char *key, const char *const *names, size_t count, int otherwise)
{
	const json_t *value = json_object_get(object, key);

	if (!value)
		return otherwise;
	return json_is_string(value) ? find_name(json_string_value(value), names, count) : -EINVAL;
}

static int take_target(const json_t *object, struct rule *rule, char error[ERROR_TEXT])
{
	const json_t *to = json_object_get(object, "to");
	const char *name = json_string_value(to);

	if (!to && rule->action == RULE_MOVE)
		return refused(error, "\"move\" needs \"to\", the group that gets the server");
	if (!to)
		return 0;
	if (rule->action != RULE_MOVE && rule->action != RULE_ADD)
		return refused(error, "\"to\" belongs to \"add\" and \"move\" only");
	if (!name || !host_name_valid(name) || strlen(name) != json_string_length(to))
		return refused(error, "\"to\" must be the name of a group");
	strcpy(rule->to, name);
	return 0;
}

static int parse_members(const json_t *object, struct rule *rule, char error[ERROR_TEXT])
{
	const json_t *cool = json_object_get(object, "cool_down"), *hard = json_object_get(object, "hard");
	static const char *const known[] = { "rule", "when", "do", "to", "urgency", "hard", "cool_down" };
	int action = parse_choice(object, "do", actions, RULE_ACTIONS, -EINVAL);
	int urgency = parse_choice(object, "urgency", urgencies, sizeof urgencies / sizeof urgencies[0], URGENCY_WAIT);
	int64_t seconds = 0;
	const char *key;
	json_t *value;

	json_object_foreach(json_iterable(object), key, value)
		if (find_name(key, known, sizeof known / sizeof known[0]) < 0)
			return refused(error, "it has no member \"%.32s\"", text_printable(key, strlen(key)) ? key : "?");
	if (action < 0)
		return refused(error, "\"do\" must be reimage, cut, quarantine, replace, retry, add, remove or move");
	if (urgency < 0)
		return refused(error, "\"urgency\" must be wait, notify, handover or evict");
	if (hard && !json_is_boolean(hard))
		return refused(error, "\"hard\" must be true or false");
	if (cool && !json_is_string(cool))
		return refused(error, "\"cool_down\" must be a time such as \"5m\"");
	if (cool && duration_parse(json_string_value(cool), &seconds, error) < 0)
		return -EINVAL;
	rule->action = (enum rule_action)action;
	rule->urgency = (enum restart_urgency)urgency;
	rule->hard = json_is_true(hard);
	rule->cool_down = (uint32_t)seconds;
	if (take_target(object, rule, error) < 0)
		return -EINVAL;
	return parse_conditions(json_object_get(object, "when"), rule, error);
}

/* A rule for a node may look at its group, and one for a group not at one node. */
static int check_measures(const struct rule *rule, char error[ERROR_TEXT])
{
	for (unsigned i = 0; i < rule->conditions && !rule_is_for_nodes(rule); i++) {
		const struct condition *c = &rule->when[i];

		if (c->by_text ? c->attribute == ATTRIBUTE_RACK : c->measure < MEASURE_FIRST_OF_GROUP)
			return refused(error, "%s is of one server, and \"%s\" is for a group",
				       c->by_text ? attributes[c->attribute] : measures[c->measure].name, actions[rule->action]);
	}
	return 0;
}

static int parse_rule(const json_t *object, size_t number, const struct rule_list *before, struct rule *ret_rule, char error[ERROR_TEXT])
{
	const char *name = json_get_string(object, "rule");
	char why[ERROR_TEXT];

	*ret_rule = (struct rule){ 0 };
	if (!name || !name[0] || strlen(name) > RULE_NAME_MOST || strlen(name) != json_string_length(json_object_get(object, "rule")) ||
	    !text_printable(name, strlen(name)))
		return refused(error, "rule %zu: \"rule\" must be its name, of 1 to %u bytes", number, RULE_NAME_MOST);
	strcpy(ret_rule->name, name);
	for (size_t i = 0; i < before->count; i++)
		if (!strcmp(before->items[i].name, name))
			return refused(error, "rule %zu: there is another one named \"%s\"", number, name);
	if (parse_members(object, ret_rule, why) < 0 || check_measures(ret_rule, why) < 0)
		return refused(error, "rule %zu, \"%s\": %.300s", number, name, why);
	return 0;
}

int rule_list_parse(const json_t *list, struct rule_list *ret_list, char ret_error[ERROR_TEXT])
{
	struct rule_list rules = { 0 };
	const json_t *one;
	size_t i;

	if (!json_is_array(list) || json_array_size(list) > RULES_MOST)
		return refused(ret_error, "rules must be a list of at most %u", RULES_MOST);
	rules.items = calloc(json_array_size(list) + 1, sizeof *rules.items);
	if (!rules.items)
		return -ENOMEM;
	json_array_foreach(json_iterable(list), i, one) {
		if (parse_rule(one, i + 1, &rules, &rules.items[i], ret_error) < 0) {
			rule_list_release(&rules);
			return -EINVAL;
		}
		rules.count++;
	}
	*ret_list = rules;
	return 0;
}

void rule_list_release(struct rule_list *list)
{
	free(list->items);
	*list = (struct rule_list){ 0 };
}

/* ------------------------------------------------------------------ holding */

static double value_of(const struct condition *condition, const double limits[LIMITS])
{
	double value = condition->by_limit ? limits[condition->limit] : condition->value;

	return condition->by_limit && value == 0 ? NAN : value;
}

/* An image without a version is any version of it. */
static bool names(const char *known, const struct condition *c)
{
	size_t size = strlen(c->text);
	bool image = c->attribute == ATTRIBUTE_OS || c->attribute == ATTRIBUTE_APP;

	if (!known)
		known = "";
	return !strcmp(known, c->text) || (image && size && !strncmp(known, c->text, size) && known[size] == '@');
}

bool condition_compare(const struct condition *condition, double seen, const double limits[LIMITS])
{
	double than = value_of(condition, limits);

	/* A comparison with NAN is false. */
	switch (condition->operator) {
	case RULE_LESS:
		return seen < than;
	case RULE_LESS_OR_EQUAL:
		return seen <= than;
	case RULE_EQUAL:
		return fabs(seen - than) < 1e-9;
	case RULE_GREATER_OR_EQUAL:
		return seen >= than;
	case RULE_GREATER:
		return seen > than;
	default:
		return false;
	}
}

static bool condition_holds(const struct condition *c, const struct facts *facts, const double limits[LIMITS])
{
	if (c->by_text)
		return names(facts->texts[c->attribute], c) == (c->operator == RULE_EQUAL);
	return condition_compare(c, facts->values[c->measure], limits);
}

bool rule_holds(const struct rule *rule, const struct facts *facts, const double limits[LIMITS])
{
	for (unsigned i = 0; i < rule->conditions; i++)
		if (!condition_holds(&rule->when[i], facts, limits))
			return false;
	return true;
}

static void format_value(double value, enum unit unit, char *ret_text, size_t size)
{
	static const struct {
		double least, factor;
		const char *name;
	} steps[] = { { 172800, 86400, "d" }, { 7200, 3600, "h" }, { 120, 60, "min" } };

	if (isnan(value)) {
		snprintf(ret_text, size, "unknown");
		return;
	}
	if (unit == UNIT_MILLISECONDS) {
		snprintf(ret_text, size, "%.0f ms", value);
		return;
	}
	for (size_t i = 0; unit == UNIT_SECONDS && i < sizeof steps / sizeof steps[0]; i++)
		if (value >= steps[i].least) {
			snprintf(ret_text, size, "%.4g %s", value / steps[i].factor, steps[i].name);
			return;
		}
	snprintf(ret_text, size, "%.4g%s", value, unit == UNIT_SECONDS ? " s" : "");
}

static int explain(const struct condition *c, const struct facts *facts, const double limits[LIMITS], char *text, size_t size)
{
	const char *known = facts->texts[c->attribute];
	char seen[32], than[32];

	if (c->by_text)
		return snprintf(text, size, "%s is %s%s%s%s", attributes[c->attribute], known && known[0] ? known : NO_TEXT,
				c->operator == RULE_UNEQUAL ? " (!= " : "", c->operator == RULE_UNEQUAL ? c->text[0] ? c->text : NO_TEXT : "",
				c->operator == RULE_UNEQUAL ? ")" : "");
	format_value(facts->values[c->measure], measures[c->measure].unit, seen, sizeof seen);
	format_value(value_of(c, limits), measures[c->measure].unit, than, sizeof than);
	return snprintf(text, size, "%s is %s (%s %s%s%s)", measures[c->measure].name, seen, operators[c->operator],
			c->by_limit ? limits_known[c->limit].name : "", c->by_limit ? " " : "", than);
}

void rule_explain(const struct rule *rule, const struct facts *facts, const double limits[LIMITS], char ret_text[ERROR_TEXT])
{
	size_t used = 0;

	ret_text[0] = '\0';
	for (unsigned i = 0; i < rule->conditions; i++) {
		int size = 0;

		if (i && used + 2 < ERROR_TEXT)
			used += (size_t)snprintf(ret_text + used, ERROR_TEXT - used, ", ");
		size = explain(&rule->when[i], facts, limits, ret_text + used, ERROR_TEXT - used);
		if (size < 0 || (size_t)size >= ERROR_TEXT - used)
			return;
		used += (size_t)size;
	}
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/snapshot-text.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/groups.h"

#define NUMBER_MOST 1e15

/* ------------------------------------------------------------------ the whole */

int fleet_snapshot_init(struct fleet_snapshot *snapshot, size_t nodes, size_t groups, size_t cooling, size_t texts)
{
	*snapshot = (struct fleet_snapshot){ .texts_room = texts };
	snapshot->nodes = calloc(nodes + 1, sizeof *snapshot->nodes);
	snapshot->groups = calloc(groups + 1, sizeof *snapshot->groups);
	snapshot->cooling = calloc(cooling + 1, sizeof *snapshot->cooling);
	snapshot->texts = malloc(texts + 1);
	if (!snapshot->nodes || !snapshot->groups || !snapshot->cooling || !snapshot->texts)
		return -ENOMEM;
	snapshot->seen = (struct snapshot){ .nodes = snapshot->nodes, .node_count = nodes, .groups = snapshot->groups, .group_count = groups,
					    .rules = &snapshot->rules, .cooling = snapshot->cooling };
	return 0;
}

void fleet_snapshot_release(struct fleet_snapshot *snapshot)
{
	free(snapshot->nodes);
	free(snapshot->groups);
	free(snapshot->cooling);
	free(snapshot->texts);
	rule_list_release(&snapshot->rules);
	json_decref(snapshot->rules_given);
	*snapshot = (struct fleet_snapshot){ 0 };
}

const char *fleet_snapshot_keep(struct fleet_snapshot *snapshot, const char *text)
{
	size_t size = strlen(text) + 1;
	char *kept = snapshot->texts + snapshot->texts_used;

	if (size == 1)
		return "";
	if (snapshot->texts_used + size > snapshot->texts_room)
		return "";
	memcpy(kept, text, size);
	snapshot->texts_used += size;
	return kept;
}

const char *snapshot_node_name(const struct snapshot *snapshot, size_t node)
{
	if (node == DECIDE_NOBODY)
		return "";
	return snapshot->nodes[node].name[0] ? snapshot->nodes[node].name : snapshot->nodes[node].id;
}

/* ------------------------------------------------------------------ members */

/* An index is left out for DECIDE_NOBODY. A place is a text within the structure. */
enum kind { KIND_TEXT, KIND_PLACE, KIND_FLAG, KIND_COUNT, KIND_SECONDS, KIND_TIME, KIND_REAL, KIND_NODE, KIND_GROUP, KIND_RULE, KIND_LIFE, KIND_URGENCY };

struct field {
	const char *name;
	enum kind kind;
	size_t at;
};

#define NODE(member, kind) { #member, kind, offsetof(struct seen_node, member) }
static const struct field node_fields[] = {
	NODE(id, KIND_TEXT), NODE(name, KIND_TEXT), NODE(group, KIND_GROUP), NODE(life, KIND_LIFE), NODE(busy, KIND_FLAG), NODE(goes, KIND_FLAG),
	NODE(urgency, KIND_URGENCY), NODE(taken, KIND_FLAG), NODE(off, KIND_FLAG), NODE(exempt, KIND_FLAG), NODE(up, KIND_REAL),
	NODE(jitter, KIND_REAL), NODE(users, KIND_REAL), NODE(load, KIND_REAL), NODE(response, KIND_REAL), NODE(alarms, KIND_COUNT),
	NODE(cuts, KIND_COUNT), NODE(retries, KIND_COUNT), NODE(due, KIND_REAL), NODE(uses, KIND_COUNT), NODE(release_s, KIND_REAL),
	NODE(site, KIND_TEXT), NODE(rack, KIND_TEXT), NODE(warm_for, KIND_GROUP),
};

#define GROUP(member, kind) { #member, kind, offsetof(struct seen_group, member) }
#define POLICY(member, kind) { #member, kind, offsetof(struct seen_group, policy.member) }
#define LIMIT(name, limit) { name, KIND_REAL, offsetof(struct seen_group, policy.limits[limit]) }
static const struct field group_fields[] = {
	GROUP(name, KIND_TEXT), GROUP(window_open, KIND_FLAG), GROUP(failures, KIND_COUNT), GROUP(returned, KIND_TIME), GROUP(trend, KIND_REAL),
	GROUP(start_s, KIND_REAL), GROUP(hour, KIND_REAL), GROUP(site, KIND_TEXT), GROUP(users_most, KIND_REAL),
	GROUP(load_most, KIND_REAL), GROUP(os, KIND_TEXT), GROUP(app, KIND_TEXT), GROUP(account, KIND_TEXT), GROUP(expected_users, KIND_REAL),
	GROUP(expected_at, KIND_TIME), GROUP(expected_until, KIND_TIME), GROUP(cuts, KIND_COUNT), POLICY(rack_pace, KIND_COUNT),
	POLICY(priority, KIND_COUNT), POLICY(place_only, KIND_FLAG), POLICY(grace, KIND_REAL), POLICY(jitter, KIND_REAL),
	POLICY(minimum, KIND_COUNT), POLICY(maximum, KIND_COUNT), POLICY(pace, KIND_COUNT), POLICY(pace_share, KIND_REAL),
	POLICY(settle, KIND_SECONDS), POLICY(failures_most, KIND_COUNT), { "place_site", KIND_PLACE, offsetof(struct seen_group, policy.site) },
	{ "place_rack", KIND_PLACE, offsetof(struct seen_group, policy.rack) }, LIMIT("first", LIMIT_FIRST), LIMIT("second", LIMIT_SECOND),
	LIMIT("users_high", LIMIT_USERS_HIGH), LIMIT("users_low", LIMIT_USERS_LOW), LIMIT("load_high", LIMIT_LOAD_HIGH),
	LIMIT("load_low", LIMIT_LOAD_LOW), LIMIT("response_high", LIMIT_RESPONSE_HIGH),
	GROUP(campaign_pace, KIND_COUNT), GROUP(serving_least, KIND_COUNT), GROUP(campaign_any_time, KIND_FLAG),
};

static const struct field cooling_fields[] = {
	{ "rule", KIND_RULE, offsetof(struct cooling, rule) }, { "node", KIND_NODE, offsetof(struct cooling, node) },
	{ "group", KIND_GROUP, offsetof(struct cooling, group) }, { "until", KIND_TIME, offsetof(struct cooling, until) },
};

static const struct field snapshot_fields[] = {
	{ "now", KIND_TIME, offsetof(struct snapshot, now) }, { "spare_ratio", KIND_REAL, offsetof(struct snapshot, spare_ratio) },
	{ "spares_least", KIND_COUNT, offsetof(struct snapshot, spares_least) }, { "cuts_most", KIND_COUNT, offsetof(struct snapshot, cuts_most) },
	{ "cuts_within", KIND_SECONDS, offsetof(struct snapshot, cuts_within) }, { "spare_cuts", KIND_COUNT, offsetof(struct snapshot, spare_cuts) },
};
#define COUNT_OF(list) (sizeof(list) / sizeof(list)[0])

/* ------------------------------------------------------------------ formatting */

/* NULL for what is left out. */
static json_t *format_index(size_t index)
{
	return index == DECIDE_NOBODY ? NULL : json_integer((json_int_t)index);
}

static json_t *format_text(const char *text)
{
	return text && text[0] ? json_string(text) : NULL;
}

static json_t *format_field(const struct field *field, const void *from)
{
	const char *at = (const char *)from + field->at;

	switch (field->kind) {
	case KIND_TEXT: return format_text(*(const char *const *)at);
	case KIND_PLACE: return format_text(at);
	case KIND_FLAG: return *(const bool *)at ? json_true() : NULL;
	case KIND_COUNT: return *(const unsigned *)at ? json_integer(*(const unsigned *)at) : NULL;
	case KIND_SECONDS: return *(const uint32_t *)at ? json_integer(*(const uint32_t *)at) : NULL;
	case KIND_TIME: return *(const int64_t *)at ? json_integer(*(const int64_t *)at) : NULL;
	case KIND_REAL: return isfinite(*(const double *)at) ? json_real(*(const double *)at) : NULL;
	case KIND_NODE:
	case KIND_GROUP:
	case KIND_RULE: return format_index(*(const size_t *)at);
	case KIND_LIFE: return json_string(life_name(*(const enum life_state *)at));
	case KIND_URGENCY: return *(const enum restart_urgency *)at ? json_string(restart_urgency_name(*(const enum restart_urgency *)at)) : NULL;
	}
	return NULL;
}

static json_t *format_fields(const struct field *fields, size_t count, const void *from)
{
	json_t *object = json_object();

	for (size_t i = 0; i < count; i++) {
		json_t *value = format_field(&fields[i], from);

		if (value)
			json_object_set_new_nocheck(object, fields[i].name, value);
	}
	return object;
}

static json_t *format_list(const struct field *fields, size_t count, const void *items, size_t size, size_t item_count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < item_count; i++)
		json_array_append_new(list, format_fields(fields, count, (const char *)items + i * size));
	return list;
}

json_t *snapshot_format(const struct fleet_snapshot *snapshot)
{
	const struct snapshot *seen = &snapshot->seen;
	json_t *object = format_fields(snapshot_fields, COUNT_OF(snapshot_fields), seen);

	json_object_set_new(object, "format", json_integer(1));
	json_object_set_new(object, "nodes", format_list(node_fields, COUNT_OF(node_fields), seen->nodes, sizeof *seen->nodes, seen->node_count));
	json_object_set_new(object, "groups",
			    format_list(group_fields, COUNT_OF(group_fields), seen->groups, sizeof *seen->groups, seen->group_count));
	json_object_set_new(object, "cooling",
			    format_list(cooling_fields, COUNT_OF(cooling_fields), seen->cooling, sizeof *seen->cooling, seen->cooling_count));
	json_object_set_new(object, "rules",
			    snapshot->rules_given ? json_incref(snapshot->rules_given) : json_loads(rules_default, 0, NULL));
	return object;
}

static json_t *format_decision(const struct snapshot *snapshot, const struct decision *d)
{
	json_t *object = json_pack("{ss ss ss ss ss}", "verdict", verdict_name(d->verdict), "action", rule_action_name(d->action), "urgency",
				   restart_urgency_name(d->urgency), "rule", snapshot->rules->items[d->rule].name, "reason", d->reason);

	if (d->node != DECIDE_NOBODY)
		json_object_set_new(object, "node", json_string(snapshot->nodes[d->node].id));
	if (d->group != DECIDE_NOBODY)
		json_object_set_new(object, "group", json_string(snapshot->groups[d->group].name));
	if (d->spare != DECIDE_NOBODY)
		json_object_set_new(object, "spare", json_string(snapshot->nodes[d->spare].id));
	if (d->from != DECIDE_NOBODY)
		json_object_set_new(object, "from", json_string(snapshot->groups[d->from].name));
	if (d->denial)
		json_object_set_new(object, "denial", json_string(denial_name(d->denial)));
	return object;
}

json_t *decisions_format(const struct snapshot *snapshot, const struct decisions *decisions)
{
	json_t *list = json_array();

	for (size_t i = 0; i < decisions->count; i++)
		json_array_append_new(list, format_decision(snapshot, &decisions->items[i]));
	return list;
}

/* ------------------------------------------------------------------ parsing */

struct reading {
	struct fleet_snapshot *to;
	size_t nodes, groups, rules;
	char *error;
};

static int bad(const struct reading *r, const char *what, size_t number, const char *name)
{
	return refused(r->error, "entry %zu of %s: \"%s\" makes no sense", number + 1, what, name);
}

/* A whole number of 0 to `most`. */
static int read_number(const json_t *value, json_int_t most, json_int_t *ret_number)
{
	if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > most)
		return -EINVAL;
	*ret_number = json_integer_value(value);
	return 0;
}

static int read_index(const json_t *value, size_t count, size_t *ret_index)
{
	json_int_t number;

	*ret_index = DECIDE_NOBODY;
	if (!value)
		return 0;
	if (!count || read_number(value, (json_int_t)count - 1, &number) < 0)
		return -EINVAL;
	*ret_index = (size_t)number;
	return 0;
}

static int read_text(const struct reading *r, const json_t *value, const char **ret_text)
{
	const char *text = value ? json_string_value(value) : "";

	if (!text || strlen(text) > SNAPSHOT_TEXT_MOST || strlen(text) != (value ? json_string_length(value) : 0) ||
	    !text_printable(text, strlen(text)))
		return -EINVAL;
	*ret_text = fleet_snapshot_keep(r->to, text);
	return 0;
}

static int read_place(const json_t *value, char *at)
{
	const char *text = value ? json_string_value(value) : "";

	if (!text || strlen(text) > POLICY_PLACE_MOST || strlen(text) != (value ? json_string_length(value) : 0) ||
	    !text_printable(text, strlen(text)))
		return -EINVAL;
	strcpy(at, text);
	return 0;
}

static int read_real(const json_t *value, double *ret_real)
{
	*ret_real = value ? json_number_value(value) : NAN;
	return !value || (json_is_number(value) && fabs(*ret_real) <= NUMBER_MOST) ? 0 : -EINVAL;
}

static int read_counted(const struct field *field, const json_t *value, char *at)
{
	json_int_t number = 0;

	if (value && read_number(value, field->kind == KIND_TIME ? (json_int_t)NUMBER_MOST : UINT32_MAX, &number) < 0)
		return -EINVAL;
	if (field->kind == KIND_COUNT)
		*(unsigned *)at = (unsigned)number;
	else if (field->kind == KIND_SECONDS)
		*(uint32_t *)at = (uint32_t)number;
	else
		*(int64_t *)at = number;
	return 0;
}

static int read_field(const struct reading *r, const struct field *field, const json_t *value, void *to)
{
	char *at = (char *)to + field->at;

	switch (field->kind) {
	case KIND_TEXT: return read_text(r, value, (const char **)at);
	case KIND_PLACE: return read_place(value, at);
	case KIND_FLAG: *(bool *)at = json_is_true(value); return value && !json_is_boolean(value) ? -EINVAL : 0;
	case KIND_COUNT:
	case KIND_SECONDS:
	case KIND_TIME: return read_counted(field, value, at);
	case KIND_REAL: return read_real(value, (double *)at);
	case KIND_NODE: return read_index(value, r->nodes, (size_t *)at);
	case KIND_GROUP: return read_index(value, r->groups, (size_t *)at);
	case KIND_RULE: return value ? read_index(value, r->rules, (size_t *)at) : -EINVAL;
	case KIND_LIFE: return json_is_string(value) ? life_parse(json_string_value(value), (enum life_state *)at) : -EINVAL;
	case KIND_URGENCY: return !value ? 0 : json_is_string(value) ? restart_urgency_parse(json_string_value(value), (enum restart_urgency *)at) : -EINVAL;
	}
	return -EINVAL;
}

static int read_list(const struct reading *r, const char *what, const json_t *list, const struct field *fields, size_t count, void *items,
		     size_t size)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_iterable(list), i, one) {
		if (!json_is_object(one))
			return bad(r, what, i, "it");
		for (size_t f = 0; f < count; f++)
			if (read_field(r, &fields[f], json_object_get(one, fields[f].name), (char *)items + i * size) < 0)
				return bad(r, what, i, fields[f].name);
	}
	return 0;
}

static int read_all(struct reading *r, const json_t *object, const json_t *nodes, const json_t *groups, const json_t *cooling)
{
	struct fleet_snapshot *to = r->to;
	const json_t *rules = json_object_get(object, "rules");
	int failed = rule_list_parse(rules, &to->rules, r->error);

	if (failed < 0)
		return failed;
	to->rules_given = json_incref(json_iterable(rules));
	to->seen.cooling_count = json_array_size(cooling);
	r->rules = to->rules.count;
	for (size_t i = 0; i < COUNT_OF(snapshot_fields); i++)
		if (read_field(r, &snapshot_fields[i], json_object_get(object, snapshot_fields[i].name), &to->seen) < 0)
			return refused(r->error, "\"%s\" makes no sense", snapshot_fields[i].name);
	failed = read_list(r, "nodes", nodes, node_fields, COUNT_OF(node_fields), to->nodes, sizeof *to->nodes);
	if (!failed)
		failed = read_list(r, "groups", groups, group_fields, COUNT_OF(group_fields), to->groups, sizeof *to->groups);
	if (!failed)
		failed = read_list(r, "cooling", cooling, cooling_fields, COUNT_OF(cooling_fields), to->cooling, sizeof *to->cooling);
	return failed;
}

int snapshot_parse(const json_t *object, struct fleet_snapshot *ret_snapshot, char ret_error[ERROR_TEXT])
{
	const json_t *nodes = json_object_get(object, "nodes"), *groups = json_object_get(object, "groups"),
		     *cooling = json_object_get(object, "cooling");
	struct fleet_snapshot snapshot;
	struct reading reading = { &snapshot, json_array_size(nodes), json_array_size(groups), 0, ret_error };
	int r;

	if (json_integer_value(json_object_get(object, "format")) != 1)
		return refused(ret_error, "it is no snapshot of format 1");
	if (!json_is_array(nodes) || !json_is_array(groups) || !json_is_array(cooling) || reading.nodes > SNAPSHOT_NODES_MOST ||
	    reading.groups > GROUPS_MOST || json_array_size(cooling) > SNAPSHOT_NODES_MOST)
		return refused(ret_error, "nodes, groups and cooling must be lists of at most %u", SNAPSHOT_NODES_MOST);
	r = fleet_snapshot_init(&snapshot, reading.nodes, reading.groups, json_array_size(cooling),
				(reading.nodes * 4 + reading.groups * 5) * (SNAPSHOT_TEXT_MOST + 1));
	if (!r)
		r = read_all(&reading, object, nodes, groups, cooling);
	if (r < 0) {
		fleet_snapshot_release(&snapshot);
		return r;
	}
	snapshot.seen.rules = &ret_snapshot->rules;
	*ret_snapshot = snapshot;
	return 0;
}

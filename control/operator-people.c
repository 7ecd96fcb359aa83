// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-people.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/operator-answer.h"
#include "control/people.h"

/* ------------------------------------------------------------------ planned events */

static json_t *describe_event(const struct control *control, const struct planned *event)
{
	const struct node *node = fleet_get(control->fleet, event->node);
	const char *name = node ? assignment_host_name(&node->assignment) : NULL;
	json_t *all = planned_format(event);

	json_object_set_new(all, "name", name ? json_string(name) : json_null());
	json_object_set_new(all, "spare", event->spare[0] ? json_string(event->spare) : json_null());
	json_object_set_new(all, "request", event->request ? json_integer((json_int_t)event->request) : json_null());
	json_object_set_new(all, "begins", json_integer((json_int_t)planned_begins(event, people_start_time(control, event))));
	json_object_set_new(all, "short", json_boolean(event->told && event->step < PLANNED_ASIDE));
	json_object_del(all, "told");
	json_object_del(all, "thrown");
	json_object_del(all, "group");
	return all;
}

void operator_list_planned(const struct control *control, struct http_answer *answer)
{
	json_t *list = json_array();

	for (size_t i = 0; i < control->people->event_count; i++)
		json_array_append_new(list, describe_event(control, &control->people->events[i]));
	answer_json(answer, json_pack("{so}", "events", list));
}

static int check_event(const struct control *control, const struct planned *event, int64_t now, char error[ERROR_TEXT])
{
	if (event->to <= now)
		return refused(error, "its window is over already");
	for (size_t i = 0; i < control->people->event_count; i++) {
		const struct planned *other = &control->people->events[i];

		if (strcmp(other->node, event->node) || other->step >= PLANNED_OVER || other->to <= event->from || event->to <= other->from)
			continue;
		snprintf(error, ERROR_TEXT, "planned event %llu is about the same node and time; `repave event remove %llu` ends it",
			 (unsigned long long)other->id, (unsigned long long)other->id);
		return -EEXIST;
	}
	return 0;
}

void operator_plan_event(struct control *control, const json_t *body, const char *by, int64_t now, struct http_answer *answer)
{
	const char *text = json_get_string(body, "node");
	char why[ERROR_TEXT] = "";
	const struct node *node;
	struct planned event;
	int r = text ? fleet_find(control->fleet, text, &node, why) : refused(why, "\"node\" must name a node");

	if (!r)
		r = planned_parse(body, now, &event, why);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	strcpy(event.node, node->id);
	snprintf(event.by, sizeof event.by, "operator %s", by);
	r = check_event(control, &event, now, why);
	if (!r)
		r = people_add_event(control, &event, why);
	if (r < 0) {
		planned_release(&event);
		answer_failure(answer, r, why);
		return;
	}
	answer_json(answer, describe_event(control, &event));
}

static int parse_id(const char *text, uint64_t *ret_id, char why[ERROR_TEXT])
{
	if (parse_u64(text, ret_id) == 0 && *ret_id)
		return 0;
	snprintf(why, ERROR_TEXT, "it has a number");
	return -ENOENT;
}

void operator_cancel_planned(struct control *control, const char *text, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	uint64_t id = 0;
	int r = parse_id(text, &id, why);

	if (!r)
		r = people_cancel_event(control, id, now, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{sI}", "id", (json_int_t)id));
}

void operator_refuse_request(struct control *control, const char *text, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	int r = user_request_refuse(control, text, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_object());
}

/* ------------------------------------------------------------------ hints */

static json_t *describe_hint(const struct hint *hint)
{
	json_t *all = hint_format(hint);

	json_object_set_new(all, "base", hint->base >= 0 ? json_real(hint->base) : json_null());
	return all;
}

void operator_list_hints(const struct control *control, struct http_answer *answer)
{
	json_t *list = json_array();

	for (size_t i = 0; i < control->people->hint_count; i++)
		json_array_append_new(list, describe_hint(&control->people->hints[i]));
	answer_json(answer, json_pack("{so}", "hints", list));
}

void operator_hint(struct control *control, const json_t *body, const char *by, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	struct hint hint;
	int r = hint_parse(body, now, &hint, why);

	if (!r && !group_list_find(fleet_groups(control->fleet), hint.group)) {
		snprintf(why, sizeof why, "there is no group \"%s\"; `repave group list` shows them", hint.group);
		r = -ENOENT;
	}
	if (!r) {
		snprintf(hint.by, sizeof hint.by, "operator %s", by);
		r = people_add_hint(control, &hint, why);
	}
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, describe_hint(&control->people->hints[control->people->hint_count - 1]));
}

void operator_end_hint(struct control *control, const char *text, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	uint64_t id = 0;
	int r = parse_id(text, &id, why);

	if (!r)
		r = people_remove_hint(control, id, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{sI}", "id", (json_int_t)id));
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-balancer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/balancer.h"
#include "control/fleet-plan.h"
#include "control/operator-answer.h"

/* ------------------------------------------------------------------ fleet file */

void operator_export_fleet(const struct control *control, struct http_answer *answer)
{
	answer_json(answer, fleet_export(control));
}

void operator_plan_fleet(const struct control *control, const json_t *body, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	struct fleet_plan plan;
	int r = fleet_plan_make(control, body, &plan, why);

	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	answer_json(answer, json_pack("{sO}", "changes", plan.changes));
	fleet_plan_release(&plan);
}

void operator_apply_fleet(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	const json_t *expect = json_object_get(body, "expect");
	char why[ERROR_TEXT] = "";
	struct fleet_plan plan;
	int r = fleet_plan_make(control, json_object_get(body, "fleet"), &plan, why);

	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	if (expect && !json_equal(json_iterable(expect), plan.changes)) {
		http_answer_error(answer, 409, "the fleet has changed since the changes were shown; look at them anew");
	} else {
		r = json_array_size(plan.changes) ? fleet_plan_apply(control, &plan, now) : 0;
		if (r < 0)
			answer_failure(answer, r, why);
		else
			answer_json(answer, json_pack("{sO}", "changes", plan.changes));
	}
	fleet_plan_release(&plan);
}

/* ------------------------------------------------------------------ groups */

static json_t *describe_group(struct control *control, const struct group *group)
{
	json_t *all = json_copy(group->definition);
	json_int_t members = 0, ready = 0, sessions = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		struct balancer_view view;

		if (strcmp(node->group, group->name))
			continue;
		members++;
		balancer_look(control, node->id, &view);
		ready += view.known && view.state == BALANCER_READY && view.up;
		sessions += (json_int_t)view.sessions;
	}
	json_object_set_new(all, "name", json_string(group->name));
	json_object_set_new(all, "denied", json_boolean(group->denied));
	json_object_set_new(all, "nodes", json_integer(members));
	json_object_set_new(all, "ready", json_integer(ready));
	json_object_set_new(all, "sessions", json_integer(sessions));
	return all;
}

void operator_list_groups(struct control *control, struct http_answer *answer)
{
	const struct group_list *groups = fleet_groups(control->fleet);
	json_t *list = json_array();

	for (size_t i = 0; i < groups->count; i++)
		json_array_append_new(list, describe_group(control, &groups->items[i]));
	answer_json(answer, json_pack("{so}", "groups", list));
}

void operator_deny_group(struct control *control, const char *group, const json_t *body, int64_t now, struct http_answer *answer)
{
	const json_t *denied = json_object_get(body, "denied");
	char why[ERROR_TEXT] = "";
	int r = json_is_boolean(denied) ? 0 : refused(why, "\"denied\" must be true or false");

	if (!r)
		r = balancer_deny(control, group, json_is_true(denied), why);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	control_event(control, now, "", SEVERITY_NOTICE, "group-denied", json_pack("{ss}", "group", group), "group %s %s new users", group,
		      json_is_true(denied) ? "takes no" : "takes");
	answer_json(answer, json_pack("{ss sb}", "name", group, "denied", json_is_true(denied)));
}

/* ------------------------------------------------------------------ balancers */

void operator_show_balancer(const struct control *control, struct http_answer *answer)
{
	answer_json(answer, balancer_describe(control));
}

void operator_print_balancer(const struct control *control, const struct http_call *call, struct http_answer *answer)
{
	const char *unprivileged = http_argument(call, "unprivileged");
	char why[ERROR_TEXT] = "", *text = NULL;
	int r = balancer_config(control, http_argument(call, "socket"), !unprivileged, &text, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "config", text));
	free(text);
}

static int parse_want(const json_t *body, enum balancer_want *ret_want, char error[ERROR_TEXT])
{
	const char *text = json_get_string(body, "want");

	for (enum balancer_want want = BALANCER_READY; text && want <= BALANCER_MAINT; want++) {
		if (!strcmp(text, balancer_state_name(want))) {
			*ret_want = want;
			return 0;
		}
	}
	return refused(error, "\"want\" must be ready, drain or maint");
}

void operator_balance_node(struct control *control, const char *text, const json_t *body, int64_t now, struct http_answer *answer)
{
	enum balancer_want want = BALANCER_READY;
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = parse_want(body, &want, why);

	if (!r)
		r = fleet_find(control->fleet, text, &node, why);
	if (!r)
		r = balancer_want(control, node->id, want);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	control_event(control, now, node->id, SEVERITY_NOTICE, "balancer-want", NULL, "the balancer is to have it as %s", balancer_state_name(want));
	answer_json(answer, json_pack("{ss ss}", "id", node->id, "want", balancer_state_name(want)));
}

json_t *operator_describe_balancing(const struct control *control, const struct node *node)
{
	struct balancer_view view;

	balancer_look((struct control *)(uintptr_t)control, node->id, &view);
	if (!view.known)
		return json_null();
	return json_pack("{ss ss sb ss sI sI sI sI}", "want", balancer_state_name(balancer_wanted(node)), "state", balancer_state_name(view.state),
			 "up", (int)view.up, "check", view.check, "sessions", (json_int_t)view.sessions, "queue", (json_int_t)view.queue,
			 "response_ms", (json_int_t)view.response_ms, "seconds", (json_int_t)view.seconds);
}

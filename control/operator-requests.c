// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-requests.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "control/requests.h"
#include "control/handover.h"
#include "control/operator-answer.h"
#include "control/restart-record.h"

#define ALLOC_MOST 100u

/* What the body of such a call says; texts are borrowed from it. */
struct asked {
	struct wish wish;
	const char *node, *group;    /* NULL without */
	uint64_t count;
	char by[RESTART_BY_MOST + 1];
};

static int take_text(const json_t *body, const char *key, const char **ret_text, char error[ERROR_TEXT])
{
	const json_t *value = json_object_get(body, key);

	*ret_text = NULL;
	if (!value || json_is_null(value))
		return 0;
	*ret_text = json_string_value(value);
	if (!*ret_text || strlen(*ret_text) != json_string_length(value) || strlen(*ret_text) > REASON_MOST ||
	    !text_printable(*ret_text, strlen(*ret_text)))
		return refused(error, "\"%s\" must be a line of at most %u bytes", key, REASON_MOST);
	return 0;
}

/* {"node", "group", "count", "urgency", "force", "reason"}, each if it is among `known`. */
static int parse(const json_t *body, const char *known, const char *by, struct asked *asked, char error[ERROR_TEXT])
{
	const json_t *force = json_object_get(body, "force");
	const char *key, *urgency;
	json_t *value;
	int r;

	if (!json_is_object(body))
		return refused(error, "the body must be an object");
	json_object_foreach(json_iterable(body), key, value)
		if (!strstr(known, key) || strchr(key, ' '))
			return refused(error, "the body knows these members: %s", known);
	*asked = (struct asked){ .wish = { .reason = "" }, .count = 1 };
	snprintf(asked->by, sizeof asked->by, "operator %s", by);
	asked->wish.by = asked->by;
	r = take_text(body, "node", &asked->node, error);
	if (!r)
		r = take_text(body, "group", &asked->group, error);
	if (!r)
		r = take_text(body, "reason", &asked->wish.reason, error);
	if (!r)
		r = take_text(body, "urgency", &urgency, error);
	if (r < 0)
		return r;
	if (!asked->wish.reason)
		asked->wish.reason = "";
	if (urgency && restart_urgency_parse(urgency, &asked->wish.urgency) < 0)
		return refused(error, "\"urgency\" must be wait, notify, handover or evict");
	if (force && !json_is_boolean(force))
		return refused(error, "\"force\" must be true or false");
	asked->wish.forced = json_is_true(force);
	if (json_get_u64(body, "count", &asked->count) == -EINVAL || asked->count < 1 || asked->count > ALLOC_MOST)
		return refused(error, "\"count\" must be a number from 1 to %u", ALLOC_MOST);
	return asked->node && asked->count > 1 ? refused(error, "a node is named, so the count is 1") : 0;
}

static json_t *describe(const struct control *control, const struct request *request)
{
	const struct node *node = request->node[0] ? fleet_get(control->fleet, request->node) : NULL;
	const char *name = node ? assignment_host_name(&node->assignment) : NULL;

	return json_pack("{sI ss ss ss? ss? ss so ss? ss?}", "request", (json_int_t)request->id, "action", request->action, "verdict",
			 request->denied ? "denied" : "do", "node", request->node[0] ? request->node : NULL, "name", name, "group", request->group,
			 "restart", request->restart ? json_integer((json_int_t)request->restart) : json_null(), "denial",
			 request->denied ? request->denial : NULL, "reason", request->denied ? request->reason : NULL);
}

/* Of several what was done counts, though a later one can't be. */
void operator_alloc(struct control *control, const char *group, const json_t *body, const char *by, struct http_answer *answer)
{
	struct request request = { 0 };
	const struct node *node = NULL;
	char why[ERROR_TEXT] = "";
	json_t *requests = json_array();
	struct asked asked;
	int r = parse(body, "node count force reason", by, &asked, why);

	if (!r && asked.node)
		r = fleet_find(control->fleet, asked.node, &node, why);
	for (uint64_t i = 0; !r && i < asked.count && !request.denied; i++) {
		r = request_join(control, node ? node->id : NULL, group, &asked.wish, &request, why);
		if (!r)
			json_array_append_new(requests, describe(control, &request));
	}
	if (r < 0 && !json_array_size(requests))
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{sO ss?}", "requests", requests, "error", r < 0 ? why : NULL));
	json_decref(requests);
}

static void answer_request(const struct control *control, int r, const struct request *request, const char *why, struct http_answer *answer)
{
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{s[o]}", "requests", describe(control, request)));
}

/* The node, and whether who is on it can be treated as asked. */
static int find_node(struct control *control, const char *text, const struct asked *asked, const struct node **ret_node, char why[ERROR_TEXT])
{
	int r = fleet_find(control->fleet, text, ret_node, why);

	return !r && asked->wish.urgency == URGENCY_HANDOVER ? handover_check(control, text, why) : r;
}

void operator_release(struct control *control, const char *text, const json_t *body, const char *by, struct http_answer *answer)
{
	const struct node *node;
	struct request request;
	char why[ERROR_TEXT] = "";
	struct asked asked;
	int r = parse(body, "urgency force reason", by, &asked, why);

	if (!r)
		r = find_node(control, text, &asked, &node, why);
	if (!r)
		r = request_leave(control, node->id, &asked.wish, &request, why);
	answer_request(control, r, &request, why, answer);
}

void operator_move(struct control *control, const char *text, const json_t *body, const char *by, struct http_answer *answer)
{
	const struct node *node;
	struct request request;
	char why[ERROR_TEXT] = "";
	struct asked asked;
	int r = parse(body, "group urgency force reason", by, &asked, why);

	if (!r && !asked.group)
		r = refused(why, "\"group\" must name the group that it goes to");
	if (!r)
		r = find_node(control, text, &asked, &node, why);
	if (!r)
		r = request_move(control, node->id, asked.group, &asked.wish, &request, why);
	answer_request(control, r, &request, why, answer);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-orders.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/operator-answer.h"
#include "control/orders.h"

#define SECONDS_DEFAULT 60
#define LIST_MOST 50u
#define NOTICE_MOST 1000u
#define USER_MOST 32u
#define NAME_MOST 32u
#define VALUES_MOST 8u
#define VALUE_MOST 128u
#define FRESH_INTERVALS 2

/* ------------------------------------------------------------------ what an order may say */

static int check_notice(const json_t *arguments, char ret_error[ERROR_TEXT])
{
	const char *text = json_get_string(arguments, "text");

	if (!text || !text[0] || strlen(text) > NOTICE_MOST || json_object_size(arguments) != 1)
		return refused(ret_error, "a notice has a \"text\" of 1 to %u bytes", NOTICE_MOST);
	return 0;
}

static int check_logout(const json_t *arguments, char ret_error[ERROR_TEXT])
{
	const json_t *user = json_object_get(arguments, "user");
	const char *name = json_string_value(user);
	size_t size = name ? strlen(name) : 0;

	if (json_object_size(arguments) > (user ? 1 : 0) || (user && (!size || size > USER_MOST || !text_printable(name, size))))
		return refused(ret_error, "a logout has a \"user\" of 1 to %u bytes, or none for everybody", USER_MOST);
	return 0;
}

/* As the agent wants them: names of actions and of their arguments. */
static bool is_word(const char *text)
{
	return text && text[0] != '-' && text_of(text, "abcdefghijklmnopqrstuvwxyz0123456789-", NAME_MOST);
}

static int check_run(const json_t *arguments, char ret_error[ERROR_TEXT])
{
	json_t *values = json_object_get(arguments, "arguments"), *value;
	const char *name;

	if (!is_word(json_get_string(arguments, "name")) || json_object_size(arguments) > (values ? 2 : 1))
		return refused(ret_error, "\"name\" of an action is 1 to %u lower-case letters, digits and hyphens", NAME_MOST);
	if (values && (!json_is_object(values) || json_object_size(values) > VALUES_MOST))
		return refused(ret_error, "\"arguments\" of an action are at most %u", VALUES_MOST);
	json_object_foreach(values, name, value)
		if (!is_word(name) || !json_is_string(value) || json_string_length(value) > VALUE_MOST)
			return refused(ret_error, "an action's arguments are texts of at most %u bytes", VALUE_MOST);
	return 0;
}

static int check_log(const json_t *arguments, char ret_error[ERROR_TEXT])
{
	const char *kind = json_get_string(arguments, "kind");

	if (!kind || (strcmp(kind, "app") && strcmp(kind, "system")) || json_object_size(arguments) != 1)
		return refused(ret_error, "a log has a \"kind\": app or system");
	return 0;
}

static const struct {
	const char *name;
	int (*check)(const json_t *arguments, char ret_error[ERROR_TEXT]);
} actions[] = { { "notice", check_notice }, { "logout", check_logout }, { "run", check_run }, { "log", check_log } };

/* 0 with new references and numbers; -EINVAL with a sentence. */
static int parse(const json_t *body, const char **ret_action, json_t **ret_arguments, uint64_t *ret_seconds, char ret_error[ERROR_TEXT])
{
	const char *action = json_get_string(body, "action");
	json_t *arguments = json_object_get(body, "arguments");
	int r = json_get_u64(body, "seconds", ret_seconds);

	if (r == -ENOENT)
		*ret_seconds = SECONDS_DEFAULT;
	if (r == -EINVAL || *ret_seconds < 1 || *ret_seconds > ORDER_SECONDS_MOST)
		return refused(ret_error, "\"seconds\" must be a number from 1 to %d", ORDER_SECONDS_MOST);
	if (arguments && !json_is_object(arguments))
		return refused(ret_error, "\"arguments\" must be an object");
	for (size_t i = 0; action && i < sizeof actions / sizeof actions[0]; i++) {
		if (strcmp(actions[i].name, action))
			continue;
		*ret_action = action;
		r = actions[i].check(arguments, ret_error);
		if (!r)
			*ret_arguments = json_incref(arguments);
		return r;
	}
	return refused(ret_error, "\"action\" must be notice, logout, run or log");
}

/* ------------------------------------------------------------------ calls */

static int give(struct control *control, const char *text, const json_t *body, int64_t now, const struct node **ret_node,
		uint64_t *ret_number, char ret_error[ERROR_TEXT])
{
	json_t *arguments = NULL;
	const char *action = NULL;
	uint64_t seconds = 0;
	int r = fleet_find(control->fleet, text, ret_node, ret_error);

	if (!r)
		r = parse(body, &action, &arguments, &seconds, ret_error);
	if (r < 0)
		return r;
	/* Never for a later boot: what was to be done may have been done in this one. */
	r = orders_give(control, (*ret_node)->id, action, arguments, true, now + (int64_t)seconds, now, ret_number);
	if (r == -EAGAIN)
		snprintf(ret_error, ERROR_TEXT, "no agent of node %s was ever heard; `repave node show` says how its boot went", (*ret_node)->id);
	else if (r == -EDQUOT)
		snprintf(ret_error, ERROR_TEXT, "%u orders to node %s aren't answered yet; `repave node orders` shows them", ORDERS_OUTSTANDING_MOST,
			 (*ret_node)->id);
	return r;
}

void operator_order(struct control *control, const char *text, const json_t *body, int64_t now, struct http_answer *answer)
{
	const struct node *node;
	char why[ERROR_TEXT] = "";
	uint64_t number;
	int r = give(control, text, body, now, &node, &number, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss sI}", "id", node->id, "order", (json_int_t)number));
}

void operator_list_orders(struct control *control, const char *text, const struct http_call *call, struct http_answer *answer)
{
	const char *wanted = http_argument(call, "order");
	const struct node *node;
	char why[ERROR_TEXT] = "";
	json_t *list = NULL;
	uint64_t number = 0;
	int r = fleet_find(control->fleet, text, &node, why);

	if (!r && wanted && (parse_u64(wanted, &number) < 0 || number < 1 || number > INT64_MAX))
		r = refused(why, "order must be a number");
	if (!r)
		r = orders_list(control, node, number, LIST_MOST, &list);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss so}", "id", node->id, "orders", list));
}

/* ------------------------------------------------------------------ the agent's figures */

json_t *operator_describe_agent(const struct node *node, int64_t steady_ms)
{
	const struct live *live = node->live;
	const struct figures *f;
	double age;

	if (!live)
		return json_null();
	f = &live->figures;
	age = (double)(steady_ms - live->heard_ms) / 1000;
	return json_pack("{ss sI sf sb sf si si sf sf sI sI ss so so so sb so}", "boot_id", node->channel.boot_id, "heard", (json_int_t)live->heard, "age", age, "fresh",
			 (int)(age <= FRESH_INTERVALS * (double)live->interval), "uptime", f->uptime + age, "interval", (int)live->interval,
			 "users", (int)f->users, "load", f->load, "busy", f->busy, "memory_total", (json_int_t)f->memory_total,
			 "memory_available", (json_int_t)f->memory_available, "health", agent_health_name(f->health), "health_milliseconds",
			 f->health == AGENT_HEALTHY || f->health == AGENT_UNHEALTHY ? json_real(f->health_ms) : json_null(), "sessions",
			 f->has_application ? json_integer((json_int_t)f->connections) : json_null(), "verity",
			 json_pack("{so so}", "c", f->verity[0] ? json_stringn(&f->verity[0], 1) : json_null(), "d",
				   f->verity[1] ? json_stringn(&f->verity[1], 1) : json_null()), "draining", (int)f->draining, "monitor",
			 live->via[0] ? json_string(live->via) : json_null());
}

json_t *operator_describe_measures(const struct node *node)
{
	char why[160];
	json_t *measures = node->live && node->live->measures ? json_parse(node->live->measures, strlen(node->live->measures), why) : NULL;

	return measures ? measures : json_null();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/order.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

static const char *const action_names[] = { [ACTION_DRAIN] = "drain", [ACTION_UNDRAIN] = "undrain", [ACTION_NOTICE] = "notice",
					    [ACTION_LOGOUT] = "logout", [ACTION_REBOOT] = "reboot", [ACTION_SHUTDOWN] = "shutdown",
					    [ACTION_RUN] = "run", [ACTION_LOG] = "log",
					    [ACTION_RESET] = "reset", [ACTION_EVIDENCE] = "evidence" };

int action_name_check(const char *name)
{
	size_t size = strlen(name);

	return size >= 1 && size <= 32 && name[0] != '-' && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == size ? 0 : -EINVAL;
}

/* The member's text without NUL. false when it is there and isn't one, or is longer than `room` - 1. */
static bool take_text(const json_t *object, const char *key, char *ret_text, size_t room)
{
	const json_t *value = json_object_get(object, key);

	ret_text[0] = '\0';
	if (value == NULL || json_is_null(value))
		return true;
	if (!json_is_string(value) || json_string_length(value) >= room || strlen(json_string_value(value)) != json_string_length(value))
		return false;
	strcpy(ret_text, json_string_value(value));
	return true;
}

static void invalid(struct order *order, const char *why)
{
	order->action = ACTION_INVALID;
	snprintf(order->text, sizeof(order->text), "%s", why);
}

static bool take_values(const json_t *values, struct order *order)
{
	const char *key;
	json_t *value;

	if (values == NULL)
		return true;
	if (!json_is_object(values) || json_object_size(values) > ORDER_ARGUMENTS_MOST)
		return false;
	json_object_foreach(json_iterable(values), key, value) {
		struct order_argument *argument = &order->arguments[order->argument_count];

		(void)value;
		if (action_name_check(key) < 0 || !take_text(values, key, argument->value, sizeof(argument->value)))
			return false;
		strcpy(argument->name, key);
		order->argument_count++;
	}
	return true;
}

static bool take_number(const json_t *arguments, const char *key, unsigned most, unsigned *ret_number)
{
	uint64_t number;

	if (json_get_u64(arguments, key, &number) < 0 || number < 1 || number > most)
		return false;
	*ret_number = (unsigned)number;
	return true;
}

static void take_arguments(const json_t *arguments, struct order *order)
{
	bool sound = arguments == NULL || json_is_object(arguments);

	if (sound && order->action == ACTION_NOTICE)
		sound = take_text(arguments, "text", order->text, sizeof(order->text)) && order->text[0] != '\0';
	else if (sound && order->action == ACTION_LOGOUT)
		sound = take_text(arguments, "user", order->text, 33);
	else if (sound && order->action == ACTION_RUN)
		sound = take_text(arguments, "name", order->name, sizeof(order->name)) && action_name_check(order->name) == 0 &&
			take_values(json_object_get(arguments, "arguments"), order);
	else if (sound && order->action == ACTION_LOG)
		sound = take_text(arguments, "kind", order->name, sizeof(order->name)) &&
			(strcmp(order->name, "app") == 0 || strcmp(order->name, "system") == 0);
	else if (sound && order->action == ACTION_EVIDENCE)
		sound = take_number(arguments, "bytes", EVIDENCE_BYTES_MOST, &order->bytes) &&
			take_number(arguments, "seconds", EVIDENCE_SECONDS_MOST, &order->seconds);
	if (!sound)
		invalid(order, "its arguments aren't sound");
}

/* 0 with an order, which may be invalid; -EINVAL when there isn't even a number to answer to. */
static int order_parse(const json_t *json, struct order *ret_order)
{
	const char *action = json_get_string(json, "action");
	uint64_t expires;

	*ret_order = (struct order){ 0 };
	if (!json_is_object(json) || json_get_u64(json, "order", &ret_order->number) < 0 || ret_order->number == 0 ||
	    json_get_u64(json, "expires", &expires) < 0)
		return -EINVAL;
	ret_order->expires = (int64_t)expires;
	for (size_t i = 1; action != NULL && i < sizeof(action_names) / sizeof(*action_names); i++)
		if (strcmp(action, action_names[i]) == 0)
			ret_order->action = (enum order_action)i;
	if (ret_order->action == ACTION_INVALID)
		invalid(ret_order, "this agent doesn't know the action");
	else if (!take_text(json, "boot_id", ret_order->boot_id, sizeof(ret_order->boot_id)))
		invalid(ret_order, "its boot_id isn't sound");
	else
		take_arguments(json_object_get(json, "arguments"), ret_order);
	return 0;
}

static int answer_parse(const json_t *json, struct control_answer *ret_answer, char ret_error[160])
{
	const json_t *orders = json_object_get(json, "orders"), *request = json_object_get(json, "request");
	uint64_t format, interval;

	if (json_get_u64(json, "format", &format) < 0 || format != 1)
		return snprintf(ret_error, 160, "\"format\" isn't 1"), -EINVAL;
	if (json_get_u64(json, "acknowledged", &ret_answer->acknowledged) < 0)
		return snprintf(ret_error, 160, "\"acknowledged\" isn't a number"), -EINVAL;
	if (json_get_u64(json, "interval", &interval) < 0 || interval < 1 || interval > INTERVAL_MOST)
		return snprintf(ret_error, 160, "\"interval\" isn't 1 to %u", INTERVAL_MOST), -EINVAL;
	ret_answer->interval = (unsigned)interval;
	if (orders != NULL && !json_is_array(orders))
		return snprintf(ret_error, 160, "\"orders\" isn't a list"), -EINVAL;
	if (!take_text(json, "monitor", ret_answer->monitor, sizeof(ret_answer->monitor)))
		return snprintf(ret_error, 160, "\"monitor\" isn't a text of at most %u bytes", ANSWER_MONITOR_MOST), -EINVAL;
	if (request != NULL) {
		ret_answer->has_verdict = true;
		ret_answer->request_taken = json_is_true(json_object_get(request, "taken"));
		if (!json_is_object(request) || !take_text(request, "text", ret_answer->request_text, sizeof(ret_answer->request_text)))
			return snprintf(ret_error, 160, "\"request\" has no \"text\" of at most %u bytes", ANSWER_TEXT_MOST), -EINVAL;
	}
	for (size_t i = 0; i < json_array_size(orders) && ret_answer->order_count < ORDERS_MOST; i++) {
		if (order_parse(json_array_get(orders, i), &ret_answer->orders[ret_answer->order_count]) < 0)
			return snprintf(ret_error, 160, "order %zu has no sound \"order\" and \"expires\"", i + 1), -EINVAL;
		ret_answer->order_count++;
	}
	return 0;
}

int control_answer_parse(const void *text, size_t size, struct control_answer *ret_answer, char ret_error[160])
{
	json_t *json;
	int r;

	memset(ret_answer, 0, sizeof(*ret_answer));
	if (size > ANSWER_BYTES_MOST)
		return snprintf(ret_error, 160, "longer than %u bytes", ANSWER_BYTES_MOST), -EINVAL;
	json = json_parse(text, size, ret_error);
	if (json == NULL)
		return -EINVAL;
	r = answer_parse(json, ret_answer, ret_error);
	json_decref(json);
	return r;
}

/* ------------------------------------------------------------------ arguments of named actions */
static bool value_is(const char *kind, size_t size, const char *value)
{
	static const char digits[] = "0123456789";
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t length = strlen(value);

	if (size == 6 && strncmp(kind, "number", 6) == 0)
		return length >= 1 && length <= 18 && strspn(value, digits) == length;
	if (size == 4 && strncmp(kind, "word", 4) == 0)
		return length >= 1 && strspn(value, letters) == length && strchr("._-", value[0]) == NULL;
	for (const char *end = kind + size; kind < end;) {
		size_t word = strcspn(kind, "|");

		if (word > (size_t)(end - kind))
			word = (size_t)(end - kind);
		if (word == length && length > 0 && strncmp(kind, value, word) == 0)
			return true;
		kind += word + 1;
	}
	return false;
}

bool argument_allowed(const char *declaration, const char *name, const char *value)
{
	size_t name_size = strlen(name);

	for (const char *line = declaration; *line != '\0';) {
		size_t size = strcspn(line, "\n"), space = strcspn(line, " \n");

		if (space == name_size && space < size && strncmp(line, name, space) == 0)
			return value_is(line + space + 1, size - space - 1, value);
		line += size;
		line += *line == '\n';
	}
	return false;
}

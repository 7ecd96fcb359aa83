// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/agent-status.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define TEXT_MOST 160u

static const char *const health_names[] = { [AGENT_HEALTH_UNKNOWN] = "unknown", [AGENT_HEALTH_NONE] = "none", [AGENT_HEALTHY] = "healthy",
					    [AGENT_UNHEALTHY] = "unhealthy" };
static const char *const result_names[] = { [ORDER_RESULT_DONE] = "done", [ORDER_RESULT_FAILED] = "failed",
					    [ORDER_RESULT_REFUSED] = "refused" };

const char *agent_health_name(enum agent_health health)
{
	return health_names[health];
}

/* ------------------------------------------------------------------ the shape of the measures */

enum kind { END, REAL, COUNT, FLAG, TEXT, OBJECT, LIST };

/* A member of an object. `of` are the members of an object, or of each object in a list; without it a list is one of numbers. */
struct shape {
	const char *name;
	enum kind kind;
	bool needed;
	const struct shape *of;
	size_t most; /* of a list */
};

static const struct shape cpu[] = { { "count", COUNT, true, NULL, 0 }, { "busy", REAL, true, NULL, 0 }, { 0 } };
static const struct shape memory[] = { { "total", COUNT, true, NULL, 0 },      { "available", COUNT, true, NULL, 0 },
				       { "swap_total", COUNT, false, NULL, 0 }, { "swap_free", COUNT, false, NULL, 0 }, { 0 } };
static const struct shape stall[] = { { "some", REAL, true, NULL, 0 }, { "full", REAL, true, NULL, 0 }, { 0 } };
static const struct shape pressure[] = { { "cpu", OBJECT, false, stall, 0 }, { "memory", OBJECT, false, stall, 0 },
					 { "io", OBJECT, false, stall, 0 }, { 0 } };
static const struct shape disk[] = { { "mount", TEXT, true, NULL, 0 }, { "type", TEXT, true, NULL, 0 }, { "size", COUNT, true, NULL, 0 },
				     { "used", COUNT, true, NULL, 0 }, { 0 } };
static const struct shape interface[] = { { "name", TEXT, true, NULL, 0 },            { "received", COUNT, true, NULL, 0 },
					  { "sent", COUNT, true, NULL, 0 },           { "receive_errors", COUNT, false, NULL, 0 },
					  { "send_errors", COUNT, false, NULL, 0 },   { 0 } };
static const struct shape user[] = { { "name", TEXT, true, NULL, 0 }, { "process", COUNT, false, NULL, 0 },
				     { "terminal", TEXT, false, NULL, 0 }, { "from", TEXT, false, NULL, 0 }, { 0 } };
static const struct shape sessions[] = { { "connections", COUNT, true, NULL, 0 }, { "peers", COUNT, true, NULL, 0 }, { 0 } };
static const struct shape health[] = { { "state", TEXT, true, NULL, 0 }, { "milliseconds", REAL, false, NULL, 0 },
				       { "error", TEXT, false, NULL, 0 }, { 0 } };
static const struct shape slot[] = { { "root_hash", TEXT, true, NULL, 0 }, { "verity", TEXT, false, NULL, 0 }, { 0 } };
static const struct shape images[] = { { "c", OBJECT, false, slot, 0 }, { "d", OBJECT, false, slot, 0 }, { 0 } };
static const struct shape measures[] = {
	{ "load", LIST, true, NULL, 3 },          { "cpu", OBJECT, true, cpu, 0 },           { "memory", OBJECT, true, memory, 0 },
	{ "pressure", OBJECT, false, pressure, 0 }, { "disks", LIST, false, disk, 16 },      { "network", LIST, false, interface, 32 },
	{ "users", LIST, false, user, 32 },       { "user_count", COUNT, false, NULL, 0 },   { "sessions", OBJECT, false, sessions, 0 },
	{ "health", OBJECT, true, health, 0 },    { "images", OBJECT, false, images, 0 },    { "draining", FLAG, false, NULL, 0 },
	{ 0 },
};

static int check_object(json_t *object, const struct shape *shapes, char ret_error[ERROR_TEXT]);

static bool is_real(const json_t *value)
{
	return json_is_number(value) && isfinite(json_number_value(value));
}

/* Cut, and without control characters. */
static int clean_text(json_t *value)
{
	char text[TEXT_MOST + 1];

	text_copy_printable(json_string_value(value), TEXT_MOST, text);
	return !strcmp(text, json_string_value(value)) ? 0 : json_string_set(value, text) ? -ENOMEM : 0;
}

static int check_list(json_t *list, const struct shape *shape, char ret_error[ERROR_TEXT])
{
	json_t *item;
	size_t i;
	int r;

	if (json_array_size(list) > shape->most)
		return refused(ret_error, "\"%s\" has more than %zu members", shape->name, shape->most);
	json_array_foreach(list, i, item) {
		r = shape->of ? check_object(item, shape->of, ret_error) :
		    is_real(item) ? 0 : refused(ret_error, "\"%s\" must have numbers", shape->name);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_value(json_t *value, const struct shape *shape, char ret_error[ERROR_TEXT])
{
	switch (shape->kind) {
	case REAL:
		if (is_real(value))
			return 0;
		break;
	case COUNT:
		if (json_is_integer(value) && json_integer_value(value) >= 0)
			return 0;
		break;
	case FLAG:
		if (json_is_boolean(value))
			return 0;
		break;
	case TEXT:
		if (json_is_string(value))
			return clean_text(value);
		break;
	case OBJECT:
		return check_object(value, shape->of, ret_error);
	case LIST:
		if (json_is_array(value))
			return check_list(value, shape, ret_error);
		break;
	case END:
		break;
	}
	return refused(ret_error, "\"%s\" is of the wrong type or out of range", shape->name);
}

static bool is_known(const struct shape *shapes, const char *name)
{
	while (shapes->kind != END && strcmp(shapes->name, name))
		shapes++;
	return shapes->kind != END;
}

static void drop_unknown(json_t *object, const struct shape *shapes)
{
	const char *name;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, name, value) {
		(void)value;
		if (!is_known(shapes, name))
			json_object_del(object, name);
	}
}

/* Checks each member and drops those that aren't known. */
static int check_object(json_t *object, const struct shape *shapes, char ret_error[ERROR_TEXT])
{
	size_t found = 0;

	if (!json_is_object(object))
		return refused(ret_error, "what should be an object with \"%s\" is none", shapes->name);
	for (const struct shape *shape = shapes; shape->kind != END; shape++) {
		json_t *value = json_object_get(object, shape->name);
		int r;

		if (!value && shape->needed)
			return refused(ret_error, "\"%s\" is missing", shape->name);
		if (!value)
			continue;
		r = check_value(value, shape, ret_error);
		if (r < 0)
			return r;
		found++;
	}
	if (json_object_size(object) > found)
		drop_unknown(object, shapes);
	return 0;
}

/* ------------------------------------------------------------------ what is taken out of them */

/* Of a member that was checked; 0 when it is absent. */
static uint64_t count_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static unsigned small_count_of(const json_t *object, const char *key)
{
	uint64_t count = count_of(object, key);

	return count > UINT32_MAX ? UINT32_MAX : (unsigned)count;
}

static int take_health(const json_t *from, struct figures *figures, char ret_error[ERROR_TEXT])
{
	const char *state = json_get_string(from, "state");

	figures->health_ms = json_number_value(json_object_get(from, "milliseconds"));
	for (size_t i = 0; i < sizeof health_names / sizeof health_names[0]; i++) {
		if (!strcmp(state, health_names[i])) {
			figures->health = (enum agent_health)i;
			return 0;
		}
	}
	return refused(ret_error, "\"state\" of \"health\" must be healthy, unhealthy, none or unknown");
}

static char verity_of(const json_t *all, const char *name)
{
	const char *state = json_get_string(json_object_get(json_object_get(all, "images"), name), "verity");

	return state && (state[0] == 'V' || state[0] == 'C') && !state[1] ? state[0] : 0;
}

static int take_figures(const json_t *all, struct figures *figures, char ret_error[ERROR_TEXT])
{
	const json_t *load = json_object_get(all, "load"), *mem = json_object_get(all, "memory");
	const json_t *of_app = json_object_get(all, "sessions");

	figures->load = json_number_value(json_array_get(load, 0));
	figures->busy = json_number_value(json_object_get(json_object_get(all, "cpu"), "busy"));
	figures->memory_total = count_of(mem, "total");
	figures->memory_available = count_of(mem, "available");
	figures->users = small_count_of(all, "user_count");
	figures->has_application = of_app != NULL;
	figures->connections = count_of(of_app, "connections");
	figures->peers = small_count_of(of_app, "peers");
	figures->verity[0] = verity_of(all, "c");
	figures->verity[1] = verity_of(all, "d");
	figures->draining = json_is_true(json_object_get(all, "draining"));
	return take_health(json_object_get(all, "health"), figures, ret_error);
}

/* ------------------------------------------------------------------ alarms and answers */

static int take_alarm(const json_t *from, struct agent_alarm *alarm, uint64_t before, char ret_error[ERROR_TEXT])
{
	const char *kind = json_get_string(from, "kind"), *text = json_get_string(from, "text");
	uint64_t when;

	if (json_get_u64(from, "sequence", &alarm->sequence) < 0 || json_get_u64(from, "time", &when) < 0 || !text || !kind ||
	    !text_of(kind, "abcdefghijklmnopqrstuvwxyz-", ALARM_KIND_MOST))
		return refused(ret_error, "an alarm needs \"sequence\", \"time\", \"kind\" and \"text\"");
	if (alarm->sequence <= before)
		return refused(ret_error, "the alarms' sequence numbers must ascend from 1");
	alarm->time = (int64_t)when;
	strcpy(alarm->kind, kind);
	text_copy_printable(text, ALARM_TEXT_MOST, alarm->text);
	return 0;
}

static int take_answer(const json_t *from, struct order_answer *answer, char ret_error[ERROR_TEXT])
{
	const char *result = json_get_string(from, "result"), *text = json_get_string(from, "text");

	if (json_get_u64(from, "order", &answer->number) < 0 || answer->number == 0 || !result || !text)
		return refused(ret_error, "an answer needs \"order\", \"result\" and \"text\"");
	text_copy_printable(text, ORDER_RESULT_MOST, answer->text);
	for (size_t i = 0; i < sizeof result_names / sizeof result_names[0]; i++) {
		if (!strcmp(result, result_names[i])) {
			answer->result = (enum order_result)i;
			return 0;
		}
	}
	return refused(ret_error, "\"result\" must be done, failed or refused");
}

/* A list of at most `most` members; absent counts as empty. */
static int get_list(const json_t *object, const char *key, size_t most, const json_t **ret_list, char ret_error[ERROR_TEXT])
{
	*ret_list = json_object_get(object, key);
	if (*ret_list && (!json_is_array(*ret_list) || json_array_size(*ret_list) > most))
		return refused(ret_error, "\"%s\" must be a list of at most %zu members", key, most);
	return 0;
}

static int take_lists(const json_t *from, struct agent_status *status, char ret_error[ERROR_TEXT])
{
	const json_t *alarms, *answers;
	int r = get_list(from, "alarms", STATUS_ALARMS_MOST, &alarms, ret_error);

	if (!r)
		r = get_list(from, "answers", STATUS_ANSWERS_MOST, &answers, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; !r && i < json_array_size(alarms); i++, status->alarm_count++)
		r = take_alarm(json_array_get(alarms, i), &status->alarms[i], i ? status->alarms[i - 1].sequence : 0, ret_error);
	for (size_t i = 0; !r && i < json_array_size(answers); i++, status->answer_count++)
		r = take_answer(json_array_get(answers, i), &status->answers[i], ret_error);
	return r;
}

/* {"user", "os"}, which the agent read from a socket of the server's users. */
static int take_request(const json_t *from, struct agent_status *status, char ret_error[ERROR_TEXT])
{
	const char *name = json_get_string(from, "user"), *os = json_get_string(from, "os");

	if (!from)
		return 0;
	if (!name || !user_name_ok(name) || !os || strlen(os) > IMAGE_SPEC_MOST || !text_printable(os, strlen(os)))
		return refused(ret_error, "\"request\" must have \"user\", a user of the server, and \"os\"");
	strcpy(status->request_user, name);
	strcpy(status->request_os, os);
	return 0;
}

/* ------------------------------------------------------------------ the whole */

static int take(json_t *from, struct agent_status *status, char ret_error[ERROR_TEXT])
{
	const char *boot_id = json_get_string(from, "boot_id");
	const json_t *uptime = json_object_get(from, "uptime");
	json_t *all = json_get_object(from, "measures");
	uint64_t format;
	int r;

	if (json_get_u64(from, "format", &format) < 0 || format != 1)
		return refused(ret_error, "\"format\" must be 1");
	if (!boot_id || !node_id_valid(boot_id)) /* it has the form of one */
		return refused(ret_error, "\"boot_id\" must be a UUID in lower case");
	strcpy(status->boot_id, boot_id);
	if (json_get_u64(from, "sequence", &status->sequence) < 0 || !is_real(uptime) || json_number_value(uptime) < 0 || !all)
		return refused(ret_error, "a status needs \"sequence\", \"uptime\" and \"measures\"");
	r = json_get_u64(from, "alarms_lost", &status->alarms_lost);
	if (r == -EINVAL)
		return refused(ret_error, "\"alarms_lost\" must be a number");
	r = check_object(all, measures, ret_error);
	if (!r)
		r = take_figures(all, &status->figures, ret_error);
	if (!r)
		r = take_lists(from, status, ret_error);
	if (!r)
		r = take_request(json_object_get(from, "request"), status, ret_error);
	if (r < 0)
		return r;
	status->figures.uptime = json_number_value(uptime);
	status->measures = json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(12));
	return status->measures ? 0 : -ENOMEM;
}

int agent_status_parse(const void *body, size_t size, struct agent_status *ret_status, char ret_error[ERROR_TEXT])
{
	struct agent_status *status = ret_status;
	char why[160];
	json_t *from = json_parse(body, size, why);
	int r;

	/* Not all of it: the lists are long, and this happens thousands of times a second. */
	status->measures = NULL;
	status->figures = (struct figures){ 0 };
	status->alarm_count = status->answer_count = 0;
	status->alarms_lost = 0;
	status->request_user[0] = status->request_os[0] = 0;
	if (!from)
		return refused(ret_error, "the body can't be read: %s", why);
	r = take(from, status, ret_error);
	json_decref(from);
	return r;
}

void agent_status_release(struct agent_status *status)
{
	free(status->measures);
	status->measures = NULL;
}

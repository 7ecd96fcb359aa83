// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-restarts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/dispatch.h"
#include "control/handover.h"
#include "control/operator-answer.h"

#define RESTARTS_SHOWN 100u
#define LIMIT_SECONDS_MOST 604800.0 /* a week */

/* A new reference; NULL when out of memory. */
static json_t *describe(const struct control *control, const struct restart_record *record)
{
	const struct node *node = fleet_get(control->fleet, record->node);
	const char *name = node ? assignment_host_name(&node->assignment) : NULL;
	json_t *described = restart_record_describe(record, dispatch_clock(), dispatch_time());

	json_object_set_new(described, "name", name ? json_string(name) : json_null());
	return described;
}

static void answer_restart(const struct control *control, const struct restart_record *record, struct http_answer *answer)
{
	answer->json = describe(control, record);
	answer->status = 200;
	if (!answer->json)
		http_answer_error(answer, 500, "out of memory");
}

/* ------------------------------------------------------------------ looking */

struct listing {
	const struct control *control;
	json_t *restarts;
};

static int append(void *context, struct restart_record *record)
{
	const struct listing *listing = context;
	const struct restart_record *active = dispatch_of(listing->control, record->node);
	/* Of one that goes on more is known than is stored. */
	const struct restart_record *shown = active && active->id == record->id ? active : record;
	int r = json_array_append_new(listing->restarts, describe(listing->control, shown));

	restart_record_release(record);
	return r ? -ENOMEM : 0;
}

/* A new reference in `ret_list`. 0 or -errno. */
static int list(struct control *control, const struct restart_filter *filter, json_t **ret_list)
{
	struct listing listing = { control, json_array() };
	int r = listing.restarts ? store_each_restart(control->store, filter, append, &listing) : -ENOMEM;

	*ret_list = listing.restarts;
	if (r < 0)
		json_decref(*ret_list);
	return r;
}

void operator_list_restarts(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	const char *text = http_argument(call, "node"), *active = http_argument(call, "active");
	struct restart_filter filter = { .node = "", .active = active && !strcmp(active, "1"), .most = RESTARTS_SHOWN };
	const struct node *node;
	char why[ERROR_TEXT] = "";
	json_t *restarts;
	int r = 0;

	if (text && !(r = fleet_find(control->fleet, text, &node, why)))
		filter.node = node->id;
	if (!r)
		r = list(control, &filter, &restarts);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	answer->json = json_pack("{so}", "restarts", restarts);
	answer->status = 200;
}

void operator_show_restart(struct control *control, const char *text, struct http_answer *answer)
{
	struct restart_filter filter = { .node = "", .most = 1 };
	json_t *restarts;
	int r;

	if (parse_u64(text, &filter.id) < 0 || !filter.id || filter.id > INT64_MAX) {
		http_answer_error(answer, 404, "a restart has a number; `repave restart list` shows them");
		return;
	}
	r = list(control, &filter, &restarts);
	if (r < 0) {
		answer_failure(answer, r, "");
		return;
	}
	if (json_array_size(restarts)) {
		answer->json = json_incref(json_array_get(restarts, 0));
		answer->status = 200;
	} else {
		http_answer_error(answer, 404, "there is no restart with that number; `repave restart list` shows them");
	}
	json_decref(restarts);
}

/* ------------------------------------------------------------------ ordering */

static int take_limit(const char *name, const json_t *value, struct restart_limits *limits, char ret_error[ERROR_TEXT])
{
	struct restart_limits *l = limits;
	const struct {
		const char *name;
		int64_t *at;
	} all[] = { { "grace", &l->grace }, { "notice", &l->notice }, { "spare", &l->spare }, { "drain", &l->drain }, { "evict", &l->evict },
		    { "stop", &l->stop }, { "power", &l->power }, { "boot", &l->boot }, { "health", &l->health }, { "ready", &l->ready } };
	double seconds = json_number_value(value);

	for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
		if (strcmp(all[i].name, name))
			continue;
		if (!json_is_number(value) || !(seconds >= 0 && seconds <= LIMIT_SECONDS_MOST))
			return refused(ret_error, "the limit \"%s\" must be a number of seconds, at most a week", name);
		*all[i].at = (int64_t)(seconds * 1000 + 0.5);
		limits->grace_given |= !strcmp(name, "grace");
		return 0;
	}
	return refused(ret_error, "there is no such limit; there are grace, notice, spare, drain, evict, stop, power, boot, health, ready");
}

static int take_limits(const json_t *body, struct restart_limits *limits, char ret_error[ERROR_TEXT])
{
	json_t *given = json_object_get(body, "limits"), *value;
	const char *name;
	int r = 0;

	*limits = restart_limits_default;
	if (given && !json_is_object(given))
		return refused(ret_error, "\"limits\" must be an object of seconds");
	json_object_foreach(given, name, value) {
		r = take_limit(name, value, limits, ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int take_reason(const json_t *body, const char **ret_reason, char ret_error[ERROR_TEXT])
{
	const json_t *value = json_object_get(body, "reason");
	const char *reason = value ? json_string_value(value) : "";

	if (!reason || strlen(reason) > REASON_MOST || !text_printable(reason, strlen(reason)))
		return refused(ret_error, "a reason is a line of at most %u bytes", REASON_MOST);
	*ret_reason = reason;
	return 0;
}

/* The rest of an assignment is changed by itself: it may hold what not everybody may read. */
static bool only_images(const json_t *change)
{
	size_t images = (json_object_get(change, "os") ? 1u : 0u) + (json_object_get(change, "app") ? 1u : 0u);

	return json_is_object(change) && json_object_size(change) == images;
}

/* {"kind", "urgency", "limits", "reason", "change"}; all but the first may be absent. Borrows from the body. */
static int parse_wish(const json_t *body, struct restart_wish *wish, char ret_error[ERROR_TEXT])
{
	const char *kind = json_get_string(body, "kind");
	const json_t *urgency = json_object_get(body, "urgency");

	if (!kind || restart_kind_parse(kind, &wish->kind) < 0 || wish->kind == RESTART_CUT)
		return refused(ret_error, "\"kind\" must be reboot, reimage or release");
	if (urgency && (!json_is_string(urgency) || restart_urgency_parse(json_string_value(urgency), &wish->urgency) < 0))
		return refused(ret_error, "\"urgency\" must be wait, notify, handover or evict");
	wish->change = json_object_get(body, "change");
	if (json_is_null(wish->change))
		wish->change = NULL;
	if (wish->change && !only_images(wish->change))
		return refused(ret_error, "\"change\" is an object with os, app or both");
	if (wish->change && wish->kind == RESTART_RELEASE)
		return refused(ret_error, "a release changes no assignment; reimage it instead");
	if (take_reason(body, &wish->reason, ret_error) < 0)
		return -EINVAL;
	return take_limits(body, &wish->limits, ret_error);
}

void operator_restart(struct control *control, const char *node, const json_t *body, const char *by, struct http_answer *answer)
{
	struct restart_wish wish = { .urgency = URGENCY_WAIT, .by = by };
	const struct restart_record *record;
	char why[ERROR_TEXT] = "";
	int r = parse_wish(body, &wish, why);

	if (!r && wish.urgency == URGENCY_HANDOVER)
		r = handover_check(control, node, why);
	if (!r)
		r = dispatch_begin(control, node, &wish, &record, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_restart(control, record, answer);
}

void operator_hurry(struct control *control, const char *node, const json_t *body, struct http_answer *answer)
{
	const char *text = json_get_string(body, "urgency");
	const struct restart_record *record;
	enum restart_urgency urgency;
	char why[ERROR_TEXT] = "";
	int r = 0;

	if (!text || restart_urgency_parse(text, &urgency) < 0)
		r = refused(why, "\"urgency\" must be wait, notify, handover or evict");
	if (!r && urgency == URGENCY_HANDOVER)
		r = handover_check(control, node, why);
	if (!r)
		r = dispatch_hurry(control, node, urgency, &record, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_restart(control, record, answer);
}

void operator_cancel(struct control *control, const char *node, const char *by, struct http_answer *answer)
{
	const struct restart_record *record;
	char why[ERROR_TEXT] = "";
	int r = dispatch_cancel(control, node, by, &record, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_restart(control, record, answer);
}

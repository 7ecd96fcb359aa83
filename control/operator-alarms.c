// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-alarms.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "control/alarm.h"
#include "control/operator-answer.h"

static int take_reason(const json_t *body, const char **ret_reason, char ret_error[ERROR_TEXT])
{
	const json_t *value = json_object_get(body, "reason");
	const char *reason = json_string_value(value);
	size_t size = json_string_length(value);

	/* Whoever looks at it tomorrow wants to know. */
	if (!reason || !size || size > REASON_MOST || strlen(reason) != size || !text_printable(reason, size))
		return refused(ret_error, "\"reason\" must be a line of 1 to %u bytes: what was seen, and by whom or what", REASON_MOST);
	*ret_reason = reason;
	return 0;
}

void operator_raise_alarm(struct control *control, const char *text, const json_t *body, const char *who, int64_t now, struct http_answer *answer)
{
	const struct node *found;
	const char *reason;
	char why[ERROR_TEXT] = "";
	struct node *node;
	int r = take_reason(body, &reason, why);

	if (!r)
		r = fleet_find(control->fleet, text, &found, why);
	if (!r)
		r = store_begin(control->store);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	node = fleet_get(control->fleet, found->id);
	r = alarm_raise(control, node, NULL, ALARM_KIND_OPERATOR, reason, now);
	if (!r)
		r = control_event(control, now, node->id, SEVERITY_ALARM, ALARM_KIND_OPERATOR, json_pack("{ss}", "by", who), "raised by %s: %s", who, reason);
	if (!r)
		r = store_commit(control->store);
	else
		store_rollback(control->store);
	if (r < 0)
		answer_failure(answer, r, "");
	else
		answer_json(answer, json_pack("{ss so}", "id", node->id, "alarms", alarm_describe(node, now)));
}

void operator_cut(struct control *control, const char *text, const json_t *body, const char *who, struct http_answer *answer)
{
	const char *reason;
	uint64_t restart;
	char why[ERROR_TEXT] = "";
	int r = take_reason(body, &reason, why);

	if (!r)
		r = alarm_cut_by_person(control, text, who, reason, &restart, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{sI}", "restart", (json_int_t)restart));
}

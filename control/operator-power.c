// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-power.h"

#include <errno.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/operator-answer.h"
#include "control/power.h"

/* A BMC's settings that stand in the way. */
static void answer_power_failure(struct http_answer *answer, int error, const char *why)
{
	bool conflict = error == -EACCES || error == -ENOKEY || error == -EBADMSG;

	answer_failure(answer, conflict ? -EBUSY : error, why);
}

void operator_show_power(struct control *control, const char *node, struct http_answer *answer)
{
	const struct node *found;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, node, &found, why);

	if (r < 0)
		answer_power_failure(answer, r, why);
	else
		answer_json(answer, power_describe(control->power, found->id));
}

void operator_set_power(struct control *control, const char *node, const json_t *body, int64_t now, struct http_answer *answer)
{
	const struct node *found;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, node, &found, why);

	if (!r)
		r = power_set(control->power, found->id, body, now, why);
	if (r < 0)
		answer_power_failure(answer, r, why);
	else
		answer_json(answer, power_describe(control->power, found->id));
}

void operator_remove_power(struct control *control, const char *node, struct http_answer *answer)
{
	const struct node *found;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, node, &found, why);

	if (!r)
		r = power_remove(control->power, found->id, why);
	if (r < 0)
		answer_power_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "id", found->id));
}

void operator_start_power(struct control *control, const char *node, const json_t *body, struct http_answer *answer)
{
	const char *name = json_get_string(body, "action");
	enum power_action action = POWER_STATUS;
	struct power_job job;
	const struct node *found;
	char why[ERROR_TEXT] = "";
	uint64_t number = 0;
	int r = fleet_find(control->fleet, node, &found, why);

	if (!r && (!name || power_action_parse(name, &action) < 0))
		r = refused(why, "an action is status, on, off, reset, cycle or shutdown");
	if (!r)
		r = power_start(control->power, found->id, action, &number, why);
	if (!r) {
		r = power_result(control->power, number, &job);
		r = r == -EAGAIN ? 0 : r;
	}
	if (r < 0) {
		answer_power_failure(answer, r, why);
		return;
	}
	answer_json(answer, power_job_describe(&job));
	if (answer->status == 200)
		answer->status = 202;
}

void operator_show_power_job(struct control *control, const char *text, struct http_answer *answer)
{
	struct power_job job;
	uint64_t number = 0;
	int r = parse_u64(text, &number) < 0 || number > INT64_MAX ? -ENOENT : power_result(control->power, number, &job);

	if (r == -ENOENT)
		http_answer_error(answer, 404, "no such power job is known any more; `repave node power show` has the node's last one");
	else if (r < 0 && r != -EAGAIN)
		answer_power_failure(answer, r, "");
	else
		answer_json(answer, power_job_describe(&job));
}

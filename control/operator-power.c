// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-power.h"

#include <errno.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/power.h"

static void answer_json(struct http_answer *answer, unsigned status, json_t *json)
{
	if (json) {
		answer->json = json;
		answer->status = status;
	} else {
		http_answer_error(answer, 500, "the control unit failed; its log says more");
	}
}

static void answer_failure(struct http_answer *answer, int error, const char *why)
{
	bool conflict = error == -EBUSY || error == -EACCES || error == -ENOKEY || error == -EBADMSG;

	http_answer_error(answer, conflict ? 409 : control_status(error), why[0] ? why : "the control unit failed; its log says more");
}

void operator_show_power(struct control *control, const char *node, struct http_answer *answer)
{
	const struct node *found;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, node, &found, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, 200, power_describe(control->power, found->id));
}

void operator_set_power(struct control *control, const char *node, const json_t *body, int64_t now, struct http_answer *answer)
{
	const struct node *found;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, node, &found, why);

	if (!r)
		r = power_set(control->power, found->id, body, now, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, 200, power_describe(control->power, found->id));
}

void operator_remove_power(struct control *control, const char *node, struct http_answer *answer)
{
	const struct node *found;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, node, &found, why);

	if (!r)
		r = power_remove(control->power, found->id, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, 200, json_pack("{ss}", "id", found->id));
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
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, 202, power_job_describe(&job));
}

void operator_show_power_job(struct control *control, const char *text, struct http_answer *answer)
{
	struct power_job job;
	uint64_t number = 0;
	int r = parse_u64(text, &number) < 0 || number > INT64_MAX ? -ENOENT : power_result(control->power, number, &job);

	if (r == -ENOENT)
		http_answer_error(answer, 404, "no such power job is known any more; `repave node power show` has the node's last one");
	else if (r < 0 && r != -EAGAIN)
		answer_failure(answer, r, "");
	else
		answer_json(answer, 200, power_job_describe(&job));
}

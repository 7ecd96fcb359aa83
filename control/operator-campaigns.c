// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-campaigns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/campaign-view.h"
#include "control/operator-answer.h"
#include "control/report-key.h"
#include "control/report.h"
#include "control/store-campaigns.h"

#define CAMPAIGNS_SHOWN 100u
#define EXEMPTIONS_SHOWN 1000u

/* ------------------------------------------------------------------ campaigns */

static int append_campaign(void *context, struct campaign *campaign)
{
	int r = json_array_append_new(context, campaign_describe(campaign));

	campaign_release(campaign);
	return r ? -ENOMEM : 0;
}

void operator_list_campaigns(struct control *control, struct http_answer *answer)
{
	json_t *list = json_array();
	int r = list ? store_each_campaign(control->store, 0, CAMPAIGNS_SHOWN, append_campaign, list) : -ENOMEM;

	if (r < 0) {
		json_decref(list);
		answer_failure(answer, r, "");
		return;
	}
	answer_json(answer, json_pack("{so}", "campaigns", list));
}

struct found {
	bool is;
	struct campaign campaign;
};

static int keep_first(void *context, struct campaign *campaign)
{
	struct found *found = context;

	found->is = true;
	found->campaign = *campaign;
	return 0;
}

/* 0 for "current". -EINVAL with the answer made. */
static int parse_id(const char *text, uint64_t *ret_id, struct http_answer *answer)
{
	*ret_id = 0;
	if (!strcmp(text, "current"))
		return 0;
	if (!parse_u64(text, ret_id) && *ret_id && *ret_id <= INT64_MAX)
		return 0;
	http_answer_error(answer, 404, "a campaign has a number; `repave reimage list` shows them");
	return -EINVAL;
}

void operator_show_campaign(struct control *control, const char *text, int64_t now, struct http_answer *answer)
{
	const struct campaign *running = campaigns_running(control);
	struct found found = { 0 };
	uint64_t id;
	int r = 0;

	if (parse_id(text, &id, answer) < 0)
		return;
	if (running && (!id || id == running->id)) {
		answer_json(answer, campaign_describe_state(control, running, now));
		return;
	}
	r = store_each_campaign(control->store, id, 1, keep_first, &found);
	if (r < 0)
		answer_failure(answer, r, "");
	else if (!found.is)
		http_answer_error(answer, 404, id ? "there is no such campaign; `repave reimage list` shows them"
						  : "there was no campaign yet; `repave reimage start` starts one");
	else
		answer_json(answer, campaign_describe_state(control, &found.campaign, now));
	campaign_release(&found.campaign);
}

void operator_plan_reimages(struct control *control, const json_t *body, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	struct campaign campaign;
	int r;

	if (json_is_null(body)) {
		answer_json(answer, campaign_describe_plan(control, campaigns_running(control), now));
		return;
	}
	r = campaigns_parse(control, body, "", now, &campaign, why);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	answer_json(answer, campaign_describe_plan(control, &campaign, now));
	campaign_release(&campaign);
}

void operator_start_campaign(struct control *control, const json_t *body, const char *by, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	struct campaign campaign;
	int r = campaigns_parse(control, body, by, now, &campaign, why);

	if (!r)
		r = campaigns_start(control, &campaign, now, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, campaign_describe_state(control, campaigns_running(control), now));
}

/* {"state": "stopped", "cancel": true} or {"state": "running", "deadline": seconds}. */
static int parse_change(const json_t *body, bool *ret_runs, bool *ret_cancels, int64_t *ret_deadline, char error[ERROR_TEXT])
{
	const char *state = json_get_string(body, "state");
	const json_t *cancel = json_object_get(body, "cancel");
	uint64_t deadline = 0;

	if (!state || (strcmp(state, "stopped") && strcmp(state, "running")))
		return refused(error, "\"state\" must be stopped or running");
	if (cancel && !json_is_boolean(cancel))
		return refused(error, "\"cancel\" must be true or false");
	if (json_get_u64(body, "deadline", &deadline) == -EINVAL || deadline > INT64_MAX)
		return refused(error, "\"deadline\" must be in seconds since 1970");
	*ret_runs = !strcmp(state, "running");
	*ret_cancels = json_is_true(cancel);
	*ret_deadline = (int64_t)deadline;
	return 0;
}

void operator_change_campaign(struct control *control, const char *text, const json_t *body, const char *by, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	bool runs = false, cancels = false;
	struct found found = { 0 };
	size_t cancelled = 0;
	int64_t deadline = 0;
	uint64_t id = 0;
	json_t *state;
	int r;

	if (parse_id(text, &id, answer) < 0)
		return;
	r = parse_change(body, &runs, &cancels, &deadline, why);
	if (!r && runs)
		r = campaigns_resume(control, id, deadline, by, now, &id, why);
	else if (!r)
		r = campaigns_stop(control, id, by, cancels, now, &cancelled, &id, why);
	if (!r)
		r = store_each_campaign(control->store, id, 1, keep_first, &found);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	state = campaign_describe_state(control, &found.campaign, now);
	json_object_set_new(state, "cancelled", json_integer((json_int_t)cancelled));
	answer_json(answer, state);
	campaign_release(&found.campaign);
}

/* ------------------------------------------------------------------ exemptions */

struct listing {
	const struct control *control;
	json_t *list;
};

static int append_exemption(void *context, const struct exemption *exemption)
{
	const struct listing *listing = context;

	return json_array_append_new(listing->list, exemption_describe(listing->control, exemption)) ? -ENOMEM : 0;
}

void operator_list_exemptions(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	const char *ended = http_argument(call, "ended");
	struct listing listing = { control, json_array() };
	int r = listing.list ? store_each_exemption(control->store, !ended || strcmp(ended, "1"), EXEMPTIONS_SHOWN, append_exemption, &listing)
			     : -ENOMEM;

	if (r < 0) {
		json_decref(listing.list);
		answer_failure(answer, r, "");
		return;
	}
	answer_json(answer, json_pack("{so}", "exemptions", listing.list));
}

void operator_exempt(struct control *control, const char *text, const json_t *body, const char *by, int64_t now, struct http_answer *answer)
{
	struct exemption exemption = { 0 };
	char why[ERROR_TEXT] = "";
	const struct node *node;
	int r = exemption_parse(body, now, &exemption, why);

	if (!r)
		r = fleet_find(control->fleet, text, &node, why);
	if (!r) {
		strcpy(exemption.node, node->id);
		strncat(exemption.by, by, sizeof exemption.by - 1);
		r = exemptions_add(control, &exemption, now);
	}
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, exemption_describe(control, &exemption));
}

void operator_end_exemption(struct control *control, const char *text, const char *by, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, why);

	if (!r)
		r = exemptions_end(control, node->id, by, now, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "node", node->id));
}

/* ------------------------------------------------------------------ the report */

static int answer_report(struct control *control, const struct buffer *text, const char *format, struct http_answer *answer, char why[ERROR_TEXT])
{
	uint8_t signature[REPORT_SIGNATURE_SIZE];
	char hex[2 * REPORT_SIGNATURE_SIZE + 1];
	struct buffer key = { 0 };
	int r = report_key_sign(control, text->data, text->size, signature, why);

	if (!r)
		r = report_key_show(control, &key, why);
	if (!r) {
		hex_format(signature, sizeof signature, hex);
		answer_json(answer, json_pack("{ss ss ss ss}", "format", format, "text", (const char *)text->data, "signature", hex, "key",
					      (const char *)key.data));
	}
	buffer_release(&key);
	return r;
}

void operator_report_reimages(struct control *control, const struct http_call *call, int64_t now, struct http_answer *answer)
{
	const char *format = http_argument(call, "format"), *from = http_argument(call, "since");
	struct buffer text = { 0 };
	char why[ERROR_TEXT] = "";
	uint64_t since = 0;
	json_t *report;
	int r;

	if (!format)
		format = "json";
	if ((strcmp(format, "json") && strcmp(format, "csv")) || (from && (parse_u64(from, &since) < 0 || since > INT64_MAX))) {
		http_answer_error(answer, 400, "\"format\" must be json or csv, and \"since\" in seconds since 1970");
		return;
	}
	report = reimage_report(control, (int64_t)since, now);
	r = !report ? -ENOMEM : strcmp(format, "csv") ? report_format_json(report, &text) : report_format_csv(report, &text);
	if (!r)
		r = answer_report(control, &text, format, answer, why);
	if (r < 0)
		answer_failure(answer, r, why);
	buffer_release(&text);
	json_decref(report);
}

void operator_show_report_key(struct control *control, struct http_answer *answer)
{
	struct buffer key = { 0 };
	char why[ERROR_TEXT] = "";
	int r = report_key_show(control, &key, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "key", (const char *)key.data));
	buffer_release(&key);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-tenancy.h"

#include <errno.h>

#include "common/json.h"
#include "control/operator-answer.h"
#include "control/report-key.h"
#include "control/store-tenancy.h"
#include "control/tenancy.h"

#define LISTED 100u

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static int append(void *list, const struct sanitizing *sanitizing, const char *text, const char *signature)
{
	json_t *object = sanitizing_describe(sanitizing);

	json_object_set_new(object, "text", text_or_null(text));
	json_object_set_new(object, "signature", text_or_null(signature));
	return json_array_append_new(list, object) ? -ENOMEM : 0;
}

void operator_report_sanitizings(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	const char *named = http_argument(call, "node"), *most_text = http_argument(call, "most");
	json_t *list = json_array();
	const struct node *node = NULL;
	struct buffer key = { 0 };
	char why[ERROR_TEXT] = "";
	uint64_t most = LISTED;
	int r = 0;

	if (most_text && (parse_u64(most_text, &most) < 0 || most < 1 || most > SANITIZINGS_KEPT))
		r = refused(why, "\"most\" must be a number from 1 to %u", SANITIZINGS_KEPT);
	/* A server that was removed is known by its whole id. */
	if (!r && named && !node_id_valid(named))
		r = fleet_find(control->fleet, named, &node, why);
	if (!r)
		r = store_each_sanitizing(control->store, node ? node->id : named ? named : "", (unsigned)most, append, list);
	if (!r)
		r = report_key_show(control, &key, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{sO ss}", "sanitizings", list, "key", (const char *)key.data));
	json_decref(list);
	buffer_release(&key);
}

void operator_sanitize(struct control *control, const char *text, const char *by, int64_t now, struct http_answer *answer)
{
	struct sanitizing sanitizing;
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = fleet_find(control->fleet, text, &node, why);

	if (!r)
		r = tenancy_order(control, node, by, now, &sanitizing, why);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, sanitizing_describe(&sanitizing));
}

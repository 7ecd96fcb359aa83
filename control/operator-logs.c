// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-logs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/operator-answer.h"

/* Numbers the boots from the newest on, in the place of nonces, which are between the node and the control unit. */
static void number_boots(json_t *list)
{
	char last[NONCE_SIZE + 1] = "";
	uint64_t number = 0;

	for (size_t i = json_array_size(list); i-- > 0;) {
		json_t *entry = json_array_get(list, i);
		const char *nonce = json_get_string(entry, "nonce");

		if (last[0] && strcmp(nonce, last))
			number++;
		snprintf(last, sizeof last, "%s", nonce);
		json_object_set_new(entry, "boot", json_integer((json_int_t)number));
		json_object_del(entry, "nonce");
	}
}

static void keep(json_t *list, const char *kind, const uint64_t *boot)
{
	for (size_t i = json_array_size(list); i-- > 0;) {
		const json_t *entry = json_array_get(list, i);

		if ((kind && strcmp(json_get_string(entry, "kind"), kind)) ||
		    (boot && (uint64_t)json_integer_value(json_object_get(entry, "boot")) != *boot))
			json_array_remove(list, i);
	}
}

void operator_list_logs(struct control *control, const char *text, const struct http_call *call, struct http_answer *answer)
{
	const char *kind = http_argument(call, "kind"), *boot = http_argument(call, "boot");
	const struct node *node = NULL;
	char why[ERROR_TEXT] = "";
	enum log_kind known;
	json_t *list = NULL;
	uint64_t number = 0;
	int r = fleet_find(control->fleet, text, &node, why);

	if (!r && ((kind && log_kind_parse(kind, &known) < 0) || (boot && parse_u64(boot, &number) < 0)))
		r = refused(why, "kind must be boot, crash, app or system, and boot a number");
	if (!r)
		r = store_list_logs(control->store, node->id, &list);
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	number_boots(list);
	keep(list, kind, boot ? &number : NULL);
	answer->json = json_pack("{ss so}", "id", node->id, "logs", list);
	answer->status = 200;
	if (!answer->json)
		http_answer_error(answer, 500, "out of memory");
}

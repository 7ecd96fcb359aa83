// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-decisions.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/alarm.h"
#include "control/decider.h"
#include "control/operator-answer.h"
#include "control/store-journal.h"

#define DECISIONS_SHOWN 50u
#define DECISIONS_MOST 1000u
#define ROUNDS_SHOWN 1000u

/* An argument that is a number of at most `most`; `otherwise` without it. 0 or -EINVAL with a sentence. */
static int take_number(const struct http_call *call, const char *name, uint64_t most, int64_t otherwise, int64_t *ret_number, char why[ERROR_TEXT])
{
	const char *text = http_argument(call, name);
	uint64_t number;

	*ret_number = otherwise;
	if (!text)
		return 0;
	if (parse_u64(text, &number) < 0 || number > most)
		return refused(why, "\"%s\" must be a number of at most %llu", name, (unsigned long long)most);
	*ret_number = (int64_t)number;
	return 0;
}

/* Names in the place of ids, where there are some. */
static void add_names(const struct control *control, json_t *list)
{
	static const char *const keys[] = { "node", "spare" };
	char key[16];
	json_t *row;
	size_t i;

	json_array_foreach(list, i, row) {
		for (size_t k = 0; k < 2; k++) {
			const char *id = json_get_string(row, keys[k]);
			const struct node *node = id ? fleet_get(control->fleet, id) : NULL;
			const char *name = node ? assignment_host_name(&node->assignment) : NULL;

			snprintf(key, sizeof key, "%s_name", keys[k]);
			json_object_set_new(row, key, name ? json_string(name) : json_null());
		}
	}
}

void operator_list_decisions(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	const char *text = http_argument(call, "node"), *group = http_argument(call, "group");
	struct journal_filter filter = { .node = "", .group = group ? group : "" };
	const struct node *node;
	char why[ERROR_TEXT] = "";
	json_t *list = NULL;
	int64_t most;
	int r = take_number(call, "after", INT64_MAX, -1, &filter.after, why);

	if (!r)
		r = take_number(call, "most", DECISIONS_MOST, DECISIONS_SHOWN, &most, why);
	if (!r && text && !(r = fleet_find(control->fleet, text, &node, why)))
		filter.node = node->id;
	if (!r) {
		filter.most = (unsigned)most;
		r = store_list_decisions(control->store, &filter, &list);
	}
	if (r < 0) {
		answer_failure(answer, r, why);
		return;
	}
	add_names(control, list);
	answer_json(answer, json_pack("{so}", "decisions", list));
}

void operator_list_rounds(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	json_t *list = NULL;
	int64_t since;
	int r = take_number(call, "since", INT64_MAX, 0, &since, why);

	if (!r)
		r = store_list_rounds(control->store, since, ROUNDS_SHOWN, &list);
	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{so}", "rounds", list));
}

void operator_show_round(struct control *control, const char *text, struct http_answer *answer)
{
	char *stored, error[160];
	json_t *round;
	uint64_t id;
	size_t size;
	int r;

	if (parse_u64(text, &id) < 0 || !id || id > INT64_MAX) {
		http_answer_error(answer, 404, "a round has a number; `repave decisions` shows them");
		return;
	}
	r = store_get_round(control->store, id, &stored, &size);
	if (r == -ENOENT) {
		http_answer_error(answer, 404, "there is no such round, or it is so old that it was forgotten");
		return;
	}
	if (r < 0) {
		answer_failure(answer, r, "");
		return;
	}
	round = json_parse(stored, size, error);
	free(stored);
	answer_json(answer, round);
}

void operator_show_snapshot(struct control *control, int64_t now, struct http_answer *answer)
{
	struct fleet_snapshot snapshot;
	int r = decider_snapshot(control, now, &snapshot);

	if (r < 0) {
		answer_failure(answer, r, "");
		return;
	}
	answer_json(answer, snapshot_format(&snapshot));
	fleet_snapshot_release(&snapshot);
}

void operator_clear_group(struct control *control, const char *name, struct http_answer *answer)
{
	int r;

	if (!group_list_find(fleet_groups(control->fleet), name)) {
		http_answer_error(answer, 404, "there is no such group; `repave group list` shows them");
		return;
	}
	r = decider_cleared(control, NULL, name);
	if (!r && alarm_storm(control, name))
		r = alarm_clear_storm(control, name);
	if (r < 0)
		answer_failure(answer, r, "");
	else
		answer_json(answer, json_pack("{ss}", "group", name));
}

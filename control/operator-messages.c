// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/operator-messages.h"

#include <errno.h>

#include "common/json.h"
#include "control/message-desk.h"
#include "control/operator-answer.h"

#define LIST_MOST 1000u

void operator_list_targets(struct control *control, struct http_answer *answer)
{
	answer_json(answer, json_pack("{so}", "targets", messages_describe(control)));
}

void operator_list_messages(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	const char *target = http_argument(call, "target");
	json_t *list = NULL;
	int r = target && !message_target_name_valid(target) ? -EINVAL : store_list_messages(control->store, target ? target : "", LIST_MOST, &list);

	if (r < 0)
		answer_failure(answer, r, r == -EINVAL ? "target must be the name of one; `repave notify list` shows them" : "");
	else
		answer_json(answer, json_pack("{so}", "messages", list));
}

void operator_test_target(struct control *control, const char *name, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "", id[MESSAGE_ID_SIZE + 1];
	int r = messages_test(control, name, now, id, why);

	if (r < 0)
		answer_failure(answer, r, why);
	else
		answer_json(answer, json_pack("{ss}", "id", id));
}

static void answer_count(struct http_answer *answer, int error, const char *why, uint64_t count)
{
	if (error < 0)
		answer_failure(answer, error, why);
	else
		answer_json(answer, json_pack("{sI}", "messages", (json_int_t)count));
}

void operator_retry_messages(struct control *control, const char *name, int64_t now, struct http_answer *answer)
{
	char why[ERROR_TEXT] = "";
	uint64_t count = 0;
	int r = messages_retry(control, name, now, &count, why);

	answer_count(answer, r, why, count);
}

void operator_drop_messages(struct control *control, const char *name, const json_t *body, struct http_answer *answer)
{
	const char *id = json_get_string(body, "id");
	char why[ERROR_TEXT] = "";
	uint64_t count = 0;
	int r = json_object_size(body) != (size_t)(id != NULL) ? refused(why, "\"id\" must be a message's, or be absent for all of them") : 0;

	if (!r)
		r = messages_drop(control, name, id ? id : "", &count, why);
	answer_count(answer, r, why, count);
}

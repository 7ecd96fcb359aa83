// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/history.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

json_t *history_format(const struct history *history)
{
	return json_pack("{si si ss ss}", "uses", (int)history->uses, "retries", (int)history->retries, "used", history->used, "failed",
			 history->failed);
}

static int take_count(const json_t *object, const char *key, unsigned *ret_count)
{
	uint64_t number = 0;
	int r = json_get_u64(object, key, &number);

	if (r == -EINVAL || number > INT32_MAX)
		return -EINVAL;
	*ret_count = (unsigned)number;
	return 0;
}

static int take_text(const json_t *object, const char *key, char *ret_text, size_t most)
{
	const char *text = json_get_string(object, key);

	if (!text || strlen(text) > most)
		return -EINVAL;
	strcpy(ret_text, text);
	return 0;
}

int history_parse(const json_t *object, struct history *ret_history)
{
	struct history history = { 0 };

	if (take_count(object, "uses", &history.uses) < 0 || take_count(object, "retries", &history.retries) < 0 ||
	    take_text(object, "used", history.used, NONCE_SIZE) < 0 || take_text(object, "failed", history.failed, HISTORY_GROUP_MOST) < 0)
		return -EINVAL;
	*ret_history = history;
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* What an agent sends. What the parser accepts must hold what it promises, and its measures must be accepted again as they are. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/agent-status.h"

#define BODY_MOST 65536u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(int condition)
{
	if (!condition)
		abort();
}

static void check_texts(const json_t *value)
{
	const char *name;
	json_t *item;
	size_t i;

	if (json_is_string(value))
		demand(text_printable(json_string_value(value), json_string_length(value)));
	json_array_foreach(json_iterable(value), i, item)
		check_texts(item);
	json_object_foreach(json_iterable(value), name, item)
		check_texts(item);
}

static void check(const struct agent_status *status)
{
	char why[160];
	json_t *measures = json_parse(status->measures, strlen(status->measures), why);

	demand(json_is_object(measures));
	check_texts(measures);
	json_decref(measures);
	demand(node_id_valid(status->boot_id) && isfinite(status->figures.uptime) && isfinite(status->figures.load));
	demand(status->alarm_count <= STATUS_ALARMS_MOST && status->answer_count <= STATUS_ANSWERS_MOST);
	for (size_t i = 0; i < status->alarm_count; i++) {
		demand(text_printable(status->alarms[i].text, strlen(status->alarms[i].text)) && status->alarms[i].kind[0]);
		demand(!i || status->alarms[i].sequence > status->alarms[i - 1].sequence);
	}
	for (size_t i = 0; i < status->answer_count; i++)
		demand(status->answers[i].number && text_printable(status->answers[i].text, strlen(status->answers[i].text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct agent_status status;
	char error[ERROR_TEXT];

	if (size > BODY_MOST)
		return 0;
	if (!agent_status_parse(data, size, &status, error))
		check(&status);
	agent_status_release(&status);
	return 0;
}

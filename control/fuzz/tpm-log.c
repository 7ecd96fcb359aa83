// SPDX-License-Identifier: GPL-2.0-or-later
/* The firmware's log, Repave's own, and expected values: each parser on the same bytes; and a judge for what was parsed, with the values that it leads to. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/tpm-judge.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct firmware_log *log, const struct expected_set *set)
{
	struct repave_events none = { 0 };
	struct judge_input input = { .pcrs = PCRS_QUOTED, .log = log, .events = &none, .sets = set, .set_count = set ? 1 : 0 };
	struct judgement judgement;

	for (uint32_t pcr = 0; pcr < PCRS; pcr++)
		firmware_log_replay(log, pcr, input.values[pcr]);
	memset(input.values[PCR_REPAVE], 0, TPM_DIGEST);
	if (judge_boot(&input, &judgement) < 0)
		return;
	if (!judgement.text[0] || judgement.event > log->count)
		abort();
	json_decref(judgement.firmware);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expected_set set = { .images = 1 };
	struct repave_events events;
	struct firmware_log log;
	char error[ERROR_TEXT], why[160];
	json_t *list;

	if (!firmware_log_parse(data, size, &log, error)) {
		/* The set that fits the first image, so that more than that is looked at. */
		for (size_t i = 0; i < log.count; i++)
			if (log.events[i].pcr == 4 && log.events[i].type == EVENT_APPLICATION)
				memcpy(set.image[0], log.events[i].digest, TPM_DIGEST);
		firmware_log_replay(&log, 11, set.parts);
		judge(&log, &set);
		judge(&log, NULL);
		firmware_log_release(&log);
	}
	set = (struct expected_set){ 0 };
	if (!expected_set_parse(data, size, &set, error)) {
		if (!set.images || set.images > EXPECTED_IMAGES_MOST || strlen(set.id) != EXPECTED_ID)
			abort();
		expected_set_release(&set);
	}
	list = json_parse(data, size, why);
	if (list && !repave_events_parse(list, &events, error) && events.count > REPAVE_EVENTS_MOST)
		abort();
	json_decref(list);
	return 0;
}

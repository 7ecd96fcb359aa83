// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/meters.h"

#include <string.h>

const double meter_short[METER_BUCKETS] = { 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10 };
const double meter_long[METER_BUCKETS] = { 0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300 };

const char *const meter_interface_names[METER_INTERFACES] = {
	[METER_NODES] = "nodes", [METER_REPOSITORY] = "repository", [METER_OPERATORS] = "operators", [METER_SOCKET] = "socket",
};
const char *const meter_stage_names[METER_STAGES] = { "kernel", "net", "identify", "clock", "enrol", "trust", "attest", "assign", "disk", "fetch-c",
						      "fetch-d", "boot", "offline", "sanitize", "other" };
const char *const meter_boot_names[METER_BOOTS] = { [METER_KEXEC] = "kexec", [METER_RESET] = "reset", [METER_FAILED] = "failed" };

void meter_observe(struct meter_histogram *histogram, const double bounds[METER_BUCKETS], double seconds)
{
	unsigned bucket = 0;

	/* What a node says of itself may be anything. */
	if (!(seconds >= 0))
		seconds = 0;
	if (seconds > 1e9)
		seconds = 1e9;
	while (bucket < METER_BUCKETS && seconds > bounds[bucket])
		bucket++;
	histogram->counts[bucket]++;
	histogram->microseconds += (unsigned long long)(seconds * 1e6);
}

void meter_answer(struct meter_requests *requests, unsigned status)
{
	requests->answered[status / 100 < 6 ? status / 100 : 0]++;
}

static unsigned stage_of(const char *name)
{
	unsigned i = 0;

	while (i < METER_STAGES - 1 && (!name || strcmp(meter_stage_names[i], name)))
		i++;
	return i;
}

void meter_boot(struct meters *meters, enum meter_boot how, const json_t *stages)
{
	double all = 0;

	meters->boots[how]++;
	for (size_t i = 0; i < json_array_size(stages); i++) {
		const json_t *stage = json_array_get(stages, i);
		double seconds = json_number_value(json_object_get(stage, "seconds"));

		meter_observe(&meters->stages[stage_of(json_string_value(json_object_get(stage, "name")))], meter_long, seconds);
		all += seconds;
	}
	if (how != METER_FAILED)
		meter_observe(&meters->boot, meter_long, all);
}

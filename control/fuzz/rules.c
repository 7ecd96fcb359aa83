// SPDX-License-Identifier: GPL-2.0-or-later
/* {"policy", "decisions", "rules"} as a fleet file brings them. What is accepted must survive the store, and be usable at any time. */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "control/decision-settings.h"
#include "control/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_policy(const json_t *object)
{
	static const int64_t times[] = { 0, 1700000000, 1743296400, 4102444800 };
	struct policy policy;
	char error[ERROR_TEXT];

	if (policy_parse(object, 2, &policy, error) < 0)
		return;
	for (size_t i = 0; i < sizeof times / sizeof times[0]; i++) {
		double hour = calendar_hour(policy.calendar, times[i]);

		if (!(hour >= 0 && hour < 24))
			abort();
		calendar_is_open(policy.calendar, times[i]);
		calendar_change(policy.calendar, times[i]);
	}
	if (!policy_pace(&policy, 10))
		abort();
	policy_release(&policy);
}

static void try_settings(const json_t *change, const json_t *rules)
{
	struct decision_settings initial, settings, again;
	char error[ERROR_TEXT];
	json_t *stored;

	if (decision_settings_init(&initial) < 0)
		abort();
	if (!decision_settings_change(&initial, change, rules, &settings, error)) {
		struct facts facts = { .texts = { [ATTRIBUTE_GROUP] = "web", [ATTRIBUTE_OS] = "minimal@3" } };
		double limits[LIMITS] = { 0 };

		for (int i = 0; i < MEASURES; i++)
			facts.values[i] = i % 3 ? i : NAN;
		for (size_t i = 0; i < settings.rules.count; i++) {
			rule_holds(&settings.rules.items[i], &facts, limits);
			rule_explain(&settings.rules.items[i], &facts, limits, error);
		}
		stored = decision_settings_format(&settings);
		if (!stored || decision_settings_change(&initial, json_object_get(stored, "decisions"), json_object_get(stored, "rules"), &again, error) ||
		    again.rules.count != settings.rules.count || again.acts != settings.acts)
			abort();
		decision_settings_release(&again);
		decision_settings_release(&settings);
		json_decref(stored);
	}
	decision_settings_release(&initial);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[160];
	json_t *object = json_parse(data, size, why);

	if (!object)
		return 0;
	try_policy(json_object_get(object, "policy"));
	try_settings(json_object_get(object, "decisions"), json_object_get(object, "rules"));
	json_decref(object);
	return 0;
}

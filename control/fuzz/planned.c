// SPDX-License-Identifier: GPL-2.0-or-later
/* A planned event or a hint as an API call brings it. What is accepted must survive the store. */
#include <stdlib.h>

#include "common/json.h"
#include "control/hints.h"
#include "control/planned.h"

#define NOW INT64_C(1796083200)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_event(const json_t *object)
{
	struct planned event, again;
	char error[ERROR_TEXT];
	json_t *stored;

	if (planned_parse(object, NOW, &event, error) < 0)
		return;
	stored = planned_format(&event);
	if (!stored || event.to <= event.from || planned_restore(stored, &again) < 0)
		abort();
	planned_release(&again);
	json_decref(stored);
	json_decref(planned_definition(&event));
	planned_next(&event, event.to);
	planned_release(&event);
}

static void try_hint(const json_t *object)
{
	struct hint hint, again;
	char error[ERROR_TEXT];
	json_t *stored;

	if (hint_parse(object, NOW, &hint, error) < 0)
		return;
	stored = hint_format(&hint);
	if (!stored || hint_restore(stored, &again) < 0 || !(hint_expects(&again, 100) >= 0))
		abort();
	json_decref(stored);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[160];
	json_t *object = json_parse(data, size, why);
	struct planned event;

	if (!object)
		return 0;
	try_event(object);
	try_hint(object);
	if (!planned_restore(object, &event))
		planned_release(&event);
	json_decref(object);
	return 0;
}

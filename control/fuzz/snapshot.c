// SPDX-License-Identifier: GPL-2.0-or-later
/* Snapshots as an operator's machine gets them: what is accepted can be decided on, gives names that exist, and reads the same again. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/snapshot-text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct fleet_snapshot *snapshot, const struct decisions *decisions)
{
	json_t *text = snapshot_format(snapshot), *first = decisions_format(&snapshot->seen, decisions), *second;
	struct decisions anew = { 0 };
	struct fleet_snapshot again;
	char error[ERROR_TEXT];

	if (snapshot_parse(text, &again, error) < 0 || decide(&again.seen, &anew) < 0)
		abort();
	second = decisions_format(&again.seen, &anew);
	if (!json_equal(first, second))
		abort();
	json_decref(first);
	json_decref(second);
	json_decref(text);
	decisions_release(&anew);
	fleet_snapshot_release(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fleet_snapshot snapshot;
	struct decisions decisions = { 0 };
	char error[ERROR_TEXT] = "", why[160];
	json_t *object = json_parse(data, size, why);

	if (object && snapshot_parse(object, &snapshot, error) == 0) {
		if (decide(&snapshot.seen, &decisions) < 0)
			abort();
		compare(&snapshot, &decisions);
		decisions_release(&decisions);
		fleet_snapshot_release(&snapshot);
	} else if (object && !error[0]) {
		abort();
	}
	json_decref(object);
	return 0;
}

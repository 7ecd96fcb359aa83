// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/attest-record.h"

#include <stdlib.h>
#include <string.h>

struct attest_record *attest_record_new(json_t *state)
{
	struct attest_record *record = calloc(1, sizeof *record);

	if (record)
		record->state = state ? state : json_object();
	else
		json_decref(state);
	if (!record || record->state)
		return record;
	free(record);
	return NULL;
}

void attest_record_free(struct attest_record *record)
{
	if (!record)
		return;
	json_decref(record->state);
	explicit_bzero(record, sizeof *record);
	free(record);
}

/* A member of the wrong type reads as absent wherever it is used; what says how far to trust the node must be there. */
bool attest_state_valid(const json_t *state)
{
	return json_is_object(state) && json_is_string(json_object_get(state, "level")) && json_is_string(json_object_get(state, "text")) &&
	       json_is_integer(json_object_get(state, "at"));
}

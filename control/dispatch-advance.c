// SPDX-License-Identifier: GPL-2.0-or-later
/* One move of a restart: deeds, record and event, in the store and in memory. */
#include "control/decider.h"
#include "control/dispatch-deeds.h"

#include <string.h>
#include <time.h>

#include "control/balancer.h"

static int tell_step(struct control *control, const struct restart_record *record, enum restart_step before)
{
	const struct restart *restart = &record->restart;
	enum severity severity = restart->step == RESTART_FAILED ? SEVERITY_ALARM : SEVERITY_INFO;
	const json_t *last = json_array_get(record->steps, json_array_size(record->steps) - 1);
	json_t *data = json_pack("{sI ss ss}", "restart", (json_int_t)record->id, "step", restart_step_name(restart->step), "before",
				 restart_step_name(before));

	return control_event(control, time(NULL), record->node, severity, "restart", data, "%s %s: %s%s%s (%s took %.1f s)",
			     restart_kind_name(restart->kind), dispatch_name(control, record->node), restart_step_name(restart->step),
			     restart->error[0] ? ": " : "", restart->error, restart_step_name(before),
			     json_number_value(json_object_get(last, "seconds")));
}

/* Does the deeds, and stores the record, and with another step than before the event of it: within a transaction. `before` is what
 * record->restart was. 0 or -errno. */
static int do_and_store(struct control *control, struct restart_record *record, const struct restart *after, unsigned deeds,
			struct dispatch_saved *saved, int64_t clock)
{
	enum restart_step before = record->restart.step;
	bool moves = after->step != before;
	int r = dispatch_do(control, record, deeds, saved, clock);

	if (!r && moves)
		r = restart_record_note(record, clock, dispatch_time());
	if (r < 0)
		return r;
	record->restart = *after;
	record->clock = clock;
	if (restart_has_ended(after))
		record->ended = dispatch_time();
	r = store_put_restart(control->store, record);
	if (!r && record->ended)
		r = decider_restart_ended(control, record);
	return r < 0 || !moves ? r : tell_step(control, record, before);
}

/* Memory as it was before the transaction that failed. `was` is a plain copy of the record. */
static void take_back(struct restart_record *record, const struct restart_record *was, size_t steps)
{
	while (json_array_size(record->steps) > steps)
		json_array_remove(record->steps, steps);
	record->restart = was->restart;
	record->ended = was->ended;
	record->clock = was->clock;
	record->order = was->order;
	record->spare_restart = was->spare_restart;
	strcpy(record->denied, was->denied);
	strcpy(record->spare, was->spare);
}

int dispatch_advance(struct control *control, struct restart_record *record, const struct restart *after, unsigned deeds, int64_t clock)
{
	const struct restart_record was = *record;
	size_t steps = json_array_size(record->steps), count = dispatch_count(control);
	struct dispatch_saved saved = { 0 };
	struct node *node;
	int r;

	dispatch_use_power(control, record, deeds, clock);
	if (deeds & DO_CUT && (node = fleet_get(control->fleet, record->node)))
		balancer_cut(control, node);
	r = store_begin(control->store);
	if (r < 0)
		return r;
	r = do_and_store(control, record, after, deeds, &saved, clock);
	if (!r)
		r = store_commit(control->store);
	else
		store_rollback(control->store);
	dispatch_end_saved(&saved, r < 0);
	if (r < 0) {
		take_back(record, &was, steps);
		dispatch_forget_added(control, count);
	}
	node = fleet_get(control->fleet, record->node);
	if (record->ended && node && node->restart == record)
		node->restart = NULL;
	return r;
}

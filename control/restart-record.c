// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/restart-record.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"

void restart_record_release(struct restart_record *record)
{
	json_decref(record->change);
	json_decref(record->steps);
	*record = (struct restart_record){ 0 };
}

/* How long the present step lasts. */
static int64_t step_milliseconds(const struct restart_record *record, int64_t clock)
{
	return clock > record->restart.since ? clock - record->restart.since : 0;
}

int restart_record_note(struct restart_record *record, int64_t clock, int64_t now)
{
	int64_t lasted = step_milliseconds(record, clock);
	json_t *step = json_pack("{ss sI sf}", "step", restart_step_name(record->restart.step), "at", (json_int_t)((now - lasted) / 1000),
				 "seconds", (double)lasted / 1000);

	if (!record->steps)
		record->steps = json_array();
	return json_array_append_new(record->steps, step) < 0 ? -ENOMEM : 0;
}

/* ------------------------------------------------------------------ the store's form */

/* The numbers of a restart, by name: one list for both directions. */
struct number {
	const char *name;
	int64_t *at;
};

#define NUMBERS 18u

static void list_numbers(struct restart *r, struct number list[NUMBERS])
{
	const struct number all[NUMBERS] = {
		{ "grace", &r->limits.grace }, { "notice", &r->limits.notice }, { "spare", &r->limits.spare }, { "drain", &r->limits.drain },
		{ "evict", &r->limits.evict }, { "stop", &r->limits.stop }, { "power", &r->limits.power }, { "boot", &r->limits.boot },
		{ "health", &r->limits.health }, { "ready", &r->limits.ready }, { "evidence", &r->limits.evidence }, { "since", &r->since }, { "asked", &r->asked },
		{ "noticed", &r->noticed }, { "acted", &r->acted }, { "failing", &r->failing }, { "tries", NULL }, { "flags", NULL },
	};

	memcpy(list, all, sizeof all);
}

enum { FLAG_GRACE_GIVEN = 1, FLAG_TOOK_SPARE = 2, FLAG_DENIED = 4, FLAG_FORCED = 8 };

static json_t *format_numbers(const struct restart *restart)
{
	struct restart copy = *restart;
	struct number list[NUMBERS];
	int64_t tries = restart->tries;
	int64_t flags = (restart->limits.grace_given ? FLAG_GRACE_GIVEN : 0) | (restart->took_spare ? FLAG_TOOK_SPARE : 0) |
			(restart->denied ? FLAG_DENIED : 0) | (restart->forced ? FLAG_FORCED : 0);
	json_t *object = json_object();

	list_numbers(&copy, list);
	list[NUMBERS - 2].at = &tries;
	list[NUMBERS - 1].at = &flags;
	for (unsigned i = 0; i < NUMBERS; i++)
		json_object_set_new(object, list[i].name, json_integer((json_int_t)*list[i].at));
	return object;
}

static int parse_numbers(const json_t *object, struct restart *restart)
{
	struct number list[NUMBERS];
	int64_t tries = 0, flags = 0;

	list_numbers(restart, list);
	list[NUMBERS - 2].at = &tries;
	list[NUMBERS - 1].at = &flags;
	for (unsigned i = 0; i < NUMBERS; i++) {
		uint64_t value = 0;
		int r = json_get_u64(object, list[i].name, &value);

		/* Records of before them have no "failing" and no "evidence". */
		bool may_miss = list[i].at == &restart->failing || list[i].at == &restart->limits.evidence;

		if ((r < 0 && !(r == -ENOENT && may_miss)) || value > INT64_MAX)
			return -EINVAL;
		*list[i].at = (int64_t)value;
	}
	restart->tries = (unsigned)tries;
	restart->limits.grace_given = flags & FLAG_GRACE_GIVEN;
	restart->took_spare = flags & FLAG_TOOK_SPARE;
	restart->denied = flags & FLAG_DENIED;
	restart->forced = flags & FLAG_FORCED;
	return 0;
}

json_t *restart_record_format(const struct restart_record *record)
{
	const struct restart *restart = &record->restart;

	return json_pack("{ss ss ss ss so sI sO? ss ss ss ss ss sI ss ss sI sO?}", "kind", restart_kind_name(restart->kind), "urgency",
			 restart_urgency_name(restart->urgency), "step", restart_step_name(restart->step), "error", restart->error,
			 "numbers", format_numbers(restart), "clock", (json_int_t)record->clock, "change", record->change, "to", record->to, "by", record->by,
			 "reason", record->reason, "nonce", record->nonce, "boot_id", record->boot_id, "order", (json_int_t)record->order,
			 "denied", record->denied, "spare", record->spare, "spare_restart", (json_int_t)record->spare_restart, "steps", record->steps);
}

static int take_text(const json_t *object, const char *name, char *ret_text, size_t size)
{
	const char *text = json_get_string(object, name);

	if (!text || strlen(text) >= size)
		return -EINVAL;
	strcpy(ret_text, text);
	return 0;
}

static int take_names(const json_t *object, struct restart *restart)
{
	const char *kind = json_get_string(object, "kind"), *urgency = json_get_string(object, "urgency");
	const char *step = json_get_string(object, "step");

	if (!kind || !urgency || !step)
		return -EINVAL;
	if (restart_kind_parse(kind, &restart->kind) < 0 || restart_urgency_parse(urgency, &restart->urgency) < 0)
		return -EINVAL;
	return restart_step_parse(step, &restart->step);
}

/* Records of before it have no "to". */
static int take_to(const json_t *object, struct restart_record *record)
{
	return json_object_get(object, "to") ? take_text(object, "to", record->to, sizeof record->to) : 0;
}

int restart_record_parse(const json_t *object, struct restart_record *record)
{
	const json_t *change = json_object_get(object, "change"), *steps = json_object_get(object, "steps");
	uint64_t clock = 0;

	if (take_names(object, &record->restart) < 0 || parse_numbers(json_object_get(object, "numbers"), &record->restart) < 0 ||
	    take_text(object, "error", record->restart.error, sizeof record->restart.error) < 0 ||
	    take_to(object, record) < 0 || take_text(object, "by", record->by, sizeof record->by) < 0 ||
	    take_text(object, "reason", record->reason, sizeof record->reason) < 0 ||
	    take_text(object, "nonce", record->nonce, sizeof record->nonce) < 0 ||
	    take_text(object, "boot_id", record->boot_id, sizeof record->boot_id) < 0 ||
	    take_text(object, "denied", record->denied, sizeof record->denied) < 0 ||
	    take_text(object, "spare", record->spare, sizeof record->spare) < 0 ||
	    json_get_u64(object, "order", &record->order) < 0 || json_get_u64(object, "spare_restart", &record->spare_restart) < 0 ||
	    json_get_u64(object, "clock", &clock) == -EINVAL || clock > INT64_MAX)
		return -EINVAL;
	record->clock = (int64_t)clock;
	if (json_is_object(change))
		record->change = json_deep_copy(change);
	record->steps = json_is_array(steps) ? json_deep_copy(steps) : json_array();
	return record->steps && (record->change || !json_is_object(change)) ? 0 : -ENOMEM;
}

static void shift(int64_t *time, int64_t by)
{
	/* 0 says that it didn't happen. */
	if (*time)
		*time = *time + by > 1 ? *time + by : 1;
}

void restart_record_resume(struct restart_record *record, int64_t clock)
{
	/* Records of before it have no clock: their times were milliseconds since 1970, as the clock's are roughly. */
	int64_t by = record->clock ? clock - record->clock : 0;

	shift(&record->restart.since, by);
	shift(&record->restart.asked, by);
	shift(&record->restart.noticed, by);
	shift(&record->restart.acted, by);
	shift(&record->restart.failing, by);
	record->clock = clock;
}

static double total_seconds(const struct restart_record *record, int64_t clock)
{
	double total = record->ended ? 0 : (double)step_milliseconds(record, clock) / 1000;
	const json_t *step;
	size_t i;

	json_array_foreach(record->steps, i, step)
		total += json_number_value(json_object_get(step, "seconds"));
	return total;
}

static const char *text_or_null(const char *text)
{
	return text[0] ? text : NULL;
}

json_t *restart_record_describe(const struct restart_record *record, int64_t clock, int64_t now)
{
	const struct restart *restart = &record->restart;
	int64_t since = record->ended ? record->ended : now - step_milliseconds(record, clock);

	return json_pack("{sI ss ss ss ss sI sI sI sf ss? ss? ss ss? ss? ss? sO? sO?}", "id", (json_int_t)record->id, "node", record->node, "kind",
			 restart_kind_name(restart->kind), "urgency", restart_urgency_name(restart->urgency), "step",
			 restart_step_name(restart->step), "started", (json_int_t)(record->started / 1000), "ended",
			 (json_int_t)(record->ended / 1000), "since", (json_int_t)(since / 1000), "seconds", total_seconds(record, clock),
			 "waits", text_or_null(record->ended ? "" : record->waits), "error", text_or_null(restart->error), "by", record->by,
			 "reason", text_or_null(record->reason), "spare", text_or_null(record->spare), "to", text_or_null(record->to), "change", record->change, "steps",
			 record->steps);
}

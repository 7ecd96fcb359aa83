// SPDX-License-Identifier: GPL-2.0-or-later
/* How a server was cleared, for people and auditors. */
#include <errno.h>
#include <stdlib.h>

#include "control/report.h"
#include "control/sanitizing.h"

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static json_t *time_text(int64_t seconds)
{
	char text[32];

	report_time(seconds, text);
	return text_or_null(text);
}

static json_t *describe_disk(const struct cleared_disk *d)
{
	if (!d->name[0])
		return json_null();
	return json_pack("{ss sI sI sI sI ss}", "name", d->name, "size", (json_int_t)d->size, "cleared", (json_int_t)d->cleared, "discarded",
			 (json_int_t)d->discarded, "erased", (json_int_t)d->erased, "zeros", d->offloaded ? "made by the disk" : "written");
}

static const char *step_of(const struct sanitizing *s)
{
	return s->ended ? "ended" : s->cleared ? "resets" : s->began ? "clears" : "ordered";
}

json_t *sanitizing_describe(const struct sanitizing *s)
{
	return json_pack("{sI ss ss ss so so ss so so so so sI so so so sb sb sb ss}", "id", (json_int_t)s->id, "node", s->node, "order", s->order, "step",
			 step_of(s), "from", text_or_null(s->from), "to", text_or_null(s->to), "reason", s->reason, "ordered", time_text(s->ordered),
			 "began", time_text(s->began), "cleared", time_text(s->cleared), "ended", time_text(s->ended), "keys_destroyed",
			 (json_int_t)s->keys, "disk", describe_disk(&s->done.disk), "memory", text_or_null(s->done.memory), "memory_after_reset",
			 text_or_null(s->memory_after), "memory_zeroed_by_kernel", (int)s->memory_zeroed, "node_key_renewed", (int)s->done.key_renewed,
			 "proved_by_tpm", (int)s->proved, "proof", s->proved ? "a TPM proved the stage 1 that says so" : "not proved by a TPM");
}

int sanitizing_record(const struct sanitizing *s, const char *name, int64_t made, int64_t audit, struct buffer *ret_text)
{
	json_t *record = json_pack("{si ss so sI so}", "format", 1, "report", "sanitize", "made", time_text(made), "audit", (json_int_t)audit, "name",
				   text_or_null(name)), *members = sanitizing_describe(s);
	char *text = NULL;
	int r = -ENOMEM;

	if (record && members && !json_object_update(record, members))
		text = json_dumps(record, JSON_INDENT(1) | JSON_SORT_KEYS);
	if (text)
		r = buffer_printf(ret_text, "%s\n", text);
	free(text);
	json_decref(members);
	json_decref(record);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/alarm-record.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

/* docs/protocol.md, "Alarms". */
static const char *const shipped[] = { "verity", "file", "keys", "setuid", "module", ALARM_KIND_OPERATOR };

bool alarm_kind_counts(const json_t *kinds, const char *kind)
{
	const json_t *value;
	size_t i;

	if (!kinds) {
		for (i = 0; i < sizeof shipped / sizeof shipped[0]; i++)
			if (!strcmp(shipped[i], kind))
				return true;
		return false;
	}
	/* Whoever raises one by hand means it. */
	if (!strcmp(kind, ALARM_KIND_OPERATOR))
		return true;
	json_array_foreach(kinds, i, value)
		if (!strcmp(json_string_value(value), kind))
			return true;
	return false;
}

bool alarm_kinds_valid(const json_t *kinds)
{
	const json_t *value;
	size_t i;

	if (!json_is_array(kinds) || json_array_size(kinds) > ALARM_KINDS_MOST)
		return false;
	json_array_foreach(kinds, i, value) {
		const char *text = json_string_value(value);

		if (!text || !text[0] || strlen(text) > ALARM_KIND_MOST || strlen(text) != json_string_length(value) ||
		    text[strspn(text, "abcdefghijklmnopqrstuvwxyz-")])
			return false;
	}
	return true;
}

void node_alarms_add(struct node_alarms *alarms, const char *kind, const char *text, int64_t now)
{
	if (!alarms->pending) {
		alarms->since = now;
		snprintf(alarms->kind, sizeof alarms->kind, "%s", kind);
		snprintf(alarms->text, sizeof alarms->text, "%s", text);
	}
	alarms->pending += alarms->pending < INT_MAX;
}

void node_alarms_settle(struct node_alarms *alarms)
{
	alarms->pending = 0;
	alarms->since = 0;
	alarms->kind[0] = alarms->text[0] = 0;
}

void node_alarms_cut(struct node_alarms *alarms, int64_t now)
{
	if (alarms->cut_count == ALARM_CUTS_KEPT)
		memmove(alarms->cuts, alarms->cuts + 1, --alarms->cut_count * sizeof alarms->cuts[0]);
	alarms->cuts[alarms->cut_count++] = now;
}

unsigned node_alarms_cuts(const struct node_alarms *alarms, int64_t now, int64_t seconds)
{
	unsigned count = 0;

	for (unsigned i = 0; i < alarms->cut_count; i++)
		count += alarms->cuts[i] <= now && alarms->cuts[i] > now - seconds;
	return count;
}

json_t *node_alarms_format(const struct node_alarms *alarms)
{
	json_t *cuts = json_array();

	for (unsigned i = 0; i < alarms->cut_count; i++)
		json_array_append_new(cuts, json_integer((json_int_t)alarms->cuts[i]));
	return json_pack("{sI sI ss ss so}", "pending", (json_int_t)alarms->pending, "since", (json_int_t)alarms->since, "kind", alarms->kind, "text",
			 alarms->text, "cuts", cuts);
}

int node_alarms_parse(const json_t *object, struct node_alarms *ret_alarms)
{
	const char *kind = json_get_string(object, "kind"), *text = json_get_string(object, "text");
	const json_t *cuts = json_object_get(object, "cuts"), *cut;
	struct node_alarms *alarms = ret_alarms;
	uint64_t pending, since;
	size_t i;

	*alarms = (struct node_alarms){ 0 };
	if (json_get_u64(object, "pending", &pending) < 0 || pending > INT_MAX || json_get_u64(object, "since", &since) < 0 || since > INT64_MAX ||
	    !kind || strlen(kind) > ALARM_KIND_MOST || !text || strlen(text) > ALARM_TEXT_MOST || !json_is_array(cuts) ||
	    json_array_size(cuts) > ALARM_CUTS_KEPT)
		return -EINVAL;
	alarms->pending = (unsigned)pending;
	alarms->since = (int64_t)since;
	strcpy(alarms->kind, kind);
	strcpy(alarms->text, text);
	json_array_foreach(cuts, i, cut) {
		if (!json_is_integer(cut))
			return -EINVAL;
		alarms->cuts[alarms->cut_count++] = json_integer_value(cut);
	}
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"

static const char *const verdicts[REPORT_VERDICTS] = { "within", "overdue", "exempt", "no limit", "unknown" };

const char *report_verdict_name(enum report_verdict verdict)
{
	return verdicts[verdict];
}

enum report_verdict report_judge(const struct report_facts *facts)
{
	bool late = facts->limit > 0 && facts->reimaged && (double)(facts->now - facts->reimaged) > facts->limit;

	if (facts->is_off)
		return REPORT_WITHIN;
	/* A clock that was set back isn't evidence. */
	if (!facts->reimaged || facts->reimaged > facts->now)
		return REPORT_UNKNOWN;
	if (facts->deadline && facts->now > facts->deadline && facts->reimaged <= facts->ordered)
		late = true;
	if (late)
		return facts->exempt ? REPORT_EXEMPT : REPORT_OVERDUE;
	return facts->limit > 0 || facts->deadline ? REPORT_WITHIN : REPORT_UNLIMITED;
}

void report_time(int64_t seconds, char ret_text[32])
{
	time_t time = (time_t)seconds;
	struct tm tm;

	if (seconds <= 0 || !gmtime_r(&time, &tm) || !strftime(ret_text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm))
		ret_text[0] = '\0';
}

static int add_field(struct buffer *text, const char *value, bool first)
{
	int r = first ? 0 : buffer_add(text, ",", 1);

	if (!r)
		r = buffer_add(text, "\"", 1);
	if (!r && value[0] && strchr("=+-@\t\r", value[0]))
		r = buffer_add(text, "'", 1);
	for (const char *at = value; *at && !r; at++)
		r = *at == '"' ? buffer_add(text, "\"\"", 2) : buffer_add(text, at, 1);
	return r ? r : buffer_add(text, "\"", 1);
}

/* A member as a field: numbers in digits, null as nothing. */
static int add_member(struct buffer *text, const json_t *value, bool first)
{
	char number[32] = "";

	if (json_is_string(value))
		return add_field(text, json_string_value(value), first);
	if (json_is_integer(value))
		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
	if (json_is_boolean(value))
		strcpy(number, json_is_true(value) ? "yes" : "no");
	return add_field(text, number, first);
}

int report_format_csv(const json_t *report, struct buffer *ret_text)
{
	static const char *const columns[] = { "node", "name", "group", "life", "reimaged", "age_s", "limit_s", "verdict", "os", "os_root_hash", "app",
					       "app_root_hash", "by", "reason", "restart", "exempt_until", "exempt_by", "exempt_reason" };
	const size_t count = sizeof columns / sizeof columns[0];
	const json_t *nodes = json_get_array(report, "nodes"), *node;
	char *totals = json_format(json_object_get(report, "totals"));
	size_t i;
	int r = totals ? buffer_printf(ret_text, "# repave report reimage, format 1, made %s, audit %lld, totals %s\r\n", json_get_string(report, "made"),
				       (long long)json_integer_value(json_object_get(report, "audit")), totals) : -ENOMEM;

	free(totals);
	for (size_t c = 0; c < count && !r; c++)
		r = buffer_printf(ret_text, "%s%s", c ? "," : "", columns[c]);
	if (!r)
		r = buffer_add(ret_text, "\r\n", 2);
	json_array_foreach(json_iterable(nodes), i, node) {
		for (size_t c = 0; c < count && !r; c++)
			r = add_member(ret_text, json_object_get(node, columns[c]), c == 0);
		if (!r)
			r = buffer_add(ret_text, "\r\n", 2);
	}
	return r;
}

int report_format_json(const json_t *report, struct buffer *ret_text)
{
	char *text = json_dumps(report, JSON_INDENT(1) | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	int r = text ? buffer_printf(ret_text, "%s\n", text) : -ENOMEM;

	free(text);
	return r;
}

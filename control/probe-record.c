// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/probe-record.h"

#include <errno.h>
#include <string.h>

/* FNV-1a: spreads ids that differ in one digit. */
static uint32_t hash_of(const char *text)
{
	uint32_t hash = 2166136261u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 16777619u;
	return hash;
}

bool probe_due(struct probe_record *record, const char *node, int64_t now_ms, int64_t interval_ms)
{
	if (!record->next)
		record->next = now_ms + hash_of(node) % (uint32_t)interval_ms;
	if (record->under_way || now_ms < record->next)
		return false;
	record->next = now_ms + interval_ms;
	record->under_way = true;
	return true;
}

enum probe_news probe_note(struct probe_record *record, const struct probe_result *result, bool agent_content, int64_t now_ms)
{
	record->under_way = false;
	record->at = now_ms;
	record->milliseconds = result->milliseconds;
	memcpy(record->error, result->error, sizeof record->error);
	record->ok = !result->error[0];
	record->failures = record->ok ? 0 : record->failures + 1;
	if (record->ok && record->told) {
		record->told = false;
		return PROBE_REACHED;
	}
	if (record->failures < PROBE_FAILURES || !agent_content || record->told)
		return PROBE_NO_NEWS;
	record->told = true;
	return PROBE_UNREACHED;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

int probe_status(const char *bytes, size_t size, unsigned *ret_status)
{
	size_t known = size < 7 ? size : 7;

	if (memcmp(bytes, "HTTP/1.", known))
		return -EPROTO;
	if (size < PROBE_ANSWER_LEAST)
		return -EAGAIN;
	if (!is_digit(bytes[7]) || bytes[8] != ' ' || !is_digit(bytes[9]) || !is_digit(bytes[10]) || !is_digit(bytes[11]))
		return -EPROTO;
	*ret_status = (unsigned)((bytes[9] - '0') * 100 + (bytes[10] - '0') * 10 + bytes[11] - '0');
	return 0;
}

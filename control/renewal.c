// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/renewal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

#define MINUTE 60
#define HOUR (60 * MINUTE)
#define DAY_SECONDS (24 * HOUR)
#define DAYS_MOST 3650

enum { LIFE_SNAPSHOT, LIFE_TIMESTAMP };

const struct renewal_policy renewal_policy_default = {
	.life = { [LIFE_SNAPSHOT] = 14 * DAY_SECONDS, [LIFE_TIMESTAMP] = 7 * DAY_SECONDS },
	.warnings = { 30 * DAY_SECONDS, 7 * DAY_SECONDS },
	.warning_count = 2,
};

/* ------------------------------------------------------------------ what an operator writes */

int renewal_warnings_parse(const char *text, struct renewal_policy *policy, char ret_error[ERROR_TEXT])
{
	int64_t warnings[RENEWAL_WARNINGS_MOST];
	size_t count = 0;

	for (const char *at = text;;) {
		size_t size = strcspn(at, ",");
		char one[16] = "";
		int r;

		if (count == RENEWAL_WARNINGS_MOST)
			return refused(ret_error, "at most %u warnings can be given, such as 30d,7d", RENEWAL_WARNINGS_MOST);
		memcpy(one, at, size < sizeof one ? size : sizeof one - 1);
		r = duration_parse(one, &warnings[count], ret_error);
		if (r < 0)
			return r;
		if (count && warnings[count] >= warnings[count - 1])
			return refused(ret_error, "warnings come nearer and nearer to the expiry: give the longest time first, such as 30d,7d");
		count++;
		if (!at[size])
			break;
		at += size + 1;
	}
	memcpy(policy->warnings, warnings, sizeof warnings);
	policy->warning_count = count;
	return 0;
}

/* ------------------------------------------------------------------ renewing */

bool renewal_is_online(const struct role_state *role)
{
	return role->type == TUF_SNAPSHOT || role->type == TUF_TIMESTAMP;
}

static int64_t life_of(const struct renewal_policy *policy, const struct role_state *role)
{
	return policy->life[role->type == TUF_SNAPSHOT ? LIFE_SNAPSHOT : LIFE_TIMESTAMP];
}

int64_t renewal_due(const struct renewal_policy *policy, const struct role_state *role)
{
	if (!policy->online || !renewal_is_online(role))
		return RENEWAL_NEVER;
	return role->expires - life_of(policy, role) / 2;
}

int64_t renewal_due_first(const struct renewal_policy *policy, const struct role_list *roles)
{
	int64_t first = RENEWAL_NEVER;

	for (size_t i = 0; i < roles->count; i++) {
		int64_t due = renewal_due(policy, &roles->items[i]);

		if (due < first)
			first = due;
	}
	return first;
}

int64_t renewal_retry(unsigned failures, int64_t now, int64_t expires)
{
	int64_t wait = failures < 7 ? (int64_t)MINUTE << (failures - 1) : HOUR;

	if (wait > HOUR)
		wait = HOUR;
	/* Several more tries before it is too late. After that the pace is the usual one: nothing is gained by haste. */
	if (expires != RENEWAL_NEVER && expires > now && (expires - now) / 4 < wait)
		wait = (expires - now) / 4;
	return now + (wait > 0 ? wait : 1);
}

/* ------------------------------------------------------------------ warning */

unsigned renewal_step(const struct renewal_policy *policy, const struct role_state *role, int64_t now)
{
	int64_t steps[RENEWAL_WARNINGS_MOST], left = role->expires - now;
	size_t count = 0;
	unsigned step = 0;

	if (left <= 0)
		return RENEWAL_EXPIRED;
	if (renewal_is_online(role)) {
		if (!policy->online)
			steps[count++] = life_of(policy, role) / 2;
		steps[count++] = life_of(policy, role) / 4;
	} else {
		count = policy->warning_count;
		memcpy(steps, policy->warnings, sizeof steps);
	}
	while (step < count && left <= steps[step])
		step++;
	return step;
}

static const char *format_left(int64_t seconds, char ret_text[32])
{
	if (seconds >= 2 * DAY_SECONDS)
		snprintf(ret_text, 32, "in %" PRId64 " days", seconds / DAY_SECONDS);
	else if (seconds >= 2 * HOUR)
		snprintf(ret_text, 32, "in %" PRId64 " hours", seconds / HOUR);
	else if (seconds >= 2 * MINUTE)
		snprintf(ret_text, 32, "in %" PRId64 " minutes", seconds / MINUTE);
	else
		snprintf(ret_text, 32, "in %" PRId64 " seconds", seconds);
	return ret_text;
}

/* What to do about a role that expires. */
static const char *next_step(const struct renewal_policy *policy, const struct role_state *role)
{
	if (renewal_is_online(role))
		return policy->online ? "its renewal fails, and this log says why" :
					"run repave-sign refresh, or start repaved with --online-keys";
	if (role->delegated)
		return "its signers must sign it anew (repave-sign publish --renew with their keys)";
	return role->type == TUF_ROOT ? "sign a new root with the root keys (repave-sign publish --renew root)" :
					"sign it anew with the targets keys (repave-sign publish --renew targets)";
}

void renewal_sentence(const struct renewal_policy *policy, const struct role_state *role, int64_t now,
		      char ret_sentence[ERROR_TEXT])
{
	char when[24] = "?", left[32];

	tuf_time_format(role->expires, when);
	if (role->expires <= now)
		strcpy(left, "expired");
	else
		format_left(role->expires - now, left);
	snprintf(ret_sentence, ERROR_TEXT, "%s%s metadata %s%s (%s): %s", role->delegated ? "delegated role " : "", role->name,
		 role->expires <= now ? "" : "expires ", left, when, next_step(policy, role));
}

int64_t renewal_first_expiry(const struct role_list *roles, int64_t now)
{
	int64_t first = RENEWAL_NEVER;

	for (size_t i = 0; i < roles->count; i++)
		if (roles->items[i].expires > now && roles->items[i].expires < first)
			first = roles->items[i].expires;
	return first;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/campaign.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"

#define SCOPE_MOST 100000u
#define RESERVE 0.8 /* of the time is planned with: servers that come back late, or not at first, are the rest */

static const char *const states[] = { "running", "stopped", "done", "failed" };

const char *campaign_state_name(enum campaign_state state)
{
	return states[state];
}

void campaign_release(struct campaign *campaign)
{
	json_decref(campaign->groups);
	json_decref(campaign->nodes);
	*campaign = (struct campaign){ 0 };
}

/* ------------------------------------------------------------------ what a person asks for */

static int check_members(const json_t *body, const char *const known[], size_t count, char error[ERROR_TEXT])
{
	const char *key;
	json_t *value;

	if (!json_is_object(body))
		return refused(error, "the body must be an object");
	json_object_foreach(json_iterable(body), key, value) {
		size_t i = 0;

		while (i < count && strcmp(known[i], key))
			i++;
		if (i == count)
			return refused(error, "there is no member \"%.32s\"", text_printable(key, strlen(key)) ? key : "?");
	}
	return 0;
}

/* A line of `least` to `most` bytes; absent is "". */
static int take_line(const json_t *body, const char *key, size_t least, size_t most, char *ret_text, char error[ERROR_TEXT])
{
	const json_t *value = json_object_get(body, key);
	const char *text = value && !json_is_null(value) ? json_string_value(value) : "";

	if (!text || strlen(text) < least || strlen(text) > most || (json_is_string(value) && strlen(text) != json_string_length(value)) ||
	    !text_printable(text, strlen(text)))
		return refused(error, "\"%s\" must be a line of %s%zu bytes", key, least ? "1 to " : "at most ", most);
	strcpy(ret_text, text);
	return 0;
}

/* A list of names as the keys of an object; an absent or empty one is NULL. */
static int take_names(const json_t *body, const char *key, json_t **ret_names, char error[ERROR_TEXT])
{
	const json_t *list = json_object_get(body, key), *one;
	json_t *names;
	size_t i;

	*ret_names = NULL;
	if (!list || json_is_null(list))
		return 0;
	if (!json_is_array(list) || json_array_size(list) > SCOPE_MOST)
		return refused(error, "\"%s\" must be a list of names", key);
	if (!json_array_size(list))
		return 0;
	names = json_object();
	json_array_foreach(json_iterable(list), i, one) {
		const char *name = json_string_value(one);

		if (!name || !text_of(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._", GROUP_NAME_MOST)) {
			json_decref(names);
			return refused(error, "\"%s\" must be a list of names", key);
		}
		if (json_object_set_new(names, name, json_true()) < 0) {
			json_decref(names);
			return -ENOMEM;
		}
	}
	*ret_names = names;
	return 0;
}

static int take_flag(const json_t *body, const char *key, bool otherwise, bool *ret_flag, char error[ERROR_TEXT])
{
	const json_t *value = json_object_get(body, key);

	if (value && !json_is_boolean(value))
		return refused(error, "\"%s\" must be true or false", key);
	*ret_flag = value ? json_is_true(value) : otherwise;
	return 0;
}

static int take_times(const json_t *body, int64_t now, struct campaign *campaign, char error[ERROR_TEXT])
{
	const json_t *serving = json_object_get(body, "serving");
	uint64_t deadline;

	if (json_get_u64(body, "deadline", &deadline) < 0 || deadline > INT64_MAX)
		return refused(error, "\"deadline\" must be there, in seconds since 1970");
	if ((int64_t)deadline <= now || (int64_t)deadline - now > CAMPAIGN_SECONDS_MOST)
		return refused(error, "the deadline must lie ahead, and within a year");
	campaign->deadline = (int64_t)deadline;
	campaign->serving = serving ? json_number_value(serving) : CAMPAIGN_SERVING;
	if (serving && (!json_is_number(serving) || !(campaign->serving >= 0 && campaign->serving <= 1)))
		return refused(error, "\"serving\" must be a share from 0 to 1");
	return 0;
}

int campaign_parse(const json_t *body, const char *by, int64_t now, struct campaign *ret_campaign, char ret_error[ERROR_TEXT])
{
	static const char *const known[] = { "deadline", "name", "reason", "groups", "nodes", "serving", "forced", "windows" };
	struct campaign c = { .began = now };
	int r = check_members(body, known, sizeof known / sizeof known[0], ret_error);

	if (!r)
		r = take_times(body, now, &c, ret_error);
	if (!r)
		r = take_line(body, "name", 0, CAMPAIGN_NAME_MOST, c.name, ret_error);
	if (!r)
		r = take_line(body, "reason", 0, REASON_MOST, c.reason, ret_error);
	if (!r)
		r = take_flag(body, "forced", true, &c.forced, ret_error);
	if (!r)
		r = take_flag(body, "windows", false, &c.in_windows, ret_error);
	if (!r)
		r = take_names(body, "groups", &c.groups, ret_error);
	if (!r)
		r = take_names(body, "nodes", &c.nodes, ret_error);
	strncat(c.by, by, sizeof c.by - 1);
	if (r < 0)
		campaign_release(&c);
	else
		*ret_campaign = c;
	return r;
}

/* ------------------------------------------------------------------ the store */

json_t *campaign_format(const struct campaign *c)
{
	return json_pack("{ss ss ss sO? sO? sI sI sI sf sb sb ss ss sb}", "name", c->name, "by", c->by, "reason", c->reason, "groups", c->groups,
			 "nodes", c->nodes, "began", (json_int_t)c->began, "deadline", (json_int_t)c->deadline, "ended", (json_int_t)c->ended,
			 "serving", c->serving, "forced", (int)c->forced, "windows", (int)c->in_windows, "state", states[c->state], "note", c->note,
			 "told_late", (int)c->told_late);
}

static int read_state(const json_t *object, enum campaign_state *ret_state)
{
	const char *name = json_get_string(object, "state");

	for (size_t i = 0; name && i < sizeof states / sizeof states[0]; i++)
		if (!strcmp(states[i], name)) {
			*ret_state = (enum campaign_state)i;
			return 0;
		}
	return -EINVAL;
}

static int read_time(const json_t *object, const char *key, int64_t *ret_time)
{
	uint64_t value;

	if (json_get_u64(object, key, &value) < 0 || value > INT64_MAX)
		return -EINVAL;
	*ret_time = (int64_t)value;
	return 0;
}

int campaign_read(const json_t *object, struct campaign *ret_campaign)
{
	const json_t *groups = json_object_get(object, "groups"), *nodes = json_object_get(object, "nodes");
	const json_t *serving = json_object_get(object, "serving");
	struct campaign c = { .serving = json_number_value(serving), .forced = json_is_true(json_object_get(object, "forced")),
			      .in_windows = json_is_true(json_object_get(object, "windows")),
			      .told_late = json_is_true(json_object_get(object, "told_late")) };
	char why[ERROR_TEXT];

	if (take_line(object, "name", 0, CAMPAIGN_NAME_MOST, c.name, why) < 0 || take_line(object, "by", 0, CAMPAIGN_BY_MOST, c.by, why) < 0 ||
	    take_line(object, "reason", 0, REASON_MOST, c.reason, why) < 0 || take_line(object, "note", 0, LIFE_REASON_MOST, c.note, why) < 0 ||
	    read_time(object, "began", &c.began) < 0 || read_time(object, "deadline", &c.deadline) < 0 ||
	    read_time(object, "ended", &c.ended) < 0 || !json_is_number(serving) || !(c.serving >= 0 && c.serving <= 1) ||
	    read_state(object, &c.state) < 0)
		return -EINVAL;
	if (json_is_object(groups))
		c.groups = json_incref(json_iterable(groups));
	if (json_is_object(nodes))
		c.nodes = json_incref(json_iterable(nodes));
	*ret_campaign = c;
	return 0;
}

/* ------------------------------------------------------------------ who, when and how many */

bool campaign_covers(const struct campaign *campaign, const char *node, const char *group)
{
	if (!campaign->groups && !campaign->nodes)
		return true;
	return (group[0] && campaign->groups && json_object_get(campaign->groups, group)) ||
	       (campaign->nodes && json_object_get(campaign->nodes, node));
}

double campaign_start(const struct seen_group *group)
{
	return group && group->start_s > 0 ? group->start_s : CAMPAIGN_START_SECONDS;
}

double campaign_takes(const struct seen_group *group, const struct seen_node *node)
{
	double grace = group ? group->policy.grace : 0, leave = node->users > 0 || isnan(node->users) ? grace : 0;

	/* Nobody waits longer for users than until they are thrown out. */
	if (!isnan(node->release_s) && node->release_s < leave)
		leave = node->release_s;
	return leave + campaign_start(group) + (group ? group->policy.settle : 0);
}

double campaign_due_in(const struct campaign *campaign, double takes, int64_t now)
{
	double due = (double)(campaign->deadline - now) - takes / RESERVE;

	return campaign->forced ? due : fmax(due, 1);
}

size_t campaign_pace(size_t remaining, double left, double takes)
{
	double rounds = floor(RESERVE * left / fmax(takes, 1));

	if (!remaining)
		return 1;
	if (rounds < 1)
		return remaining;
	return (size_t)ceil((double)remaining / rounds);
}

/* What there is to do in one group, or among what belongs to none. */
struct share {
	size_t members, remaining;
	double takes;            /* of the slowest */
};

static bool remains(const struct seen_node *node)
{
	return !isnan(node->due) && !node->exempt;
}

/* Counts by group; what belongs to none comes last. */
static void count_shares(const struct campaign *campaign, int64_t now, const struct seen_group *groups, size_t group_count,
			 struct seen_node *nodes, size_t node_count, struct share *shares)
{
	for (size_t i = 0; i < node_count; i++) {
		bool grouped = nodes[i].group != DECIDE_NOBODY;
		struct share *share = &shares[grouped ? nodes[i].group : group_count];
		double takes = campaign_takes(grouped ? &groups[nodes[i].group] : NULL, &nodes[i]);

		share->members++;
		if (!remains(&nodes[i]))
			continue;
		share->remaining++;
		share->takes = fmax(share->takes, takes);
		/* Before it a spare may have to start that stands in for it. */
		nodes[i].due = campaign_due_in(campaign, takes + (grouped ? campaign_start(&groups[nodes[i].group]) : 0), now);
	}
}

unsigned campaign_share(const struct campaign *campaign, size_t members)
{
	/* Of five servers 80 % are four, whatever a computer makes of 0.8. */
	return (unsigned)ceil(campaign->serving * (double)members - 1e-9);
}

int campaign_see(const struct campaign *campaign, int64_t now, struct seen_group *groups, size_t group_count, struct seen_node *nodes,
		 size_t node_count)
{
	struct share *shares = calloc(group_count + 1, sizeof *shares);
	double left = (double)(campaign->deadline - now);

	if (!shares)
		return -ENOMEM;
	count_shares(campaign, now, groups, group_count, nodes, node_count, shares);
	for (size_t i = 0; i < group_count; i++) {
		groups[i].campaign_any_time = !campaign->in_windows;
		groups[i].campaign_pace = (unsigned)campaign_pace(shares[i].remaining, left, shares[i].takes);
		groups[i].serving_least = campaign_share(campaign, shares[i].members);
	}
	free(shares);
	return 0;
}

/* ------------------------------------------------------------------ exemptions */

int exemption_parse(const json_t *body, int64_t now, struct exemption *ret_exemption, char ret_error[ERROR_TEXT])
{
	static const char *const known[] = { "until", "reason" };
	struct exemption e = { .since = now };
	uint64_t until;

	if (check_members(body, known, sizeof known / sizeof known[0], ret_error) < 0)
		return -EINVAL;
	if (json_get_u64(body, "until", &until) < 0 || until > INT64_MAX)
		return refused(ret_error, "\"until\" must be there, in seconds since 1970: an exemption ends");
	if ((int64_t)until <= now || (int64_t)until - now > EXEMPTION_SECONDS_MOST)
		return refused(ret_error, "an exemption must end within %d days, and not before it begins", (int)(EXEMPTION_SECONDS_MOST / 86400));
	if (take_line(body, "reason", 1, REASON_MOST, e.reason, ret_error) < 0)
		return -EINVAL;
	e.until = (int64_t)until;
	*ret_exemption = e;
	return 0;
}

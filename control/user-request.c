// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/user-request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/agent-api.h"
#include "control/dispatch.h"
#include "control/journal.h"
#include "control/peers.h"
#include "control/people.h"
#include "control/resolve.h"

static struct user_request *find(const struct control *control, const char *node)
{
	struct people *people = control->people;

	for (size_t i = 0; i < people->request_count; i++)
		if (!strcmp(people->requests[i].node, node))
			return &people->requests[i];
	return NULL;
}

static void forget(struct people *people, struct user_request *request)
{
	size_t at = (size_t)(request - people->requests);

	memmove(request, request + 1, (--people->request_count - at) * sizeof *request);
}

/* ------------------------------------------------------------------ who may */

static bool is_privileged(const struct control *control, const struct node *node, const char *name)
{
	json_t *users = group_users(group_of(control->fleet, node), json_object_get(node->assignment.config, "users")), *user;
	bool privileged = false;
	size_t i;

	json_array_foreach(users, i, user)
		if (json_get_string(user, "name") && !strcmp(json_get_string(user, "name"), name))
			privileged = json_is_true(json_object_get(user, "privileged"));
	json_decref(users);
	return privileged;
}

/* A group of the same account with that OS, one with the same application before others; NULL without. */
static const struct group *group_with(const struct control *control, const struct group *own, const struct image_spec *os)
{
	const struct group_list *groups = fleet_groups(control->fleet);
	const struct group *found = NULL;

	for (size_t i = 0; i < groups->count; i++) {
		const struct group *group = &groups->items[i];
		char name[IMAGE_NAME_MOST + 1];

		group_os_name(group, name);
		if (strcmp(group->account, own->account) || strcmp(name, os->name))
			continue;
		if (!found || !strcmp(group->app, own->app))
			found = group;
	}
	return found;
}

/* Whether the user may have that OS here; fills in the request's group. 0, or -EINVAL with a sentence to him. */
static int check(const struct control *control, const struct node *node, struct user_request *request, char error[ERROR_TEXT])
{
	const struct group *own = group_of(control->fleet, node), *group;
	const struct image *os, *app;
	struct image_spec spec;

	if (!is_privileged(control, node, request->user))
		return refused(error, "only privileged users of this server may ask for another OS; an operator can say who is one");
	if (image_spec_parse(request->os, &spec) < 0)
		return refused(error, "\"%.64s\" is no name of an OS image", text_printable(request->os, strlen(request->os)) ? request->os : "?");
	if (!own)
		return resolve_images(catalogue_images(control->catalogue), request->os, node->assignment.app[0] ? node->assignment.app : NULL, &os,
				      &app, error) < 0 ? -EINVAL : 0;
	group = group_with(control, own, &spec);
	if (!group)
		return refused(error, "no group of this server's account has the OS \"%.64s\"; an operator can add one", spec.name);
	if (group == own || !strcmp(group->name, own->name))
		return refused(error, "the group of this server has the OS \"%.64s\" already", spec.name);
	strcpy(request->group, group->name);
	return 0;
}

/* ------------------------------------------------------------------ taking one */

static int note(struct control *control, struct user_request *request, bool denied, const char *reason, int64_t now)
{
	char origin[USER_NAME_MOST + 8];
	struct journal_entry entry = { .time = now, .origin = origin, .rule = "", .action = "reimage", .verdict = denied ? "denied" : "do",
				       .urgency = "wait", .node = request->node, .group = request->group, .spare = "", .reason = reason,
				       .state = denied ? JOURNAL_DENIED : JOURNAL_GRANTED };
	int r;

	snprintf(origin, sizeof origin, "user %s", request->user);
	r = journal_add(control, &entry, &request->id);
	return r < 0 || !denied ? r : journal_follow(control, request->id, JOURNAL_DENIED, 0);
}

static int keep(struct control *control, struct user_request *request, int64_t now)
{
	struct people *people = control->people;
	struct user_request *grown = reallocarray(people->requests, people->request_count + 1, sizeof *grown);
	char reason[ERROR_TEXT];
	int r;

	if (!grown)
		return -ENOMEM;
	people->requests = grown;
	snprintf(reason, sizeof reason, "user %s asks for the OS %s; it waits until he has logged out", request->user, request->os);
	r = store_begin(control->store);
	if (r < 0)
		return r;
	r = note(control, request, false, reason, now);
	grown[people->request_count++] = *request;
	if (!r)
		r = people_store(control);
	if (!r)
		r = control_event(control, now, request->node, SEVERITY_NOTICE, "user-request", NULL, "%s; `repave node request --refuse` ends that", reason);
	if (!r)
		r = store_commit(control->store);
	else
		store_rollback(control->store);
	if (r < 0)
		people->request_count--;
	return r;
}

void user_request_take(struct control *control, struct node *node, const char *user, const char *os, int64_t now, struct user_verdict *ret_verdict)
{
	const struct user_request *present = find(control, node->id);
	struct user_request request = { .since = now };
	char *why = ret_verdict->text;
	int r;

	*ret_verdict = (struct user_verdict){ .given = true };
	strcpy(request.node, node->id);
	snprintf(request.user, sizeof request.user, "%s", user);
	snprintf(request.os, sizeof request.os, "%s", os);
	if (present && (strcmp(present->user, user) || strcmp(present->os, os))) {
		snprintf(why, ERROR_TEXT, "a request of user %s for the OS %s is pending already", present->user, present->os);
		return;
	}
	r = present ? 0 : check(control, node, &request, why);
	/* An agent that floods costs no journal. */
	if (r == -EINVAL && agent_api_minute(control, node, now) == 0 && node->allowed.events < AGENT_ALARMS_MOST) {
		node->allowed.events++;
		note(control, &request, true, why, now);
	}
	if (!r && !present)
		r = keep(control, &request, now);
	if (r < 0 && !why[0])
		snprintf(why, ERROR_TEXT, "the control unit can't store it now; try again");
	if (r < 0)
		return;
	ret_verdict->taken = true;
	snprintf(why, ERROR_TEXT, "it is pending: once you have logged out, and others have left, this server boots %s", os);
}

/* ------------------------------------------------------------------ his logout */

/* Also when nobody knows it. */
static bool is_logged_in(const struct control *control, const struct node *node, const char *name)
{
	json_t *all, *users, *user;
	bool found = false;
	char why[160];
	size_t i;

	if (!node->live || !node->live->measures || !peers_heard(control, node))
		return true;
	all = json_parse(node->live->measures, strlen(node->live->measures), why);
	users = json_object_get(all, "users");
	json_array_foreach(users, i, user)
		found = found || (json_get_string(user, "name") && !strcmp(json_get_string(user, "name"), name));
	/* The list is cut where there are many. */
	found = found || !all || node->live->figures.users > json_array_size(users);
	json_decref(all);
	return found;
}

static int begin(struct control *control, const struct user_request *request, char error[ERROR_TEXT])
{
	json_t *change = json_pack("{ss}", "os", request->os);
	char by[USER_NAME_MOST + 8];
	const struct restart_wish wish = { .kind = RESTART_REIMAGE, .urgency = URGENCY_WAIT, .limits = restart_limits_default,
					   .change = request->group[0] ? NULL : change, .to = request->group[0] ? request->group : NULL, .by = by,
					   .reason = "a privileged user asked for it" };
	const struct restart_record *restart;
	int r = change ? 0 : -ENOMEM;

	snprintf(by, sizeof by, "user %s", request->user);
	if (!r)
		r = dispatch_begin(control, request->node, &wish, &restart, error);
	if (!r)
		r = journal_follow(control, request->id, JOURNAL_GRANTED, restart->id);
	json_decref(change);
	return r;
}

/* Whether it is over. */
static bool look(struct control *control, struct user_request *request, int64_t now)
{
	const struct node *node = fleet_get(control->fleet, request->node);
	char why[ERROR_TEXT] = "";
	int r;

	if (node && (node->restart || is_logged_in(control, node, request->user)))
		return false;
	r = node ? begin(control, request, why) : -ENOENT;
	if (r == -EIO || r == -ENOMEM)
		return false;
	if (r < 0) {
		journal_follow(control, request->id, JOURNAL_FAILED, 0);
		control_event(control, now, request->node, SEVERITY_WARNING, "user-request", NULL, "the OS %s that user %s asked for can't be had: %s",
			      request->os, request->user, why);
	}
	return true;
}

void user_request_round(struct control *control, int64_t now)
{
	struct people *people = control->people;

	for (size_t i = 0; i < people->request_count;) {
		if (!look(control, &people->requests[i], now)) {
			i++;
			continue;
		}
		forget(people, &people->requests[i]);
		people_store(control);
	}
}

int user_request_refuse(struct control *control, const char *text, char ret_error[ERROR_TEXT])
{
	const struct node *node;
	int r = fleet_find(control->fleet, text, &node, ret_error);
	struct user_request *request, was;

	if (r < 0)
		return r;
	request = find(control, node->id);
	if (!request) {
		snprintf(ret_error, ERROR_TEXT, "no user's request is pending there");
		return -ENOENT;
	}
	was = *request;
	r = journal_follow(control, was.id, JOURNAL_CANCELLED, 0);
	if (r < 0)
		return r;
	forget(control->people, request);
	return people_store(control);
}

json_t *user_request_describe(const struct control *control, const struct node *node)
{
	const struct user_request *request = control->people ? find(control, node->id) : NULL;

	return request ? json_pack("{ss ss ss? sI sI}", "user", request->user, "os", request->os, "group", request->group[0] ? request->group : NULL,
				   "since", (json_int_t)request->since, "request", (json_int_t)request->id) : json_null();
}

/* ------------------------------------------------------------------ the store */

json_t *user_request_format(const struct user_request *request)
{
	return json_pack("{ss ss ss ss sI sI}", "node", request->node, "user", request->user, "os", request->os, "group", request->group, "since",
			 (json_int_t)request->since, "id", (json_int_t)request->id);
}

static int copy_text(const json_t *object, const char *key, char *ret_text, size_t size)
{
	const char *text = json_get_string(object, key);

	if (!text || strlen(text) >= size)
		return -EINVAL;
	strcpy(ret_text, text);
	return 0;
}

int user_request_restore(const json_t *object, struct user_request *r)
{
	uint64_t since;

	*r = (struct user_request){ 0 };
	if (copy_text(object, "node", r->node, sizeof r->node) < 0 || copy_text(object, "user", r->user, sizeof r->user) < 0 ||
	    copy_text(object, "os", r->os, sizeof r->os) < 0 || copy_text(object, "group", r->group, sizeof r->group) < 0 ||
	    json_get_u64(object, "since", &since) < 0 || since > INT64_MAX || json_get_u64(object, "id", &r->id) < 0)
		return -EINVAL;
	r->since = (int64_t)since;
	return 0;
}

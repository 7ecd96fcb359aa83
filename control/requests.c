// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/requests.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/deeds.h"
#include "control/journal.h"
#include "control/peers.h"

static bool is_out(const struct node *node)
{
	return node->life.state == LIFE_FAILED || node->life.state == LIFE_QUARANTINED || node->life.state == LIFE_MAINTENANCE;
}

unsigned request_count(const struct control *control, const char *group, const struct node *besides)
{
	unsigned count = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		const struct restart_record *restart = node->restart;
		const char *will = node->group;

		if (restart && restart->to[0])
			will = restart->to;
		else if (restart && restart->restart.kind == RESTART_RELEASE)
			will = "";
		count += node != besides && !is_out(node) && !strcmp(will, group);
	}
	return count;
}

/* ------------------------------------------------------------------ what a group allows */

static void deny(struct request *request, const char *denial)
{
	request->denied = true;
	request->denial = denial;
}

static void hold_to_maximum(const struct control *control, const struct group *group, const struct node *node, const struct wish *wish,
			    struct request *request)
{
	unsigned count = request_count(control, group->name, node);

	if (request->denied || wish->forced || !group->policy.maximum || count < group->policy.maximum)
		return;
	deny(request, "sla_max");
	snprintf(request->reason, sizeof request->reason, "group %s has its maximum of %u servers already (%u serve or will); raise it in the fleet file,"
		 " release one, or say --force", group->name, group->policy.maximum, count);
}

/* `replaceable`: a spare may come in its place. */
static void hold_to_minimum(struct control *control, const struct node *node, const struct wish *wish, bool replaceable, struct request *request)
{
	const struct group *group = group_of(control->fleet, node);
	unsigned others = group ? request_count(control, group->name, node) : 0;

	if (request->denied || wish->forced || !group || is_out(node) || others >= group->minimum || (replaceable && peers_choose_spare(control, group)))
		return;
	deny(request, "sla_min");
	snprintf(request->reason, sizeof request->reason, "group %s would be left with %u servers, and its minimum is %u%s; `repave alloc %s` adds one"
		 " first, or say --force", group->name, others, group->minimum, replaceable ? ", and no spare is free" : "", group->name);
}

/* ------------------------------------------------------------------ one request */

static void start_request(struct request *request, const char *action, const struct node *node, const char *group)
{
	*request = (struct request){ .action = action, .denial = "" };
	strcpy(request->node, node ? node->id : "");
	snprintf(request->group, sizeof request->group, "%s", group);
}

static int note_request(struct control *control, const struct wish *wish, struct request *request)
{
	struct journal_entry entry = {
		.time = time(NULL), .origin = wish->by, .rule = "", .action = request->action, .verdict = request->denied ? "denied" : "do",
		.urgency = restart_urgency_name(wish->urgency), .node = request->node, .group = request->group, .spare = "",
		.reason = request->denied ? request->reason : wish->reason, .restart = request->restart,
		.state = request->denied ? JOURNAL_DENIED : request->restart ? JOURNAL_GRANTED : JOURNAL_DONE,
	};
	int r = journal_add(control, &entry, &request->id);

	/* What a person asked for isn't asked again by itself. */
	if (!r && request->denied)
		r = store_follow_decision(control->store, request->id, JOURNAL_DENIED, 0, true, entry.time);
	return r;
}

/* Carries it out unless it is denied, and notes it: all or nothing. `node` is NULL only when it is denied. */
static int perform(struct control *control, struct node *node, const struct wish *wish, struct request *request, char error[ERROR_TEXT])
{
	struct deed_order order = { .by = wish->by, .reason = wish->reason, .urgency = wish->urgency, .forced = wish->forced, .grace = -1 };
	const char *to = strcmp(request->action, "remove") ? request->group : NULL;
	struct deeds deeds;
	int r = deeds_begin(&deeds, control);

	if (r < 0)
		return r;
	/* Of one that is neither spare nor of a group somebody may be there. */
	if (!request->denied && !strcmp(request->action, "add") && node->spare)
		r = deed_join(&deeds, node, to, &order, &request->restart, error);
	else if (!request->denied)
		r = deed_restart(&deeds, node, to ? RESTART_REBOOT : RESTART_RELEASE, to, &order, &request->restart, error);
	return deeds_end(&deeds, r < 0 ? r : note_request(control, wish, request));
}

/* ------------------------------------------------------------------ wishes */

static int find_group(const struct control *control, const char *name, const struct group **ret_group, char error[ERROR_TEXT])
{
	*ret_group = group_list_find(fleet_groups(control->fleet), name);
	if (*ret_group)
		return 0;
	snprintf(error, ERROR_TEXT, "there is no group \"%.63s\"; `repave group list` shows them", text_printable(name, strlen(name)) ? name : "?");
	return -ENOENT;
}

static int busy(char error[ERROR_TEXT], const char *format, ...) __attribute__((format(printf, 2, 3)));

static int busy(char error[ERROR_TEXT], const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, ERROR_TEXT, format, args);
	va_end(args);
	return -EBUSY;
}

/* Whether it is free to be asked: 0, or -EBUSY with a sentence. */
static int check_free(const struct control *control, const struct node *node, char error[ERROR_TEXT])
{
	const char *name = dispatch_name(control, node->id);

	if (node->restart)
		return busy(error, "a %s of %s is under way (step %s); `repave node cancel %s` ends it",
			    restart_kind_name(node->restart->restart.kind), name, restart_step_name(node->restart->restart.step), name);
	if (is_out(node))
		return busy(error, "%s is %s (%.160s); `repave node clear %s` ends that first", name, life_name(node->life.state),
			    node->life_reason, name);
	return 0;
}

int request_join(struct control *control, const char *id, const char *name, const struct wish *wish, struct request *ret_request,
	      char ret_error[ERROR_TEXT])
{
	struct node *node = id ? fleet_get(control->fleet, id) : NULL;
	const struct node *spare;
	const struct group *group;
	int r = find_group(control, name, &group, ret_error);

	if (!r && node)
		r = check_free(control, node, ret_error);
	if (r < 0)
		return r;
	if (node && node->group[0])
		return busy(ret_error, "%s is of group %s; `repave move %s %s` takes it from there", dispatch_name(control, id),
			    node->group, dispatch_name(control, id), name);
	spare = node ? node : peers_choose_spare(control, group);
	start_request(ret_request, "add", spare, name);
	hold_to_maximum(control, group, NULL, wish, ret_request);
	if (!ret_request->denied && !spare) {
		deny(ret_request, "no_resource");
		snprintf(ret_request->reason, sizeof ret_request->reason, "no spare is free for group %s; `repave release` makes one of a server, or"
			 " `repave move` takes one from another group", name);
	}
	return perform(control, spare ? fleet_get(control->fleet, spare->id) : NULL, wish, ret_request, ret_error);
}

int request_leave(struct control *control, const char *id, const struct wish *wish, struct request *ret_request, char ret_error[ERROR_TEXT])
{
	struct node *node = fleet_get(control->fleet, id);
	int r = check_free(control, node, ret_error);

	if (r < 0)
		return r;
	if (node->spare)
		return busy(ret_error, "%s is a spare already", dispatch_name(control, id));
	start_request(ret_request, "remove", node, node->group);
	hold_to_minimum(control, node, wish, false, ret_request);
	return perform(control, node, wish, ret_request, ret_error);
}

int request_move(struct control *control, const char *id, const char *name, const struct wish *wish, struct request *ret_request,
	      char ret_error[ERROR_TEXT])
{
	struct node *node = fleet_get(control->fleet, id);
	const struct group *group;
	int r = find_group(control, name, &group, ret_error);

	if (!r)
		r = check_free(control, node, ret_error);
	if (r < 0)
		return r;
	if (!strcmp(node->group, name))
		return busy(ret_error, "%s is of group %s already", dispatch_name(control, id), name);
	if (!node->group[0])
		return request_join(control, id, name, wish, ret_request, ret_error);
	start_request(ret_request, "move", node, name);
	hold_to_maximum(control, group, node, wish, ret_request);
	hold_to_minimum(control, node, wish, true, ret_request);
	return perform(control, node, wish, ret_request, ret_error);
}

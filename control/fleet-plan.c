// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fleet-plan.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "control/haproxy.h"
#include "control/message-desk.h"
#include "control/people.h"
#include "control/place.h"
#include "control/registry.h"
#include "control/store-groups.h"

#define CHANGE_TEXT 1024u

/* What is worked on. */
struct planning {
	const struct control *control;
	struct fleet_plan *plan;
	const struct group_list *groups; /* as they will be */
	json_t *listed;                  /* ids of the nodes that the file names */
	char *error;
};

static int tell(struct planning *p, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int tell(struct planning *p, const char *format, ...)
{
	char text[CHANGE_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	/* Cut within a letter it is no UTF-8. */
	return json_array_append_new(p->plan->changes, json_string(text)) < 0 &&
	       json_array_append_new(p->plan->changes, json_string("~ something that can't be shown")) < 0 ? -ENOMEM : 0;
}

/* "key old → new" for what differs between two objects; with "" when nothing does. */
static void describe_difference(const json_t *before, const json_t *after, char ret_text[CHANGE_TEXT])
{
	json_t *keys = json_object(), *value;
	const char *key;
	size_t at = 0;

	ret_text[0] = 0;
	json_object_update(keys, json_iterable(before));
	json_object_update(keys, json_iterable(after));
	json_object_foreach(keys, key, value) {
		const json_t *was = json_object_get(before, key), *is = json_object_get(after, key);
		char *texts[2] = { was ? json_dumps(was, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("none"),
				   is ? json_dumps(is, JSON_ENCODE_ANY | JSON_COMPACT) : strdup("none") };

		if (!json_equal(json_iterable(was), json_iterable(is)) && at < CHANGE_TEXT - 1 && texts[0] && texts[1])
			at += (size_t)snprintf(ret_text + at, CHANGE_TEXT - at, "%s%s %.200s → %.200s", at ? "; " : "", key, texts[0], texts[1]);
		free(texts[0]);
		free(texts[1]);
	}
	json_decref(keys);
}

/* ------------------------------------------------------------------ groups */

static int check_images(struct planning *p, const struct group *group)
{
	const struct image *os, *app;
	char why[ERROR_TEXT];
	int r = resolve_images(catalogue_images(p->control->catalogue), group->os, group->app[0] ? group->app : NULL, &os, &app, why);

	if (r < 0)
		snprintf(p->error, ERROR_TEXT, "group %s: %.300s", group->name, why);
	return r;
}

/* Whoever renames an account means no harm to its data; only a look at the plan keeps them. */
static int tell_of_account(struct planning *p, const struct group *before, const struct group *group)
{
	if (!before->account[0] || !group->account[0] || !strcmp(before->account, group->account))
		return 0;
	return tell(p, "! group %s: its servers pass from account %s to %s: each is CLEARED at its next start, H: included", group->name,
		    before->account, group->account);
}

static int plan_group(struct planning *p, struct group *group)
{
	const struct group *before = group_list_find(fleet_groups(p->control->fleet), group->name);
	char text[CHANGE_TEXT];

	if (before) {
		group->denied = before->denied;
		if (json_equal(before->definition, group->definition))
			return 0;
	}
	if (before) {
		describe_difference(before->definition, group->definition, text);
		if (tell(p, "~ group %s: %s", group->name, text) < 0 || tell_of_account(p, before, group) < 0)
			return -ENOMEM;
	} else if (tell(p, "+ group %s: %s%s%s%s", group->name, group->os, group->app[0] ? " with " : "", group->app,
			group->service.offered ? "" : ", no service") < 0) {
		return -ENOMEM;
	}
	return check_images(p, group);
}

static int plan_groups(struct planning *p, const json_t *groups)
{
	const struct group_list *before = fleet_groups(p->control->fleet);
	struct fleet_plan *plan = p->plan;
	int r = group_list_parse(groups, &plan->groups, p->error);

	if (r < 0)
		return r;
	plan->has_groups = true;
	p->groups = &plan->groups;
	for (size_t i = 0; !r && i < plan->groups.count; i++)
		r = plan_group(p, &plan->groups.items[i]);
	for (size_t i = 0; !r && i < before->count; i++)
		if (!group_list_find(&plan->groups, before->items[i].name))
			r = tell(p, "- group %s", before->items[i].name);
	return r;
}

/* ------------------------------------------------------------------ nodes */

static const char *shown(const struct node *node)
{
	const char *name = assignment_host_name(&node->assignment);

	return name ? name : node->id;
}

static struct fleet_draft *add_draft(struct fleet_plan *plan, struct node *node)
{
	if (plan->count == plan->room) {
		size_t room = plan->room ? 2 * plan->room : 16;
		struct fleet_draft *grown = reallocarray(plan->drafts, room, sizeof *grown);

		if (!grown)
			return NULL;
		plan->drafts = grown;
		plan->room = room;
	}
	return fleet_draft_init(node, &plan->drafts[plan->count]) < 0 ? NULL : &plan->drafts[plan->count++];
}

static void drop_draft(struct fleet_plan *plan)
{
	fleet_draft_release(&plan->drafts[--plan->count]);
}

static const char *or_none(const char *text)
{
	return text && text[0] ? text : "none";
}

/* Appends "what old → new" where they differ. */
static void append_change(char text[CHANGE_TEXT], const char *what, const char *before, const char *after)
{
	size_t at = strlen(text);

	if (strcmp(or_none(before), or_none(after)))
		snprintf(text + at, CHANGE_TEXT - at, "%s%s %s → %s", at ? "; " : "", what, or_none(before), or_none(after));
}

static void append_number(char text[CHANGE_TEXT], const char *what, size_t before, size_t after)
{
	char numbers[2][24];

	snprintf(numbers[0], sizeof numbers[0], "%zu", before);
	snprintf(numbers[1], sizeof numbers[1], "%zu", after);
	append_change(text, what, numbers[0], numbers[1]);
}

/* Of a list in the configuration how long it is, or that it has others. */
static void append_list(char text[CHANGE_TEXT], const char *what, const struct fleet_draft *draft, const char *member)
{
	const json_t *was = json_object_get(draft->node->assignment.config, member), *is = json_object_get(draft->to.assignment.config, member);

	if (json_array_size(was) != json_array_size(is))
		append_number(text, what, json_array_size(was), json_array_size(is));
	else if (json_array_size(was) && !json_equal(json_iterable(was), json_iterable(is)))
		append_change(text, what, "those", "others");
}

static void describe_node(const struct fleet_draft *draft, char ret_text[CHANGE_TEXT])
{
	const struct node *was = draft->node, *is = &draft->to;

	ret_text[0] = 0;
	append_change(ret_text, "group", was->group, is->group);
	append_change(ret_text, "spare", was->spare ? "yes" : "no", is->spare ? "yes" : "no");
	append_change(ret_text, "os", was->assignment.os, is->assignment.os);
	append_change(ret_text, "app", was->assignment.app, is->assignment.app);
	append_change(ret_text, "host name", assignment_host_name(&was->assignment), assignment_host_name(&is->assignment));
	append_change(ret_text, "address", was->service_address, is->service_address);
	append_number(ret_text, "weight", was->weight, is->weight);
	append_change(ret_text, "site", was->site, is->site);
	append_change(ret_text, "rack", was->rack, is->rack);
	append_list(ret_text, "SSH keys", draft, "ssh_authorized_keys");
	append_list(ret_text, "users", draft, "users");
}

/* Adds what the draft would change to the plan, or drops it when that is nothing. */
static int settle(struct planning *p, struct fleet_draft *draft, const json_t *change)
{
	const struct node *was = draft->node, *is = &draft->to;
	char text[CHANGE_TEXT], why[ERROR_TEXT] = "";
	int r = 0;

	if (json_object_size(change) && (is->assignment.os[0] || json_object_get(change, "os")))
		r = fleet_draft_assign(draft, catalogue_images(p->control->catalogue), change, why);
	else if (json_object_size(change))
		r = refused(why, "host name and keys need an OS to go with: put it into a group, or `repave assign` it one");
	if (r < 0) {
		snprintf(p->error, ERROR_TEXT, "node %s: %.300s", shown(was), why[0] ? why : "out of memory");
		return r;
	}
	draft->joins = strcmp(was->group, is->group) || was->spare != is->spare || was->weight != is->weight ||
		       strcmp(was->service_address, is->service_address) || strcmp(was->site, is->site) || strcmp(was->rack, is->rack);
	if (!draft->joins && !draft->assigns) {
		drop_draft(p->plan);
		return 0;
	}
	describe_node(draft, text);
	return tell(p, "~ node %s: %s", shown(was), text);
}

/* What the node's group (or none) and the entry's configuration make of its assignment; a new reference. */
static json_t *assignment_change_of(const struct planning *p, const struct node *to, const json_t *entry)
{
	static const char *const members[] = { "hostname", "ssh_authorized_keys", "users" };
	const struct group *group = to->group[0] ? group_list_find(p->groups, to->group) : NULL;
	json_t *change = group ? group_assignment(group) : json_object(), *config = json_object();

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		json_t *value = json_object_get(entry, members[i]);

		if (value)
			json_object_set(config, members[i], value);
	}
	if (json_object_size(config))
		json_object_set_new(change, "config", config);
	else
		json_decref(config);
	return change;
}

static bool has_mac(const json_t *macs, const char *mac)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_iterable(macs), i, one)
		if (json_is_string(one) && !strcasecmp(json_string_value(one), mac))
			return true;
	return false;
}

static bool fits(const struct node *node, const char *key, const char *value)
{
	const char *serial = json_get_string(node->inventory, "serial");

	if (!strcmp(key, "serial"))
		return !strcmp(node->identity.serial, value) || (serial && !strcmp(serial, value));
	return has_mac(node->identity.macs, value) || has_mac(json_get_array(node->inventory, "macs"), value);
}

/* The node that an entry is about. 0 or an error with a sentence. */
static int find_node(struct planning *p, const json_t *entry, size_t at, struct node **ret_node)
{
	static const char *const keys[] = { "node", "serial", "mac" };
	const struct fleet *fleet = p->control->fleet;
	const struct node *found = NULL;
	const char *key = NULL, *value = NULL;
	int r;

	for (size_t i = 0; i < 3; i++) {
		const json_t *member = json_object_get(entry, keys[i]);

		if (!member)
			continue;
		if (key || !json_is_string(member) || !json_string_value(member)[0])
			return refused(p->error, "entry %zu of nodes: exactly one of node, serial and mac must be a text (with quotes if it is a number)", at);
		key = keys[i];
		value = json_string_value(member);
	}
	if (!key)
		return refused(p->error, "entry %zu of nodes doesn't say which: give node (its id or host name), serial or mac", at);
	if (!strcmp(key, "node")) {
		r = fleet_find(fleet, value, &found, p->error);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; strcmp(key, "node") && i < fleet_count(fleet); i++) {
		if (!fits(fleet_node(fleet, i), key, value))
			continue;
		if (found) {
			snprintf(p->error, ERROR_TEXT, "several nodes have the %s %.64s; name this one by its id", key, value);
			return -ENOTUNIQ;
		}
		found = fleet_node(fleet, i);
	}
	if (!found) {
		snprintf(p->error, ERROR_TEXT, "no node has the %s %.64s; `repave nodes` lists those that have enrolled", key,
			 text_printable(value, strlen(value)) ? value : "?");
		return -ENOENT;
	}
	*ret_node = fleet_get(p->control->fleet, found->id);
	return 0;
}

/* "group", "spare": at most one of them says something. */
static int take_place(struct planning *p, const json_t *entry, size_t at, struct node *to)
{
	const json_t *group = json_object_get(entry, "group"), *spare = json_object_get(entry, "spare");
	const char *name = json_string_value(group);

	if ((group && !name && !json_is_null(group)) || (spare && !json_is_boolean(spare)) || (name && json_is_true(spare)))
		return refused(p->error, "entry %zu of nodes: group is a group's name or null, spare true or false, and a spare is in no group", at);
	if (name && !group_list_find(p->groups, name)) {
		snprintf(p->error, ERROR_TEXT, "entry %zu of nodes: there is no group \"%.63s\"; add it under groups", at,
			 text_printable(name, strlen(name)) ? name : "?");
		return -ENOENT;
	}
	if (group || json_is_true(spare))
		strcpy(to->group, name ? name : "");
	if (name || spare)
		to->spare = json_is_true(spare);
	return 0;
}

static int take_balancing(struct planning *p, const json_t *entry, size_t at, struct node *to)
{
	const json_t *address = json_object_get(entry, "address");
	const char *text = json_string_value(address);
	char host[INET_TEXT_MOST + 1];
	uint64_t weight = to->weight;
	uint16_t port;
	int r = json_get_u64(entry, "weight", &weight);

	if (r == -EINVAL || weight < 1 || weight > WEIGHT_MOST)
		return refused(p->error, "entry %zu of nodes: weight must be a number from 1 to %u", at, WEIGHT_MOST);
	to->weight = (unsigned)weight;
	if (!address)
		return 0;
	if (!json_is_null(address) && (!text || strlen(text) > SERVICE_ADDRESS_MOST || haproxy_address_parse(text, host, &port) < 0))
		return refused(p->error, "entry %zu of nodes: address must be numeric, as 10.0.0.5, 10.0.0.5:8080 or [fd00::5]:8080", at);
	strcpy(to->service_address, text ? text : "");
	return 0;
}

/* "site", "rack": null is unknown. */
static int take_location(struct planning *p, const json_t *entry, size_t at, const char *key, char place[PLACE_MOST + 1])
{
	const json_t *value = json_object_get(entry, key);
	const char *text = json_is_null(value) ? "" : json_string_value(value);

	if (!value)
		return 0;
	if (!text || strlen(text) > PLACE_MOST || strlen(text) < json_string_length(value) || !text_printable(text, strlen(text)))
		return refused(p->error, "entry %zu of nodes: %s must be a text of at most %u bytes, or null", at, key, PLACE_MOST);
	strcpy(place, text);
	return 0;
}

static int check_entry(struct planning *p, const json_t *entry, size_t at)
{
	static const char *const known[] = { "node", "serial", "mac", "group", "spare", "hostname", "ssh_authorized_keys", "users", "address", "weight", "site",
					     "rack" };
	const char *key;
	json_t *value;

	if (!json_is_object(entry))
		return refused(p->error, "entry %zu of nodes must be a mapping", at);
	json_object_foreach(json_iterable(entry), key, value) {
		size_t i = 0;

		while (i < sizeof known / sizeof known[0] && strcmp(key, known[i]))
			i++;
		if (i == sizeof known / sizeof known[0])
			return refused(p->error, "entry %zu of nodes has an unknown member", at);
	}
	return 0;
}

static int plan_node(struct planning *p, const json_t *entry, size_t at)
{
	struct fleet_draft *draft;
	struct node *node = NULL;
	json_t *change;
	int r = check_entry(p, entry, at);

	if (!r)
		r = find_node(p, entry, at, &node);
	if (r < 0)
		return r;
	if (json_object_get(p->listed, node->id))
		return refused(p->error, "entry %zu of nodes: node %s is there twice", at, shown(node));
	json_object_set_new(p->listed, node->id, json_true());
	draft = add_draft(p->plan, node);
	if (!draft)
		return -ENOMEM;
	r = take_place(p, entry, at, &draft->to);
	if (!r)
		r = take_balancing(p, entry, at, &draft->to);
	if (!r)
		r = take_location(p, entry, at, "site", draft->to.site);
	if (!r)
		r = take_location(p, entry, at, "rack", draft->to.rack);
	if (!r && draft->to.group[0] && !group_list_find(p->groups, draft->to.group))
		draft->to.group[0] = 0;
	if (r < 0)
		return r;
	change = assignment_change_of(p, &draft->to, entry);
	r = change ? settle(p, draft, change) : -ENOMEM;
	json_decref(change);
	return r;
}

/* A member that the file doesn't name, whose group changes its images or goes. */
static int plan_member(struct planning *p, struct node *node)
{
	const struct group *before = group_of(p->control->fleet, node), *after;
	struct fleet_draft *draft;
	json_t *change;
	int r;

	if (!before || json_object_get(p->listed, node->id))
		return 0;
	after = group_list_find(p->groups, node->group);
	if (after && !strcmp(before->os, after->os) && !strcmp(before->app, after->app))
		return 0;
	draft = add_draft(p->plan, node);
	if (!draft)
		return -ENOMEM;
	if (!after)
		draft->to.group[0] = 0;
	change = after ? group_assignment(after) : json_object();
	r = change ? settle(p, draft, change) : -ENOMEM;
	json_decref(change);
	return r;
}

static int plan_nodes(struct planning *p, const json_t *nodes)
{
	const struct fleet *fleet = p->control->fleet;
	const json_t *entry;
	size_t i;
	int r = 0;

	if (nodes && !json_is_array(nodes))
		return refused(p->error, "nodes must be a list");
	json_array_foreach(json_iterable(nodes), i, entry) {
		r = plan_node(p, entry, i + 1);
		if (r < 0)
			return r;
	}
	for (i = 0; !r && p->plan->has_groups && i < fleet_count(fleet); i++)
		r = plan_member(p, fleet_get(p->control->fleet, fleet_node(fleet, i)->id));
	return r ? r : fleet_drafts_check(fleet, p->plan->drafts, p->plan->count, p->error);
}

/* ------------------------------------------------------------------ the rest */

/* "~ NAME: what differs" unless nothing does. Takes both over. */
static int tell_difference(struct planning *p, const char *name, json_t *before, json_t *after)
{
	char text[CHANGE_TEXT];
	int r = before && after ? 0 : -ENOMEM;

	if (!r && !json_equal(before, after)) {
		describe_difference(before, after, text);
		r = tell(p, "~ %s: %s", name, text);
	}
	json_decref(before);
	json_decref(after);
	return r;
}

static int plan_balancer(struct planning *p, const json_t *change)
{
	const struct balancer_settings *before = balancer_settings(p->control->balancer);
	int r = balancer_settings_parse(before, change, &p->plan->balancer, p->error);

	if (r < 0)
		return r;
	p->plan->has_balancer = true;
	return tell_difference(p, "balancer", balancer_settings_format(before), balancer_settings_format(&p->plan->balancer));
}

/* A setting that doesn't exist must not seem to be made. */
static int check_setting_names(struct planning *p, const json_t *change)
{
	json_t *known = registry_describe_settings(p->control), *value;
	const char *key, *unknown = NULL;

	json_object_foreach(json_iterable(change), key, value)
		if (!json_object_get(known, key))
			unknown = key;
	json_decref(known);
	return unknown ? refused(p->error, "there is no setting \"%.64s\"; `repave settings` shows them",
				 text_printable(unknown, strlen(unknown)) ? unknown : "?") : 0;
}

static int plan_settings(struct planning *p, const json_t *change)
{
	struct control after = { 0 };
	int r = check_setting_names(p, change);

	if (!r)
		r = registry_check_settings(p->control, change, &p->plan->settings, p->error);
	if (r < 0)
		return r;
	p->plan->has_settings = true;
	after.settings = p->plan->settings;
	return tell_difference(p, "settings", registry_describe_settings(p->control), registry_describe_settings(&after));
}

static int plan_target(struct planning *p, const struct message_target *target, json_t *entry)
{
	const struct message_settings *all = &p->control->messages->settings;
	const struct message_target *before = message_settings_find(all, target->name);
	char where[ERROR_TEXT], name[MESSAGE_TARGET_NAME_MOST + 8];

	message_target_describe(target, where);
	snprintf(name, sizeof name, "notify %s", target->name);
	if (!before)
		return tell(p, "+ notify %s: %s %s", target->name, message_way_name(target->way), where);
	return tell_difference(p, name, json_incref(json_array_get(all->list, (size_t)(before - all->items))), json_incref(entry));
}

static int plan_notify(struct planning *p, const json_t *list)
{
	struct message_settings *after = &p->plan->notify;
	const struct messages *messages = p->control->messages;
	int r = message_settings_parse(list, messages->folder, after, p->error);

	if (r < 0)
		return r;
	p->plan->has_notify = true;
	for (size_t i = 0; !r && i < after->count; i++)
		r = plan_target(p, &after->items[i], json_array_get(after->list, i));
	for (size_t i = 0; !r && i < messages->settings.count; i++)
		if (!message_settings_find(after, messages->settings.items[i].name))
			r = tell(p, "- notify %s", messages->settings.items[i].name);
	return r;
}

static int plan_decisions(struct planning *p, const json_t *change, const json_t *rules)
{
	const struct decision_settings *before = &p->control->decisions;
	int r = decision_settings_change(before, change, rules, &p->plan->decisions, p->error);

	if (r < 0)
		return r;
	p->plan->has_decisions = true;
	return tell_difference(p, "decisions", decision_settings_format(before), decision_settings_format(&p->plan->decisions));
}

static int add_event(struct planning *p, const json_t *entry, size_t at)
{
	const char *text = json_get_string(entry, "node");
	char why[ERROR_TEXT] = "";
	const struct node *node;
	struct planned *event = &p->plan->events[p->plan->event_count];
	int r = text ? fleet_find(p->control->fleet, text, &node, why) : refused(why, "\"node\" must name a node");

	if (!r)
		r = planned_parse(entry, (int64_t)time(NULL), event, why);
	if (r < 0) {
		snprintf(p->error, ERROR_TEXT, "entry %zu of events: %.350s", at, why);
		return r;
	}
	strcpy(event->node, node->id);
	strcpy(event->by, "fleet file");
	p->plan->event_count++;
	return 0;
}

static int plan_events(struct planning *p, const json_t *events)
{
	json_t *before = people_export_events(p->control->people), *after, *entry;
	size_t i;
	int r = 0;

	if (!json_is_array(events) || json_array_size(events) > PLANNED_MOST) {
		json_decref(before);
		return refused(p->error, "events must be a list of at most %u", PLANNED_MOST);
	}
	p->plan->has_events = true;
	p->plan->events = calloc(json_array_size(events) + 1, sizeof *p->plan->events);
	r = p->plan->events ? 0 : -ENOMEM;
	json_array_foreach(json_iterable(events), i, entry)
		if (!r)
			r = add_event(p, entry, i + 1);
	if (r < 0) {
		json_decref(before);
		return r;
	}
	after = planned_definitions(p->plan->events, p->plan->event_count);
	return tell_difference(p, "planned", json_pack("{so}", "events", before), json_pack("{so}", "events", after));
}

int fleet_plan_make(const struct control *control, const json_t *fleet, struct fleet_plan *ret_plan, char ret_error[ERROR_TEXT])
{
	const json_t *groups = json_object_get(fleet, "groups"), *balancer = json_object_get(fleet, "balancer"),
		     *settings = json_object_get(fleet, "settings"), *nodes = json_object_get(fleet, "nodes"),
		     *decisions = json_object_get(fleet, "decisions"), *rules = json_object_get(fleet, "rules"),
		     *events = json_object_get(fleet, "events"), *notify = json_object_get(fleet, "notify");
	struct planning p = { .control = control, .plan = ret_plan, .groups = fleet_groups(control->fleet), .error = ret_error };
	int r = 0;

	*ret_plan = (struct fleet_plan){ .changes = json_array() };
	p.listed = json_object();
	if (!ret_plan->changes || !p.listed)
		r = -ENOMEM;
	else if (!json_is_object(fleet) ||
		 json_object_size(fleet) != (size_t)(groups != NULL) + (balancer != NULL) + (settings != NULL) + (nodes != NULL) +
						       (decisions != NULL) + (rules != NULL) + (events != NULL) + (notify != NULL))
		r = refused(ret_error, "a fleet is a mapping with groups, nodes, balancer, settings, decisions, rules, events or notify and nothing else");
	if (!r && groups)
		r = plan_groups(&p, groups);
	if (!r)
		r = plan_nodes(&p, nodes);
	if (!r && balancer)
		r = plan_balancer(&p, balancer);
	if (!r && settings)
		r = plan_settings(&p, settings);
	if (!r && notify)
		r = plan_notify(&p, notify);
	if (!r && (decisions || rules))
		r = plan_decisions(&p, decisions, rules);
	if (!r && events)
		r = plan_events(&p, events);
	json_decref(p.listed);
	if (r < 0)
		fleet_plan_release(ret_plan);
	return r;
}

void fleet_plan_release(struct fleet_plan *plan)
{
	for (size_t i = 0; i < plan->count; i++)
		fleet_draft_release(&plan->drafts[i]);
	free(plan->drafts);
	group_list_release(&plan->groups);
	if (plan->has_balancer)
		balancer_settings_release(&plan->balancer);
	message_settings_release(&plan->notify);
	if (plan->has_decisions)
		decision_settings_release(&plan->decisions);
	for (size_t i = 0; i < plan->event_count; i++)
		planned_release(&plan->events[i]);
	free(plan->events);
	json_decref(plan->changes);
	*plan = (struct fleet_plan){ 0 };
}

/* ------------------------------------------------------------------ doing it */

static int store_groups(struct control *control, const struct fleet_plan *plan)
{
	const struct group_list *before = fleet_groups(control->fleet);
	int r = 0;

	for (size_t i = 0; !r && i < plan->groups.count; i++)
		r = store_put_group(control->store, &plan->groups.items[i]);
	for (size_t i = 0; !r && i < before->count; i++)
		if (!group_list_find(&plan->groups, before->items[i].name))
			r = store_remove_group(control->store, before->items[i].name);
	return r;
}

static int store_plan(struct control *control, struct fleet_plan *plan, struct people_change *ret_change, int64_t now)
{
	int r = plan->has_groups ? store_groups(control, plan) : 0;

	if (!r)
		r = fleet_drafts_store(control->fleet, plan->drafts, plan->count);
	if (!r && plan->has_balancer)
		r = balancer_store_settings(control, &plan->balancer);
	if (!r && plan->has_settings)
		r = registry_store_settings(control, &plan->settings);
	if (!r && plan->has_notify)
		r = messages_store_settings(control, &plan->notify);
	if (!r && plan->has_decisions)
		r = control_store_decisions(control, &plan->decisions);
	if (!r && plan->has_events)
		r = people_replace_events(control, plan->events, plan->event_count, now, ret_change);
	return r ? r : control_event(control, now, "", SEVERITY_NOTICE, "fleet-applied", NULL, "a fleet file was applied: %zu change(s)",
				     json_array_size(plan->changes));
}

/* All that the file says, or nothing of it: what is planned, too. */
static int store_all(struct control *control, struct fleet_plan *plan, int64_t now)
{
	struct people_change change = { 0 };
	int r = store_begin(control->store);

	if (r < 0)
		return r;
	r = store_plan(control, plan, &change, now);
	if (r < 0)
		store_rollback(control->store);
	else
		r = store_commit(control->store);
	people_end_change(control, &change, plan->events, plan->event_count, r < 0);
	if (!r)
		plan->event_count = 0;
	return r;
}

int fleet_plan_apply(struct control *control, struct fleet_plan *plan, int64_t now)
{
	int r = store_all(control, plan, now);

	if (r < 0)
		return r;
	fleet_drafts_adopt(control->fleet, plan->drafts, plan->count, plan->has_groups ? &plan->groups : NULL);
	for (size_t i = 0; i < plan->count; i++)
		place_life(control, plan->drafts[i].node, now);
	plan->count = 0;
	if (plan->has_settings)
		control->settings = plan->settings;
	if (plan->has_balancer)
		balancer_adopt_settings(control->balancer, &plan->balancer);
	if (plan->has_notify)
		messages_adopt_settings(control->messages, &plan->notify);
	plan->has_balancer = false;
	if (plan->has_decisions) {
		decision_settings_release(&control->decisions);
		control->decisions = plan->decisions;
	}
	plan->has_decisions = false;
	return 0;
}

/* ------------------------------------------------------------------ as it is */

static json_t *export_node(const struct node *node)
{
	json_t *keys = json_object_get(node->assignment.config, "ssh_authorized_keys"), *users = json_object_get(node->assignment.config, "users");
	const char *name = assignment_host_name(&node->assignment);
	json_t *entry = json_object();

	if (name)
		json_object_set_new(entry, "hostname", json_string(name));
	if (node->group[0])
		json_object_set_new(entry, "group", json_string(node->group));
	if (node->spare)
		json_object_set_new(entry, "spare", json_true());
	if (node->service_address[0])
		json_object_set_new(entry, "address", json_string(node->service_address));
	if (node->weight != WEIGHT_DEFAULT)
		json_object_set_new(entry, "weight", json_integer(node->weight));
	if (node->site[0])
		json_object_set_new(entry, "site", json_string(node->site));
	if (node->rack[0])
		json_object_set_new(entry, "rack", json_string(node->rack));
	if (json_array_size(keys))
		json_object_set(entry, "ssh_authorized_keys", keys);
	if (json_array_size(users))
		json_object_set(entry, "users", users);
	if (json_object_size(entry))
		json_object_set_new(entry, "node", json_string(node->id));
	return entry;
}

json_t *fleet_export(const struct control *control)
{
	json_t *nodes = json_array(), *fleet;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		json_t *entry = export_node(fleet_node(control->fleet, i));

		if (json_object_size(entry))
			json_array_append(nodes, entry);
		json_decref(entry);
	}
	fleet = json_pack("{so so so so sO}", "groups", group_list_format(fleet_groups(control->fleet)), "nodes", nodes, "balancer",
			  balancer_settings_format(balancer_settings(control->balancer)), "settings", registry_describe_settings(control),
			  "notify", control->messages->settings.list);
	if (fleet)
		json_object_set_new(fleet, "events", people_export_events(control->people));
	if (fleet)
		json_object_update_new(fleet, decision_settings_format(&control->decisions));
	return fleet;
}

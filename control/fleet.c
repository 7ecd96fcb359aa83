// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/fleet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/store-groups.h"

#define DEFAULT_SETTING "default_assignment"
#define NUMBER_SETTING "assignment_number"

struct fleet {
	struct store *store;
	struct node **nodes; /* ordered by id */
	size_t count, room;
	uint64_t last_number; /* of all assignments ever given */
	struct group_list groups;
	struct assignment initial; /* what nodes get when they enrol; initial.os is "" for nothing */
};

/* ------------------------------------------------------------------ nodes in memory */

static size_t position(const struct fleet *fleet, const char *id)
{
	size_t low = 0, high = fleet->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(fleet->nodes[middle]->id, id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct node *find_id(const struct fleet *fleet, const char *id)
{
	size_t at = position(fleet, id);

	return at < fleet->count && !strcmp(fleet->nodes[at]->id, id) ? fleet->nodes[at] : NULL;
}

/* Takes the node over, also on error. */
static int insert_node(void *context, struct node *node)
{
	struct fleet *fleet = context;
	size_t at = position(fleet, node->id);

	if (fleet->count == fleet->room) {
		size_t room = fleet->room ? 2 * fleet->room : 16;
		struct node **grown = reallocarray(fleet->nodes, room, sizeof *grown);

		if (!grown) {
			node_free(node);
			return -ENOMEM;
		}
		fleet->nodes = grown;
		fleet->room = room;
	}
	memmove(&fleet->nodes[at + 1], &fleet->nodes[at], (fleet->count - at) * sizeof *fleet->nodes);
	fleet->nodes[at] = node;
	fleet->count++;
	return 0;
}

static void remove_node(struct fleet *fleet, const char *id)
{
	size_t at = position(fleet, id);

	node_free(fleet->nodes[at]);
	fleet->count--;
	memmove(&fleet->nodes[at], &fleet->nodes[at + 1], (fleet->count - at) * sizeof *fleet->nodes);
}

/* ------------------------------------------------------------------ loading */

static int take_last_boot(void *context, struct boot *boot)
{
	struct node *node = context;

	boot_release(&node->boot);
	node->boot = *boot;
	node->booted_once = true;
	return 0;
}

static int load_settings(struct fleet *fleet)
{
	json_t *number = NULL, *initial = NULL;
	int r = store_get_setting(fleet->store, NUMBER_SETTING, &number);

	if (!r)
		r = store_get_setting(fleet->store, DEFAULT_SETTING, &initial);
	if (!r && number)
		r = json_get_u64(number, "last", &fleet->last_number);
	if (!r && initial) {
		assignment_release(&fleet->initial);
		r = assignment_parse(initial, &fleet->initial);
	}
	json_decref(number);
	json_decref(initial);
	return r;
}

static struct node *find_member(void *context, const char *id)
{
	return find_id(context, id);
}

static int load_groups(struct fleet *fleet)
{
	json_t *groups = NULL, *denied = NULL, *name;
	char why[ERROR_TEXT] = "";
	size_t i;
	int r = store_load_groups(fleet->store, &groups, &denied);

	if (!r)
		r = group_list_parse(groups, &fleet->groups, why);
	if (r == -EINVAL)
		r = store_damaged(fleet->store, why);
	json_array_foreach(denied, i, name) {
		struct group *group = r < 0 ? NULL : group_list_find(&fleet->groups, json_string_value(name));

		if (group)
			group->denied = true;
	}
	json_decref(groups);
	json_decref(denied);
	return r < 0 ? r : store_each_member(fleet->store, find_member, fleet);
}

int fleet_load(struct store *store, struct fleet **ret_fleet)
{
	struct fleet *fleet = calloc(1, sizeof *fleet);
	int r;

	if (!fleet)
		return -ENOMEM;
	fleet->store = store;
	r = assignment_init(&fleet->initial);
	if (!r)
		r = load_settings(fleet);
	if (!r)
		r = store_each_node(store, insert_node, fleet);
	if (!r)
		r = load_groups(fleet);
	for (size_t i = 0; !r && i < fleet->count; i++) {
		struct node *node = fleet->nodes[i];

		r = store_each_boot(store, node->id, 1, take_last_boot, node);
		if (!r)
			r = store_get_channel(store, node->id, &node->channel);
		if (node->life.state == LIFE_BOOTING)
			node->boot_began = node->life_since;
		if (node->booted_once)
			node->last_seen = node->since = node->boot.updated;
		else
			node->since = node->enrolled;
	}
	if (r < 0) {
		fleet_free(fleet);
		return r;
	}
	*ret_fleet = fleet;
	return 0;
}

void fleet_free(struct fleet *fleet)
{
	if (!fleet)
		return;
	for (size_t i = 0; i < fleet->count; i++)
		node_free(fleet->nodes[i]);
	free(fleet->nodes);
	group_list_release(&fleet->groups);
	assignment_release(&fleet->initial);
	free(fleet);
}

/* ------------------------------------------------------------------ looking */

size_t fleet_count(const struct fleet *fleet)
{
	return fleet->count;
}

const struct node *fleet_node(const struct fleet *fleet, size_t index)
{
	return fleet->nodes[index];
}

const struct assignment *fleet_default(const struct fleet *fleet)
{
	return fleet->initial.os[0] ? &fleet->initial : NULL;
}

static struct node *find_host_name(const struct fleet *fleet, const char *name)
{
	for (size_t i = 0; i < fleet->count; i++) {
		const char *other = assignment_host_name(&fleet->nodes[i]->assignment);

		if (other && !strcmp(other, name))
			return fleet->nodes[i];
	}
	return NULL;
}

int fleet_find(const struct fleet *fleet, const char *text, const struct node **ret_node, char ret_error[ERROR_TEXT])
{
	struct node *node = find_id(fleet, text);
	size_t size = strlen(text), at;

	if (!node)
		node = find_host_name(fleet, text);
	if (!node && size >= 4) {
		at = position(fleet, text);
		if (at < fleet->count && !strncmp(fleet->nodes[at]->id, text, size)) {
			if (at + 1 < fleet->count && !strncmp(fleet->nodes[at + 1]->id, text, size)) {
				snprintf(ret_error, ERROR_TEXT, "several nodes begin with \"%.36s\"; give more of the id", text);
				return -ENOTUNIQ;
			}
			node = fleet->nodes[at];
		}
	}
	if (!node) {
		snprintf(ret_error, ERROR_TEXT, "no node \"%.64s\"; `repave nodes` lists those that have asked to boot",
			 text_printable(text, size) ? text : "?");
		return -ENOENT;
	}
	*ret_node = node;
	return 0;
}

const char *node_state(const struct node *node)
{
	if (node->waiting || !node->booted_once)
		return "waiting";
	switch (node->boot.event) {
	case BOOT_KEXEC:
	case BOOT_RESET:
		return "booted";
	case BOOT_FAILED:
		return "failed";
	case BOOT_PROGRESS:
		break;
	}
	return "booting";
}

int64_t progress_seconds_left(const struct boot_progress *progress)
{
	uint64_t left = progress->total - progress->done;

	/* Beyond a few weeks it is no estimate. */
	if (!progress->rate || left / progress->rate > 3000000)
		return -1;
	return (int64_t)(left / progress->rate + (left % progress->rate != 0));
}

static json_t *describe_boot(const struct boot *boot)
{
	return json_pack("{ss sI sI sI so so ss ss so sO sO}", "nonce", boot->nonce, "started", (json_int_t)boot->started,
			 "updated", (json_int_t)boot->updated, "assignment", (json_int_t)boot->assignment, "os_target",
			 boot->os_target[0] ? json_string(boot->os_target) : json_null(), "app_target",
			 boot->app_target[0] ? json_string(boot->app_target) : json_null(), "event",
			 boot_event_name(boot->event), "stage", boot->stage, "error",
			 boot->error[0] ? json_string(boot->error) : json_null(), "stages", boot->stages, "images",
			 boot->images);
}

static int append_boot(void *context, struct boot *boot)
{
	int r = json_array_append_new(context, describe_boot(boot)) ? -ENOMEM : 0;

	boot_release(boot);
	return r;
}

int fleet_boots(struct fleet *fleet, const struct node *node, json_t **ret_boots)
{
	json_t *boots = json_array();
	int r = boots ? store_each_boot(fleet->store, node->id, BOOTS_KEPT, append_boot, boots) : -ENOMEM;

	if (r < 0)
		json_decref(boots);
	else
		*ret_boots = boots;
	return r;
}

/* ------------------------------------------------------------------ groups */

const struct group_list *fleet_groups(const struct fleet *fleet)
{
	return &fleet->groups;
}

const struct group *group_of(const struct fleet *fleet, const struct node *node)
{
	return node->group[0] ? group_list_find(&fleet->groups, node->group) : NULL;
}

int fleet_deny(struct fleet *fleet, const char *name, bool denied, char ret_error[ERROR_TEXT])
{
	struct group *group = group_list_find(&fleet->groups, name), changed;
	int r;

	if (!group) {
		snprintf(ret_error, ERROR_TEXT, "no group \"%.63s\"; `repave group list` shows them",
			 text_printable(name, strlen(name)) ? name : "?");
		return -ENOENT;
	}
	changed = *group;
	changed.denied = denied;
	r = store_put_group(fleet->store, &changed);
	if (!r)
		group->denied = denied;
	return r;
}

int fleet_want(struct fleet *fleet, struct node *node, enum balancer_want want)
{
	enum balancer_want was = node->balancer_want;
	int r;

	node->balancer_want = want;
	r = store_put_member(fleet->store, node);
	if (r < 0)
		node->balancer_want = was;
	return r;
}

/* ------------------------------------------------------------------ changing */

static int resolve_assignment(const struct image_list *images, const struct assignment *assignment,
			      const struct image **ret_os, const struct image **ret_app, char ret_error[ERROR_TEXT])
{
	return resolve_images(images, assignment->os, assignment->app[0] ? assignment->app : NULL, ret_os, ret_app, ret_error);
}

/* Stores the node, and the number of its assignment when `numbered`, in one transaction with `boot` (or NULL). */
static int store_change(struct fleet *fleet, const struct node *node, bool numbered, const struct boot *boot)
{
	json_t *number = NULL;
	int r = store_begin(fleet->store);

	if (r < 0)
		return r;
	r = store_put_node(fleet->store, node);
	if (!r && numbered) {
		number = json_pack("{sI}", "last", (json_int_t)node->assignment.number);
		r = store_put_setting(fleet->store, NUMBER_SETTING, number);
		json_decref(number);
	}
	if (!r && boot)
		r = store_put_boot(fleet->store, node->id, boot, BOOTS_KEPT);
	if (r < 0) {
		store_rollback(fleet->store);
		return r;
	}
	return store_commit(fleet->store);
}

/* Gives the assignment a new number when its names stand for other images than before. */
static bool renumber(struct fleet *fleet, struct assignment *assignment, const struct image *os, const struct image *app)
{
	const char *app_target = app ? app->target : "";

	if (assignment->number && !strcmp(assignment->os_target, os->target) && !strcmp(assignment->app_target, app_target))
		return false;
	assignment->number = fleet->last_number + 1;
	strcpy(assignment->os_target, os->target);
	strcpy(assignment->app_target, app_target);
	return true;
}

/* ------------------------------------------------------------------ several nodes at once */

int fleet_draft_init(struct node *node, struct fleet_draft *ret_draft)
{
	*ret_draft = (struct fleet_draft){ .node = node, .to = *node };
	return assignment_copy(&node->assignment, &ret_draft->to.assignment);
}

void fleet_draft_release(struct fleet_draft *draft)
{
	assignment_release(&draft->to.assignment);
}

int fleet_draft_assign(struct fleet_draft *draft, const struct image_list *images, const json_t *change, char ret_error[ERROR_TEXT])
{
	struct assignment *a = &draft->to.assignment;
	const struct assignment *was = &draft->node->assignment;
	const struct image *os, *app;
	int r = assignment_change(a, change, ret_error);

	if (!r)
		r = resolve_assignment(images, a, &os, &app, ret_error);
	if (r < 0)
		return r;
	if (strcmp(a->os, was->os) || strcmp(a->app, was->app) || a->wipe != was->wipe || !json_equal(a->config, was->config))
		draft->assigns = true;
	strcpy(a->os_target, os->target);
	strcpy(a->app_target, app ? app->target : "");
	return 0;
}

/* Notes whose a host name is. -EEXIST when it was noted already. */
static int note_name(json_t *names, const struct node *node, char error[ERROR_TEXT])
{
	const char *name = assignment_host_name(&node->assignment), *other;

	if (!name)
		return 0;
	other = json_get_string(names, name);
	if (other) {
		snprintf(error, ERROR_TEXT, "host name %s belongs to node %s; choose another", name, other);
		return -EEXIST;
	}
	return json_object_set_new(names, name, json_string(node->id)) < 0 ? -ENOMEM : 0;
}

int fleet_drafts_check(const struct fleet *fleet, const struct fleet_draft *drafts, size_t count, char ret_error[ERROR_TEXT])
{
	json_t *names = json_object(), *drafted = json_object();
	int r = names && drafted ? 0 : -ENOMEM;

	for (size_t i = 0; !r && i < count; i++)
		if (json_object_set_new(drafted, drafts[i].to.id, json_true()) < 0)
			r = -ENOMEM;
	for (size_t i = 0; !r && i < fleet->count; i++)
		if (!json_object_get(drafted, fleet->nodes[i]->id))
			r = note_name(names, fleet->nodes[i], ret_error);
	for (size_t i = 0; !r && i < count; i++)
		r = note_name(names, &drafts[i].to, ret_error);
	json_decref(names);
	json_decref(drafted);
	return r;
}

int fleet_drafts_store(struct fleet *fleet, struct fleet_draft *drafts, size_t count)
{
	uint64_t last = fleet->last_number;
	json_t *number;
	int r = 0;

	for (size_t i = 0; !r && i < count; i++) {
		if (drafts[i].assigns) {
			drafts[i].to.assignment.number = ++last;
			r = store_put_node(fleet->store, &drafts[i].to);
		}
		if (!r && drafts[i].joins)
			r = store_put_member(fleet->store, &drafts[i].to);
	}
	if (r < 0 || last == fleet->last_number)
		return r;
	number = json_pack("{sI}", "last", (json_int_t)last);
	r = store_put_setting(fleet->store, NUMBER_SETTING, number);
	json_decref(number);
	return r;
}

void fleet_drafts_adopt(struct fleet *fleet, struct fleet_draft *drafts, size_t count, struct group_list *groups)
{
	for (size_t i = 0; i < count; i++) {
		struct node *node = drafts[i].node, *to = &drafts[i].to;

		if (drafts[i].assigns) {
			assignment_release(&node->assignment);
			node->assignment = to->assignment;
			fleet->last_number = node->assignment.number;
		} else {
			assignment_release(&to->assignment);
		}
		strcpy(node->group, to->group);
		strcpy(node->service_address, to->service_address);
		node->spare = to->spare;
		node->weight = to->weight;
		strcpy(node->site, to->site);
		strcpy(node->rack, to->rack);
	}
	if (groups) {
		group_list_release(&fleet->groups);
		fleet->groups = *groups;
		*groups = (struct group_list){ 0 };
	}
}

int fleet_assign(struct fleet *fleet, const struct image_list *images, const char *text, const json_t *change,
		 const struct node **ret_node, char ret_error[ERROR_TEXT])
{
	struct fleet_draft draft;
	const struct node *found;
	int r = fleet_find(fleet, text, &found, ret_error);

	if (!r)
		r = fleet_draft_init(find_id(fleet, found->id), &draft);
	if (r < 0)
		return r;
	r = fleet_draft_assign(&draft, images, change, ret_error);
	/* Every change by the operator is a new assignment, also one that says the same: it may allow a disk to be wiped. */
	draft.assigns = true;
	if (!r)
		r = fleet_drafts_check(fleet, &draft, 1, ret_error);
	if (!r)
		r = store_begin(fleet->store);
	if (r < 0)
		goto out;
	r = fleet_drafts_store(fleet, &draft, 1);
	if (!r)
		r = store_commit(fleet->store);
	else
		store_rollback(fleet->store);
	if (!r) {
		fleet_drafts_adopt(fleet, &draft, 1, NULL);
		*ret_node = draft.node;
		return 0;
	}
out:
	fleet_draft_release(&draft);
	return r;
}

int fleet_set_default(struct fleet *fleet, const struct image_list *images, const json_t *change, char ret_error[ERROR_TEXT])
{
	const struct image *os, *app;
	struct assignment changed;
	json_t *stored;
	int r = assignment_init(&changed);

	if (r < 0)
		return r;
	if (json_is_null(change)) {
		r = store_put_setting(fleet->store, DEFAULT_SETTING, NULL);
		goto out;
	}
	r = assignment_change(&changed, change, ret_error);
	if (!r)
		r = resolve_assignment(images, &changed, &os, &app, ret_error);
	if (!r) {
		stored = assignment_format(&changed);
		r = stored ? store_put_setting(fleet->store, DEFAULT_SETTING, stored) : -ENOMEM;
		json_decref(stored);
	}
out:
	if (r < 0) {
		assignment_release(&changed);
		return r;
	}
	assignment_release(&fleet->initial);
	fleet->initial = changed;
	return 0;
}

/* ------------------------------------------------------------------ what nodes say */

struct node *fleet_get(struct fleet *fleet, const char *id)
{
	return find_id(fleet, id);
}

struct node *fleet_at(struct fleet *fleet, size_t index)
{
	return fleet->nodes[index];
}

void fleet_forget(struct fleet *fleet, const char *id)
{
	remove_node(fleet, id);
}

int fleet_add(struct fleet *fleet, const char *id, int64_t now, struct node **ret_node)
{
	struct node *node = node_new(id);
	int r;

	if (!node)
		return -ENOMEM;
	node->enrolled = node->since = node->life_since = now;
	r = insert_node(fleet, node);
	if (!r)
		*ret_node = node;
	return r;
}

/* Gives a node that has no assignment the default one. A host name in it is for the first that gets it: names are unique. */
static int take_default(const struct fleet *fleet, struct assignment *assignment)
{
	const char *name = assignment_host_name(&fleet->initial);
	struct assignment copy;
	int r;

	if (assignment->os[0] || !fleet->initial.os[0])
		return 0;
	r = assignment_copy(&fleet->initial, &copy);
	if (r < 0)
		return r;
	if (name && find_host_name(fleet, name))
		json_object_del(copy.config, "hostname");
	assignment_release(assignment);
	*assignment = copy;
	return 0;
}

static json_t *format_wait(const char *nonce, const char *reason)
{
	return json_pack("{si ss si ss}", "format", 1, "nonce", nonce, "wait_seconds", (int)WAIT_SECONDS, "reason", reason);
}

static json_t *format_target(const char *target)
{
	return target[0] ? json_pack("{ss}", "target", target) : json_null();
}

/* Without what is the control unit's alone to know, and unknown to stage 1. A new list. */
static json_t *users_for_node(const struct group *group, const struct assignment *a)
{
	json_t *all = group_users(group, json_object_get(a->config, "users")), *users = json_array(), *user;
	size_t i;

	json_array_foreach(all, i, user) {
		json_t *shown = json_copy(user);

		json_object_del(shown, "privileged");
		json_array_append_new(users, shown);
	}
	json_decref(all);
	return users;
}

/* `group` NULL: none. */
static json_t *format_assignment(const char *nonce, const struct node *node, const struct group *group)
{
	static const char *const members[] = { "hostname", "ssh_authorized_keys", "files" };
	const struct assignment *a = &node->assignment;
	const char *firmware = json_get_string(node->inventory, "firmware");
	enum start_way start = starts_choose(&node->starts, a->start, firmware && !strcmp(firmware, "uefi"));
	json_t *config = json_object(), *value;

	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		value = json_object_get(a->config, members[i]);
		if (value)
			json_object_set(config, members[i], value);
	}
	value = users_for_node(group, a);
	if (json_array_size(value))
		json_object_set(config, "users", value);
	json_decref(value);
	return json_pack("{si ss sI so so sb ss ss ss sO so}", "format", 1, "nonce", nonce, "assignment", (json_int_t)a->number, "os",
			 format_target(a->os_target), "app", format_target(a->app_target), "wipe", (int)a->wipe, "verify",
			 assignment_verify(a), "start", start_way_name(start), "h", assignment_h(a), "mirrors", a->mirrors, "config", config);
}

/* Why the node has to wait, or NULL when its assignment stands for images that exist. */
static const char *must_wait(const struct image_list *images, const struct node *node, const struct image **ret_os,
			     const struct image **ret_app, char reason[ERROR_TEXT])
{
	if (!node->assignment.os[0])
		return "nothing is assigned to this node yet";
	return resolve_assignment(images, &node->assignment, ret_os, ret_app, reason) < 0 ? reason : NULL;
}

/* Makes a boot record for an answer that carries an assignment. */
static int begin_boot(struct boot *boot, const char *nonce, const struct assignment *assignment, int64_t now)
{
	*boot = (struct boot){ .started = now, .updated = now, .assignment = assignment->number, .stage = "assign",
			       .stages = json_array(), .images = json_array() };
	strcpy(boot->nonce, nonce);
	strcpy(boot->os_target, assignment->os_target);
	strcpy(boot->app_target, assignment->app_target);
	return boot->stages && boot->images ? 0 : -ENOMEM;
}

/* What the node's own record of starts is held against: root in its OS can write that one. */
static int add_starts_seen(struct fleet *fleet, const struct node *node, json_t *answer)
{
	uint64_t count = 0;
	int r = store_count_starts(fleet->store, node->id, node->assignment.number, &count);

	if (r < 0)
		return r;
	return json_object_set_new(answer, "starts_seen", json_integer((json_int_t)count)) < 0 ? -ENOMEM : 0;
}

/* A copy of `node` with what the request says of it, sharing nothing that either owns. */
static int copy_with_request(const struct node *node, const struct boot_request *request, const char *address,
			     struct node *ret_copy)
{
	*ret_copy = *node;
	snprintf(ret_copy->address, sizeof ret_copy->address, "%s", address);
	strcpy(ret_copy->stage1_version, request->stage1_version);
	if (assignment_copy(&node->assignment, &ret_copy->assignment) < 0)
		return -ENOMEM;
	ret_copy->inventory = json_incref(request->inventory);
	ret_copy->slots = json_incref(request->slots);
	starts_count(&ret_copy->starts, &request->last_start);
	/* What the former boot's agent may no longer use. */
	if (strcmp(ret_copy->identity.agent_nonce, request->nonce))
		ret_copy->identity.agent_key[0] = ret_copy->identity.agent_nonce[0] = 0;
	return 0;
}

static void replace_node(struct node *node, const struct node *copy)
{
	json_decref(node->inventory);
	json_decref(node->slots);
	assignment_release(&node->assignment);
	*node = *copy;
}

static void drop_copy(struct node *copy)
{
	json_decref(copy->inventory);
	json_decref(copy->slots);
	assignment_release(&copy->assignment);
}

/* A heartbeat of a waiting node changes nothing and isn't worth a write. */
static bool worth_storing(const struct node *old, const struct node *new)
{
	return strcmp(old->address, new->address) || strcmp(old->stage1_version, new->stage1_version) ||
	       strcmp(old->assignment.os, new->assignment.os) || !json_equal(old->inventory, new->inventory) ||
	       !json_equal(old->slots, new->slots) || strcmp(old->starts.counted, new->starts.counted) ||
	       strcmp(old->identity.agent_key, new->identity.agent_key);
}

int fleet_boot(struct fleet *fleet, const struct image_list *images, const char *refusal, const char *id,
	       const struct boot_request *request, const char *address, int64_t now, json_t **ret_answer)
{
	const struct image *os = NULL, *app = NULL;
	struct node *node = find_id(fleet, id), changed;
	struct boot boot = { 0 };
	char why[ERROR_TEXT];
	const char *reason;
	bool numbered = false;
	json_t *answer = NULL;
	int r = node ? copy_with_request(node, request, address, &changed) : -ENOENT;

	if (r < 0)
		return r;
	r = take_default(fleet, &changed.assignment);
	if (r < 0) {
		drop_copy(&changed);
		return r;
	}
	reason = refusal ? refusal : must_wait(images, &changed, &os, &app, why);
	if (reason) {
		answer = format_wait(request->nonce, reason);
	} else {
		numbered = renumber(fleet, &changed.assignment, os, app);
		answer = format_assignment(request->nonce, &changed, group_list_find(fleet_groups(fleet), changed.group));
		r = begin_boot(&boot, request->nonce, &changed.assignment, now);
	}
	if (!answer)
		r = -ENOMEM;
	if (!r && !reason)
		r = add_starts_seen(fleet, &changed, answer);
	if (!r && (!reason || worth_storing(node, &changed)))
		r = store_change(fleet, &changed, numbered, reason ? NULL : &boot);
	if (r < 0) {
		json_decref(answer);
		boot_release(&boot);
		drop_copy(&changed);
		return r;
	}
	if (reason && !(node->waiting && !strcmp(node->waiting_for, reason)))
		log_info("node %s waits: %s", id, reason);
	if (strcmp(node->starts.counted, changed.starts.counted) && !request->last_start.arrived)
		log_warning("node %s: its last start, by %s, never arrived", id, start_way_name(request->last_start.way));
	replace_node(node, &changed);
	if (numbered)
		fleet->last_number = node->assignment.number;
	node->last_seen = now;
	if (!reason || !node->waiting || strcmp(node->waiting_for, reason))
		node->since = now;
	node->progress = (struct boot_progress){ 0 };
	node->waiting = reason != NULL;
	snprintf(node->waiting_for, sizeof node->waiting_for, "%s", reason ? reason : "");
	if (!reason) {
		log_info("node %s boots assignment %llu: %s%s%s", id, (unsigned long long)node->assignment.number, os->target,
			 app ? " and " : "", app ? app->target : "");
		take_last_boot(node, &boot);
	}
	*ret_answer = answer;
	return 0;
}

/* "wipe" is permission for one disk, once: when the node is past its disk, a later boot must not have it. */
static bool past_disk(const struct boot_report *report)
{
	return report->event == BOOT_KEXEC || report->event == BOOT_RESET || !strcmp(report->stage, "fetch-c") || !strcmp(report->stage, "fetch-d") ||
	       !strcmp(report->stage, "boot");
}

static void log_report(const char *id, const struct boot_report *report)
{
	if (report->event == BOOT_FAILED)
		log_warning("node %s failed in stage %s: %s", id, report->stage, report->error);
	else if (report->event == BOOT_KEXEC || report->event == BOOT_RESET)
		log_info("node %s starts its system (assignment %llu)", id, (unsigned long long)report->assignment);
}

struct boot_search {
	struct boot *boot; /* its nonce is the wanted one */
	bool found;
};

static int match_boot(void *context, struct boot *candidate)
{
	struct boot_search *search = context;
	struct boot *boot = search->boot;

	boot_release(candidate);
	if (strcmp(candidate->nonce, boot->nonce))
		return 0;
	*boot = *candidate;
	search->found = true;
	return 1;
}

/* The boot a report is about: the node's last one, an earlier one (a report that was long under way), or a new one: a boot
 * that fails before it asks for an assignment has a nonce that wasn't seen yet. Its lists aren't filled in. */
static int boot_of_report(struct fleet *fleet, const struct node *node, const struct boot_report *report, int64_t now,
			  struct boot *ret_boot, bool *ret_last)
{
	struct boot_search search = { .boot = ret_boot };
	int r;

	*ret_boot = (struct boot){ .started = now, .assignment = report->assignment };
	*ret_last = true;
	strcpy(ret_boot->nonce, report->nonce);
	if (node->booted_once && !strcmp(node->boot.nonce, report->nonce)) {
		*ret_boot = node->boot;
	} else {
		r = store_each_boot(fleet->store, node->id, BOOTS_KEPT, match_boot, &search);
		if (r < 0)
			return r;
		*ret_last = !search.found;
	}
	return 0;
}

/* Nothing but how far the stage is that the node's last boot is in. */
static bool only_progress(const struct node *node, const struct boot_report *report)
{
	const struct boot *boot = &node->boot;

	return node->booted_once && !node->waiting && report->progress.phase[0] && report->event == BOOT_PROGRESS &&
	       boot->event == BOOT_PROGRESS && !strcmp(boot->nonce, report->nonce) && boot->assignment == report->assignment &&
	       !strcmp(boot->stage, report->stage) && !strcmp(boot->error, report->error);
}

int fleet_report(struct fleet *fleet, const char *id, const struct boot_report *report, int64_t now)
{
	struct node *node = find_id(fleet, id);
	struct boot boot;
	bool wipe_done, last;
	int r;

	if (!node)
		return -ENOENT;
	if (only_progress(node, report)) {
		node->last_seen = now;
		node->progress = report->progress;
		return 0;
	}
	r = boot_of_report(fleet, node, report, now, &boot, &last);
	if (r < 0)
		return r;
	boot.updated = now;
	boot.event = report->event;
	strcpy(boot.stage, report->stage);
	strcpy(boot.error, report->error);
	boot.stages = report->stages;
	boot.images = report->images;
	wipe_done = node->assignment.wipe && past_disk(report) && report->assignment == node->assignment.number;
	if (wipe_done)
		node->assignment.wipe = false;
	r = wipe_done ? store_change(fleet, node, false, &boot) : store_put_boot(fleet->store, id, &boot, BOOTS_KEPT);
	if (r < 0) {
		node->assignment.wipe |= wipe_done;
		return r;
	}
	log_report(id, report);
	node->last_seen = now;
	if (last) {
		node->since = now;
		node->progress = report->progress;
		json_incref(boot.stages);
		json_incref(boot.images);
		node->waiting = false;
		take_last_boot(node, &boot);
	}
	return 0;
}

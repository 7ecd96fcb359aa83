// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/message-desk.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/json.h"
#include "common/log.h"
#include "control/message-text.h"
#include "control/messenger.h"

#define SETTING "notify"
#define FAILING_SECONDS 60 /* then somebody is needed */

/* ------------------------------------------------------------------ settings */

int messages_load(struct control *control, const char *folder, struct messages **ret_messages)
{
	struct messages *messages = calloc(1, sizeof *messages);
	struct message_settings settings = { 0 };
	char why[ERROR_TEXT] = "out of memory";
	json_t *stored = NULL;
	int r = messages && (messages->folder = strdup(folder)) ? 0 : -ENOMEM;

	if (!r)
		r = store_get_setting(control->store, SETTING, &stored);
	if (!r && !stored)
		stored = json_array();
	if (!r)
		r = message_settings_parse(stored, folder, &settings, why);
	if (r == -EINVAL)
		log_error(0, "the fleet's notify in the database can't be used: %s", why);
	json_decref(stored);
	if (r < 0) {
		messages_free(messages);
		return r;
	}
	messages_adopt_settings(messages, &settings);
	*ret_messages = messages;
	return 0;
}

void messages_free(struct messages *messages)
{
	if (!messages)
		return;
	message_settings_release(&messages->settings);
	free(messages->folder);
	free(messages);
}

struct message_state *messages_state(struct messages *messages, const char *name)
{
	for (size_t i = 0; i < messages->settings.count; i++)
		if (!strcmp(messages->states[i].name, name))
			return &messages->states[i];
	return NULL;
}

int messages_store_settings(struct control *control, const struct message_settings *settings)
{
	json_t *names = json_array();
	int r = names ? store_put_setting(control->store, SETTING, settings->list) : -ENOMEM;

	for (size_t i = 0; !r && i < settings->count; i++)
		if (json_array_append_new(names, json_string(settings->items[i].name)) < 0)
			r = -ENOMEM;
	if (!r)
		r = store_keep_message_targets(control->store, names);
	json_decref(names);
	return r;
}

void messages_adopt_settings(struct messages *messages, struct message_settings *settings)
{
	struct message_state states[MESSAGE_TARGETS_MOST] = { 0 };

	for (size_t i = 0; i < settings->count; i++) {
		const struct message_state *before = messages_state(messages, settings->items[i].name);

		if (before)
			states[i] = *before;
		else
			strcpy(states[i].name, settings->items[i].name);
		/* Perhaps it was set right. */
		states[i].pause_until = 0;
	}
	memcpy(messages->states, states, sizeof states);
	message_settings_release(&messages->settings);
	messages->settings = *settings;
	*settings = (struct message_settings){ 0 };
	messenger_wake(messages->messenger);
}

/* ------------------------------------------------------------------ taking in */

static int make_id(char ret_id[MESSAGE_ID_SIZE + 1])
{
	uint8_t random[MESSAGE_ID_SIZE / 2];

	if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
		return -EIO;
	hex_format(random, sizeof random, ret_id);
	return 0;
}

/* Of what is too much for a minute, or for the spool, one message tells how much it was. */
static int count_in(struct control *control, struct message_state *state, int64_t slot, bool is_alarm, struct message *message)
{
	json_t *facts = message->facts;
	int r;

	message->facts = message_facts_summary(message->created);
	message->next = slot ? (state->minute + 1) * 60 : message->created;
	r = message->facts ? store_count_message(control->store, slot, is_alarm, message) : -ENOMEM;
	json_decref(message->facts);
	message->facts = facts;
	return r;
}

static int put_in(struct control *control, size_t target, json_t *facts, bool is_alarm, int64_t now)
{
	const struct message_target *to = &control->messages->settings.items[target];
	struct message_state *state = &control->messages->states[target];
	struct message message = { .created = now, .next = now, .facts = facts };
	uint64_t waiting;
	int64_t oldest;
	int r = make_id(message.id);

	strcpy(message.target, to->name);
	if (!r)
		r = store_count_messages(control->store, to->name, &waiting, &oldest);
	if (r < 0)
		return r;
	if (state->minute != now / 60) {
		state->minute = now / 60;
		state->accepted = 0;
	}
	if (waiting >= MESSAGES_MOST)
		return count_in(control, state, 0, is_alarm, &message);
	if (state->accepted >= to->per_minute)
		return count_in(control, state, state->minute, is_alarm, &message);
	state->accepted++;
	return store_add_message(control->store, &message);
}

static void complete(const struct control *control, struct message_facts *facts, char ret_short[9])
{
	const struct node *node = facts->node && facts->node[0] ? fleet_get(control->fleet, facts->node) : NULL;
	const struct group *group;
	const char *name = node ? assignment_host_name(&node->assignment) : NULL;

	if (facts->node && facts->node[0] && !facts->name) {
		strncpy(ret_short, facts->node, 8);
		ret_short[8] = 0;
		facts->name = name ? name : ret_short;
	}
	if (node && (!facts->group || !facts->group[0]))
		facts->group = node->group;
	group = facts->group ? group_list_find(fleet_groups(control->fleet), facts->group) : NULL;
	if (group && !facts->account)
		facts->account = group->account;
}

static bool is_wanted(const struct messages *messages, const struct message_facts *facts)
{
	for (size_t i = 0; messages && i < messages->settings.count; i++)
		if (message_wanted(&messages->settings.items[i], facts))
			return true;
	return false;
}

/* `all` is complete. */
static int spread(struct control *control, const struct message_facts *all)
{
	bool is_alarm = !(all->action && all->action[0]) && all->severity == SEVERITY_ALARM;
	json_t *facts = message_facts_format(all);
	int r = facts ? store_begin(control->store) : -ENOMEM;

	if (!r) {
		for (size_t i = 0; !r && i < control->messages->settings.count; i++)
			if (message_wanted(&control->messages->settings.items[i], all))
				r = put_in(control, i, facts, is_alarm, all->time);
		if (!r)
			r = store_commit(control->store);
		else
			store_rollback(control->store);
	}
	json_decref(facts);
	if (!r)
		messenger_wake(control->messages->messenger);
	return r;
}

int messages_note(struct control *control, const struct message_facts *facts)
{
	struct message_facts all = *facts;
	char brief[9];

	complete(control, &all, brief);
	return is_wanted(control->messages, &all) ? spread(control, &all) : 0;
}

static void facts_of_event(const struct control *control, const struct event *event, struct message_facts *ret_facts, char ret_short[9])
{
	*ret_facts = (struct message_facts){ .time = event->time, .kind = event->kind, .severity = event->severity, .node = event->node,
					     .group = json_get_string(event->data, "group"), .reason = event->text };
	complete(control, ret_facts, ret_short);
}

bool messages_want_event(const struct control *control, const struct event *event)
{
	struct message_facts facts;
	char brief[9];

	/* A message about messages would have the same fate. */
	if (!control->messages || control->messages->settings.count == 0 || !strcmp(event->kind, MESSAGE_LOST_KIND))
		return false;
	facts_of_event(control, event, &facts, brief);
	return is_wanted(control->messages, &facts);
}

int messages_note_event(struct control *control, const struct event *event)
{
	struct message_facts facts;
	char brief[9];

	if (!messages_want_event(control, event))
		return 0;
	facts_of_event(control, event, &facts, brief);
	return spread(control, &facts);
}

/* ------------------------------------------------------------------ for operators */

static int find(const struct control *control, const char *name, size_t *ret_target, char error[ERROR_TEXT])
{
	const struct message_settings *settings = &control->messages->settings;
	const struct message_target *target = message_settings_find(settings, name);

	if (!target) {
		refused(error, "there is no target \"%.64s\"; `repave notify list` shows them", text_printable(name, strlen(name)) ? name : "?");
		return -ENOENT;
	}
	*ret_target = (size_t)(target - settings->items);
	return 0;
}

static json_t *describe_try(const struct message_try *try)
{
	if (!try->id[0])
		return json_null();
	return json_pack("{ss sI sb so}", "id", try->id, "at", (json_int_t)try->at, "ok", (int)try->ok, "error",
			 try->ok ? json_null() : json_string(try->error));
}

static json_t *describe(struct control *control, const struct message_target *target, const struct message_state *state)
{
	uint64_t waiting = 0;
	int64_t oldest = 0;
	char where[ERROR_TEXT];

	message_target_describe(target, where);
	store_count_messages(control->store, target->name, &waiting, &oldest);
	return json_pack("{ss ss ss sO so si sI so sI sI sI so so}", "name", target->name, "way", message_way_name(target->way), "where", where, "on",
			 target->on, "account", target->account ? json_string(target->account) : json_null(), "timeout", (int)target->timeout, "waiting",
			 (json_int_t)waiting, "oldest", oldest ? json_integer((json_int_t)oldest) : json_null(), "sent", (json_int_t)state->sent, "failed",
			 (json_int_t)state->failed, "lost", (json_int_t)state->lost, "last", describe_try(&state->last), "test",
			 describe_try(&state->test));
}

json_t *messages_describe(struct control *control)
{
	const struct messages *messages = control->messages;
	json_t *list = json_array();

	for (size_t i = 0; i < messages->settings.count; i++)
		json_array_append_new(list, describe(control, &messages->settings.items[i], &messages->states[i]));
	return list;
}

int messages_test(struct control *control, const char *name, int64_t now, char ret_id[MESSAGE_ID_SIZE + 1], char ret_error[ERROR_TEXT])
{
	struct message message = { .created = now, .facts = message_facts_test(now) };
	size_t target;
	int r = find(control, name, &target, ret_error);

	if (!r)
		r = message.facts ? make_id(message.id) : -ENOMEM;
	if (!r) {
		strcpy(message.target, control->messages->settings.items[target].name);
		r = store_add_message(control->store, &message);
	}
	if (!r) {
		control->messages->states[target].pause_until = 0;
		strcpy(ret_id, message.id);
		messenger_wake(control->messages->messenger);
	}
	message_release(&message);
	return r;
}

int messages_retry(struct control *control, const char *name, int64_t now, uint64_t *ret_count, char ret_error[ERROR_TEXT])
{
	size_t target;
	int r = find(control, name, &target, ret_error);

	if (!r)
		r = store_hurry_messages(control->store, name, now, ret_count);
	if (!r) {
		control->messages->states[target].pause_until = 0;
		messenger_wake(control->messages->messenger);
	}
	return r;
}

int messages_drop(struct control *control, const char *name, const char *id, uint64_t *ret_count, char ret_error[ERROR_TEXT])
{
	size_t target;
	int r = find(control, name, &target, ret_error);

	if (!r)
		r = store_drop_messages(control->store, name, id, INT64_MAX, ret_count);
	if (!r && id[0] && !*ret_count) {
		refused(ret_error, "no message with that id waits for %s; `repave notify spool` lists them", name);
		r = -ENOENT;
	}
	return r;
}

void messages_health(struct control *control, struct health *health, int64_t now)
{
	const struct messages *messages = control->messages;

	for (size_t i = 0; messages && i < messages->settings.count; i++) {
		const struct message_state *state = &messages->states[i];

		if (state->failing_since && now - state->failing_since >= FAILING_SECONDS)
			health_add(health, SEVERITY_WARNING, "messages to %s fail (%.160s); `repave notify test %s` tries it", state->name, state->last.error,
				   state->name);
	}
}

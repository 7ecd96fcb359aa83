// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages: who gets which, in which words, and how many wait. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/json.h"
#include "control/message-desk.h"
#include "control/message-text.h"
#include "control/messenger.h"
#include "control/store-groups.h"

#define FOLDER "/etc/repave/notify"
#define NODE "5e70a7e0-0000-4000-8000-000000000001"
#define ID "0123456789abcdef0123456789abcdef"

/* The desk wakes it; here nothing is sent. */
void messenger_wake(struct messenger *messenger)
{
	assert_null(messenger);
}

/* Of health.c, which looks at the whole control unit. */
void health_add(struct health *health, enum severity severity, const char *format, ...)
{
	(void)health;
	(void)severity;
	(void)format;
	fail();
}

static int parse(const char *text, struct message_settings *settings, char error[ERROR_TEXT])
{
	json_t *list = json_loads(text, 0, NULL);
	int r;

	assert_non_null(list);
	r = message_settings_parse(list, FOLDER, settings, error);
	json_decref(list);
	return r;
}

static void must_parse(const char *text, struct message_settings *settings)
{
	char error[ERROR_TEXT] = "";

	if (parse(text, settings, error) < 0)
		fail_msg("%s", error);
}

/* Whether a target with these words wants it. */
static bool wants(const char *words, const char *account, const struct message_facts *facts)
{
	struct message_settings settings;
	char text[300], own[60] = "";
	bool answer;

	if (account)
		snprintf(own, sizeof own, ", \"account\": \"%s\"", account);
	snprintf(text, sizeof text, "[{\"name\": \"ops\", \"webhook\": \"https://a.example/\", \"on\": [%s]%s}]", words, own);
	must_parse(text, &settings);
	answer = message_wanted(&settings.items[0], facts);
	message_settings_release(&settings);
	return answer;
}

/* ------------------------------------------------------------------ choice */

static void test_each_kind_of_decision_is_on_or_off(void **state)
{
	const struct message_facts add = { .action = "add", .verdict = "do", .origin = "rule", .account = "shop" },
				   hurry = { .action = "reimage", .verdict = "hurry", .origin = "rule" },
				   denied = { .action = "add", .verdict = "denied", .origin = "rule" },
				   later = { .action = "reimage", .verdict = "later", .origin = "plan" },
				   moved = { .action = "move", .verdict = "do", .origin = "operator jane" };

	(void)state;
	assert_true(wants("\"add\"", NULL, &add));
	assert_false(wants("\"remove\", \"move\", \"denied\", \"alarm\"", NULL, &add));
	assert_true(wants("\"reimage\"", NULL, &hurry));
	/* What was denied wasn't done. */
	assert_false(wants("\"add\"", NULL, &denied));
	assert_true(wants("\"denied\"", NULL, &denied));
	assert_true(wants("\"decision\"", NULL, &denied));
	assert_false(wants("\"decision\", \"reimage\", \"plan\"", NULL, &later));
	assert_true(wants("\"later\"", NULL, &later));
	assert_true(wants("\"operator\"", NULL, &moved));
	assert_false(wants("\"user\", \"rule\"", NULL, &moved));
	assert_false(wants("\"info\"", NULL, &moved));
}

static void test_events_by_severity_and_kind(void **state)
{
	const struct message_facts alarm = { .kind = "spares-low", .severity = SEVERITY_ALARM }, notice = { .kind = "probe", .severity = SEVERITY_NOTICE };

	(void)state;
	assert_true(wants("\"alarm\"", NULL, &alarm));
	assert_true(wants("\"warning\"", NULL, &alarm));
	assert_true(wants("\"event:spares-low\"", NULL, &alarm));
	assert_false(wants("\"event:probe\", \"decision\", \"rule\"", NULL, &alarm));
	assert_false(wants("\"alarm\", \"warning\"", NULL, &notice));
	assert_true(wants("\"event:probe\"", NULL, &notice));
}

static void test_another_accounts_decisions_are_not_told(void **state)
{
	const struct message_facts own = { .action = "add", .verdict = "do", .account = "shop" }, other = { .action = "add", .verdict = "do", .account = "bank" },
				   nobodys = { .action = "add", .verdict = "do" };

	(void)state;
	assert_true(wants("\"add\"", "shop", &own));
	assert_false(wants("\"add\"", "shop", &other));
	assert_false(wants("\"add\"", "shop", &nobodys));
	assert_true(wants("\"add\"", NULL, &nobodys));
}

/* ------------------------------------------------------------------ settings */

static void test_what_cannot_be_is_refused_with_the_targets_name(void **state)
{
	static const struct {
		const char *members, *part;
	} wrong[] = {
		{ "\"on\": [\"alarm\"]", "give one of" },
		{ "\"webhook\": \"http://a.example/\", \"on\": [\"alarm\"]", "https" },
		{ "\"webhook\": \"https://a.example/?t=1\", \"on\": [\"alarm\"]", "webhook_file" },
		{ "\"webhook\": \"https://u:p@a.example/\", \"on\": [\"alarm\"]", "webhook_file" },
		{ "\"webhook\": \"https://a.example/\"", "on must be" },
		{ "\"webhook\": \"https://a.example/\", \"on\": []", "on must be" },
		{ "\"webhook\": \"https://a.example/\", \"on\": [\"alarms\"]", "entry 1 of on" },
		{ "\"webhook\": \"https://a.example/\", \"on\": [\"event:\"]", "entry 1 of on" },
		{ "\"webhook\": \"https://a.example/\", \"on\": [\"alarm\"], \"timeout\": 0", "timeout" },
		{ "\"webhook\": \"https://a.example/\", \"on\": [\"alarm\"], \"give_up\": \"31d\"", "give_up" },
		{ "\"webhook\": \"https://a.example/\", \"on\": [\"alarm\"], \"secret_file\": \"/etc/shadow\"", "must be a file in " FOLDER },
		{ "\"command\": \"" FOLDER "\", \"on\": [\"alarm\"]", "must be a file in" },
		{ "\"command\": \"" FOLDER "/\", \"on\": [\"alarm\"]", "must be a file in" },
		{ "\"command\": \"" FOLDER "/.x\", \"on\": [\"alarm\"]", "must be a file in" },
		{ "\"command\": \"" FOLDER "s/x\", \"on\": [\"alarm\"]", "must be a file in" },
		{ "\"mail\": [\"a@b\"], \"from\": \"-f@b\", \"on\": [\"alarm\"]", "from must be" },
		{ "\"mail\": [\"a@b c\"], \"from\": \"a@b\", \"on\": [\"alarm\"]", "entry 1 of mail" },
		{ "\"mail\": [\"a@b\"], \"from\": \"a@b\", \"on\": [\"alarm\"], \"subject\": \"a\\nb\"", "subject" },
		{ "\"mail\": [\"a@b\"], \"from\": \"a@b\", \"on\": [\"alarm\"], \"text\": \"{{time}} {{nonsense}}\"", "no placeholder {{nonsense}}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		struct message_settings settings;
		char text[400], error[ERROR_TEXT] = "";

		snprintf(text, sizeof text, "[{\"name\": \"ops\", %s}]", wrong[i].members);
		assert_int_equal(parse(text, &settings, error), -EINVAL);
		if (!strstr(error, wrong[i].part) || !strstr(error, "ops") || strchr(error, '\n'))
			fail_msg("%s: %s", wrong[i].members, error);
	}
}

static void test_waits_double_to_an_hour_and_differ(void **state)
{
	(void)state;
	assert_in_range(message_backoff(5, 1, 0), 3, 4);
	assert_in_range(message_backoff(5, 1, 512), 6, 6);
	assert_in_range(message_backoff(5, 3, 256), 20, 20);
	assert_in_range(message_backoff(5, 4000000000u, UINT32_MAX), 2700, MESSAGE_BACKOFF_MOST);
	assert_int_equal(message_backoff(1, 1, 0), 1);
	for (uint32_t random = 0; random < 2000; random++)
		assert_in_range(message_backoff(3600, 20, random), 2700, MESSAGE_BACKOFF_MOST);
}

/* ------------------------------------------------------------------ words */

static void test_a_value_is_no_template_and_no_line(void **state)
{
	const struct message_facts facts = { .time = 0, .action = "cut", .verdict = "do", .reason = "{{group}}\r\nX: y\t\x1b[2J", .group = "web" };
	json_t *all = message_facts_format(&facts);
	struct buffer text = { 0 };

	(void)state;
	assert_int_equal(message_expand("{{time}}|{{reason}}|{{rule}}|{{group}}\n", all, &text), 0);
	assert_string_equal((char *)text.data, "1970-01-01T00:00:00Z|{{group}}  X: y  [2J||web\n");
	buffer_release(&text);
	json_decref(all);
}

static void test_a_cut_letter_is_still_json(void **state)
{
	const struct message_facts facts = { .time = 1, .kind = "x", .reason = "cut within \xc3" };
	struct message_settings settings;
	json_t *all = message_facts_format(&facts);
	struct buffer body = { 0 };
	char why[160];
	json_t *again;

	(void)state;
	must_parse("[{\"name\": \"a\", \"webhook\": \"https://a.example/\", \"on\": [\"info\"]}]", &settings);
	assert_int_equal(message_body(&settings.items[0], ID, all, &body), 0);
	again = json_parse(body.data, body.size, why);
	assert_non_null(again);
	assert_string_equal(json_get_string(again, "id"), ID);
	assert_string_equal(json_get_string(again, "class"), "event");
	json_decref(again);
	buffer_release(&body);
	json_decref(all);
	message_settings_release(&settings);
}

static void test_a_value_that_looks_encoded_stays_as_it_is(void **state)
{
	const struct message_facts facts = { .time = 86400 * 365, .action = "add", .verdict = "do", .reason = "=?utf-8?q?=0ABcc:_x=40y?= äöü" };
	struct message_settings settings;
	json_t *all = message_facts_format(&facts);
	struct buffer mail = { 0 };

	(void)state;
	must_parse("[{\"name\": \"a\", \"mail\": [\"o@x\", \"p@x\"], \"from\": \"r@x\", \"on\": [\"info\"], \"subject\": \"{{reason}}\"}]", &settings);
	assert_int_equal(message_mail(&settings.items[0], ID, all, &mail), 0);
	assert_non_null(strstr((char *)mail.data, "Subject: =?UTF-8?B?PT91dGYtOD9xPz0wQUJjYzpfeD00MHk/PSDDpMO2w7w=?=\n"));
	assert_non_null(strstr((char *)mail.data, "To: o@x,\n p@x\n"));
	assert_non_null(strstr((char *)mail.data, "Date: Fri, 1 Jan 1971 00:00:00 +0000\nMessage-ID: <" ID "@x>\n"));
	buffer_release(&mail);
	json_decref(all);
	message_settings_release(&settings);
}

static void test_usual_words_have_no_gaps(void **state)
{
	const struct message_facts facts = { .time = 0, .action = "add", .verdict = "denied", .origin = "rule", .group = "web", .reason = "nobody is free" };
	struct message_settings settings;
	json_t *all = message_facts_format(&facts), *again;
	struct buffer body = { 0 };

	(void)state;
	must_parse("[{\"name\": \"a\", \"webhook\": \"https://a.example/\", \"on\": [\"info\"]}]", &settings);
	assert_int_equal(message_body(&settings.items[0], ID, all, &body), 0);
	again = json_loads((char *)body.data, 0, NULL);
	assert_string_equal(json_get_string(again, "subject"), "Repave: denied: add web");
	assert_string_equal(json_get_string(again, "text"), "1970-01-01T00:00:00Z denied: add web: nobody is free (rule)");
	json_decref(again);
	buffer_release(&body);
	json_decref(all);
	message_settings_release(&settings);
}

/* ------------------------------------------------------------------ spool */

struct bench {
	char folder[32], path[64];
	struct control control;
};

static int begin(void **state)
{
	struct bench *bench = calloc(1, sizeof *bench);
	json_t *list = json_loads("[{\"name\": \"ops\", \"webhook\": \"https://a.example/\", \"on\": [\"decision\", \"alarm\"], \"per_minute\": 3},"
				  " {\"name\": \"calm\", \"webhook\": \"https://a.example/\", \"on\": [\"remove\"]}]", 0, NULL);
	struct message_settings settings;
	char error[ERROR_TEXT];

	strcpy(bench->folder, "/tmp/messages-XXXXXX");
	assert_non_null(mkdtemp(bench->folder));
	snprintf(bench->path, sizeof bench->path, "%s/repave.db", bench->folder);
	assert_int_equal(store_open(bench->path, true, &bench->control.store), 0);
	assert_int_equal(fleet_load(bench->control.store, &bench->control.fleet), 0);
	assert_int_equal(messages_load(&bench->control, FOLDER, &bench->control.messages), 0);
	assert_int_equal(message_settings_parse(list, FOLDER, &settings, error), 0);
	assert_int_equal(messages_store_settings(&bench->control, &settings), 0);
	messages_adopt_settings(bench->control.messages, &settings);
	json_decref(list);
	*state = bench;
	return 0;
}

static int end(void **state)
{
	struct bench *bench = *state;
	char command[64];

	messages_free(bench->control.messages);
	fleet_free(bench->control.fleet);
	store_close(bench->control.store);
	snprintf(command, sizeof command, "rm -r %s", bench->folder);
	assert_int_equal(system(command), 0);
	free(bench);
	return 0;
}

static uint64_t waiting(const struct bench *bench, const char *target)
{
	uint64_t count;
	int64_t oldest;

	assert_int_equal(store_count_messages(bench->control.store, target, &count, &oldest), 0);
	return count;
}

static void note(struct bench *bench, const char *action, int64_t now)
{
	const struct message_facts facts = { .time = now, .action = action, .verdict = "do", .origin = "rule", .rule = "too many users", .node = NODE,
					     .group = "web", .reason = "410 users, users_high 400" };

	assert_int_equal(messages_note(&bench->control, &facts), 0);
}

static void test_a_decision_leaves_one_message_for_who_wants_it(void **state)
{
	struct bench *bench = *state;
	struct message message;

	note(bench, "add", 1000);
	assert_int_equal(waiting(bench, "ops"), 1);
	assert_int_equal(waiting(bench, "calm"), 0);
	assert_int_equal(store_next_message(bench->control.store, "ops", 1000, 100, &message), 0);
	assert_string_equal(json_get_string(message.facts, "action"), "add");
	assert_string_equal(json_get_string(message.facts, "name"), "5e70a7e0");
	assert_int_equal(strlen(message.id), MESSAGE_ID_SIZE);
	assert_int_equal(store_end_message(bench->control.store, &message), 0);
	assert_int_equal(waiting(bench, "ops"), 0);
	message_release(&message);
}

static void test_a_decision_that_is_not_stored_is_not_told(void **state)
{
	struct bench *bench = *state;

	assert_int_equal(store_begin(bench->control.store), 0);
	note(bench, "remove", 1000);
	store_rollback(bench->control.store);
	assert_int_equal(waiting(bench, "ops") + waiting(bench, "calm"), 0);
}

static void test_a_flood_is_told_in_one(void **state)
{
	struct bench *bench = *state;
	struct message message;

	for (unsigned i = 0; i < 50; i++)
		note(bench, "add", 600 + i);
	assert_int_equal(waiting(bench, "ops"), 4);
	/* Not before the minute is over. */
	assert_int_equal(store_next_message(bench->control.store, "ops", 659, 5000, &message), 0);
	assert_int_equal(message.count, 0);
	message_release(&message);
	assert_int_equal(store_drop_messages(bench->control.store, "ops", "", 603, &(uint64_t){ 0 }), 0);
	assert_int_equal(store_next_message(bench->control.store, "ops", 659, 5000, &message), -ENOENT);
	assert_int_equal(store_next_message(bench->control.store, "ops", 660, 5000, &message), 0);
	assert_int_equal(message.count, 47);
	assert_string_equal(json_get_string(message.facts, "class"), "summary");
	message_release(&message);
	note(bench, "add", 660);
	assert_int_equal(waiting(bench, "ops"), 2);
}

static void test_what_is_counted_while_a_summary_is_sent_is_kept(void **state)
{
	struct bench *bench = *state;
	struct message message, more;

	for (unsigned i = 0; i < 8; i++)
		note(bench, "add", 600);
	assert_int_equal(store_drop_messages(bench->control.store, "ops", "", 600, &(uint64_t){ 0 }), 0);
	assert_int_equal(store_hurry_messages(bench->control.store, "ops", 0, &(uint64_t){ 0 }), 0);
	do {
		assert_int_equal(store_next_message(bench->control.store, "ops", 601, 5000, &message), 0);
		if (!message.count) {
			assert_int_equal(store_end_message(bench->control.store, &message), 0);
			message_release(&message);
		}
	} while (!message.facts);
	assert_int_equal(message.count, 5);
	note(bench, "add", 602);
	assert_int_equal(store_end_message(bench->control.store, &message), 0);
	assert_int_equal(store_next_message(bench->control.store, "ops", 601, 5000, &more), 0);
	assert_int_equal(more.count, 1);
	assert_string_not_equal(more.id, message.id);
	message_release(&message);
	message_release(&more);
}

static void test_the_spool_is_bounded(void **state)
{
	struct bench *bench = *state;
	uint64_t total = 0;
	json_t *list, *entry;
	size_t i;

	assert_int_equal(store_begin(bench->control.store), 0);
	for (unsigned minute = 0; minute < 400; minute++)
		for (i = 0; i < 3; i++)
			note(bench, "add", 60 * minute);
	assert_int_equal(store_commit(bench->control.store), 0);
	assert_int_equal(waiting(bench, "ops"), MESSAGES_MOST + 1);
	assert_int_equal(store_list_messages(bench->control.store, "ops", 2 * MESSAGES_MOST, &list), 0);
	json_array_foreach(list, i, entry)
		total += (uint64_t)json_integer_value(json_object_get(entry, "count")) + !json_integer_value(json_object_get(entry, "count"));
	assert_int_equal(total, 1200);
	json_decref(list);
}

static void test_a_clock_that_was_set_back_stops_nothing(void **state)
{
	struct bench *bench = *state;
	struct message message;

	note(bench, "add", 1000000000);
	assert_int_equal(store_next_message(bench->control.store, "ops", 1000, MESSAGE_BACKOFF_MOST, &message), 0);
	message_release(&message);
}

static void test_messages_go_with_their_target(void **state)
{
	struct bench *bench = *state;
	struct message_settings none;

	note(bench, "remove", 1000);
	assert_int_equal(waiting(bench, "ops") + waiting(bench, "calm"), 2);
	must_parse("[{\"name\": \"calm\", \"webhook\": \"https://a.example/\", \"on\": [\"alarm\"]}]", &none);
	assert_int_equal(messages_store_settings(&bench->control, &none), 0);
	messages_adopt_settings(bench->control.messages, &none);
	assert_int_equal(waiting(bench, "ops"), 0);
	assert_int_equal(waiting(bench, "calm"), 1);
}

static void test_messages_about_messages_are_none(void **state)
{
	struct bench *bench = *state;
	const struct event lost = { .time = 1, .node = "", .severity = SEVERITY_ALARM, .kind = MESSAGE_LOST_KIND, .text = "x" },
			   other = { .time = 1, .node = "", .severity = SEVERITY_ALARM, .kind = "stall", .text = "x" };

	assert_int_equal(messages_note_event(&bench->control, &lost), 0);
	assert_int_equal(waiting(bench, "ops"), 0);
	assert_int_equal(messages_note_event(&bench->control, &other), 0);
	assert_int_equal(waiting(bench, "ops"), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_of_decision_is_on_or_off),
		cmocka_unit_test(test_events_by_severity_and_kind),
		cmocka_unit_test(test_another_accounts_decisions_are_not_told),
		cmocka_unit_test(test_what_cannot_be_is_refused_with_the_targets_name),
		cmocka_unit_test(test_waits_double_to_an_hour_and_differ),
		cmocka_unit_test(test_a_value_is_no_template_and_no_line),
		cmocka_unit_test(test_a_cut_letter_is_still_json),
		cmocka_unit_test(test_a_value_that_looks_encoded_stays_as_it_is),
		cmocka_unit_test(test_usual_words_have_no_gaps),
		cmocka_unit_test_setup_teardown(test_a_decision_leaves_one_message_for_who_wants_it, begin, end),
		cmocka_unit_test_setup_teardown(test_a_decision_that_is_not_stored_is_not_told, begin, end),
		cmocka_unit_test_setup_teardown(test_a_flood_is_told_in_one, begin, end),
		cmocka_unit_test_setup_teardown(test_what_is_counted_while_a_summary_is_sent_is_kept, begin, end),
		cmocka_unit_test_setup_teardown(test_the_spool_is_bounded, begin, end),
		cmocka_unit_test_setup_teardown(test_a_clock_that_was_set_back_stops_nothing, begin, end),
		cmocka_unit_test_setup_teardown(test_messages_go_with_their_target, begin, end),
		cmocka_unit_test_setup_teardown(test_messages_about_messages_are_none, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

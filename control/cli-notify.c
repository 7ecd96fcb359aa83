// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages about decisions and events: notify list, test, spool, retry, drop. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/json.h"
#include "control/cli.h"
#include "control/names.h"

#define POLL_MS 200
#define TEST_ROOM 15 /* seconds beyond the target's timeout: another message may be on its way */

/* Whether it can stand in a path. */
static bool name_valid(const char *name)
{
	return text_of(name, "abcdefghijklmnopqrstuvwxyz0123456789-", 32);
}

static int call_target(const struct cli *cli, const char *name, const char *rest, const json_t *body, json_t **ret_answer)
{
	char path[160];

	if (!name_valid(name))
		return cli_usage(cli, "\"%.40s\" is no target's name; `repave notify list` shows them", name);
	snprintf(path, sizeof path, "/v1/notify/%s/%s", name, rest);
	return cli_call(cli, "POST", path, body, ret_answer);
}

static void join(const json_t *words, char *ret_text, size_t room)
{
	const json_t *word;
	size_t i, at = 0;

	ret_text[0] = 0;
	json_array_foreach(json_iterable(words), i, word)
		if (at < room)
			at += (size_t)snprintf(ret_text + at, room - at, "%s%s", i ? "," : "", json_string_value(word));
}

static void show_targets(const json_t *answer)
{
	struct cli_table table = { .columns = 7 };
	char on[100], waiting[24], sent[24];
	const json_t *target, *last;
	const char *state;
	size_t i;

	cli_table_add(&table, (const char *[]){ "TARGET", "WHERE", "ON", "ACCOUNT", "SENT", "WAITING", "LAST TRY" });
	json_array_foreach(json_get_array(answer, "targets"), i, target) {
		last = json_object_get(target, "last");
		state = !json_is_object(last) ? "-" : json_is_true(json_object_get(last, "ok")) ? "arrived" : cli_text(last, "error");
		join(json_object_get(target, "on"), on, sizeof on);
		snprintf(sent, sizeof sent, "%lld", (long long)json_integer_value(json_object_get(target, "sent")));
		snprintf(waiting, sizeof waiting, "%lld", (long long)json_integer_value(json_object_get(target, "waiting")));
		cli_table_add(&table, (const char *[]){ cli_text(target, "name"), cli_text(target, "where"), on, cli_text(target, "account"), sent, waiting,
							state });
	}
	cli_table_print(&table);
}

int cli_notify_list(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	int r;

	if (argc > 0)
		return cli_usage(cli, "unknown argument \"%s\"", argv[0]);
	r = cli_call(cli, "GET", "/v1/notify", NULL, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(json_object_get(answer, "targets"));
	else if (r == CLI_OK)
		show_targets(answer);
	json_decref(answer);
	return r;
}

/* What came of the message, once it was tried: "arrived", or why not. */
static int look_at_test(const struct cli *cli, const char *name, const char *id, json_t **ret_last, int64_t *ret_timeout)
{
	json_t *answer = NULL, *target;
	size_t i;
	int r = cli_call(cli, "GET", "/v1/notify", NULL, &answer);

	*ret_last = NULL;
	json_array_foreach(json_get_array(answer, "targets"), i, target) {
		json_t *last = json_object_get(target, "test");
		const char *tried = json_get_string(last, "id");

		if (strcmp(cli_text(target, "name"), name))
			continue;
		*ret_timeout = (int64_t)json_integer_value(json_object_get(target, "timeout"));
		if (tried && !strcmp(tried, id))
			*ret_last = json_incref(last);
	}
	json_decref(answer);
	return r;
}

static int await_test(const struct cli *cli, const char *name, const char *id)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	int64_t began = time(NULL), timeout = 0;
	json_t *last = NULL;
	int r = look_at_test(cli, name, id, &last, &timeout);

	while (r == CLI_OK && !last && time(NULL) - began < 2 * timeout + TEST_ROOM) {
		nanosleep(&pause, NULL);
		r = look_at_test(cli, name, id, &last, &timeout);
	}
	if (r != CLI_OK)
		return r;
	if (!last) {
		fprintf(stderr, "repave: message %s to %s wasn't sent yet; look at `repave notify spool`\n", id, name);
		return CLI_TIMEOUT;
	}
	r = json_is_true(json_object_get(last, "ok")) ? CLI_OK : CLI_FAILED;
	if (r == CLI_OK && !cli->json)
		printf("%s took message %s\n", name, id);
	else if (r != CLI_OK)
		fprintf(stderr, "repave: message %s to %s failed: %s\n", id, name, cli_text(last, "error"));
	if (cli->json)
		cli_print_json(last);
	json_decref(last);
	return r;
}

int cli_notify_test(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	int r;

	if (argc != 1)
		return cli_usage(cli, "name one target (`repave notify list`)");
	r = call_target(cli, argv[0], "test", NULL, &answer);
	if (r == CLI_OK)
		r = await_test(cli, argv[0], cli_text(answer, "id"));
	json_decref(answer);
	return r;
}

static void show_spool(const json_t *answer)
{
	struct cli_table table = { .columns = 7 };
	char created[32], next[32], tries[16];
	const json_t *message;
	size_t i;

	cli_table_add(&table, (const char *[]){ "ID", "TARGET", "SINCE", "TRIES", "NEXT TRY", "ABOUT", "LAST ERROR" });
	json_array_foreach(json_get_array(answer, "messages"), i, message) {
		snprintf(tries, sizeof tries, "%lld", (long long)json_integer_value(json_object_get(message, "tries")));
		cli_table_add(&table, (const char *[]){ cli_text(message, "id"), cli_text(message, "target"), cli_time(message, "created", created), tries,
							cli_time(message, "next", next), cli_text(json_object_get(message, "facts"), "reason"),
							cli_text(message, "error") });
	}
	cli_table_print(&table);
}

int cli_notify_spool(const struct cli *cli, int argc, char *argv[])
{
	char path[80] = "/v1/messages";
	json_t *answer = NULL;
	int r;

	if (argc > 1 || (argc == 1 && !name_valid(argv[0])))
		return cli_usage(cli, "name one target, or none (`repave notify list`)");
	if (argc == 1)
		snprintf(path, sizeof path, "/v1/messages?target=%s", argv[0]);
	r = cli_call(cli, "GET", path, NULL, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(json_object_get(answer, "messages"));
	else if (r == CLI_OK)
		show_spool(answer);
	json_decref(answer);
	return r;
}

static int show_count(const struct cli *cli, int r, json_t *answer, const char *words)
{
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("%lld message(s) %s\n", (long long)json_integer_value(json_object_get(answer, "messages")), words);
	json_decref(answer);
	return r;
}

int cli_notify_retry(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	int r;

	if (argc != 1)
		return cli_usage(cli, "name one target (`repave notify list`)");
	r = call_target(cli, argv[0], "retry", NULL, &answer);
	return show_count(cli, r, answer, "are tried again now");
}

int cli_notify_drop(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "id", required_argument, NULL, 'i' }, { NULL, 0, NULL, 0 } };
	json_t *answer = NULL, *body;
	const char *id = NULL;
	int letter, r;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter != 'i')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
		if (!nonce_valid(optarg))
			return cli_usage(cli, "\"%.40s\" is no message's id; `repave notify spool` shows them", optarg);
		id = optarg;
	}
	if (optind != argc)
		return cli_usage(cli, "name one target (`repave notify list`)");
	body = json_pack("{ss*}", "id", id);
	r = call_target(cli, argv[argc - 1], "drop", body, &answer);
	json_decref(body);
	return show_count(cli, r, answer, "were dropped");
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about the time to come: event add, planned, remove; hint add, list, remove. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/groups.h"
#include "control/planned.h"

/* "14:00" in local time, the next; "2026-12-01T14:00" in local time. */
static int parse_local(const char *text, int64_t *ret_time)
{
	time_t now = time(NULL);
	struct tm tm;
	const char *end;

	localtime_r(&now, &tm);
	tm.tm_sec = 0;
	end = strptime(text, strchr(text, 'T') ? "%Y-%m-%dT%H:%M" : "%H:%M", &tm);
	if (end && *end == ':')
		end = strptime(end, ":%S", &tm);
	if (!end || *end)
		return -1;
	tm.tm_isdst = -1;
	*ret_time = mktime(&tm);
	if (*ret_time <= (int64_t)now && !strchr(text, 'T')) {
		tm.tm_mday++;
		tm.tm_isdst = -1;
		*ret_time = mktime(&tm);
	}
	return 0;
}

static int add_time(const struct cli *cli, json_t *body, const char *key, const char *text)
{
	json_t *value = json_string(text);
	char why[ERROR_TEXT];
	int64_t at;
	int r = time_value(value, &at);

	if (r < 0 && text[0] == '+' && !duration_parse(text + 1, &at, why)) {
		at += (int64_t)time(NULL);
		r = 0;
	} else if (r < 0) {
		r = parse_local(text, &at);
	}
	json_decref(value);
	if (r < 0)
		return cli_usage(cli, "\"%.40s\" is no time, such as 14:00, 2026-12-01T02:00, 2026-12-01T02:00Z or +30m", text);
	json_object_set_new(body, key, json_integer((json_int_t)at));
	return CLI_OK;
}

/* Shows an answer in a line, unless machines read it. Takes both over. */
static int ask(const struct cli *cli, const char *method, const char *path, json_t *body, const char *line)
{
	json_t *answer = NULL;
	int r = cli_call(cli, method, path, body, &answer);

	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("%s %lld\n", line, (long long)json_integer_value(json_object_get(answer, "id")));
	json_decref(answer);
	json_decref(body);
	return r;
}

static int remove_one(const struct cli *cli, const char *what, const char *line, int argc, char *argv[])
{
	char path[64];
	uint64_t id;

	if (argc != 1 || parse_u64(argv[0], &id) < 0)
		return cli_usage(cli, "name one by its number");
	snprintf(path, sizeof path, "/v1/%s/%llu", what, (unsigned long long)id);
	return ask(cli, "DELETE", path, NULL, line);
}

/* ------------------------------------------------------------------ events */

static int take_event_option(const struct cli *cli, int letter, const char *value, json_t *body, json_t *when)
{
	json_t *windows = json_object_get(when, "windows");

	switch (letter) {
	case 'f': return add_time(cli, body, "from", value);
	case 't': return add_time(cli, body, "to", value);
	case 'w':
		if (!windows)
			json_object_set_new(when, "windows", windows = json_array());
		return json_array_append_new(windows, json_string(value)) ? cli_usage(cli, "--weekly must be UTF-8") : CLI_OK;
	case 'z': return json_object_set_new(when, "zone", json_string(value)) ? cli_usage(cli, "--zone must be UTF-8") : CLI_OK;
	case 'F': return json_object_set_new(body, "force", json_true()) ? CLI_FAILED : CLI_OK;
	}
	return json_object_set_new(body, letter == 'k' ? "kind" : letter == 'l' ? "lead" : "reason", json_string(value)) ?
		       cli_usage(cli, "its options must be UTF-8") : CLI_OK;
}

int cli_event_add(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "kind", required_argument, NULL, 'k' },   { "from", required_argument, NULL, 'f' },
						 { "to", required_argument, NULL, 't' },     { "weekly", required_argument, NULL, 'w' },
						 { "zone", required_argument, NULL, 'z' },   { "lead", required_argument, NULL, 'l' },
						 { "reason", required_argument, NULL, 'r' }, { "force", no_argument, NULL, 'F' },
						 { NULL, 0, NULL, 0 } };
	json_t *body, *when;
	int letter, r = CLI_OK;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the node first");
	body = json_pack("{ss}", "node", argv[0]);
	when = json_object();
	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc, argv, ":", options, NULL)) != -1)
		r = letter == ':' || letter == '?' ? cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]) :
						     take_event_option(cli, letter, optarg, body, when);
	if (r == CLI_OK && optind != argc)
		r = cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	if (json_object_size(when))
		json_object_set(body, "when", when);
	json_decref(when);
	if (r == CLI_OK)
		return ask(cli, "POST", "/v1/planned", body, "planned event");
	json_decref(body);
	return r;
}

int cli_event_planned(const struct cli *cli, int argc, char *argv[])
{
	struct cli_table table = { .columns = 8 };
	json_t *answer = NULL, *event;
	size_t i;
	int r = argc ? cli_usage(cli, "unknown argument \"%s\"", argv[0]) : cli_call(cli, "GET", "/v1/planned", NULL, &answer);

	if (r == CLI_OK && cli->json) {
		r = cli_print_json(json_object_get(answer, "events"));
	} else if (r == CLI_OK) {
		cli_table_add(&table, (const char *[]){ "EVENT", "NODE", "KIND", "FROM", "TO", "STEP", "BY", "REASON" });
		json_array_foreach(json_object_get(answer, "events"), i, event) {
			char id[24], from[32], to[32], step[48];

			snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_object_get(event, "id")));
			snprintf(step, sizeof step, "%s%s%s", cli_text(event, "step"), json_is_true(json_object_get(event, "cancelled")) ? ", removed" : "",
				 json_is_true(json_object_get(event, "short")) ? ", too few servers" : "");
			cli_table_add(&table, (const char *[]){ id, cli_text(event, json_get_string(event, "name") ? "name" : "node"),
								cli_text(event, "kind"), cli_time(event, "from", from), cli_time(event, "to", to), step,
								cli_text(event, "by"), cli_text(event, "reason") });
		}
		cli_table_print(&table);
	}
	json_decref(answer);
	return r;
}

int cli_event_remove(const struct cli *cli, int argc, char *argv[])
{
	return remove_one(cli, "planned", "ended planned event", argc, argv);
}

/* ------------------------------------------------------------------ users' requests */

static int show_request(const struct cli *cli, const json_t *request)
{
	char when[32];

	if (cli->json)
		return cli_print_json(request);
	if (json_is_object(request))
		printf("request %lld, since %s: user %s asks for the OS %s; it waits until he has logged out\n",
		       (long long)json_integer_value(json_object_get(request, "request")), cli_time(request, "since", when), cli_text(request, "user"),
		       cli_text(request, "os"));
	else
		puts("no user's request is pending there");
	return CLI_OK;
}

int cli_node_request(const struct cli *cli, int argc, char *argv[])
{
	bool refuses = argc == 2 && !strcmp(argv[1], "--refuse");
	json_t *answer = NULL;
	char *path;
	int r;

	if (argc < 1 || argc > 2 || (argc == 2 && !refuses))
		return cli_usage(cli, "name one node; --refuse may stand behind it");
	path = cli_node_path(cli, argv[0], refuses ? "/request" : "");
	r = path ? cli_call(cli, refuses ? "DELETE" : "GET", path, NULL, &answer) : CLI_USAGE;
	if (r == CLI_OK && !refuses)
		r = show_request(cli, json_object_get(answer, "request"));
	else if (r == CLI_OK && !cli->json)
		puts("the user's request is refused");
	json_decref(answer);
	free(path);
	return r;
}

/* ------------------------------------------------------------------ hints */

static int take_users(const struct cli *cli, json_t *body, const char *text)
{
	uint64_t users;
	json_t *value = parse_u64(text, &users) == 0 && users <= INT64_MAX ? json_integer((json_int_t)users) : json_string(text);

	return json_object_set_new(body, "users", value) ? cli_usage(cli, "--users must be a number, or a change such as +50%%") : CLI_OK;
}

int cli_hint_add(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "users", required_argument, NULL, 'n' }, { "at", required_argument, NULL, 'a' },
						 { "until", required_argument, NULL, 'u' }, { NULL, 0, NULL, 0 } };
	json_t *body;
	int letter, r = CLI_OK;

	if (argc < 1 || !group_name_valid(argv[0]))
		return cli_usage(cli, "name the group first");
	body = json_pack("{ss}", "group", argv[0]);
	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (letter == ':' || letter == '?')
			r = cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]);
		else if (letter == 'n')
			r = take_users(cli, body, optarg);
		else
			r = add_time(cli, body, letter == 'a' ? "at" : "until", optarg);
	}
	if (r == CLI_OK && optind != argc)
		r = cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	if (r == CLI_OK)
		return ask(cli, "POST", "/v1/hints", body, "hint");
	json_decref(body);
	return r;
}

int cli_hint_list(const struct cli *cli, int argc, char *argv[])
{
	struct cli_table table = { .columns = 6 };
	json_t *answer = NULL, *hint;
	size_t i;
	int r = argc ? cli_usage(cli, "unknown argument \"%s\"", argv[0]) : cli_call(cli, "GET", "/v1/hints", NULL, &answer);

	if (r == CLI_OK && cli->json) {
		r = cli_print_json(json_object_get(answer, "hints"));
	} else if (r == CLI_OK) {
		cli_table_add(&table, (const char *[]){ "HINT", "GROUP", "USERS", "AT", "UNTIL", "BY" });
		json_array_foreach(json_object_get(answer, "hints"), i, hint) {
			double users = json_number_value(json_object_get(hint, "users"));
			bool relative = json_is_true(json_object_get(hint, "relative"));
			char id[24], shown[32], at[32], until[32];

			snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_object_get(hint, "id")));
			snprintf(shown, sizeof shown, relative ? "%+.0f%%" : "%.0f", relative ? 100 * users : users);
			cli_table_add(&table, (const char *[]){ id, cli_text(hint, "group"), shown, cli_time(hint, "at", at),
								cli_time(hint, "until", until), cli_text(hint, "by") });
		}
		cli_table_print(&table);
	}
	json_decref(answer);
	return r;
}

int cli_hint_remove(const struct cli *cli, int argc, char *argv[])
{
	return remove_one(cli, "hints", "ended hint", argc, argv);
}

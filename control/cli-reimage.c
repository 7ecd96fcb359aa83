// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about reimages of many servers: reimage plan, start, status, stop, resume, list, exempt. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/moment.h"

#define WORDS_MOST 512

/* ------------------------------------------------------------------ what is ordered */

/* A time of the command line as seconds since 1970. */
static int add_time(const struct cli *cli, json_t *body, const char *key, const char *text)
{
	char why[ERROR_TEXT];
	int64_t at;

	if (moment_parse(text, time(NULL), false, &at, why) < 0)
		return cli_usage(cli, "%s", why);
	json_object_set_new(body, key, json_integer((json_int_t)at));
	return CLI_OK;
}

/* "80%" or "0.8". */
static int add_share(const struct cli *cli, json_t *body, const char *text)
{
	char *end;
	double value = strspn(text, "0123456789.") ? strtod(text, &end) : -1;

	if (value >= 0 && !strcmp(end, "%"))
		value /= 100;
	else if (value < 0 || *end)
		value = -1;
	if (!(value >= 0 && value <= 1))
		return cli_usage(cli, "\"%.20s\" is no share, such as 80%%", text);
	json_object_set_new(body, "serving", json_real(value));
	return CLI_OK;
}

static void add_name(json_t *body, const char *key, const char *name)
{
	if (!json_object_get(body, key))
		json_object_set_new(body, key, json_array());
	json_array_append_new(json_object_get(body, key), json_string(name));
}

static int take_option(const struct cli *cli, json_t *body, int letter, const char *value)
{
	switch (letter) {
	case 'b': return add_time(cli, body, "deadline", value);
	case 's': return add_share(cli, body, value);
	case 'g': add_name(body, "groups", value); break;
	case 'n': add_name(body, "nodes", value); break;
	case 'N': json_object_set_new(body, "name", json_string(value)); break;
	case 'r': json_object_set_new(body, "reason", json_string(value)); break;
	case 'u': json_object_set_new(body, "forced", json_false()); break;
	case 'w': json_object_set_new(body, "windows", json_true()); break;
	}
	return CLI_OK;
}

static int parse_campaign(const struct cli *cli, int argc, char *argv[], json_t *body)
{
	static const struct option options[] = {
		{ "by", required_argument, NULL, 'b' },    { "serving", required_argument, NULL, 's' }, { "group", required_argument, NULL, 'g' },
		{ "node", required_argument, NULL, 'n' },  { "name", required_argument, NULL, 'N' },    { "reason", required_argument, NULL, 'r' },
		{ "never-force", no_argument, NULL, 'u' }, { "in-windows", no_argument, NULL, 'w' },    { NULL, 0, NULL, 0 }
	};
	int letter, r = CLI_OK;
	/* Commands get what is behind their words. */
	char *words[WORDS_MOST];

	if (argc > WORDS_MOST - 2)
		return cli_usage(cli, "too many arguments");
	words[0] = (char *)(uintptr_t)"reimage";
	memcpy(words + 1, argv, (size_t)argc * sizeof *words);
	words[argc + 1] = NULL;
	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc + 1, words, ":", options, NULL)) != -1) {
		if (letter == ':' || letter == '?')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", words[optind - 1]);
		r = take_option(cli, body, letter, optarg);
	}
	return r == CLI_OK && optind != argc + 1 ? cli_usage(cli, "unknown argument \"%s\"", words[optind]) : r;
}

/* ------------------------------------------------------------------ showing */

static const char *name_of(const json_t *node)
{
	return json_get_string(node, "name") ? cli_text(node, "name") : cli_text(node, "node");
}

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

/* "3 h 12 min", "40 s". */
static const char *duration_text(json_int_t seconds, char ret_text[32])
{
	if (seconds >= 7200)
		snprintf(ret_text, 32, "%lld h %lld min", (long long)(seconds / 3600), (long long)(seconds % 3600 / 60));
	else if (seconds >= 120)
		snprintf(ret_text, 32, "%lld min", (long long)(seconds / 60));
	else
		snprintf(ret_text, 32, "%lld s", (long long)seconds);
	return ret_text;
}

static void print_scope(const json_t *campaign)
{
	const json_t *groups = json_get_array(campaign, "groups"), *nodes = json_get_array(campaign, "nodes"), *one;
	size_t i;

	printf("  scope     ");
	if (!groups && !nodes)
		printf(" all nodes");
	json_array_foreach(json_iterable(groups), i, one)
		printf("%s%s", i ? ", " : " groups ", json_string_value(one));
	json_array_foreach(json_iterable(nodes), i, one)
		printf("%s%s", i ? ", " : " nodes ", json_string_value(one));
	putchar('\n');
}

static void print_deadline(const json_t *campaign, json_int_t now, const json_t *ends, const json_t *holds)
{
	json_int_t left = number(campaign, "deadline") - now;
	char deadline[32], text[32], end[32];

	cli_time(campaign, "deadline", deadline);
	printf("  deadline   %s (%s%s)", deadline, duration_text(left < 0 ? -left : left, text), left < 0 ? " ago" : " from now");
	if (json_is_true(holds))
		printf(", which holds");
	else if (json_is_false(holds))
		printf(", which DOES NOT HOLD");
	if (json_is_integer(ends)) {
		json_t *object = json_pack("{sO}", "at", ends);

		printf("; the last one ends about %s", cli_time(object, "at", end));
		json_decref(object);
	}
	putchar('\n');
	printf("  serving    at least %.0f %% of each group%s%s\n", 100 * json_number_value(json_object_get(campaign, "serving")),
	       json_is_true(json_object_get(campaign, "forced")) ? "; at the last moment fewer, and users are thrown out" : ", whatever the deadline",
	       json_is_true(json_object_get(campaign, "windows")) ? "; within the groups' windows" : "");
}

static void print_head(const json_t *campaign)
{
	const char *name = json_get_string(campaign, "name"), *reason = json_get_string(campaign, "reason"), *note = json_get_string(campaign, "note");
	char began[32];

	printf("campaign %lld%s%s%s: %s; ordered by %s at %s%s%s%s%s%s\n", (long long)number(campaign, "id"), name ? " (" : "", name ? name : "",
	       name ? ")" : "", cli_text(campaign, "state"), cli_text(campaign, "by"), cli_time(campaign, "began", began), reason ? ": " : "",
	       reason ? reason : "", note ? " (" : "", note ? note : "", note ? ")" : "");
}

static void print_counts(const json_t *counts)
{
	static const struct {
		const char *key, *words;
	} rest[] = { { "under_way", "under way" }, { "waits", "wait" }, { "exempt", "exempt" }, { "off", "off" }, { "set_aside", "set aside" },
		     { "failed", "failed" } };

	printf("  done       %lld of %lld", (long long)number(counts, "done"), (long long)number(counts, "total"));
	for (size_t i = 0; i < sizeof rest / sizeof rest[0]; i++)
		if (number(counts, rest[i].key))
			printf("; %lld %s", (long long)number(counts, rest[i].key), rest[i].words);
	putchar('\n');
}

/* How it goes with one node, in words. */
static void describe_node(const json_t *node, char ret_text[512])
{
	const char *step = json_get_string(node, "step"), *waits = json_get_string(node, "waits"), *reason = json_get_string(node, "reason");
	const char *spare = json_get_string(node, "spare");
	char until[32];

	ret_text[0] = 0;
	if (step)
		snprintf(ret_text, 512, "at step %s%s%s", step, waits ? ": " : "", waits ? waits : "");
	else if (number(node, "exempt_until"))
		snprintf(ret_text, 512, "exempt until %s", cli_time(node, "exempt_until", until));
	else if (json_is_true(json_object_get(node, "below")))
		snprintf(ret_text, 512, "at the last moment: users are thrown out");
	else if (spare)
		snprintf(ret_text, 512, "%s stands in", spare);
	else if (!number(node, "begins") && reason)
		snprintf(ret_text, 512, "%s", reason);
}

static void print_nodes(const json_t *nodes, bool campaign)
{
	struct cli_table table = { .columns = 7 };
	const json_t *node;
	size_t i;

	cli_table_add(&table, (const char *[]){ "NODE", "GROUP", campaign ? "STATE" : "FIRST DUE", campaign ? "DUE BY AGE" : "SECOND DUE", "BEGINS", "ENDS",
						"NOTE" });
	json_array_foreach(json_iterable(nodes), i, node) {
		char first[32], second[32], begins[32], ends[32], note[512];
		bool comes = campaign && (!strcmp(cli_text(node, "state"), "done") || !strcmp(cli_text(node, "state"), "under way"));

		describe_node(node, note);
		cli_table_add(&table, (const char *[]){ name_of(node), cli_text(node, "group"),
							campaign ? cli_text(node, "state") : cli_time(node, "first", first),
							cli_time(node, "second", second), comes ? "-" : cli_time(node, "begins", begins),
							comes ? "-" : cli_time(node, "ends", ends), note });
	}
	cli_table_print(&table);
}

static void print_state(const json_t *state)
{
	print_head(state);
	print_scope(state);
	print_deadline(state, number(state, "now"), json_object_get(state, "ends"), json_object_get(state, "holds"));
	print_counts(json_object_get(state, "counts"));
	if (json_get_array(state, "node_states"))
		print_nodes(json_get_array(state, "node_states"), true);
}

static void print_plan(const json_t *plan)
{
	const json_t *campaign = json_get_object(plan, "campaign");
	char until[32];

	if (campaign) {
		print_scope(campaign);
		print_deadline(campaign, number(plan, "now"), json_object_get(plan, "ends"), json_object_get(plan, "holds"));
	}
	print_nodes(json_get_array(plan, "nodes"), campaign != NULL);
	if (campaign)
		printf("%lld reimages, %lld of them at the last moment\n", (long long)number(plan, "begun"), (long long)number(plan, "below"));
	else
		printf("%lld reimages until %s, each node's first\n", (long long)number(plan, "begun"), cli_time(plan, "until", until));
}

/* Calls, and prints the answer. */
static int call(const struct cli *cli, const char *method, const char *path, const json_t *body, void (*print)(const json_t *answer))
{
	json_t *answer = NULL;
	int r = cli_call(cli, method, path, body, &answer);

	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		print(answer);
	json_decref(answer);
	return r;
}

/* ------------------------------------------------------------------ the commands */

int cli_reimage_plan(const struct cli *cli, int argc, char *argv[])
{
	json_t *body = json_object();
	int r = parse_campaign(cli, argc, argv, body);

	if (r == CLI_OK && argc && !json_object_get(body, "deadline"))
		r = cli_usage(cli, "--by must say by when");
	if (r == CLI_OK)
		r = call(cli, "POST", "/v1/reimage-plan", argc ? body : NULL, print_plan);
	json_decref(body);
	return r;
}

int cli_reimage_start(const struct cli *cli, int argc, char *argv[])
{
	json_t *body = json_object();
	int r = parse_campaign(cli, argc, argv, body);

	if (r == CLI_OK && !json_object_get(body, "deadline"))
		r = cli_usage(cli, "--by must say by when");
	if (r == CLI_OK)
		r = call(cli, "POST", "/v1/campaigns", body, print_state);
	json_decref(body);
	return r;
}

/* "/v1/campaigns/3", or of the current one. */
static int campaign_path(const struct cli *cli, int argc, char *argv[], char ret_path[64])
{
	uint64_t id;

	if (argc > 1 || (argc && (parse_u64(argv[0], &id) < 0 || !id)))
		return cli_usage(cli, "name a campaign by its number, or none for the current one");
	snprintf(ret_path, 64, "/v1/campaigns/%s", argc ? argv[0] : "current");
	return CLI_OK;
}

int cli_reimage_status(const struct cli *cli, int argc, char *argv[])
{
	char path[64];
	int r = campaign_path(cli, argc, argv, path);

	return r == CLI_OK ? call(cli, "GET", path, NULL, print_state) : r;
}

static void print_stopped(const json_t *state)
{
	print_state(state);
	if (number(state, "cancelled"))
		printf("%lld that had begun were cancelled\n", (long long)number(state, "cancelled"));
	printf("next: `repave reimage resume` goes on with it; until then nobody is begun\n");
}

int cli_reimage_stop(const struct cli *cli, int argc, char *argv[])
{
	bool cancels = argc && !strcmp(argv[argc - 1], "--cancel");
	json_t *body = json_pack("{ss sb}", "state", "stopped", "cancel", (int)cancels);
	char path[64];
	int r = campaign_path(cli, argc - cancels, argv, path);

	if (r == CLI_OK)
		r = call(cli, "PUT", path, body, print_stopped);
	json_decref(body);
	return r;
}

int cli_reimage_resume(const struct cli *cli, int argc, char *argv[])
{
	bool by = argc >= 2 && !strcmp(argv[argc - 2], "--by");
	json_t *body = json_pack("{ss}", "state", "running");
	char path[64];
	int r = by ? add_time(cli, body, "deadline", argv[argc - 1]) : CLI_OK;

	if (r == CLI_OK)
		r = campaign_path(cli, by ? argc - 2 : argc, argv, path);
	if (r == CLI_OK)
		r = call(cli, "PUT", path, body, print_state);
	json_decref(body);
	return r;
}

static void print_list(const json_t *answer)
{
	struct cli_table table = { .columns = 7 };
	const json_t *campaign;
	size_t i;

	cli_table_add(&table, (const char *[]){ "CAMPAIGN", "NAME", "STATE", "BEGAN", "DEADLINE", "BY", "NOTE" });
	json_array_foreach(json_get_array(answer, "campaigns"), i, campaign) {
		char id[24], began[32], deadline[32];

		snprintf(id, sizeof id, "%lld", (long long)number(campaign, "id"));
		cli_table_add(&table, (const char *[]){ id, cli_text(campaign, "name"), cli_text(campaign, "state"), cli_time(campaign, "began", began),
							cli_time(campaign, "deadline", deadline), cli_text(campaign, "by"),
							cli_text(campaign, "note") });
	}
	cli_table_print(&table);
}

int cli_reimage_list(const struct cli *cli, int argc, char *argv[])
{
	if (argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[0]);
	return call(cli, "GET", "/v1/campaigns", NULL, print_list);
}

/* ------------------------------------------------------------------ exemptions */

static void print_exemptions(const json_t *answer)
{
	struct cli_table table = { .columns = 6 };
	const json_t *exemption;
	size_t i;

	cli_table_add(&table, (const char *[]){ "NODE", "SINCE", "UNTIL", "ENDED", "BY", "REASON" });
	json_array_foreach(json_get_array(answer, "exemptions"), i, exemption) {
		char since[32], until[32], ended[32];

		cli_table_add(&table, (const char *[]){ name_of(exemption), cli_time(exemption, "since", since), cli_time(exemption, "until", until),
							cli_time(exemption, "ended", ended), cli_text(exemption, "by"),
							cli_text(exemption, "reason") });
	}
	cli_table_print(&table);
}

static void print_exemption(const json_t *exemption)
{
	char until[32];

	printf("node %s is exempt from planned reimages until %s: %s\n", name_of(exemption), cli_time(exemption, "until", until),
	       cli_text(exemption, "reason"));
}

static void print_end(const json_t *answer)
{
	printf("node %s is exempt no more\n", cli_text(answer, "node"));
}

static int exempt(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "until", required_argument, NULL, 'u' }, { "reason", required_argument, NULL, 'r' },
						 { NULL, 0, NULL, 0 } };
	json_t *body = json_object();
	char *path = NULL;
	int letter, r = CLI_OK;

	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (letter == ':' || letter == '?')
			r = cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]);
		else if (letter == 'u')
			r = add_time(cli, body, "until", optarg);
		else
			json_object_set_new(body, "reason", json_string(optarg));
	}
	if (r == CLI_OK && optind != argc)
		r = cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	if (r == CLI_OK && json_object_size(body) < 2)
		r = cli_usage(cli, "--until must say when it ends, and --reason why it is");
	if (r == CLI_OK && !(path = cli_node_path(cli, argv[0], "/exemption")))
		r = CLI_USAGE;
	if (r == CLI_OK)
		r = call(cli, "PUT", path, body, print_exemption);
	free(path);
	json_decref(body);
	return r;
}

int cli_reimage_exempt(const struct cli *cli, int argc, char *argv[])
{
	char *path;
	int r;

	if (argc >= 1 && !strcmp(argv[0], "--list") && (argc == 1 || (argc == 2 && !strcmp(argv[1], "--all"))))
		return call(cli, "GET", argc == 2 ? "/v1/exemptions?ended=1" : "/v1/exemptions", NULL, print_exemptions);
	if (argc < 2 || argv[0][0] == '-')
		return cli_usage(cli, "name the node first, or --list");
	if (argc > 2 || strcmp(argv[1], "--end"))
		return exempt(cli, argc, argv);
	path = cli_node_path(cli, argv[0], "/exemption");
	r = path ? call(cli, "DELETE", path, NULL, print_end) : CLI_USAGE;
	free(path);
	return r;
}

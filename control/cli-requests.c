// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands by which servers join, leave and change groups: alloc, release, move. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/groups.h"

static const char *name_of(const json_t *request)
{
	return json_get_string(request, "name") ? cli_text(request, "name") : cli_text(request, "node");
}

static void print_request(const json_t *request)
{
	const char *action = cli_text(request, "action"), *group = cli_text(request, "group"), *name = name_of(request);
	long long id = json_integer_value(json_object_get(request, "request")), restart = json_integer_value(json_object_get(request, "restart"));

	if (!strcmp(cli_text(request, "verdict"), "denied")) {
		fprintf(stderr, "repave: request %lld is denied (%s): %s\n", id, cli_text(request, "denial"), cli_text(request, "reason"));
		return;
	}
	if (!strcmp(action, "add"))
		printf("request %lld: %s joins group %s", id, name, group);
	else if (!strcmp(action, "move"))
		printf("request %lld: %s goes to group %s", id, name, group);
	else
		printf("request %lld: %s leaves group %s and becomes a spare", id, name, group);
	if (restart)
		printf(", by restart %lld; `repave restart show %lld --follow` follows it\n", restart, restart);
	else
		puts(", with the images that it runs: it is done");
}

/* 1 when one was denied. */
static int print_answer(const struct cli *cli, const json_t *answer)
{
	const json_t *requests = json_get_array(answer, "requests"), *request;
	const char *error = json_get_string(answer, "error");
	int r = error ? CLI_FAILED : CLI_OK;
	size_t i;

	json_array_foreach(requests, i, request) {
		if (!cli->json)
			print_request(request);
		if (!strcmp(cli_text(request, "verdict"), "denied"))
			r = CLI_FAILED;
	}
	if (cli->json)
		return cli_print_json(answer) == CLI_OK ? r : CLI_FAILED;
	if (error)
		fprintf(stderr, "repave: %s\n", cli_text(answer, "error"));
	return r;
}

/* Options behind the first `words` arguments. */
static int parse(const struct cli *cli, int argc, char *argv[], int words, const char *known, json_t *body)
{
	static const struct option options[] = { { "node", required_argument, NULL, 'n' },   { "count", required_argument, NULL, 'c' },
						 { "urgency", required_argument, NULL, 'u' }, { "reason", required_argument, NULL, 'r' },
						 { "force", no_argument, NULL, 'f' },         { NULL, 0, NULL, 0 } };
	int letter;

	opterr = 0;
	optind = words;
	while ((letter = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		uint64_t count;

		if (letter == ':' || letter == '?' || !strchr(known, letter))
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]);
		if (letter == 'c' && parse_u64(optarg, &count) < 0)
			return cli_usage(cli, "--count wants a number");
		if (letter == 'f')
			json_object_set_new(body, "force", json_true());
		else if (letter == 'c')
			json_object_set_new(body, "count", json_integer((json_int_t)count));
		else if (json_object_set_new(body, letter == 'n' ? "node" : letter == 'u' ? "urgency" : "reason", json_string(optarg)) < 0)
			return cli_usage(cli, "\"%s\" must be UTF-8", "--reason");
	}
	return optind == argc ? CLI_OK : cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
}

static int ask(const struct cli *cli, char *path, const json_t *body)
{
	json_t *answer = NULL;
	int r = path ? cli_call(cli, "POST", path, body, &answer) : CLI_USAGE;

	if (r == CLI_OK)
		r = print_answer(cli, answer);
	json_decref(answer);
	free(path);
	return r;
}

int cli_alloc(const struct cli *cli, int argc, char *argv[])
{
	json_t *body = json_object();
	char *path = NULL;
	int r;

	if (argc < 1 || !group_name_valid(argv[0]))
		r = cli_usage(cli, "name the group first");
	else
		r = parse(cli, argc, argv, 1, "ncrf", body);
	if (r == CLI_OK)
		r = asprintf(&path, "/v1/groups/%s/alloc", argv[0]) < 0 ? CLI_FAILED : ask(cli, path, body);
	json_decref(body);
	return r;
}

int cli_release(const struct cli *cli, int argc, char *argv[])
{
	json_t *body = json_object();
	int r;

	if (argc < 1 || argv[0][0] == '-')
		r = cli_usage(cli, "name the node first");
	else
		r = parse(cli, argc, argv, 1, "urf", body);
	if (r == CLI_OK)
		r = ask(cli, cli_node_path(cli, argv[0], "/release"), body);
	json_decref(body);
	return r;
}

int cli_move(const struct cli *cli, int argc, char *argv[])
{
	json_t *body = NULL;
	int r;

	if (argc < 2 || argv[0][0] == '-' || !group_name_valid(argv[1]))
		return cli_usage(cli, "name the node and the group first");
	body = json_pack("{ss}", "group", argv[1]);
	r = parse(cli, argc, argv, 2, "urf", body);
	if (r == CLI_OK)
		r = ask(cli, cli_node_path(cli, argv[0], "/move"), body);
	json_decref(body);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about security alarms: node alarm, node cut. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/cli.h"

static int parse(const struct cli *cli, int argc, char *argv[], const char **ret_reason)
{
	static const struct option options[] = { { "reason", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	int letter;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the node first");
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (letter != 'r')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]);
		*ret_reason = optarg;
	}
	if (optind != argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	return *ret_reason ? CLI_OK : cli_usage(cli, "say what was seen with --reason TEXT: it is what people find tomorrow");
}

/* The answer is the caller's. */
static int post(const struct cli *cli, const char *end, int argc, char *argv[], json_t **ret_answer)
{
	const char *reason = NULL;
	json_t *body;
	char *path;
	int r = parse(cli, argc, argv, &reason);

	*ret_answer = NULL;
	if (r != CLI_OK)
		return r;
	body = json_pack("{ss}", "reason", reason);
	if (!body)
		return cli_usage(cli, "the reason must be UTF-8");
	path = cli_node_path(cli, argv[0], end);
	r = path ? cli_call(cli, "POST", path, body, ret_answer) : CLI_USAGE;
	free(path);
	json_decref(body);
	return r;
}

int cli_node_alarm(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer;
	int r = post(cli, "/alarm", argc, argv, &answer);

	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("alarm of node %s raised; `repave event list --node %s` shows what follows\n", cli_text(answer, "id"), argv[0]);
	json_decref(answer);
	return r;
}

int cli_node_cut(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer;
	int r = post(cli, "/cut", argc, argv, &answer);

	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("restart %lld cuts it off; `repave restart show %lld --follow` shows how\n",
		       (long long)json_integer_value(json_object_get(answer, "restart")), (long long)json_integer_value(json_object_get(answer, "restart")));
	json_decref(answer);
	return r;
}

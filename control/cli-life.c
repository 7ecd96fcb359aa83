// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands that set a node aside and bring it back: node quarantine, maintenance, clear. */
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
	return optind == argc ? CLI_OK : cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
}

static int move(const struct cli *cli, const char *name, int argc, char *argv[])
{
	json_t *body, *answer = NULL;
	const char *reason = NULL;
	char *path;
	int r = parse(cli, argc, argv, &reason);

	if (r != CLI_OK)
		return r;
	body = json_pack("{ss ss*}", "move", name, "reason", reason);
	if (!body)
		return cli_usage(cli, "the reason must be UTF-8");
	path = cli_node_path(cli, argv[0], "/life");
	r = path ? cli_call(cli, "PUT", path, body, &answer) : CLI_USAGE;
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("node %s is %s: %s\n", cli_text(answer, "id"), cli_text(answer, "life"), cli_text(answer, "life_reason"));
	free(path);
	json_decref(answer);
	json_decref(body);
	return r;
}

int cli_node_quarantine(const struct cli *cli, int argc, char *argv[])
{
	return move(cli, "quarantine", argc, argv);
}

int cli_node_maintenance(const struct cli *cli, int argc, char *argv[])
{
	return move(cli, "maintenance", argc, argv);
}

int cli_node_clear(const struct cli *cli, int argc, char *argv[])
{
	return move(cli, "clear", argc, argv);
}

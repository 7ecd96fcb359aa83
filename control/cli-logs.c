// SPDX-License-Identifier: GPL-2.0-or-later
/* node logs: what a node said. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/node-log.h"

static const char *title(const char *kind)
{
	if (!strcmp(kind, "boot"))
		return "boot log";
	if (!strcmp(kind, "crash"))
		return "last words of the kernel before";
	return !strcmp(kind, "app") ? "application" : "system";
}

/* The control unit keeps no control characters in them. */
static void print_log(const json_t *entry)
{
	const char *text = json_get_string(entry, "text");
	long long boot = json_integer_value(json_object_get(entry, "boot"));
	char when[32];

	printf("== %s, %s, boot %s%lld\n%s", title(cli_text(entry, "kind")), cli_time(entry, "time", when), boot ? "-" : "", boot,
	       text ? text : "");
	if (text && *text && text[strlen(text) - 1] != '\n')
		putchar('\n');
}

/* "?kind=…&boot=…" into `query`. An enum cli_status. */
static int parse(const struct cli *cli, int argc, char *argv[], char query[64])
{
	static const struct option options[] = { { "boot", required_argument, NULL, 'b' }, { "last", no_argument, NULL, 'l' },
						 { "kind", required_argument, NULL, 'k' }, { NULL, 0, NULL, 0 } };
	const char *kind = NULL;
	enum log_kind known;
	bool by_boot = false;
	uint64_t boot = 0;
	int letter;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (letter == 'b' && (parse_u64(optarg, &boot) < 0 || boot > LOGS_KEPT))
			return cli_usage(cli, "--boot wants a number: 0 is the last boot, 1 the one before");
		if (letter == 'k' && log_kind_parse(optarg, &known) < 0)
			return cli_usage(cli, "--kind wants boot, crash, app or system");
		if (letter == 'k')
			kind = optarg;
		else if (letter == 'b' || letter == 'l')
			by_boot = true;
		else
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]);
	}
	if (optind != argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	snprintf(query, 64, "/logs%s%.16s", kind ? "?kind=" : "", kind ? kind : "");
	if (by_boot)
		snprintf(query + strlen(query), 64 - strlen(query), "%cboot=%u", kind ? '&' : '?', (unsigned)boot);
	return CLI_OK;
}

int cli_node_logs(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	const json_t *entry;
	char query[64], *path;
	size_t i;
	int r;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the node first");
	r = parse(cli, argc, argv, query);
	if (r != CLI_OK)
		return r;
	path = cli_node_path(cli, argv[0], query);
	if (!path)
		return CLI_USAGE;
	r = cli_call(cli, "GET", path, NULL, &answer);
	free(path);
	if (r == CLI_OK && cli->json) {
		r = cli_print_json(json_get_array(answer, "logs"));
	} else if (r == CLI_OK) {
		json_array_foreach(json_get_array(answer, "logs"), i, entry)
			print_log(entry);
		if (!json_array_size(json_get_array(answer, "logs")))
			puts("nothing was kept of it");
	}
	json_decref(answer);
	return r;
}

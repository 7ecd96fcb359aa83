// SPDX-License-Identifier: GPL-2.0-or-later
/* node logs: what a node said, and what it is asked to say now. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/node-log.h"

#define WAIT_DEFAULT 30
#define WAIT_MOST 86400

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

struct wish {
	const char *kind;    /* NULL: any */
	bool by_boot, fetches;
	uint64_t boot, wait;
};

/* An enum cli_status. */
static int parse(const struct cli *cli, int argc, char *argv[], struct wish *wish)
{
	static const struct option options[] = { { "boot", required_argument, NULL, 'b' }, { "last", no_argument, NULL, 'l' },
						 { "kind", required_argument, NULL, 'k' }, { "fetch", no_argument, NULL, 'f' },
						 { "wait", required_argument, NULL, 'w' }, { NULL, 0, NULL, 0 } };
	enum log_kind known;
	int letter;

	*wish = (struct wish){ .wait = WAIT_DEFAULT };

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (letter == 'b' && (parse_u64(optarg, &wish->boot) < 0 || wish->boot > LOGS_KEPT))
			return cli_usage(cli, "--boot wants a number: 0 is the last boot, 1 the one before");
		if (letter == 'k' && log_kind_parse(optarg, &known) < 0)
			return cli_usage(cli, "--kind wants boot, crash, app or system");
		if (letter == 'w' && (parse_u64(optarg, &wish->wait) < 0 || wish->wait < 1 || wish->wait > WAIT_MOST))
			return cli_usage(cli, "--wait wants a number of seconds, 1 to %d", WAIT_MOST);
		if (letter == 'k')
			wish->kind = optarg;
		else if (letter == 'b' || letter == 'l')
			wish->by_boot = true;
		else if (letter == 'f')
			wish->fetches = true;
		else if (letter != 'w')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]);
	}
	if (optind != argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	if (wish->fetches && wish->by_boot)
		return cli_usage(cli, "--fetch asks the system that runs now; leave --boot and --last out");
	if (wish->fetches && !wish->kind)
		wish->kind = "app";
	if (wish->fetches && strcmp(wish->kind, "app") && strcmp(wish->kind, "system"))
		return cli_usage(cli, "--fetch brings what is of --kind app (default) or system");
	return CLI_OK;
}

static char *path_of(const struct cli *cli, const char *node, const struct wish *wish)
{
	char query[64];

	snprintf(query, sizeof query, "/logs%s%.16s", wish->kind ? "?kind=" : "", wish->kind ? wish->kind : "");
	if (wish->by_boot)
		snprintf(query + strlen(query), sizeof query - strlen(query), "%cboot=%u", wish->kind ? '&' : '?', (unsigned)wish->boot);
	return cli_node_path(cli, node, query);
}

int cli_node_logs(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	const json_t *entry;
	struct wish wish;
	char *path;
	size_t i;
	int r;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the node first");
	r = parse(cli, argc, argv, &wish);
	if (r == CLI_OK && wish.fetches)
		r = cli_order(cli, argv[0], "log", json_pack("{ss}", "kind", wish.kind), wish.wait);
	if (r != CLI_OK)
		return r;
	path = path_of(cli, argv[0], &wish);
	if (!path)
		return CLI_USAGE;
	r = cli_call(cli, "GET", path, NULL, &answer);
	free(path);
	/* What came just now is the last. */
	while (r == CLI_OK && wish.fetches && json_array_size(json_get_array(answer, "logs")) > 1)
		json_array_remove(json_get_array(answer, "logs"), 0);
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

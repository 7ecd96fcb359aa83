// SPDX-License-Identifier: GPL-2.0-or-later
/* Orders to a node's agent: node notice, node logout, node run, node orders. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"

#define WAIT_DEFAULT 15
#define WAIT_MOST 86400
#define SECONDS_LEAST 10     /* the node's clock may differ a little */
#define SECONDS_WITHOUT_WAIT 60

struct asked {
	uint64_t wait;       /* seconds */
	const char *user;
	json_t *arguments;   /* of an action; owned */
};

static int take_argument(const struct cli *cli, json_t *arguments)
{
	const char *equals = strchr(optarg, '=');
	char name[64];

	if (!equals || equals == optarg || (size_t)(equals - optarg) >= sizeof name)
		return cli_usage(cli, "--argument wants NAME=VALUE");
	snprintf(name, sizeof name, "%.*s", (int)(equals - optarg), optarg);
	if (json_object_set_new(arguments, name, json_string(equals + 1)))
		return cli_usage(cli, "--argument wants text in UTF-8");
	return CLI_OK;
}

/* Options into `asked`; `*ret_rest` is the first argument that is none. */
static int parse(const struct cli *cli, const char *allowed, int argc, char *argv[], struct asked *asked, int *ret_rest)
{
	static const struct option options[] = { { "wait", required_argument, NULL, 'w' }, { "user", required_argument, NULL, 'u' },
						 { "argument", required_argument, NULL, 'a' }, { NULL, 0, NULL, 0 } };
	int letter, r = CLI_OK;

	*asked = (struct asked){ .wait = WAIT_DEFAULT, .arguments = json_object() };
	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter == '?' || letter == ':' || !strchr(allowed, letter))
			r = cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
		else if (letter == 'w' && (parse_u64(optarg, &asked->wait) < 0 || asked->wait > WAIT_MOST))
			r = cli_usage(cli, "--wait wants a number of seconds, 0 to %d", WAIT_MOST);
		else if (letter == 'u')
			asked->user = optarg;
		else if (letter == 'a')
			r = take_argument(cli, asked->arguments);
	}
	*ret_rest = optind - 1;
	return r;
}

/* ------------------------------------------------------------------ waiting */

static int fetch(const struct cli *cli, const char *node, uint64_t number, json_t **ret_order)
{
	char rest[64], *path;
	json_t *answer = NULL;
	int r;

	snprintf(rest, sizeof rest, "/orders?order=%llu", (unsigned long long)number);
	path = cli_node_path(cli, node, rest);
	if (!path)
		return CLI_USAGE;
	r = cli_call(cli, "GET", path, NULL, &answer);
	free(path);
	if (r == CLI_OK) {
		*ret_order = json_incref(json_array_get(json_get_array(answer, "orders"), 0));
		json_decref(answer);
	}
	return r;
}

static bool is_open(const json_t *order)
{
	const char *state = cli_text(order, "state");

	return !strcmp(state, "waiting") || !strcmp(state, "sent");
}

static int show_end(const struct cli *cli, const json_t *order, uint64_t waited)
{
	const char *state = cli_text(order, "state"), *text = cli_text(order, "text");
	bool done = !strcmp(state, "done");
	int r = is_open(order) ? CLI_TIMEOUT : done ? CLI_OK : CLI_FAILED;

	if (cli->json)
		return cli_print_json(order) == CLI_OK ? r : CLI_FAILED;
	if (done)
		puts(strcmp(text, "-") ? text : "done");
	else if (is_open(order))
		fprintf(stderr, "repave: no answer in %llu s (the order is %s); `repave node orders` shows how it ends\n",
			(unsigned long long)waited, state);
	else
		fprintf(stderr, "repave: %s: %s\n", state, text);
	return r;
}

/* The order as it is when it has ended, or the time is over. */
static int wait_for_end(const struct cli *cli, const char *node, uint64_t number, uint64_t seconds, json_t **ret_order)
{
	const struct timespec pause = { 0, 200000000 };
	time_t end = time(NULL) + (time_t)seconds;
	json_t *order = NULL;
	int r = fetch(cli, node, number, &order);

	while (r == CLI_OK && is_open(order) && time(NULL) < end) {
		nanosleep(&pause, NULL);
		json_decref(order);
		order = NULL;
		r = fetch(cli, node, number, &order);
	}
	if (r == CLI_OK)
		*ret_order = order;
	return r;
}

/* `arguments` is taken over. */
static int give(const struct cli *cli, const char *node, const char *action, json_t *arguments, uint64_t wait, uint64_t *ret_number)
{
	uint64_t seconds = wait == 0 ? SECONDS_WITHOUT_WAIT : wait < SECONDS_LEAST ? SECONDS_LEAST : wait;
	json_t *body = json_pack("{ss so sI}", "action", action, "arguments", arguments, "seconds", (json_int_t)seconds), *answer = NULL;
	char *path = body ? cli_node_path(cli, node, "/orders") : NULL;
	int r = CLI_USAGE;

	if (!body)
		cli_usage(cli, "the text must be UTF-8");
	if (path)
		r = cli_call(cli, "POST", path, body, &answer);
	free(path);
	json_decref(body);
	if (r == CLI_OK)
		json_get_u64(answer, "order", ret_number);
	json_decref(answer);
	return r;
}

/* Gives the order, waits and shows the end; `arguments` is taken over. */
static int order(const struct cli *cli, const char *node, const char *action, json_t *arguments, uint64_t wait)
{
	uint64_t number = 0;
	json_t *ended = NULL;
	int r = give(cli, node, action, arguments, wait, &number);

	if (r == CLI_OK && !wait && !cli->json) {
		printf("Order %llu is stored; `repave node orders %s` shows how it ends.\n", (unsigned long long)number, node);
		return CLI_OK;
	}
	if (r == CLI_OK)
		r = wait_for_end(cli, node, number, wait, &ended);
	if (r == CLI_OK)
		r = show_end(cli, ended, wait);
	json_decref(ended);
	return !wait && r == CLI_TIMEOUT ? CLI_OK : r;
}

int cli_order(const struct cli *cli, const char *node, const char *action, json_t *arguments, uint64_t seconds)
{
	uint64_t number = 0;
	json_t *ended = NULL;
	int r = give(cli, node, action, arguments, seconds, &number);

	if (r == CLI_OK)
		r = wait_for_end(cli, node, number, seconds, &ended);
	if (r == CLI_OK && strcmp(cli_text(ended, "state"), "done"))
		r = show_end(cli, ended, seconds);
	json_decref(ended);
	return r;
}

/* ------------------------------------------------------------------ commands */

int cli_node_notice(const struct cli *cli, int argc, char *argv[])
{
	struct buffer text = { 0 };
	struct asked asked;
	int rest, r = parse(cli, "w", argc, argv, &asked, &rest);

	if (r == CLI_OK && argc - rest < 2)
		r = cli_usage(cli, "name a node, and say what users shall read");
	for (int i = rest + 1; r == CLI_OK && i < argc; i++)
		if (buffer_printf(&text, "%s%s", i > rest + 1 ? " " : "", argv[i]) < 0)
			r = CLI_FAILED;
	if (r == CLI_OK)
		r = order(cli, argv[rest], "notice", json_pack("{ss}", "text", (const char *)text.data), asked.wait);
	buffer_release(&text);
	json_decref(asked.arguments);
	return r;
}

int cli_node_logout(const struct cli *cli, int argc, char *argv[])
{
	struct asked asked;
	int rest, r = parse(cli, "wu", argc, argv, &asked, &rest);

	if (r == CLI_OK && argc - rest != 1)
		r = cli_usage(cli, "name one node");
	if (r == CLI_OK)
		r = order(cli, argv[rest], "logout", asked.user ? json_pack("{ss}", "user", asked.user) : json_object(), asked.wait);
	json_decref(asked.arguments);
	return r;
}

int cli_node_run(const struct cli *cli, int argc, char *argv[])
{
	struct asked asked;
	int rest, r = parse(cli, "wa", argc, argv, &asked, &rest);

	if (r == CLI_OK && argc - rest != 2)
		r = cli_usage(cli, "name one node and one action");
	if (r == CLI_OK)
		r = order(cli, argv[rest], "run", json_pack("{ss sO}", "name", argv[rest + 1], "arguments", asked.arguments), asked.wait);
	json_decref(asked.arguments);
	return r;
}

static void print_orders(const json_t *orders)
{
	struct cli_table table = { .columns = 6 };
	char given[32], number[24];
	json_t *order;
	size_t i;

	if (json_array_size(orders) == 0) {
		puts("No order was given to this node.");
		return;
	}
	cli_table_add(&table, (const char *[]){ "ORDER", "GIVEN", "ACTION", "STATE", "ENDED", "ANSWER" });
	json_array_foreach(orders, i, order) {
		char ended[32];

		snprintf(number, sizeof number, "%lld", (long long)json_integer_value(json_object_get(order, "order")));
		cli_table_add(&table, (const char *[]){ number, cli_time(order, "created", given), cli_text(order, "action"),
							cli_text(order, "state"), cli_time(order, "ended", ended), cli_text(order, "text") });
	}
	cli_table_print(&table);
}

int cli_node_orders(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	char *path;
	int r;

	if (argc != 1)
		return cli_usage(cli, "name one node");
	path = cli_node_path(cli, argv[0], "/orders");
	if (!path)
		return CLI_USAGE;
	r = cli_call(cli, "GET", path, NULL, &answer);
	free(path);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(json_get_array(answer, "orders"));
	else if (r == CLI_OK)
		print_orders(json_get_array(answer, "orders"));
	json_decref(answer);
	return r;
}

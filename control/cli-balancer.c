// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about groups and balancers: group, balancer. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/cli.h"
#include "control/groups.h"

static int no_arguments(const struct cli *cli, int argc, char *argv[])
{
	return argc ? cli_usage(cli, "unknown argument \"%s\"", argv[0]) : CLI_OK;
}

static const char *number_text(const json_t *object, const char *key, char ret_text[24])
{
	snprintf(ret_text, 24, "%lld", (long long)json_integer_value(json_object_get(object, key)));
	return ret_text;
}

/* ------------------------------------------------------------------ groups */

static void add_group(struct cli_table *table, const json_t *group)
{
	const json_t *service = json_object_get(group, "service");
	char port[64] = "-", nodes[24], ready[24], sessions[24], minimum[24];

	if (service)
		snprintf(port, sizeof port, "%lld/%s", (long long)json_integer_value(json_object_get(service, "port")),
			 json_get_string(service, "mode") ? cli_text(service, "mode") : "http");
	cli_table_add(table, (const char *[]){ cli_text(group, "name"), cli_text(group, "account"), cli_text(group, "os"), cli_text(group, "app"), port,
					       number_text(group, "nodes", nodes), number_text(group, "minimum", minimum),
					       service ? number_text(group, "ready", ready) : "-",
					       service ? number_text(group, "sessions", sessions) : "-",
					       json_is_true(json_object_get(group, "denied")) ? "denied" : service ? "admitted" : "-" });
}

int cli_group_list(const struct cli *cli, int argc, char *argv[])
{
	struct cli_table table = { .columns = 10 };
	json_t *answer = NULL, *group;
	int r = no_arguments(cli, argc, argv);
	size_t i;

	if (r == CLI_OK)
		r = cli_call(cli, "GET", "/v1/groups", NULL, &answer);
	if (r == CLI_OK && cli->json) {
		r = cli_print_json(json_object_get(answer, "groups"));
	} else if (r == CLI_OK) {
		cli_table_add(&table, (const char *[]){ "GROUP", "ACCOUNT", "OS", "APP", "SERVICE", "NODES", "MINIMUM", "READY", "SESSIONS",
							"NEW USERS" });
		json_array_foreach(json_object_get(answer, "groups"), i, group)
			add_group(&table, group);
		cli_table_print(&table);
	}
	json_decref(answer);
	return r;
}

static int deny(const struct cli *cli, int argc, char *argv[], bool denied)
{
	json_t *body, *answer = NULL;
	char path[GROUP_NAME_MOST + 32];
	int r;

	if (argc != 1 || !group_name_valid(argv[0]))
		return cli_usage(cli, "name one group");
	snprintf(path, sizeof path, "/v1/groups/%s/denied", argv[0]);
	body = json_pack("{sb}", "denied", (int)denied);
	r = cli_call(cli, "PUT", path, body, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("group %s takes %snew users\n", argv[0], denied ? "no " : "");
	json_decref(answer);
	json_decref(body);
	return r;
}

int cli_group_deny(const struct cli *cli, int argc, char *argv[])
{
	return deny(cli, argc, argv, true);
}

int cli_group_admit(const struct cli *cli, int argc, char *argv[])
{
	return deny(cli, argc, argv, false);
}

/* ------------------------------------------------------------------ balancers */

static void show_haproxies(const json_t *haproxies)
{
	struct cli_table table = { .columns = 4 };
	const json_t *haproxy;
	char since[32];
	size_t i;

	cli_table_add(&table, (const char *[]){ "HAPROXY", "REACHABLE", "SINCE", "TROUBLE" });
	json_array_foreach(json_iterable(haproxies), i, haproxy) {
		const char *missing = json_get_string(haproxy, "missing_backend");
		char trouble[160];

		snprintf(trouble, sizeof trouble, "no backend %s: print its configuration anew, and reload", missing ? cli_text(haproxy, "missing_backend") : "");
		cli_table_add(&table, (const char *[]){ cli_text(haproxy, "socket"), json_is_true(json_object_get(haproxy, "reachable")) ? "yes" : "no",
							cli_time(haproxy, "since", since), missing ? trouble : cli_text(haproxy, "error") });
	}
	cli_table_print(&table);
}

static void add_server(struct cli_table *table, const json_t *server)
{
	const char *name = json_get_string(server, "name");
	char address[96], sessions[24], queue[24], response[24], weight[24], check[48];

	snprintf(address, sizeof address, strchr(cli_text(server, "address"), ':') ? "[%s]:%s" : "%s:%s", cli_text(server, "address"),
		 number_text(server, "port", weight));
	snprintf(check, sizeof check, "%s %s", json_is_true(json_object_get(server, "up")) ? "up" : "DOWN", cli_text(server, "check"));
	cli_table_add(table, (const char *[]){ cli_text(server, "backend"), cli_text(server, name ? "name" : "server"), address, cli_text(server, "state"),
					       check, number_text(server, "sessions", sessions), number_text(server, "queue", queue),
					       number_text(server, "response_ms", response), number_text(server, "weight", weight),
					       cli_text(server, "socket") });
}

int cli_balancer_show(const struct cli *cli, int argc, char *argv[])
{
	struct cli_table table = { .columns = 10 };
	json_t *answer = NULL, *server;
	int r = no_arguments(cli, argc, argv);
	size_t i;

	if (r == CLI_OK)
		r = cli_call(cli, "GET", "/v1/balancer", NULL, &answer);
	if (r == CLI_OK && cli->json) {
		r = cli_print_json(answer);
	} else if (r == CLI_OK) {
		show_haproxies(json_object_get(answer, "haproxies"));
		putchar('\n');
		cli_table_add(&table, (const char *[]){ "BACKEND", "SERVER", "ADDRESS", "STATE", "CHECK", "SESSIONS", "QUEUE", "RESPONSE MS", "WEIGHT",
							"HAPROXY" });
		json_array_foreach(json_object_get(answer, "servers"), i, server)
			add_server(&table, server);
		cli_table_print(&table);
	}
	json_decref(answer);
	return r;
}

int cli_balancer_config(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "socket", required_argument, NULL, 's' }, { "unprivileged", no_argument, NULL, 'u' }, { 0 } };
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~-:[]";
	const char *socket = NULL, *text;
	bool unprivileged = false;
	json_t *answer = NULL;
	char path[256];
	int option, r;

	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc + 1, argv - 1, "", options, NULL)) != -1) {
		if (option == 's')
			socket = optarg;
		else if (option == 'u')
			unprivileged = true;
		else
			return cli_usage(cli, "unknown option, or one without its value: \"%s\"", argv[optind - 2]);
	}
	if (optind <= argc || (socket && !text_of(socket, letters, 128)))
		return cli_usage(cli, "a socket is unix:/PATH or tcp:ADDRESS:PORT, as in the fleet file");
	snprintf(path, sizeof path, "/v1/balancer/config?%s%s%s", unprivileged ? "unprivileged=1&" : "", socket ? "socket=" : "", socket ? socket : "");
	r = cli_call(cli, "GET", path, NULL, &answer);
	text = json_get_string(answer, "config");
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		r = !text || fputs(text, stdout) < 0 || fflush(stdout) ? CLI_FAILED : CLI_OK;
	json_decref(answer);
	return r;
}

int cli_balancer_set(const struct cli *cli, int argc, char *argv[])
{
	json_t *body, *answer = NULL;
	char *path;
	int r;

	if (argc != 2)
		return cli_usage(cli, "name a node, and ready, drain or maint");
	path = cli_node_path(cli, argv[0], "/balancer");
	if (!path)
		return CLI_USAGE;
	body = json_pack("{ss}", "want", argv[1]);
	r = body ? cli_call(cli, "PUT", path, body, &answer) : CLI_FAILED;
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("node %s: %s\n", cli_text(answer, "id"), cli_text(answer, "want"));
	json_decref(answer);
	json_decref(body);
	free(path);
	return r;
}

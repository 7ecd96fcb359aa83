// SPDX-License-Identifier: GPL-2.0-or-later
/* Monitors that stand between agents and the control unit: monitor create, list, revoke; node monitor. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "control/cli.h"
#include "control/names.h"
#include "control/pki.h"

/* Key, certificate, and the fleet's authority: what repave-monitor is started with. */
static int write_credential(const char *path, const struct buffer *key, const json_t *answer)
{
	struct buffer pem = { 0 };
	const char *certificate = json_get_string(answer, "certificate"), *ca = json_get_string(answer, "ca");
	int r = certificate && ca ? buffer_printf(&pem, "%s%s%s", (const char *)key->data, certificate, ca) : -EPROTO;

	if (!r)
		r = file_store(path, pem.data, pem.size, 0600);
	if (pem.data)
		explicit_bzero(pem.data, pem.size);
	buffer_release(&pem);
	return r < 0 ? (log_error(r, "can't write %s; repeat the command with --file", path), CLI_FAILED) : CLI_OK;
}

static int make(const struct cli *cli, const char *name, const char *address, const char *path)
{
	struct buffer key = { 0 }, request = { 0 };
	json_t *body = NULL, *answer = NULL;
	int r = CLI_FAILED;

	/* The key is made here, and never goes over the network. */
	if (pki_make_request(name, &key, &request) < 0)
		goto out;
	body = json_pack("{ss ss ss}", "name", name, "address", address, "csr", (const char *)request.data);
	r = cli_call(cli, "POST", "/v1/monitors", body, &answer);
	if (r == CLI_OK)
		r = write_credential(path, &key, answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("%s\n", path);
	if (r == CLI_OK)
		fprintf(stderr, "repave: the credential of monitor %s, with its secret key: bring it to its machine, and start there\n"
			"  repave-monitor --credential FILE --control HOST:8443\n", name);
out:
	if (key.data)
		explicit_bzero(key.data, key.size);
	buffer_release(&key);
	buffer_release(&request);
	json_decref(body);
	json_decref(answer);
	return r;
}

int cli_monitor_create(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "address", required_argument, NULL, 'a' }, { "file", required_argument, NULL, 'f' },
						 { NULL, 0, NULL, 0 } };
	const char *address = NULL, *path = NULL;
	char own[MONITOR_NAME_MOST + 16];
	struct stat info;
	int letter;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter == 'a')
			address = optarg;
		else if (letter == 'f')
			path = optarg;
		else
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
	}
	if (optind != argc || !address)
		return cli_usage(cli, "give a name, and --address HOST:PORT, where servers reach the monitor");
	if (!monitor_name_valid(argv[optind - 1]))
		return cli_usage(cli, "a monitor's name is 1 to %u lower-case letters, digits and inner hyphens, and not \"none\"", MONITOR_NAME_MOST);
	snprintf(own, sizeof own, "%s.monitor.pem", argv[optind - 1]);
	path = path ? path : own;
	/* A device is no place for a secret; a file that is there may be another one's. */
	if (!lstat(path, &info))
		return cli_usage(cli, "%s is there already; remove it, or choose another name with --file", path);
	return make(cli, argv[optind - 1], address, path);
}

static void show_monitors(const json_t *answer)
{
	struct cli_table table = { .columns = 7 };
	char ends[32], given[24], present[24], heard[48];
	const json_t *monitor, *seconds;
	size_t i;

	cli_table_add(&table, (const char *[]){ "MONITOR", "ADDRESS", "STATE", "FROM", "NODES", "BY IT NOW", "EXPIRES" });
	json_array_foreach(json_get_array(answer, "monitors"), i, monitor) {
		seconds = json_object_get(monitor, "heard_seconds");
		if (json_is_true(json_object_get(monitor, "silent")))
			snprintf(heard, sizeof heard, "SILENT");
		else if (json_is_number(seconds))
			snprintf(heard, sizeof heard, "heard %.0f s ago", json_number_value(seconds));
		else
			snprintf(heard, sizeof heard, "not heard yet");
		snprintf(given, sizeof given, "%lld", (long long)json_integer_value(json_object_get(monitor, "nodes")));
		snprintf(present, sizeof present, "%lld", (long long)json_integer_value(json_object_get(monitor, "present")));
		cli_table_add(&table, (const char *[]){ cli_text(monitor, "name"), cli_text(monitor, "address"), heard, cli_text(monitor, "from"), given,
							present, cli_time(monitor, "expires", ends) });
	}
	cli_table_print(&table);
}

int cli_monitor_list(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	int r;

	if (argc > 0)
		return cli_usage(cli, "unknown argument \"%s\"", argv[0]);
	r = cli_call(cli, "GET", "/v1/monitors", NULL, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(json_object_get(answer, "monitors"));
	else if (r == CLI_OK)
		show_monitors(answer);
	json_decref(answer);
	return r;
}

int cli_monitor_revoke(const struct cli *cli, int argc, char *argv[])
{
	char path[MONITOR_NAME_MOST + 32];
	json_t *answer = NULL;
	int r;

	if (argc != 1 || !monitor_name_valid(argv[0]))
		return cli_usage(cli, "name one monitor (`repave monitor list`)");
	snprintf(path, sizeof path, "/v1/monitors/%s", argv[0]);
	r = cli_call(cli, "DELETE", path, NULL, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("monitor %s is revoked; its servers speak with the control unit directly\n", argv[0]);
	json_decref(answer);
	return r;
}

static int give(const struct cli *cli, const char *node, const char *monitor)
{
	json_t *body = json_pack("{ss?}", "monitor", strcmp(monitor, "none") ? monitor : NULL), *answer = NULL;
	char *path = cli_node_path(cli, node, "/monitor");
	int r = !path ? CLI_USAGE : CLI_FAILED;

	if (path)
		r = cli_call(cli, "PUT", path, body, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK && strcmp(monitor, "none"))
		printf("node %s goes by monitor %s\n", cli_text(answer, "id"), monitor);
	else if (r == CLI_OK)
		printf("node %s speaks with the control unit directly\n", cli_text(answer, "id"));
	free(path);
	json_decref(body);
	json_decref(answer);
	return r;
}

int cli_node_monitor(const struct cli *cli, int argc, char *argv[])
{
	int r = CLI_OK;

	if (argc < 2)
		return cli_usage(cli, "name nodes, and a monitor (`repave monitor list`) or none");
	if (strcmp(argv[argc - 1], "none") && !monitor_name_valid(argv[argc - 1]))
		return cli_usage(cli, "\"%.40s\" is no monitor's name; `repave monitor list` shows them", argv[argc - 1]);
	for (int i = 0; r == CLI_OK && i < argc - 1; i++)
		r = give(cli, argv[i], argv[argc - 1]);
	return r;
}

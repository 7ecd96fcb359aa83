// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about identities: token, operator, node approve, node allow, node list --pending, settings. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/names.h"

/* What may stand in a path of the interface. */
#define PATH_WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._"

static int only_arguments(const struct cli *cli, int argc, char *argv[], int most, const char *what)
{
	if (argc > most)
		return cli_usage(cli, "unknown argument \"%s\"", argv[most]);
	return argc < most ? cli_usage(cli, "name %s", what) : CLI_OK;
}

/* Calls and shows the answer: as JSON, or with the sentence that `show` prints. */
static int call_and_show(const struct cli *cli, const char *method, const char *path, const json_t *body,
			 void (*show)(const json_t *answer))
{
	json_t *answer = NULL;
	int r = cli_call(cli, method, path, body, &answer);

	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		show(answer);
	json_decref(answer);
	return r;
}

/* GETs a list: as JSON it alone, or with the table that `show` prints. */
static int list_and_show(const struct cli *cli, const char *path, const char *key, void (*show)(const json_t *answer))
{
	json_t *answer = NULL;
	int r = cli_call(cli, "GET", path, NULL, &answer);

	if (r == CLI_OK && cli->json)
		r = cli_print_json(json_object_get(answer, key));
	else if (r == CLI_OK)
		show(answer);
	json_decref(answer);
	return r;
}

/* The path of one thing, its name given by the user. malloc'd; NULL after the message. */
static char *path_of(const struct cli *cli, const char *folder, const char *name, const char *rest)
{
	char *path;

	if (!text_of(name, PATH_WORD, 64)) {
		cli_usage(cli, "\"%.64s\" is no name of one", text_printable(name, strlen(name)) ? name : "?");
		return NULL;
	}
	return asprintf(&path, "%s/%s%s", folder, name, rest) < 0 ? NULL : path;
}

static int call_on(const struct cli *cli, const char *method, const char *folder, const char *name, const char *rest,
		   void (*show)(const json_t *answer))
{
	char *path = path_of(cli, folder, name, rest);
	int r = path ? call_and_show(cli, method, path, NULL, show) : CLI_USAGE;

	free(path);
	return r;
}

/* ------------------------------------------------------------------ tokens */

static void show_token(const json_t *answer)
{
	char when[32];
	long long uses = json_integer_value(json_object_get(answer, "uses"));

	/* On a line of its own, for `$(…)` and for copying. */
	puts(cli_text(answer, "token"));
	fprintf(stderr, "repave: join token %s; it isn't shown again. It may be used ", cli_text(answer, "id"));
	if (uses)
		fprintf(stderr, "%lld time(s)", uses);
	else
		fputs("without limit", stderr);
	if (json_integer_value(json_object_get(answer, "expires")))
		fprintf(stderr, " until %s", cli_time(answer, "expires", when));
	fputs(".\n", stderr);
}

int cli_token_create(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "uses", required_argument, NULL, 'u' },
						 { "expires", required_argument, NULL, 'e' },
						 { "note", required_argument, NULL, 'n' },
						 { NULL, 0, NULL, 0 } };
	json_t *body = json_object();
	uint64_t uses = 0;
	int letter, r;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter == 'u' && !parse_u64(optarg, &uses) && uses >= 1 && uses <= 1000000)
			json_object_set_new(body, "uses", json_integer((json_int_t)uses));
		else if (letter == 'e')
			json_object_set_new(body, "expires", json_string(optarg));
		else if (letter == 'n')
			json_object_set_new(body, "note", json_string(optarg));
		else
			break;
	}
	if (letter == 'u')
		r = cli_usage(cli, "--uses wants a number from 1 to 1000000");
	else if (letter != -1)
		r = cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
	else if (optind != argc + 1)
		r = cli_usage(cli, "unknown argument \"%s\"", argv[optind - 1]);
	else
		r = call_and_show(cli, "POST", "/v1/tokens", body, show_token);
	json_decref(body);
	return r;
}

static void show_tokens(const json_t *answer)
{
	struct cli_table table = { .columns = 6 };
	char made[32], ends[32], uses[48];
	const json_t *token;
	size_t i;

	cli_table_add(&table, (const char *[]){ "TOKEN", "MADE", "USED", "EXPIRES", "STATE", "NOTE" });
	json_array_foreach(json_get_array(answer, "tokens"), i, token) {
		long long most = json_integer_value(json_object_get(token, "uses"));
		long long used = json_integer_value(json_object_get(token, "used"));
		int64_t expires = json_integer_value(json_object_get(token, "expires"));
		const char *state = json_integer_value(json_object_get(token, "revoked")) ? "revoked" :
				    expires && expires <= (int64_t)time(NULL) ? "expired" : most && used >= most ? "used up" : "good";

		if (most)
			snprintf(uses, sizeof uses, "%lld of %lld", used, most);
		else
			snprintf(uses, sizeof uses, "%lld", used);
		cli_table_add(&table, (const char *[]){ cli_text(token, "id"), cli_time(token, "created", made), uses,
							cli_time(token, "expires", ends), state, cli_text(token, "note") });
	}
	cli_table_print(&table);
}

int cli_token_list(const struct cli *cli, int argc, char *argv[])
{
	int r = only_arguments(cli, argc, argv, 0, "");

	return r == CLI_OK ? list_and_show(cli, "/v1/tokens", "tokens", show_tokens) : r;
}

static void show_revoked(const json_t *answer)
{
	printf("join token %s is revoked; servers that enrolled with it stay\n", cli_text(answer, "id"));
}

int cli_token_revoke(const struct cli *cli, int argc, char *argv[])
{
	int r = only_arguments(cli, argc, argv, 1, "the token by its id (`repave token list`)");

	return r == CLI_OK ? call_on(cli, "DELETE", "/v1/tokens", argv[0], "", show_revoked) : r;
}

/* ------------------------------------------------------------------ operators */

static void show_operator(const json_t *answer)
{
	puts(cli_text(answer, "token"));
	fprintf(stderr, "repave: the token of %s (%s); it isn't shown again. With it in a file, and the control unit's ca.pem beside that:\n"
		"  repave --server https://HOST:8444 --token-file FILE ...\n", cli_text(answer, "name"), cli_text(answer, "role"));
}

int cli_operator_add(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "role", required_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	const char *role = NULL;
	json_t *body;
	int letter, r;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter != 'r')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
		role = optarg;
	}
	if (optind != argc || !role)
		return cli_usage(cli, "give a name, and --role viewer, operator, admin or auditor");
	body = json_pack("{ss ss}", "name", argv[optind - 1], "role", role);
	r = call_and_show(cli, "POST", "/v1/operators", body, show_operator);
	json_decref(body);
	return r;
}

static void show_operators(const json_t *answer)
{
	struct cli_table table = { .columns = 3 };
	const json_t *operator;
	char made[32];
	size_t i;

	cli_table_add(&table, (const char *[]){ "OPERATOR", "ROLE", "ADDED" });
	json_array_foreach(json_get_array(answer, "operators"), i, operator)
		cli_table_add(&table, (const char *[]){ cli_text(operator, "name"), cli_text(operator, "role"),
							cli_time(operator, "created", made) });
	cli_table_print(&table);
}

int cli_operator_list(const struct cli *cli, int argc, char *argv[])
{
	int r = only_arguments(cli, argc, argv, 0, "");

	return r == CLI_OK ? list_and_show(cli, "/v1/operators", "operators", show_operators) : r;
}

static void show_removed(const json_t *answer)
{
	printf("operator %s is removed; the token counts no more\n", cli_text(answer, "name"));
}

int cli_operator_remove(const struct cli *cli, int argc, char *argv[])
{
	int r = only_arguments(cli, argc, argv, 1, "the operator");

	return r == CLI_OK ? call_on(cli, "DELETE", "/v1/operators", argv[0], "", show_removed) : r;
}

/* ------------------------------------------------------------------ machines */

static void show_approved(const json_t *answer)
{
	printf("node %s may enrol with the key that it showed; it asks again within seconds\n", cli_text(answer, "id"));
}

static void show_rejected(const json_t *answer)
{
	printf("node %s waits no more; it is listed again when it asks again\n", cli_text(answer, "id"));
}

int cli_node_approve(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "key", required_argument, NULL, 'k' }, { NULL, 0, NULL, 0 } };
	json_t *body = json_object();
	char *path = NULL;
	int letter, r;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) == 'k')
		json_object_set_new(body, "key", json_string(optarg));
	if (letter != -1)
		r = cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
	else if (optind != argc)
		r = cli_usage(cli, "name the server by its id, or 4 or more leading digits of it (`repave node list --pending`)");
	else if (!(path = path_of(cli, "/v1/enrolments", argv[optind - 1], "/approve")))
		r = CLI_USAGE;
	else
		r = call_and_show(cli, "POST", path, body, show_approved);
	free(path);
	json_decref(body);
	return r;
}

int cli_node_reject(const struct cli *cli, int argc, char *argv[])
{
	int r = only_arguments(cli, argc, argv, 1, "the server by its id, or 4 or more leading digits of it (`repave node list --pending`)");

	return r == CLI_OK ? call_on(cli, "DELETE", "/v1/enrolments", argv[0], "", show_rejected) : r;
}

static void show_forgotten(const json_t *answer)
{
	printf("node %s is forgotten; its certificate counts no more\n", cli_text(answer, "id"));
}

int cli_node_remove(const struct cli *cli, int argc, char *argv[])
{
	int r = only_arguments(cli, argc, argv, 1, "the node");

	return r == CLI_OK ? call_on(cli, "DELETE", "/v1/nodes", argv[0], "", show_forgotten) : r;
}

static void show_pending(const json_t *answer)
{
	struct cli_table table = { .columns = 7 };
	const json_t *list = json_get_array(answer, "enrolments"), *item;
	char when[32], key[16];
	size_t i;

	if (json_array_size(list) == 0) {
		puts("No server waits for approval.");
		return;
	}
	cli_table_add(&table, (const char *[]){ "NODE", "KEY", "SINCE", "ADDRESS", "SERIAL", "STATE", "REASON" });
	json_array_foreach(list, i, item) {
		snprintf(key, sizeof key, "%.12s", cli_text(item, "key"));
		cli_table_add(&table, (const char *[]){ cli_text(item, "id"), key, cli_time(item, "since", when), cli_text(item, "address"),
							cli_text(item, "serial"),
							json_is_true(json_object_get(item, "approved")) ? "approved" :
							json_is_true(json_object_get(item, "alarm")) ? "ALARM" : "waits",
							cli_text(item, "reason") });
	}
	cli_table_print(&table);
}

int cli_node_list(const struct cli *cli, int argc, char *argv[])
{
	if (argc == 1 && !strcmp(argv[0], "--pending"))
		return list_and_show(cli, "/v1/enrolments", "enrolments", show_pending);
	return cli_nodes(cli, argc, argv);
}

static void show_allowed(const json_t *answer)
{
	struct cli_table table = { .columns = 4 };
	const json_t *list = json_get_array(answer, "allowed"), *item;
	char when[32];
	size_t i;

	if (json_array_size(list) == 0) {
		puts("The allow list is empty.");
		return;
	}
	cli_table_add(&table, (const char *[]){ "KIND", "VALUE", "ADDED", "NOTE" });
	json_array_foreach(list, i, item)
		cli_table_add(&table, (const char *[]){ cli_text(item, "kind"), cli_text(item, "value"), cli_time(item, "created", when),
							cli_text(item, "note") });
	cli_table_print(&table);
}

static void show_entry(const json_t *answer)
{
	printf("%s %s is %s\n", cli_text(answer, "kind"), cli_text(answer, "value"),
	       json_is_true(json_object_get(answer, "allowed")) ? "on the allow list: it may enrol without a token" : "off the allow list");
}

int cli_node_allow(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "uuid", required_argument, NULL, 'u' }, { "serial", required_argument, NULL, 's' },
						 { "mac", required_argument, NULL, 'm' },  { "note", required_argument, NULL, 'n' },
						 { "remove", no_argument, NULL, 'r' },     { NULL, 0, NULL, 0 } };
	const char *kind = NULL, *value = NULL, *note = "";
	bool remove = false;
	json_t *body;
	int letter, index = 0, r;

	if (argc == 0)
		return list_and_show(cli, "/v1/allowed", "allowed", show_allowed);
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, &index)) != -1) {
		if (letter == ':' || letter == '?')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
		if (letter == 'r') {
			remove = true;
		} else if (letter == 'n') {
			note = optarg;
		} else if (kind) {
			return cli_usage(cli, "one of --uuid, --serial and --mac at a time");
		} else {
			kind = options[index].name;
			value = optarg;
		}
	}
	if (!kind || optind != argc + 1)
		return cli_usage(cli, "give --uuid, --serial or --mac with its value");
	body = json_pack("{ss ss ss sb}", "kind", kind, "value", value, "note", note, "allowed", (int)!remove);
	r = body ? call_and_show(cli, "PUT", "/v1/allowed", body, show_entry) : cli_usage(cli, "values are UTF-8 text");
	json_decref(body);
	return r;
}

/* ------------------------------------------------------------------ settings */

static void show_settings(const json_t *answer)
{
	printf("enrol=%-14s token: a join token is enough; approve: `repave node approve` too\n"
	       "clone_seconds=%-6lld a node's identity is replaced on the same machine once it was silent for so long\n"
	       "interval=%-11lld seconds between two statuses of an agent\n"
	       "images=%-13s stage1: servers get their own, and none while their system runs; any: whoever asks\n",
	       cli_text(answer, "enrol"), (long long)json_integer_value(json_object_get(answer, "clone_seconds")),
	       (long long)json_integer_value(json_object_get(answer, "interval")), cli_text(answer, "images"));
}

int cli_settings(const struct cli *cli, int argc, char *argv[])
{
	json_t *body;
	int r = CLI_OK;

	if (argc == 0)
		return call_and_show(cli, "GET", "/v1/settings", NULL, show_settings);
	body = json_object();
	for (int i = 0; r == CLI_OK && i < argc; i++) {
		char *equals = strchr(argv[i], '=');
		uint64_t number = 0;

		if (!equals || (strncmp(argv[i], "enrol=", 6) && strncmp(argv[i], "clone_seconds=", 14) && strncmp(argv[i], "interval=", 9) &&
			strncmp(argv[i], "images=", 7))) {
			r = cli_usage(cli, "settings are enrol=token|approve, clone_seconds=N, interval=N and images=stage1|any");
			break;
		}
		*equals = 0;
		json_object_set_new(body, argv[i], !parse_u64(equals + 1, &number) && number <= INT64_MAX ?
						   json_integer((json_int_t)number) : json_string(equals + 1));
	}
	if (r == CLI_OK)
		r = call_and_show(cli, "PUT", "/v1/settings", body, show_settings);
	json_decref(body);
	return r;
}

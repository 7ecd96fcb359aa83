// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about restarts: node reboot, reimage, release, urgency, cancel; restart list, show. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/names.h"

#define FOLLOW_NANOSECONDS 300000000L

/* ------------------------------------------------------------------ showing */

static bool has_ended(const json_t *restart)
{
	return json_integer_value(json_object_get(restart, "ended")) != 0;
}

static const char *node_of(const json_t *restart)
{
	return json_get_string(restart, "name") ? cli_text(restart, "name") : cli_text(restart, "node");
}

/* What else there is to say of the step it is at. */
static void print_aside(const json_t *restart, const char *step)
{
	const char *waits = json_get_string(restart, "waits");

	if (!strcmp(step, "failed"))
		printf("  %s", cli_text(restart, "error"));
	else if (!strcmp(step, "cancelled"))
		printf("  the node takes users as before");
	if (waits)
		printf("  waits: %s", waits);
}

/* What somebody may do about it. */
static void print_next(const json_t *restart)
{
	const char *step = cli_text(restart, "step"), *node = node_of(restart), *kind = cli_text(restart, "kind");

	if (!strcmp(step, "failed")) {
		printf("next: `repave node show %s` and `repave node logs %s` say how it is; then `repave node %s %s` tries again\n", node, node, kind,
		       node);
		if (json_get_string(restart, "spare"))
			printf("      the spare %s serves in its place; once it is back, `repave node release %s`\n", cli_text(restart, "spare"),
			       cli_text(restart, "spare"));
	} else if (!strcmp(step, "replace") || !strcmp(step, "drain") || !strcmp(step, "release")) {
		printf("next: it goes on when that is over; `repave node urgency %s notify` or `evict` hurries it, `repave node cancel %s` ends it\n", node, node);
	}
}

/* Rows of the steps from the `from`th on; returns how many are over. */
static size_t print_steps(const json_t *restart, size_t from)
{
	const json_t *steps = json_get_array(restart, "steps"), *step;
	size_t i;

	json_array_foreach(steps, i, step) {
		char when[32];

		if (i >= from)
			printf("  %s  %-9s %8.1f s\n", cli_time(step, "at", when), cli_text(step, "step"),
			       json_number_value(json_object_get(step, "seconds")));
	}
	return json_array_size(steps);
}

static void print_now(const json_t *restart)
{
	char when[32];

	printf("  %s  %-9s", cli_time(restart, "since", when), cli_text(restart, "step"));
	print_aside(restart, cli_text(restart, "step"));
	printf("  (%.1f s %s)", json_number_value(json_object_get(restart, "seconds")), has_ended(restart) ? "in all" : "so far");
	putchar('\n');
	print_next(restart);
}

static void print_head(const json_t *restart)
{
	const char *reason = json_get_string(restart, "reason"), *name = json_get_string(restart, "name");
	const char *spare = json_get_string(restart, "spare");

	printf("restart %lld: %s of node %s%s%s%s, urgency %s, ordered by %s%s%s%s%s\n", (long long)json_integer_value(json_object_get(restart, "id")),
	       cli_text(restart, "kind"), node_of(restart), name ? " (" : "", name ? cli_text(restart, "node") : "", name ? ")" : "",
	       cli_text(restart, "urgency"), cli_text(restart, "by"), reason ? ": " : "", reason ? reason : "", spare ? "; in its place: " : "",
	       spare ? spare : "");
}

static void print_restart(const json_t *restart)
{
	print_head(restart);
	print_steps(restart, 0);
	print_now(restart);
}

static int status_of(const json_t *restart)
{
	return !has_ended(restart) || !strcmp(cli_text(restart, "step"), "done") ? CLI_OK : CLI_FAILED;
}

/* Prints each step as it is reached. `restart` is replaced by its last state. */
static int follow(const struct cli *cli, json_t **restart)
{
	long long id = json_integer_value(json_object_get(*restart, "id"));
	size_t printed = 0;
	char path[64];

	snprintf(path, sizeof path, "/v1/restarts/%lld", id);
	if (!cli->json)
		print_head(*restart);
	for (;;) {
		json_t *next = NULL;
		int r;

		if (!cli->json)
			printed = print_steps(*restart, printed);
		fflush(stdout);
		if (has_ended(*restart))
			break;
		nanosleep(&(struct timespec){ .tv_nsec = FOLLOW_NANOSECONDS }, NULL);
		r = cli_call(cli, "GET", path, NULL, &next);
		if (r != CLI_OK)
			return r;
		json_decref(*restart);
		*restart = next;
	}
	if (!cli->json)
		print_now(*restart);
	return CLI_OK;
}

static int show(const struct cli *cli, json_t **restart, bool follows)
{
	int r = follows ? follow(cli, restart) : CLI_OK;

	if (r != CLI_OK)
		return r;
	if (cli->json)
		r = cli_print_json(*restart);
	else if (!follows)
		print_restart(*restart);
	return r == CLI_OK ? status_of(*restart) : r;
}

/* ------------------------------------------------------------------ ordering */

struct wish {
	json_t *body, *limits, *change;
	bool follows;
};

static int add_limit(const struct cli *cli, struct wish *wish, const char *name, size_t size, const char *value)
{
	char why[ERROR_TEXT] = "", key[16];
	int64_t seconds;

	if (size >= sizeof key || duration_parse(value, &seconds, why) < 0)
		return cli_usage(cli, "\"%.40s\" is no length of time, such as 30s or 10m", value);
	memcpy(key, name, size);
	key[size] = 0;
	json_object_set_new(wish->limits, key, json_integer((json_int_t)seconds));
	return CLI_OK;
}

static int take_option(const struct cli *cli, struct wish *wish, int letter, const char *value)
{
	const char *equals;

	switch (letter) {
	case 'u':
		json_object_set_new(wish->body, "urgency", json_string(value));
		break;
	case 'h':
		json_object_set_new(wish->body, "urgency", json_string("handover"));
		break;
	case 'g':
		return add_limit(cli, wish, "grace", 5, value);
	case 'l':
		equals = strchr(value, '=');
		if (!equals)
			return cli_usage(cli, "--limit wants NAME=TIME");
		return add_limit(cli, wish, value, (size_t)(equals - value), equals + 1);
	case 'r':
		json_object_set_new(wish->body, "reason", json_string(value));
		break;
	case 'o':
		json_object_set_new(wish->change, "os", json_string(value));
		break;
	case 'a':
		json_object_set_new(wish->change, "app", json_string(value));
		break;
	case 'n':
		json_object_set_new(wish->change, "app", json_null());
		break;
	case 'f':
		wish->follows = true;
		break;
	}
	return CLI_OK;
}

static int parse_wish(const struct cli *cli, int argc, char *argv[], bool chooses, struct wish *wish)
{
	static const struct option options[] = {
		{ "urgency", required_argument, NULL, 'u' }, { "grace", required_argument, NULL, 'g' },
		{ "limit", required_argument, NULL, 'l' },   { "reason", required_argument, NULL, 'r' },
		{ "handover", no_argument, NULL, 'h' },       { "follow", no_argument, NULL, 'f' },
		{ "os", required_argument, NULL, 'o' },
		{ "app", required_argument, NULL, 'a' },
		{ "no-app", no_argument, NULL, 'n' },
		{ NULL, 0, NULL, 0 }
	};
	int letter, r = CLI_OK;

	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (letter == ':' || letter == '?')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 1]);
		if (!chooses && strchr("oan", letter))
			return cli_usage(cli, "it keeps its images; `repave node reimage` chooses others");
		r = take_option(cli, wish, letter, optarg);
	}
	if (r == CLI_OK && optind != argc)
		r = cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	return r;
}

static int order(const struct cli *cli, const char *kind, int argc, char *argv[])
{
	struct wish wish = { 0 };
	json_t *answer = NULL;
	char *path;
	int r;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the node first");
	path = cli_node_path(cli, argv[0], "/restart");
	if (!path)
		return CLI_USAGE;
	wish = (struct wish){ json_pack("{ss}", "kind", kind), json_object(), json_object(), false };
	r = parse_wish(cli, argc, argv, !strcmp(kind, "reimage"), &wish);
	json_object_set_new(wish.body, "limits", wish.limits);
	json_object_set_new(wish.body, "change", json_object_size(wish.change) ? json_incref(wish.change) : json_null());
	if (r == CLI_OK)
		r = cli_call(cli, "POST", path, wish.body, &answer);
	if (r == CLI_OK)
		r = show(cli, &answer, wish.follows);
	json_decref(answer);
	json_decref(wish.change);
	json_decref(wish.body);
	free(path);
	return r;
}

int cli_node_reboot(const struct cli *cli, int argc, char *argv[])
{
	return order(cli, "reboot", argc, argv);
}

int cli_node_reimage(const struct cli *cli, int argc, char *argv[])
{
	return order(cli, "reimage", argc, argv);
}

int cli_node_release(const struct cli *cli, int argc, char *argv[])
{
	return order(cli, "release", argc, argv);
}

/* Changes the restart of a node, and shows it. */
static int change(const struct cli *cli, const char *method, const char *node, const json_t *body)
{
	char *path = cli_node_path(cli, node, "/restart");
	json_t *answer = NULL;
	int r = path ? cli_call(cli, method, path, body, &answer) : CLI_USAGE;

	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		print_restart(answer);
	json_decref(answer);
	free(path);
	return r;
}

int cli_node_urgency(const struct cli *cli, int argc, char *argv[])
{
	json_t *body;
	int r;

	if (argc != 2)
		return cli_usage(cli, "name the node, and wait, notify, handover or evict");
	body = json_pack("{ss}", "urgency", argv[1]);
	r = change(cli, "PUT", argv[0], body);
	json_decref(body);
	return r;
}

int cli_node_cancel(const struct cli *cli, int argc, char *argv[])
{
	if (argc != 1)
		return cli_usage(cli, "name one node");
	return change(cli, "DELETE", argv[0], NULL);
}

/* ------------------------------------------------------------------ looking */

static void print_list(const json_t *restarts)
{
	struct cli_table table = { .columns = 8 };
	const json_t *restart;
	size_t i;

	cli_table_add(&table, (const char *[]){ "RESTART", "BEGAN", "NODE", "KIND", "URGENCY", "STEP", "TOOK", "NOTE" });
	json_array_foreach(restarts, i, restart) {
		const char *waits = json_get_string(restart, "waits"), *error = json_get_string(restart, "error");
		char id[24], when[32], took[24], note[256];

		snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_object_get(restart, "id")));
		snprintf(note, sizeof note, "%s%s", waits ? "waits: " : "", waits ? waits : error ? error : "");
		snprintf(took, sizeof took, "%.1f s", json_number_value(json_object_get(restart, "seconds")));
		cli_table_add(&table, (const char *[]){ id, cli_time(restart, "started", when), node_of(restart),
							cli_text(restart, "kind"), cli_text(restart, "urgency"), cli_text(restart, "step"),
							took, note });
	}
	cli_table_print(&table);
}

int cli_restart_list(const struct cli *cli, int argc, char *argv[])
{
	const char *node = NULL;
	json_t *answer = NULL;
	bool active = false;
	char path[160];
	int r;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--active"))
			active = true;
		else if (!strcmp(argv[i], "--node") && i + 1 < argc)
			node = argv[++i];
		else
			return cli_usage(cli, "unknown argument \"%s\", or its value is missing", argv[i]);
	}
	if (node && !text_of(node, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.", 64))
		return cli_usage(cli, "\"%.64s\" is no name of a node", text_printable(node, strlen(node)) ? node : "?");
	snprintf(path, sizeof path, "/v1/restarts?active=%d%s%s", active, node ? "&node=" : "", node ? node : "");
	r = cli_call(cli, "GET", path, NULL, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(json_object_get(answer, "restarts"));
	else if (r == CLI_OK)
		print_list(json_object_get(answer, "restarts"));
	json_decref(answer);
	return r;
}

int cli_restart_show(const struct cli *cli, int argc, char *argv[])
{
	bool follows = argc == 2 && !strcmp(argv[1], "--follow");
	json_t *answer = NULL;
	char path[64];
	uint64_t id;
	int r;

	if (argc < 1 || (argc == 2 && !follows) || argc > 2)
		return cli_usage(cli, "name one restart by its number; --follow may stand behind it");
	if (parse_u64(argv[0], &id) < 0)
		return cli_usage(cli, "a restart has a number; `repave restart list` shows them");
	snprintf(path, sizeof path, "/v1/restarts/%llu", (unsigned long long)id);
	r = cli_call(cli, "GET", path, NULL, &answer);
	if (r == CLI_OK)
		r = show(cli, &answer, follows);
	json_decref(answer);
	return r;
}

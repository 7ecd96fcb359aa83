// SPDX-License-Identifier: GPL-2.0-or-later
/* node watch: asks once a second, and shows what changed. */
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli-screen.h"
#include "control/cli.h"
#include "control/watch.h"

#define LINES_MOST 10000u

struct watch {
	const struct cli *cli;
	char **names;          /* of nodes; none: all */
	int count;
	struct watch_goal goal;
	uint64_t timeout;      /* seconds; 0: none */
	bool live;             /* a terminal that can be written over */
	struct watch_widths widths;
	json_t *nodes;         /* as they were last; owned */
};

/* ------------------------------------------------------------------ asking */

static int ask_one(const struct watch *watch, const char *name, json_t *list)
{
	char *path = cli_node_path(watch->cli, name, "/state");
	json_t *node = NULL;
	int r;

	if (!path)
		return CLI_USAGE;
	r = cli_call(watch->cli, "GET", path, NULL, &node);
	free(path);
	if (r == CLI_OK && json_array_append_new(list, node))
		r = CLI_FAILED;
	return r;
}

static int ask(const struct watch *watch, json_t **ret_nodes)
{
	json_t *nodes, *answer = NULL;
	int r = CLI_OK;

	if (watch->count == 0) {
		r = cli_call(watch->cli, "GET", "/v1/nodes", NULL, &answer);
		if (r != CLI_OK)
			return r;
		*ret_nodes = json_incref(json_get_array(answer, "nodes"));
		json_decref(answer);
		return *ret_nodes ? CLI_OK : CLI_FAILED;
	}
	nodes = json_array();
	for (int i = 0; r == CLI_OK && i < watch->count; i++)
		r = ask_one(watch, watch->names[i], nodes);
	if (r == CLI_OK)
		*ret_nodes = nodes;
	else
		json_decref(nodes);
	return r;
}

/* ------------------------------------------------------------------ showing */

/* The whole picture in one write: a terminal never shows half of one. */
static void draw(struct watch *watch)
{
	char *text = NULL;
	size_t size = 0;
	FILE *picture = open_memstream(&text, &size);

	if (!picture)
		return;
	fputs(TO_TOP, picture);
	watch_table(watch->nodes, time(NULL), screen_columns(), screen_lines() - 1, END_OF_LINE, &watch->widths, picture);
	fputs(CLEAR_BELOW, picture);
	if (!fclose(picture)) {
		fwrite(text, 1, size, stdout);
		fflush(stdout);
	}
	free(text);
}

static const json_t *find(const json_t *nodes, const json_t *wanted)
{
	const char *id = json_get_string(wanted, "id");
	json_t *node;
	size_t i;

	json_array_foreach(nodes, i, node)
		if (id && !strcmp(cli_text(node, "id"), id))
			return node;
	return NULL;
}

static void print_json_line(const json_t *node, int64_t now)
{
	json_t *line = json_deep_copy(node), *progress = json_object_get(line, "progress");

	json_object_set_new(line, "time", json_integer(now));
	if (json_is_object(progress))
		json_object_set_new(progress, "percent", json_integer(watch_percent(progress)));
	json_dumpf(line, stdout, JSON_COMPACT | JSON_SORT_KEYS);
	putchar('\n');
	json_decref(line);
}

/* A line for each node that isn't as it was in `before`. */
static void print_changes(const struct watch *watch, const json_t *before)
{
	int64_t now = time(NULL);
	json_t *node;
	size_t i;

	json_array_foreach(watch->nodes, i, node) {
		const json_t *was = find(before, node);

		if (was && watch_same(was, node))
			continue;
		if (watch->cli->json)
			print_json_line(node, now);
		else
			watch_line(node, now, stdout);
	}
	fflush(stdout);
}

static void screen(const struct watch *watch, const char *sequence)
{
	if (watch->live)
		screen_say(sequence);
}

/* ------------------------------------------------------------------ the watch */

/* Asks once and shows it. */
static int look(struct watch *watch)
{
	json_t *nodes = NULL, *before = watch->nodes;
	int r = ask(watch, &nodes);

	if (r != CLI_OK && watch->live && before) {
		/* Once more where its message stays. */
		screen(watch, LEAVE_SCREEN);
		r = ask(watch, &nodes);
		screen(watch, ENTER_SCREEN);
	}
	if (r != CLI_OK)
		return r;
	watch->nodes = nodes;
	if (watch->live && !before)
		screen(watch, ENTER_SCREEN);
	if (watch->live)
		draw(watch);
	else
		print_changes(watch, before);
	json_decref(before);
	return CLI_OK;
}

static int watch_nodes(struct watch *watch)
{
	double begun = screen_clock(), next = begun;
	int r;

	while ((r = look(watch)) == CLI_OK && !screen_interrupted()) {
		if (watch_goal_reached(&watch->goal, watch->nodes))
			return watch_goal_missed(&watch->goal, watch->nodes) ? CLI_FAILED : CLI_OK;
		if (watch->timeout && screen_clock() - begun >= (double)watch->timeout)
			return watch->goal.count ? CLI_TIMEOUT : CLI_OK;
		if (ferror(stdout))
			return CLI_FAILED;
		next += 1;
		if (next < screen_clock())
			next = screen_clock();
		screen_pause(next);
		if (screen_interrupted())
			break;
	}
	/* An interrupted wait has reached nothing: a script must not go on. */
	return r != CLI_OK ? r : watch->goal.count ? 128 + screen_interrupted() : CLI_OK;
}

static int parse(struct watch *watch, int argc, char *argv[])
{
	static const struct option options[] = { { "until", required_argument, NULL, 'u' },
						 { "timeout", required_argument, NULL, 't' },
						 { NULL, 0, NULL, 0 } };
	int letter;

	opterr = 0;
	optind = 1;
	/* The words before argv[0] are the command's own; getopt skips one. */
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter == ':')
			return cli_usage(watch->cli, "%s wants a value", argv[optind - 2]);
		if (letter == '?')
			return cli_usage(watch->cli, "unknown option \"%s\"", argv[optind - 2]);
		if (letter == 'u' && watch_goal_parse(optarg, &watch->goal) < 0)
			return cli_usage(watch->cli, "--until wants states of waiting, booting, booted and failed, commas between them");
		if (letter == 't' && (parse_u64(optarg, &watch->timeout) < 0 || watch->timeout < 1 || watch->timeout > 1000000000))
			return cli_usage(watch->cli, "--timeout wants a number of seconds, 1 or more");
	}
	watch->names = argv - 1 + optind;
	watch->count = argc + 1 - optind;
	return CLI_OK;
}

int cli_node_watch(const struct cli *cli, int argc, char *argv[])
{
	struct watch watch = { .cli = cli };
	int r = parse(&watch, argc, argv);

	if (r != CLI_OK)
		return r;
	setlocale(LC_CTYPE, "");
	watch.live = !cli->json && screen_is_live();
	screen_catch_signals();
	r = watch_nodes(&watch);
	if (watch.nodes && watch.live) {
		/* How it ended stays to be read. */
		screen(&watch, LEAVE_SCREEN);
		watch_table(watch.nodes, time(NULL), screen_columns(), LINES_MOST, "\n", &watch.widths, stdout);
	}
	if (r == CLI_TIMEOUT)
		fprintf(stderr, "repave: not all nodes got there in %llu s; `repave node show NODE` says more\n",
			(unsigned long long)watch.timeout);
	json_decref(watch.nodes);
	return r;
}

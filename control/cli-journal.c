// SPDX-License-Identifier: GPL-2.0-or-later
/* audit list, event list and decisions: what was done, what happened, and what was decided. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/names.h"

#define WORD "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-."
#define BATCH 1000u

struct journal {
	const struct cli *cli;
	const char *path, *key;    /* "/v1/events", "events" */
	void (*print)(const json_t *entry);
	const char *node, *severity, *group;
	uint64_t most;
	bool follow;
};

static void print_event(const json_t *entry)
{
	const char *node = cli_text(entry, "node");
	char when[32];

	printf("%s  %-7s  %s%s%s\n", cli_time(entry, "time", when), cli_text(entry, "severity"), strcmp(node, "-") ? node : "",
	       strcmp(node, "-") ? "  " : "", cli_text(entry, "text"));
}

static void print_audit(const json_t *entry)
{
	char when[32];

	printf("%s  %s (%s) from %s: %s %s: %lld: %s\n", cli_time(entry, "time", when), cli_text(entry, "who"), cli_text(entry, "role"),
	       cli_text(entry, "from"), cli_text(entry, "method"), cli_text(entry, "path"),
	       (long long)json_integer_value(json_object_get(entry, "status")), cli_text(entry, "what"));
}

static const char *name_of(const json_t *entry, const char *name, const char *id)
{
	const char *text = cli_text(entry, name);

	return strcmp(text, "-") ? text : cli_text(entry, id);
}

static void print_decision(const json_t *entry)
{
	const char *spare = cli_text(entry, "spare"), *origin = cli_text(entry, "origin"), *group = cli_text(entry, "group");
	bool by_rule = !strcmp(origin, "rule");
	char when[32];

	printf("%s  %6lld  %-9s  %-10s  %-16.36s  %-16s  %s %s: %s%s%s\n", cli_time(entry, "time", when),
	       (long long)json_integer_value(json_object_get(entry, "sequence")), cli_text(entry, "state"), cli_text(entry, "action"),
	       name_of(entry, "node_name", "node"), strcmp(group, "") ? group : "-", by_rule ? "rule" : "by", by_rule ? cli_text(entry, "rule") : origin,
	       cli_text(entry, "reason"), strcmp(spare, "-") && *spare ? "; spare " : "", strcmp(spare, "-") ? name_of(entry, "spare_name", "spare") : "");
}

/* Entries behind `after`, or with a negative one the last. */
static int ask(const struct journal *j, int64_t after, json_t **ret_answer)
{
	char *path, from[32] = "";
	int r;

	if (after >= 0)
		snprintf(from, sizeof from, "&after=%lld", (long long)after);
	if (asprintf(&path, "%s?most=%u%s%s%s%s%s%s%s", j->path, after >= 0 ? BATCH : (unsigned)j->most, from, j->node ? "&node=" : "",
		     j->node ? j->node : "", j->severity ? "&severity=" : "", j->severity ? j->severity : "", j->group ? "&group=" : "", j->group ? j->group : "") < 0)
		return CLI_FAILED;
	r = cli_call(j->cli, "GET", path, NULL, ret_answer);
	free(path);
	return r;
}

static void print_all(const struct journal *j, const json_t *list, int64_t *after)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry) {
		*after = json_integer_value(json_object_get(entry, "sequence"));
		if (j->cli->json) {
			json_dumpf(entry, stdout, JSON_COMPACT | JSON_SORT_KEYS);
			putchar('\n');
		} else {
			j->print(entry);
		}
	}
	fflush(stdout);
}

/* Until the reader is gone, or a signal. */
static int follow(const struct journal *j)
{
	json_t *answer = NULL;
	int64_t after = -1;
	int r = ask(j, after, &answer);

	while (r == CLI_OK && !ferror(stdout)) {
		const json_t *list = json_get_array(answer, j->key);
		bool more = after >= 0 && json_array_size(list) == BATCH;

		print_all(j, list, &after);
		if (after < 0)
			after = 0;
		json_decref(answer);
		answer = NULL;
		if (!more)
			sleep(1);
		r = ask(j, after, &answer);
	}
	json_decref(answer);
	return r;
}

static int list(const struct journal *j)
{
	json_t *answer = NULL;
	int64_t after;
	int r = ask(j, -1, &answer);

	if (r == CLI_OK && j->cli->json)
		r = cli_print_json(json_get_array(answer, j->key));
	else if (r == CLI_OK)
		print_all(j, json_get_array(answer, j->key), &after);
	json_decref(answer);
	return r;
}

enum which { JOURNAL_EVENTS, JOURNAL_AUDIT, JOURNAL_DECISIONS };

static int parse(struct journal *j, enum which which, int argc, char *argv[])
{
	static const struct option options[] = { { "follow", no_argument, NULL, 'f' },       { "most", required_argument, NULL, 'm' },
						 { "node", required_argument, NULL, 'n' },   { "severity", required_argument, NULL, 's' },
						 { "group", required_argument, NULL, 'g' },
						 { NULL, 0, NULL, 0 } };
	int letter;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter == 'f')
			j->follow = true;
		else if (letter == 'm' && (parse_u64(optarg, &j->most) < 0 || j->most < 1 || j->most > BATCH))
			return cli_usage(j->cli, "--most wants a number from 1 to %u", BATCH);
		else if (letter == 'n' && which != JOURNAL_AUDIT && text_of(optarg, WORD, 64))
			j->node = optarg;
		else if (letter == 's' && which == JOURNAL_EVENTS && text_of(optarg, WORD, 16))
			j->severity = optarg;
		else if (letter == 'g' && which == JOURNAL_DECISIONS && text_of(optarg, WORD, 64))
			j->group = optarg;
		else if (letter != 'm')
			return cli_usage(j->cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
	}
	return optind == argc + 1 ? CLI_OK : cli_usage(j->cli, "unknown argument \"%s\"", argv[optind - 1]);
}

static int run(struct journal *j, enum which which, int argc, char *argv[])
{
	int r = parse(j, which, argc, argv);

	if (r != CLI_OK)
		return r;
	return j->follow ? follow(j) : list(j);
}

int cli_event_list(const struct cli *cli, int argc, char *argv[])
{
	struct journal j = { .cli = cli, .path = "/v1/events", .key = "events", .print = print_event, .most = 50 };

	return run(&j, JOURNAL_EVENTS, argc, argv);
}

int cli_audit_list(const struct cli *cli, int argc, char *argv[])
{
	struct journal j = { .cli = cli, .path = "/v1/audit", .key = "audit", .print = print_audit, .most = 50 };

	return run(&j, JOURNAL_AUDIT, argc, argv);
}

int cli_decisions(const struct cli *cli, int argc, char *argv[])
{
	struct journal j = { .cli = cli, .path = "/v1/decisions", .key = "decisions", .print = print_decision, .most = 50 };

	return run(&j, JOURNAL_DECISIONS, argc, argv);
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* decide replay, group clear. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/snapshot-text.h"

#define SINCE_DEFAULT 86400

/* Decides from a round's snapshot. A new reference in `ret_list`. CLI_OK or CLI_FAILED. */
static int decide_anew(const json_t *round, json_t **ret_list)
{
	struct decisions decisions = { 0 };
	struct fleet_snapshot snapshot;
	char why[ERROR_TEXT] = "";
	int r = snapshot_parse(round, &snapshot, why);

	if (r < 0) {
		fprintf(stderr, "repave: the round can't be read: %s\n", why[0] ? why : strerror(-r));
		return CLI_FAILED;
	}
	r = decide(&snapshot.seen, &decisions);
	*ret_list = r < 0 ? NULL : decisions_format(&snapshot.seen, &decisions);
	decisions_release(&decisions);
	fleet_snapshot_release(&snapshot);
	return *ret_list ? CLI_OK : CLI_FAILED;
}

static void print_difference(const json_t *was, const json_t *is)
{
	size_t count = json_array_size(was) > json_array_size(is) ? json_array_size(was) : json_array_size(is);

	for (size_t i = 0; i < count; i++) {
		const json_t *before = json_array_get(was, i), *after = json_array_get(is, i);
		char *first, *second;

		if (json_equal(before, after))
			continue;
		first = before ? json_format(before) : strdup("nothing");
		second = after ? json_format(after) : strdup("nothing");
		printf("  decision %zu was %s\n  and would be %s\n", i + 1, first ? first : "?", second ? second : "?");
		free(first);
		free(second);
		return;
	}
}

static int replay_one(const struct cli *cli, uint64_t number)
{
	json_t *round = NULL, *anew = NULL;
	char path[64];
	bool same;
	int r;

	snprintf(path, sizeof path, "/v1/rounds/%llu", (unsigned long long)number);
	r = cli_call(cli, "GET", path, NULL, &round);
	if (r == CLI_OK)
		r = decide_anew(round, &anew);
	if (r == CLI_OK) {
		same = json_equal(json_object_get(round, "decisions"), anew);
		printf("round %llu: %zu node(s), %zu decision(s): %s\n", (unsigned long long)number, json_array_size(json_object_get(round, "nodes")),
		       json_array_size(anew), same ? "same" : "differs");
		if (!same)
			print_difference(json_object_get(round, "decisions"), anew);
		r = same ? CLI_OK : CLI_FAILED;
	}
	json_decref(anew);
	json_decref(round);
	return r;
}

static int replay_since(const struct cli *cli, int64_t since)
{
	json_t *answer = NULL, *round;
	char path[64];
	size_t i;
	int r, worst = CLI_OK;

	snprintf(path, sizeof path, "/v1/rounds?since=%lld", (long long)since);
	r = cli_call(cli, "GET", path, NULL, &answer);
	if (r != CLI_OK)
		return r;
	json_array_foreach(json_object_get(answer, "rounds"), i, round) {
		r = replay_one(cli, (uint64_t)json_integer_value(json_object_get(round, "round")));
		if (r != CLI_OK)
			worst = r;
	}
	if (!i)
		puts("No rounds with decisions are kept since then.");
	json_decref(answer);
	return worst;
}

int cli_decide_replay(const struct cli *cli, int argc, char *argv[])
{
	int64_t seconds = SINCE_DEFAULT;
	char why[ERROR_TEXT];
	uint64_t round;

	if (argc == 1 && parse_u64(argv[0], &round) == 0 && round)
		return replay_one(cli, round);
	if (argc && (argc != 2 || strcmp(argv[0], "--since")))
		return cli_usage(cli, "want a round's number, or --since TIME");
	if (argc && duration_parse(argv[1], &seconds, why) < 0)
		return cli_usage(cli, "%s", why);
	return replay_since(cli, (int64_t)time(NULL) - seconds);
}

int cli_group_clear(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL, *body;
	char path[128];
	int r;

	if (argc != 1 || !text_of(argv[0], "abcdefghijklmnopqrstuvwxyz0123456789-", 63))
		return cli_usage(cli, "want the name of a group");
	snprintf(path, sizeof path, "/v1/groups/%s/failures", argv[0]);
	body = json_object();
	r = cli_call(cli, "PUT", path, body, &answer);
	json_decref(body);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("The plans of group %s may go on.\n", argv[0]);
	json_decref(answer);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about the fleet file: apply, fleet export. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "control/cli.h"
#include "control/fleet-file.h"

struct apply {
	const char *file;
	bool dry_run, yes;
};

static int parse_options(const struct cli *cli, int argc, char *argv[], struct apply *ret_apply)
{
	static const struct option options[] = {
		{ "file", required_argument, NULL, 'f' }, { "dry-run", no_argument, NULL, 'n' }, { "yes", no_argument, NULL, 'y' }, { 0 },
	};
	int option;

	*ret_apply = (struct apply){ 0 };
	opterr = 0;
	optind = 1;
	while ((option = getopt_long(argc + 1, argv - 1, "f:", options, NULL)) != -1) {
		if (option == 'f')
			ret_apply->file = optarg;
		else if (option == 'n')
			ret_apply->dry_run = true;
		else if (option == 'y')
			ret_apply->yes = true;
		else
			return cli_usage(cli, "unknown option, or one without its value: \"%s\"", argv[optind - 2]);
	}
	if (optind <= argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[optind - 1]);
	return ret_apply->file ? CLI_OK : cli_usage(cli, "name the file with -f");
}

static int read_file(const char *name, json_t **ret_fleet)
{
	bool is_input = !strcmp(name, "-");
	struct buffer text = { 0 };
	char why[ERROR_TEXT] = "";
	json_t *lines;
	int r = file_load_any(is_input ? "/dev/stdin" : name, FLEET_FILE_MOST, &text);

	if (r < 0) {
		log_error(r, "can't read %s", name);
		return CLI_FAILED;
	}
	lines = json_object();
	r = lines ? fleet_file_parse(text.data ? (const char *)text.data : "", text.size, ret_fleet, lines, why) : -ENOMEM;
	buffer_release(&text);
	if (!r)
		r = fleet_file_check(*ret_fleet, lines, why);
	json_decref(lines);
	if (r < 0)
		fprintf(stderr, "repave: %s: %s\n", is_input ? "standard input" : name, why[0] ? why : strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

/* Changes carry names from outside. */
static void print_changes(const json_t *changes)
{
	const json_t *change;
	size_t i;

	json_array_foreach(json_iterable(changes), i, change) {
		const char *text = json_string_value(change);

		puts(text && text_printable(text, strlen(text)) ? text : "?");
	}
	fflush(stdout);
}

static int ask(size_t changes)
{
	char answer[16];

	if (!isatty(STDIN_FILENO)) {
		fputs("repave: nothing was changed: there is no terminal to ask at; --yes applies it\n", stderr);
		return CLI_FAILED;
	}
	fprintf(stderr, "Apply %zu change(s)? [y/N] ", changes);
	if (fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y'))
		return CLI_OK;
	fputs("repave: nothing was changed\n", stderr);
	return CLI_FAILED;
}

/* Only what was shown is applied. */
static int put_fleet(const struct cli *cli, const json_t *fleet, const json_t *changes)
{
	json_t *body = json_pack("{sO sO}", "fleet", fleet, "expect", changes), *answer = NULL;
	int r = body ? cli_call(cli, "PUT", "/v1/fleet", body, &answer) : CLI_FAILED;

	json_decref(answer);
	json_decref(body);
	return r;
}

static int show_and_apply(const struct cli *cli, const struct apply *apply, const json_t *fleet)
{
	json_t *answer = NULL, *changes;
	int r = cli_call(cli, "POST", "/v1/fleet/plan", fleet, &answer);
	bool todo;

	if (r != CLI_OK)
		return r;
	changes = json_get_array(answer, "changes");
	todo = json_array_size(changes) > 0;
	if (cli->json)
		r = cli_print_json(answer);
	else
		print_changes(changes);
	if (!cli->json && !todo)
		puts("nothing to do");
	if (r == CLI_OK && todo && !apply->dry_run) {
		r = apply->yes ? CLI_OK : ask(json_array_size(changes));
		if (r == CLI_OK)
			r = put_fleet(cli, fleet, changes);
		if (r == CLI_OK && !cli->json)
			printf("%zu change(s) applied\n", json_array_size(changes));
	}
	json_decref(answer);
	return r;
}

int cli_apply(const struct cli *cli, int argc, char *argv[])
{
	struct apply apply;
	json_t *fleet = NULL;
	int r = parse_options(cli, argc, argv, &apply);

	if (r == CLI_OK)
		r = read_file(apply.file, &fleet);
	if (r == CLI_OK)
		r = show_and_apply(cli, &apply, fleet);
	json_decref(fleet);
	return r;
}

int cli_fleet_export(const struct cli *cli, int argc, char *argv[])
{
	json_t *fleet = NULL;
	char *text = NULL;
	int r;

	if (argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[0]);
	r = cli_call(cli, "GET", "/v1/fleet", NULL, &fleet);
	if (r == CLI_OK && cli->json) {
		r = cli_print_json(fleet);
	} else if (r == CLI_OK) {
		r = fleet_file_format(fleet, &text) < 0 || fputs(text, stdout) < 0 || fflush(stdout) ? CLI_FAILED : CLI_OK;
		free(text);
	}
	json_decref(fleet);
	return r;
}

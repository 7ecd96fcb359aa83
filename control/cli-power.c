// SPDX-License-Identifier: GPL-2.0-or-later
/* repave node power: settings of BMCs, and jobs that they carry out. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "control/cli.h"
#include "control/power-record.h"

#define ASK_FIRST_MS 50 /* twice as long each time, up to */
#define ASK_MOST_MS 800

/* Calls for a node; the answer is the caller's. */
static int call_node(const struct cli *cli, const char *method, const char *node, const char *rest, const json_t *body, json_t **ret_answer)
{
	char *path = cli_node_path(cli, node, rest);
	int r = path ? cli_call(cli, method, path, body, ret_answer) : CLI_USAGE;

	free(path);
	return r;
}

/* ------------------------------------------------------------------ settings */

/* A file's text as a member of `body`; "-" is standard input. The password's line end isn't part of it. */
static int add_text(json_t *body, const char *name, const char *path, size_t most, bool is_line)
{
	struct buffer text = { 0 };
	int r = file_load_any(strcmp(path, "-") ? path : "/dev/stdin", most, &text);

	if (r < 0) {
		log_error(r, "can't read %s", path);
		return CLI_FAILED;
	}
	if (is_line && text.size && text.data[text.size - 1] == '\n')
		text.size--;
	if (is_line && text.size && text.data[text.size - 1] == '\r')
		text.size--;
	r = json_object_set_new(body, name, json_stringn(text.size ? (const char *)text.data : "", text.size)) < 0;
	if (text.data)
		explicit_bzero(text.data, text.size);
	buffer_release(&text);
	if (r)
		fprintf(stderr, "repave: %s isn't UTF-8 text\n", path);
	return r ? CLI_FAILED : CLI_OK;
}

static int add_number(const struct cli *cli, json_t *body, const char *name, const char *text)
{
	uint64_t number;

	if (parse_u64(text, &number) < 0 || number > INT32_MAX)
		return cli_usage(cli, "--%s wants a number", name);
	return json_object_set_new(body, name, json_integer((json_int_t)number)) < 0 ? CLI_FAILED : CLI_OK;
}

static int add_option(const struct cli *cli, json_t *body, int letter, const char *name)
{
	switch (letter) {
	case 't': return json_object_set_new(body, name, json_string(optarg)) < 0 ? cli_usage(cli, "--%s wants UTF-8 text", name) : CLI_OK;
	case 'n': return add_number(cli, body, name, optarg);
	case 'p': return add_text(body, "password", optarg, 4096, true);
	case 'c': return add_text(body, "ca", optarg, POWER_CA_MOST, false);
	}
	return cli_usage(cli, "unknown option, or its value is missing");
}

static void show_settings(const json_t *power)
{
	const json_t *settings = json_get_object(power, "settings"), *job = json_get_object(power, "job");
	char when[32];

	if (!settings) {
		puts("no power control; `repave node power set` sets it up");
		return;
	}
	printf("driver       %s\naddress      %s\nuser         %s\n", cli_text(settings, "driver"), cli_text(settings, "address"),
	       cli_text(settings, "user"));
	if (json_object_get(settings, "cipher"))
		printf("cipher suite %lld\n", (long long)json_integer_value(json_object_get(settings, "cipher")));
	else
		printf("system       %s\ncertificate  %s\n", json_get_string(settings, "system") ? cli_text(settings, "system") : "the only one",
		       json_get_string(settings, "fingerprint") ? cli_text(settings, "fingerprint") : "signed by the CA that was given");
	printf("timeout      %lld s\n", (long long)json_integer_value(json_object_get(settings, "timeout")));
	if (json_integer_value(json_object_get(settings, "refused")))
		printf("refused      user or password, %s\n", cli_time(settings, "refused", when));
	if (job)
		printf("last job     %s, %s: %s%s%s; the server was %s\n", cli_text(job, "action"), cli_time(job, "started", when),
		       cli_text(job, "result"), json_get_string(job, "text")[0] ? ": " : "", json_get_string(job, "text")[0] ? cli_text(job, "text") : "",
		       cli_text(job, "state"));
}

static int show_answer(const struct cli *cli, int r, json_t *answer, void (*show)(const json_t *))
{
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		show(answer);
	json_decref(answer);
	return r;
}

static int set(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "driver", required_argument, NULL, 't' },      { "address", required_argument, NULL, 't' },
		{ "user", required_argument, NULL, 't' },        { "password-file", required_argument, NULL, 'p' },
		{ "bmc-ca", required_argument, NULL, 'c' },         { "fingerprint", required_argument, NULL, 't' },
		{ "system", required_argument, NULL, 't' },      { "cipher", required_argument, NULL, 'n' },
		{ "timeout", required_argument, NULL, 'n' },     { NULL, 0, NULL, 0 },
	};
	json_t *body = json_object(), *answer = NULL;
	int letter, index = 0, r = CLI_OK;

	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc, argv, ":", options, &index)) != -1)
		r = add_option(cli, body, letter, options[index].name);
	if (r == CLI_OK && optind != argc - 1)
		r = cli_usage(cli, "name one node");
	if (r == CLI_OK && !json_object_get(body, "password"))
		r = cli_usage(cli, "give --password-file: a file, or - for standard input");
	if (r == CLI_OK)
		r = call_node(cli, "PUT", argv[optind], "/power", body, &answer);
	json_decref(body);
	return show_answer(cli, r, answer, show_settings);
}

static int show(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	int r = argc == 2 ? call_node(cli, "GET", argv[1], "/power", NULL, &answer) : cli_usage(cli, "name one node");

	return show_answer(cli, r, answer, show_settings);
}

static void show_removed(const json_t *answer)
{
	printf("node %s has no power control any more, and its BMC's password is forgotten\n", cli_text(answer, "id"));
}

static int forget(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	int r = argc == 2 ? call_node(cli, "DELETE", argv[1], "/power", NULL, &answer) : cli_usage(cli, "name one node");

	return show_answer(cli, r, answer, show_removed);
}

/* ------------------------------------------------------------------ jobs */

/* Asks until the job is over; `job` is replaced. */
static int wait_for(const struct cli *cli, json_t **job)
{
	long pause = ASK_FIRST_MS;
	char path[64];
	int r = CLI_OK;

	snprintf(path, sizeof path, "/v1/power-jobs/%lld", (long long)json_integer_value(json_object_get(*job, "job")));
	while (r == CLI_OK && !strcmp(cli_text(*job, "result"), "running")) {
		json_t *next = NULL;

		nanosleep(&(struct timespec){ .tv_nsec = pause * 1000000L }, NULL);
		pause = pause < ASK_MOST_MS ? 2 * pause : pause;
		r = cli_call(cli, "GET", path, NULL, &next);
		if (r == CLI_OK) {
			json_decref(*job);
			*job = next;
		}
	}
	return r;
}

static int act(const struct cli *cli, int argc, char *argv[])
{
	json_t *body, *job = NULL;
	int r;

	if (argc != 2)
		return cli_usage(cli, "name one node");
	body = json_pack("{ss}", "action", argv[0]);
	r = call_node(cli, "POST", argv[1], "/power-jobs", body, &job);
	json_decref(body);
	if (r == CLI_OK)
		r = wait_for(cli, &job);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(job);
	else if (r == CLI_OK && !strcmp(cli_text(job, "result"), "done"))
		printf("%s is %s%s%s\n", argv[1], cli_text(job, "state"), json_get_string(job, "text")[0] ? ": " : "",
		       json_get_string(job, "text")[0] ? cli_text(job, "text") : "");
	if (r == CLI_OK && strcmp(cli_text(job, "result"), "done")) {
		fprintf(stderr, "repave: power %s of %s failed: %s\n", argv[0], argv[1], cli_text(job, "text"));
		r = CLI_FAILED;
	}
	json_decref(job);
	return r;
}

int cli_node_power(const struct cli *cli, int argc, char *argv[])
{
	enum power_action action;

	if (argc == 0)
		return cli_usage(cli, "say what: set, show, remove, status, on, off, reset, cycle or shutdown");
	if (!strcmp(argv[0], "set"))
		return set(cli, argc, argv);
	if (!strcmp(argv[0], "show"))
		return show(cli, argc, argv);
	if (!strcmp(argv[0], "remove"))
		return forget(cli, argc, argv);
	if (!power_action_parse(argv[0], &action))
		return act(cli, argc, argv);
	return cli_usage(cli, "\"%s\" isn't set, show, remove, status, on, off, reset, cycle or shutdown", argv[0]);
}

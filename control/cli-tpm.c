// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about what servers prove by their TPMs: tpm list, allow, ca, expect, accept. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "common/file.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/names.h"
#include "control/tpm-crypto.h"

#define FILE_MOST (128u * 1024)

static int call_and_show(const struct cli *cli, const char *method, const char *path, const json_t *body, void (*show)(const json_t *answer))
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

/* A file as text. NULL after the message. */
static char *read_text(const struct cli *cli, const char *path)
{
	struct buffer text = { 0 };

	if (file_load(path, FILE_MOST, &text) < 0 || !text.size || memchr(text.data, 0, text.size)) {
		buffer_release(&text);
		cli_usage(cli, "can't read %s, or it isn't a text of at most %u KiB", path, FILE_MOST >> 10);
		return NULL;
	}
	return (char *)text.data;
}

static void show_removed(const json_t *answer)
{
	printf("%s is removed\n", cli_text(answer, "removed"));
}

static int remove_one(const struct cli *cli, const char *folder, const char *name)
{
	char *path;
	int r;

	if (!text_of(name, "0123456789abcdef", 64))
		return cli_usage(cli, "\"%.64s\" are no hexadecimal digits", text_printable(name, strlen(name)) ? name : "?");
	if (asprintf(&path, "/v1/tpm/%s/%s", folder, name) < 0)
		return CLI_FAILED;
	r = call_and_show(cli, "DELETE", path, NULL, show_removed);
	free(path);
	return r;
}

/* ------------------------------------------------------------------ list */

static void show_authorities(const json_t *list)
{
	struct cli_table table = { .columns = 3 };
	const json_t *entry;
	char when[32];
	size_t i;

	cli_table_add(&table, (const char *[]){ "AUTHORITY", "SUBJECT", "ADDED" });
	json_array_foreach(json_iterable(list), i, entry)
		cli_table_add(&table, (const char *[]){ cli_text(entry, "sha256"), cli_text(entry, "subject"), cli_time(entry, "added", when) });
	cli_table_print(&table);
}

static void show_revocations(const json_t *list)
{
	struct cli_table table = { .columns = 5 };
	const json_t *entry;
	char from[32], until[32], count[24];
	size_t i;

	cli_table_add(&table, (const char *[]){ "REVOCATIONS", "AUTHORITY", "FROM", "TO BE RENEWED", "REVOKED" });
	json_array_foreach(json_iterable(list), i, entry) {
		snprintf(count, sizeof count, "%lld", (long long)json_integer_value(json_object_get(entry, "revoked")));
		cli_table_add(&table, (const char *[]){ cli_text(entry, "issuer"), cli_text(entry, "subject"), cli_time(entry, "from", from),
							cli_time(entry, "until", until), count });
	}
	cli_table_print(&table);
	putchar('\n');
}

static void show_tpms(const json_t *list)
{
	struct cli_table table = { .columns = 4 };
	const json_t *entry;
	char when[32];
	size_t i;

	cli_table_add(&table, (const char *[]){ "TPM", "NODE", "ADDED", "NOTE" });
	json_array_foreach(json_iterable(list), i, entry)
		cli_table_add(&table, (const char *[]){ cli_text(entry, "ek"), cli_text(entry, "node"), cli_time(entry, "added", when),
							cli_text(entry, "note") });
	cli_table_print(&table);
}

/* Whether one of the same name was added after it. */
static bool is_old(const json_t *list, const json_t *entry)
{
	const json_t *other;
	size_t i;

	json_array_foreach(json_iterable(list), i, other)
		if (!strcmp(cli_text(other, "name"), cli_text(entry, "name")) &&
		    json_integer_value(json_object_get(other, "added")) > json_integer_value(json_object_get(entry, "added")))
			return true;
	return false;
}

static void show_expected(const json_t *list, const json_t *withdrawn)
{
	struct cli_table table = { .columns = 6 };
	const json_t *entry;
	char when[32];
	size_t i;

	cli_table_add(&table, (const char *[]){ "EXPECTED", "BOOT IMAGE", "VERSION", "ADDED", "", "PCR 11" });
	json_array_foreach(json_iterable(list), i, entry)
		cli_table_add(&table, (const char *[]){ cli_text(entry, "id"), cli_text(entry, "name"), cli_text(entry, "version"),
							cli_time(entry, "added", when), is_old(list, entry) ? "old" : "", cli_text(entry, "pcr11") });
	json_array_foreach(json_iterable(withdrawn), i, entry)
		cli_table_add(&table, (const char *[]){ cli_text(entry, "id"), cli_text(entry, "name"), cli_text(entry, "version"),
							cli_time(entry, "added", when), "withdrawn", cli_text(entry, "pcr11") });
	cli_table_print(&table);
}

static void show_all(const json_t *answer)
{
	show_authorities(json_get_array(answer, "authorities"));
	putchar('\n');
	if (json_array_size(json_get_array(answer, "revocations")))
		show_revocations(json_get_array(answer, "revocations"));
	show_tpms(json_get_array(answer, "tpms"));
	putchar('\n');
	show_expected(json_get_array(answer, "expected"), json_get_array(answer, "withdrawn"));
}

int cli_tpm_list(const struct cli *cli, int argc, char *argv[])
{
	return argc ? cli_usage(cli, "unknown argument \"%s\"", argv[0]) : call_and_show(cli, "GET", "/v1/tpm", NULL, show_all);
}

/* ------------------------------------------------------------------ allow, accept */

static void show_allowed(const json_t *answer)
{
	printf("the TPM %s is allowed\n", cli_text(answer, "ek"));
}

static bool is_fingerprint(const char *text)
{
	return strlen(text) == 64 && text_of(text, "0123456789abcdef", 64);
}

int cli_tpm_allow(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "note", required_argument, NULL, 'n' }, { "node", required_argument, NULL, 'o' },
						 { "remove", no_argument, NULL, 'r' }, { NULL, 0, NULL, 0 } };
	json_t *body = json_object();
	bool removes = false;
	const char *what;
	int letter, r;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter == 'n')
			json_object_set_new(body, "note", json_string(optarg));
		else if (letter == 'o')
			json_object_set_new(body, "node", json_string(optarg));
		else if (letter == 'r')
			removes = true;
		else
			break;
	}
	what = argv[optind - 1];
	if (letter != -1)
		r = cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
	else if (optind != argc)
		r = cli_usage(cli, "name a node, or the SHA-256 of an endorsement key");
	else if (removes)
		r = remove_one(cli, "allowed", what);
	else if (json_object_get(body, "node") && !is_fingerprint(what))
		r = cli_usage(cli, "--node goes with the SHA-256 of an endorsement key");
	else {
		json_object_set_new(body, is_fingerprint(what) ? "ek" : "node", json_string(what));
		r = call_and_show(cli, "POST", "/v1/tpm/allowed", body, show_allowed);
	}
	json_decref(body);
	return r;
}

static void show_accepted(const json_t *answer)
{
	printf("the firmware of node %s is accepted as its last quote had it\n", cli_text(answer, "id"));
}

int cli_tpm_accept(const struct cli *cli, int argc, char *argv[])
{
	char *path;
	int r;

	if (argc != 1)
		return cli_usage(cli, "name one node");
	path = cli_node_path(cli, argv[0], "/firmware");
	if (!path)
		return CLI_USAGE;
	r = call_and_show(cli, "POST", path, NULL, show_accepted);
	free(path);
	return r;
}

/* ------------------------------------------------------------------ ca, expect */

static void show_added(const json_t *answer)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_get_array(answer, "authorities"), i, entry)
		printf("TPMs of %s are genuine (%.16s)\n", cli_text(entry, "subject"), cli_text(entry, "sha256"));
}

static void show_list(const json_t *answer)
{
	time_t until = (time_t)json_integer_value(json_object_get(answer, "until"));
	char when[32];

	printf("%lld TPM(s) that %s revoked aren't trusted (%.16s)\n", (long long)json_integer_value(json_object_get(answer, "revoked")),
	       cli_text(answer, "subject"), cli_text(answer, "issuer"));
	if (until && until < time(NULL))
		printf("WARNING: this list should have been renewed %s; it counts, and newer ones may have more\n", cli_time(answer, "until", when));
}

/* In PEM or DER: the control unit finds out. */
static int add_revocations(const struct cli *cli, const char *path)
{
	struct buffer data = { 0 }, text = { 0 };
	json_t *body = NULL;
	int r = file_load(path, EK_REVOCATIONS_MOST, &data);

	if (r < 0 || !data.size)
		r = cli_usage(cli, "can't read %s, or it has more than %u KiB", path, EK_REVOCATIONS_MOST >> 10);
	else if (base64_format(data.data, data.size, &text) == 0 && (body = json_pack("{ss}", "crl", (const char *)text.data)))
		r = call_and_show(cli, "POST", "/v1/tpm/revocations", body, show_list);
	else
		r = CLI_FAILED;
	json_decref(body);
	buffer_release(&text);
	buffer_release(&data);
	return r;
}

int cli_tpm_ca(const struct cli *cli, int argc, char *argv[])
{
	json_t *body;
	char *text;
	int r;

	if (argc == 3 && !strcmp(argv[0], "crl") && !strcmp(argv[1], "remove"))
		return remove_one(cli, "revocations", argv[2]);
	if (argc == 2 && !strcmp(argv[0], "crl"))
		return add_revocations(cli, argv[1]);
	if (argc == 2 && !strcmp(argv[0], "remove"))
		return remove_one(cli, "authorities", argv[1]);
	if (argc != 2 || strcmp(argv[0], "add"))
		return cli_usage(cli, "say add FILE, remove DIGITS, crl FILE, or crl remove DIGITS");
	text = read_text(cli, argv[1]);
	if (!text)
		return CLI_USAGE;
	body = json_pack("{ss}", "pem", text);
	r = body ? call_and_show(cli, "POST", "/v1/tpm/authorities", body, show_added) : cli_usage(cli, "%s isn't a file in PEM", argv[1]);
	json_decref(body);
	free(text);
	return r;
}

static void show_set(const json_t *answer)
{
	printf("boot image %s %s is expected (%s)\n", cli_text(answer, "name"), cli_text(answer, "version"), cli_text(answer, "id"));
}

static int add_expected(const struct cli *cli, const char *const paths[3])
{
	static const char *const keys[] = { "document", "signature", "certificate" };
	json_t *body = json_object();
	int r = CLI_OK;

	for (size_t i = 0; r == CLI_OK && i < 3; i++) {
		char *text = read_text(cli, paths[i]);
		json_t *value;

		/* Base64 in a file ends with a line feed. */
		if (text && i == 1)
			text[strcspn(text, "\r\n")] = 0;
		value = text ? json_string(text) : NULL;
		r = value ? CLI_OK : !text ? CLI_USAGE : cli_usage(cli, "%s isn't a text", paths[i]);
		json_object_set_new(body, keys[i], value);
		free(text);
	}
	if (r == CLI_OK)
		r = call_and_show(cli, "POST", "/v1/tpm/expected", body, show_set);
	json_decref(body);
	return r;
}

int cli_tpm_expect(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "signature", required_argument, NULL, 1 }, { "certificate", required_argument, NULL, 2 },
						 { NULL, 0, NULL, 0 } };
	const char *paths[3] = { NULL, NULL, NULL };
	int letter;

	if (argc == 2 && !strcmp(argv[0], "remove"))
		return remove_one(cli, "expected", argv[1]);
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) == 1 || letter == 2)
		paths[letter] = optarg;
	if (letter != -1)
		return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
	if (optind + 1 != argc || strcmp(argv[optind - 1], "add") || !paths[1] || !paths[2])
		return cli_usage(cli, "say add FILE --signature FILE --certificate FILE, or remove DIGITS");
	paths[0] = argv[optind];
	return add_expected(cli, paths);
}

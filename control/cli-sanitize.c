// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands about what servers hold of accounts: sanitize, report sanitize. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/report-signature.h"

int cli_sanitize(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	char *path;
	int r;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the server first");
	if (argc != 2 || strcmp(argv[1], "--yes"))
		return cli_usage(cli, "this destroys all data of %s, its H: included, for ever: say --yes", argv[0]);
	path = cli_node_path(cli, argv[0], "/sanitize");
	if (!path)
		return CLI_USAGE;
	r = cli_call(cli, "POST", path, NULL, &answer);
	free(path);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		printf("%s is cleared at its next start: `repave node restart %s` brings that about, `repave report sanitize %s` shows what came of it\n",
		       argv[0], argv[0], argv[0]);
	json_decref(answer);
	return r;
}

/* ------------------------------------------------------------------ the report */

/* Who cleared it, as far as anybody says. */
static const char *memory_of(const json_t *one)
{
	const char *after = json_get_string(one, "memory_after_reset");

	if (after && !strcmp(after, "cleared"))
		return "cleared by firmware";
	return json_is_true(json_object_get(one, "memory_zeroed_by_kernel")) ? "zeroed by kernel" : cli_text(one, after ? "memory_after_reset" : "memory");
}

static void print_table(const json_t *list)
{
	struct cli_table table = { .columns = 10 };
	const json_t *one;
	size_t i;

	cli_table_add(&table, (const char *[]){ "ID", "NODE", "FROM", "TO", "WHY", "STEP", "ENDED", "KEYS", "MEMORY", "PROOF" });
	json_array_foreach(json_iterable(list), i, one) {
		char id[24], keys[24];

		snprintf(id, sizeof id, "%lld", (long long)json_integer_value(json_object_get(one, "id")));
		snprintf(keys, sizeof keys, "%lld", (long long)json_integer_value(json_object_get(one, "keys_destroyed")));
		cli_table_add(&table, (const char *[]){ id, cli_text(one, "node"), cli_text(one, "from"), cli_text(one, "to"), cli_text(one, "reason"),
							cli_text(one, "step"), cli_text(one, "ended"), keys,
							memory_of(one), json_is_true(json_object_get(one, "proved_by_tpm")) ? "TPM" : "-" });
	}
	cli_table_print(&table);
}

static int store(const char *path, const void *data, size_t size)
{
	int r = file_store(path, data, size, 0644);

	if (r < 0)
		fprintf(stderr, "repave: can't write %s: %s\n", path, strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

/* The newest that has ended. */
static int store_record(const json_t *answer, const char *path)
{
	const char *key = json_get_string(answer, "key"), *text = NULL;
	uint8_t signature[REPORT_SIGNATURE_SIZE], public[REPORT_KEY_SIZE];
	char why[ERROR_TEXT], *beside;
	const json_t *one;
	size_t i;
	int r;

	json_array_foreach(json_get_array(answer, "sanitizings"), i, one) {
		text = json_get_string(one, "text");
		if (text)
			break;
	}
	if (!text) {
		fprintf(stderr, "repave: nothing of the kind has ended yet\n");
		return CLI_FAILED;
	}
	if (!key || json_get_hex(one, "signature", signature, sizeof signature) < 0 || report_key_parse(key, public, why) < 0 ||
	    !report_signature_fits(public, text, strlen(text), signature)) {
		fprintf(stderr, "repave: the control unit's signature doesn't fit its record; nothing was written\n");
		return CLI_FAILED;
	}
	if (asprintf(&beside, "%s.sig", path) < 0)
		return CLI_FAILED;
	r = store(path, text, strlen(text));
	if (r == CLI_OK)
		r = store(beside, signature, sizeof signature);
	if (r == CLI_OK)
		printf("%s and %s are written; `repave report verify %s --key PUB` verifies them\n", path, beside, path);
	free(beside);
	return r;
}

int cli_report_sanitize(const struct cli *cli, int argc, char *argv[])
{
	const char *node = NULL, *sign = NULL;
	json_t *answer = NULL;
	char path[160];
	int r;

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--sign") && i + 1 < argc)
			sign = argv[++i];
		else if (argv[i][0] != '-' && !node && text_of(argv[i], "abcdefghijklmnopqrstuvwxyz0123456789-", 64))
			node = argv[i];
		else
			return cli_usage(cli, "unknown argument \"%s\", or its value is missing", argv[i]);
	}
	snprintf(path, sizeof path, "/v1/reports/sanitize%s%s", node ? "?node=" : "", node ? node : "");
	r = cli_call(cli, "GET", path, NULL, &answer);
	if (r == CLI_OK && sign)
		r = store_record(answer, sign);
	else if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK)
		print_table(json_get_array(answer, "sanitizings"));
	json_decref(answer);
	return r;
}

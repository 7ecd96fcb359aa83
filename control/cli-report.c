// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands for who must show that the fleet is reimaged: report reimage, key, verify. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/json.h"
#include "control/cli.h"
#include "control/moment.h"
#include "control/report-signature.h"

#define REPORT_MOST (256u * 1024 * 1024)

struct wish {
	bool csv;
	const char *sign;   /* NULL: standard output */
	int64_t since;
};

static int parse(const struct cli *cli, int argc, char *argv[], struct wish *wish)
{
	char why[ERROR_TEXT];

	for (int i = 0; i < argc; i++) {
		if (!strcmp(argv[i], "--csv"))
			wish->csv = true;
		else if (!strcmp(argv[i], "--sign") && i + 1 < argc)
			wish->sign = argv[++i];
		else if (!strcmp(argv[i], "--since") && i + 1 < argc && moment_parse(argv[i + 1], time(NULL), true, &wish->since, why) < 0)
			return cli_usage(cli, "%s", why);
		else if (!strcmp(argv[i], "--since") && i + 1 < argc)
			i++;
		else
			return cli_usage(cli, "unknown argument \"%s\", or its value is missing", argv[i]);
	}
	return CLI_OK;
}

/* ------------------------------------------------------------------ for people */

static void print_table(const json_t *report)
{
	struct cli_table table = { .columns = 9 };
	const json_t *node, *totals = json_get_object(report, "totals");
	json_t *value;
	const char *key;
	size_t i;

	cli_table_add(&table, (const char *[]){ "NODE", "GROUP", "REIMAGED", "TO", "ROOT HASH", "BY", "WHY", "EXEMPT UNTIL", "VERDICT" });
	json_array_foreach(json_get_array(report, "nodes"), i, node) {
		const char *app = json_get_string(node, "app");
		char to[300], hash[17];

		snprintf(to, sizeof to, "%s%s%s", cli_text(node, "os"), app ? " " : "", app ? app : "");
		snprintf(hash, sizeof hash, "%s", cli_text(node, "os_root_hash"));
		cli_table_add(&table, (const char *[]){ json_get_string(node, "name") ? cli_text(node, "name") : cli_text(node, "node"),
							cli_text(node, "group"), cli_text(node, "reimaged"), to, hash, cli_text(node, "by"),
							cli_text(node, "reason"), cli_text(node, "exempt_until"), cli_text(node, "verdict") });
	}
	cli_table_print(&table);
	printf("made %s, after audit entry %lld:", cli_text(report, "made"), (long long)json_integer_value(json_object_get(report, "audit")));
	json_object_foreach(json_iterable(totals), key, value)
		printf(" %s %lld", key, (long long)json_integer_value(value));
	putchar('\n');
}

/* ------------------------------------------------------------------ for auditors */

static int store(const char *path, const void *data, size_t size)
{
	int r = file_store(path, data, size, 0644);

	if (r < 0)
		fprintf(stderr, "repave: can't write %s: %s\n", path, strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

/* The signature is looked at before anybody relies on the files. */
static int store_signed(const json_t *answer, const char *path)
{
	const char *text = json_get_string(answer, "text"), *key = json_get_string(answer, "key");
	uint8_t signature[REPORT_SIGNATURE_SIZE], public[REPORT_KEY_SIZE];
	char why[ERROR_TEXT], *beside;
	int r;

	if (!text || !key || json_get_hex(answer, "signature", signature, sizeof signature) < 0 || report_key_parse(key, public, why) < 0 ||
	    !report_signature_fits(public, text, strlen(text), signature)) {
		fprintf(stderr, "repave: the control unit's signature doesn't fit its report; nothing was written\n");
		return CLI_FAILED;
	}
	if (asprintf(&beside, "%s.sig", path) < 0)
		return CLI_FAILED;
	r = store(path, text, strlen(text));
	if (r == CLI_OK)
		r = store(beside, signature, sizeof signature);
	if (r == CLI_OK)
		printf("%s and %s are written; `repave report key` prints the key that verifies them\n", path, beside);
	free(beside);
	return r;
}

static int print(const struct cli *cli, const json_t *answer, bool csv)
{
	const char *text = json_get_string(answer, "text");
	char why[160];
	json_t *report;

	if (!text)
		return CLI_FAILED;
	if (csv || cli->json) {
		fputs(text, stdout);
		return fflush(stdout) ? CLI_FAILED : CLI_OK;
	}
	report = json_parse(text, strlen(text), why);
	if (report)
		print_table(report);
	json_decref(report);
	return report ? CLI_OK : CLI_FAILED;
}

int cli_report_reimage(const struct cli *cli, int argc, char *argv[])
{
	struct wish wish = { 0 };
	json_t *answer = NULL;
	char path[96];
	int r = parse(cli, argc, argv, &wish);

	if (r != CLI_OK)
		return r;
	snprintf(path, sizeof path, "/v1/reports/reimage?format=%s&since=%lld", wish.csv ? "csv" : "json", (long long)wish.since);
	r = cli_call(cli, "GET", path, NULL, &answer);
	if (r == CLI_OK)
		r = wish.sign ? store_signed(answer, wish.sign) : print(cli, answer, wish.csv);
	json_decref(answer);
	return r;
}

int cli_report_key(const struct cli *cli, int argc, char *argv[])
{
	json_t *answer = NULL;
	int r;

	if (argc)
		return cli_usage(cli, "unknown argument \"%s\"", argv[0]);
	r = cli_call(cli, "GET", "/v1/report-key", NULL, &answer);
	if (r == CLI_OK && cli->json)
		r = cli_print_json(answer);
	else if (r == CLI_OK && json_get_string(answer, "key"))
		fputs(json_get_string(answer, "key"), stdout);
	json_decref(answer);
	return r;
}

/* ------------------------------------------------------------------ verifying, without the control unit */

static int load(const char *path, size_t most, struct buffer *ret_data)
{
	int r = file_load(path, most, ret_data);

	if (r < 0)
		fprintf(stderr, "repave: can't read %s: %s\n", path, strerror(-r));
	return r < 0 ? CLI_FAILED : CLI_OK;
}

static int load_key(const char *path, uint8_t ret_public[REPORT_KEY_SIZE])
{
	struct buffer text = { 0 };
	char why[ERROR_TEXT] = "";
	int r = load(path, REPORT_KEY_TEXT_MOST, &text);

	if (r == CLI_OK && report_key_parse(text.data ? (const char *)text.data : "", ret_public, why) < 0) {
		fprintf(stderr, "repave: %s: %s\n", path, why);
		r = CLI_FAILED;
	}
	buffer_release(&text);
	return r;
}

/* Of what is verified: when it was made, and how it stands. */
static void print_summary(const struct buffer *data)
{
	char why[160];
	json_t *report = data->size && data->data[0] == '{' ? json_parse(data->data, data->size, why) : NULL;
	json_t *value;
	const char *key;

	if (!report)
		return;
	printf("made %s, after audit entry %lld:", cli_text(report, "made"), (long long)json_integer_value(json_object_get(report, "audit")));
	json_object_foreach(json_object_get(report, "totals"), key, value)
		if (text_of(key, "abcdefghijklmnopqrstuvwxyz_", 32))
			printf(" %s %lld", key, (long long)json_integer_value(value));
	putchar('\n');
	json_decref(report);
}

static int verify(const char *path, const char *beside, const char *key)
{
	struct buffer data = { 0 }, signature = { 0 };
	uint8_t public[REPORT_KEY_SIZE];
	int r = load_key(key, public);

	if (r == CLI_OK)
		r = load(path, REPORT_MOST, &data);
	if (r == CLI_OK)
		r = load(beside, REPORT_SIGNATURE_SIZE + 1, &signature);
	if (r == CLI_OK && (signature.size != REPORT_SIGNATURE_SIZE || !report_signature_fits(public, data.data, data.size, signature.data))) {
		fprintf(stderr, "repave: %s is NOT what the owner of %s signed: it or %s was changed, or another control unit made it\n", path, key,
			beside);
		r = CLI_FAILED;
	}
	if (r == CLI_OK) {
		printf("%s is as the control unit with the key %s signed it\n", path, key);
		print_summary(&data);
	}
	buffer_release(&signature);
	buffer_release(&data);
	return r;
}

int cli_report_verify(const struct cli *cli, int argc, char *argv[])
{
	const char *key = NULL, *given = NULL;
	char *beside;
	int r;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the report first");
	for (int i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "--key") && i + 1 < argc)
			key = argv[++i];
		else if (!strcmp(argv[i], "--signature") && i + 1 < argc)
			given = argv[++i];
		else
			return cli_usage(cli, "unknown argument \"%s\", or its value is missing", argv[i]);
	}
	if (!key)
		return cli_usage(cli, "--key must name the public key that you were given in another way than the report");
	if (asprintf(&beside, "%s%s", given ? given : argv[0], given ? "" : ".sig") < 0)
		return CLI_FAILED;
	r = verify(argv[0], beside, key);
	free(beside);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* repave backup, repave restore: on the control unit itself. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bytes.h"
#include "control/backup.h"
#include "control/cli.h"

static int print_manifest(const struct backup_manifest *manifest, const char *file, FILE *to)
{
	char size[16], made[32] = "-";
	time_t seconds = (time_t)manifest->made;
	struct tm tm;
	size_t roles = 0;

	if (localtime_r(&seconds, &tm))
		strftime(made, sizeof made, "%Y-%m-%d %H:%M:%S", &tm);
	fprintf(to, "%s, made %s:\n", file, made);
	for (size_t i = 0; i < manifest->count; i++) {
		if (!strncmp(manifest->files[i].name, "tuf/", 4))
			roles++;
		else
			fprintf(to, "  %-12s %s\n", manifest->files[i].name, format_size(manifest->files[i].size, size));
	}
	fprintf(to, "  %-12s %zu files of trusted metadata\n", "tuf/", roles);
	return fflush(to) ? CLI_FAILED : CLI_OK;
}

static int print_json(const struct backup_manifest *manifest, const char *file, const char *kept)
{
	struct buffer text = { 0 };
	json_t *all = NULL;
	int r = CLI_FAILED;

	if (!backup_manifest_format(manifest, &text))
		all = json_loadb((const char *)text.data, text.size, 0, NULL);
	if (all) {
		json_object_set_new(all, "file", json_string(file));
		json_object_set_new(all, "kept", kept ? json_string(kept) : json_null());
		r = cli_print_json(all);
	}
	json_decref(all);
	buffer_release(&text);
	return r;
}

static int only_here(const struct cli *cli)
{
	return cli->server ? cli_usage(cli, "this works on the control unit itself: name its --state, not a --server") : CLI_OK;
}

int cli_backup(const struct cli *cli, int argc, char *argv[])
{
	struct backup_manifest manifest;
	int r = only_here(cli);

	if (r != CLI_OK)
		return r;
	if (argc != 1 || (argv[0][0] == '-' && argv[0][1]))
		return cli_usage(cli, "name the file to write, or - for standard output");
	if (backup_make(cli->state, argv[0], &manifest) < 0)
		return CLI_FAILED;
	if (!strcmp(argv[0], "-"))
		r = print_manifest(&manifest, "backup", stderr);
	else
		r = cli->json ? print_json(&manifest, argv[0], NULL) : print_manifest(&manifest, argv[0], stdout);
	backup_manifest_release(&manifest);
	if (r == CLI_OK)
		fputs("repave: whoever has this file has the fleet: its authority's key, the join token, the BMCs' passwords. Keep it as closed as those.\n",
		      stderr);
	return r;
}

static int restore_latest(const struct cli *cli)
{
	char *taken, *kept;
	int r = backup_restore_latest(cli->state, &taken, &kept) < 0 ? CLI_FAILED : CLI_OK;

	if (r == CLI_OK && cli->json) {
		json_t *all = json_pack("{ss ss*}", "file", taken, "kept", kept);

		r = cli_print_json(all);
		json_decref(all);
	} else if (r == CLI_OK) {
		printf("the database is that of %s; the one before is kept as %s\n", taken, kept);
	}
	free(taken);
	free(kept);
	return r;
}

static int restore_file(const struct cli *cli, const char *file, bool replace)
{
	struct backup_manifest manifest;
	char *kept = NULL;
	int r;

	if (backup_restore(file, cli->state, replace, &manifest, &kept) < 0)
		return CLI_FAILED;
	r = cli->json ? print_json(&manifest, file, kept) : print_manifest(&manifest, file, stdout);
	if (r == CLI_OK && !cli->json)
		printf("%s is restored%s%s; start repaved on it\n", cli->state, kept ? ", and what was there is kept as " : "", kept ? kept : "");
	backup_manifest_release(&manifest);
	free(kept);
	return r;
}

int cli_restore(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "replace", no_argument, NULL, 'r' }, { "latest", no_argument, NULL, 'l' },
						 { NULL, 0, NULL, 0 } };
	bool replace = false, latest = false;
	int letter, r = only_here(cli);

	if (r != CLI_OK)
		return r;
	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter != 'r' && letter != 'l')
			return cli_usage(cli, "unknown option \"%s\"", argv[optind - 2]);
		replace |= letter == 'r';
		latest |= letter == 'l';
	}
	if (latest && optind == argc + 1 && !replace)
		return restore_latest(cli);
	if (latest || optind != argc)
		return cli_usage(cli, "name the file of a backup (- for standard input), or --latest alone");
	return restore_file(cli, argv[optind - 1], replace);
}

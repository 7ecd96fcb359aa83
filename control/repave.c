// SPDX-License-Identifier: GPL-2.0-or-later
/* The operator's command line. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/cli.h"
#include "control/state.h"

#define ASSIGNMENT_HELP                                                                                          \
	"  --os NAME[@VERSION]     OS image; without a version, the newest at each boot\n"                      \
	"  --app NAME[@VERSION]    application image, adapted to that OS\n"                                     \
	"  --no-app                no application\n"                                                           \
	"  --hostname NAME         host name\n"                                                                \
	"  --ssh-key FILE          public keys that may log in as root; may be repeated\n"                      \
	"  --file NAME=PATH        configuration file for the application; may be repeated\n"                   \
	"  --mirror URL            where to fetch images first, http://HOST[:PORT]/PATH; may be repeated, order kept\n" \
	"  --no-mirrors            the control unit's own repository only\n"                                   \
	"  --verify full|lazy      full: check every block before the start (default); lazy: leave the data of a\n"  \
	"                          slot that was complete to dm-verity, and start sooner\n"                    \
	"  --start auto|kexec|reset  how the system starts: by kexec; by the firmware after a reset (UEFI only); auto\n"   \
	"                          (default): by kexec, unless this node didn't survive that\n"                 \
	"  --clear-config          drop host name, keys and files that aren't given\n"                          \
	"  --wipe                  the next boot may write a disk that isn't blank and isn't Repave's\n"

static const struct command {
	const char *words, *arguments, *summary, *help;
	int (*run)(const struct cli *cli, int argc, char *argv[]);
} commands[] = {
	{ "init", "[--name NAME]", "make the state folder of a new control unit",
	  "Makes the fleet's certificate authority, the control unit's certificate, a join token and an empty\n"
	  "database in the state folder, which must not exist yet or be empty.\n", cli_init },
	{ "nodes", "[--json]", "list the nodes", "Lists every node that ever asked to boot.\n", cli_nodes },
	{ "node show", "NODE [--json]", "show a node: inventory, assignment, last boot",
	  "NODE is an id, 4 or more leading digits of it, or a host name.\n", cli_node_show },
	{ "node watch", "[NODE]... [option]...", "follow boots as they go on",
	  "Shows nodes (all, unless some are named) and how far each boot is: a table that is kept up to date on a\n"
	  "terminal, else a line for each change, with --json an object for each change. Ends with ^C.\n\n"
	  "  --until STATE[,STATE]...  end when each node is in one of these: waiting, booting, booted (what is assigned\n"
	  "                            now), failed. Status 1 when one failed and failed wasn't all that was asked for\n"
	  "  --timeout SECONDS         end then; status 4 when --until wasn't reached\n", cli_node_watch },
	{ "assign", "NODE [option]...", "say what a node boots",
	  "Changes what NODE boots next time. What isn't named stays as it is.\n\n" ASSIGNMENT_HELP, cli_assign },
	{ "default", "[--none | option...]", "say what nodes without an assignment boot",
	  "Replaces the assignment that nodes get which have none; without options, shows it.\n\n" ASSIGNMENT_HELP
	  "  --none                  nothing: such nodes wait for `repave assign`\n", cli_default },
	{ "images", "[--json]", "list the images in the repository",
	  "Lists what the repository's signed metadata offers.\n", cli_images },
	{ "status", "[--json]", "show the control unit's state", "Counts nodes and images.\n", cli_show_status },
};
#define COMMANDS (sizeof commands / sizeof commands[0])

static void print_usage(FILE *to)
{
	fputs("Usage: repave [--state DIR] COMMAND ...\nOperates a control unit of Repave on this machine.\n\n", to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-10s %-22s %s\n", commands[i].words, commands[i].arguments, commands[i].summary);
	fputs("\n  --state DIR   state folder (default $REPAVE_STATE, else " STATE_DEFAULT ")\n"
	      "  --json        the answer as JSON\n"
	      "  --help        after a command: its options\n\n"
	      "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 control unit not reachable,\n"
	      "4 not reached in time (node watch).\n", to);
}

/* Options that every command knows, wherever they stand; takes them out of argv. 0 or CLI_USAGE. */
static int take_common(int *argc, char *argv[], struct cli *cli, bool *ret_help)
{
	int kept = 1, most = *argc;

	for (int i = 1; i < most; i++) {
		if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
			*ret_help = true;
		} else if (!strcmp(argv[i], "--json")) {
			cli->json = true;
		} else if (!strncmp(argv[i], "--state=", 8)) {
			cli->state = argv[i] + 8;
		} else if (!strcmp(argv[i], "--state")) {
			if (++i == most)
				return cli_usage(cli, "--state wants a folder");
			cli->state = argv[i];
		} else {
			argv[kept++] = argv[i];
		}
	}
	argv[kept] = NULL;
	*argc = kept;
	return 0;
}

/* The command that argv names, and how many words that took. */
static const struct command *find_command(int argc, char *argv[], int *ret_words)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		const char *second = strchr(commands[i].words, ' ');
		size_t first_size = strcspn(commands[i].words, " ");

		if (argc < 2 || strlen(argv[1]) != first_size || strncmp(argv[1], commands[i].words, first_size))
			continue;
		if (second && (argc < 3 || strcmp(argv[2], second + 1)))
			continue;
		*ret_words = second ? 2 : 1;
		return &commands[i];
	}
	return NULL;
}

int main(int argc, char *argv[])
{
	const char *from_environment = getenv("REPAVE_STATE");
	struct cli cli = { .command = "", .state = from_environment && *from_environment ? from_environment : STATE_DEFAULT };
	const struct command *command;
	bool help = false;
	int words = 0, r;

	log_program("repave");
	r = take_common(&argc, argv, &cli, &help);
	if (r)
		return r;
	command = find_command(argc, argv, &words);
	if (!command && argc > 1) {
		fprintf(stderr, "repave: there is no command \"%s\"; `repave --help` lists them\n", argv[1]);
		return CLI_USAGE;
	}
	if (!command) {
		print_usage(help ? stdout : stderr);
		return help ? CLI_OK : CLI_USAGE;
	}
	if (help) {
		printf("Usage: repave [--state DIR] %s %s\n%s", command->words, command->arguments, command->help);
		return CLI_OK;
	}
	cli.command = command->words;
	return command->run(&cli, argc - 1 - words, argv + 1 + words);
}

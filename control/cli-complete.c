// SPDX-License-Identifier: GPL-2.0-or-later
/* Completion: `repave completion SHELL` prints what a shell needs, which then asks `repave complete WORD...` at each Tab. So what
 * is offered is always what this repave knows, and the names are those of the fleet. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json.h"
#include "control/cli.h"

#define WORDS_MOST 64
/* A control unit that doesn't answer must not keep somebody's shell. */
#define SECONDS_MOST 3

static const char bash_script[] =
	"# bash completion for repave, by `repave completion bash`.\n"
	"_repave() {\n"
	"\tmapfile -t COMPREPLY < <(repave complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null)\n"
	"\tif [[ ${COMPREPLY[0]-} == :files ]]; then\n"
	"\t\tCOMPREPLY=()\n"
	"\t\tcompopt -o default\n"
	"\tfi\n"
	"}\n"
	"complete -F _repave repave\n";

static const char zsh_script[] =
	"#compdef repave\n"
	"# zsh completion for repave, by `repave completion zsh`.\n"
	"_repave() {\n"
	"\tlocal -a found\n"
	"\tfound=(${(f)\"$(repave complete \"${(@)words[2,CURRENT]}\" 2>/dev/null)\"})\n"
	"\tif [[ ${found[1]-} == :files ]]; then\n"
	"\t\t_files\n"
	"\telse\n"
	"\t\tcompadd -a found\n"
	"\tfi\n"
	"}\n"
	"if [[ ${funcstack[1]-} == _repave ]]; then _repave \"$@\"; else compdef _repave repave; fi\n";

int cli_completion(const struct cli *cli, int argc, char *argv[])
{
	if (argc == 1 && !strcmp(argv[0], "bash"))
		fputs(bash_script, stdout);
	else if (argc == 1 && !strcmp(argv[0], "zsh"))
		fputs(zsh_script, stdout);
	else
		return cli_usage(cli, "name the shell: bash or zsh");
	return CLI_OK;
}

static void print(void *begun, const char *text, size_t size)
{
	(void)begun;
	printf("%.*s\n", (int)size, text);
}

static void print_begun(const char *text, const char *begun)
{
	if (strcmp(text, "-") && !strncmp(text, begun, strlen(begun)))
		puts(text);
}

static void print_nodes(const struct cli *cli, const char *begun)
{
	json_t *answer = NULL;
	const json_t *nodes;

	if (cli_call(cli, "GET", "/v1/nodes", NULL, &answer) != CLI_OK)
		return;
	nodes = json_get_array(answer, "nodes");
	for (size_t i = 0; i < json_array_size(nodes); i++) {
		const json_t *node = json_array_get(nodes, i);

		print_begun(cli_text(node, "name"), begun);
		/* Ids are long: only for a node without a name, or for who began to type one. */
		if (begun[0] || !strcmp(cli_text(node, "name"), "-"))
			print_begun(cli_text(node, "id"), begun);
	}
	json_decref(answer);
}

static void print_images(const struct cli *cli, const char *kind, const char *begun)
{
	json_t *answer = NULL, *told = json_object();
	const json_t *images;
	const char *name;
	json_t *unused;
	char text[256];

	if (cli_call(cli, "GET", "/v1/images", NULL, &answer) != CLI_OK)
		return;
	images = json_get_array(answer, "images");
	for (size_t i = 0; i < json_array_size(images); i++) {
		const json_t *image = json_array_get(images, i);

		if (strcmp(cli_text(image, "kind"), kind))
			continue;
		/* Versions only for who asks for them. */
		snprintf(text, sizeof text, "%s%s%s", cli_text(image, "name"), strchr(begun, '@') ? "@" : "",
			 strchr(begun, '@') ? cli_text(image, "version") : "");
		json_object_set_new(told, text, json_null()); /* each once */
	}
	json_object_foreach(told, name, unused)
		print_begun(name, begun);
	json_decref(told);
	json_decref(answer);
}

int cli_complete(const struct cli *cli, const struct command_text *commands, size_t count, int argc, char *argv[])
{
	const char *words[WORDS_MOST], *begun;
	size_t words_count = 0;

	/* bash makes three words of --os=minimal. */
	for (int i = 0; i < argc && words_count < WORDS_MOST; i++)
		if (strcmp(argv[i], "=") || words_count == 0)
			words[words_count++] = argv[i];
		else if (i == argc - 1)
			words[words_count++] = "";
	begun = words_count ? words[words_count - 1] : "";
	alarm(SECONDS_MOST);
	switch (complete(commands, count, words, words_count, print, NULL)) {
	case ASK_NODES: print_nodes(cli, begun); break;
	case ASK_OS: print_images(cli, "os", begun); break;
	case ASK_APP: print_images(cli, "app", begun); break;
	case ASK_FILES: puts(":files"); break;
	case ASK_NOTHING: break;
	}
	return CLI_OK;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Commands that change: init, assign, default. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/json.h"
#include "control/assignment.h"
#include "control/cli.h"
#include "control/state.h"

static const struct option assignment_options[] = {
	{ "os", required_argument, NULL, 'o' },       { "app", required_argument, NULL, 'a' },
	{ "no-app", no_argument, NULL, 'A' },         { "hostname", required_argument, NULL, 'h' },
	{ "ssh-key", required_argument, NULL, 'k' },  { "file", required_argument, NULL, 'f' },
	{ "user", required_argument, NULL, 'u' },
	{ "clear-config", no_argument, NULL, 'C' },   { "wipe", no_argument, NULL, 'w' },
	{ "mirror", required_argument, NULL, 'm' },   { "no-mirrors", no_argument, NULL, 'M' },
	{ "start", required_argument, NULL, 's' },     { "h", required_argument, NULL, 'H' },
	{ "verify", required_argument, NULL, 'v' },   { "none", no_argument, NULL, 'n' },
	{ NULL, 0, NULL, 0 },
};

/* The body of the call, while options fill it in. */
struct change {
	json_t *body;    /* object; JSON null for --none */
	json_t *config;  /* borrowed from it, or NULL */
	bool clear;
};

static json_t *config_member(struct change *change, const char *key, json_t *(*make)(void))
{
	json_t *member;

	if (!change->config) {
		change->config = json_object();
		json_object_set_new(change->body, "config", change->config);
	}
	member = json_object_get(change->config, key);
	if (!member) {
		member = make();
		json_object_set_new(change->config, key, member);
	}
	return member;
}

static int load_text(const char *path, size_t most, struct buffer *ret_text)
{
	int r = file_load_any(path, most, ret_text);

	if (r < 0) {
		fprintf(stderr, "repave: can't read %s: %s\n", path,
			r == -EFBIG ? "it is too large to go with an assignment" : strerror(-r));
		return CLI_FAILED;
	}
	return CLI_OK;
}

/* Each line of the file that isn't empty or a comment is a key. */
static int add_ssh_keys(json_t *keys, const char *path)
{
	size_t before = json_array_size(keys);
	struct buffer text = { 0 };
	char *rest, *line;
	int r = load_text(path, SSH_KEYS_MOST * (size_t)SSH_KEY_SIZE_MOST, &text);

	if (r != CLI_OK)
		return r;
	rest = (char *)text.data;
	while (r == CLI_OK && rest && (line = strsep(&rest, "\r\n"))) {
		if (!*line || *line == '#')
			continue;
		if (!strncmp(line, "-----BEGIN", 10) || json_array_append_new(keys, json_string(line))) {
			fprintf(stderr, "repave: %s holds no public key; name the file that ends in .pub\n", path);
			r = CLI_FAILED;
		}
	}
	if (r == CLI_OK && json_array_size(keys) == before) {
		fprintf(stderr, "repave: %s holds no SSH key\n", path);
		r = CLI_FAILED;
	}
	if (text.data)
		explicit_bzero(text.data, text.size);
	buffer_release(&text);
	return r;
}

/* "NAME:UID:PATH" of his public keys. The control unit says what isn't sound of it. */
static int add_user(const struct cli *cli, struct change *change, const char *argument)
{
	const char *uid = strchr(argument, ':'), *path = uid ? strchr(uid + 1, ':') : NULL;
	char digits[12];
	json_t *user, *keys = json_array();
	uint64_t number;

	if (path)
		snprintf(digits, sizeof digits, "%.*s", (int)(path - uid - 1 > 11 ? 11 : path - uid - 1), uid + 1);
	if (!path || uid == argument || parse_u64(digits, &number) < 0 || !path[1]) {
		json_decref(keys);
		return cli_usage(cli, "--user wants NAME:NUMBER:FILE, with the user's number and the file of his public keys");
	}
	user = json_pack("{so sI so}", "name", json_stringn(argument, (size_t)(uid - argument)), "uid", (json_int_t)number, "keys", keys);
	/* What isn't UTF-8 is no name. */
	if (!user)
		return cli_usage(cli, "--user: the name isn't text");
	json_array_append_new(config_member(change, "users", json_array), user);
	return add_ssh_keys(keys, path + 1);
}

/* "NAME=PATH". */
static int add_file(const struct cli *cli, struct change *change, const char *argument)
{
	const char *equals = strchr(argument, '=');
	struct buffer text = { 0 };
	char name[65];
	json_t *value;
	int r;

	if (!equals || equals == argument || (size_t)(equals - argument) >= sizeof name)
		return cli_usage(cli, "--file wants NAME=PATH, with a name of 1 to 64 characters");
	memcpy(name, argument, (size_t)(equals - argument));
	name[equals - argument] = 0;
	r = load_text(equals + 1, CONFIG_BYTES_MOST, &text);
	if (r != CLI_OK)
		return r;
	value = json_stringn(text.data ? (const char *)text.data : "", text.size);
	if (!value || memchr(json_string_value(value), 0, json_string_length(value))) {
		fprintf(stderr, "repave: %s isn't UTF-8 text, and an assignment carries nothing else\n", equals + 1);
		json_decref(value);
		r = CLI_FAILED;
	} else {
		json_object_set_new(config_member(change, "files", json_object), name, value);
	}
	if (text.data)
		explicit_bzero(text.data, text.size);
	buffer_release(&text);
	return r;
}

/* The first --mirror begins the list; a --no-mirrors before it counts no more. */
static void add_mirror(struct change *change, const char *base)
{
	json_t *mirrors = json_object_get(change->body, "mirrors");

	if (!json_is_array(mirrors)) {
		mirrors = json_array();
		json_object_set_new(change->body, "mirrors", mirrors);
	}
	/* What isn't UTF-8 goes as null, and is refused with its number like any other address that can't be one. */
	if (json_array_append_new(mirrors, json_string(base)))
		json_array_append_new(mirrors, json_null());
}

static int take_option(const struct cli *cli, struct change *change, int letter)
{
	switch (letter) {
	case 'o':
	case 'a':
		json_object_set_new(change->body, letter == 'o' ? "os" : "app", json_string(optarg));
		return CLI_OK;
	case 'A':
		json_object_set_new(change->body, "app", json_null());
		return CLI_OK;
	case 'h':
		config_member(change, "hostname", json_null);
		json_object_set_new(change->config, "hostname", json_string(optarg));
		return CLI_OK;
	case 'k':
		return add_ssh_keys(config_member(change, "ssh_authorized_keys", json_array), optarg);
	case 'u':
		return add_user(cli, change, optarg);
	case 'f':
		return add_file(cli, change, optarg);
	case 'C':
		change->clear = true;
		return CLI_OK;
	case 'm':
		add_mirror(change, optarg);
		return CLI_OK;
	case 'M':
		json_object_set_new(change->body, "mirrors", json_null());
		return CLI_OK;
	case 'v':
		json_object_set_new(change->body, "verify", json_string(optarg));
		return CLI_OK;
	case 's':
		json_object_set_new(change->body, "start", json_string(optarg));
		return CLI_OK;
	case 'H':
		json_object_set_new(change->body, "h", json_string(optarg));
		return CLI_OK;
	case 'w':
		json_object_set_new(change->body, "wipe", json_true());
		return CLI_OK;
	}
	return cli_usage(cli, "--none is for `repave default`");
}

/* --clear-config: what isn't given anew goes away. */
static void apply_clear(struct change *change)
{
	static const char *const members[] = { "hostname", "ssh_authorized_keys", "users", "files" };

	config_member(change, "hostname", json_null);
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		if (!json_object_get(change->config, members[i]))
			json_object_set_new(change->config, members[i], json_null());
}

/* Options to a body. argv[0] must be something that isn't an option. The caller frees change->body. */
static int parse_change(const struct cli *cli, int argc, char *argv[], bool may_be_none, struct change *change)
{
	bool none = false;
	int letter, r = CLI_OK;

	change->body = json_object();
	opterr = 0;
	optind = 1;
	while (r == CLI_OK && (letter = getopt_long(argc, argv, ":", assignment_options, NULL)) != -1) {
		if (letter == 'n' && may_be_none)
			none = true;
		else if (letter == ':')
			r = cli_usage(cli, "%s wants a value", argv[optind - 1]);
		else if (letter == '?')
			r = cli_usage(cli, "unknown option \"%s\"", argv[optind - 1]);
		else
			r = take_option(cli, change, letter);
	}
	if (r == CLI_OK && optind != argc)
		r = cli_usage(cli, "unknown argument \"%s\"", argv[optind]);
	if (r == CLI_OK && none && json_object_size(change->body))
		r = cli_usage(cli, "--none goes with no other option");
	if (r != CLI_OK)
		return r;
	if (change->clear)
		apply_clear(change);
	if (none) {
		json_decref(change->body);
		change->body = json_null();
	} else if (json_object_size(change->body) == 0) {
		r = cli_usage(cli, "nothing to change; name an OS with --os");
	}
	return r;
}

static void print_result(const char *who, const json_t *assignment)
{
	if (json_is_null(assignment))
		printf("%s: nothing; they wait for `repave assign`\n", who);
	else
		printf("%s: %s, application %s, from the next boot on\n", who, cli_text(assignment, "os_target"),
		       cli_text(assignment, "app_target"));
}

int cli_assign(const struct cli *cli, int argc, char *argv[])
{
	struct change change = { 0 };
	json_t *answer = NULL;
	char *path, who[64];
	int r;

	if (argc < 1 || argv[0][0] == '-')
		return cli_usage(cli, "name the node first");
	path = cli_node_path(cli, argv[0], "/assignment");
	if (!path)
		return CLI_USAGE;
	r = parse_change(cli, argc, argv, false, &change);
	if (r == CLI_OK)
		r = cli_call(cli, "PUT", path, change.body, &answer);
	if (r == CLI_OK && cli->json) {
		r = cli_print_json(answer);
	} else if (r == CLI_OK) {
		snprintf(who, sizeof who, "node %.36s", cli_text(answer, "id"));
		print_result(who, json_object_get(answer, "assignment"));
	}
	json_decref(answer);
	json_decref(change.body);
	free(path);
	return r;
}

int cli_default(const struct cli *cli, int argc, char *argv[])
{
	struct change change = { 0 };
	json_t *answer = NULL;
	const json_t *assignment;
	int r;

	/* The words before argv[0] are the command's own; getopt skips one. */
	if (argc < 1)
		r = cli_call(cli, "GET", "/v1/default-assignment", NULL, &answer);
	else
		r = parse_change(cli, argc + 1, argv - 1, true, &change);
	if (r == CLI_OK && argc)
		r = cli_call(cli, "PUT", "/v1/default-assignment", change.body, &answer);
	if (r == CLI_OK && cli->json) {
		r = cli_print_json(answer);
	} else if (r == CLI_OK) {
		assignment = json_object_get(answer, "assignment");
		if (json_is_null(assignment))
			puts("new nodes: nothing; they wait for `repave assign`");
		else
			printf("new nodes: OS %s, application %s, verify %s, %zu mirror(s)\n", cli_text(assignment, "os"),
			       cli_text(assignment, "app"), cli_text(assignment, "verify"),
			       json_array_size(json_get_array(assignment, "mirrors")));
	}
	json_decref(answer);
	json_decref(change.body);
	return r;
}

int cli_init(const struct cli *cli, int argc, char *argv[])
{
	static const struct option options[] = { { "name", required_argument, NULL, 'n' }, { NULL, 0, NULL, 0 } };
	const char *name = "Repave";
	int letter;

	opterr = 0;
	optind = 1;
	while ((letter = getopt_long(argc + 1, argv - 1, ":", options, NULL)) != -1) {
		if (letter != 'n')
			return cli_usage(cli, "unknown option \"%s\", or its value is missing", argv[optind - 2]);
		name = optarg;
	}
	if (optind != argc + 1)
		return cli_usage(cli, "unknown argument \"%s\"", argv[optind - 1]);
	if (!text_of(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .-", 40))
		return cli_usage(cli, "a fleet's name is 1 to 40 letters, digits, spaces, dots and hyphens");
	if (state_make(cli->state, name) < 0)
		return CLI_FAILED;
	printf("%s is ready. Boot media carry its ca.pem and join-token; start the control unit with:\n"
	       "  repaved --state %s --repository DIR\n", cli->state, cli->state);
	return CLI_OK;
}

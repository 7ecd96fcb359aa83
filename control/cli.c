// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "common/http.h"
#include "common/json.h"
#include "common/log.h"
#include "control/names.h"

#define ANSWER_MOST (64u * 1024 * 1024)

int cli_usage(const struct cli *cli, const char *format, ...)
{
	va_list args;

	fputs("repave: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "; `repave %s --help` shows how\n", cli->command);
	return CLI_USAGE;
}

static int report_status(unsigned status, const json_t *answer)
{
	const char *why = json_get_string(answer, "error");

	if (status >= 200 && status < 300)
		return CLI_OK;
	if (why && text_printable(why, strlen(why)))
		fprintf(stderr, "repave: %s\n", why);
	else
		fprintf(stderr, "repave: the control unit answered with status %u; its log says more\n", status);
	return CLI_FAILED;
}

static int read_answer(const struct buffer *data, unsigned status, json_t **ret_answer)
{
	char why[160];
	json_t *answer = json_parse(data->data, data->size, why);
	int r = report_status(status, answer);

	if (r == CLI_OK && !answer) {
		fprintf(stderr, "repave: the control unit's answer can't be read: %s\n", why);
		r = CLI_FAILED;
	}
	if (r == CLI_OK)
		*ret_answer = answer;
	else
		json_decref(answer);
	return r;
}

static int call_socket(const struct cli *cli, const char *method, const char *path, const char *body, json_t **ret_answer)
{
	struct http_options options = { .user_agent = "repave" };
	struct http *http = http_new(&options);
	struct buffer data = { 0 };
	unsigned status = 0;
	char *socket;
	int r;

	if (!http || asprintf(&socket, "%s/control.sock", cli->state) < 0) {
		http_free(http);
		log_error(-ENOMEM, "can't call the control unit");
		return CLI_FAILED;
	}
	r = http_request_unix(http, socket, method, path, body, ANSWER_MOST, &status, &data);
	if (r == -ECONNREFUSED && access(socket, F_OK) < 0)
		r = -errno;
	if (r < 0) {
		fprintf(stderr, "repave: the control unit can't be reached at %s; is repaved running with --state %s? (%s)\n", socket,
			cli->state, r == -EACCES ? "only the user who runs it may" : strerror(-r));
		r = CLI_UNREACHABLE;
	} else {
		r = read_answer(&data, status, ret_answer);
	}
	buffer_release(&data);
	free(socket);
	http_free(http);
	return r;
}

/* The operator's token: the file's one line. 0 or an exit status, with the cause printed; the caller wipes `ret_token`. */
static int read_token(const struct cli *cli, struct buffer *ret_token)
{
	int r;

	if (!cli->token_file)
		return cli_usage(cli, "--server wants --token-file too");
	r = file_load_any(cli->token_file, 4096, ret_token);
	if (r < 0) {
		log_error(r, "can't read the token file %s", cli->token_file);
		return CLI_FAILED;
	}
	while (ret_token->size && ret_token->data[ret_token->size - 1] == '\n')
		ret_token->data[--ret_token->size] = 0;
	if (!ret_token->size || !text_of((const char *)ret_token->data, "0123456789abcdef", 64)) {
		log_error(0, "%s holds no operator's token; `repave operator add` shows one", cli->token_file);
		return CLI_FAILED;
	}
	return 0;
}

static char *ca_of(const struct cli *cli)
{
	const char *slash = strrchr(cli->token_file, '/');
	char *path;

	if (cli->ca)
		return strdup(cli->ca);
	return asprintf(&path, "%.*sca.pem", slash ? (int)(slash + 1 - cli->token_file) : 0, cli->token_file) < 0 ? NULL : path;
}

static int exchange(const struct cli *cli, const struct http_options *options, const char *method, const char *path, const char *body,
		    json_t **ret_answer)
{
	struct http *http = http_new(options);
	struct buffer data = { 0 };
	unsigned status = 0;
	char *url;
	int r;

	if (!http || asprintf(&url, "%s%s", cli->server, path) < 0) {
		http_free(http);
		log_error(-ENOMEM, "can't call the control unit");
		return CLI_FAILED;
	}
	r = http_request(http, method, url, body, ANSWER_MOST, &status, &data);
	if (r < 0) {
		fprintf(stderr, "repave: the control unit can't be reached at %s: %s\n", cli->server, http_error(http));
		r = CLI_UNREACHABLE;
	} else {
		r = read_answer(&data, status, ret_answer);
	}
	buffer_release(&data);
	free(url);
	http_free(http);
	return r;
}

static int call_server(const struct cli *cli, const char *method, const char *path, const char *body, json_t **ret_answer)
{
	struct http_options options = { .user_agent = "repave" };
	struct buffer token = { 0 };
	char *ca = NULL;
	int r = CLI_OK;

	/* The token goes over TLS or not at all. */
	if (strncmp(cli->server, "https://", 8))
		return cli_usage(cli, "--server wants https://HOST:PORT");
	r = read_token(cli, &token);
	if (r == CLI_OK) {
		ca = ca_of(cli);
		options.ca_file = ca;
		options.bearer_token = (const char *)token.data;
		if (!ca || access(ca, R_OK) < 0) {
			log_error(0, "can't read %s; name the control unit's ca.pem with --ca", ca ? ca : "ca.pem");
			r = CLI_FAILED;
		}
	}
	if (r == CLI_OK)
		r = exchange(cli, &options, method, path, body, ret_answer);
	if (token.data)
		explicit_bzero(token.data, token.size);
	buffer_release(&token);
	free(ca);
	return r;
}

int cli_call(const struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret_answer)
{
	char *text = body ? json_format(body) : NULL;
	int r;

	if (body && !text) {
		log_error(-ENOMEM, "can't call the control unit");
		return CLI_FAILED;
	}
	r = cli->server ? call_server(cli, method, path, text, ret_answer) : call_socket(cli, method, path, text, ret_answer);
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	return r;
}

char *cli_node_path(const struct cli *cli, const char *node, const char *rest)
{
	char *path;

	if (!text_of(node, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.", 64)) {
		cli_usage(cli, "a node is named by its id, 4 or more leading digits of it, or its host name");
		return NULL;
	}
	return asprintf(&path, "/v1/nodes/%s%s", node, rest) < 0 ? NULL : path;
}

int cli_print_json(const json_t *value)
{
	if (json_dumpf(value, stdout, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_ENCODE_ANY) || putchar('\n') == EOF ||
	    fflush(stdout))
		return CLI_FAILED;
	return CLI_OK;
}

const char *cli_text(const json_t *object, const char *key)
{
	const char *text = json_get_string(object, key);

	return text && text[0] && text_printable(text, strlen(text)) ? text : "-";
}

const char *cli_time(const json_t *object, const char *key, char ret_text[32])
{
	time_t seconds = (time_t)json_integer_value(json_object_get(object, key));
	struct tm tm;

	if (seconds <= 0 || !localtime_r(&seconds, &tm) || !strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S", &tm))
		strcpy(ret_text, "-");
	return ret_text;
}

const char *cli_size(const json_t *object, const char *key, char ret_text[16])
{
	return format_size((uint64_t)json_integer_value(json_object_get(object, key)), ret_text);
}

void cli_table_add(struct cli_table *table, const char *const cells[])
{
	if (table->rows == table->room) {
		size_t room = table->room ? 2 * table->room : 32;

		table->cells = reallocarray(table->cells, room * table->columns, sizeof *table->cells);
		table->room = room;
	}
	for (size_t i = 0; i < table->columns; i++) {
		char *copy = table->cells ? strdup(cells[i]) : NULL;

		if (!copy) {
			log_error(-ENOMEM, "can't show the table");
			exit(CLI_FAILED);
		}
		table->cells[table->rows * table->columns + i] = copy;
	}
	table->rows++;
}

void cli_table_print(struct cli_table *table)
{
	size_t widths[CLI_COLUMNS_MOST] = { 0 };

	for (size_t i = 0; i < table->rows * table->columns; i++) {
		size_t *width = &widths[i % table->columns];

		if (strlen(table->cells[i]) > *width)
			*width = strlen(table->cells[i]);
	}
	for (size_t i = 0; i < table->rows * table->columns; i++) {
		bool last = i % table->columns == table->columns - 1;

		if (last)
			printf("%s\n", table->cells[i]);
		else
			printf("%-*s  ", (int)widths[i % table->columns], table->cells[i]);
		free(table->cells[i]);
	}
	free(table->cells);
	*table = (struct cli_table){ 0 };
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

static int exchange(const struct cli *cli, struct http *http, const char *socket, const char *method, const char *path,
		    const char *body, json_t **ret_answer)
{
	struct buffer data = { 0 };
	unsigned status = 0;
	char why[160];
	json_t *answer;
	int r = http_request_unix(http, socket, method, path, body, ANSWER_MOST, &status, &data);

	if (r < 0) {
		fprintf(stderr, "repave: the control unit can't be reached at %s; is repaved running with --state %s? (%s)\n", socket,
			cli->state, r == -EACCES ? "only the user who runs it may" : strerror(-r));
		buffer_release(&data);
		return CLI_UNREACHABLE;
	}
	answer = json_parse(data.data, data.size, why);
	buffer_release(&data);
	r = report_status(status, answer);
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

int cli_call(const struct cli *cli, const char *method, const char *path, const json_t *body, json_t **ret_answer)
{
	struct http_options options = { .user_agent = "repave" };
	struct http *http = http_new(&options);
	char *socket = NULL, *text = body ? json_format(body) : NULL;
	int r = CLI_FAILED;

	if (!http || (body && !text) || asprintf(&socket, "%s/control.sock", cli->state) < 0) {
		socket = NULL;
		log_error(-ENOMEM, "can't call the control unit");
	} else {
		r = exchange(cli, http, socket, method, path, text, ret_answer);
	}
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
	free(socket);
	http_free(http);
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

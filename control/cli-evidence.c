// SPDX-License-Identifier: GPL-2.0-or-later
/* node evidence: what nodes sent before they were cut off. */
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/log.h"
#include "control/cli.h"

static int __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	log_error(0, "%s", text);
	return CLI_FAILED;
}

static int list(const struct cli *cli, const json_t *all)
{
	struct cli_table table = { .columns = 4 };
	const json_t *one;
	char when[32], restart[24], bytes[24];
	size_t i;

	if (cli->json)
		return cli_print_json(all);
	cli_table_add(&table, (const char *const[]){ "RESTART", "TIME", "BYTES", "SHA-256" });
	json_array_foreach(all, i, one) {
		snprintf(restart, sizeof restart, "%lld", (long long)json_integer_value(json_object_get(one, "restart")));
		snprintf(bytes, sizeof bytes, "%lld", (long long)json_integer_value(json_object_get(one, "bytes")));
		cli_table_add(&table, (const char *const[]){ restart, cli_time(one, "time", when), bytes, cli_text(one, "sha256") });
	}
	cli_table_print(&table);
	return CLI_OK;
}

static const json_t *find(const json_t *all, const char *restart)
{
	const json_t *one;
	uint64_t number;
	size_t i;

	json_array_foreach(all, i, one)
		if (parse_u64(restart, &number) == 0 && (json_int_t)number == json_integer_value(json_object_get(one, "restart")))
			return one;
	return NULL;
}

/* One piece from `offset` on. An enum cli_status; empty at the end. */
static int fetch_piece(const struct cli *cli, const char *restart, uint64_t offset, struct buffer *piece)
{
	char path[96];
	const char *data;
	json_t *answer = NULL;
	int r;

	snprintf(path, sizeof path, "/v1/evidence/%.20s?offset=%llu", restart, (unsigned long long)offset);
	r = cli_call(cli, "GET", path, NULL, &answer);
	data = json_get_string(answer, "data");
	if (r == CLI_OK && (!data || base64_parse(data, piece) < 0))
		r = fail("the control unit's answer isn't sound");
	json_decref(answer);
	return r;
}

static int fetch_all(const struct cli *cli, const char *restart, int fd, char ret_sha256[65])
{
	mbedtls_sha256_context hash;
	uint8_t digest[32];
	uint64_t offset = 0;
	size_t size;
	int r;

	mbedtls_sha256_init(&hash);
	mbedtls_sha256_starts_ret(&hash, 0);
	do {
		struct buffer piece = { 0 };

		r = fetch_piece(cli, restart, offset, &piece);
		size = piece.size;
		if (r == CLI_OK && size && write(fd, piece.data, size) != (ssize_t)size)
			r = fail("can't write the file: %s", strerror(errno));
		mbedtls_sha256_update_ret(&hash, piece.data, size);
		offset += size;
		buffer_release(&piece);
	} while (r == CLI_OK && size);
	mbedtls_sha256_finish_ret(&hash, digest);
	mbedtls_sha256_free(&hash);
	hex_format(digest, sizeof digest, ret_sha256);
	return r;
}

static int fetch(const struct cli *cli, const json_t *all, const char *restart, const char *file)
{
	const json_t *one = find(all, restart);
	char sha256[65];
	int fd, r;

	if (!one)
		return fail("this node has no evidence %s; without --fetch they are listed", restart);
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fail("can't make %s: %s", file, strerror(errno));
	r = fetch_all(cli, restart, fd, sha256);
	if (close(fd) < 0 && r == CLI_OK)
		r = fail("can't write %s: %s", file, strerror(errno));
	if (r == CLI_OK && strcmp(sha256, cli_text(one, "sha256")))
		r = fail("%s isn't what arrived: its SHA-256 is %s, and was %s", file, sha256, cli_text(one, "sha256"));
	else if (r == CLI_OK)
		printf("%s: SHA-256 %s, as it arrived; a compromised server's own word\n", file, sha256);
	return r;
}

int cli_node_evidence(const struct cli *cli, int argc, char *argv[])
{
	bool fetches = argc == 4 && !strcmp(argv[1], "--fetch");
	json_t *answer = NULL;
	char *path;
	int r;

	if (argc < 1 || argv[0][0] == '-' || (argc != 1 && !fetches))
		return cli_usage(cli, "name one node, and with --fetch the number of the cut, and a file that isn't there yet");
	path = cli_node_path(cli, argv[0], "/evidence");
	r = path ? cli_call(cli, "GET", path, NULL, &answer) : CLI_USAGE;
	if (r == CLI_OK)
		r = fetches ? fetch(cli, json_object_get(answer, "evidence"), argv[2], argv[3]) : list(cli, json_object_get(answer, "evidence"));
	free(path);
	json_decref(answer);
	return r;
}

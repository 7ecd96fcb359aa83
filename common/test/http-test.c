/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HTTP client against servers that don't do what they should. */
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/http.h"

#define TOKEN "0123456789-secret"

static unsigned port;
static pid_t server;

/* ------------------------------------------------------------------ the server: answers by path, whatever was asked */
static const struct {
	const char *path;
	const char *answer;
} answers[] = {
	{ "/ten", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789" },
	{ "/two-of-ten", "HTTP/1.1 206 Partial Content\r\nContent-Length: 2\r\n\r\n34" },
	{ "/endless", "HTTP/1.1 206 Partial Content\r\n\r\n0123456789012345678901234567890123456789" },
	{ "/elsewhere", "HTTP/1.1 302 Found\r\nLocation: /ten\r\nContent-Length: 5\r\n\r\nmoved" },
	{ "/gone", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone" },
	{ "/cut", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n012" },
};

/* The head at once, then a byte five times a second, and "burst" bytes every second time; ends with the reader. */
static void drip(int fd, const char *status, size_t burst)
{
	char bytes[4096];
	ssize_t n;

	memset(bytes, '.', sizeof(bytes));
	n = write(fd, status, strlen(status));
	for (unsigned i = 0; n > 0 && i < 100; i++) {
		usleep(200000);
		n = send(fd, bytes, i % 2 ? burst : 1, MSG_NOSIGNAL);
	}
}

/* 16 MiB, and then nothing until the reader goes. */
static void flood(int fd, const char *status)
{
	static const char bytes[4096];
	char byte;
	ssize_t n = write(fd, status, strlen(status));

	for (unsigned i = 0; n > 0 && i < 4096; i++)
		n = send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL);
	while (n > 0)
		n = read(fd, &byte, 1);
}

static bool answer_slowly(int fd, const char *question)
{
	if (strncmp(question + 4, "/drip ", 6) == 0)
		drip(fd, "HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", 1);
	else if (strncmp(question + 4, "/drip-range ", 12) == 0)
		drip(fd, "HTTP/1.1 206 Partial Content\r\nContent-Length: 4000\r\n\r\n", 1);
	else if (strncmp(question + 4, "/steady ", 8) == 0)
		drip(fd, "HTTP/1.1 200 OK\r\n\r\n", 1000);
	else if (strncmp(question + 4, "/no-head ", 9) == 0)
		drip(fd, "HTTP/1.1 200 OK\r\nX: ", 1);
	else if (strncmp(question + 4, "/flood-of-404 ", 14) == 0)
		flood(fd, "HTTP/1.1 404 Not Found\r\n\r\n");
	else
		return false;
	return true;
}

static void answer(int fd)
{
	char question[4096] = "", echo[4300];
	size_t have = 0;
	ssize_t n;

	while (!strstr(question, "\r\n\r\n") && (n = read(fd, question + have, sizeof(question) - 1 - have)) > 0)
		have += (size_t)n;
	if (answer_slowly(fd, question))
		return;
	for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
		size_t size = strlen(answers[i].path);

		if (!strncmp(question + 4, answers[i].path, size) && question[4 + size] == ' ') {
			n = write(fd, answers[i].answer, strlen(answers[i].answer));
			return;
		}
	}
	snprintf(echo, sizeof(echo), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", have, question);
	n = write(fd, echo, strlen(echo));
}

static int start_server(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(address);
	int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)state;
	if (bind(listening, (struct sockaddr *)&address, size) < 0 || listen(listening, 8) < 0 ||
	    getsockname(listening, (struct sockaddr *)&address, &size) < 0)
		return -1;
	port = ntohs(address.sin_port);
	server = fork();
	if (server == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			int fd = accept(listening, NULL, NULL);

			answer(fd);
			shutdown(fd, SHUT_WR);
			close(fd);
		}
	}
	close(listening);
	return server > 0 ? 0 : -1;
}

static int stop_server(void **state)
{
	(void)state;
	kill(server, SIGKILL);
	return waitpid(server, NULL, 0) == server ? 0 : -1;
}

/* ------------------------------------------------------------------ the client */
static const char *url_of(const char *path)
{
	static char url[128];

	snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", port, path);
	return url;
}

static struct http *client(void)
{
	struct http_options options = { .bearer_token = TOKEN };
	struct http *http = http_new(&options);

	assert_non_null(http);
	return http;
}

static int collect(void *context, const uint8_t *data, size_t size)
{
	return buffer_add(context, data, size);
}

static void check_range(const char *path, uint64_t offset, uint64_t size, int error, const char *got, const char *says)
{
	struct http *http = client();
	struct buffer body = { 0 };

	assert_int_equal(http_get_range(http, url_of(path), offset, size, collect, &body), error);
	assert_int_equal(body.size, strlen(got));
	if (body.size > 0)
		assert_memory_equal(body.data, got, body.size);
	if (says && !strstr(http_error(http), says))
		fail_msg("\"%s\" doesn't say \"%s\"", http_error(http), says);
	buffer_release(&body);
	http_free(http);
}

static void test_range_is_what_was_asked_for(void **state)
{
	(void)state;
	check_range("/two-of-ten", 3, 2, 0, "34", NULL);
	check_range("/ten", 0, 10, 0, "0123456789", NULL);
	check_range("/gone", 3, 2, -ENOENT, "", "404");
}

static void test_server_without_ranges_is_named(void **state)
{
	(void)state;
	check_range("/ten", 3, 2, -EPROTO, "", "byte ranges");
}

static void test_longer_answer_ends_at_the_first_byte_too_many(void **state)
{
	(void)state;
	check_range("/endless", 3, 5, -EBADMSG, "", "other bytes");
}

static void test_shorter_answer_is_no_answer(void **state)
{
	(void)state;
	check_range("/two-of-ten", 3, 4, -EBADMSG, "34", "missing");
	check_range("/cut", 0, 10, -EIO, "012", NULL);
}

static void check_get(const char *path, size_t most, int error)
{
	struct http *http = client();
	struct buffer body;

	assert_int_equal(http_get(http, url_of(path), most, &body), error);
	assert_int_equal(body.size, error == 0 ? 10 : 0);
	buffer_release(&body);
	http_free(http);
}

static void test_body_is_bounded_and_redirects_are_not_followed(void **state)
{
	(void)state;
	check_get("/ten", 10, 0);
	check_get("/ten", 9, -EFBIG);
	check_get("/elsewhere", 100, -EPROTO);
	check_get("/gone", 100, -ENOENT);
	check_get("/cut", 100, -EIO);
}

static void test_token_stays_off_plain_http(void **state)
{
	struct http *http = client();
	struct buffer body;
	unsigned status;

	(void)state;
	assert_int_equal(http_request(http, "POST", url_of("/echo"), "{}", 4096, &status, &body), 0);
	assert_non_null(strstr((const char *)body.data, "POST /echo"));
	assert_null(strstr((const char *)body.data, TOKEN));
	buffer_release(&body);
	http_free(http);
}

static void test_https_needs_the_fleets_ca(void **state)
{
	struct http *http = client();
	struct buffer body;

	(void)state;
	assert_int_equal(http_get(http, "https://127.0.0.1:1/", 10, &body), -EACCES);
	assert_non_null(strstr(http_error(http), "no CA"));
	http_free(http);
}

/* Slow retrieval: never stalling, never done. */
static struct http *impatient(unsigned rate, unsigned answer_seconds)
{
	struct http_options options = { .least_rate = rate, .rate_seconds = 1, .answer_seconds = answer_seconds };
	struct http *http = http_new(&options);

	assert_non_null(http);
	return http;
}

static void check_slow(const char *path, unsigned rate, unsigned answer_seconds, const char *says)
{
	struct http *http = impatient(rate, answer_seconds);
	struct buffer body;

	assert_int_equal(http_get(http, url_of(path), 100000, &body), -ETIMEDOUT);
	if (!strstr(http_error(http), says))
		fail_msg("\"%s\" doesn't say \"%s\"", http_error(http), says);
	assert_int_equal(body.size, 0);
	http_free(http);
}

static void test_slow_retrieval_ends_by_the_rate(void **state)
{
	(void)state;
	check_slow("/drip", 500, 60, "too slow: less than 500 bytes per second over 1 s");
	check_slow("/no-head", 500, 60, "too slow");
}

static void test_slow_retrieval_ends_by_the_deadline(void **state)
{
	(void)state;
	/* Fast enough at every moment. */
	check_slow("/steady", 500, 3, "timed out");
}

static void test_slow_range_ends_by_the_rate(void **state)
{
	struct http *http = impatient(500, 60);
	struct buffer body = { 0 };

	(void)state;
	assert_int_equal(http_get_range(http, url_of("/drip-range"), 7, 4000, collect, &body), -ETIMEDOUT);
	assert_non_null(strstr(http_error(http), "too slow"));
	buffer_release(&body);
	http_free(http);
}

static int dawdle(void *context, const uint8_t *data, size_t size)
{
	usleep(1300000);
	return collect(context, data, size);
}

static void test_slow_sink_is_not_the_servers_fault(void **state)
{
	struct http *http = impatient(5000, 60);
	struct buffer body = { 0 };

	(void)state;
	assert_int_equal(http_get_stream(http, url_of("/ten"), 10, dawdle, &body), 0);
	assert_int_equal(body.size, 10);
	buffer_release(&body);
	http_free(http);
}

static void test_stream_is_bounded(void **state)
{
	struct http *http = client();
	struct buffer body = { 0 };

	(void)state;
	assert_int_equal(http_get_stream(http, url_of("/ten"), 9, collect, &body), -EFBIG);
	assert_int_equal(http_get_stream(http, url_of("/gone"), 9, collect, &body), -ENOENT);
	assert_int_equal(http_get_stream(http, url_of("/cut"), 9, collect, &body), -EIO);
	buffer_release(&body);
	http_free(http);
}

static void test_endless_refusal_is_cut(void **state)
{
	struct http *http = impatient(1, 60);
	struct buffer body = { 0 };

	(void)state;
	assert_int_equal(http_get_range(http, url_of("/flood-of-404"), 7, 4000, collect, &body), -ENOENT);
	assert_int_equal(body.size, 0);
	http_free(http);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_range_is_what_was_asked_for),
		cmocka_unit_test(test_server_without_ranges_is_named),
		cmocka_unit_test(test_longer_answer_ends_at_the_first_byte_too_many),
		cmocka_unit_test(test_shorter_answer_is_no_answer),
		cmocka_unit_test(test_body_is_bounded_and_redirects_are_not_followed),
		cmocka_unit_test(test_token_stays_off_plain_http),
		cmocka_unit_test(test_https_needs_the_fleets_ca),
		cmocka_unit_test(test_slow_retrieval_ends_by_the_rate),
		cmocka_unit_test(test_slow_retrieval_ends_by_the_deadline),
		cmocka_unit_test(test_slow_range_ends_by_the_rate),
		cmocka_unit_test(test_slow_sink_is_not_the_servers_fault),
		cmocka_unit_test(test_stream_is_bounded),
		cmocka_unit_test(test_endless_refusal_is_cut),
	};

	return cmocka_run_group_tests(tests, start_server, stop_server);
}

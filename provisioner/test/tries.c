/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts that don't become healthy, and what is kept for them; an application's health check. */
#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/probe.h"
#include "provisioner/tries.h"

/* ------------------------------------------------------------------ tries */
static struct system_pair pair(char digit, char slot, bool app)
{
	struct system_pair p = { 0 };

	snprintf(p.c.slot, sizeof(p.c.slot), "C%c", slot);
	memset(p.c.root, digit, 64);
	snprintf(p.c.target, sizeof(p.c.target), "os/a/%c.img.zst", digit);
	if (!app)
		return p;
	snprintf(p.d.slot, sizeof(p.d.slot), "D%c", slot);
	memset(p.d.root, digit, 64);
	snprintf(p.d.target, sizeof(p.d.target), "app/w/a/%c.img.zst", digit);
	return p;
}

static void test_start_without_health_counts_and_healthy_one_forgets(void **unused)
{
	struct system_pair new = pair('b', '1', true), good;
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(tries_count(&state, 7, &new), 0);
	assert_int_equal(tries_begin(&state, 7, &new, true), 0);
	assert_int_equal(tries_begin(&state, 7, &new, true), 0);
	assert_int_equal(tries_count(&state, 7, &new), 2);
	assert_false(tries_last_good(&state, &good));
	assert_int_equal(tries_healthy(&state, new.c.root, new.d.root), 0);
	assert_int_equal(tries_count(&state, 7, &new), 0);
	assert_true(tries_last_good(&state, &good));
	assert_memory_equal(&good, &new, sizeof(good));
	state_release(&state);
}

static void test_start_of_an_image_without_marks_is_unknown(void **unused)
{
	char nonce[33];
	enum start_way way;
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_false(tries_last_start(&state, nonce, &way));
	assert_int_equal(tries_note_start(&state, "00112233445566778899aabbccddeeff", START_RESET, true), 0);
	assert_true(tries_last_start(&state, nonce, &way));
	assert_string_equal(nonce, "00112233445566778899aabbccddeeff");
	assert_int_equal(way, START_RESET);
	/* The one before must not be taken for it. */
	assert_int_equal(tries_note_start(&state, "00112233445566778899aabbccddeeff", START_KEXEC, false), 0);
	assert_false(tries_last_start(&state, nonce, &way));
	state_release(&state);
}

static void test_new_assignment_or_image_begins_at_zero(void **unused)
{
	struct system_pair new = pair('b', '1', true), newer = pair('c', '1', true), alone = pair('b', '1', false);
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(tries_begin(&state, 7, &new, true), 0);
	assert_int_equal(tries_count(&state, 8, &new), 0);
	assert_int_equal(tries_count(&state, 7, &newer), 0);
	assert_int_equal(tries_count(&state, 7, &alone), 0);
	assert_int_equal(tries_begin(&state, 8, &newer, true), 0);
	assert_int_equal(tries_count(&state, 8, &newer), 1);
	assert_int_equal(tries_count(&state, 7, &new), 0);
	state_release(&state);
}

/* Root of the running OS writes STATE: it must not keep what is assigned next from being tried at all. */
static void test_planted_starts_that_nobody_saw_do_not_count(void **unused)
{
	struct system_pair new = pair('b', '1', true);
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tries_begin(&state, 8, &new, true), 0);
	assert_int_equal(tries_believed(&state, 8, &new, 0), 0);
	assert_int_equal(tries_believed(&state, 8, &new, 2), 2);
	assert_int_equal(tries_believed(&state, 8, &new, 50), 3);
	assert_int_equal(tries_believed(&state, 8, &new, UINT64_MAX), 3);
	assert_int_equal(tries_believed(&state, 9, &new, 50), 0);
	state_release(&state);
}

/* Else every boot after the fallback would try the broken system again. */
static void test_last_good_start_keeps_the_failed_count(void **unused)
{
	struct system_pair old = pair('a', '0', true), new = pair('b', '1', true), good;
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(tries_begin(&state, 6, &old, true), 0);
	assert_int_equal(tries_healthy(&state, old.c.root, old.d.root), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tries_begin(&state, 7, &new, true), 0);
	assert_int_equal(tries_begin(&state, 7, &old, false), 0);
	assert_int_equal(tries_healthy(&state, old.c.root, old.d.root), 0);
	assert_int_equal(tries_count(&state, 7, &new), 3);
	assert_true(tries_last_good(&state, &good));
	assert_true(pair_equal(&good, &old));
	state_release(&state);
}

/* Else a server with a healthy system on its disk would ask for ever for an image that can't be had. */
static void test_installs_that_keep_failing_reach_a_bound(void **unused)
{
	struct failures failures = { 0 };

	(void)unused;
	assert_false(failures_add(&failures, 7, 3));
	assert_false(failures_add(&failures, 7, 3));
	assert_true(failures_add(&failures, 7, 3));
	assert_true(failures_add(&failures, 7, 3));
	assert_false(failures_add(&failures, 8, 3));
	assert_true(failures_add(&failures, 9, 1));
}

static void test_install_spares_the_healthy_slot_not_the_newest(void **unused)
{
	struct system_pair old = pair('a', '0', true);
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(tries_begin(&state, 6, &old, true), 0);
	assert_int_equal(tries_healthy(&state, old.c.root, old.d.root), 0);
	assert_int_equal(state_set_good(&state, "c", "C1"), 0); /* complete, never healthy */
	assert_int_equal(state_good(&state, "c"), 0);
	assert_int_equal(state_good(&state, "d"), 0);
	state_release(&state);
}

static void test_health_of_another_start_is_refused(void **unused)
{
	struct system_pair old = pair('a', '0', true), new = pair('b', '1', false), good;
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_int_equal(tries_healthy(&state, old.c.root, old.d.root), -ESTALE);
	assert_int_equal(tries_begin(&state, 6, &new, true), 0);
	assert_int_equal(tries_healthy(&state, old.c.root, old.d.root), -ESTALE);
	assert_int_equal(tries_healthy(&state, new.c.root, old.d.root), -ESTALE);
	assert_false(tries_last_good(&state, &good));
	assert_int_equal(tries_healthy(&state, new.c.root, ""), 0);
	state_release(&state);
}

static void test_stop_is_clean_until_the_next_start(void **unused)
{
	struct system_pair new = pair('b', '1', false);
	struct state state;

	(void)unused;
	assert_int_equal(state_init(&state), 0);
	assert_false(tries_was_clean(&state));
	assert_int_equal(tries_set_clean(&state), 0);
	assert_true(tries_was_clean(&state));
	assert_int_equal(tries_begin(&state, 1, &new, true), 0);
	assert_false(tries_was_clean(&state));
	/* The health program was started again in the same OS. */
	assert_int_equal(tries_set_clean(&state), 0);
	assert_true(tries_set_unclean(&state));
	assert_false(tries_was_clean(&state));
	assert_false(tries_set_unclean(&state));
	state_release(&state);
}

static void test_planted_members_are_ignored(void **unused)
{
	static const char *const planted[] = {
		"{\"healthy\":{\"c\":{\"slot\":\"C2\",\"root_hash\":\"00\",\"target\":\"x\"}}}",
		"{\"healthy\":{\"c\":{\"slot\":\"D0\",\"root_hash\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\",\"target\":\"x\"}}}",
		"{\"healthy\":[],\"tries\":7,\"running\":null}",
		"{\"tries\":{\"assignment\":7,\"count\":-1}}",
	};
	struct system_pair new = pair('b', '1', true), good;
	char error[160];

	(void)unused;
	for (size_t i = 0; i < sizeof(planted) / sizeof(planted[0]); i++) {
		struct state state = { .fd = -1, .content = json_parse(planted[i], strlen(planted[i]), error) };

		assert_non_null(state.content);
		assert_false(tries_last_good(&state, &good));
		assert_int_equal(tries_count(&state, 7, &new), 0);
		assert_int_equal(tries_begin(&state, 7, &new, true), 0);
		assert_int_equal(tries_count(&state, 7, &new), 1);
		state_release(&state);
	}
}

/* ------------------------------------------------------------------ probe */
static int parse(const char *text, struct probe *ret_probe)
{
	return probe_parse(text, strlen(text), ret_probe);
}

static void test_unsound_health_checks_are_refused(void **unused)
{
	struct probe probe;

	(void)unused;
	assert_int_equal(parse("{}", &probe), -ENOENT);
	assert_int_equal(parse("{\"health\":{\"type\":\"tcp\",\"port\":6379}}", &probe), 0);
	assert_false(probe.http);
	assert_int_equal(parse("{\"health\":{\"type\":\"http\",\"port\":80}}", &probe), 0);
	assert_string_equal(probe.path, "/");
	assert_int_equal(parse("{\"health\":{\"type\":\"http\",\"port\":80,\"path\":\"/ HTTP\"}}", &probe), -EINVAL);
	assert_int_equal(parse("{\"health\":{\"type\":\"http\",\"port\":80,\"path\":\"x\"}}", &probe), -EINVAL);
	assert_int_equal(parse("{\"health\":{\"type\":\"http\",\"port\":65536}}", &probe), -EINVAL);
	assert_int_equal(parse("{\"health\":{\"type\":\"exec\",\"port\":80}}", &probe), -EINVAL);
	assert_int_equal(parse("{", &probe), -EINVAL);
}

/* Answers one connection with `text` and goes. */
static int ask_server(const char *text, bool http)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct probe probe = { .http = http, .path = "/" };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0), r;
	pid_t child;

	assert_int_equal(bind(listener, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&at, &size), 0);
	probe.port = ntohs(at.sin_port);
	child = fork();
	if (child == 0) {
		int fd = accept(listener, NULL, NULL);
		char request[2048];

		_exit(fd < 0 || (http && recv(fd, request, sizeof(request), 0) < 0) ||
		      send(fd, text, strlen(text), MSG_NOSIGNAL) < 0);
	}
	r = probe_ask(&probe);
	close(listener);
	waitpid(child, NULL, 0);
	return r;
}

static void test_application_that_answers_an_error_is_not_healthy(void **unused)
{
	struct probe closed = { .port = 1 };

	(void)unused;
	assert_int_equal(ask_server("HTTP/1.1 200 OK\r\n\r\n", true), 0);
	assert_int_equal(ask_server("HTTP/1.0 302 Found\r\n\r\n", true), 0);
	assert_int_equal(ask_server("HTTP/1.1 503 Unavailable\r\n\r\n", true), -EPROTO);
	assert_int_equal(ask_server("HTTP/1.1", true), -EPROTO);
	assert_int_equal(ask_server("SSH-2.0-x 200 OK", true), -EPROTO);
	assert_int_equal(ask_server("", false), 0);
	assert_int_equal(probe_ask(&closed), -ECONNREFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start_without_health_counts_and_healthy_one_forgets),
		cmocka_unit_test(test_start_of_an_image_without_marks_is_unknown),
		cmocka_unit_test(test_new_assignment_or_image_begins_at_zero),
		cmocka_unit_test(test_planted_starts_that_nobody_saw_do_not_count),
		cmocka_unit_test(test_last_good_start_keeps_the_failed_count),
		cmocka_unit_test(test_install_spares_the_healthy_slot_not_the_newest),
		cmocka_unit_test(test_health_of_another_start_is_refused),
		cmocka_unit_test(test_stop_is_clean_until_the_next_start),
		cmocka_unit_test(test_installs_that_keep_failing_reach_a_bound),
		cmocka_unit_test(test_planted_members_are_ignored),
		cmocka_unit_test(test_unsound_health_checks_are_refused),
		cmocka_unit_test(test_application_that_answers_an_error_is_not_healthy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

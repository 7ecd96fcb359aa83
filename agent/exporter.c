/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/exporter.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/exposition.h"
#include "agent/sandbox.h"
#include "agent/tls.h"
#include "common/bytes.h"
#include "common/file.h"
#include "common/log.h"

#ifndef IPV6_FREEBIND
#define IPV6_FREEBIND 78 /* linux/in6.h */
#endif
#define CONNECTION_MS 3000  /* for one request and its answer */
#define AGAIN_MS 10000      /* between two starts of the process */
#define WAITING_MOST 8      /* connections that wait for their turn */
#define TRIES 100           /* to read a text that isn't being written */

/* Written by the main process only; `sequence` is odd meanwhile. */
struct exposed {
	atomic_uint sequence;
	uint32_t size;
	char text[EXPOSITION_MOST];
};

/* ------------------------------------------------------------------ the process without rights */
static bool wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd one = { .fd = fd, .events = events };
	int64_t left = deadline - steady_ms();

	return left > 0 && poll(&one, 1, (int)left) > 0;
}

/* The status to answer with; 0 when the client went, or took too long. */
static unsigned read_request(int fd, int64_t deadline)
{
	char request[METRICS_REQUEST_MOST];
	unsigned status = 0;
	size_t size = 0;

	while (status == 0 && wait_for(fd, POLLIN, deadline)) {
		ssize_t n = recv(fd, request + size, sizeof(request) - size, 0);

		if (n <= 0)
			return 0;
		size += (size_t)n;
		status = metrics_request(request, size);
	}
	return status;
}

static void write_all(int fd, const char *data, size_t size, int64_t deadline)
{
	while (size > 0 && wait_for(fd, POLLOUT, deadline)) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		data += n;
		size -= (size_t)n;
	}
}

/* A whole text; 0 when there is none. */
static size_t copy_text(struct exposed *exposed, char ret_text[EXPOSITION_MOST])
{
	const struct timespec pause = { 0, 1000000 };

	for (int i = 0; i < TRIES; i++) {
		unsigned before = atomic_load(&exposed->sequence);
		uint32_t size = exposed->size;

		if (before % 2 == 0 && before > 0 && size <= EXPOSITION_MOST) {
			memcpy(ret_text, exposed->text, size);
			atomic_thread_fence(memory_order_acquire);
			if (atomic_load(&exposed->sequence) == before)
				return size;
		}
		nanosleep(&pause, NULL);
	}
	return 0;
}

static void answer(int fd, struct exposed *exposed)
{
	static char text[EXPOSITION_MOST];
	int64_t deadline = steady_ms() + CONNECTION_MS;
	unsigned status = read_request(fd, deadline);
	size_t size = status == 200 ? copy_text(exposed, text) : 0;
	const char *word = status == 200 ? "OK" : status == 404 ? "Not Found" : status == 405 ? "Method Not Allowed" : "Bad Request";
	char head[256];
	int head_size;

	if (status == 0)
		return;
	if (status == 200 && size == 0) {
		status = 503;
		word = "Nothing Measured Yet";
	}
	head_size = snprintf(head, sizeof(head), "HTTP/1.1 %u %s\r\n%sContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
			     "Content-Length: %zu\r\nConnection: close\r\n\r\n", status, word, status == 405 ? "Allow: GET\r\n" : "", size);
	write_all(fd, head, (size_t)head_size, deadline);
	write_all(fd, text, size, deadline);
}

static void __attribute__((noreturn)) run(int fd, struct exposed *exposed, uid_t user)
{
	int r = rights_give_up(user, SANDBOX_LISTENER);

	if (r < 0) {
		log_error(r, "the metrics process can't give up its rights");
		_exit(1);
	}
	for (;;) {
		int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (connection < 0 && errno != EINTR && errno != ECONNABORTED)
			_exit(1);
		if (connection < 0)
			continue;
		answer(connection, exposed);
		close(connection);
	}
}

/* ------------------------------------------------------------------ the main process's side */
static int listen_at(const char *text, size_t size, uint16_t *ret_port)
{
	struct sockaddr_storage address;
	socklen_t length;
	bool is_six;
	int fd, one = 1, r = metrics_address(text, size, &address, &length, ret_port);

	if (r < 0)
		return r;
	is_six = address.ss_family == AF_INET6;
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	/* The network may come up later than this program. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    setsockopt(fd, is_six ? IPPROTO_IPV6 : IPPROTO_IP, is_six ? IPV6_FREEBIND : IP_FREEBIND, &one, sizeof(one)) < 0 ||
	    bind(fd, (struct sockaddr *)&address, length) < 0 || listen(fd, WAITING_MOST) < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

static void start(struct exporter *exporter)
{
	exporter->started = steady_ms();
	exporter->process = fork();
	if (exporter->process == 0) {
		dup2(exporter->socket, 3);
		syscall(SYS_close_range, 4u, ~0u, 0u);
		run(3, exporter->exposed, exporter->user);
	}
	if (exporter->process < 0) {
		log_error(-errno, "can't start the metrics process");
		exporter->process = 0;
	}
}

void exporter_open(struct exporter *exporter, const char *path, uid_t user)
{
	struct buffer text = { 0 };
	int r = file_load(path, METRICS_ADDRESS_MOST + 2, &text);

	*exporter = (struct exporter){ .socket = -1, .user = user };
	if (r == 0)
		r = listen_at(text.data != NULL ? (char *)text.data : "", text.size, &exporter->port);
	buffer_release(&text);
	if (r == -EINVAL)
		log_error(0, "%s isn't one line ADDRESS:PORT: no metrics", path);
	else if (r < 0 && r != -ENOENT)
		log_error(r, "can't listen at the address in %s: no metrics", path);
	if (r < 0)
		return;
	exporter->exposed = mmap(NULL, sizeof(*exporter->exposed), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (exporter->exposed == MAP_FAILED) {
		log_error(-errno, "no metrics");
		close(r);
		return;
	}
	exporter->socket = r;
	start(exporter);
}

void exporter_keep(struct exporter *exporter)
{
	if (exporter->socket < 0)
		return;
	if (exporter->process != 0 && waitpid(exporter->process, NULL, WNOHANG) == exporter->process)
		exporter->process = 0;
	if (exporter->process == 0 && steady_ms() - exporter->started >= AGAIN_MS)
		start(exporter);
}

void exporter_publish(struct exporter *exporter, const struct measures *measures)
{
	struct exposed *exposed = exporter->exposed;
	static char text[EXPOSITION_MOST];
	size_t size;

	if (exporter->socket < 0 || exposition_format(measures, time(NULL), text, sizeof(text), &size) < 0)
		return;
	atomic_fetch_add(&exposed->sequence, 1);
	atomic_thread_fence(memory_order_release);
	memcpy(exposed->text, text, size);
	exposed->size = (uint32_t)size;
	atomic_fetch_add(&exposed->sequence, 1);
}

void exporter_close(struct exporter *exporter)
{
	if (exporter->process != 0) {
		kill(exporter->process, SIGKILL);
		waitpid(exporter->process, NULL, 0);
	}
	if (exporter->socket >= 0)
		close(exporter->socket);
	*exporter = (struct exporter){ .socket = -1 };
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/haproxy-socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/haproxy-config.h"
#include "control/haproxy.h"

int64_t haproxy_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 0 when the socket is ready in time. */
static int wait_for(int fd, short events, int64_t until)
{
	struct pollfd one = { .fd = fd, .events = events };
	int64_t left = until - haproxy_clock();
	int r = left > 0 ? poll(&one, 1, (int)left) : 0;

	return r < 0 && errno != EINTR ? -errno : r == 0 ? -ETIMEDOUT : 0;
}

static socklen_t make_address(const char *text, uint16_t port, struct sockaddr_storage *ret_address)
{
	struct sockaddr_un *local = (struct sockaddr_un *)ret_address;
	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof *ret_address);
	if (!port) {
		local->sun_family = AF_UNIX;
		snprintf(local->sun_path, sizeof local->sun_path, "%s", text);
		return sizeof *local;
	}
	if (strchr(text, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		inet_pton(AF_INET6, text, &six->sin6_addr);
		return sizeof *six;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	inet_pton(AF_INET, text, &four->sin_addr);
	return sizeof *four;
}

static int connect_to(const char *socket_text, int64_t until, int *ret_fd)
{
	char text[HAPROXY_SOCKET_PATH_MOST + 1];
	struct sockaddr_storage address;
	socklen_t size, length = sizeof(int);
	int fd, failure = 0, r;
	uint16_t port;

	if (balancer_socket_parse(socket_text, text, &port) < 0)
		return -EINVAL;
	size = make_address(text, port, &address);
	fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	r = connect(fd, (struct sockaddr *)&address, size) < 0 ? -errno : 0;
	/* A Unix socket whose queue is full says EAGAIN, and can't be waited for. */
	if (r == -EINPROGRESS) {
		r = wait_for(fd, POLLOUT, until);
		if (!r && getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0)
			r = -errno;
		if (!r)
			r = -failure;
	}
	if (r < 0)
		close(fd);
	else
		*ret_fd = fd;
	return r;
}

static int send_all(int fd, const char *text, size_t size, int64_t until)
{
	int r = 0;

	while (!r && size) {
		ssize_t sent = send(fd, text, size, MSG_NOSIGNAL);

		if (sent > 0) {
			text += sent;
			size -= (size_t)sent;
		} else {
			r = errno == EAGAIN || errno == EINTR ? wait_for(fd, POLLOUT, until) : -errno;
		}
	}
	return r;
}

static int read_all(int fd, int64_t until, struct buffer *answer)
{
	char piece[16384];
	int r = 0;

	while (!r) {
		ssize_t got = recv(fd, piece, sizeof piece, 0);

		if (got == 0)
			return 0;
		/* An HAProxy that ends says so after its answer, too. */
		if (got < 0 && errno == ECONNRESET && answer->size && answer->data[answer->size - 1] == '\n')
			return 0;
		if (got < 0)
			r = errno == EAGAIN || errno == EINTR ? wait_for(fd, POLLIN, until) : -errno;
		else if (answer->size + (size_t)got > HAPROXY_ANSWER_MOST)
			r = -EMSGSIZE;
		else
			r = buffer_add(answer, piece, (size_t)got);
		/* One that trickles for ever must not hold the balancer's round. */
		if (!r && haproxy_clock() >= until)
			r = -ETIMEDOUT;
	}
	return r;
}

int haproxy_ask(const char *socket, const char *line, int64_t until, struct buffer *ret_answer, char ret_error[ERROR_TEXT])
{
	struct buffer answer = { 0 };
	int fd = -1, r = connect_to(socket, until, &fd);

	if (!r)
		r = send_all(fd, line, strlen(line), until);
	if (!r)
		r = send_all(fd, "\n", 1, until);
	if (!r)
		r = read_all(fd, until, &answer);
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		snprintf(ret_error, ERROR_TEXT, "%s", r == -ETIMEDOUT ? "no answer in time" : r == -EMSGSIZE ? "its answer has no end" : strerror(-r));
		buffer_release(&answer);
		return r;
	}
	*ret_answer = answer;
	return 0;
}

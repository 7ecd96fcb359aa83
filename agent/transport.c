/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/transport.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "agent/sandbox.h"
#include "common/json.h"
#include "common/log.h"

#define REQUEST_MOST 131072u
#define REPLY_MOST 65536u
#define HEADER 12u
#define REPLY_HEADER 12u
#define SPARE_MS 5000 /* what the main process waits beyond the process's own deadline */

/* ------------------------------------------------------------------ the process without rights */
static int read_all(int fd, void *data, size_t size)
{
	while (size > 0) {
		ssize_t n = read(fd, data, size);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EPIPE;
		data = (char *)data + n;
		size -= (size_t)n;
	}
	return 0;
}

static int write_all(int fd, const void *data, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, data, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		data = (const char *)data + n;
		size -= (size_t)n;
	}
	return 0;
}

static int renewal_body(struct tls *tls, struct buffer *ret_body)
{
	struct buffer pem = { 0 };
	json_t *json = NULL;
	char *text;
	int r = tls_certificate_request(tls, &pem);

	if (r == 0)
		json = json_pack("{s:i,s:s}", "format", 1, "csr", (char *)pem.data);
	text = json != NULL ? json_format(json) : NULL;
	if (r == 0)
		r = text != NULL ? buffer_add(ret_body, text, strlen(text)) : -ENOMEM;
	free(text);
	json_decref(json);
	buffer_release(&pem);
	return r;
}

static int exchange(struct http_client *client, const char *node, enum transport_kind kind, struct buffer *body, int64_t deadline,
		    struct http_answer *ret_answer)
{
	static const char *const calls[] = {
		[TRANSPORT_STATUS] = "status", [TRANSPORT_RENEW] = "certificate", [TRANSPORT_LOG] = "log",
		[TRANSPORT_EVIDENCE] = "evidence", [TRANSPORT_ATTEST] = "attest", [TRANSPORT_QUOTE] = "quote",
	};
	char path[80];

	if (kind < TRANSPORT_STATUS || kind > TRANSPORT_QUOTE)
		return snprintf(client->error, sizeof(client->error), "no such call"), -EINVAL;
	snprintf(path, sizeof(path), "/v1/agents/%s/%s", node, calls[kind]);
	if (kind == TRANSPORT_RENEW && renewal_body(client->tls, body) < 0)
		return snprintf(client->error, sizeof(client->error), "can't make a request for a new certificate"), -EIO;
	return http_post(client, path, body->data, body->size, deadline, ret_answer);
}

/* One request of the main process, and its reply. 0; an error ends the process. */
static int serve(int fd, struct http_client *client, const char *node)
{
	struct http_answer answer = { 0 };
	struct buffer body = { 0 };
	uint8_t header[HEADER], reply[REPLY_HEADER];
	const void *text;
	size_t size;
	int r = read_all(fd, header, sizeof(header)), result;

	if (r < 0)
		return r;
	size = get_le32(header + 4);
	if (size > REQUEST_MOST)
		return -EINVAL;
	body.data = malloc(size + 1);
	if (body.data == NULL)
		return -ENOMEM;
	body.room = size + 1;
	body.size = size;
	body.data[size] = '\0';
	r = read_all(fd, body.data, size);
	if (r == 0) {
		result = exchange(client, node, (enum transport_kind)get_le32(header), &body, steady_ms() + get_le32(header + 8), &answer);
		text = result < 0 ? (void *)client->error : answer.body.data;
		size = result < 0 ? strlen(client->error) : answer.body.size;
		put_le32(reply, (uint32_t)result);
		put_le32(reply + 4, answer.status);
		put_le32(reply + 8, (uint32_t)size);
		r = write_all(fd, reply, sizeof(reply));
		if (r == 0)
			r = write_all(fd, text, size);
	}
	http_answer_release(&answer);
	buffer_release(&body);
	return r;
}

static void __attribute__((noreturn)) run(int fd, struct tls *tls, const struct transport_options *options)
{
	struct http_client client = { .tls = tls, .address_count = options->address_count };
	int r = rights_give_up(options->user, SANDBOX_CLIENT);

	if (r < 0) {
		log_error(r, "the network process can't give up its rights");
		_exit(1);
	}
	memcpy(client.addresses, options->addresses, sizeof(client.addresses));
	while (r == 0)
		r = serve(fd, &client, options->node);
	_exit(0);
}

/* ------------------------------------------------------------------ the main process's side */
int transport_start(struct transport *transport, const struct transport_options *options, char ret_error[TLS_ERROR])
{
	struct tls *tls = tls_new(options->credential, ret_error);
	int64_t end, life;
	int pair[2], r = 0;

	if (tls == NULL)
		return -EINVAL;
	tls_certificate_life(tls, &end, &life);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
		r = -errno;
		goto out;
	}
	*transport = (struct transport){ .fd = pair[0], .renew_at = end - life / 3 };
	transport->process = fork();
	if (transport->process == 0) {
		/* Nothing that the main process has open is this one's business. Log lines go on to stderr. */
		dup2(pair[1], 3);
		syscall(SYS_close_range, 4u, ~0u, 0u);
		run(3, tls, options);
	}
	close(pair[1]);
	if (transport->process < 0) {
		r = -errno;
		close(pair[0]);
		*transport = (struct transport){ .fd = -1 };
	} else {
		fcntl(pair[0], F_SETFL, O_NONBLOCK);
	}
out:
	if (r < 0)
		snprintf(ret_error, TLS_ERROR, "can't start the network process: %s", strerror(-r));
	tls_free(tls);
	return r;
}

void transport_stop(struct transport *transport)
{
	if (transport->process > 0) {
		kill(transport->process, SIGKILL);
		while (waitpid(transport->process, NULL, 0) < 0 && errno == EINTR)
			;
		close(transport->fd);
	}
	buffer_release(&transport->reply);
	*transport = (struct transport){ .fd = -1 };
}

int transport_send(struct transport *transport, enum transport_kind kind, const void *data, size_t size, unsigned wait_ms)
{
	uint8_t header[HEADER];
	struct buffer request = { 0 };
	size_t sent = 0;
	int r;

	if (size > REQUEST_MOST)
		return -EFBIG;
	put_le32(header, kind);
	put_le32(header + 4, (uint32_t)size);
	put_le32(header + 8, wait_ms);
	r = buffer_add(&request, header, sizeof(header));
	if (r == 0)
		r = buffer_add(&request, data, size);
	/* It reads at once, or is stuck: then it is replaced. */
	while (r == 0 && sent < request.size) {
		struct pollfd wait = { .fd = transport->fd, .events = POLLOUT };
		ssize_t n = send(transport->fd, request.data + sent, request.size - sent, MSG_NOSIGNAL);

		if (n > 0)
			sent += (size_t)n;
		else if (errno != EAGAIN && errno != EINTR)
			r = -errno;
		else if (poll(&wait, 1, SPARE_MS) == 0)
			r = -ETIMEDOUT;
	}
	buffer_release(&request);
	buffer_release(&transport->reply);
	transport->busy = r == 0;
	transport->deadline = steady_ms() + wait_ms + SPARE_MS;
	return r;
}

int transport_receive(struct transport *transport, struct transport_reply *ret_reply)
{
	struct buffer *reply = &transport->reply;
	char piece[4096];
	ssize_t n;

	while ((n = recv(transport->fd, piece, sizeof(piece), 0)) > 0)
		if (reply->size + (size_t)n > REPLY_HEADER + REPLY_MOST || buffer_add(reply, piece, (size_t)n) < 0)
			return -EPIPE;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		return -EPIPE;
	if (reply->size < REPLY_HEADER || reply->size < REPLY_HEADER + get_le32(reply->data + 8))
		return steady_ms() > transport->deadline ? -ETIMEDOUT : 0;
	transport->busy = false;
	*ret_reply = (struct transport_reply){ .result = (int)get_le32(reply->data), .status = get_le32(reply->data + 4),
					       .text = (const char *)reply->data + REPLY_HEADER, .size = get_le32(reply->data + 8) };
	return 1;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS 15000

static int connect_to(struct http_client *client, int64_t deadline)
{
	const struct address *address = &client->addresses[client->at];
	int64_t most = steady_ms() + CONNECT_MS;

	return tls_connect(client->tls, address->host, address->port, address->name, most < deadline ? most : deadline);
}

static int send_request(struct http_client *client, const char *path, const void *body, size_t size, int64_t deadline)
{
	struct buffer head = { 0 };
	int r = buffer_printf(&head,
			      "POST %s HTTP/1.1\r\nHost: " CONTROL_NAME "\r\nUser-Agent: repave-agent\r\nContent-Type: application/json\r\n"
			      "Content-Length: %zu\r\n\r\n", path, size);

	/* One record, and one packet where it fits. */
	if (r == 0)
		r = buffer_add(&head, body, size);
	if (r == 0)
		r = tls_write(client->tls, head.data, head.size, deadline);
	buffer_release(&head);
	return r;
}

static int receive_answer(struct http_client *client, int64_t deadline, struct http_answer *ret_answer, bool *ret_nothing)
{
	char piece[4096];

	for (;;) {
		ssize_t n = tls_read(client->tls, piece, sizeof(piece), deadline);
		int r;

		if (n < 0)
			return (int)n;
		*ret_nothing &= n == 0;
		if (n == 0)
			return -ECONNRESET;
		r = http_answer_feed(ret_answer, piece, (size_t)n, 65536);
		if (r != 0)
			return r < 0 ? r : 0;
	}
}

static void explain(struct http_client *client, int error)
{
	const char *why = tls_error(client->tls);

	if (error == -EPROTO)
		why = "what it answers isn't HTTP as agreed";
	else if (error == -EFBIG)
		why = "its answer is too long";
	else if (error == -ECONNRESET)
		why = "it closed the connection before its answer was whole";
	snprintf(client->error, sizeof(client->error), "%s %s: %s",
		 strcmp(client->addresses[client->at].name, CONTROL_NAME) == 0 ? "control unit" : "monitor", client->addresses[client->at].host, why);
}

int http_post(struct http_client *client, const char *path, const void *body, size_t size, int64_t deadline, struct http_answer *ret_answer)
{
	bool fresh = tls_is_stale(client->tls), nothing;
	int r;

	for (;;) {
		*ret_answer = (struct http_answer){ 0 };
		nothing = true;
		r = fresh ? connect_to(client, deadline) : 0;
		if (r == 0)
			r = send_request(client, path, body, size, deadline);
		if (r == 0)
			r = receive_answer(client, deadline, ret_answer, &nothing);
		if (r == 0)
			break;
		http_answer_release(ret_answer);
		tls_close(client->tls);
		/* The server may close a kept connection at any time: that is no failure of it. A status that is sent twice does no harm. */
		if (fresh || !nothing || r == -ETIMEDOUT)
			break;
		fresh = true;
	}
	if (r < 0)
		explain(client, r);
	/* A monitor that has no connection to the control unit says so; another way may have. */
	if (r == 0 && (ret_answer->close || (ret_answer->status >= 400 && client->address_count > 1)))
		tls_close(client->tls);
	if (r < 0 || ret_answer->status >= 400)
		client->at = (client->at + 1) % client->address_count;
	return r;
}

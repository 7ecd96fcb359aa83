/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/http.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS 15000

/* "HOST PORT" or "HOST PORT NAME". */
static bool address_parse(const char *line, struct address *ret_address)
{
	char rest;
	int words = sscanf(line, "%255[0-9A-Za-z.:%_-] %5[0-9] %127[0-9a-z.-]%c", ret_address->host, ret_address->port, ret_address->name, &rest);
	size_t end = words >= 2 ? strlen(ret_address->host) + 1 + strlen(ret_address->port) : 0;
	uint64_t port;

	if (words < 2 || words > 3 || end > strlen(line) || line[end] != (words == 3 ? ' ' : '\0'))
		return false;
	if (words == 2)
		strcpy(ret_address->name, CONTROL_NAME);
	return strchr(ret_address->name, '.') != NULL && parse_u64(ret_address->port, &port) == 0 && port >= 1 && port <= 65535;
}

int addresses_parse(const char *text, struct address ret_addresses[ADDRESSES_MOST], size_t *ret_count)
{
	*ret_count = 0;
	while (*text != '\0') {
		struct address *address = &ret_addresses[*ret_count];
		size_t size = strcspn(text, "\n");
		char line[ADDRESS_LINE_SIZE];

		if (*ret_count == ADDRESSES_MOST || size >= sizeof(line))
			return -EINVAL;
		memcpy(line, text, size);
		line[size] = '\0';
		text += size;
		text += *text == '\n';
		if (size == 0)
			continue;
		if (!address_parse(line, address))
			return -EINVAL;
		++*ret_count;
	}
	return *ret_count > 0 ? 0 : -EINVAL;
}

static int add_line(struct buffer *text, const struct address *address)
{
	bool own = strcmp(address->name, CONTROL_NAME) == 0;

	return buffer_printf(text, "%s %s%s%s\n", address->host, address->port, own ? "" : " ", own ? "" : address->name);
}

int addresses_prefer(const char *text, const char *line, struct buffer *ret_text)
{
	struct address addresses[ADDRESSES_MOST], first[ADDRESSES_MOST];
	size_t count, one, kept = 1;
	int r = addresses_parse(text, addresses, &count);

	if (r == 0)
		r = addresses_parse(line, first, &one);
	if (r == 0 && one != 1)
		r = -EINVAL;
	if (r == 0)
		r = add_line(ret_text, &first[0]);
	for (size_t i = 0; r == 0 && i < count && kept < ADDRESSES_MOST; i++) {
		if (strcmp(addresses[i].name, CONTROL_NAME) != 0)
			continue;
		r = add_line(ret_text, &addresses[i]);
		kept++;
	}
	return r;
}

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

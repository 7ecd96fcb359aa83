// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/http-server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/json.h"
#include "control/http-connections.h"

#define IDLE_SECONDS 30u
#define CONNECTIONS_MOST 2000u
/* Nodes behind one address translator share it, so this bounds a fault, not a user. */
#define CONNECTIONS_OF_ADDRESS_MOST 500u
/* A refused body is still read up to here: closing with unread data would reset the connection and lose the answer. */
#define DISCARD_MOST (8u * 1024 * 1024)
/* How long requests under way may take once the server is told to stop. Who fetches an image goes on at another range later. */
#define FINISH_SECONDS 5

/* TLS 1.2 is what stage 1 speaks, and ChaCha20 is several times faster than AES on a CPU without AES instructions. */
#define TLS_PRIORITIES \
	"SECURE128:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-CIPHER-ALL:+CHACHA20-POLY1305:+AES-128-GCM:+AES-256-GCM:%SERVER_PRECEDENCE"

struct http_server {
	struct MHD_Daemon *daemon;
	struct http_connections *connections;
	struct peer_cache *peers;   /* NULL where nobody is asked for a certificate */
	struct http_service service;
	atomic_uint under_way;      /* requests */
};

/* One request under way. */
struct request {
	struct timespec begun;
	struct http_answer answer;
	struct buffer body;
	size_t body_most;
	uint64_t discarded;
	void *held;                 /* of the service; not NULL: the next call is the same one again */
	bool was_held;
	char peer[64];
	struct http_peer who;
};

void http_answer_error(struct http_answer *answer, unsigned status, const char *sentence)
{
	json_decref(answer->json);
	answer->status = status;
	answer->json = json_pack("{ss}", "error", sentence);
	/* It may quote what isn't UTF-8. */
	if (!answer->json)
		answer->json = json_pack("{ss}", "error", "the request can't be understood");
}

void http_answer_text(struct http_answer *answer, char *text)
{
	answer->text = text;
	answer->status = 200;
	if (!text)
		http_answer_error(answer, 500, "out of memory");
}

static void format_peer(struct MHD_Connection *connection, char ret_peer[64])
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info ? info->client_addr : NULL;

	strcpy(ret_peer, "local");
	if (!address)
		return;
	if (address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, ret_peer, 64);
	} else if (address->sa_family == AF_INET6) {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

		if (IN6_IS_ADDR_V4MAPPED(six))
			inet_ntop(AF_INET, &six->s6_addr[12], ret_peer, 64);
		else
			inet_ntop(AF_INET6, six, ret_peer, 64);
	}
}

const char *http_argument(const struct http_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_header(const struct http_call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* ------------------------------------------------------------------ who is there */

static void look_at_socket(struct MHD_Connection *connection, struct http_peer *who)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred user;
	socklen_t size = sizeof user;

	if (info && !getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &user, &size) && user.pid > 0) {
		who->local = true;
		who->uid = user.uid;
	}
}

static struct http_link *link_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static struct http_peer who_is(const struct http_server *server, struct MHD_Connection *connection)
{
	struct http_link *all = link_of(connection);
	struct peer_link *link = all ? &all->peer : NULL;
	struct http_peer who = { .refused = "this address knows no certificates" };
	const union MHD_ConnectionInfo *info;
	time_t now = time(NULL);

	if (!link || !server->peers) {
		look_at_socket(connection, &who);
		return who;
	}
	if (!link->known) {
		info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
		if (info && info->tls_session)
			peer_verify(server->peers, info->tls_session, link);
		link->known = true;
	}
	/* A connection may outlast its certificate. */
	who = link->who;
	if (!who.refused && (now < link->from || now >= link->until))
		who = (struct http_peer){ .refused = "the certificate has expired; enrol again" };
	return who;
}

static void connection_changes(void *context, struct MHD_Connection *connection, void **link, enum MHD_ConnectionNotificationCode what)
{
	const struct http_server *server = context;
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*link = http_connections_begin(server->connections, info ? info->connect_fd : -1);
	} else if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		http_connections_over(server->connections, *link);
		*link = NULL;
	}
}

/* ------------------------------------------------------------------ requests */

void http_call_hold(const struct http_call *call, void *held)
{
	struct request *request = call->request;

	/* Thousands are held at a time. */
	buffer_release(&request->body);
	request->held = held;
	MHD_suspend_connection(call->connection);
}

void http_call_resume(void *connection)
{
	MHD_resume_connection(connection);
}

static struct http_call call_of(struct MHD_Connection *connection, const struct request *request, const char *method,
				const char *path)
{
	return (struct http_call){
		.method = method,
		.path = path,
		.authorization = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"),
		.range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Range"),
		.if_range = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-Range"),
		.if_none_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "If-None-Match"),
		.peer = request->peer,
		.who = &request->who,
		.connection = connection,
		.request = (void *)(uintptr_t)request,
		.held = request->held,
		.body = request->body.data,
		.body_size = request->body.size,
	};
}

static struct MHD_Response *response_of(struct http_answer *answer)
{
	struct MHD_Response *response;
	char *text;

	if (answer->fd >= 0) {
		response = MHD_create_response_from_fd_at_offset64(answer->size, answer->fd, answer->offset);
		if (response)
			answer->fd = -1; /* the response closes it */
		return response;
	}
	if (!answer->json && !answer->text)
		return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	text = answer->json ? json_format(answer->json) : answer->text;
	answer->text = NULL;
	if (!text)
		return NULL;
	response = MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	if (!response)
		free(text);
	return response;
}

/* How long a request took until it was held or answered: how long it was held is no work. */
static void count(const struct http_server *server, struct request *request)
{
	struct timespec now;

	if (!server->service.meter)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	if (!request->was_held)
		meter_observe(&server->service.meter->seconds, meter_short, (double)(now.tv_sec - request->begun.tv_sec) +
			      (double)(now.tv_nsec - request->begun.tv_nsec) / 1e9);
	request->was_held = true;
	if (request->answer.status)
		meter_answer(server->service.meter, request->answer.status);
}

static enum MHD_Result send_answer(const struct http_server *server, struct MHD_Connection *connection, struct request *request)
{
	struct http_answer *answer = &request->answer;
	bool is_text = answer->text != NULL;
	struct MHD_Response *response = response_of(answer);
	enum MHD_Result result;
	char seconds[16];

	if (!response)
		return MHD_NO;
	count(server, request);
	if (is_text)
		MHD_add_response_header(response, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
	if (answer->content_type)
		MHD_add_response_header(response, "Content-Type", answer->content_type);
	else if (answer->json)
		MHD_add_response_header(response, "Content-Type", "application/json");
	/* Assignments hold secrets; only files say otherwise. */
	MHD_add_response_header(response, "Cache-Control", answer->cache_control ? answer->cache_control : "no-store");
	if (answer->content_type)
		MHD_add_response_header(response, "Accept-Ranges", "bytes");
	if (answer->content_range[0])
		MHD_add_response_header(response, "Content-Range", answer->content_range);
	if (answer->etag[0])
		MHD_add_response_header(response, "ETag", answer->etag);
	if (answer->retry_after) {
		snprintf(seconds, sizeof seconds, "%u", answer->retry_after);
		MHD_add_response_header(response, "Retry-After", seconds);
	}
	if (answer->status == 401)
		MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	/* Who asks amiss pays for a handshake each time, and those are limited by address. */
	if (server->peers && answer->status >= 400 && answer->status < 500)
		MHD_add_response_header(response, "Connection", "close");
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static uint64_t content_length(struct MHD_Connection *connection)
{
	const char *text = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Content-Length");
	uint64_t length = 0;

	return text && !parse_u64(text, &length) ? length : 0;
}

/* First call of a request: headers only. */
static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *connection, const char *method,
			     const char *path, void **ret_request)
{
	const struct http_service *service = &server->service;
	struct request *request = calloc(1, sizeof *request);
	struct http_call call;
	uint64_t length = content_length(connection);

	if (!request)
		return MHD_NO;
	request->answer.fd = -1;
	*ret_request = request;
	server->under_way++;
	clock_gettime(CLOCK_MONOTONIC, &request->begun);
	format_peer(connection, request->peer);
	request->who = who_is(server, connection);
	call = call_of(connection, request, method, path);
	if (service->admit)
		service->admit(service->context, &call, &request->answer);
	request->body_most = service->body_most_of ? service->body_most_of(&call) : service->body_most;
	if (!request->answer.status && length > request->body_most)
		http_answer_error(&request->answer, 413, "the body is longer than this address accepts");
	return request->answer.status && length > DISCARD_MOST ? send_answer(server, connection, request) : MHD_YES;
}

static enum MHD_Result take_body(struct request *request, const char *data, size_t size)
{
	if (!request->answer.status && size > request->body_most - request->body.size) {
		buffer_release(&request->body);
		http_answer_error(&request->answer, 413, "the body is longer than this address accepts");
	}
	if (request->answer.status) {
		request->discarded += size;
		return request->discarded > DISCARD_MOST ? MHD_NO : MHD_YES;
	}
	return buffer_add(&request->body, data, size) < 0 ? MHD_NO : MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *connection, const char *path, const char *method,
			      const char *version, const char *data, size_t *data_size, void **request_context)
{
	struct http_server *server = context;
	struct request *request = *request_context;
	struct http_call call;

	(void)version;
	if (!request)
		return begin(server, connection, method, path, request_context);
	if (*data_size) {
		size_t size = *data_size;

		*data_size = 0;
		return take_body(request, data, size);
	}
	http_link_waits(link_of(connection), false);
	if (!request->answer.status) {
		call = call_of(connection, request, method, path);
		request->held = NULL;
		server->service.answer(server->service.context, &call, &request->answer);
		/* Another thread may have resumed it already, but it goes on in this one. */
		if (!request->answer.status) {
			count(server, request);
			return MHD_YES;
		}
	}
	return send_answer(server, connection, request);
}

static void completed(void *context, struct MHD_Connection *connection, void **request_context,
		      enum MHD_RequestTerminationCode code)
{
	struct http_server *server = context;
	struct request *request = *request_context;

	(void)code;
	if (!request)
		return;
	http_link_waits(link_of(connection), true);
	if (request->held && server->service.dropped)
		server->service.dropped(server->service.context, request->held);
	server->under_way--;
	json_decref(request->answer.json);
	free(request->answer.text);
	if (request->answer.fd >= 0)
		close(request->answer.fd);
	buffer_release(&request->body);
	free(request);
	*request_context = NULL;
}

/* A decoded NUL would end the path early for C: such a path is none at all. */
static size_t unescape(void *context, struct MHD_Connection *connection, char *text)
{
	size_t size = MHD_http_unescape(text);

	(void)context;
	(void)connection;
	if (memchr(text, 0, size)) {
		text[0] = 0;
		return 0;
	}
	return size;
}

static void free_server(struct http_server *server)
{
	peer_cache_free(server->peers);
	http_connections_free(server->connections);
	free(server);
}

static int start_daemon(struct http_server *server, const struct http_server_options *options, unsigned most, unsigned of_address)
{
	/* With epoll the library (0.9.75) asks every connection that is in its handshake again and again, without a pause: a fleet that comes
	 * back at once, or somebody who sends half of a handshake, takes all of the processor. With poll it waits; connections that are
	 * held aren't polled, so that is as cheap. */
	unsigned flags = options->certificate ? (unsigned)MHD_USE_POLL_INTERNAL_THREAD | (unsigned)MHD_USE_TLS :
						(unsigned)MHD_USE_AUTO_INTERNAL_THREAD;
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ options->client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, (void *)(uintptr_t)options->client_ca },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem plain[] = { { MHD_OPTION_END, 0, NULL } };
	size_t memory = options->memory_of_connection ? options->memory_of_connection : 32 * 1024;

	flags |= (unsigned)MHD_USE_NO_LISTEN_SOCKET | (unsigned)MHD_USE_ITC;
	if (server->service.dropped)
		flags |= MHD_ALLOW_SUSPEND_RESUME;
	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_NOTIFY_COMPLETED, completed, server,
					  MHD_OPTION_NOTIFY_CONNECTION, connection_changes, server, MHD_OPTION_UNESCAPE_CALLBACK,
					  unescape, NULL, MHD_OPTION_THREAD_POOL_SIZE,
					  options->threads, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
					  MHD_OPTION_CONNECTION_LIMIT, most, MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
					  MHD_OPTION_PER_IP_CONNECTION_LIMIT, of_address, MHD_OPTION_ARRAY,
					  options->certificate ? tls : plain, MHD_OPTION_END);
	if (!server->daemon)
		return options->certificate ? -EINVAL : -EIO;
	return 0;
}

int http_server_start(const struct http_server_options *options, const struct http_service *service,
		      struct http_server **ret_server)
{
	unsigned most = options->connections_most ? options->connections_most : CONNECTIONS_MOST;
	unsigned of_address = options->connections_of_address_most ? options->connections_of_address_most : CONNECTIONS_OF_ADDRESS_MOST;
	struct http_connections_options coming = { .listen_fd = options->listen_fd, .waiting_most = most };
	struct http_server *server = calloc(1, sizeof *server);
	int r;

	if (!server)
		return -ENOMEM;
	server->service = *service;
	r = http_connections_new(&server->connections);
	if (!r && options->client_ca)
		r = peer_cache_new(&server->peers);
	if (!r)
		r = start_daemon(server, options, most, of_address);
	if (r < 0) {
		free_server(server);
		return r;
	}
	/* A handshake costs what a thousand other packets do. */
	coming.of_address = options->certificate ? of_address : 0;
	coming.daemon = server->daemon;
	r = http_connections_start(server->connections, &coming);
	if (r < 0) {
		MHD_stop_daemon(server->daemon);
		free_server(server);
		return r;
	}
	*ret_server = server;
	return 0;
}

void http_server_stop(struct http_server *server)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };

	if (!server)
		return;
	/* Nobody new, but who is being answered gets the whole answer. */
	http_connections_end(server->connections);
	for (int i = 0; server->under_way && i < FINISH_SECONDS * 100; i++)
		nanosleep(&pause, NULL);
	MHD_stop_daemon(server->daemon);
	free_server(server);
}

int64_t http_server_behind(const struct http_server *server)
{
	return http_connections_behind(server->connections);
}

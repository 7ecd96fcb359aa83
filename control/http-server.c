// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/http-server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
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
#include "common/log.h"

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
	bool asks_certificate;
	struct http_service service;
	atomic_uint under_way;      /* requests */
};

/* One request under way. */
struct request {
	struct timespec begun;
	struct http_answer answer;
	struct buffer body;
	uint64_t discarded;
	char peer[64];
	struct http_peer who;
};

/* A connection's, which outlives its requests: a signature is checked once. */
struct link {
	bool known;
	struct http_peer who;
	time_t from, until;         /* of the certificate */
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

/* ------------------------------------------------------------------ who is there */

static bool take_name(gnutls_x509_crt_t certificate, const char *oid, char *ret_text, size_t room)
{
	size_t size = room;

	/* Of several, none would be the one that was meant. */
	if (gnutls_x509_crt_get_dn_by_oid(certificate, oid, 0, 0, ret_text, &size) < 0 || strlen(ret_text) != size) {
		ret_text[0] = 0;
		return false;
	}
	size = 0;
	return gnutls_x509_crt_get_dn_by_oid(certificate, oid, 1, 0, NULL, &size) == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
}

static bool take_subject(const gnutls_datum_t *der, struct link *link)
{
	gnutls_x509_crt_t certificate;
	uint8_t digest[32];
	size_t size = sizeof digest;
	bool sound;

	if (gnutls_x509_crt_init(&certificate) < 0)
		return false;
	sound = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER) >= 0 &&
		take_name(certificate, GNUTLS_OID_X520_COMMON_NAME, link->who.name, sizeof link->who.name) &&
		take_name(certificate, GNUTLS_OID_X520_ORGANIZATIONAL_UNIT_NAME, link->who.unit, sizeof link->who.unit) &&
		gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, digest, &size) >= 0 && size == sizeof digest;
	link->from = gnutls_x509_crt_get_activation_time(certificate);
	link->until = gnutls_x509_crt_get_expiration_time(certificate);
	gnutls_x509_crt_deinit(certificate);
	if (sound)
		hex_format(digest, sizeof digest, link->who.key);
	return sound;
}

/* Chain, validity, and that it may be a client's. */
static void verify_certificate(gnutls_session_t session, struct link *link)
{
	gnutls_typed_vdata_st purpose = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
					  .data = (unsigned char *)(uintptr_t)GNUTLS_KP_TLS_WWW_CLIENT };
	unsigned count = 0, status = 0;
	const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);

	if (!chain || !count)
		link->who.refused = "this address needs a certificate of the fleet; enrol first";
	else if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) < 0)
		link->who.refused = "the certificate can't be checked";
	else if (status & GNUTLS_CERT_EXPIRED)
		link->who.refused = "the certificate has expired; enrol again";
	else if (status & GNUTLS_CERT_NOT_ACTIVATED)
		link->who.refused = "the certificate isn't valid yet; the control unit's clock may be wrong";
	else if (status)
		link->who.refused = "the certificate isn't one that this fleet's authority gave to a node";
	else if (!take_subject(&chain[0], link))
		link->who.refused = "the certificate has no usable name";
	if (link->who.refused)
		link->who.name[0] = link->who.unit[0] = link->who.key[0] = 0;
}

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

static struct http_peer who_is(const struct http_server *server, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct link *link = info ? info->socket_context : NULL;
	struct http_peer who = { .refused = "this address knows no certificates" };
	time_t now = time(NULL);

	if (!link) {
		look_at_socket(connection, &who);
		return who;
	}
	if (!link->known) {
		info = server->asks_certificate ? MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION) : NULL;
		if (info && info->tls_session)
			verify_certificate(info->tls_session, link);
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

	(void)connection;
	if (what == MHD_CONNECTION_NOTIFY_STARTED && server->asks_certificate) {
		*link = calloc(1, sizeof(struct link));
	} else if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
		free(*link);
		*link = NULL;
	}
}

/* ------------------------------------------------------------------ requests */

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

static void count(const struct http_server *server, const struct request *request)
{
	struct timespec now;

	if (!server->service.meter)
		return;
	clock_gettime(CLOCK_MONOTONIC, &now);
	meter_request(server->service.meter, request->answer.status, (double)(now.tv_sec - request->begun.tv_sec) +
		      (double)(now.tv_nsec - request->begun.tv_nsec) / 1e9);
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
	if (!request->answer.status && length > service->body_most)
		http_answer_error(&request->answer, 413, "the body is longer than this address accepts");
	return request->answer.status && length > DISCARD_MOST ? send_answer(server, connection, request) : MHD_YES;
}

static enum MHD_Result take_body(const struct http_server *server, struct request *request, const char *data, size_t size)
{
	if (!request->answer.status && size > server->service.body_most - request->body.size) {
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
		return take_body(server, request, data, size);
	}
	if (!request->answer.status) {
		call = call_of(connection, request, method, path);
		server->service.answer(server->service.context, &call, &request->answer);
	}
	return send_answer(server, connection, request);
}

static void completed(void *context, struct MHD_Connection *connection, void **request_context,
		      enum MHD_RequestTerminationCode code)
{
	struct request *request = *request_context;
	struct http_server *server = context;

	(void)connection;
	(void)code;
	if (!request)
		return;
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

int http_server_start(const struct http_server_options *options, const struct http_service *service,
		      struct http_server **ret_server)
{
	struct http_server *server = calloc(1, sizeof *server);
	unsigned flags = MHD_USE_AUTO_INTERNAL_THREAD | (options->certificate ? (unsigned)MHD_USE_TLS : 0u);
	struct MHD_OptionItem tls[] = {
		{ MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)options->certificate },
		{ MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)options->key },
		{ MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES },
		{ options->client_ca ? MHD_OPTION_HTTPS_MEM_TRUST : MHD_OPTION_END, 0, (void *)(uintptr_t)options->client_ca },
		{ MHD_OPTION_END, 0, NULL },
	};
	struct MHD_OptionItem plain[] = { { MHD_OPTION_END, 0, NULL } };

	if (!server)
		return -ENOMEM;
	server->service = *service;
	server->asks_certificate = options->client_ca != NULL;
	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, options->listen_fd,
					  MHD_OPTION_NOTIFY_COMPLETED, completed, server, MHD_OPTION_NOTIFY_CONNECTION,
					  connection_changes, server, MHD_OPTION_UNESCAPE_CALLBACK,
					  unescape, NULL, MHD_OPTION_THREAD_POOL_SIZE,
					  options->threads, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
					  MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MOST,
					  MHD_OPTION_PER_IP_CONNECTION_LIMIT, CONNECTIONS_OF_ADDRESS_MOST, MHD_OPTION_ARRAY,
					  options->certificate ? tls : plain, MHD_OPTION_END);
	if (!server->daemon) {
		free(server);
		return options->certificate ? -EINVAL : -EIO;
	}
	*ret_server = server;
	return 0;
}

void http_server_stop(struct http_server *server)
{
	const struct timespec pause = { .tv_nsec = 10 * 1000 * 1000 };
	int fd;

	if (!server)
		return;
	/* Nobody new, but who is being answered gets the whole answer. */
	fd = MHD_quiesce_daemon(server->daemon);
	for (int i = 0; server->under_way && i < FINISH_SECONDS * 100; i++)
		nanosleep(&pause, NULL);
	MHD_stop_daemon(server->daemon);
	if (fd >= 0)
		close(fd);
	free(server);
}

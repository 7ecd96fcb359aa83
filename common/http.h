/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP client over libcurl: bounded answers, byte ranges, a fleet CA instead of the world's. */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"

/* The name in the control unit's certificate. Clients check this name whatever address they connect
 * to, so a control unit may move to another address with no new certificate. */
#define CONTROL_UNIT_NAME "control.repave.internal"

struct http; /* one client: connections are kept alive and reused; not for several threads at once */

struct http_options {
	const char *ca_file;       /* PEM; NULL: https is refused */
	bool any_server;           /* for tools of a host: https by the URL's own name and this system's CAs, redirects followed */
	const char *bearer_token;  /* sent as "Authorization: Bearer …" on https only; NULL: none */
	const char *user_agent;
	/* http://host[:port] (common/http-text.h, http_proxy_ok); NULL or "": none. https goes through it by CONNECT, and is checked
	 * as without it. */
	const char *proxy;
	unsigned connect_seconds;  /* 0: 10 */
	unsigned stall_seconds;    /* no byte for this long ends a transfer; 0: 30 */
	/* A server that drips a byte now and then never stalls, and would hold its client for ever (TUF: slow retrieval). So
	 * in each window of rate_seconds (0: 30) at least least_rate bytes per second (0: 8192) must come on the average, and
	 * what is answered to http_get and http_request must be whole after answer_seconds (0: 300). A whole answer may be
	 * as short as it likes, and time that the sink takes isn't the server's. */
	unsigned least_rate;
	unsigned rate_seconds;
	unsigned answer_seconds;
	/* Called before each TLS connection with libcurl's handle of its TLS library (mbedtls_ssl_config * in programs of a
	 * node); NULL: none. 0, or anything else to give the connection up. */
	int (*tls_setup)(void *tls);
};

/* NULL when out of memory. Strings are copied. */
struct http *http_new(const struct http_options *options);
void http_free(struct http *http);

/* Later https requests show this certificate and prove its key (PEM texts, borrowed until the next call or http_free; NULL: none). Connections
 * that were made with another one are closed, and what they held of its key is wiped. Needs a libcurl with mbedTLS or OpenSSL. 0 or
 * -ENOMEM, and then the client is as it was. */
int http_set_client(struct http *http, const char *certificate, const char *key);

/* From any thread: the transfer under way ends within about a second, with -ECANCELED, and so do later ones until http_resume. */
void http_cancel(struct http *http);
void http_resume(struct http *http);

/* Receives the body piece by piece. Returns 0, or -errno to end the transfer with that error. */
typedef int (*http_sink)(void *context, const uint8_t *data, size_t size);

/* What went wrong, in a sentence, after a call of this client failed; valid until its next call. */
const char *http_error(const struct http *http);

/* The server's clock in its last answer (the header "Date"), seconds since 1970; 0 without one. Only as good as the way it
 * came: https under the fleet's CA, or anybody's word. */
int64_t http_date(const struct http *http);

/* GET of at most `most` bytes. `url` is http:// or https://; for https the certificate must carry
 * CONTROL_UNIT_NAME and the address in the URL is only where to connect.
 * 0; -ENOENT for 404/403/410; -EPROTO for another status; -EFBIG when the answer is longer than `most`;
 * -ECONNREFUSED/-ETIMEDOUT/-EHOSTUNREACH/-EIO by the network (-ETIMEDOUT also when it is too slow); -EACCES when TLS
 * doesn't verify. */
int http_get(struct http *http, const char *url, size_t most, struct buffer *ret_body);

/* The same, of any length up to `most` bytes, given to `sink` piece by piece; bounded by the rate, not by answer_seconds. */
int http_get_stream(struct http *http, const char *url, uint64_t most, http_sink sink, void *context);

/* GET of bytes [offset, offset+size): the server must answer 206 with just these (or 200 when the range is
 * the whole file). -EBADMSG when it answers other bytes than asked for, -EPROTO when it knows no ranges; else as http_get. */
int http_get_range(struct http *http, const char *url, uint64_t offset, uint64_t size, http_sink sink,
		   void *context);

/* POST/PUT/DELETE… of JSON (body may be NULL). The status goes to `ret_status`, and the body of any status (at most
 * `most` bytes) to `ret_body`, so that the caller can show the server's error. 0 when any answer came. */
int http_request(struct http *http, const char *method, const char *url, const char *json_body,
		 size_t most, unsigned *ret_status, struct buffer *ret_body);

/* As http_request, over a Unix socket. */
int http_request_unix(struct http *http, const char *socket_path, const char *method, const char *path,
		      const char *json_body, size_t most, unsigned *ret_status, struct buffer *ret_body);

#endif

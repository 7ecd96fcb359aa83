/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of an answer with an unexpected status, what is read so that the connection can be kept; a longer one is cut. */
#define REFUSAL_MOST 65536u

struct http {
	CURL *curl;
	char *ca_file;
	bool any_server;
	char *authorization; /* the whole header line */
	const char *certificate, *key; /* borrowed */
	char *user_agent;
	char *proxy;
	long connect_seconds;
	long stall_seconds;
	unsigned least_rate;
	unsigned rate_seconds;
	long answer_seconds;
	int (*tls_setup)(void *tls);
	int64_t date;
	atomic_bool cancelled;
	char curl_error[CURL_ERROR_SIZE];
	char error[CURL_ERROR_SIZE + 320];
};

/* Where a body goes while it comes in. */
struct reception {
	CURL *curl;
	const atomic_bool *cancelled;
	struct buffer *body; /* either */
	size_t most;
	http_sink sink; /* or */
	void *context;
	long wanted_status;  /* bytes of an answer with another status are dropped; 0: any */
	size_t dropped;
	bool cut;            /* too many of them */
	uint64_t left;       /* for a sink: bytes still to come */
	bool open_ended;     /* for a sink: `left` is the most there may be */
	bool from_middle;    /* asked for a range: the whole file is another answer */
	unsigned least_rate; /* bytes per second, on the average of each window */
	double window;       /* seconds */
	double window_start; /* moved on by the time that the sink takes */
	curl_off_t window_bytes; /* that had come when it began */
	int error;
};

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

void http_free(struct http *http)
{
	if (!http)
		return;
	if (http->curl)
		curl_easy_cleanup(http->curl);
	free(http->ca_file);
	if (http->authorization)
		explicit_bzero(http->authorization, strlen(http->authorization));
	free(http->authorization);
	free(http->user_agent);
	free(http->proxy);
	free(http);
}

struct http *http_new(const struct http_options *options)
{
	struct http *http = calloc(1, sizeof(*http));

	if (!http)
		return NULL;
	http->connect_seconds = options->connect_seconds ? (long)options->connect_seconds : 10;
	http->stall_seconds = options->stall_seconds ? (long)options->stall_seconds : 30;
	http->any_server = options->any_server;
	http->least_rate = options->least_rate ? options->least_rate : 8192;
	http->rate_seconds = options->rate_seconds ? options->rate_seconds : 30;
	http->answer_seconds = options->answer_seconds ? (long)options->answer_seconds : 300;
	http->tls_setup = options->tls_setup;
	http->curl = curl_easy_init();
	http->user_agent = strdup(options->user_agent ? options->user_agent : "repave");
	http->proxy = strdup(options->proxy ? options->proxy : "");
	if (!http->curl || !http->user_agent || !http->proxy)
		goto fail;
	if (options->ca_file) {
		http->ca_file = strdup(options->ca_file);
		if (!http->ca_file)
			goto fail;
	}
	if (options->bearer_token &&
	    asprintf(&http->authorization, "Authorization: Bearer %s", options->bearer_token) < 0) {
		http->authorization = NULL;
		goto fail;
	}
	return http;
fail:
	http_free(http);
	return NULL;
}

int http_set_client(struct http *http, const char *certificate, const char *key)
{
	CURL *curl = curl_easy_init();

	if (!curl)
		return -ENOMEM;
	curl_easy_cleanup(http->curl);
	http->curl = curl;
	http->certificate = certificate;
	http->key = key;
	return 0;
}

const char *http_error(const struct http *http)
{
	return http->error;
}

static int give(struct reception *reception, const uint8_t *data, size_t size)
{
	double before = seconds_now();
	int r;

	if (size > reception->left)
		return reception->open_ended ? -EFBIG : -EBADMSG;
	r = reception->sink(reception->context, data, size);
	if (r == 0)
		reception->left -= size;
	reception->window_start += seconds_now() - before;
	return r;
}

static size_t receive(char *data, size_t one, size_t count, void *context)
{
	struct reception *reception = context;
	size_t size = one * count;
	long status = 0;

	curl_easy_getinfo(reception->curl, CURLINFO_RESPONSE_CODE, &status);
	if (reception->wanted_status && status != reception->wanted_status && status != 200) {
		reception->cut = size > REFUSAL_MOST - reception->dropped;
		reception->dropped += reception->cut ? 0 : size;
		return reception->cut ? 0 : size;
	}
	if (reception->from_middle && status == 200) {
		reception->error = -EPROTO;
	} else if (reception->sink) {
		reception->error = give(reception, (uint8_t *)data, size);
	} else if (size > reception->most - reception->body->size) {
		reception->error = -EFBIG;
	} else {
		reception->error = buffer_add(reception->body, data, size);
	}
	return reception->error ? 0 : size;
}

/* libcurl asks at least once a second. Its own low-speed limit looks at the last seconds only, so a burst in time would
 * please it for ever. */
static int check_rate(void *context, curl_off_t total, curl_off_t have, curl_off_t up_total, curl_off_t up)
{
	struct reception *reception = context;
	double now = seconds_now();
	curl_off_t moved = have + up;

	(void)total;
	(void)up_total;
	if (atomic_load(reception->cancelled)) {
		reception->error = -ECANCELED;
		return 1;
	}
	if (now - reception->window_start < reception->window)
		return 0;
	if ((double)(moved - reception->window_bytes) < reception->least_rate * reception->window) {
		reception->error = -ETIMEDOUT;
		return 1;
	}
	reception->window_start = now;
	reception->window_bytes = moved;
	return 0;
}

/* `reason` is errno behind the transfer, which malloc sets when it fails. */
static int error_of(CURLcode code, int reason)
{
	switch (code) {
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return -EACCES;
	case CURLE_OUT_OF_MEMORY:
		/* libcurl also says so of an answer that it has no room for, such as an endless trailer: a server must not be able to
		 * pass for this machine's own trouble. */
		return reason == ENOMEM ? -ENOMEM : -EIO;
	case CURLE_FILESIZE_EXCEEDED:
		return -EFBIG;
	case CURLE_URL_MALFORMAT:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return -EINVAL;
	default:
		return -EIO;
	}
}

/* Splits https://ADDRESS[:PORT]/path: asks for CONTROL_UNIT_NAME and connects to ADDRESS, because that name is
 * what the fleet's CA vouches for. `ret_url` is malloc'd; `ret_connect` a list of one "::ADDRESS:" entry. */
static int name_instead_of_address(const char *url, char **ret_url, struct curl_slist **ret_connect)
{
	const char *start = url + strlen("https://");
	size_t authority = strcspn(start, "/?#");
	size_t host = authority;
	char *connect = NULL;
	int r = -ENOMEM;

	*ret_url = NULL;
	*ret_connect = NULL;
	if (start[0] == '[')
		host = strcspn(start, "]/?#") + 1;
	else
		host = strcspn(start, ":/?#");
	if (host == 0 || host > authority || memchr(start, '@', authority))
		return -EINVAL;
	if (asprintf(ret_url, "https://" CONTROL_UNIT_NAME "%s", start + host) < 0) {
		*ret_url = NULL;
		return r;
	}
	if (asprintf(&connect, "::%.*s:", (int)host, start) >= 0) {
		*ret_connect = curl_slist_append(NULL, connect);
		free(connect);
	}
	if (!*ret_connect) {
		free(*ret_url);
		*ret_url = NULL;
		return r;
	}
	return 0;
}

/* IMF-fixdate of RFC 9110, 5.6.7: the one form that servers may send. */
static size_t receive_header(char *data, size_t one, size_t count, void *context)
{
	struct http *http = context;
	struct tm utc = { 0 };
	char line[64];

	snprintf(line, sizeof(line), "%.*s", (int)(one * count), data);
	if (strncasecmp(line, "Date: ", 6) == 0 && strptime(line + 6, "%a, %d %b %Y %H:%M:%S GMT", &utc) != NULL)
		http->date = (int64_t)timegm(&utc);
	return one * count;
}

void http_cancel(struct http *http)
{
	atomic_store(&http->cancelled, true);
}

void http_resume(struct http *http)
{
	atomic_store(&http->cancelled, false);
}

int64_t http_date(const struct http *http)
{
	return http->date;
}

static CURLcode setup_tls(CURL *curl, void *tls, void *context)
{
	const struct http *http = context;

	(void)curl;
	return http->tls_setup(tls) == 0 ? CURLE_OK : CURLE_SSL_CONNECT_ERROR;
}

/* What every transfer has: bounds in time, no redirects (nobody but the control unit says where), no proxy but the one that
 * was given. */
static void set_common(struct http *http, struct reception *reception)
{
	CURL *curl = http->curl;

	curl_easy_reset(curl);
	reception->curl = curl;
	reception->cancelled = &http->cancelled;
	http->error[0] = 0;
	http->curl_error[0] = 0;
	http->date = 0;
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->curl_error);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, http->proxy);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "");
	/* A proxy's own headers aren't the server's: its date is nobody's word. */
	curl_easy_setopt(curl, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, http->user_agent);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, http->connect_seconds);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, http->stall_seconds);
	/* A sink bounds itself by its own length and the rate. */
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, reception->sink ? 0L : http->answer_seconds);
	reception->least_rate = http->least_rate;
	reception->window = http->rate_seconds;
	reception->window_start = seconds_now();
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_rate);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, reception);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, reception);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, http);
	if (http->tls_setup) {
		curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, setup_tls);
		curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, http);
	}
}

/* From memory: a file would leave the key somewhere. mbedTLS counts the NUL of a key's PEM text. */
static int show_certificate(struct http *http)
{
	struct curl_blob certificate = { (void *)(uintptr_t)http->certificate, strlen(http->certificate), CURL_BLOB_NOCOPY };
	struct curl_blob key = { (void *)(uintptr_t)http->key, strlen(http->key) + 1, CURL_BLOB_NOCOPY };

	if (curl_easy_setopt(http->curl, CURLOPT_SSLCERT_BLOB, &certificate) != CURLE_OK ||
	    curl_easy_setopt(http->curl, CURLOPT_SSLKEY_BLOB, &key) != CURLE_OK) {
		snprintf(http->error, sizeof(http->error), "this libcurl can't show a certificate from memory");
		return -ENOTSUP;
	}
	return 0;
}

static int perform(struct http *http, const char *url, struct curl_slist *headers, struct reception *reception,
		   long *ret_status)
{
	CURL *curl = http->curl;
	struct curl_slist *connect = NULL;
	char *named = NULL;
	int tls = strncmp(url, "https://", 8) == 0, r, reason;
	CURLcode code;

	if (tls && !http->ca_file && !http->any_server) {
		snprintf(http->error, sizeof(http->error), "%s: no CA certificate to check the server with", url);
		return -EACCES;
	}
	if (http->any_server) {
		curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
		curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
		curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, tls ? "https" : "http,https");
	} else if (tls) {
		r = name_instead_of_address(url, &named, &connect);
		if (r < 0) {
			snprintf(http->error, sizeof(http->error), "%s: not an address", url);
			return r;
		}
		curl_easy_setopt(curl, CURLOPT_CONNECT_TO, connect);
		curl_easy_setopt(curl, CURLOPT_CAINFO, http->ca_file);
		curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
		curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
		r = http->certificate ? show_certificate(http) : 0;
		if (r < 0)
			goto out;
	}
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, tls ? "https" : "http");
	curl_easy_setopt(curl, CURLOPT_URL, named ? named : url);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	errno = 0;
	code = curl_easy_perform(curl);
	reason = errno;
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
	/* A refusal that was cut is the status that came with it. */
	r = code == CURLE_OK || reception->cut ? 0 : reception->error ? reception->error : error_of(code, reason);
	if (r == -EFBIG)
		snprintf(http->error, sizeof(http->error), "%s: the answer is longer than allowed", url);
	else if (reception->error == -ETIMEDOUT)
		snprintf(http->error, sizeof(http->error), "%s: the server is too slow: less than %u bytes per second over %u s",
			 url, http->least_rate, http->rate_seconds);
	else if (r < 0)
		snprintf(http->error, sizeof(http->error), "%s: %s", url,
			 reception->error == -EBADMSG ? "the server sent other bytes than it was asked for"
			 : reception->error ? strerror(-reception->error)
			 : http->curl_error[0] ? http->curl_error : curl_easy_strerror(code));
out:
	curl_slist_free_all(connect);
	free(named);
	return r;
}

static int check_status(struct http *http, const char *url, long status, long wanted)
{
	if (status == wanted)
		return 0;
	snprintf(http->error, sizeof(http->error), "%s: the server answered with status %ld", url, status);
	return status == 404 || status == 403 || status == 410 ? -ENOENT : -EPROTO;
}

int http_get(struct http *http, const char *url, size_t most, struct buffer *ret_body)
{
	struct reception reception = { .body = ret_body, .most = most, .wanted_status = 200 };
	long status = 0;
	int r;

	*ret_body = (struct buffer){ 0 };
	set_common(http, &reception);
	r = perform(http, url, NULL, &reception, &status);
	if (r == 0)
		r = check_status(http, url, status, 200);
	if (r < 0)
		buffer_release(ret_body);
	return r;
}

int http_get_stream(struct http *http, const char *url, uint64_t most, http_sink sink, void *context)
{
	struct reception reception = { .sink = sink, .context = context, .wanted_status = 200, .left = most,
				       .open_ended = true };
	long status = 0;
	int r;

	set_common(http, &reception);
	r = perform(http, url, NULL, &reception, &status);
	return r < 0 ? r : check_status(http, url, status, 200);
}

int http_get_range(struct http *http, const char *url, uint64_t offset, uint64_t size, http_sink sink,
		   void *context)
{
	struct reception reception = { .sink = sink, .context = context, .wanted_status = 206, .left = size,
				       .from_middle = offset > 0 };
	char range[64];
	long status = 0;
	int r;

	if (size == 0 || offset > UINT64_MAX - size)
		return -EINVAL;
	set_common(http, &reception);
	snprintf(range, sizeof(range), "%" PRIu64 "-%" PRIu64, offset, offset + size - 1);
	curl_easy_setopt(http->curl, CURLOPT_RANGE, range);
	/* A server that ignores the range would send the whole file: 200 is right only from the first byte on,
	 * and a longer answer ends at the first byte too many. */
	r = perform(http, url, NULL, &reception, &status);
	if (status == 200 && offset > 0) {
		snprintf(http->error, sizeof(http->error), "%s: the server sends the whole file instead of bytes %s: "
			 "use one that knows byte ranges, such as repaved or nginx", url, range);
		return -EPROTO;
	}
	if (r == 0 && !(status == 200 && offset == 0))
		r = check_status(http, url, status, 206);
	if (r == 0 && reception.left) {
		snprintf(http->error, sizeof(http->error), "%s: %" PRIu64 " bytes of bytes %s are missing", url,
			 reception.left, range);
		r = -EBADMSG;
	}
	return r;
}

static int request(struct http *http, const char *method, const char *url, const char *json_body, size_t most,
		   const char *socket_path, unsigned *ret_status, struct buffer *ret_body)
{
	struct reception reception = { .body = ret_body, .most = most };
	struct curl_slist *headers = NULL, *more;
	long status = 0;
	int r = -ENOMEM;

	*ret_body = (struct buffer){ 0 };
	set_common(http, &reception);
	/* No "Expect: 100-continue": it costs a second where the other side doesn't know it. */
	headers = curl_slist_append(NULL, "Expect:");
	if (!headers)
		return r;
	if (json_body) {
		more = curl_slist_append(headers, "Content-Type: application/json");
		if (!more)
			goto free_headers;
		headers = more;
		curl_easy_setopt(http->curl, CURLOPT_POSTFIELDS, json_body);
	}
	if (http->authorization && strncmp(url, "https://", 8) == 0) {
		more = curl_slist_append(headers, http->authorization);
		if (!more)
			goto free_headers;
		headers = more;
	}
	if (socket_path)
		curl_easy_setopt(http->curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
	curl_easy_setopt(http->curl, CURLOPT_CUSTOMREQUEST, method);
	r = perform(http, url, headers, &reception, &status);
	*ret_status = (unsigned)status;
	if (r < 0)
		buffer_release(ret_body);
free_headers:
	curl_slist_free_all(headers);
	return r;
}

int http_request(struct http *http, const char *method, const char *url, const char *json_body,
		 size_t most, unsigned *ret_status, struct buffer *ret_body)
{
	return request(http, method, url, json_body, most, NULL, ret_status, ret_body);
}

int http_request_unix(struct http *http, const char *socket_path, const char *method, const char *path,
		      const char *json_body, size_t most, unsigned *ret_status, struct buffer *ret_body)
{
	char *url;
	int r;

	if (asprintf(&url, "http://localhost%s", path) < 0)
		return -ENOMEM;
	r = request(http, method, url, json_body, most, socket_path, ret_status, ret_body);
	free(url);
	return r;
}

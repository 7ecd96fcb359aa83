// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/upstream.h"

#include <curl/curl.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/http.h"
#include "common/json.h"
#include "common/log.h"
#include "control/relay-api.h"
#include "control/relays.h"

#define CONNECT_MS 10000      /* with its handshake */
#define CONNECTING_MOST 32u    /* at once: a thousand take each other's time until none is done in time */
#define OPENED_MOST 60u        /* connections in a second, and up to CONNECTING_MOST more: control units bound what comes from one address */
#define SPARE_SECONDS 5       /* an answer that is held for the interval may take twice that, and this */
#define DEAD_PEER_MS 15000    /* bytes that nobody acknowledges for so long: the connection is gone */
#define TICK_MS 250

struct upstream {
	const struct upstream_options *options;
	CURLM *multi;
	struct curl_slist *to[UPSTREAM_CONTROLS_MOST]; /* CURLOPT_CONNECT_TO of each */
	pthread_t thread;
	pthread_mutex_t mutex;
	/* Of the mutex: */
	struct exchange *queue, **queue_end;
	size_t count;
	bool is_ending;
	/* Of the thread: */
	struct exchange *active;
	unsigned at, interval, connecting, opened; /* opened: in `second`, by the steady clock */
	int64_t second;
	int64_t hello_ms;
	bool hello_under_way, told_lost, was_heard;
};

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;
	curl_slist_free_all(exchange->headers);
	buffer_release(&exchange->body);
	buffer_release(&exchange->answer);
	free(exchange);
}

/* ------------------------------------------------------------------ one request */

static size_t receive(char *data, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;

	if (size * count > UPSTREAM_ANSWER_MOST - exchange->answer.size || buffer_add(&exchange->answer, data, size * count) < 0)
		return 0;
	return size * count;
}

/* A machine that vanished is noticed before an agent gives up. */
static int set_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
	struct upstream *upstream = context;
	const int dead = DEAD_PEER_MS;

	(void)purpose;
	upstream->opened++;
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof dead);
	return CURL_SOCKOPT_OK;
}

static void note_connected(struct exchange *exchange)
{
	if (exchange->connecting)
		--*exchange->connecting;
	exchange->connecting = NULL;
}

/* Its connection is there, be it a new one or not. */
static int connected(void *context, char *to, char *from, int to_port, int from_port)
{
	(void)to;
	(void)from;
	(void)to_port;
	(void)from_port;
	note_connected(context);
	return CURL_PREREQFUNC_OK;
}

static int add_header(struct exchange *exchange, const char *name, const char *value)
{
	char line[200];
	struct curl_slist *longer;

	snprintf(line, sizeof line, "%s: %s", name, value);
	longer = curl_slist_append(exchange->headers, line);
	if (!longer)
		return -ENOMEM;
	exchange->headers = longer;
	return 0;
}

static int add_headers(struct exchange *exchange)
{
	int r = add_header(exchange, "Content-Type", "application/json");

	if (!r && exchange->connection)
		r = add_header(exchange, RELAY_KEY_HEADER, exchange->key);
	if (!r && exchange->connection)
		r = add_header(exchange, RELAY_ADDRESS_HEADER, exchange->address);
	return r;
}

static void set_way(struct upstream *upstream, CURL *curl)
{
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CONNECT_TO, upstream->to[upstream->at]);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(curl, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(curl, CURLOPT_CAINFO, upstream->options->ca);
	curl_easy_setopt(curl, CURLOPT_SSLCERT, upstream->options->credential);
	curl_easy_setopt(curl, CURLOPT_SSLKEY, upstream->options->credential);
	curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, set_socket);
	curl_easy_setopt(curl, CURLOPT_SOCKOPTDATA, upstream);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
}

/* 0, or -ENOMEM with nothing begun. */
static int begin(struct upstream *upstream, struct exchange *exchange)
{
	CURL *curl = curl_easy_init();
	char url[160];

	if (!curl || add_headers(exchange) < 0)
		goto fail;
	snprintf(url, sizeof url, "https://" CONTROL_UNIT_NAME "%s", exchange->path);
	set_way(upstream, curl);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "repave-monitor");
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, exchange->headers);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)exchange->body.size);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, exchange->body.data ? (const char *)exchange->body.data : "");
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_PRIVATE, exchange);
	curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, connected);
	curl_easy_setopt(curl, CURLOPT_PREREQDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
			 (long)(exchange->connection ? 2 * upstream->interval + SPARE_SECONDS : 2 * RELAY_HELLO_SECONDS) * 1000);
	if (curl_multi_add_handle(upstream->multi, curl) != CURLM_OK)
		goto fail;
	exchange->curl = curl;
	exchange->connecting = &upstream->connecting;
	upstream->connecting++;
	exchange->previous = NULL;
	exchange->next = upstream->active;
	if (upstream->active)
		upstream->active->previous = exchange;
	upstream->active = exchange;
	return 0;
fail:
	curl_easy_cleanup(curl);
	return -ENOMEM;
}

static void take_out(struct upstream *upstream, struct exchange *exchange)
{
	note_connected(exchange);
	if (exchange->previous)
		exchange->previous->next = exchange->next;
	else
		upstream->active = exchange->next;
	if (exchange->next)
		exchange->next->previous = exchange->previous;
}

/* ------------------------------------------------------------------ how they end */

/* The control unit says each time how long it holds. */
static void learn_interval(struct upstream *upstream, const json_t *answer)
{
	uint64_t interval;

	if (!json_get_u64(answer, "interval", &interval) && interval >= 1 && interval <= 300)
		upstream->interval = (unsigned)interval;
}

static void tell_state(struct upstream *upstream, const char *lost)
{
	if (lost && !upstream->told_lost)
		log_warning("%s; trying on", lost);
	else if (!lost && (upstream->told_lost || !upstream->was_heard))
		log_info("connected to the control unit at %s", upstream->options->controls[upstream->at]);
	upstream->told_lost = lost != NULL;
	upstream->was_heard |= !lost;
}

static void end_hello(struct upstream *upstream, struct exchange *hello)
{
	char why[160], text[ERROR_TEXT];
	json_t *answer = hello->status ? json_parse(hello->answer.data, hello->answer.size, why) : NULL;
	const char *error = json_get_string(answer, "error");

	upstream->hello_under_way = false;
	upstream->hello_ms = steady_ms() + (int64_t)RELAY_HELLO_SECONDS * 1000;
	if (hello->status == 200) {
		learn_interval(upstream, answer);
		tell_state(upstream, NULL);
	} else {
		if (hello->status)
			snprintf(text, sizeof text, "the control unit refuses this monitor (status %u): %.200s", hello->status, error ? error : "no reason");
		tell_state(upstream, hello->status ? text : hello->error);
	}
	json_decref(answer);
	exchange_free(hello);
}

/* From the resuming on it is the HTTP server's. */
static void end_exchange(struct upstream *upstream, struct exchange *exchange)
{
	if (!exchange->connection) {
		end_hello(upstream, exchange);
		return;
	}
	pthread_mutex_lock(&upstream->mutex);
	upstream->count--;
	pthread_mutex_unlock(&upstream->mutex);
	http_call_resume(exchange->connection);
}

static void finish(struct upstream *upstream, CURL *curl, CURLcode code)
{
	struct exchange *exchange = NULL;
	long status = 0;

	curl_easy_getinfo(curl, CURLINFO_PRIVATE, &exchange);
	curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_multi_remove_handle(upstream->multi, curl);
	curl_easy_cleanup(curl);
	take_out(upstream, exchange);
	if (code == CURLE_OK) {
		exchange->status = (unsigned)status;
	} else {
		snprintf(exchange->error, sizeof exchange->error, "the control unit can't be reached at %.200s: %s",
			 upstream->options->controls[upstream->at], curl_easy_strerror(code));
		if (!exchange->connection)
			upstream->at = (upstream->at + 1) % upstream->options->control_count;
		else if (!upstream->told_lost) /* the next hello finds out, and another way */
			upstream->hello_ms = steady_ms();
	}
	end_exchange(upstream, exchange);
}

/* ------------------------------------------------------------------ the thread */

/* The first that waits to be begun; NULL when there is none. */
static struct exchange *take_queued(struct upstream *upstream)
{
	struct exchange *first;

	pthread_mutex_lock(&upstream->mutex);
	first = upstream->queue;
	if (first)
		upstream->queue = first->next;
	if (!upstream->queue)
		upstream->queue_end = &upstream->queue;
	pthread_mutex_unlock(&upstream->mutex);
	return first;
}

static void fail(struct upstream *upstream, struct exchange *exchange, const char *why)
{
	snprintf(exchange->error, sizeof exchange->error, "%s", why);
	end_exchange(upstream, exchange);
}

static void begin_queued(struct upstream *upstream)
{
	struct exchange *exchange;

	if (upstream->second != steady_ms() / 1000) {
		upstream->second = steady_ms() / 1000;
		upstream->opened = 0;
	}
	while (upstream->connecting < CONNECTING_MOST && upstream->opened < OPENED_MOST && (exchange = take_queued(upstream)))
		if (begin(upstream, exchange) < 0)
			fail(upstream, exchange, "the monitor is out of memory");
}

static void say_hello(struct upstream *upstream)
{
	struct exchange *hello;

	if (upstream->hello_under_way || steady_ms() < upstream->hello_ms)
		return;
	upstream->hello_ms = steady_ms() + (int64_t)RELAY_HELLO_SECONDS * 1000;
	hello = calloc(1, sizeof *hello);
	if (!hello)
		return;
	snprintf(hello->path, sizeof hello->path, "/v1/monitors/%s/hello", upstream->options->name);
	if (buffer_printf(&hello->body, "{\"format\":1}") < 0 || begin(upstream, hello) < 0)
		exchange_free(hello);
	else
		upstream->hello_under_way = true;
}

static bool is_ending(struct upstream *upstream)
{
	bool ends;

	pthread_mutex_lock(&upstream->mutex);
	ends = upstream->is_ending;
	pthread_mutex_unlock(&upstream->mutex);
	return ends;
}

/* What is under way is the thread's alone: it ends without an answer. */
static void end_all(struct upstream *upstream)
{
	struct exchange *exchange;

	while ((exchange = take_queued(upstream)))
		fail(upstream, exchange, "the monitor stops");
	while (upstream->active) {
		exchange = upstream->active;

		take_out(upstream, exchange);
		curl_multi_remove_handle(upstream->multi, exchange->curl);
		curl_easy_cleanup(exchange->curl);
		if (exchange->connection)
			fail(upstream, exchange, "the monitor stops");
		else
			exchange_free(exchange);
	}
}

static void *run(void *context)
{
	struct upstream *upstream = context;
	CURLMsg *message;
	int running, left;

	while (!is_ending(upstream)) {
		say_hello(upstream);
		begin_queued(upstream);
		curl_multi_perform(upstream->multi, &running);
		/* Those that had waited for others' handshakes. */
		begin_queued(upstream);
		while ((message = curl_multi_info_read(upstream->multi, &left)))
			if (message->msg == CURLMSG_DONE)
				finish(upstream, message->easy_handle, message->data.result);
		curl_multi_poll(upstream->multi, NULL, 0, TICK_MS, NULL);
	}
	return NULL;
}

static void free_all(struct upstream *upstream)
{
	for (unsigned i = 0; i < upstream->options->control_count; i++)
		curl_slist_free_all(upstream->to[i]);
	pthread_mutex_destroy(&upstream->mutex);
	free(upstream);
}

int upstream_start(const struct upstream_options *options, struct upstream **ret_upstream)
{
	struct upstream *upstream = calloc(1, sizeof *upstream);
	char to[300];
	int r = 0;

	if (!upstream)
		return -ENOMEM;
	upstream->options = options;
	upstream->interval = 300;
	upstream->queue_end = &upstream->queue;
	pthread_mutex_init(&upstream->mutex, NULL);
	for (unsigned i = 0; !r && i < options->control_count; i++) {
		snprintf(to, sizeof to, "::%s", options->controls[i]);
		upstream->to[i] = curl_slist_append(NULL, to);
		if (!upstream->to[i])
			r = -ENOMEM;
	}
	if (!r)
		r = curl_global_init(CURL_GLOBAL_DEFAULT) ? -ENOMEM : 0;
	upstream->multi = !r ? curl_multi_init() : NULL;
	if (!upstream->multi)
		r = -ENOMEM;
	if (!r) {
		curl_multi_setopt(upstream->multi, CURLMOPT_MAXCONNECTS, (long)UPSTREAM_AGENTS_MOST);
		r = -pthread_create(&upstream->thread, NULL, run, upstream);
	}
	if (r < 0) {
		curl_multi_cleanup(upstream->multi);
		free_all(upstream);
		return log_error(r, "can't start the connections to the control unit");
	}
	*ret_upstream = upstream;
	return 0;
}

void upstream_end(struct upstream *upstream)
{
	if (!upstream)
		return;
	pthread_mutex_lock(&upstream->mutex);
	upstream->is_ending = true;
	pthread_mutex_unlock(&upstream->mutex);
	curl_multi_wakeup(upstream->multi);
	pthread_join(upstream->thread, NULL);
	end_all(upstream);
}

void upstream_free(struct upstream *upstream)
{
	if (!upstream)
		return;
	curl_multi_cleanup(upstream->multi);
	free_all(upstream);
}

int upstream_forward(struct upstream *upstream, const struct http_call *call, struct exchange *exchange)
{
	int r = 0;

	pthread_mutex_lock(&upstream->mutex);
	if (upstream->is_ending) {
		r = -ESHUTDOWN;
	} else if (upstream->count >= UPSTREAM_AGENTS_MOST) {
		r = -EBUSY;
	} else {
		/* Within the mutex: it can't be resumed before it is suspended. */
		exchange->connection = call->connection;
		http_call_hold(call, exchange);
		exchange->next = NULL;
		*upstream->queue_end = exchange;
		upstream->queue_end = &exchange->next;
		upstream->count++;
	}
	pthread_mutex_unlock(&upstream->mutex);
	if (!r)
		curl_multi_wakeup(upstream->multi);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/prober.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "control/balancer.h"
#include "control/haproxy.h"

#define ROUND_MS 200          /* between two looks for who is due */
#define IDLE_MS 1000          /* while no group has a service */
#define FRESH_INTERVALS 2
#define REQUEST_MOST (SERVICE_PATH_MOST + 256u + 128u)
#define HOST_MOST 253u
#define REST_MOST 65536u      /* bytes */

/* One question. */
struct try {
	int fd;
	char node[NODE_ID_SIZE + 1];
	char address[INET_TEXT_MOST + 1];
	uint16_t port;
	char request[REQUEST_MOST]; /* "": a connection is enough */
	bool sent;
	char answer[PROBE_ANSWER_LEAST];
	size_t size;
	int64_t begun;              /* microseconds */
	bool judged, over;          /* the rest of an answer is read before it is over: a reset would stand in the server's log */
	size_t rest;
	struct probe_result result; /* once it is judged */
};

struct prober {
	struct control *control;
	pthread_t thread;
	atomic_bool is_ending;
	struct try tries[PROBER_AT_ONCE];
	size_t count;
	size_t next;                /* the node that the last round left off at */
};

static int64_t steady_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* ------------------------------------------------------------------ one question, without the lock */

static void judge_try(struct try *try, const char *error)
{
	try->judged = true;
	try->result.milliseconds = (double)(steady_us() - try->begun) / 1000;
	snprintf(try->result.error, sizeof try->result.error, "%s", error);
}

static void close_try(struct try *try)
{
	if (try->fd >= 0)
		close(try->fd);
	try->fd = -1;
	try->over = true;
}

static void end_try(struct try *try, const char *error)
{
	if (!try->judged)
		judge_try(try, error);
	close_try(try);
}

static socklen_t make_address(const struct try *try, struct sockaddr_storage *ret_address)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;

	memset(ret_address, 0, sizeof *ret_address);
	if (strchr(try->address, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(try->port);
		inet_pton(AF_INET6, try->address, &six->sin6_addr);
		return sizeof *six;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(try->port);
	inet_pton(AF_INET, try->address, &four->sin_addr);
	return sizeof *four;
}

static void begin_try(struct try *try)
{
	struct sockaddr_storage address;
	socklen_t size = make_address(try, &address);

	try->begun = steady_us();
	try->fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (try->fd < 0 || (connect(try->fd, (struct sockaddr *)&address, size) < 0 && errno != EINPROGRESS))
		end_try(try, strerror(errno));
}

/* The connection is there, or isn't to be had. */
static void send_request(struct try *try)
{
	size_t size = strlen(try->request);
	socklen_t length = sizeof(int);
	int failure = 0;

	if (getsockopt(try->fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0)
		failure = errno;
	if (failure)
		end_try(try, strerror(failure));
	else if (!size)
		end_try(try, "");
	/* It fits into any socket's buffer at once. */
	else if (send(try->fd, try->request, size, MSG_NOSIGNAL) != (ssize_t)size)
		end_try(try, "the connection was closed");
	else
		try->sent = true;
}

static void take_answer(struct try *try)
{
	ssize_t got = recv(try->fd, try->answer + try->size, sizeof try->answer - try->size, 0);
	char error[PROBE_ERROR_MOST + 1];
	unsigned status = 0;
	int r;

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		end_try(try, got < 0 ? strerror(errno) : "the connection was closed without an answer");
		return;
	}
	try->size += (size_t)got;
	r = probe_status(try->answer, try->size, &status);
	if (r == -EAGAIN)
		return;
	snprintf(error, sizeof error, "HTTP status %u", status);
	judge_try(try, r < 0 ? "its answer isn't HTTP" : status >= 200 && status < 400 ? "" : error);
}

static void take_rest(struct try *try)
{
	char rest[4096];
	ssize_t got = recv(try->fd, rest, sizeof rest, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got > 0)
		try->rest += (size_t)got;
	if (got <= 0 || try->rest > REST_MOST)
		close_try(try);
}

/* Waits for answers, `most_ms` at most. */
static void attend(struct prober *prober, int most_ms)
{
	struct pollfd fds[PROBER_AT_ONCE];
	int64_t now;

	for (size_t i = 0; i < prober->count; i++)
		fds[i] = (struct pollfd){ .fd = prober->tries[i].fd, .events = prober->tries[i].sent ? POLLIN : POLLOUT };
	if (poll(fds, prober->count, most_ms) < 0)
		return;
	now = steady_us();
	for (size_t i = 0; i < prober->count; i++) {
		struct try *try = &prober->tries[i];

		if (!try->over && fds[i].revents && try->judged)
			take_rest(try);
		else if (!try->over && fds[i].revents && try->sent)
			take_answer(try);
		else if (!try->over && fds[i].revents)
			send_request(try);
		if (!try->over && now - try->begun > PROBER_MOST_MS * 1000)
			end_try(try, try->sent ? "no answer in time" : "no connection in time");
	}
}

/* ------------------------------------------------------------------ whom to ask, within the lock */

static bool is_probed(const struct node *node, const struct group *group)
{
	return group && group->service.offered && node->life.state != LIFE_QUARANTINED && node->life.state != LIFE_MAINTENANCE &&
	       balancer_may_use(node, group);
}

/* The address that HAProxy has; false when it has none. */
static bool fill_try(struct try *try, const struct node *node, const struct group *group)
{
	const char *where = node->service_address[0] ? node->service_address : node->address;
	const struct service *service = &group->service;
	const char *host = json_string_value(json_array_get(service->hosts, 0));

	*try = (struct try){ .fd = -1, .port = service->server_port };
	if (haproxy_address_parse(where, try->address, &try->port) < 0)
		return false;
	strcpy(try->node, node->id);
	if (service->check)
		snprintf(try->request, sizeof try->request,
			 "GET %s HTTP/1.1\r\nHost: %.*s\r\nUser-Agent: repave-probe\r\nConnection: close\r\n\r\n", service->check, (int)HOST_MOST,
			 host && host[0] != '*' ? host : "repave");
	return true;
}

/* Adds those that are due, as far as there is room. False when no group has a service. */
static bool choose(struct prober *prober, int64_t now_ms)
{
	const struct control *control = prober->control;
	const struct group_list *groups = fleet_groups(control->fleet);
	size_t count = fleet_count(control->fleet);
	bool any = false;

	for (size_t i = 0; !any && i < groups->count; i++)
		any = groups->items[i].service.offered;
	for (size_t i = 0; i < count && prober->count < PROBER_AT_ONCE; i++, prober->next++) {
		struct node *node = fleet_at(control->fleet, prober->next % count);
		const struct group *group = any ? group_of(control->fleet, node) : NULL;
		struct try *try = &prober->tries[prober->count];

		if (!is_probed(node, group))
			node->probe = (struct probe_record){ 0 };
		else if (probe_due(&node->probe, node->id, now_ms, control->settings.interval * 1000) && fill_try(try, node, group))
			prober->count++;
	}
	if (count)
		prober->next %= count;
	return any;
}

/* ------------------------------------------------------------------ what came of it, within the lock */

static bool is_content(const struct node *node, int64_t now_ms)
{
	const struct live *live = node->live;

	return live && live->figures.health == AGENT_HEALTHY && now_ms - live->heard_ms <= FRESH_INTERVALS * 1000 * (int64_t)live->interval;
}

static void tell(struct control *control, const struct node *node, const struct try *try, enum probe_news news, int64_t now)
{
	struct balancer_view view;
	const char *word;

	balancer_look(control, node->id, &view);
	word = !view.known ? "HAProxy doesn't have it" : view.up ? "HAProxy reaches it" : "HAProxy doesn't reach it either";
	if (news == PROBE_REACHED)
		control_event(control, now, node->id, SEVERITY_NOTICE, "probe", NULL, "its service answers the control unit again");
	else if (news == PROBE_UNREACHED)
		control_event(control, now, node->id, SEVERITY_WARNING, "probe",
			      json_pack("{ss sI ss so}", "address", try->address, "port", (json_int_t)try->port, "error", try->result.error,
					"balancer_up", view.known ? json_boolean(view.up) : json_null()),
			      "its agent says that the application is healthy, and the control unit doesn't reach it at %s port %u (%s); %s: look at"
			      " the network and the firewalls between", try->address, try->port, try->result.error, word);
}

static void hand_over(struct prober *prober, const struct try *try, int64_t now)
{
	struct control *control = prober->control;
	struct node *node = fleet_get(control->fleet, try->node);
	int64_t now_ms = steady_us() / 1000;

	/* Forgotten, or no longer asked: then a late answer says nothing. */
	if (!node || !node->probe.under_way)
		return;
	atomic_fetch_add(&control->meters.probes[try->result.error[0] ? 1 : 0], 1);
	if (!try->result.error[0])
		meter_observe(&control->meters.probe, meter_short, try->result.milliseconds / 1000);
	tell(control, node, try, probe_note(&node->probe, &try->result, is_content(node, now_ms), now_ms), now);
}

/* ------------------------------------------------------------------ the thread */

/* Returns how long the next wait may be. */
static int look(struct prober *prober)
{
	int64_t now = control_lock(prober->control);
	size_t kept = 0, begun;
	bool any;

	for (size_t i = 0; i < prober->count; i++) {
		if (prober->tries[i].over)
			hand_over(prober, &prober->tries[i], now);
		else if (kept++ != i)
			prober->tries[kept - 1] = prober->tries[i];
	}
	begun = prober->count = kept;
	any = choose(prober, steady_us() / 1000);
	control_leave(prober->control);
	for (size_t i = begun; i < prober->count; i++)
		begin_try(&prober->tries[i]);
	return any ? ROUND_MS : IDLE_MS;
}

static void *run(void *context)
{
	struct prober *prober = context;

	while (!atomic_load(&prober->is_ending)) {
		int64_t until = steady_us() / 1000 + look(prober), left;

		while (!atomic_load(&prober->is_ending) && (left = until - steady_us() / 1000) > 0)
			attend(prober, left < ROUND_MS ? (int)left : ROUND_MS);
	}
	return NULL;
}

int prober_start(struct control *control, struct prober **ret_prober)
{
	struct prober *prober = calloc(1, sizeof *prober);
	int r;

	if (!prober)
		return -ENOMEM;
	prober->control = control;
	r = pthread_create(&prober->thread, NULL, run, prober);
	if (r) {
		free(prober);
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	}
	*ret_prober = prober;
	return 0;
}

void prober_stop(struct prober *prober)
{
	if (!prober)
		return;
	atomic_store(&prober->is_ending, true);
	pthread_join(prober->thread, NULL);
	for (size_t i = 0; i < prober->count; i++)
		if (prober->tries[i].fd >= 0)
			close(prober->tries[i].fd);
	free(prober);
}

json_t *prober_describe(const struct node *node, int64_t steady_ms)
{
	const struct probe_record *probe = &node->probe;

	if (!probe->at)
		return json_null();
	return json_pack("{sb sf sf si so sb}", "ok", (int)probe->ok, "milliseconds", probe->milliseconds, "age",
			 (double)(steady_ms - probe->at) / 1000, "failures", (int)probe->failures, "error",
			 probe->error[0] ? json_string(probe->error) : json_null(), "differs", (int)probe->told);
}

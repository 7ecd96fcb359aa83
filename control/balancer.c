// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/balancer.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/log.h"
#include "control/cutter.h"
#include "control/dispatch.h"
#include "control/haproxy-notice.h"
#include "control/haproxy-socket.h"
#include "control/haproxy.h"
#include "control/secret.h"
#include "control/store-groups.h"

#define SETTINGS "balancer"
#define KEY_SETTING "balancer_key"
#define ROUND_MS 500
#define SOON_MS 100          /* after a change: to see that it came about */
#define LOOK_MS 2000         /* all questions */
#define SAY_MS 10000         /* all orders of a round; the rest is for the next */
#define PAUSE_MOST_MS 5000   /* between two tries to reach one that is gone */
#define RECENT_MS 5000       /* what an HAProxy said is true for so long */

/* An HAProxy. Written by the thread, within the control lock. */
struct proxy {
	char *socket;
	bool asked, reachable;
	char error[ERROR_TEXT];     /* why not, or what it refused; "" for nothing */
	char missing[HAPROXY_NAME_MOST + 1];
	int64_t since;              /* seconds since 1970 when `reachable` became what it is */
	int64_t seen_at, next;      /* haproxy_clock(): of `seen`; of the next try */
	unsigned failures;
	struct haproxy_seen seen;
};

struct balancer {
	struct control *control;
	struct balancer_settings settings;
	char key[HAPROXY_KEY_SIZE + 1];
	struct proxy proxies[HAPROXY_SOCKETS_MOST];
	size_t count;
	pthread_mutex_t mutex;      /* of the two flags; may be taken within the control lock, never the other way round */
	pthread_cond_t wake;
	bool is_ending, is_poked;
	atomic_uint cuts;           /* a round that began before the last one says no more: it might bring the node back */
	struct cutter *cutter;
	bool started;
	pthread_t thread;
};

/* What a round is about, copied out of the fleet. */
struct task {
	struct haproxy_server *servers;
	size_t count, room;
	char (*backends)[HAPROXY_NAME_MOST + 1];
	size_t backend_count;
	struct haproxy_notices notices;
	atomic_uint *cuts;          /* borrowed */
	unsigned cuts_then;
};

/* What came of it at one HAProxy. */
struct outcome {
	char *socket;
	int error;
	char why[ERROR_TEXT];
	struct haproxy_seen seen;
	struct haproxy_notices notices;
	struct haproxy_orders orders;
	char refused[ERROR_TEXT]; /* the first order that wasn't obeyed, and why; "" for none */
};

/* ------------------------------------------------------------------ what is wanted */

bool balancer_may_use(const struct node *node, const struct group *group)
{
	if (strcmp(node_state(node), "booted") || !group_runs(group, node->boot.os_target, node->boot.app_target))
		return false;
	if (!node->identity.agent_key[0])
		return true; /* a system without an agent says no more */
	return node->life.state == LIFE_SERVING || node->life.state == LIFE_DRAINING || node->life.state == LIFE_SUSPECT ||
	       node->life.state == LIFE_QUARANTINED || node->life.state == LIFE_MAINTENANCE;
}

/* Until what runs there is what stage 1 has checked. */
static bool is_cut(const struct node *node)
{
	const struct restart *restart = node->restart ? &node->restart->restart : NULL;

	return restart && restart->kind == RESTART_CUT && restart->step < RESTART_AT_READY;
}

enum balancer_want balancer_wanted(const struct node *node)
{
	if (node->life.state == LIFE_QUARANTINED || is_cut(node))
		return BALANCER_MAINT;
	if (node->life.state == LIFE_MAINTENANCE && node->balancer_want == BALANCER_READY)
		return BALANCER_DRAIN;
	return node->balancer_want;
}

static struct haproxy_server *add_server(struct task *task)
{
	if (task->count == task->room) {
		size_t room = task->room ? 2 * task->room : 64;
		struct haproxy_server *grown = reallocarray(task->servers, room, sizeof *grown);

		if (!grown)
			return NULL;
		task->servers = grown;
		task->room = room;
	}
	task->servers[task->count] = (struct haproxy_server){ .up = true };
	return &task->servers[task->count++];
}

static int want_member(struct task *task, const struct node *node, const struct group *group)
{
	const char *where = node->service_address[0] ? node->service_address : node->address;
	char address[INET_TEXT_MOST + 1];
	uint16_t port = group->service.server_port;
	struct haproxy_server *s;

	if (haproxy_address_parse(where, address, &port) < 0)
		return 0;
	s = add_server(task);
	if (!s)
		return -ENOMEM;
	strcpy(s->backend, group->name);
	strcpy(s->name, node->id);
	strcpy(s->address, address);
	s->port = port;
	s->weight = node->weight;
	s->shared = group->service.shared;
	s->state = balancer_wanted(node);
	if (group->denied && s->state == BALANCER_READY)
		s->state = BALANCER_DRAIN;
	return 0;
}

/* A node that left a group and still runs what that group's users want keeps those whom it has, until it boots something else. One that
 * is cut off loses them at once, which a server that isn't wanted wouldn't. */
static int want_leaver(struct task *task, const struct fleet *fleet, const struct haproxy_server *seen)
{
	const struct group *group = group_list_find(fleet_groups(fleet), seen->backend);
	const struct node *node = node_id_valid(seen->name) ? fleet_get((struct fleet *)(uintptr_t)fleet, seen->name) : NULL;
	struct haproxy_server *s;

	if (!group || !node || (!is_cut(node) && (!strcmp(node->group, seen->backend) || !balancer_may_use(node, group))))
		return 0;
	s = add_server(task);
	if (!s)
		return -ENOMEM;
	*s = *seen;
	s->shared = false;
	if (balancer_wanted(node) == BALANCER_MAINT)
		s->state = BALANCER_MAINT;
	else if (s->state == BALANCER_READY)
		s->state = BALANCER_DRAIN;
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct haproxy_server *s = a, *t = b;
	int order = strcmp(s->backend, t->backend);

	return order ? order : strcmp(s->name, t->name);
}

static void sort_once(struct task *task)
{
	size_t kept = 0;

	if (task->count)
		qsort(task->servers, task->count, sizeof *task->servers, by_name);
	for (size_t i = 0; i < task->count; i++)
		if (!kept || by_name(&task->servers[kept - 1], &task->servers[i]))
			task->servers[kept++] = task->servers[i];
	task->count = kept;
}

static void release_task(struct task *task)
{
	free(task->servers);
	free(task->backends);
	haproxy_notices_release(&task->notices);
	*task = (struct task){ 0 };
}

/* When the users of a node must have left, of one that asks them to. */
static int want_notice(struct task *task, const struct control *control, const struct node *node)
{
	const struct restart_record *record = dispatch_of(control, node->id);
	const struct restart *restart = record ? &record->restart : NULL;

	if (!restart || restart->step != RESTART_AT_RELEASE || !restart->asked)
		return 0;
	return haproxy_notices_add(&task->notices, node->id, (restart->asked + restart->limits.grace + 999) / 1000);
}

static int make_task(const struct balancer *balancer, struct task *ret_task)
{
	const struct fleet *fleet = balancer->control->fleet;
	const struct group_list *groups = fleet_groups(fleet);
	struct task *task = ret_task;
	int r = 0;

	*task = (struct task){ .backends = calloc(groups->count + 1, sizeof *task->backends), .cuts = (atomic_uint *)(uintptr_t)&balancer->cuts,
			       .cuts_then = atomic_load(&balancer->cuts) };
	if (!task->backends)
		return -ENOMEM;
	for (size_t i = 0; i < groups->count; i++)
		if (groups->items[i].service.offered)
			strcpy(task->backends[task->backend_count++], groups->items[i].name);
	for (size_t i = 0; !r && i < fleet_count(fleet); i++) {
		const struct node *node = fleet_node(fleet, i);
		const struct group *group = group_of(fleet, node);

		if (group && group->service.offered && !is_cut(node) && balancer_may_use(node, group))
			r = want_member(task, node, group);
		if (!r && dispatch_count(balancer->control))
			r = want_notice(task, balancer->control, node);
	}
	for (size_t p = 0; p < balancer->count; p++)
		for (size_t i = 0; !r && i < balancer->proxies[p].seen.count; i++)
			r = want_leaver(task, fleet, &balancer->proxies[p].seen.servers[i]);
	if (r < 0)
		release_task(task);
	else
		sort_once(task);
	haproxy_notices_sort(&task->notices);
	return r;
}

/* ------------------------------------------------------------------ a round, without the lock */

static int look(struct outcome *o)
{
	struct buffer states = { 0 }, stat = { 0 }, notices = { 0 };
	int64_t until = haproxy_clock() + LOOK_MS;
	int r = haproxy_ask(o->socket, "show servers state", until, &states, o->why);

	if (!r)
		r = haproxy_ask(o->socket, "show stat", until, &stat, o->why);
	if (!r)
		r = haproxy_ask(o->socket, "show map " HAPROXY_NOTICE_MAP, until, &notices, o->why);
	if (!r)
		r = haproxy_parse((const char *)states.data, states.size, (const char *)stat.data, stat.size, &o->seen, o->why);
	if (!r)
		r = haproxy_notices_parse((const char *)notices.data, notices.size, &o->notices, o->why);
	buffer_release(&states);
	buffer_release(&stat);
	buffer_release(&notices);
	return r;
}

static bool is_overtaken(const struct task *task)
{
	return atomic_load(task->cuts) != task->cuts_then;
}

/* Says each line. One that isn't obeyed doesn't keep the others from being said. */
static int say(const struct task *task, struct outcome *o)
{
	char *rest = (char *)o->orders.lines.data, *line;
	int64_t until = haproxy_clock() + SAY_MS;
	int r = 0;

	while (!r && !is_overtaken(task) && rest && (line = strsep(&rest, "\n")) && *line) {
		struct buffer answer = { 0 };
		char why[ERROR_TEXT];

		r = haproxy_ask(o->socket, line, until, &answer, o->why);
		if (!r && !haproxy_done(line, (const char *)answer.data, answer.size, why) && !o->refused[0])
			snprintf(o->refused, sizeof o->refused, "it refused \"%.150s\": %.200s", line, why);
		buffer_release(&answer);
	}
	return r;
}

static void attend(const struct task *task, struct outcome *o)
{
	const struct haproxy_wanted wanted = { task->servers, task->count, (const char (*)[HAPROXY_NAME_MOST + 1])task->backends,
					       task->backend_count };

	o->error = look(o);
	if (!o->error)
		o->error = haproxy_reconcile(&wanted, &o->seen, &o->orders);
	if (!o->error)
		o->error = haproxy_notices_reconcile(&task->notices, &o->notices, &o->orders.lines);
	if (!o->error && o->orders.lines.size)
		o->error = say(task, o);
}

/* ------------------------------------------------------------------ what came of it, within the lock */

static void tell(struct balancer *balancer, enum severity severity, const char *kind, const char *socket, const char *text)
{
	control_event(balancer->control, time(NULL), "", severity, kind, json_pack("{ss}", "socket", socket), "HAProxy at %s: %s", socket, text);
}

static void note_failure(struct balancer *balancer, struct proxy *proxy, const struct outcome *o)
{
	const char *why = o->why[0] ? o->why : strerror(-o->error);

	if (!proxy->asked || proxy->reachable) {
		proxy->since = time(NULL);
		tell(balancer, SEVERITY_WARNING, "balancer-lost", proxy->socket, why);
	}
	proxy->reachable = false;
	snprintf(proxy->error, sizeof proxy->error, "%s", why);
	proxy->failures++;
	proxy->next = haproxy_clock() + (proxy->failures * ROUND_MS < PAUSE_MOST_MS ? proxy->failures * ROUND_MS : PAUSE_MOST_MS);
	haproxy_seen_release(&proxy->seen);
}

static void note_configuration(struct balancer *balancer, struct proxy *proxy, const struct outcome *o)
{
	char text[ERROR_TEXT];
	const char *missing = o->seen.has_own ? o->orders.missing : HAPROXY_OWN_BACKEND;

	if (missing[0] && strcmp(missing, proxy->missing)) {
		snprintf(text, sizeof text, "its configuration has no backend %s; write it anew with `repave balancer config` and reload", missing);
		tell(balancer, SEVERITY_WARNING, "balancer-configuration", proxy->socket, text);
	}
	strcpy(proxy->missing, missing);
}

static void note_success(struct balancer *balancer, struct proxy *proxy, struct outcome *o)
{
	char text[ERROR_TEXT];

	if (!proxy->reachable) {
		proxy->since = time(NULL);
		if (proxy->asked)
			tell(balancer, SEVERITY_NOTICE, "balancer-back", proxy->socket, "it answers again");
	}
	if (o->seen.has_own && !o->seen.replayed) {
		snprintf(text, sizeof text, "it had started anew, and was told its %zu server(s)", o->orders.added);
		tell(balancer, SEVERITY_NOTICE, "balancer-replayed", proxy->socket, text);
	}
	note_configuration(balancer, proxy, o);
	if (o->refused[0] && strcmp(o->refused, proxy->error))
		tell(balancer, SEVERITY_WARNING, "balancer-refused", proxy->socket, o->refused);
	strcpy(proxy->error, o->refused);
	proxy->reachable = true;
	proxy->failures = 0;
	proxy->next = 0;
	proxy->seen_at = haproxy_clock();
	haproxy_seen_release(&proxy->seen);
	proxy->seen = o->seen;
	o->seen = (struct haproxy_seen){ 0 };
}

static void hand_over(struct balancer *balancer, struct outcome *o)
{
	for (size_t i = 0; i < balancer->count; i++) {
		struct proxy *proxy = &balancer->proxies[i];

		if (o->error == -ECANCELED || strcmp(proxy->socket, o->socket))
			continue;
		if (o->error)
			note_failure(balancer, proxy, o);
		else
			note_success(balancer, proxy, o);
		proxy->asked = true;
	}
}

static void release_outcome(struct outcome *o)
{
	haproxy_seen_release(&o->seen);
	haproxy_notices_release(&o->notices);
	buffer_release(&o->orders.lines);
	free(o->socket);
}

/* ------------------------------------------------------------------ the thread */

/* Whom to attend to now. Returns their number. */
static size_t begin_round(struct balancer *balancer, struct task *task, struct outcome outcomes[HAPROXY_SOCKETS_MOST])
{
	int64_t now = haproxy_clock();
	size_t count = 0;

	control_lock(balancer->control);
	if (balancer->count && make_task(balancer, task) == 0) {
		for (size_t i = 0; i < balancer->count; i++) {
			if (balancer->proxies[i].next > now)
				continue;
			outcomes[count] = (struct outcome){ .socket = strdup(balancer->proxies[i].socket) };
			count += outcomes[count].socket != NULL;
		}
	}
	control_leave(balancer->control);
	return count;
}

/* Whether something was changed, so that another look soon is worth it. */
static bool make_round(struct balancer *balancer)
{
	struct outcome outcomes[HAPROXY_SOCKETS_MOST];
	struct task task = { 0 };
	size_t count = begin_round(balancer, &task, outcomes);
	bool changed = false;

	for (size_t i = 0; i < count; i++) {
		if (is_overtaken(&task))
			outcomes[i].error = -ECANCELED;
		else
			attend(&task, &outcomes[i]);
	}
	control_lock(balancer->control);
	for (size_t i = 0; i < count; i++) {
		changed |= outcomes[i].orders.lines.size && !outcomes[i].error && !outcomes[i].refused[0];
		hand_over(balancer, &outcomes[i]);
	}
	control_leave(balancer->control);
	for (size_t i = 0; i < count; i++)
		release_outcome(&outcomes[i]);
	release_task(&task);
	return changed;
}

static void *run(void *context)
{
	struct balancer *balancer = context;
	struct timespec until;

	pthread_mutex_lock(&balancer->mutex);
	while (!balancer->is_ending) {
		int64_t wait;

		balancer->is_poked = false;
		pthread_mutex_unlock(&balancer->mutex);
		wait = make_round(balancer) ? SOON_MS : ROUND_MS;
		pthread_mutex_lock(&balancer->mutex);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += wait % 1000 * 1000000;
		until.tv_sec += wait / 1000 + until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		while (!balancer->is_ending && !balancer->is_poked && !pthread_cond_timedwait(&balancer->wake, &balancer->mutex, &until))
			;
	}
	pthread_mutex_unlock(&balancer->mutex);
	return NULL;
}

static void poke(struct balancer *balancer)
{
	pthread_mutex_lock(&balancer->mutex);
	balancer->is_poked = true;
	pthread_cond_signal(&balancer->wake);
	pthread_mutex_unlock(&balancer->mutex);
}

/* ------------------------------------------------------------------ beginning and end */

static void release_proxy(struct proxy *proxy)
{
	haproxy_seen_release(&proxy->seen);
	free(proxy->socket);
	*proxy = (struct proxy){ 0 };
}

/* Those that are still named keep what is known of them. */
static void adopt_sockets(struct balancer *balancer)
{
	struct proxy before[HAPROXY_SOCKETS_MOST];
	size_t had = balancer->count;
	const json_t *socket;
	size_t i;

	memcpy(before, balancer->proxies, sizeof before);
	memset(balancer->proxies, 0, sizeof balancer->proxies);
	balancer->count = 0;
	json_array_foreach(balancer->settings.sockets, i, socket) {
		struct proxy *proxy = &balancer->proxies[balancer->count];

		for (size_t j = 0; j < had; j++) {
			if (before[j].socket && !strcmp(before[j].socket, json_string_value(socket))) {
				*proxy = before[j];
				before[j] = (struct proxy){ 0 };
			}
		}
		if (!proxy->socket)
			proxy->socket = strdup(json_string_value(socket));
		balancer->count += proxy->socket != NULL;
	}
	for (i = 0; i < had; i++)
		release_proxy(&before[i]);
}

static int load_key(struct balancer *balancer)
{
	char secret[TOKEN_SIZE + 1];
	struct store *store = balancer->control->store;
	json_t *stored = NULL;
	int r = store_get_setting(store, KEY_SETTING, &stored);
	const char *key = json_get_string(stored, "key");

	if (!r && key && text_of(key, "0123456789abcdef", HAPROXY_KEY_SIZE)) {
		strcpy(balancer->key, key);
	} else if (!r) {
		r = secret_make(secret);
		if (!r) {
			snprintf(balancer->key, sizeof balancer->key, "%.*s", (int)HAPROXY_KEY_SIZE, secret);
			json_decref(stored);
			stored = json_pack("{ss}", "key", balancer->key);
			r = stored ? store_put_setting(store, KEY_SETTING, stored) : -ENOMEM;
		}
	}
	json_decref(stored);
	return r;
}

static int load_settings(struct balancer *balancer)
{
	struct balancer_settings read;
	char why[ERROR_TEXT] = "";
	json_t *stored = NULL;
	int r = store_get_setting(balancer->control->store, SETTINGS, &stored);

	if (!r && stored) {
		r = balancer_settings_parse(&balancer->settings, stored, &read, why);
		if (r == -EINVAL)
			log_error(0, "the balancer's settings in the database are damaged: %s", why);
		if (!r) {
			balancer_settings_release(&balancer->settings);
			balancer->settings = read;
		}
	}
	json_decref(stored);
	return r;
}

int balancer_new(struct control *control, struct balancer **ret_balancer)
{
	struct balancer *balancer = calloc(1, sizeof *balancer);
	pthread_condattr_t monotonic;
	int r;

	if (!balancer)
		return -ENOMEM;
	balancer->control = control;
	pthread_mutex_init(&balancer->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&balancer->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = balancer_settings_init(&balancer->settings);
	if (!r)
		r = load_settings(balancer);
	if (!r)
		r = load_key(balancer);
	if (r < 0) {
		balancer_free(balancer);
		return r;
	}
	adopt_sockets(balancer);
	*ret_balancer = balancer;
	return 0;
}

int balancer_start(struct balancer *balancer)
{
	int r = pthread_create(&balancer->thread, NULL, run, balancer);

	if (r)
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	balancer->started = true;
	return cutter_new(&balancer->cutter);
}

void balancer_free(struct balancer *balancer)
{
	if (!balancer)
		return;
	if (balancer->started) {
		pthread_mutex_lock(&balancer->mutex);
		balancer->is_ending = true;
		pthread_cond_signal(&balancer->wake);
		pthread_mutex_unlock(&balancer->mutex);
		pthread_join(balancer->thread, NULL);
	}
	cutter_free(balancer->cutter);
	for (size_t i = 0; i < balancer->count; i++)
		release_proxy(&balancer->proxies[i]);
	balancer_settings_release(&balancer->settings);
	pthread_mutex_destroy(&balancer->mutex);
	pthread_cond_destroy(&balancer->wake);
	free(balancer);
}

/* ------------------------------------------------------------------ for others */

int balancer_want(struct control *control, const char *id, enum balancer_want want)
{
	struct node *node = fleet_get(control->fleet, id);
	int r = node ? 0 : -ENOENT;

	if (!r && node->balancer_want != want)
		r = fleet_want(control->fleet, node, want);
	if (!r)
		poke(control->balancer);
	return r;
}

static int cut_at(struct balancer *balancer, const struct proxy *proxy, const struct node *node)
{
	char line[4 * HAPROXY_NAME_MOST + 64];
	int r = 0;

	for (size_t i = 0; !r && i < proxy->seen.count; i++) {
		const struct haproxy_server *s = &proxy->seen.servers[i];

		if (strcmp(s->name, node->id))
			continue;
		snprintf(line, sizeof line, "set server %s/%s state maint; shutdown sessions server %s/%s", s->backend, s->name, s->backend, s->name);
		r = cutter_say(balancer->cutter, proxy->socket, line);
	}
	return r;
}

int balancer_cut(struct control *control, const struct node *node)
{
	struct balancer *balancer = control->balancer;
	int r = 0;

	/* Without its thread it is a test's. */
	if (!balancer->cutter)
		return 0;
	atomic_fetch_add(&balancer->cuts, 1);
	for (size_t i = 0; !r && i < balancer->count; i++)
		r = cut_at(balancer, &balancer->proxies[i], node);
	poke(balancer);
	return r;
}

int balancer_deny(struct control *control, const char *group, bool denied, char ret_error[ERROR_TEXT])
{
	int r = fleet_deny(control->fleet, group, denied, ret_error);

	if (!r)
		poke(control->balancer);
	return r;
}

static const struct haproxy_server *find_seen(const struct haproxy_seen *seen, const struct node *node)
{
	struct haproxy_server key = { 0 };

	strcpy(key.backend, node->group);
	strcpy(key.name, node->id);
	return seen->count ? bsearch(&key, seen->servers, seen->count, sizeof *seen->servers, by_name) : NULL;
}

/* Adds what one HAProxy says. The state is that of the one which is furthest from what is wanted. */
static void add_view(struct balancer_view *view, const struct haproxy_server *s, enum balancer_want want, uint64_t seconds)
{
	bool worse = want == BALANCER_READY ? s->state > view->state : s->state < view->state;

	if (!view->known || worse)
		view->state = s->state;
	if (!view->known || !s->up || !view->check[0])
		strcpy(view->check, s->check);
	view->up = s->up && (!view->known || view->up);
	view->known = true;
	view->sessions += s->sessions;
	view->queue += s->queue;
	if (s->response_ms > view->response_ms)
		view->response_ms = s->response_ms;
	if (seconds > view->seconds)
		view->seconds = seconds;
}

int balancer_look(struct control *control, const char *id, struct balancer_view *ret_view)
{
	const struct balancer *balancer = control->balancer;
	const struct node *node = fleet_get(control->fleet, id);

	*ret_view = (struct balancer_view){ 0 };
	if (!node)
		return -ENOENT;
	ret_view->complete = true;
	for (size_t i = 0; i < balancer->count; i++) {
		const struct proxy *proxy = &balancer->proxies[i];
		const struct haproxy_server *s = proxy->reachable ? find_seen(&proxy->seen, node) : NULL;
		int64_t age = haproxy_clock() - proxy->seen_at;

		ret_view->complete &= proxy->reachable && age <= RECENT_MS;
		if (s)
			add_view(ret_view, s, balancer_wanted(node), (uint64_t)age / 1000);
	}
	return 0;
}

const struct balancer_settings *balancer_settings(const struct balancer *balancer)
{
	return &balancer->settings;
}

int balancer_store_settings(struct control *control, const struct balancer_settings *settings)
{
	json_t *stored = balancer_settings_format(settings);
	int r = stored ? store_put_setting(control->store, SETTINGS, stored) : -ENOMEM;

	json_decref(stored);
	return r;
}

void balancer_adopt_settings(struct balancer *balancer, struct balancer_settings *settings)
{
	balancer_settings_release(&balancer->settings);
	balancer->settings = *settings;
	*settings = (struct balancer_settings){ 0 };
	adopt_sockets(balancer);
	poke(balancer);
}

const char *balancer_state_name(enum balancer_want state)
{
	static const char *const names[] = { "ready", "drain", "maint" };

	return names[state];
}

static json_t *text_or_null(const char *text)
{
	return text && text[0] ? json_string(text) : json_null();
}

static json_t *describe_server(const struct control *control, const struct proxy *proxy, const struct haproxy_server *s)
{
	const struct node *node = node_id_valid(s->name) ? fleet_get(control->fleet, s->name) : NULL;

	return json_pack("{ss ss ss so ss sI sI ss sb so sI sI sI}", "socket", proxy->socket, "backend", s->backend, "server", s->name, "name",
			 text_or_null(node ? assignment_host_name(&node->assignment) : NULL), "address", s->address, "port", (json_int_t)s->port,
			 "weight", (json_int_t)s->weight, "state", balancer_state_name(s->state), "up", (int)s->up, "check", text_or_null(s->check),
			 "sessions", (json_int_t)s->sessions, "queue", (json_int_t)s->queue, "response_ms", (json_int_t)s->response_ms);
}

json_t *balancer_describe(const struct control *control)
{
	const struct balancer *balancer = control->balancer;
	json_t *haproxies = json_array(), *servers = json_array();

	for (size_t i = 0; i < balancer->count; i++) {
		const struct proxy *proxy = &balancer->proxies[i];

		json_array_append_new(haproxies, json_pack("{ss sb so so sI}", "socket", proxy->socket, "reachable", (int)proxy->reachable, "error",
							   text_or_null(proxy->error), "missing_backend", text_or_null(proxy->missing), "since",
							   (json_int_t)proxy->since));
		for (size_t j = 0; j < proxy->seen.count; j++)
			if (strcmp(proxy->seen.servers[j].backend, HAPROXY_OWN_BACKEND) && !strchr(proxy->seen.servers[j].backend, ':'))
				json_array_append_new(servers, describe_server(control, proxy, &proxy->seen.servers[j]));
	}
	return json_pack("{so so}", "haproxies", haproxies, "servers", servers);
}

int balancer_config(const struct control *control, const char *socket, bool privileged, char **ret_text, char ret_error[ERROR_TEXT])
{
	const struct balancer *balancer = control->balancer;
	struct haproxy_config config = { .groups = fleet_groups(control->fleet), .settings = &balancer->settings, .key = balancer->key,
					 .privileged = privileged };
	int r;

	for (size_t i = 0; !config.socket && i < balancer->count; i++)
		if (!socket || !strcmp(socket, balancer->proxies[i].socket))
			config.socket = balancer->proxies[i].socket;
	if (!config.socket) {
		snprintf(ret_error, ERROR_TEXT, "no HAProxy%s is configured; name its socket under balancer: sockets: in a fleet file, and `repave apply` it",
			 socket ? " with that socket" : "");
		return -ENOENT;
	}
	r = haproxy_config_print(&config, ret_text);
	return r;
}

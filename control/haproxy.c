// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/haproxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIELDS_MOST 128u
#define FORCED_MAINT 1u   /* bits of srv_admin_state */
#define FORCED_DRAIN 8u

/* ------------------------------------------------------------------ lines and fields */

/* A piece of what came from outside; not terminated. */
struct piece {
	const char *text;
	size_t size;
};

/* Cuts the next line off. False at the end. */
static bool next_line(struct piece *rest, struct piece *ret_line)
{
	const char *end = rest->size ? memchr(rest->text, '\n', rest->size) : NULL;

	if (!rest->size)
		return false;
	ret_line->text = rest->text;
	ret_line->size = end ? (size_t)(end - rest->text) : rest->size;
	rest->text += ret_line->size + (end != NULL);
	rest->size -= ret_line->size + (end != NULL);
	return true;
}

/* Cuts a line at each separator. More than FIELDS_MOST are left out: what is looked for comes early. */
static size_t split(struct piece line, char separator, struct piece fields[FIELDS_MOST])
{
	size_t count = 0;

	while (count < FIELDS_MOST) {
		const char *end = line.size ? memchr(line.text, separator, line.size) : NULL;

		fields[count++] = (struct piece){ line.text, end ? (size_t)(end - line.text) : line.size };
		if (!end)
			break;
		line.size -= (size_t)(end - line.text) + 1;
		line.text = end + 1;
	}
	return count;
}

static bool is(struct piece field, const char *word)
{
	return field.size == strlen(word) && !memcmp(field.text, word, field.size);
}

static bool begins(struct piece field, const char *word)
{
	return field.size >= strlen(word) && !memcmp(field.text, word, strlen(word));
}

/* Printable ASCII that fits, without what ends a command: it is shown, and names are said again. */
static int copy(struct piece field, char *ret_text, size_t most)
{
	if (field.size > most)
		return -EINVAL;
	for (size_t i = 0; i < field.size; i++)
		if (field.text[i] < 0x20 || field.text[i] > 0x7e || field.text[i] == ';')
			return -EINVAL;
	memcpy(ret_text, field.text, field.size);
	ret_text[field.size] = 0;
	return 0;
}

/* "" is 0: HAProxy leaves out what it hasn't measured. */
static int number(struct piece field, uint64_t *ret_value)
{
	char text[24];

	*ret_value = 0;
	if (!field.size)
		return 0;
	if (copy(field, text, sizeof text - 1) < 0)
		return -EINVAL;
	return parse_u64(text, ret_value);
}

/* Where the columns stand that are looked for: a header names them. */
static int find_columns(struct piece header, char separator, const char *const names[], size_t count, size_t ret_columns[])
{
	struct piece fields[FIELDS_MOST];
	size_t have = split(header, separator, fields);

	for (size_t i = 0; i < count; i++) {
		size_t at = 0;

		while (at < have && !is(fields[at], names[i]))
			at++;
		if (at == have)
			return -EINVAL;
		ret_columns[i] = at;
	}
	return 0;
}

static bool have_columns(size_t have, const size_t columns[], size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (columns[i] >= have)
			return false;
	return true;
}

/* ------------------------------------------------------------------ what is there */

static int by_name(const void *a, const void *b)
{
	const struct haproxy_server *s = a, *t = b;
	int order = strcmp(s->backend, t->backend);

	return order ? order : strcmp(s->name, t->name);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

static struct haproxy_server *find(const struct haproxy_server *servers, size_t count, const char *backend, const char *name)
{
	struct haproxy_server key = { 0 };

	snprintf(key.backend, sizeof key.backend, "%s", backend);
	snprintf(key.name, sizeof key.name, "%s", name);
	return count ? bsearch(&key, servers, count, sizeof *servers, by_name) : NULL;
}

enum state_column { STATE_BACKEND, STATE_NAME, STATE_ADDRESS, STATE_ADMIN, STATE_WEIGHT, STATE_PORT, STATE_COLUMNS };
static const char *const state_names[STATE_COLUMNS] = { "be_name", "srv_name", "srv_addr", "srv_admin_state", "srv_uweight", "srv_port" };

static int state_line(const struct piece fields[], const size_t at[], struct haproxy_server *server)
{
	uint64_t admin, port, weight;

	*server = (struct haproxy_server){ .up = true };
	if (copy(fields[at[STATE_BACKEND]], server->backend, HAPROXY_NAME_MOST) < 0 ||
	    copy(fields[at[STATE_NAME]], server->name, HAPROXY_NAME_MOST) < 0 ||
	    copy(fields[at[STATE_ADDRESS]], server->address, INET_TEXT_MOST) < 0 || number(fields[at[STATE_ADMIN]], &admin) < 0 ||
	    number(fields[at[STATE_WEIGHT]], &weight) < 0 || number(fields[at[STATE_PORT]], &port) < 0 || port > 65535 || weight > 256)
		return -EINVAL;
	server->port = (uint16_t)port;
	server->weight = (unsigned)weight;
	server->state = admin & FORCED_MAINT ? BALANCER_MAINT : admin & FORCED_DRAIN ? BALANCER_DRAIN : BALANCER_READY;
	return 0;
}

/* A line "1" (version of the format), a header that begins with "# ", then a line for each server. */
static int parse_states(struct piece rest, struct haproxy_seen *seen, char error[ERROR_TEXT])
{
	struct piece line, fields[FIELDS_MOST];
	size_t at[STATE_COLUMNS], room = 0;

	if (!next_line(&rest, &line) || !is(line, "1") || !next_line(&rest, &line) || !begins(line, "# ") ||
	    find_columns((struct piece){ line.text + 2, line.size - 2 }, ' ', state_names, STATE_COLUMNS, at) < 0)
		return refused(error, "it doesn't answer \"show servers state\" as HAProxy does");
	while (next_line(&rest, &line) && line.size) {
		if (seen->count == room) {
			struct haproxy_server *grown;

			room = room ? 2 * room : 32;
			grown = seen->count < HAPROXY_SERVERS_MOST ? reallocarray(seen->servers, room, sizeof *grown) : NULL;
			if (!grown)
				return -ENOMEM;
			seen->servers = grown;
		}
		if (!have_columns(split(line, ' ', fields), at, STATE_COLUMNS) || state_line(fields, at, &seen->servers[seen->count]) < 0)
			return refused(error, "server %zu in its \"show servers state\" can't be read", seen->count + 1);
		seen->count++;
	}
	if (seen->count)
		qsort(seen->servers, seen->count, sizeof *seen->servers, by_name);
	return 0;
}

enum stat_column { STAT_BACKEND, STAT_NAME, STAT_QUEUE, STAT_SESSIONS, STAT_STATUS, STAT_CHECK, STAT_RESPONSE, STAT_COLUMNS };
static const char *const stat_names[STAT_COLUMNS] = { "pxname", "svname", "qcur", "scur", "status", "check_status", "rtime" };

static int add_backend(struct haproxy_seen *seen, struct piece name)
{
	char (*grown)[HAPROXY_NAME_MOST + 1];

	if (seen->backend_count == HAPROXY_SERVERS_MOST)
		return -ENOMEM;
	grown = reallocarray(seen->backends, seen->backend_count + 1, sizeof *grown);
	if (!grown)
		return -ENOMEM;
	seen->backends = grown;
	if (copy(name, grown[seen->backend_count], HAPROXY_NAME_MOST) < 0)
		return -EINVAL;
	seen->backend_count++;
	return 0;
}

static int stat_line(const struct piece fields[], const size_t at[], struct haproxy_seen *seen)
{
	char backend[HAPROXY_NAME_MOST + 1], name[HAPROXY_NAME_MOST + 1];
	struct haproxy_server *server;

	if (is(fields[at[STAT_NAME]], "BACKEND"))
		return add_backend(seen, fields[at[STAT_BACKEND]]);
	if (is(fields[at[STAT_NAME]], "FRONTEND"))
		return 0;
	if (copy(fields[at[STAT_BACKEND]], backend, HAPROXY_NAME_MOST) < 0 || copy(fields[at[STAT_NAME]], name, HAPROXY_NAME_MOST) < 0)
		return -EINVAL;
	server = find(seen->servers, seen->count, backend, name);
	/* Added between the two questions, or a listener. */
	if (!server)
		return 0;
	server->up = !begins(fields[at[STAT_STATUS]], "DOWN");
	return number(fields[at[STAT_QUEUE]], &server->queue) < 0 || number(fields[at[STAT_SESSIONS]], &server->sessions) < 0 ||
	       number(fields[at[STAT_RESPONSE]], &server->response_ms) < 0 ||
	       copy(fields[at[STAT_CHECK]], server->check, sizeof server->check - 1) < 0 ? -EINVAL : 0;
}

/* A header that begins with "# ", then a line for each frontend, server and backend. */
static int parse_stat(struct piece rest, struct haproxy_seen *seen, char error[ERROR_TEXT])
{
	struct piece line, fields[FIELDS_MOST];
	size_t at[STAT_COLUMNS], count = 0;
	int r;

	if (!next_line(&rest, &line) || !begins(line, "# ") ||
	    find_columns((struct piece){ line.text + 2, line.size - 2 }, ',', stat_names, STAT_COLUMNS, at) < 0)
		return refused(error, "it doesn't answer \"show stat\" as HAProxy does");
	while (next_line(&rest, &line) && line.size) {
		count++;
		r = have_columns(split(line, ',', fields), at, STAT_COLUMNS) ? stat_line(fields, at, seen) : -EINVAL;
		if (r < 0)
			return r == -EINVAL ? refused(error, "line %zu of its \"show stat\" can't be read", count + 1) : r;
	}
	if (seen->backend_count)
		qsort(seen->backends, seen->backend_count, sizeof *seen->backends, by_text);
	return 0;
}

void haproxy_seen_release(struct haproxy_seen *seen)
{
	free(seen->servers);
	free(seen->backends);
	*seen = (struct haproxy_seen){ 0 };
}

int haproxy_parse(const char *states, size_t states_size, const char *stat, size_t stat_size, struct haproxy_seen *ret_seen,
		  char ret_error[ERROR_TEXT])
{
	const struct haproxy_server *own;
	int r;

	*ret_seen = (struct haproxy_seen){ 0 };
	ret_error[0] = 0;
	r = parse_states((struct piece){ states, states_size }, ret_seen, ret_error);
	if (!r)
		r = parse_stat((struct piece){ stat, stat_size }, ret_seen, ret_error);
	if (r < 0) {
		haproxy_seen_release(ret_seen);
		return r;
	}
	own = find(ret_seen->servers, ret_seen->count, HAPROXY_OWN_BACKEND, HAPROXY_OWN_SERVER);
	ret_seen->has_own = own != NULL;
	ret_seen->replayed = own && own->state == BALANCER_READY;
	return 0;
}

/* ------------------------------------------------------------------ what must be said */

static const char *state_word(enum balancer_want state)
{
	return state == BALANCER_READY ? "ready" : state == BALANCER_DRAIN ? "drain" : "maint";
}

static bool has_backend(const char (*backends)[HAPROXY_NAME_MOST + 1], size_t count, const char *name)
{
	char key[HAPROXY_NAME_MOST + 1];

	snprintf(key, sizeof key, "%s", name);
	return count && bsearch(key, backends, count, sizeof *backends, by_text);
}

/* HAProxy 2.6 crashes of a dynamic server with leastconn that was drained without ever having been ready, and then got a user by
 * his cookie: it goes by way of ready, in one line, so that no new user comes in between. */
static int say_state(struct buffer *lines, const struct haproxy_server *s, enum balancer_want from, enum balancer_want to)
{
	if (from == BALANCER_MAINT && to == BALANCER_DRAIN && buffer_printf(lines, "set server %s/%s state ready; ", s->backend, s->name) < 0)
		return -ENOMEM;
	/* "maint" alone leaves present connections open. */
	if (to == BALANCER_MAINT)
		return buffer_printf(lines, "set server %s/%s state maint; shutdown sessions server %s/%s\n", s->backend, s->name, s->backend,
				     s->name);
	return buffer_printf(lines, "set server %s/%s state %s\n", s->backend, s->name, state_word(to));
}

/* Commands in the order in which they are said: addresses, then cookies once for each backend, then who gets users. */
struct script {
	struct buffer addresses, cookies, users;
	const char *backend;    /* the last one in cookies */
	struct haproxy_orders *orders;
};

/* The cookies of a backend's servers are made of their addresses only when that is said once more: before users see the server. */
static int say_cookies(struct script *script, const char *backend)
{
	if (script->backend && !strcmp(script->backend, backend))
		return 0;
	script->backend = backend;
	return buffer_printf(&script->cookies, "enable dynamic-cookie backend %s\n", backend);
}

static int say_add(struct script *script, const struct haproxy_server *s)
{
	bool is_ipv6 = strchr(s->address, ':') != NULL;
	int r = buffer_printf(&script->addresses, "add server %s/%s %s%s%s:%u check inter 1s rise 1 fall 2 weight %u\n", s->backend, s->name,
			      is_ipv6 ? "[" : "", s->address, is_ipv6 ? "]" : "", s->port, s->weight);

	script->orders->added++;
	if (!r)
		r = say_cookies(script, s->backend);
	if (!r)
		r = buffer_printf(&script->users, "enable health %s/%s\n", s->backend, s->name);
	/* It begins in maintenance. */
	return r || s->state == BALANCER_MAINT ? r : say_state(&script->users, s, BALANCER_MAINT, s->state);
}

static bool idle(const struct haproxy_server *s)
{
	return s->sessions == 0 && s->queue == 0;
}

/* Not wanted any more: nobody new, and gone when the last user is. Of one that is down nobody has any use. */
static int say_remove(struct script *script, const struct haproxy_server *s)
{
	enum balancer_want state = s->up && !idle(s) ? BALANCER_DRAIN : BALANCER_MAINT;

	if (s->state < state) {
		script->orders->changed++;
		if (say_state(&script->users, s, s->state, state) < 0)
			return -ENOMEM;
	}
	if (!idle(s))
		return 0;
	script->orders->removed++;
	return buffer_printf(&script->users, "del server %s/%s\n", s->backend, s->name);
}

/* The machine is another one: the users of the former are lost already. */
static int say_move(struct script *script, const struct haproxy_server *is, const struct haproxy_server *want)
{
	int r = is->state == BALANCER_MAINT ? 0 : say_state(&script->addresses, is, is->state, BALANCER_MAINT);

	if (!r)
		r = buffer_printf(&script->addresses, "set server %s/%s addr %s port %u\n", is->backend, is->name, want->address, want->port);
	return r ? r : say_cookies(script, is->backend);
}

static int say_change(struct script *script, const struct haproxy_server *is, const struct haproxy_server *want)
{
	bool moved = strcmp(is->address, want->address) || is->port != want->port;
	enum balancer_want state = moved ? BALANCER_MAINT : is->state;
	int r = moved ? say_move(script, is, want) : 0;

	if (!r && is->weight != want->weight)
		r = buffer_printf(&script->users, "set server %s/%s weight %u\n", is->backend, is->name, want->weight);
	if (!r && state != want->state && want->state == BALANCER_MAINT && want->shared)
		r = buffer_printf(&script->users, "set server %s/%s state maint\n", is->backend, is->name);
	else if (!r && state != want->state)
		r = say_state(&script->users, is, state, want->state);
	script->orders->changed += moved || is->weight != want->weight || state != want->state;
	return r;
}

static int by_order(const struct haproxy_wanted *wanted, size_t w, const struct haproxy_seen *seen, size_t s)
{
	if (s == seen->count)
		return -1;
	return w == wanted->count ? 1 : by_name(&wanted->servers[w], &seen->servers[s]);
}

/* Goes through both in their common order. */
static int write_script(struct script *script, const struct haproxy_wanted *wanted, const struct haproxy_seen *seen)
{
	const char (*present)[HAPROXY_NAME_MOST + 1] = (const char (*)[HAPROXY_NAME_MOST + 1])seen->backends;
	int r = 0;

	for (size_t w = 0, s = 0; !r && (w < wanted->count || s < seen->count);) {
		int order = by_order(wanted, w, seen, s);

		if (order > 0) {
			const struct haproxy_server *extra = &seen->servers[s++];

			if (has_backend(wanted->backends, wanted->backend_count, extra->backend))
				r = say_remove(script, extra);
		} else if (order == 0) {
			r = say_change(script, &seen->servers[s++], &wanted->servers[w++]);
		} else {
			const struct haproxy_server *new = &wanted->servers[w++];

			if (has_backend(present, seen->backend_count, new->backend))
				r = say_add(script, new);
		}
	}
	for (size_t i = 0; i < wanted->backend_count && !script->orders->missing[0]; i++)
		if (!has_backend(present, seen->backend_count, wanted->backends[i]))
			strcpy(script->orders->missing, wanted->backends[i]);
	if (!r && seen->has_own && !seen->replayed)
		r = buffer_printf(&script->users, "set server " HAPROXY_OWN_BACKEND "/" HAPROXY_OWN_SERVER " state ready\n");
	return r;
}

int haproxy_reconcile(const struct haproxy_wanted *wanted, const struct haproxy_seen *seen, struct haproxy_orders *ret_orders)
{
	struct script script = { .orders = ret_orders };
	struct buffer *lines = &ret_orders->lines;
	int r;

	*ret_orders = (struct haproxy_orders){ 0 };
	r = write_script(&script, wanted, seen);
	if (!r && (buffer_add(lines, script.addresses.data, script.addresses.size) < 0 ||
		   buffer_add(lines, script.cookies.data, script.cookies.size) < 0 || buffer_add(lines, script.users.data, script.users.size) < 0))
		r = -ENOMEM;
	buffer_release(&script.addresses);
	buffer_release(&script.cookies);
	buffer_release(&script.users);
	if (r < 0)
		buffer_release(lines);
	return r;
}

/* ------------------------------------------------------------------ answers */

/* HAProxy says these when it did what it was told; to most commands it says nothing. */
static bool is_good_news(const char *command, struct piece line)
{
	if (!strncmp(command, "add server ", 11))
		return begins(line, "New server registered.");
	if (!strncmp(command, "del server ", 11))
		return begins(line, "Server deleted.");
	return strstr(command, " addr ") && (begins(line, "IP changed from") || begins(line, "no need to change the addr") ||
					    begins(line, "port changed from"));
}

bool haproxy_done(const char *command, const char *answer, size_t size, char ret_error[ERROR_TEXT])
{
	struct piece rest = { answer, size }, line;

	while (next_line(&rest, &line)) {
		if (!line.size || is_good_news(command, line))
			continue;
		if (line.size >= ERROR_TEXT - 1 || !text_printable(line.text, line.size))
			line = (struct piece){ "something unreadable", 20 };
		snprintf(ret_error, ERROR_TEXT, "%.*s", (int)line.size, line.text);
		return false;
	}
	return true;
}

int haproxy_address_parse(const char *text, char ret_address[INET_TEXT_MOST + 1], uint16_t *ret_port)
{
	const char *colon = strrchr(text, ':'), *end = strchr(text, ']');
	size_t size = strlen(text), from = text[0] == '[';
	struct in6_addr binary;
	int family;
	uint64_t port = 0;

	if (from) {
		if (!end || (end[1] && end[1] != ':'))
			return -EINVAL;
		size = (size_t)(end - text) - 1;
		colon = end[1] ? end + 1 : NULL;
	} else if (colon && strchr(text, ':') == colon) {
		size = (size_t)(colon - text);
	} else {
		colon = NULL; /* an IPv6 address without brackets has no port */
	}
	if (size > INET_TEXT_MOST || (colon && (parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)))
		return -EINVAL;
	memcpy(ret_address, text + from, size);
	ret_address[size] = 0;
	family = strchr(ret_address, ':') ? AF_INET6 : AF_INET;
	/* In the writing that HAProxy shows it in. */
	if (inet_pton(family, ret_address, &binary) != 1 || !inet_ntop(family, &binary, ret_address, INET_TEXT_MOST + 1))
		return -EINVAL;
	if (colon)
		*ret_port = (uint16_t)port;
	return 0;
}

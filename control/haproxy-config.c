// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/haproxy-config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "control/haproxy-notice.h"

#define RETRY_AFTER 10u
#define RETRY_AFTER_MOST 3600u
/* How long a connection is held that came before a new HAProxy was told its servers, which the balancer does within a second when
 * all is well: of TCP once, of HTTP piece by piece. */
#define HOLD_TCP_MS 3000u
#define HOLD_HTTP_MS 500u
#define HOLD_HTTP_MOST 10u /* pieces */
#define HOLD_HEADER "X-Repave-Held"

/* ------------------------------------------------------------------ settings */

int balancer_settings_init(struct balancer_settings *ret_settings)
{
	*ret_settings = (struct balancer_settings){ .sockets = json_array(), .bind = "*", .retry_after = RETRY_AFTER };
	return ret_settings->sockets ? 0 : -ENOMEM;
}

void balancer_settings_release(struct balancer_settings *settings)
{
	json_decref(settings->sockets);
	settings->sockets = NULL;
}

int balancer_socket_parse(const char *text, char ret_address[HAPROXY_SOCKET_PATH_MOST + 1], uint16_t *ret_port)
{
	static const char path_letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._~-";
	char address[INET_TEXT_MOST + 1];

	*ret_port = 0;
	if (!strncmp(text, "unix:", 5)) {
		if (text[5] != '/' || !text_of(text + 5, path_letters, HAPROXY_SOCKET_PATH_MOST))
			return -EINVAL;
		strcpy(ret_address, text + 5);
		return 0;
	}
	if (strncmp(text, "tcp:", 4) || haproxy_address_parse(text + 4, address, ret_port) < 0 || !*ret_port)
		return -EINVAL;
	strcpy(ret_address, address);
	return 0;
}

static int check_sockets(const json_t *sockets, char error[ERROR_TEXT])
{
	char address[HAPROXY_SOCKET_PATH_MOST + 1];
	const json_t *one;
	uint16_t port;
	size_t i;

	if (!json_is_array(sockets) || json_array_size(sockets) > HAPROXY_SOCKETS_MOST)
		return refused(error, "balancer.sockets must be a list of at most %u sockets", HAPROXY_SOCKETS_MOST);
	json_array_foreach(json_iterable(sockets), i, one) {
		const char *text = json_string_value(one);

		if (!text || strlen(text) != json_string_length(one) || balancer_socket_parse(text, address, &port) < 0)
			return refused(error, "balancer.sockets: entry %zu isn't unix:/PATH (at most %u bytes) or tcp:ADDRESS:PORT, the stats socket of an HAProxy",
				       i + 1, HAPROXY_SOCKET_PATH_MOST);
		for (size_t j = 0; j < i; j++)
			if (json_equal(json_array_get(sockets, j), one))
				return refused(error, "balancer.sockets: %s is there twice", text);
	}
	return 0;
}

/* An address without a port. */
static bool bind_valid(const char *text)
{
	char address[INET_TEXT_MOST + 1];
	uint16_t port = 0;

	return !strcmp(text, "*") || (text[0] != '[' && haproxy_address_parse(text, address, &port) == 0 && !port);
}

int balancer_settings_parse(const struct balancer_settings *before, const json_t *object, struct balancer_settings *ret_settings,
			    char ret_error[ERROR_TEXT])
{
	const json_t *sockets = json_object_get(object, "sockets"), *bind = json_object_get(object, "bind");
	struct balancer_settings s = *before;
	uint64_t seconds = s.retry_after;
	const char *key;
	json_t *value;
	int r;

	if (!json_is_object(object))
		return refused(ret_error, "balancer must be a mapping");
	json_object_foreach(json_iterable(object), key, value)
		if (strcmp(key, "sockets") && strcmp(key, "bind") && strcmp(key, "retry_after"))
			return refused(ret_error, "balancer has no member \"%.64s\"", text_printable(key, strlen(key)) ? key : "?");
	if (bind && (!json_is_string(bind) || strlen(json_string_value(bind)) >= sizeof s.bind || !bind_valid(json_string_value(bind))))
		return refused(ret_error, "balancer.bind must be the address where clients connect, without a port, or \"*\"");
	if (bind)
		strcpy(s.bind, json_string_value(bind));
	r = json_get_u64(object, "retry_after", &seconds);
	if (r == -EINVAL || seconds < 1 || seconds > RETRY_AFTER_MOST)
		return refused(ret_error, "balancer.retry_after must be a number of seconds from 1 to %u", RETRY_AFTER_MOST);
	s.retry_after = (unsigned)seconds;
	r = sockets ? check_sockets(sockets, ret_error) : 0;
	if (r < 0)
		return r;
	s.sockets = json_deep_copy(sockets ? sockets : before->sockets);
	if (!s.sockets)
		return -ENOMEM;
	*ret_settings = s;
	return 0;
}

json_t *balancer_settings_format(const struct balancer_settings *settings)
{
	return json_pack("{sO ss sI}", "sockets", settings->sockets, "bind", settings->bind, "retry_after", (json_int_t)settings->retry_after);
}

/* ------------------------------------------------------------------ haproxy.cfg */

static void print_global(const struct haproxy_config *config, FILE *text)
{
	char address[HAPROXY_SOCKET_PATH_MOST + 1] = "";
	uint16_t port = 0;

	fprintf(text, "# Written by `repave balancer config`. Servers aren't in it: the control unit adds them while HAProxy runs, and again\n"
		      "# after each start and reload. Write it anew, and reload, when groups or their services change.\nglobal\n");
	balancer_socket_parse(config->socket, address, &port);
	if (port)
		fprintf(text, "    stats socket %s@%s:%u level admin expose-fd listeners\n", strchr(address, ':') ? "ipv6" : "ipv4", address,
			      port);
	else
		fprintf(text, "    stats socket %s mode 660%s level admin expose-fd listeners\n", address,
			      config->privileged ? " group haproxy" : "");
	if (config->privileged)
		fprintf(text, "    user haproxy\n    group haproxy\n    chroot /var/lib/haproxy\n");
	fprintf(text, "    stats timeout 1m\n    hard-stop-after 30m\n    log stderr format short daemon notice\n\n"
		      "defaults\n    mode http\n    log global\n    timeout connect 5s\n    timeout client 1m\n    timeout server 1m\n"
		      "    timeout http-request 10s\n    timeout queue 10s\n    timeout tunnel 1h\n    timeout check 5s\n    option redispatch 1\n"
		      "    retries 3\n"
		      "    http-error status 503 content-type text/plain hdr Retry-After %u hdr Cache-Control no-store"
		      " string \"No server is free; try again in a moment.\\n\"\n"
		      "    http-error status 404 content-type text/plain string \"There is no such service here.\\n\"\n\n",
		      config->settings->retry_after);
	fprintf(text, "# Up when the control unit has told this HAProxy its servers.\nbackend " HAPROXY_OWN_BACKEND
		      "\n    server " HAPROXY_OWN_SERVER " 127.0.0.1:1 disabled\n\n");
}

static void print_bind(const struct haproxy_config *config, unsigned port, FILE *text)
{
	const char *bind = config->settings->bind;

	if (!strcmp(bind, "*"))
		fprintf(text, "    bind [::]:%u v4v6\n", port);
	else
		fprintf(text, "    bind %s%s:%u\n", strchr(bind, ':') ? "ipv6@" : "", bind, port);
}

static const char replayed[] = "{ srv_is_up(" HAPROXY_OWN_BACKEND "/" HAPROXY_OWN_SERVER ") }";

static void print_wait(unsigned ms, FILE *text)
{
	fprintf(text, "    tcp-request inspect-delay %ums\n    tcp-request content accept if %s\n    tcp-request content accept if WAIT_END\n",
		      ms, replayed);
}

/* Of HTTP only a proxy that takes it for bytes can wait; from there it comes back, and is looked at as if it were new. */
static void print_hold(const struct haproxy_config *config, unsigned port, FILE *text)
{
	const char *bind = config->settings->bind;

	fprintf(text, "\nbackend hold:%u\n    http-request set-header " HOLD_HEADER " %%[req.hdr(" HOLD_HEADER "),add(1)]\n    server hold abns@repave-hold-%s-%u send-proxy-v2\n\n"
		      "frontend held:%u\n    mode tcp\n    bind abns@repave-hold-%s-%u accept-proxy\n", port, bind, port, port, bind, port);
	print_wait(HOLD_HTTP_MS, text);
	fprintf(text, "    default_backend again:%u\n\nbackend again:%u\n    mode tcp\n    server again abns@repave-again-%s-%u send-proxy-v2\n\n",
		      port, port, bind, port);
}

/* The more a service asks of its clients, the earlier it is tried. */
static int by_demand(const void *a, const void *b)
{
	const struct group *const *first = a, *const *second = b;
	const struct service *s = &(*first)->service, *t = &(*second)->service;
	size_t length[2] = { s->path ? strlen(s->path) : 0, t->path ? strlen(t->path) : 0 };

	if (s->port != t->port)
		return s->port < t->port ? -1 : 1;
	if (!s->hosts != !t->hosts)
		return s->hosts ? -1 : 1;
	if (length[0] != length[1])
		return length[0] > length[1] ? -1 : 1;
	if (!s->header != !t->header)
		return s->header ? -1 : 1;
	return strcmp((*first)->name, (*second)->name);
}

static void print_hosts(const struct group *group, FILE *text)
{
	const json_t *host;
	size_t i;

	json_array_foreach(json_iterable(group->service.hosts), i, host) {
		const char *name = json_string_value(host);
		bool any = name[0] == '*';

		fprintf(text, "    acl host-%s req.hdr(host),host_only,lower -m %s %s\n", group->name, any ? "end" : "str",
			      any ? name + 1 : name);
	}
}

static void print_tests(const struct group *group, FILE *text)
{
	const struct service *s = &group->service;
	char os[IMAGE_NAME_MOST + 1];

	group_os_name(group, os);
	fprintf(text, "    acl os-%s req.hdr(X-Repave-OS) -m str -i %s\n", group->name, os);
	print_hosts(group, text);
	if (s->path && s->path[strlen(s->path) - 1] == '/')
		fprintf(text, "    acl path-%s path -m beg %s\n", group->name, s->path);
	else if (s->path)
		fprintf(text, "    acl path-%s path -m str %s\n    acl path-%s path -m beg %s/\n", group->name, s->path, group->name, s->path);
	if (s->header)
		fprintf(text, "    acl header-%s req.hdr(%s) -m str %s\n", group->name, s->header, s->value);
}

static void print_choice(const struct group *group, bool os, FILE *text)
{
	const struct service *s = &group->service;

	fprintf(text, "    use_backend %s if", group->name);
	if (s->hosts)
		fprintf(text, " host-%s", group->name);
	if (s->path)
		fprintf(text, " path-%s", group->name);
	if (s->header)
		fprintf(text, " header-%s", group->name);
	if (os)
		fprintf(text, " os-%s\n", group->name);
	else
		fprintf(text, " !{ req.hdr(X-Repave-OS) -m found }\n");
}

/* One port of HTTP and the services on it. */
static void print_http(const struct haproxy_config *config, const struct group *const groups[], size_t count, FILE *text)
{
	unsigned port = groups[0]->service.port;

	fprintf(text, "frontend port:%u\n", port);
	print_bind(config, port, text);
	fprintf(text, "    bind abns@repave-again-%s-%u accept-proxy name again\n    option forwardfor\n"
		"    http-request del-header " HOLD_HEADER " unless { so_name again }\n"
		"    use_backend hold:%u if !%s !{ req.hdr(" HOLD_HEADER ") -m int ge %u }\n", config->settings->bind, port, port, replayed,
		HOLD_HTTP_MOST);
	for (size_t i = 0; i < count; i++)
		print_tests(groups[i], text);
	for (size_t i = 0; i < count; i++)
		print_choice(groups[i], true, text);
	/* Who doesn't say for which OS it wants the service gets any. */
	for (size_t i = 0; i < count; i++)
		print_choice(groups[i], false, text);
	fprintf(text, "    default_backend repave:none\n");
	print_hold(config, port, text);
}

static void print_tcp(const struct haproxy_config *config, const struct group *group, FILE *text)
{
	unsigned port = group->service.port;

	fprintf(text, "frontend port:%u\n    mode tcp\n    timeout client 1h\n", port);
	print_bind(config, port, text);
	print_wait(HOLD_TCP_MS, text);
	fprintf(text, "    default_backend %s\n\n", group->name);
}

/* Only the control unit's word: what an application calls so is left out. */
static void print_notice(FILE *text)
{
	fprintf(text, "    http-response del-header " HAPROXY_NOTICE_HEADER "\n    http-response set-var(txn.repave_now) date\n"
		"    http-response set-var(txn.repave_left) srv_name,map_str_int(" HAPROXY_NOTICE_MAP "),sub(txn.repave_now)\n"
		"    http-response set-header " HAPROXY_NOTICE_HEADER " \"restart; in=%%[var(txn.repave_left)]\" if { var(txn.repave_left) -m int ge 0 }\n"
		"    http-response set-header " HAPROXY_NOTICE_HEADER " \"restart; in=0\" if { var(txn.repave_left) -m int lt 0 }\n");
}

/* Sticky: a present session stays with its server while that is drained. */
static void print_backend(const struct haproxy_config *config, const struct group *group, FILE *text)
{
	const struct service *s = &group->service;
	const char *host = json_string_value(json_array_get(s->hosts, 0));

	fprintf(text, "backend %s\n    balance leastconn\n", group->name);
	if (s->mode == SERVICE_TCP)
		fprintf(text, "    mode tcp\n    timeout server 1h\n    stick-table type ipv6 size 200k expire 30m\n    stick on src\n");
	else
		fprintf(text, "    cookie REPAVE-%s insert indirect nocache httponly dynamic\n    dynamic-cookie-key %s\n"
			"    http-request del-header " HOLD_HEADER "\n"
			/* Who comes back by his cookie at the moment in which his server goes: what may be asked again is, of another one. */
			"    retry-on conn-failure empty-response\n    http-request disable-l7-retry unless { method GET HEAD OPTIONS }\n", group->name,
			      config->key);
	if (s->mode == SERVICE_HTTP)
		print_notice(text);
	if (s->check)
		fprintf(text, "    option httpchk\n    http-check send meth GET uri %s ver HTTP/1.1 hdr Host %s hdr Connection close\n"
			      "    http-check expect status 200-399\n", s->check, host && host[0] != '*' ? host : "repave");
	fprintf(text, "\n");
}

int haproxy_config_print(const struct haproxy_config *config, char **ret_text)
{
	const struct group **groups = calloc(config->groups->count + 1, sizeof *groups);
	size_t count = 0, size = 0;
	char *whole = NULL;
	FILE *text = open_memstream(&whole, &size);
	bool failed;

	if (!groups || !text) {
		free(groups);
		if (text)
			fclose(text);
		free(whole);
		return -ENOMEM;
	}
	for (size_t i = 0; i < config->groups->count; i++)
		if (config->groups->items[i].service.offered)
			groups[count++] = &config->groups->items[i];
	qsort(groups, count, sizeof *groups, by_demand);
	print_global(config, text);
	fprintf(text, "backend repave:none\n    http-request return default-errorfiles status 404\n\n");
	for (size_t i = 0, next; i < count; i = next) {
		for (next = i + 1; next < count && groups[next]->service.port == groups[i]->service.port; next++)
			;
		if (groups[i]->service.mode == SERVICE_TCP)
			print_tcp(config, groups[i], text);
		else
			print_http(config, groups + i, next - i, text);
	}
	for (size_t i = 0; i < count; i++)
		print_backend(config, groups[i], text);
	free(groups);
	failed = ferror(text) != 0;
	if (fclose(text) || failed) {
		free(whole);
		return -ENOMEM;
	}
	*ret_text = whole;
	return 0;
}

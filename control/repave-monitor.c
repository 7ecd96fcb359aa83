// SPDX-License-Identifier: GPL-2.0-or-later
/* repave-monitor: stands between agents and the control unit, on this or another machine (docs/protocol.md, "Monitors"). It decides
 * nothing and keeps nothing: what an agent says goes on at once, and the answer, with its orders, back. */
#include <errno.h>
#include <getopt.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/confine.h"
#include "common/file.h"
#include "common/json.h"
#include "common/log.h"
#include "control/http-server.h"
#include "control/listener.h"
#include "control/node-request.h"
#include "control/notify.h"
#include "control/route.h"
#include "control/upstream.h"

#define PORT 8453u
#define CREDENTIAL_MOST 65536u
#define CONNECTIONS_MOST 4000u
#define CONNECTION_BYTES 6144u
#define FILES_MOST 16384u
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----"

static const char usage[] =
	"Usage: repave-monitor --credential FILE --control HOST[:PORT] [option]...\n"
	"Stands between the agents of servers and the control unit: runs in the foreground until SIGTERM or Ctrl-C.\n\n"
	"  --credential FILE       made by `repave monitor create` for this monitor, mode 0600\n"
	"  --control HOST[:PORT]   the control unit (port 8443); up to 8, the next one is asked when one doesn't answer\n"
	"  --address A             numeric address to listen on (default: all)\n"
	"  --port N                port to listen on (default 8453)\n"
	"  --help                  show this\n";

struct options {
	const char *credential, *address;
	char controls[UPSTREAM_CONTROLS_MOST][280];
	unsigned control_count, port;
};

struct relay_daemon {
	struct buffer credential;   /* key, certificate, and the fleet's authority last: PEM */
	const char *ca;             /* within it */
	char name[MONITOR_NAME_MOST + 1];
	char path[40], ca_path[40]; /* the same in RAM, for the TLS of the other side */
	int fd, ca_fd;
	struct upstream_options upstream_options;
	struct upstream *upstream;
	struct http_server *server;
	int listener;
};

/* ------------------------------------------------------------------ command line */

/* "HOST", "HOST:PORT", "[IPv6]", "[IPv6]:PORT": with a port afterwards. 0 or -EINVAL. */
static int take_control(struct options *o, const char *text)
{
	const char *end = text[0] == '[' ? strchr(text, ']') : NULL, *colon = strrchr(end ? end : text, ':');
	uint64_t port = 8443;

	if (o->control_count == UPSTREAM_CONTROLS_MOST)
		return log_error(0, "--control may be given %u times", UPSTREAM_CONTROLS_MOST), -EINVAL;
	if (strlen(text) > 260 || !text[0] || text[0] == ':' || (text[0] == '[' && !end) || (colon && (parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)) ||
	    !text_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:%_-[]", 260) || (!end && colon && strchr(text, ':') != colon))
		return log_error(0, "--control wants HOST[:PORT], or [IPv6][:PORT]"), -EINVAL;
	snprintf(o->controls[o->control_count++], sizeof o->controls[0], "%.*s:%u", (int)(colon ? colon - text : (long)strlen(text)), text,
		 (unsigned)port);
	return 0;
}

static int take(struct options *o, int letter, const char *written)
{
	uint64_t port = 0;

	switch (letter) {
	case 'c': o->credential = optarg; return 0;
	case 'C': return take_control(o, optarg);
	case 'a': o->address = optarg; return 0;
	case 'p':
		if (parse_u64(optarg, &port) < 0 || port < 1 || port > 65535)
			return log_error(0, "\"%s\" is no port; give a number from 1 to 65535", optarg), -EINVAL;
		o->port = (unsigned)port;
		return 0;
	case 'h': fputs(usage, stdout); return 1;
	}
	log_error(0, "\"%s\": no such option, or its value is missing; `repave-monitor --help` shows the options", written);
	return -EINVAL;
}

/* 0 to go on; the exit status + 1. */
static int parse(int argc, char *argv[], struct options *o)
{
	static const struct option table[] = { { "credential", required_argument, NULL, 'c' }, { "control", required_argument, NULL, 'C' },
					       { "address", required_argument, NULL, 'a' },    { "port", required_argument, NULL, 'p' },
					       { "help", no_argument, NULL, 'h' },             { NULL, 0, NULL, 0 } };
	int letter, r = 0;

	opterr = 0;
	*o = (struct options){ .port = PORT };
	while (!r && (letter = getopt_long(argc, argv, "h", table, NULL)) != -1)
		r = take(o, letter, argv[optind - 1]);
	if (!r && (optind != argc || !o->credential || !o->control_count)) {
		log_error(0, "%s%s; `repave-monitor --help` shows the options", optind != argc ? "unknown argument " :
			  "--credential and --control are needed", optind != argc ? argv[optind] : "");
		r = -EINVAL;
	}
	return r < 0 ? 3 : r;
}

/* ------------------------------------------------------------------ who this is */

/* The CN of the first certificate. 0 or -EINVAL. */
static int read_name(const struct buffer *pem, char ret_name[MONITOR_NAME_MOST + 1])
{
	gnutls_datum_t text = { pem->data, (unsigned)pem->size };
	gnutls_x509_crt_t *list = NULL;
	size_t size = MONITOR_NAME_MOST + 1;
	unsigned count = 0;
	int r = -EINVAL;

	if (gnutls_x509_crt_list_import2(&list, &count, &text, GNUTLS_X509_FMT_PEM, 0) < 0)
		return -EINVAL;
	if (count == 2 && gnutls_x509_crt_get_dn_by_oid(list[0], GNUTLS_OID_X520_COMMON_NAME, 0, 0, ret_name, &size) >= 0 &&
	    monitor_name_valid(ret_name))
		r = 0;
	for (unsigned i = 0; i < count; i++)
		gnutls_x509_crt_deinit(list[i]);
	gnutls_free(list);
	return r;
}

/* A file in RAM, for a library that wants a path. Its descriptor, or -errno. */
static int in_memory(const void *data, size_t size, char ret_path[40])
{
	int fd = memfd_create("credential", MFD_CLOEXEC), r = 0;

	if (fd >= 0)
		r = write_full_at(fd, data, size, 0);
	if (fd < 0 || r < 0)
		return fd < 0 ? -errno : (close(fd), r);
	snprintf(ret_path, 40, "/proc/self/fd/%d", fd);
	return fd;
}

static int load_credential(struct relay_daemon *d, const char *path)
{
	struct stat info;
	const char *at;
	int r = stat(path, &info) < 0 ? -errno : file_load(path, CREDENTIAL_MOST, &d->credential);

	if (r < 0)
		return log_error(r, "can't read the credential %s; `repave monitor create` makes one", path);
	/* A service manager hands it over readable for the group of the service. */
	if (info.st_mode & 037)
		return log_error(0, "others may read %s, which holds a secret key: chmod 600 %s, or make a new one", path, path), -EACCES;
	for (at = d->credential.data ? strstr((const char *)d->credential.data, PEM_BEGIN) : NULL; at; at = strstr(at + 1, PEM_BEGIN))
		d->ca = at;
	if (!d->ca || read_name(&d->credential, d->name) < 0)
		return log_error(0, "%s isn't a monitor's credential; `repave monitor create` makes one", path), -EINVAL;
	d->fd = in_memory(d->credential.data, d->credential.size, d->path);
	d->ca_fd = in_memory(d->ca, strlen(d->ca), d->ca_path);
	return d->fd < 0 || d->ca_fd < 0 ? log_error(-ENOMEM, "can't keep the credential in memory") : 0;
}

/* ------------------------------------------------------------------ what agents ask */

enum operation { STATUS, CERTIFICATE, LOG, EVIDENCE, ATTEST, QUOTE };

static const struct route routes[] = {
	{ "POST", "/v1/agents/{}/status", STATUS },
	{ "POST", "/v1/agents/{}/certificate", CERTIFICATE },
	{ "POST", "/v1/agents/{}/log", LOG },
	{ "POST", "/v1/agents/{}/evidence", EVIDENCE },
	{ "POST", "/v1/agents/{}/attest", ATTEST },
	{ "POST", "/v1/agents/{}/quote", QUOTE },
};

static int find(const struct http_call *call, char ret_id[ROUTE_ARGUMENT_MOST + 1])
{
	return route_find(routes, sizeof routes / sizeof routes[0], call->method, call->path, ret_id);
}

/* Whether its key still is the node's, only the control unit knows. */
static void admit(void *context, const struct http_call *call, struct http_answer *answer)
{
	char id[ROUTE_ARGUMENT_MOST + 1];
	int operation = find(call, id);

	(void)context;
	if (operation == -EOPNOTSUPP)
		http_answer_error(answer, 405, "this address takes POST");
	else if (operation < 0)
		http_answer_error(answer, 404, "no such address at a monitor");
	else if (!node_id_valid(id))
		http_answer_error(answer, 400, "a node's id is its DMI UUID in lower case");
	else if (call->who->refused)
		http_answer_error(answer, 401, call->who->refused);
	else if (strcmp(call->who->unit, "agent"))
		http_answer_error(answer, 403, "a monitor is for agents, with their own certificates");
	else if (strcmp(call->who->name, id))
		http_answer_error(answer, 403, "the certificate is another node's");
	if (answer->status >= 400)
		log_warning("%s was refused at %s: %s", call->peer, call->path, json_get_string(answer->json, "error"));
}

static void forward(struct relay_daemon *d, const char *id, int operation, const struct http_call *call, struct http_answer *answer)
{
	static const char *const ends[] = { [STATUS] = "status", [CERTIFICATE] = "certificate", [LOG] = "log", [EVIDENCE] = "evidence", [ATTEST] = "attest",
					    [QUOTE] = "quote" };
	struct exchange *exchange = calloc(1, sizeof *exchange);
	int r = exchange ? buffer_add(&exchange->body, call->body, call->body_size) : -ENOMEM;

	if (!r) {
		snprintf(exchange->path, sizeof exchange->path, "/v1/relayed/%s/%s", id, ends[operation]);
		snprintf(exchange->key, sizeof exchange->key, "%s", call->who->key);
		snprintf(exchange->address, sizeof exchange->address, "%s", call->peer);
		r = upstream_forward(d->upstream, call, exchange);
	}
	if (!r)
		return;
	exchange_free(exchange);
	http_answer_error(answer, 503, r == -EBUSY ? "as many servers as it takes go by this monitor" : "the monitor stops");
}

static void come_back(struct exchange *exchange, struct http_answer *answer)
{
	char why[160];

	if (!exchange->status) {
		http_answer_error(answer, 502, exchange->error);
	} else {
		answer->json = exchange->answer.size ? json_parse(exchange->answer.data, exchange->answer.size, why) : NULL;
		answer->status = answer->json || !exchange->answer.size ? exchange->status : 502;
	}
	exchange_free(exchange);
}

static void answer_agent(void *context, const struct http_call *call, struct http_answer *answer)
{
	char id[ROUTE_ARGUMENT_MOST + 1];
	int operation = find(call, id);

	if (call->held)
		come_back(call->held, answer);
	else if (operation >= 0)
		forward(context, id, operation, call, answer);
	else
		http_answer_error(answer, 404, "no such address at a monitor");
}

/* It was resumed, and its agent had gone. */
static void dropped(void *context, void *held)
{
	(void)context;
	exchange_free(held);
}

/* ------------------------------------------------------------------ life */

static int start(struct relay_daemon *d, const struct options *options)
{
	const char *pem = (const char *)d->credential.data;
	struct http_server_options serving = { .listen_fd = d->listener, .threads = 2, .connections_most = CONNECTIONS_MOST,
					       .connections_of_address_most = CONNECTIONS_MOST, .memory_of_connection = CONNECTION_BYTES,
					       .certificate = pem, .key = pem, .client_ca = d->ca };
	struct http_service service = { .admit = admit, .answer = answer_agent, .dropped = dropped, .context = d, .body_most = NODE_BODY_MOST };
	int r;

	d->upstream_options = (struct upstream_options){ .name = d->name, .control_count = options->control_count, .credential = d->path,
							 .ca = d->ca_path };
	for (unsigned i = 0; i < options->control_count; i++)
		d->upstream_options.controls[i] = options->controls[i];
	r = upstream_start(&d->upstream_options, &d->upstream);
	if (!r)
		r = http_server_start(&serving, &service, &d->server);
	if (r == -EINVAL)
		log_error(0, "the credential can't be used for TLS; `repave monitor create` makes another one");
	if (!r)
		d->listener = -1;
	return r;
}

static void stop(struct relay_daemon *d)
{
	upstream_end(d->upstream);
	http_server_stop(d->server);
	upstream_free(d->upstream);
	for (int i = 0; i < 3; i++) {
		int fd = i == 0 ? d->listener : i == 1 ? d->fd : d->ca_fd;

		if (fd >= 0)
			close(fd);
	}
	if (d->credential.data)
		explicit_bzero(d->credential.data, d->credential.size);
	buffer_release(&d->credential);
}

static void allow_many_files(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max < FILES_MOST ? files.rlim_max : FILES_MOST;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

int main(int argc, char *argv[])
{
	struct relay_daemon daemon = { .fd = -1, .ca_fd = -1, .listener = -1 };
	struct options options;
	sigset_t signals;
	int r, number;

	log_program("repave-monitor");
	r = parse(argc, argv, &options);
	if (r)
		return r - 1;
	umask(0077);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	allow_many_files();
	r = confine(CONFINE_KEEP(CAP_DAC_OVERRIDE) | CONFINE_KEEP(CAP_DAC_READ_SEARCH) | CONFINE_KEEP(CAP_NET_BIND_SERVICE));
	if (r < 0)
		log_error(r, "can't give up rights that it doesn't need");
	else
		r = load_credential(&daemon, options.credential);
	if (!r) {
		daemon.listener = listen_tcp(options.address, options.port, "--port");
		r = daemon.listener < 0 ? daemon.listener : start(&daemon, &options);
	}
	if (!r) {
		log_info("monitor %s: ready on %s, port %u", daemon.name, options.address ? options.address : "all addresses", options.port);
		notify_manager("READY=1");
		while ((number = sigwaitinfo(&signals, NULL)) < 0)
			;
		notify_manager("STOPPING=1");
		log_info("%s: stopping", number == SIGINT ? "interrupted" : "terminated");
	}
	stop(&daemon);
	return r ? 1 : 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* The control unit: serves the repository, tells nodes what to boot, records what came of it. */
#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/confine.h"
#include "common/log.h"
#include "control/access.h"
#include "control/agent-api.h"
#include "control/attestation.h"
#include "control/alarm.h"
#include "control/balancer.h"
#include "control/campaigns.h"
#include "control/chores.h"
#include "control/control.h"
#include "control/decider.h"
#include "control/dispatch.h"
#include "control/evidence.h"
#include "control/holds.h"
#include "control/http-server.h"
#include "control/listener.h"
#include "control/message-desk.h"
#include "control/messenger.h"
#include "control/metrics.h"
#include "control/keeper.h"
#include "control/monitor.h"
#include "control/node-api.h"
#include "control/notify.h"
#include "control/operator-api.h"
#include "control/options.h"
#include "control/orders.h"
#include "control/people.h"
#include "control/power.h"
#include "control/prober.h"
#include "control/registry.h"
#include "control/gate.h"
#include "control/relays.h"
#include "control/repository.h"
#include "control/state.h"
#include "control/tpm-trust.h"
#include "control/trust.h"
#include "signing/key-file.h"

#define NODE_CONNECTIONS_MOST 30000u
/* Nodes behind one address translator share it, so this bounds a fault, not a user. */
#define NODE_CONNECTIONS_OF_ADDRESS_MOST 2000u
#define NODE_CONNECTION_BYTES 6144u
#define FILES_MOST 65536u

/* Bound sockets that no server has taken over; else -1. */
struct sockets {
	int nodes, files, operator, remote, metrics; /* remote: the operator's port */
};

/* What runs; NULL or -1 before. */
struct daemon {
	struct control control;
	struct chores *chores;
	struct prober *prober;
	int lock;
	struct sockets sockets;
	char *socket_path;
	struct repository_files repository;
	struct gate *gate;
	struct http_server *nodes, *files, *operator, *remote, *metrics;
	char *store_path;
};

/* The state's root of trust: what --root names, what it has already, or the repository's first root. */
static int choose_root(const struct options *options)
{
	char *present = NULL, *first = NULL;
	int r = 0;

	if (options->root)
		return trust_root(options->state, options->root);
	if (asprintf(&present, "%s/root.json", options->state) < 0)
		return -ENOMEM;
	if (access(present, F_OK) < 0) {
		if (asprintf(&first, "%s/metadata/1.root.json", options->repository) < 0)
			r = -ENOMEM;
		else
			r = trust_root(options->state, first);
	}
	free(present);
	free(first);
	return r;
}

static int check_repository(const char *path)
{
	struct stat info;

	if (stat(path, &info) < 0)
		return log_error(-errno, "can't use the repository %s; make one with repave-sign", path);
	if (!S_ISDIR(info.st_mode))
		return log_error(-ENOTDIR, "can't use the repository %s", path);
	return 0;
}

/* What the fleet's authority signs with. */
static int load_signer(struct daemon *daemon, const struct options *options)
{
	struct pki_identity authority = { 0 };
	int r = state_load(options->state, "ca.pem", &authority.certificate);

	if (!r)
		r = state_load(options->state, "ca.key", &authority.key);
	if (!r)
		r = pki_signer_new(&authority, &daemon->control.signer);
	if (!r)
		r = pki_expiry(&authority.certificate, &daemon->control.authority_expires);
	pki_identity_release(&authority);
	return r;
}

static int load_store(struct daemon *daemon, const struct options *options)
{
	int r = asprintf(&daemon->store_path, "%s/repave.db", options->state);

	if (r < 0) {
		daemon->store_path = NULL;
		return -ENOMEM;
	}
	daemon->control.store_path = daemon->store_path;
	r = store_open(daemon->store_path, true, &daemon->control.store);
	if (!r)
		r = fleet_load(daemon->control.store, &daemon->control.fleet);
	if (!r)
		r = messages_load(&daemon->control, options->notify, &daemon->control.messages);
	if (!r)
		r = registry_load_settings(&daemon->control);
	if (!r)
		r = control_load_decisions(&daemon->control);
	if (!r)
		r = alarm_load(&daemon->control);
	if (!r)
		r = tpm_trust_load(&daemon->control);
	if (!r)
		r = attestation_load(&daemon->control);
	if (!r)
		r = evidence_new(&daemon->control);
	if (!r)
		r = orders_load(&daemon->control);
	if (!r)
		r = relays_load(&daemon->control);
	if (!r)
		r = balancer_new(&daemon->control, &daemon->control.balancer);
	if (!r)
		r = dispatch_new(&daemon->control, &daemon->control.dispatch);
	if (!r)
		r = people_new(&daemon->control, &daemon->control.people);
	if (!r)
		r = campaigns_load(&daemon->control, &daemon->control.campaigns);
	if (!r)
		r = decider_new(&daemon->control, &daemon->control.decider);
	return r;
}

static int load(struct daemon *daemon, const struct options *options)
{
	char *path;
	int r = state_load_token(options->state, daemon->control.join_token);

	if (!r)
		r = load_signer(daemon, options);
	if (r < 0)
		return r;
	daemon->control.throttle = throttle_new();
	if (!daemon->control.throttle || asprintf(&path, "%s/tuf", options->state) < 0)
		return -ENOMEM;
	r = load_store(daemon, options);
	if (!r && mkdir(path, 0700) < 0 && errno != EEXIST)
		r = log_error(-errno, "can't make %s", path);
	free(path);
	return r;
}

/* timestamp.json leads to all else: when it changed, nobody gets the new one before it was checked. */
static bool refuse_file(void *context, const char *path, char ret_why[ERROR_TEXT])
{
	struct catalogue *catalogue = context;

	if (!strcmp(path, "metadata/timestamp.json"))
		catalogue_follow(catalogue, time(NULL), true);
	return catalogue_refused(catalogue, ret_why);
}

static bool forbid_file(void *context, const char *path, const char *peer, char ret_why[ERROR_TEXT])
{
	return gate_refuses(context, path, peer, ret_why);
}

/* Reads the repository, after what its online keys can mend was mended. */
static int watch_repository(struct daemon *daemon, const struct options *options)
{
	struct control *control = &daemon->control;
	struct keeper_options keeping = { .repository = options->repository, .keys = options->online_keys,
					  .policy = options->renewal, .lock = &control->lock };
	int r = catalogue_new(options->state, options->repository, &control->lock, &control->catalogue);

	if (r < 0)
		return r;
	keeping.catalogue = control->catalogue;
	r = keeper_new(&keeping, &control->keeper);
	if (r < 0)
		return r;
	keeper_round(control->keeper);
	r = gate_new(control, &daemon->gate);
	daemon->repository = (struct repository_files){ options->repository, refuse_file, control->catalogue, forbid_file, daemon->gate };
	return r;
}

/* Binds before anything is changed: a port in use is the commonest failure, and must cost nothing. */
static int open_sockets(struct daemon *daemon, const struct options *options)
{
	struct sockets *s = &daemon->sockets;

	s->nodes = listen_tcp(options->address, options->port, "--port");
	if (s->nodes < 0)
		return s->nodes;
	s->files = listen_tcp(options->address, options->repository_port, "--repository-port");
	if (s->files < 0)
		return s->files;
	if (options->operator_port) {
		s->remote = listen_tcp(options->address, options->operator_port, "--operator-port");
		if (s->remote < 0)
			return s->remote;
	}
	if (options->metrics_port) {
		s->metrics = listen_tcp(options->metrics_address, options->metrics_port, "--metrics");
		if (s->metrics < 0)
			return s->metrics;
	}
	if (asprintf(&daemon->socket_path, "%s/control.sock", options->state) < 0)
		return -ENOMEM;
	s->operator = listen_unix(daemon->socket_path);
	return s->operator < 0 ? s->operator : 0;
}

/* The control unit's identity, and whose clients' certificates it believes. */
struct tls {
	struct buffer certificate, key, client_ca;
};

static int load_tls(const struct options *options, struct tls *tls)
{
	int r = state_load(options->state, "server.pem", &tls->certificate);

	if (!r)
		r = state_load(options->state, "server.key", &tls->key);
	return r ? r : state_load(options->state, "ca.pem", &tls->client_ca);
}

static void release_tls(struct tls *tls)
{
	if (tls->key.data)
		explicit_bzero(tls->key.data, tls->key.size);
	buffer_release(&tls->key);
	buffer_release(&tls->certificate);
	buffer_release(&tls->client_ca);
}

/* Starts a server, which takes the socket over. `tls` NULL: plain HTTP. */
static int start(int *fd, unsigned threads, const struct tls *tls, bool asks_certificate, const struct http_service *service,
		 struct http_server **ret_server)
{
	struct http_server_options options = { .listen_fd = *fd, .threads = threads };

	/* Each server of the fleet holds one connection; a small one, for there are thousands. */
	if (asks_certificate) {
		options.connections_most = NODE_CONNECTIONS_MOST;
		options.connections_of_address_most = NODE_CONNECTIONS_OF_ADDRESS_MOST;
		options.memory_of_connection = NODE_CONNECTION_BYTES;
	}
	int r;

	if (tls) {
		options.certificate = (const char *)tls->certificate.data;
		options.key = (const char *)tls->key.data;
		options.client_ca = asks_certificate ? (const char *)tls->client_ca.data : NULL;
	}
	r = http_server_start(&options, service, ret_server);
	if (r < 0)
		log_error(0, "can't start a listener: %sits limits of memory, threads or open files may be too small",
			  r == -EINVAL ? "server.pem, server.key or ca.pem in the state folder may be damaged, or " : "");
	else
		*fd = -1;
	return r;
}

static int start_servers(struct daemon *daemon, const struct options *options)
{
	struct http_service nodes = { .admit = node_api_admit, .answer = node_api_answer, .dropped = agent_api_dropped,
				      .context = &daemon->control, .body_most_of = node_api_body_most, .meter = &daemon->control.meters.requests[METER_NODES] };
	struct http_service files = { .admit = repository_admit, .answer = repository_answer,
				      .context = &daemon->repository, .meter = &daemon->control.meters.requests[METER_REPOSITORY] };
	struct http_service operator = { .answer = operator_api_answer, .context = &daemon->control,
					 .body_most = OPERATOR_BODY_MOST, .meter = &daemon->control.meters.requests[METER_SOCKET] };
	struct http_service metrics = { .answer = metrics_answer, .context = &daemon->control };
	struct http_service remote = operator;
	struct sockets *s = &daemon->sockets;
	struct tls tls = { 0 };
	int r = load_tls(options, &tls);

	remote.admit = access_admit;
	remote.meter = &daemon->control.meters.requests[METER_OPERATORS];
	if (!r)
		r = pki_expiry(&tls.certificate, &daemon->control.server_expires);
	if (!r)
		r = start(&s->nodes, 2, &tls, true, &nodes, &daemon->nodes);
	daemon->control.nodes = daemon->nodes;
	if (!r)
		r = start(&s->files, 4, NULL, false, &files, &daemon->files);
	if (!r && s->remote >= 0)
		r = start(&s->remote, 1, &tls, false, &remote, &daemon->remote);
	if (!r)
		r = start(&s->operator, 1, NULL, false, &operator, &daemon->operator);
	if (!r && s->metrics >= 0)
		r = start(&s->metrics, 1, NULL, false, &metrics, &daemon->metrics);
	release_tls(&tls);
	return r;
}

static void close_socket(int fd)
{
	if (fd >= 0)
		close(fd);
}

static void stop(struct daemon *daemon)
{
	http_server_stop(daemon->metrics);
	http_server_stop(daemon->operator);
	http_server_stop(daemon->remote);
	http_server_stop(daemon->files);
	chores_stop(daemon->chores);
	prober_stop(daemon->prober);
	messenger_stop(&daemon->control);
	monitor_stop(daemon->control.monitor);
	holds_end(daemon->control.holds);
	http_server_stop(daemon->nodes);
	holds_free(daemon->control.holds);
	if (daemon->operator || daemon->sockets.operator >= 0)
		unlink(daemon->socket_path);
	close_socket(daemon->sockets.metrics);
	close_socket(daemon->sockets.operator);
	close_socket(daemon->sockets.remote);
	close_socket(daemon->sockets.files);
	close_socket(daemon->sockets.nodes);
	free(daemon->socket_path);
	decider_stop(daemon->control.decider);
	dispatch_free(daemon->control.dispatch);
	power_free(daemon->control.power);
	balancer_free(daemon->control.balancer);
	decision_settings_release(&daemon->control.decisions);
	json_decref(daemon->control.storms);
	evidence_free(&daemon->control);
	decider_free(daemon->control.decider);
	keeper_free(daemon->control.keeper);
	gate_free(daemon->gate);
	catalogue_free(daemon->control.catalogue);
	people_free(daemon->control.people);
	campaigns_free(daemon->control.campaigns);
	tpm_trust_free(&daemon->control);
	relays_free(daemon->control.relays);
	messages_free(daemon->control.messages);
	fleet_free(daemon->control.fleet);
	store_close(daemon->control.store);
	pki_signer_free(daemon->control.signer);
	throttle_free(daemon->control.throttle);
	explicit_bzero(daemon->control.join_token, sizeof daemon->control.join_token);
	free(daemon->store_path);
	close_socket(daemon->lock);
}

/* Blocks the signals that end the daemon, before any thread exists that could get them. */
static void block_signals(sigset_t *ret_signals)
{
	sigemptyset(ret_signals);
	sigaddset(ret_signals, SIGTERM);
	sigaddset(ret_signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, ret_signals, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Until a signal ends it. Whoever watches this service hears of it as long as the lock of all can be had. */
static void serve(struct daemon *daemon, const sigset_t *signals)
{
	int64_t every = notify_watchdog();
	const struct timespec wait = { .tv_sec = every / 1000000000, .tv_nsec = every % 1000000000 };
	int number;

	notify_manager("READY=1");
	while ((number = every ? sigtimedwait(signals, NULL, &wait) : sigwaitinfo(signals, NULL)) < 0) {
		control_lock(&daemon->control);
		control_leave(&daemon->control);
		notify_manager("WATCHDOG=1");
	}
	notify_manager("STOPPING=1");
	log_info("%s: stopping", number == SIGINT ? "interrupted" : "terminated");
}

static void allow_many_files(void)
{
	struct rlimit files;

	if (!getrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur < files.rlim_max) {
		files.rlim_cur = files.rlim_max < FILES_MOST ? files.rlim_max : FILES_MOST;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

/* Started by root it still reads and writes the state of whomever that belongs to, and takes any port. */
static int give_up_rights(void)
{
	int r = confine(CONFINE_KEEP(CAP_CHOWN) | CONFINE_KEEP(CAP_DAC_OVERRIDE) | CONFINE_KEEP(CAP_DAC_READ_SEARCH) | CONFINE_KEEP(CAP_FOWNER) |
			CONFINE_KEEP(CAP_FSETID) | CONFINE_KEEP(CAP_KILL) | CONFINE_KEEP(CAP_NET_BIND_SERVICE));

	return r < 0 ? log_error(r, "can't give up rights that it doesn't need") : 0;
}

int main(int argc, char *argv[])
{
	struct daemon daemon = { .lock = -1, .sockets = { -1, -1, -1, -1, -1 }, .control = { .lock = PTHREAD_MUTEX_INITIALIZER,
							.refusals.mutex = PTHREAD_MUTEX_INITIALIZER } };
	struct options options;
	sigset_t signals;
	int r;

	log_program("repaved");
	key_file_setup();
	r = options_parse(argc, argv, &options);
	if (r)
		return r - 1;
	umask(0077);
	block_signals(&signals);
	allow_many_files();
	r = give_up_rights();
	if (!r)
		r = state_lock(options.state, &daemon.lock);
	if (!r)
		r = check_repository(options.repository);
	if (!r)
		r = open_sockets(&daemon, &options);
	if (!r)
		r = choose_root(&options);
	if (!r)
		r = load(&daemon, &options);
	if (!r)
		r = watch_repository(&daemon, &options);
	daemon.control.started = time(NULL);
	if (!r)
		r = holds_start(&daemon.control.holds);
	if (!r)
		r = power_new(&daemon.control, options.state, "ipmitool", &daemon.control.power);
	if (!r)
		r = start_servers(&daemon, &options);
	if (!r)
		r = monitor_start(&daemon.control, &daemon.control.monitor);
	if (!r)
		r = keeper_start(daemon.control.keeper);
	if (!r)
		r = dispatch_start(daemon.control.dispatch);
	if (!r)
		r = balancer_start(daemon.control.balancer);
	if (!r)
		r = decider_start(daemon.control.decider);
	if (!r)
		r = messenger_start(&daemon.control);
	if (!r)
		r = prober_start(&daemon.control, &daemon.prober);
	if (!r)
		r = chores_start(&daemon.control, &daemon.chores);
	if (!r) {
		log_info("ready on %s: nodes on port %u, repository on port %u, operators on port %u", options.address ? options.address :
			 "all addresses", options.port, options.repository_port, options.operator_port);
		serve(&daemon, &signals);
	}
	/* Whoever ran out of it said nothing. */
	if (r == -ENOMEM)
		log_error(0, "there isn't enough memory; is its limit too small?");
	stop(&daemon);
	return r ? 1 : 0;
}

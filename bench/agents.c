// SPDX-License-Identifier: GPL-2.0-or-later
/* Plays thousands of agents, or booting nodes, against a control unit, from one process: the real protocol over TLS 1.2 with a
 * certificate each (docs/protocol.md, "Agent channel"). Prints a line of JSON at the end of each phase.
 *
 *   connect    all at once, until each has its first answer
 *   steady     statuses go on; how late answers come, and how long orders were under way
 *   reconnect  all connections are cut, and all come back at once
 *   boot       each asks what to boot, for its agent's certificate, and reports its start
 *
 * Of an order `notice` whose text is a time, the age is measured; all are answered with `done`. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define AGENTS_MOST 100000u
#define OF_ADDRESS 100u      /* agents of one source address, as if behind one translator */
#define PAUSE 0.2            /* between an answer and the next status */
#define SAMPLES_MOST 4000000u
#define TRY_AGAIN 1.0        /* after a connection that failed */

enum state { IDLE, CONNECTING, SHAKING, SENDING, WAITING, PAUSING, DONE };

struct agent {
	char id[37];
	X509 *certificate;
	SSL *ssl;
	int fd;
	enum state state;
	unsigned step;               /* of a boot */
	double sent_at, due;         /* due: of PAUSING */
	bool answered;               /* once in this phase */
	bool had_order;              /* the last answer brought one: this status may be answered sooner */
	uint64_t sequence, order;    /* order: to be answered with the next status; 0 none */
	char *out;
	size_t out_size;
	char *in;
	size_t in_size;
	struct agent *next;          /* in the queue of those that pause */
};

struct samples {
	float *values;
	size_t count;
};

static struct {
	const char *host, *folder;
	unsigned port, count, seconds;
	double interval;
	bool boots;
	struct agent *agents;
	SSL_CTX *tls;
	EVP_PKEY *key;
	char *csr;                   /* as JSON text */
	int epoll;
	struct agent *first, *last;  /* those that pause, in the order of their times */
	unsigned answered, finished;
	uint64_t failures, statuses;
	struct samples late, orders, requests, shakes;
	char failure[200];           /* the first one */
} sim = { .host = "127.0.0.1", .interval = 5 };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void die(const char *what)
{
	fprintf(stderr, "agents: %s (%s)\n", what, strerror(errno));
	exit(1);
}

/* ------------------------------------------------------------------ samples */

static void add_sample(struct samples *samples, double value)
{
	if (!samples->values)
		samples->values = malloc(SAMPLES_MOST * sizeof *samples->values);
	if (samples->values && samples->count < SAMPLES_MOST)
		samples->values[samples->count++] = (float)value;
}

static int compare(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;

	return (x > y) - (x < y);
}

static void print_samples(const char *name, struct samples *samples)
{
	size_t n = samples->count;

	qsort(samples->values, n, sizeof *samples->values, compare);
	printf(", \"%s\": {\"count\": %zu", name, n);
	if (n)
		printf(", \"p50\": %.4f, \"p99\": %.4f, \"max\": %.4f", (double)samples->values[n / 2], (double)samples->values[n * 99 / 100],
		       (double)samples->values[n - 1]);
	printf("}");
	samples->count = 0;
}

static double own_cpu(void)
{
	struct rusage use;

	getrusage(RUSAGE_SELF, &use);
	return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

static void print_phase(const char *name, double seconds, double cpu)
{
	printf("{\"phase\": \"%s\", \"seconds\": %.3f, \"agents\": %u, \"answered\": %u, \"finished\": %u, \"statuses\": %llu, \"failures\": %llu,"
	       " \"simulator_cpu\": %.2f", name, seconds, sim.count, sim.answered, sim.finished, (unsigned long long)sim.statuses,
	       (unsigned long long)sim.failures, own_cpu() - cpu);
	print_samples("late", &sim.late);
	print_samples("orders", &sim.orders);
	print_samples("requests", &sim.requests);
	print_samples("handshakes", &sim.shakes);
	printf(", \"failure\": \"%s\"}\n", sim.failure);
	fflush(stdout);
	sim.statuses = sim.failures = 0;
	sim.failure[0] = 0;
}

/* ------------------------------------------------------------------ what is said */

static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static char *text(const char *format, ...)
{
	va_list args;
	char *made;
	int r;

	va_start(args, format);
	r = vasprintf(&made, format, args);
	va_end(args);
	if (r < 0)
		die("out of memory");
	return made;
}

/* About what a small server's agent says. */
static char *status_body(struct agent *a)
{
	char answers[120] = "";
	double up = now() - 1.7e9 + (double)(a - sim.agents);

	a->sequence++;
	if (a->order)
		snprintf(answers, sizeof answers, "{\"order\":%llu,\"result\":\"done\",\"text\":\"shown on 2 terminals\"}", (unsigned long long)a->order);
	a->order = 0;
	return text("{\"format\":1,\"boot_id\":\"%.8s-1111-4222-8333-%.12s\",\"sequence\":%llu,\"uptime\":%.2f,\"measures\":{\"load\":[0.%02u,0.12,0.08],"
		    "\"cpu\":{\"count\":8,\"busy\":0.%03u},\"memory\":{\"total\":16777216000,\"available\":%llu,\"swap_total\":0,\"swap_free\":0},"
		    "\"pressure\":{\"cpu\":{\"some\":0.5,\"full\":0.0},\"memory\":{\"some\":0.0,\"full\":0.0},\"io\":{\"some\":0.11,\"full\":0.05}},"
		    "\"disks\":[{\"mount\":\"/\",\"type\":\"overlay\",\"size\":8388608000,\"used\":12345678},"
		    "{\"mount\":\"/run\",\"type\":\"tmpfs\",\"size\":838860800,\"used\":1048576}],"
		    "\"network\":[{\"name\":\"eth0\",\"received\":%llu,\"sent\":2345678901,\"receive_errors\":0,\"send_errors\":0}],"
		    "\"users\":[{\"name\":\"root\",\"process\":1217,\"terminal\":\"pts/0\",\"from\":\"10.0.2.2\"}],\"user_count\":1,"
		    "\"sessions\":{\"connections\":%u,\"peers\":17},\"health\":{\"state\":\"healthy\",\"milliseconds\":1.9},"
		    "\"images\":{\"c\":{\"root_hash\":\"%064x\",\"verity\":\"V\"},\"d\":{\"root_hash\":\"%064x\",\"verity\":\"V\"}},\"draining\":false},"
		    "\"alarms\":[],\"answers\":[%s]}",
		    a->id, a->id + 24, (unsigned long long)a->sequence, up, (unsigned)(a->sequence % 100), (unsigned)(a->sequence % 1000),
		    9000000000ull + a->sequence * 4096, 1000000ull * a->sequence, (unsigned)(a->sequence % 50), 12345u, 54321u, answers);
}

static char *boot_body(struct agent *a, const char **ret_path)
{
	switch (a->step) {
	case 0:
		*ret_path = "boot";
		return text("{\"format\":1,\"nonce\":\"%.8s%.12sabcdefabcdef\",\"stage1_version\":\"bench\",\"inventory\":{\"uuid\":\"%s\",\"serial\":\"S1\","
			    "\"vendor\":\"QEMU\",\"product\":\"q35\",\"macs\":[\"52:54:00:00:01:01\"],\"memory_bytes\":536870912,\"cpus\":1,\"firmware\":\"bios\","
			    "\"disks\":[{\"name\":\"vda\",\"size_bytes\":8589934592}]},\"slots\":{\"C0\":null,\"C1\":null,\"D0\":null,\"D1\":null}}",
			    a->id, a->id + 24, a->id);
	case 1:
		*ret_path = "agent";
		return text("{\"format\":1,\"nonce\":\"%.8s%.12sabcdefabcdef\",\"csr\":\"%s\"}", a->id, a->id + 24, sim.csr);
	default:
		*ret_path = "report";
		return text("{\"format\":1,\"nonce\":\"%.8s%.12sabcdefabcdef\",\"assignment\":1,\"event\":\"%s\",\"stage\":\"%s\",\"stages\":[],\"images\":[]}",
			    a->id, a->id + 24, a->step == 2 ? "progress" : "kexec", a->step == 2 ? "fetch-c" : "boot");
	}
}
#define BOOT_STEPS 4u

static void make_request(struct agent *a)
{
	const char *path = "status";
	char *body = sim.boots ? boot_body(a, &path) : status_body(a);

	free(a->out);
	a->out = text("POST /v1/%s/%s/%s HTTP/1.1\r\nHost: control.repave.internal\r\nUser-Agent: repave-agent\r\nContent-Type: application/json\r\n"
		      "Content-Length: %zu\r\n\r\n%s", sim.boots ? "nodes" : "agents", a->id, path, strlen(body), body);
	a->out_size = strlen(a->out);
	free(body);
}

/* ------------------------------------------------------------------ connections */

static void pause_for(struct agent *a, double seconds)
{
	struct agent **at = &sim.first;

	a->due = now() + seconds;
	a->state = PAUSING;
	a->next = NULL;
	if (sim.last && sim.last->due <= a->due) {
		sim.last->next = a;
		sim.last = a;
		return;
	}
	while (*at && (*at)->due <= a->due)
		at = &(*at)->next;
	a->next = *at;
	*at = a;
	if (!a->next)
		sim.last = a;
}

static void cut(struct agent *a)
{
	if (a->ssl)
		SSL_free(a->ssl);
	if (a->fd >= 0)
		close(a->fd);
	free(a->in);
	a->ssl = NULL;
	a->fd = -1;
	a->in = NULL;
	a->in_size = 0;
	a->state = IDLE;
}

static void fail(struct agent *a, const char *what)
{
	sim.failures++;
	if (!sim.failure[0])
		snprintf(sim.failure, sizeof sim.failure, "%s: %.80s", what, ERR_peek_error() ? ERR_reason_error_string(ERR_peek_error()) : strerror(errno));
	ERR_clear_error();
	cut(a);
	pause_for(a, TRY_AGAIN);
}

static void watch(struct agent *a, uint32_t events, int how)
{
	struct epoll_event event = { .events = events, .data.ptr = a };

	epoll_ctl(sim.epoll, how, a->fd, &event);
}

static void connect_to(struct agent *a)
{
	struct sockaddr_in from = { .sin_family = AF_INET }, to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)sim.port) };
	unsigned number = (unsigned)(a - sim.agents) / OF_ADDRESS;
	const int on = 1;

	a->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd < 0)
		die("can't make a socket; raise the limit of open files");
	setsockopt(a->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	setsockopt(a->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
	from.sin_addr.s_addr = htonl(0x7f010001 + (number / 250 << 8) + number % 250);
	inet_pton(AF_INET, sim.host, &to.sin_addr);
	if (bind(a->fd, (struct sockaddr *)&from, sizeof from) < 0)
		die("can't bind");
	a->sent_at = now();
	a->state = CONNECTING;
	if (connect(a->fd, (struct sockaddr *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
		fail(a, "connect");
		return;
	}
	watch(a, EPOLLIN | EPOLLOUT | EPOLLET, EPOLL_CTL_ADD);
}

static void step(struct agent *a);

static void begin_tls(struct agent *a)
{
	int error = 0;
	socklen_t size = sizeof error;

	getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &size);
	if (error) {
		errno = error;
		fail(a, "connect");
		return;
	}
	a->ssl = SSL_new(sim.tls);
	SSL_set_fd(a->ssl, a->fd);
	SSL_use_certificate(a->ssl, a->certificate);
	SSL_use_PrivateKey(a->ssl, sim.key);
	SSL_set_connect_state(a->ssl);
	a->state = SHAKING;
	step(a);
}

static bool waits(const struct agent *a, int r)
{
	int error = SSL_get_error(a->ssl, r);

	return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

static void send_request(struct agent *a)
{
	int r = SSL_write(a->ssl, a->out, (int)a->out_size);

	if (r <= 0) {
		if (!waits(a, r))
			fail(a, "send");
		return;
	}
	free(a->out);
	a->out = NULL;
	a->state = WAITING;
	a->sent_at = now();
	sim.statuses++;
}

static void next_request(struct agent *a)
{
	make_request(a);
	a->state = SENDING;
	send_request(a);
}

/* ------------------------------------------------------------------ answers */

/* Length of a whole answer, 0 while it isn't whole. */
static size_t whole(const char *data, size_t size)
{
	const char *end = memmem(data, size, "\r\n\r\n", 4), *length;

	if (!end)
		return 0;
	length = strcasestr(data, "content-length:");
	if (length && length < end) {
		size_t all = (size_t)(end + 4 - data) + strtoul(length + 15, NULL, 10);

		return size >= all ? all : 0;
	}
	if (memmem(data, size, " 204 ", 5))
		return size;
	end = memmem(end, size - (size_t)(end - data), "\r\n0\r\n\r\n", 7); /* chunks */
	return end ? size : 0;
}

static void take_order(struct agent *a, const char *answer)
{
	const char *number = strstr(answer, "\"order\":"), *said = strstr(answer, "\"text\":\"");

	a->had_order = number != NULL;
	if (!number)
		return;
	a->order = strtoull(number + 8, NULL, 10);
	if (said)
		add_sample(&sim.orders, now() - strtod(said + 8, NULL));
}

static void take_answer(struct agent *a)
{
	double took = now() - a->sent_at;
	bool good = !strncmp(a->in, "HTTP/1.1 20", 11);

	if (!good) {
		if (!sim.failure[0])
			snprintf(sim.failure, sizeof sim.failure, "%.100s", strpbrk(a->in, "\r\n") ? strtok(a->in, "\r\n") : a->in);
		fail(a, "answer");
		return;
	}
	if (!a->answered) {
		a->answered = true;
		sim.answered++;
		if (!sim.boots)
			add_sample(&sim.requests, took);
	}
	if (sim.boots) {
		add_sample(&sim.requests, took);
		free(a->in);
		a->in = NULL;
		a->in_size = 0;
		if (++a->step < BOOT_STEPS) {
			next_request(a);
			return;
		}
		cut(a);
		a->state = DONE;
		sim.finished++;
		return;
	}
	/* With an order under way answers come sooner, or as soon as there is one. */
	if (!a->had_order && !strstr(a->in, "\"order\":"))
		add_sample(&sim.late, took - sim.interval);
	take_order(a, a->in);
	free(a->in);
	a->in = NULL;
	a->in_size = 0;
	pause_for(a, PAUSE);
}

static void receive(struct agent *a)
{
	char piece[16384];

	for (;;) {
		int r = SSL_read(a->ssl, piece, sizeof piece);

		if (r <= 0) {
			if (!waits(a, r))
				fail(a, "receive");
			return;
		}
		a->in = realloc(a->in, a->in_size + (size_t)r + 1);
		memcpy(a->in + a->in_size, piece, (size_t)r);
		a->in_size += (size_t)r;
		a->in[a->in_size] = 0;
		if (whole(a->in, a->in_size)) {
			take_answer(a);
			return;
		}
	}
}

static void step(struct agent *a)
{
	int r;

	switch (a->state) {
	case CONNECTING:
		begin_tls(a);
		break;
	case SHAKING:
		r = SSL_do_handshake(a->ssl);
		if (r == 1) {
			add_sample(&sim.shakes, now() - a->sent_at);
			next_request(a);
		} else if (!waits(a, r)) {
			fail(a, "handshake");
		}
		break;
	case SENDING:
		send_request(a);
		break;
	case WAITING:
		receive(a);
		break;
	case PAUSING: /* the server may close an idle connection */
	case IDLE:
	case DONE:
		break;
	}
}

/* ------------------------------------------------------------------ phases */

static void wake_paused(void)
{
	double t = now();

	while (sim.first && sim.first->due <= t) {
		struct agent *a = sim.first;

		sim.first = a->next;
		if (!sim.first)
			sim.last = NULL;
		if (a->fd < 0)
			connect_to(a);
		else
			next_request(a);
	}
}

/* Until `is_over`, or for `seconds`. */
static void run(double seconds, bool (*is_over)(void))
{
	struct epoll_event events[512];
	double end = now() + seconds;

	while (now() < end && !(is_over && is_over())) {
		int n = epoll_wait(sim.epoll, events, 512, 10);

		for (int i = 0; i < n; i++)
			step(events[i].data.ptr);
		wake_paused();
	}
}

static bool all_answered(void)
{
	return sim.answered == sim.count;
}

static bool all_finished(void)
{
	return sim.finished == sim.count;
}

static void connect_all(const char *name, double seconds, bool (*is_over)(void))
{
	double begun = now(), cpu = own_cpu();

	sim.answered = 0;
	for (unsigned i = 0; i < sim.count; i++) {
		sim.agents[i].answered = false;
		connect_to(&sim.agents[i]);
		if (i % 100 == 99)
			run(0.0001, NULL);
	}
	run(seconds, is_over);
	print_phase(name, now() - begun, cpu);
}

static void cut_all(void)
{
	for (unsigned i = 0; i < sim.count; i++)
		cut(&sim.agents[i]);
	sim.first = sim.last = NULL;
	/* Events that wait name connections that are gone. */
	close(sim.epoll);
	sim.epoll = epoll_create1(EPOLL_CLOEXEC);
}

/* ------------------------------------------------------------------ preparation */

static FILE *open_file(const char *name)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", sim.folder, name);
	file = fopen(path, "r");
	if (!file)
		die(path);
	return file;
}

static void load(void)
{
	FILE *ids = open_file("ids"), *certificates = open_file(sim.boots ? "node-certificates.pem" : "agent-certificates.pem"),
	     *key = open_file("key.pem"), *csr = open_file("csr.json");
	size_t room = 0;

	sim.agents = calloc(sim.count, sizeof *sim.agents);
	sim.key = PEM_read_PrivateKey(key, NULL, NULL, NULL);
	if (!sim.agents || !sim.key || getline(&sim.csr, &room, csr) < 0)
		die("can't read the key");
	for (unsigned i = 0; i < sim.count; i++) {
		struct agent *a = &sim.agents[i];

		a->fd = -1;
		a->certificate = PEM_read_X509(certificates, NULL, NULL, NULL);
		if (fscanf(ids, "%36s", a->id) != 1 || !a->certificate)
			die("there are fewer certificates than --count says");
	}
	fclose(ids);
	fclose(certificates);
	fclose(key);
	fclose(csr);
}

static void prepare_tls(void)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/ca.pem", sim.folder);
	sim.tls = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(sim.tls, TLS1_2_VERSION);
	SSL_CTX_set_session_cache_mode(sim.tls, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_options(sim.tls, SSL_OP_NO_TICKET);
	SSL_CTX_set_mode(sim.tls, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(sim.tls, SSL_VERIFY_PEER, NULL);
	if (SSL_CTX_load_verify_locations(sim.tls, path, NULL) != 1)
		die(path);
}

static void parse(int argc, char *argv[])
{
	static const struct option options[] = { { "port", required_argument, NULL, 'p' },  { "folder", required_argument, NULL, 'f' },
						 { "count", required_argument, NULL, 'n' }, { "seconds", required_argument, NULL, 's' },
						 { "interval", required_argument, NULL, 'i' }, { "boots", no_argument, NULL, 'b' },
						 { NULL, 0, NULL, 0 } };
	int letter;

	while ((letter = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (letter) {
		case 'p': sim.port = (unsigned)atoi(optarg); break;
		case 'f': sim.folder = optarg; break;
		case 'n': sim.count = (unsigned)atoi(optarg); break;
		case 's': sim.seconds = (unsigned)atoi(optarg); break;
		case 'i': sim.interval = atof(optarg); break;
		case 'b': sim.boots = true; break;
		default: exit(2);
		}
	}
	if (!sim.port || !sim.folder || !sim.count || sim.count > AGENTS_MOST) {
		fprintf(stderr, "usage: agents --port N --folder DIR --count N [--seconds N] [--interval N] [--boots]\n");
		exit(2);
	}
}

int main(int argc, char *argv[])
{
	double begun, cpu;

	parse(argc, argv);
	/* A server that closes a connection is a failure to count. */
	signal(SIGPIPE, SIG_IGN);
	load();
	prepare_tls();
	sim.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (sim.boots) {
		connect_all("boot", 300, all_finished);
		return 0;
	}
	connect_all("connect", 300, all_answered);
	run(2 * sim.interval, NULL); /* what is left of the rush */
	sim.late.count = sim.orders.count = sim.statuses = sim.failures = 0;
	printf("{\"phase\": \"steady begins\"}\n");
	fflush(stdout);
	begun = now();
	cpu = own_cpu();
	run(sim.seconds, NULL);
	print_phase("steady", now() - begun, cpu);
	cut_all();
	run(1, NULL);
	connect_all("reconnect", 300, all_answered);
	return 0;
}

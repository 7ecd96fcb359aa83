// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/http-connections.h"

#include <errno.h>
#include <fcntl.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"

#define LOOK_MS 1000   /* between two looks for requests that don't get whole */
#define LOST_MS 1000   /* what was handed over and never began (the server was full) isn't waited for longer */
#define TAKEN_MOST 256u /* in one go */
#define REST_MS 100    /* when no connection can be taken: too many files are open */
#define ADDRESSES 4096u

/* What an address may still open. Two that fall on one slot each begin anew: an attacker with so many addresses needs no such trick. */
struct allowance {
	uint8_t address[16];
	int64_t at_ms;
	double left;
};

struct http_connections {
	struct http_connections_options options;
	pthread_t thread;
	bool runs;
	atomic_bool is_ending;
	int wake;                   /* eventfd; -1 */
	atomic_uint under_way;      /* handed over, and not begun */
	atomic_uint waiting;        /* of `queue` */
	_Atomic int64_t behind_since; /* ms; 0: nobody waits */
	int *queue;                 /* ring of options.waiting_most sockets */
	unsigned first;
	struct allowance *allowances;
	pthread_mutex_t mutex;      /* of links */
	struct http_link *links;
};

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ------------------------------------------------------------------ links */

static void wake_up(struct http_connections *c)
{
	const uint64_t one = 1;

	/* It can't be full, and who was woken already needs no more. */
	if (write(c->wake, &one, sizeof one) < 0)
		return;
}

struct http_link *http_connections_begin(struct http_connections *c, int fd)
{
	struct http_link *link = calloc(1, sizeof *link);
	unsigned before = c->under_way;

	while (before && !atomic_compare_exchange_weak(&c->under_way, &before, before - 1))
		;
	if (before == HTTP_LOT / 2 && c->waiting)
		wake_up(c);
	if (!link)
		return NULL;
	link->fd = fd;
	link->waits_since = steady_ms();
	pthread_mutex_lock(&c->mutex);
	link->next = c->links;
	if (link->next)
		link->next->previous = link;
	c->links = link;
	pthread_mutex_unlock(&c->mutex);
	return link;
}

void http_connections_over(struct http_connections *c, struct http_link *link)
{
	if (!link)
		return;
	pthread_mutex_lock(&c->mutex);
	if (link->next)
		link->next->previous = link->previous;
	if (link->previous)
		link->previous->next = link->next;
	else
		c->links = link->next;
	pthread_mutex_unlock(&c->mutex);
	free(link);
}

void http_link_waits(struct http_link *link, bool waits)
{
	if (link)
		link->waits_since = waits ? steady_ms() : INT64_MAX;
}

/* Who sends a byte now and then would keep its place for ever: the server's own limit counts from the last byte. */
static void end_slow(struct http_connections *c)
{
	int64_t now = steady_ms();

	pthread_mutex_lock(&c->mutex);
	for (const struct http_link *link = c->links; link; link = link->next)
		if (link->waits_since < now - HTTP_REQUEST_SECONDS * 1000)
			shutdown(link->fd, SHUT_RDWR);
	pthread_mutex_unlock(&c->mutex);
}

/* ------------------------------------------------------------------ taking */

/* Of IPv6 the first 64 bits count, which one host has to itself. False: it has none (a Unix socket). */
static bool key_of(const struct sockaddr_storage *from, uint8_t ret_key[16])
{
	memset(ret_key, 0, 16);
	if (from->ss_family == AF_INET) {
		memcpy(ret_key + 12, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	} else if (from->ss_family == AF_INET6) {
		const struct in6_addr *six = &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr;

		memcpy(ret_key, six, IN6_IS_ADDR_V4MAPPED(six) ? 16 : 8);
	} else {
		return false;
	}
	return true;
}

static bool is_allowed(struct http_connections *c, const struct sockaddr_storage *from)
{
	unsigned most = c->options.of_address, slot = 5381;
	struct allowance *allowance;
	int64_t now = steady_ms();
	uint8_t key[16];

	if (!most || !key_of(from, key))
		return true;
	for (unsigned i = 0; i < sizeof key; i++)
		slot = slot * 33 + key[i];
	allowance = &c->allowances[slot % ADDRESSES];
	if (memcmp(allowance->address, key, sizeof key)) {
		memcpy(allowance->address, key, sizeof key);
		allowance->left = most;
	} else {
		allowance->left += (double)(now - allowance->at_ms) * most / 20 / 1000;
		if (allowance->left > most)
			allowance->left = most;
	}
	allowance->at_ms = now;
	if (allowance->left < 1)
		return false;
	allowance->left--;
	return true;
}

/* Takes those that came. False when no more can be had for now. */
static bool take(struct http_connections *c)
{
	for (unsigned i = 0; i < TAKEN_MOST && c->waiting < c->options.waiting_most; i++) {
		struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
		socklen_t size = sizeof from;
		int fd = accept4(c->options.listen_fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0)
			return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED;
		if (!is_allowed(c, &from)) {
			close(fd);
			continue;
		}
		c->queue[(c->first + c->waiting) % c->options.waiting_most] = fd;
		c->waiting++;
	}
	return true;
}

/* ------------------------------------------------------------------ handing over */

/* Its client may have given up meanwhile. */
static bool is_gone(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static void hand_over(struct http_connections *c)
{
	while (c->waiting && c->under_way < HTTP_LOT) {
		struct sockaddr_storage from = { .ss_family = AF_UNSPEC };
		socklen_t size = sizeof from;
		int fd = c->queue[c->first];

		c->first = (c->first + 1) % c->options.waiting_most;
		c->waiting--;
		if (is_gone(fd) || getpeername(fd, (struct sockaddr *)&from, &size) < 0) {
			close(fd);
			continue;
		}
		c->under_way++;
		/* Closes it itself when it can't have more. */
		if (MHD_add_connection(c->options.daemon, fd, (const struct sockaddr *)&from, size) != MHD_YES)
			c->under_way--;
	}
}

static void *run(void *context)
{
	struct http_connections *c = context;
	int64_t looked = steady_ms(), handed = looked;
	bool rests = false;

	while (!c->is_ending) {
		struct pollfd fds[] = { { .fd = c->wake, .events = POLLIN },
					{ .fd = rests || c->waiting == c->options.waiting_most ? -1 : c->options.listen_fd, .events = POLLIN } };
		unsigned under_way = c->under_way;
		uint64_t count;

		poll(fds, 2, rests ? REST_MS : c->waiting ? LOST_MS : LOOK_MS);
		if (fds[0].revents && read(c->wake, &count, sizeof count) < 0)
			continue;
		rests = !take(c);
		if (c->under_way < under_way || under_way < HTTP_LOT)
			handed = steady_ms();
		else if (steady_ms() - handed >= LOST_MS)
			c->under_way = 0;
		hand_over(c);
		if (!c->waiting)
			c->behind_since = 0;
		else if (!c->behind_since)
			c->behind_since = steady_ms();
		if (steady_ms() - looked >= LOOK_MS) {
			end_slow(c);
			looked = steady_ms();
		}
	}
	return NULL;
}

int64_t http_connections_behind(const struct http_connections *c)
{
	int64_t since = c->behind_since;

	return since ? steady_ms() - since : 0;
}

/* ------------------------------------------------------------------ beginning and end */

int http_connections_new(struct http_connections **ret_connections)
{
	struct http_connections *c = calloc(1, sizeof *c);

	if (!c)
		return -ENOMEM;
	c->options.listen_fd = -1;
	c->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->allowances = calloc(ADDRESSES, sizeof *c->allowances);
	pthread_mutex_init(&c->mutex, NULL);
	if (c->wake < 0 || !c->allowances) {
		http_connections_free(c);
		return -ENOMEM;
	}
	*ret_connections = c;
	return 0;
}

int http_connections_start(struct http_connections *c, const struct http_connections_options *options)
{
	int r;

	c->queue = calloc(options->waiting_most, sizeof *c->queue);
	if (!c->queue)
		return -ENOMEM;
	c->options = *options;
	if (fcntl(options->listen_fd, F_SETFL, fcntl(options->listen_fd, F_GETFL) | O_NONBLOCK) < 0)
		r = -errno;
	else
		r = -pthread_create(&c->thread, NULL, run, c);
	c->runs = r == 0;
	if (r < 0)
		c->options.listen_fd = -1;
	return r;
}

void http_connections_end(struct http_connections *c)
{
	if (!c->runs)
		return;
	c->is_ending = true;
	wake_up(c);
	pthread_join(c->thread, NULL);
	c->runs = false;
	close(c->options.listen_fd);
	for (; c->waiting; c->waiting--) {
		close(c->queue[c->first]);
		c->first = (c->first + 1) % c->options.waiting_most;
	}
}

void http_connections_free(struct http_connections *c)
{
	if (!c)
		return;
	if (c->wake >= 0)
		close(c->wake);
	pthread_mutex_destroy(&c->mutex);
	free(c->allowances);
	free(c->queue);
	free(c);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/cutter.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/haproxy-socket.h"
#include "control/haproxy.h"

struct saying {
	struct saying *next;
	char *socket, *line;
};

struct cutter {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	struct saying *first;
	bool is_ending;
	pthread_t thread;
};

static void free_saying(struct saying *saying)
{
	free(saying->socket);
	free(saying->line);
	free(saying);
}

/* The balancer's rounds say it again where it wasn't done: here it is only logged. */
static void say(const struct saying *saying)
{
	int64_t began = haproxy_clock();
	struct buffer answer = { 0 };
	char why[ERROR_TEXT] = "";
	int r = haproxy_ask(saying->socket, saying->line, began + CUTTER_ASK_MS, &answer, why);

	if (r < 0)
		log_warning("HAProxy at %s: \"%s\" at once failed: %s", saying->socket, saying->line, why[0] ? why : strerror(-r));
	else if (!haproxy_done(saying->line, (const char *)answer.data, answer.size, why))
		log_warning("HAProxy at %s: \"%s\" at once: %.200s", saying->socket, saying->line, why);
	else
		log_info("HAProxy at %s did \"%s\" within %lld ms", saying->socket, saying->line, (long long)(haproxy_clock() - began));
	buffer_release(&answer);
}

static void *run(void *context)
{
	struct cutter *cutter = context;

	pthread_mutex_lock(&cutter->mutex);
	while (!cutter->is_ending) {
		struct saying *saying = cutter->first;

		if (!saying) {
			pthread_cond_wait(&cutter->wake, &cutter->mutex);
			continue;
		}
		cutter->first = saying->next;
		pthread_mutex_unlock(&cutter->mutex);
		say(saying);
		free_saying(saying);
		pthread_mutex_lock(&cutter->mutex);
	}
	pthread_mutex_unlock(&cutter->mutex);
	return NULL;
}

int cutter_new(struct cutter **ret_cutter)
{
	struct cutter *cutter = calloc(1, sizeof *cutter);
	int r;

	if (!cutter)
		return -ENOMEM;
	pthread_mutex_init(&cutter->mutex, NULL);
	pthread_cond_init(&cutter->wake, NULL);
	r = pthread_create(&cutter->thread, NULL, run, cutter);
	if (r) {
		free(cutter);
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	}
	*ret_cutter = cutter;
	return 0;
}

void cutter_free(struct cutter *cutter)
{
	if (!cutter)
		return;
	pthread_mutex_lock(&cutter->mutex);
	cutter->is_ending = true;
	pthread_cond_signal(&cutter->wake);
	pthread_mutex_unlock(&cutter->mutex);
	pthread_join(cutter->thread, NULL);
	while (cutter->first) {
		struct saying *saying = cutter->first;

		cutter->first = saying->next;
		free_saying(saying);
	}
	pthread_mutex_destroy(&cutter->mutex);
	pthread_cond_destroy(&cutter->wake);
	free(cutter);
}

int cutter_say(struct cutter *cutter, const char *socket, const char *line)
{
	struct saying *saying = calloc(1, sizeof *saying), **at = &cutter->first;

	if (!saying || !(saying->socket = strdup(socket)) || !(saying->line = strdup(line))) {
		if (saying)
			free_saying(saying);
		return -ENOMEM;
	}
	pthread_mutex_lock(&cutter->mutex);
	while (*at)
		at = &(*at)->next;
	*at = saying;
	pthread_cond_signal(&cutter->wake);
	pthread_mutex_unlock(&cutter->mutex);
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/holds.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"

#define SOON_MS 1000

/* In the order of their times: each queue holds for one length of time. */
struct hold_queue {
	struct held *first, *last;
};

struct holds {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	pthread_t thread;
	bool is_ending;
	size_t count;
	struct hold_queue now, soon, late;
};

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void append(struct hold_queue *queue, struct held *held)
{
	held->queue = queue;
	held->next = NULL;
	held->previous = queue->last;
	if (queue->last)
		queue->last->next = held;
	else
		queue->first = held;
	queue->last = held;
}

static void take_out(struct held *held)
{
	struct hold_queue *queue = held->queue;

	if (held->previous)
		held->previous->next = held->next;
	else
		queue->first = held->next;
	if (held->next)
		held->next->previous = held->previous;
	else
		queue->last = held->previous;
	held->queue = NULL;
}

/* From then on it is the HTTP server's, and may be freed. */
static void resume_due(struct holds *holds, struct hold_queue *queue, int64_t now)
{
	while (queue->first && (queue->first->due_ms <= now || holds->is_ending)) {
		struct held *held = queue->first;

		take_out(held);
		holds->count--;
		http_call_resume(held->connection);
	}
}

static void resume_all_due(struct holds *holds)
{
	int64_t now = steady_ms();

	resume_due(holds, &holds->now, now);
	resume_due(holds, &holds->soon, now);
	resume_due(holds, &holds->late, now);
}

static void *run(void *context)
{
	const struct timespec tick = { 0, HOLD_TICK_MS * 1000000L };
	struct holds *holds = context;

	pthread_mutex_lock(&holds->mutex);
	while (!holds->is_ending) {
		if (!holds->count) {
			pthread_cond_wait(&holds->wake, &holds->mutex);
			continue;
		}
		resume_all_due(holds);
		pthread_mutex_unlock(&holds->mutex);
		nanosleep(&tick, NULL);
		pthread_mutex_lock(&holds->mutex);
	}
	resume_all_due(holds);
	pthread_mutex_unlock(&holds->mutex);
	return NULL;
}

int holds_start(struct holds **ret_holds)
{
	struct holds *holds = calloc(1, sizeof *holds);
	int r;

	if (!holds)
		return -ENOMEM;
	pthread_mutex_init(&holds->mutex, NULL);
	pthread_cond_init(&holds->wake, NULL);
	r = pthread_create(&holds->thread, NULL, run, holds);
	if (r) {
		free(holds);
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	}
	*ret_holds = holds;
	return 0;
}

void holds_end(struct holds *holds)
{
	if (!holds)
		return;
	pthread_mutex_lock(&holds->mutex);
	holds->is_ending = true;
	pthread_cond_signal(&holds->wake);
	pthread_mutex_unlock(&holds->mutex);
	pthread_join(holds->thread, NULL);
}

void holds_free(struct holds *holds)
{
	if (!holds)
		return;
	pthread_mutex_destroy(&holds->mutex);
	pthread_cond_destroy(&holds->wake);
	free(holds);
}

struct held *holds_add(struct holds *holds, const struct http_call *call, const char *node, unsigned seconds, bool soon)
{
	struct held *held = calloc(1, sizeof *held);

	if (!held)
		return NULL;
	strcpy(held->node, node);
	held->connection = call->connection;
	held->due_ms = steady_ms() + (soon ? SOON_MS : (int64_t)seconds * 1000);
	pthread_mutex_lock(&holds->mutex);
	if (holds->is_ending) {
		pthread_mutex_unlock(&holds->mutex);
		free(held);
		return NULL;
	}
	/* Within the mutex: it can't be resumed before it is suspended. */
	http_call_hold(call, held);
	append(soon ? &holds->soon : &holds->late, held);
	if (holds->count++ == 0)
		pthread_cond_signal(&holds->wake);
	pthread_mutex_unlock(&holds->mutex);
	return held;
}

void holds_wake(struct holds *holds, struct held *held)
{
	pthread_mutex_lock(&holds->mutex);
	if (held->queue) {
		take_out(held);
		held->due_ms = 0;
		append(&holds->now, held);
	}
	pthread_mutex_unlock(&holds->mutex);
}

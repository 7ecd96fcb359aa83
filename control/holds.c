// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/holds.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"

#define SOON_MS 1000
#define SLOTS (HOLD_SECONDS_MOST * 1000 / HOLD_TICK_MS + 2)
#define EARLY_TICKS_MOST 25
#define LEAD_TICKS 2 /* the HTTP library may be in the middle of a round, whose end an answer waits for */

/* Those of one tick. */
struct hold_queue {
	struct held *first, *last;
	unsigned count;
};

struct holds {
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	pthread_t thread;
	bool is_ending;
	size_t count;
	int64_t tick;               /* the last one that was looked at */
	struct hold_queue now, slots[SLOTS]; /* a tick's is its number modulo SLOTS */
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
	queue->count++;
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
	queue->count--;
	held->queue = NULL;
}

/* From then on it is the HTTP server's, and may be freed. */
static void resume_all(struct holds *holds, struct hold_queue *queue)
{
	while (queue->first) {
		struct held *held = queue->first;

		take_out(held);
		holds->count--;
		http_call_resume(held->connection);
	}
}

static void resume_all_due(struct holds *holds)
{
	int64_t tick = steady_ms() / HOLD_TICK_MS;

	resume_all(holds, &holds->now);
	/* A machine that was paused for long: each slot once. */
	if (holds->is_ending || tick - holds->tick > SLOTS)
		holds->tick = tick - SLOTS;
	while (holds->tick < tick)
		resume_all(holds, &holds->slots[++holds->tick % SLOTS]);
}

/* The one with the fewest of those that aren't later, nor too early. */
static struct hold_queue *choose(struct holds *holds, int64_t due_ms, int64_t wait_ms)
{
	int64_t due = due_ms / HOLD_TICK_MS, early = wait_ms / 10 / HOLD_TICK_MS, first = due;
	struct hold_queue *best;

	if (early > EARLY_TICKS_MOST)
		early = EARLY_TICKS_MOST;
	first -= early;
	due -= early < LEAD_TICKS ? early : LEAD_TICKS;
	best = &holds->slots[due % SLOTS];
	for (int64_t tick = due - 1; tick > holds->tick && tick >= first; tick--)
		if (holds->slots[tick % SLOTS].count < best->count)
			best = &holds->slots[tick % SLOTS];
	/* The thread was there already: the next round. */
	return due > holds->tick ? best : &holds->now;
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
	holds->tick = steady_ms() / HOLD_TICK_MS;
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
	int64_t wait = soon || seconds > HOLD_SECONDS_MOST ? SOON_MS : (int64_t)seconds * 1000;
	struct held *held = calloc(1, sizeof *held);

	if (!held)
		return NULL;
	strcpy(held->node, node);
	held->connection = call->connection;
	held->due_ms = steady_ms() + wait;
	pthread_mutex_lock(&holds->mutex);
	if (holds->is_ending) {
		pthread_mutex_unlock(&holds->mutex);
		free(held);
		return NULL;
	}
	/* Within the mutex: it can't be resumed before it is suspended. */
	http_call_hold(call, held);
	/* The thread slept, and all slots are empty. */
	if (!holds->count)
		holds->tick = (held->due_ms - wait) / HOLD_TICK_MS;
	append(choose(holds, held->due_ms, wait), held);
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

int64_t held_late(const struct held *held)
{
	int64_t late = steady_ms() - held->due_ms;

	return !held->due_ms ? -1 : late > 0 ? late : 0;
}

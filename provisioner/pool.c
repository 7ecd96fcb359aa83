/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/pool.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#define QUEUE 16u

struct job {
	void (*work)(void *item, unsigned worker);
	void *item;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job queue[QUEUE];
	unsigned first, waiting, running;
	bool end;
	unsigned threads;
	pthread_t thread[POOL_THREADS_MOST];
	unsigned started;
};

static void *worker(void *context)
{
	struct pool *pool = context;
	unsigned number;

	pthread_mutex_lock(&pool->lock);
	number = pool->started++;
	for (;;) {
		struct job job;

		while (pool->waiting == 0 && !pool->end)
			pthread_cond_wait(&pool->changed, &pool->lock);
		if (pool->waiting == 0)
			break;
		job = pool->queue[pool->first];
		pool->first = (pool->first + 1) % QUEUE;
		pool->waiting--;
		pool->running++;
		pthread_cond_broadcast(&pool->changed);
		pthread_mutex_unlock(&pool->lock);
		job.work(job.item, number);
		pthread_mutex_lock(&pool->lock);
		pool->running--;
		pthread_cond_broadcast(&pool->changed);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

struct pool *pool_new(unsigned threads)
{
	struct pool *pool = calloc(1, sizeof(*pool));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->changed, NULL);
	if (threads == 0)
		threads = cpus > 2 ? (unsigned)cpus : 2;
	if (threads > POOL_THREADS_MOST)
		threads = POOL_THREADS_MOST;
	while (pool->threads < threads && pthread_create(&pool->thread[pool->threads], NULL, worker, pool) == 0)
		pool->threads++;
	if (pool->threads > 0)
		return pool;
	pool_free(pool);
	return NULL;
}

void pool_free(struct pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->end = true;
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	pthread_cond_destroy(&pool->changed);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

unsigned pool_threads(const struct pool *pool)
{
	return pool->threads;
}

void pool_add(struct pool *pool, void (*work)(void *item, unsigned worker), void *item)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->waiting == QUEUE)
		pthread_cond_wait(&pool->changed, &pool->lock);
	pool->queue[(pool->first + pool->waiting++) % QUEUE] = (struct job){ work, item };
	pthread_cond_broadcast(&pool->changed);
	pthread_mutex_unlock(&pool->lock);
}

void pool_drain(struct pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	while (pool->waiting > 0 || pool->running > 0)
		pthread_cond_wait(&pool->changed, &pool->lock);
	pthread_mutex_unlock(&pool->lock);
}

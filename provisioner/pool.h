/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that take work off a bounded queue, one per CPU: hashing and decoding use all of them while the network goes on. */
#ifndef PROVISIONER_POOL_H
#define PROVISIONER_POOL_H

#include <stddef.h>

#define POOL_THREADS_MOST 8u

struct pool;

/* As many threads as there are CPUs, at least 2 (a job that takes long, such as copies, doesn't hold up what arrives meanwhile), at
 * most POOL_THREADS_MOST; `threads` other than 0 says how many. NULL when there can't be any. */
struct pool *pool_new(unsigned threads);
/* Waits for all work. */
void pool_free(struct pool *pool);
unsigned pool_threads(const struct pool *pool);

/* `work(item, worker)` runs soon on thread number `worker` (below pool_threads). Waits while the queue is full. Only from the thread
 * that made the pool. */
void pool_add(struct pool *pool, void (*work)(void *item, unsigned worker), void *item);
/* Waits until all is done. */
void pool_drain(struct pool *pool);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "provisioner/live.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "provisioner/provision.h"

#define EVERY_SECONDS 2
/* TLS goes deeper than the 128 KiB that musl gives a thread. */
#define STACK ((size_t)512 << 10)

struct live {
	struct provision *p;
	const struct volume *volume;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool end, ended;
	enum install_phase phase;
	uint64_t done, total;
	struct speed speed;
};

static struct timespec after(unsigned seconds)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_sec += seconds;
	return time;
}

static json_t *progress_json(struct live *live, enum install_phase phase, uint64_t done, uint64_t total, uint64_t rate)
{
	static const char *const names[] = { "tree", "check", "copy", "fetch", "sync" };

	return json_pack("{s:s,s:s,s:s,s:I,s:I,s:I}", "slot", part_name(live->volume->part), "target",
			 verified_image_path(live->volume->image), "phase", names[phase], "done", (json_int_t)done, "total",
			 (json_int_t)total, "rate", (json_int_t)rate);
}

/* With the lock, which it lets go while it talks. */
static void tell(struct live *live)
{
	uint64_t rate = speed_look(&live->speed, live->done, uptime());
	json_t *progress = progress_json(live, live->phase, live->done, live->total, rate);

	pthread_mutex_unlock(&live->lock);
	report_progress(live->p, progress);
	pthread_mutex_lock(&live->lock);
}

static void *run(void *context)
{
	struct live *live = context;

	pthread_mutex_lock(&live->lock);
	while (!live->end) {
		struct timespec when = after(EVERY_SECONDS);

		while (!live->end && pthread_cond_timedwait(&live->changed, &live->lock, &when) == 0)
			;
		if (!live->end)
			tell(live);
	}
	live->ended = true;
	pthread_cond_broadcast(&live->changed);
	pthread_mutex_unlock(&live->lock);
	return NULL;
}

static int start(struct live *live)
{
	pthread_attr_t attributes;
	pthread_condattr_t monotonic;
	int r;

	pthread_mutex_init(&live->lock, NULL);
	pthread_condattr_init(&monotonic);
	/* The wall clock may be set meanwhile. */
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&live->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);
	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK);
	r = pthread_create(&live->thread, &attributes, run, live);
	pthread_attr_destroy(&attributes);
	return r;
}

static void release(struct live *live)
{
	pthread_cond_destroy(&live->changed);
	pthread_mutex_destroy(&live->lock);
	free(live);
}

struct live *live_begin(struct provision *p, const struct volume *volume)
{
	struct live *live = calloc(1, sizeof(*live));

	if (live == NULL)
		return NULL;
	live->p = p;
	live->volume = volume;
	if (start(live) == 0)
		return live;
	release(live);
	return NULL;
}

void live_show(struct live *live, enum install_phase phase, uint64_t done, uint64_t total)
{
	if (live == NULL)
		return;
	pthread_mutex_lock(&live->lock);
	if (phase != live->phase)
		live->speed = (struct speed){ .when = uptime() };
	live->phase = phase;
	live->done = done;
	live->total = total;
	pthread_mutex_unlock(&live->lock);
}

void live_end(struct live *live)
{
	struct timespec when = after(1);

	if (live == NULL)
		return;
	pthread_mutex_lock(&live->lock);
	live->end = true;
	pthread_cond_broadcast(&live->changed);
	/* What is being said may be said to its end, and keeps the connection; a control unit that hangs must not hold the boot up. */
	while (!live->ended && pthread_cond_timedwait(&live->changed, &live->lock, &when) == 0)
		;
	if (!live->ended)
		http_cancel(live->p->control);
	pthread_mutex_unlock(&live->lock);
	pthread_join(live->thread, NULL);
	http_resume(live->p->control);
	release(live);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/chores.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "control/campaigns.h"
#include "control/people.h"
#include "control/store.h"

#define BACKUP_SECONDS 86400
#define ROUND_SECONDS 1
#define BACKUP_ROUNDS 60u

struct chores {
	struct control *control;
	pthread_mutex_t mutex;
	pthread_cond_t wake;
	pthread_t thread;
	bool is_ending;
};

/* The age of the newest one decides, so that a restart makes none too many; one that fails is tried again each hour. */
static void back_up(struct chores *chores, int64_t *retry)
{
	int64_t now = time(NULL), newest = store_backup_time(chores->control->store_path);

	/* A backup of the future is one of a clock that was wrong. */
	if ((newest <= now && now - newest < BACKUP_SECONDS) || (now < *retry && now >= *retry - 3600))
		return;
	*retry = store_backup(chores->control->store_path, "daily", now) < 0 ? now + 3600 : 0;
}

static void look_at_store(struct control *control)
{
	if (store_trouble(control->store) == STORE_SOUND)
		return;
	control_lock(control);
	store_try(control->store);
	control_leave(control);
}

static void look_at_people(struct control *control)
{
	int64_t now = control_lock(control);

	people_round(control, now);
	control_leave(control);
}

static void *run(void *context)
{
	struct chores *chores = context;
	struct timespec until;
	int64_t retry = 0;
	unsigned round = 0;

	pthread_mutex_lock(&chores->mutex);
	while (!chores->is_ending) {
		pthread_mutex_unlock(&chores->mutex);
		look_at_store(chores->control);
		look_at_people(chores->control);
		campaigns_round(chores->control);
		store_checkpoint(chores->control->store_path);
		if (round++ % BACKUP_ROUNDS == 0)
			back_up(chores, &retry);
		pthread_mutex_lock(&chores->mutex);
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ROUND_SECONDS;
		while (!chores->is_ending && !pthread_cond_timedwait(&chores->wake, &chores->mutex, &until))
			;
	}
	pthread_mutex_unlock(&chores->mutex);
	return NULL;
}

static void free_chores(struct chores *chores)
{
	pthread_mutex_destroy(&chores->mutex);
	pthread_cond_destroy(&chores->wake);
	free(chores);
}

int chores_start(struct control *control, struct chores **ret_chores)
{
	struct chores *chores = calloc(1, sizeof *chores);
	pthread_condattr_t monotonic;
	int r;

	if (!chores)
		return -ENOMEM;
	chores->control = control;
	pthread_mutex_init(&chores->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&chores->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = pthread_create(&chores->thread, NULL, run, chores);
	if (r) {
		free_chores(chores);
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	}
	*ret_chores = chores;
	return 0;
}

void chores_stop(struct chores *chores)
{
	if (!chores)
		return;
	pthread_mutex_lock(&chores->mutex);
	chores->is_ending = true;
	pthread_cond_signal(&chores->wake);
	pthread_mutex_unlock(&chores->mutex);
	pthread_join(chores->thread, NULL);
	free_chores(chores);
}

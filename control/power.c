// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/power.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "control/power-driver.h"
#include "control/power-settings.h"
#include "control/power-text.h"
#include "control/store-power.h"

#define WORKER_STACK (512u * 1024)

enum stage { QUEUED, RUNNING, OVER };

/* The last job of a node. */
struct item {
	struct item *next;
	struct power_job job;
	enum stage stage;
	bool resumed;                /* of a control unit that ended: only looked at */
	/* Until it is over. */
	struct power_config config;
	struct buffer password;
};

struct power {
	struct control *control;
	struct sealing_key key;
	char *ipmitool;
	pthread_t workers[POWER_WORKERS];
	unsigned running_workers;
	uint64_t next_number;        /* guarded by control->lock */
	atomic_bool ending;

	pthread_mutex_t mutex;       /* guards what follows; taken within control->lock, never around it */
	pthread_cond_t wake;
	struct item *items;
};

/* Within the mutex. */
static struct item *find_item(struct power *power, const char *node)
{
	struct item *item = power->items;

	while (item && strcmp(item->job.node, node))
		item = item->next;
	return item;
}

static void release_inputs(struct item *item)
{
	if (item->password.data)
		explicit_bzero(item->password.data, item->password.size);
	buffer_release(&item->password);
	power_config_release(&item->config);
}

static void free_item(struct item *item)
{
	release_inputs(item);
	free(item);
}

static bool is_busy(struct power *power, const char *node)
{
	const struct item *item;
	bool busy;

	pthread_mutex_lock(&power->mutex);
	item = find_item(power, node);
	busy = item && item->stage != OVER;
	pthread_mutex_unlock(&power->mutex);
	return busy;
}

static int refuse_busy(char ret_error[ERROR_TEXT])
{
	refused(ret_error, "a power job of this node goes on; `repave node power show` says which");
	return -EBUSY;
}

/* ------------------------------------------------------------------ settings */

int power_set(struct power *power, const char *node, const json_t *body, int64_t now, char ret_error[ERROR_TEXT])
{
	if (is_busy(power, node))
		return refuse_busy(ret_error);
	return power_settings_store(power->control->store, &power->key, node, body, now, ret_error);
}

int power_remove(struct power *power, const char *node, char ret_error[ERROR_TEXT])
{
	int r = is_busy(power, node) ? refuse_busy(ret_error) : store_remove_power(power->control->store, node);

	if (r == -ENOENT)
		refused(ret_error, "the node has no power settings");
	return r;
}

bool power_has(struct power *power, const char *node)
{
	struct power_config config = { 0 };
	struct buffer sealed = { 0 };
	int r = store_get_power(power->control->store, node, &config, &sealed);

	power_config_release(&config);
	buffer_release(&sealed);
	return r == 0;
}

json_t *power_describe(struct power *power, const char *node)
{
	json_t *settings = power_settings_describe(power->control->store, node), *last;
	struct power_job job;
	int r = power_last(power, node, &job);

	last = r ? json_null() : power_job_describe(&job);
	/* NULL fails, and frees the other. */
	return json_pack("{so so}", "settings", settings, "job", last);
}

/* ------------------------------------------------------------------ the end of a job */

static void describe_end(const struct item *item, const struct power_work *work, int error, struct power_job *job)
{
	job->failed = error < 0 || item->resumed;
	if (item->resumed && error == 0)
		snprintf(job->text, sizeof job->text, "the control unit ended while this went on; it isn't done again, and the BMC says that the server is %s",
			 power_state_name(job->state));
	else if (item->resumed)
		snprintf(job->text, sizeof job->text, "the control unit ended while this went on; it isn't done again, and the server's state isn't known: %.200s",
			 work->error);
	else if (error < 0)
		snprintf(job->text, sizeof job->text, "%.300s%s", work->error[0] ? work->error : strerror(-error),
			 work->commanded && error != -EACCES && error != -EOPNOTSUPP && error != -EPERM ? "; it may have been done" : "");
	else if (job->action != POWER_STATUS && !work->commanded)
		snprintf(job->text, sizeof job->text, "it was %s already", power_state_name(job->state));
	power_text_clean(job->text);
}

static int tell(struct power *power, const struct power_job *job, int error)
{
	json_t *data = json_pack("{sI ss ss ss}", "job", (json_int_t)job->number, "action", power_action_name(job->action), "state",
				 power_state_name(job->state), "result", job->failed ? "failed" : "done");
	enum severity severity = job->failed ? SEVERITY_WARNING : SEVERITY_NOTICE;

	if (job->action == POWER_STATUS && error != -EACCES) {
		json_decref(data);
		return 0;
	}
	return control_event(power->control, job->ended, job->node, severity, "power", data, "power %s %s by its BMC%s%.300s",
			     power_action_name(job->action), job->failed ? "failed" : "done", job->text[0] ? ": " : "", job->text);
}

/* All of it, or nothing: a job whose end isn't stored is unfinished for the next start. */
static int store_end(struct power *power, const struct item *item, const struct power_job *job, int error)
{
	struct store *store = power->control->store;
	bool refusal = error == -EACCES;
	int r = store_begin(store);

	if (r < 0)
		return r;
	if (job->action != POWER_STATUS)
		r = store_put_power_job(store, job, POWER_JOBS_KEPT);
	if (!r && (refusal || (item->config.refused && error == 0)))
		r = store_note_power_refused(store, job->node, refusal ? job->ended : 0);
	if (!r)
		r = tell(power, job, error);
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

static void finish(struct power *power, struct item *item, const struct power_work *work, int error, enum power_state state)
{
	struct power_job job = item->job;
	int r = 0;

	job.ended = control_lock(power->control);
	job.state = state;
	describe_end(item, work, error, &job);
	/* Removed meanwhile. */
	if (fleet_get(power->control->fleet, job.node))
		r = store_end(power, item, &job, error);
	if (r < 0)
		log_warning("%s: the end of power job %llu isn't stored; it will count as interrupted", job.node, (unsigned long long)job.number);
	pthread_mutex_lock(&power->mutex);
	item->job = job;
	item->stage = OVER;
	release_inputs(item);
	pthread_mutex_unlock(&power->mutex);
	control_leave(power->control);
}

/* ------------------------------------------------------------------ the threads */

static void carry_out(struct power *power, struct item *item)
{
	struct power_work work = { .config = &item->config, .password = (const char *)item->password.data, .ipmitool = power->ipmitool,
				   .deadline = power_clock() + 1000 * (int64_t)item->config.timeout, .ending = &power->ending };
	enum power_state state;
	int r = power_carry_out(item->config.kind == POWER_IPMI ? &power_driver_ipmi : &power_driver_redfish, &work,
				item->resumed ? POWER_STATUS : item->job.action, &state);

	/* Broken off, it is left as it is for the next start. */
	if (r == 0 || !atomic_load(&power->ending))
		finish(power, item, &work, r, state);
}

static struct item *next_queued(struct power *power)
{
	struct item *item = power->items, *oldest = NULL;

	for (; item; item = item->next)
		if (item->stage == QUEUED && (!oldest || item->job.number < oldest->job.number))
			oldest = item;
	return oldest;
}

static void *work(void *context)
{
	struct power *power = context;
	struct item *item;

	pthread_mutex_lock(&power->mutex);
	while (!atomic_load(&power->ending)) {
		item = next_queued(power);
		if (!item) {
			pthread_cond_wait(&power->wake, &power->mutex);
			continue;
		}
		item->stage = RUNNING;
		pthread_mutex_unlock(&power->mutex);
		carry_out(power, item);
		pthread_mutex_lock(&power->mutex);
	}
	pthread_mutex_unlock(&power->mutex);
	return NULL;
}

/* Takes the item over, in place of the node's last one. */
static void enqueue(struct power *power, struct item *item)
{
	struct item **at = &power->items, *old;

	pthread_mutex_lock(&power->mutex);
	while (*at && strcmp((*at)->job.node, item->job.node))
		at = &(*at)->next;
	old = *at;
	item->next = old ? old->next : NULL;
	*at = item;
	pthread_cond_signal(&power->wake);
	pthread_mutex_unlock(&power->mutex);
	if (old)
		free_item(old);
}

static int check_refusal(const struct power_config *config, int64_t now, char ret_error[ERROR_TEXT])
{
	int64_t left = config->refused + POWER_REFUSED_SECONDS - now;

	/* One of the future is of a clock that was wrong. */
	if (!config->refused || left <= 0 || left > POWER_REFUSED_SECONDS)
		return 0;
	refused(ret_error, "the BMC refused user or password %lld s ago, and isn't asked again for %lld s, because BMCs lock accounts;"
		" `repave node power set` gives others", (long long)(now - config->refused), (long long)left);
	return -EACCES;
}

int power_start(struct power *power, const char *node, enum power_action action, uint64_t *ret_job, char ret_error[ERROR_TEXT])
{
	int64_t now = (int64_t)time(NULL);
	struct item *item;
	int r;

	if (is_busy(power, node))
		return refuse_busy(ret_error);
	item = calloc(1, sizeof *item);
	if (!item)
		return -ENOMEM;
	item->job = (struct power_job){ .number = power->next_number, .action = action, .started = now };
	snprintf(item->job.node, sizeof item->job.node, "%s", node);
	r = power_settings_load(power->control->store, &power->key, node, &item->config, &item->password, ret_error);
	if (!r)
		r = check_refusal(&item->config, now, ret_error);
	if (!r && action != POWER_STATUS)
		r = store_put_power_job(power->control->store, &item->job, POWER_JOBS_KEPT);
	if (r < 0) {
		free_item(item);
		return r;
	}
	*ret_job = power->next_number++;
	enqueue(power, item);
	return 0;
}

int power_result(struct power *power, uint64_t job, struct power_job *ret_job)
{
	const struct item *item;

	pthread_mutex_lock(&power->mutex);
	for (item = power->items; item && item->job.number != job; item = item->next)
		;
	if (item)
		*ret_job = item->job;
	pthread_mutex_unlock(&power->mutex);
	if (!item) {
		int r = store_get_power_job(power->control->store, job, ret_job);

		if (r < 0)
			return r;
	}
	return ret_job->ended ? 0 : -EAGAIN;
}

int power_last(struct power *power, const char *node, struct power_job *ret_job)
{
	const struct item *item;

	pthread_mutex_lock(&power->mutex);
	item = find_item(power, node);
	if (item)
		*ret_job = item->job;
	pthread_mutex_unlock(&power->mutex);
	return item ? 0 : store_last_power_job(power->control->store, node, ret_job);
}

/* ------------------------------------------------------------------ start and end */

/* What the control unit was doing when it ended: looked at, not done again. */
static int resume(void *context, const struct power_job *job)
{
	struct power *power = context;
	struct item *item = calloc(1, sizeof *item);
	char why[ERROR_TEXT];

	if (!item)
		return -ENOMEM;
	item->job = *job;
	item->resumed = true;
	if (power_settings_load(power->control->store, &power->key, job->node, &item->config, &item->password, why) < 0)
		item->stage = OVER;
	enqueue(power, item);
	return 0;
}

/* Those that can't even be looked at. */
static void finish_lost(struct power *power)
{
	for (struct item *item = power->items; item; item = item->next) {
		struct power_work work = { .error = "its power settings can't be used" };

		if (item->stage == OVER)
			finish(power, item, &work, -ENOENT, POWER_STATE_UNKNOWN);
	}
}

static int start_workers(struct power *power)
{
	pthread_attr_t attributes;
	int r = 0;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, WORKER_STACK);
	while (!r && power->running_workers < POWER_WORKERS) {
		r = pthread_create(&power->workers[power->running_workers], &attributes, work, power);
		if (!r)
			power->running_workers++;
	}
	pthread_attr_destroy(&attributes);
	return r ? log_error(-r, "can't start a thread; are its limits of threads and memory too small?") : 0;
}

/* Numbers that no job before had, stored or not. */
static int choose_number(struct power *power)
{
	uint64_t newest = 0, by_time = (uint64_t)time(NULL) * 1000;
	int r = store_newest_power_job(power->control->store, &newest);

	power->next_number = newest >= by_time ? newest + 1 : by_time;
	return r;
}

const struct sealing_key *power_sealing_key(const struct power *power)
{
	return &power->key;
}

static int find_key(struct power *power, const char *state)
{
	uint64_t count = 0;
	bool made = false;
	int r = sealing_key_find(state, &power->key, &made);

	if (!r && made)
		r = store_count_power(power->control->store, &count);
	if (count)
		log_warning("%s/" SEALING_KEY_FILE " was missing, and a new one was made: the passwords of %llu BMCs can't be opened until the old one is"
			    " put back, or they are set anew", state, (unsigned long long)count);
	return r;
}

int power_new(struct control *control, const char *state, const char *ipmitool, struct power **ret_power)
{
	struct power *power = calloc(1, sizeof *power);
	int r;

	if (!power || !(power->ipmitool = strdup(ipmitool))) {
		free(power);
		return -ENOMEM;
	}
	power->control = control;
	pthread_mutex_init(&power->mutex, NULL);
	pthread_cond_init(&power->wake, NULL);
	r = curl_global_init(CURL_GLOBAL_DEFAULT) ? -ENOMEM : find_key(power, state);
	if (!r)
		r = choose_number(power);
	if (!r)
		r = store_each_open_power_job(control->store, resume, power);
	if (!r) {
		finish_lost(power);
		r = start_workers(power);
	}
	if (r < 0) {
		power_free(power);
		return r;
	}
	*ret_power = power;
	return 0;
}

void power_free(struct power *power)
{
	if (!power)
		return;
	pthread_mutex_lock(&power->mutex);
	atomic_store(&power->ending, true);
	pthread_cond_broadcast(&power->wake);
	pthread_mutex_unlock(&power->mutex);
	while (power->running_workers)
		pthread_join(power->workers[--power->running_workers], NULL);
	while (power->items) {
		struct item *item = power->items;

		power->items = item->next;
		free_item(item);
	}
	sealing_key_wipe(&power->key);
	pthread_mutex_destroy(&power->mutex);
	pthread_cond_destroy(&power->wake);
	free(power->ipmitool);
	free(power);
}

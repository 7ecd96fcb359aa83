// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "control/online-keys.h"
#include "control/served.h"
#include "signing/repository.h"

#define ROUND_SECONDS 1
#define IDLE_SECONDS 60 /* when there was nothing to do after all */

/* What was said of a role. */
struct told {
	char name[ROLE_NAME_SHOWN + 1];
	bool delegated;
	unsigned step;
};

struct keeper {
	struct keeper_options options;
	pthread_t thread;
	bool is_running;

	pthread_mutex_t mutex;          /* guards the next four */
	pthread_cond_t wake;
	bool is_ending;
	char error[ERROR_TEXT];         /* of the last attempt to renew; "" when it went well */
	int64_t due;                    /* next renewal */

	/* The thread's own. */
	unsigned failures;
	int64_t retry;                  /* not before */
	struct stat staged;             /* folder of staged metadata when it was last taken up */
	uint64_t checked_root;          /* version of the root that the keys were compared with */
	int64_t check_keys;             /* when to compare them again */
	bool lacks_keys;                /* they weren't those */
	struct told *told;
	size_t told_count;
};

/* ------------------------------------------------------------------ renewing */

/* Whether somebody else (repave-sign) holds the repository's lock. Waiting for it would keep the daemon from ending. */
static bool is_locked(const char *repository)
{
	int fd = open(repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return locked;
}

/* Whether what was opened is what the control unit trusts. Its keys must not give new life to an older state of the repository,
 * which servers that know nothing yet would believe. */
static bool is_trusted(const struct repository *repository, const uint64_t versions[4])
{
	for (unsigned type = TUF_ROOT; type <= TUF_TARGETS; type++)
		if (repository->roles[type].version != versions[type])
			return false;
	return true;
}

static int publish(const struct keeper *keeper, const uint64_t versions[4], int64_t now)
{
	struct repository_policy policy = repository_policy_default;
	struct repository repository;
	int r = repository_open(keeper->options.repository, keeper->options.keys, &repository);

	if (r < 0)
		return r;
	policy.lifetime[TUF_SNAPSHOT] = keeper->options.policy.life[0];
	policy.lifetime[TUF_TIMESTAMP] = keeper->options.policy.life[1];
	if (is_trusted(&repository, versions))
		r = repository_publish(&repository, keeper->options.keys, &policy, PUBLISH_ONLINE, now);
	else
		r = -EAGAIN; /* published meanwhile */
	repository_close(&repository);
	return r;
}

static void note(struct keeper *keeper, const char *error)
{
	pthread_mutex_lock(&keeper->mutex);
	snprintf(keeper->error, sizeof keeper->error, "%s", error);
	pthread_mutex_unlock(&keeper->mutex);
}

/* For the status, and once for the log. */
static void tell(struct keeper *keeper, const char *why)
{
	char before[ERROR_TEXT];

	pthread_mutex_lock(&keeper->mutex);
	strcpy(before, keeper->error);
	pthread_mutex_unlock(&keeper->mutex);
	if (strcmp(before, why))
		log_warning("snapshot and timestamp can't be renewed: %s", why);
	note(keeper, why);
}

static void note_failure(struct keeper *keeper, int64_t now, int64_t expires, const char *why)
{
	tell(keeper, why);
	keeper->failures++;
	keeper->retry = renewal_retry(keeper->failures, now, expires);
}

/* Whether there was an attempt. */
static bool renew(struct keeper *keeper, int64_t now, int64_t expires)
{
	uint64_t versions[4] = { 0 };
	char why[ERROR_TEXT] = "";
	int r;

	/* A publication writes new metadata: the next round sees it. */
	if (is_locked(keeper->options.repository))
		return false;
	r = catalogue_trusted(keeper->options.catalogue, versions, why);
	if (r < 0) {
		note_failure(keeper, now, expires, why);
		return true;
	}
	r = publish(keeper, versions, now);
	if (r == -EAGAIN)
		return false;
	if (r < 0) {
		snprintf(why, sizeof why, "%s; the line before says more", strerror(-r));
		note_failure(keeper, now, expires, why);
		return true;
	}
	note(keeper, "");
	keeper->failures = 0;
	/* What expired and has no keys here isn't looked at each second. */
	keeper->retry = now + (r > 0 && r != PUBLISH_WAITS ? ROUND_SECONDS : IDLE_SECONDS);
	return true;
}

/* Metadata that others signed waits in staged/ for the online roles to name it. */
static bool is_staged_anew(const struct keeper *keeper, struct stat *ret_now)
{
	char *path;

	*ret_now = (struct stat){ 0 };
	if (asprintf(&path, "%s/staged", keeper->options.repository) < 0)
		return false;
	sighting_look(path, ret_now);
	free(path);
	return ret_now->st_ino && !sighting_same(ret_now, &keeper->staged);
}

/* ------------------------------------------------------------------ whether the keys are the right ones */

static uint64_t root_version(const struct keeper *keeper)
{
	const struct role_list *roles;
	uint64_t version = 0;

	pthread_mutex_lock(keeper->options.lock);
	roles = catalogue_roles(keeper->options.catalogue);
	for (size_t i = 0; !catalogue_error(keeper->options.catalogue) && i < roles->count; i++)
		if (roles->items[i].type == TUF_ROOT)
			version = roles->items[i].version;
	pthread_mutex_unlock(keeper->options.lock);
	return version;
}

/* At the start and after each new root, which may name other keys: not when it is nearly too late. */
static void check_keys(struct keeper *keeper, int64_t now)
{
	uint64_t root = keeper->options.policy.online ? root_version(keeper) : 0;
	char why[ERROR_TEXT] = "";

	if (!root || (root == keeper->checked_root && now < keeper->check_keys) || is_locked(keeper->options.repository))
		return;
	keeper->checked_root = root;
	keeper->lacks_keys = online_keys_compare(keeper->options.keys, keeper->options.repository, why) < 0;
	if (!keeper->lacks_keys) {
		keeper->check_keys = RENEWAL_NEVER;
		if (!keeper->failures)
			note(keeper, "");
		return;
	}
	keeper->check_keys = now + IDLE_SECONDS;
	tell(keeper, why);
}

/* ------------------------------------------------------------------ renewing in time */

/* The moments that matter to renewal, from the last reading. */
static void look_ahead(struct keeper *keeper, int64_t *ret_due, int64_t *ret_expires)
{
	const struct renewal_policy *policy = &keeper->options.policy;
	const struct role_list *roles;

	pthread_mutex_lock(keeper->options.lock);
	roles = catalogue_roles(keeper->options.catalogue);
	*ret_due = renewal_due_first(policy, roles);
	*ret_expires = RENEWAL_NEVER;
	for (size_t i = 0; i < roles->count; i++)
		if (renewal_is_online(&roles->items[i]) && roles->items[i].expires < *ret_expires)
			*ret_expires = roles->items[i].expires;
	/* What expired isn't among the roles that were accepted; and nothing else that is refused gets new signatures. */
	if (catalogue_error(keeper->options.catalogue))
		*ret_due = policy->online && catalogue_expired(keeper->options.catalogue) ? 0 : RENEWAL_NEVER;
	pthread_mutex_unlock(keeper->options.lock);
}

static void renew_if_due(struct keeper *keeper, int64_t now)
{
	int64_t due, expires;
	struct stat staged;
	bool is_news = is_staged_anew(keeper, &staged);

	look_ahead(keeper, &due, &expires);
	/* Told already, and looked at again each minute. */
	if (keeper->lacks_keys && root_version(keeper))
		return;
	/* The clock went back: an attempt that was put off by it isn't. */
	if (keeper->retry > now + 3600)
		keeper->retry = now;
	if ((now > due && now >= keeper->retry) || (due != RENEWAL_NEVER && is_news && !keeper->failures)) {
		if (renew(keeper, now, expires))
			keeper->staged = staged;
		catalogue_check(keeper->options.catalogue, now);
		look_ahead(keeper, &due, &expires);
	}
	pthread_mutex_lock(&keeper->mutex);
	keeper->due = due;
	pthread_mutex_unlock(&keeper->mutex);
}

/* ------------------------------------------------------------------ warning */

static struct told *told_of(struct keeper *keeper, const struct role_state *role)
{
	struct told *grown;

	for (size_t i = 0; i < keeper->told_count; i++)
		if (keeper->told[i].delegated == role->delegated && !strcmp(keeper->told[i].name, role->name))
			return &keeper->told[i];
	grown = reallocarray(keeper->told, keeper->told_count + 1, sizeof *grown);
	if (!grown)
		return NULL;
	keeper->told = grown;
	grown += keeper->told_count++;
	*grown = (struct told){ .delegated = role->delegated };
	strcpy(grown->name, role->name);
	return grown;
}

/* Once for each step of each role. */
static void warn(struct keeper *keeper, int64_t now)
{
	const struct renewal_policy *policy = &keeper->options.policy;
	const struct role_list *roles;
	char sentence[ERROR_TEXT];

	pthread_mutex_lock(keeper->options.lock);
	roles = catalogue_roles(keeper->options.catalogue);
	/* What is refused was told already, and must be mended first. */
	for (size_t i = 0; !catalogue_error(keeper->options.catalogue) && i < roles->count; i++) {
		unsigned step = renewal_step(policy, &roles->items[i], now);
		struct told *told = told_of(keeper, &roles->items[i]);

		if (told && step > told->step) {
			renewal_sentence(policy, &roles->items[i], now, sentence);
			log_warning("%s", sentence);
		}
		if (told)
			told->step = step;
	}
	pthread_mutex_unlock(keeper->options.lock);
}

/* ------------------------------------------------------------------ the thread */

void keeper_round(struct keeper *keeper)
{
	int64_t now = time(NULL);

	catalogue_check(keeper->options.catalogue, now);
	check_keys(keeper, now);
	renew_if_due(keeper, now);
	warn(keeper, now);
}

static void *run(void *context)
{
	struct keeper *keeper = context;
	struct timespec until;

	pthread_mutex_lock(&keeper->mutex);
	while (!keeper->is_ending) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += ROUND_SECONDS;
		if (pthread_cond_timedwait(&keeper->wake, &keeper->mutex, &until) != ETIMEDOUT)
			continue;
		pthread_mutex_unlock(&keeper->mutex);
		keeper_round(keeper);
		pthread_mutex_lock(&keeper->mutex);
	}
	pthread_mutex_unlock(&keeper->mutex);
	return NULL;
}

int keeper_new(const struct keeper_options *options, struct keeper **ret_keeper)
{
	struct keeper *keeper;
	pthread_condattr_t monotonic;
	int r = options->keys ? online_keys_check(options->keys) : 0;

	if (r < 0)
		return r;
	keeper = calloc(1, sizeof *keeper);
	if (!keeper)
		return -ENOMEM;
	keeper->options = *options;
	keeper->options.policy.online = options->keys != NULL;
	keeper->due = RENEWAL_NEVER;
	pthread_mutex_init(&keeper->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&keeper->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	*ret_keeper = keeper;
	return 0;
}

int keeper_start(struct keeper *keeper)
{
	int r = pthread_create(&keeper->thread, NULL, run, keeper);

	keeper->is_running = r == 0;
	return r ? log_error(-r, "can't start a thread; are its limits of threads and memory too small?") : 0;
}

void keeper_free(struct keeper *keeper)
{
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->mutex);
	keeper->is_ending = true;
	pthread_cond_signal(&keeper->wake);
	pthread_mutex_unlock(&keeper->mutex);
	if (keeper->is_running)
		pthread_join(keeper->thread, NULL);
	pthread_mutex_destroy(&keeper->mutex);
	pthread_cond_destroy(&keeper->wake);
	free(keeper->told);
	free(keeper);
}

/* ------------------------------------------------------------------ telling */

static json_t *describe_role(const struct renewal_policy *policy, const struct role_state *role, int64_t now)
{
	char sentence[ERROR_TEXT] = "";

	if (renewal_step(policy, role, now))
		renewal_sentence(policy, role, now, sentence);
	return json_pack("{ss sb sI sI so}", "name", role->name, "delegated", (int)role->delegated, "version",
			 (json_int_t)role->version, "expires", (json_int_t)role->expires, "warning",
			 sentence[0] ? json_string(sentence) : json_null());
}

json_t *keeper_describe(struct keeper *keeper, int64_t now)
{
	const struct renewal_policy *policy = &keeper->options.policy;
	const struct role_list *roles = catalogue_roles(keeper->options.catalogue);
	json_t *list = json_array(), *all;

	for (size_t i = 0; i < roles->count; i++)
		json_array_append_new(list, describe_role(policy, &roles->items[i], now));
	pthread_mutex_lock(&keeper->mutex);
	all = json_pack("{sb so so so}", "online", (int)policy->online, "due",
			policy->online && keeper->due != RENEWAL_NEVER ? json_integer((json_int_t)keeper->due) : json_null(), "error",
			keeper->error[0] ? json_string(keeper->error) : json_null(), "roles", list);
	pthread_mutex_unlock(&keeper->mutex);
	return all;
}

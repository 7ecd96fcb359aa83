// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/messenger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "common/json.h"
#include "common/log.h"

#define LOOK_SECONDS 1
#define STORE_PAUSE_MS 30000 /* the message was sent, and that can't be stored: not again and again */

/* A message on its way, in a thread of its own. */
struct errand {
	struct messenger *messenger;
	pthread_t thread;
	bool has_thread;
	bool is_over;                   /* within the mutex */
	struct message_settings copy;   /* of its target alone */
	struct message message;
	int result;
	char error[MESSAGE_ERROR_MOST + 1];
};

struct messenger {
	struct control *control;
	pthread_mutex_t mutex;          /* never held when the lock of all is taken */
	pthread_cond_t wake;
	pthread_t thread;
	bool is_awake;
	atomic_bool is_ending;
	struct errand *errands[MESSAGE_TARGETS_MOST]; /* of the thread */
	size_t count;
};

static int64_t steady_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void messenger_wake(struct messenger *messenger)
{
	if (!messenger)
		return;
	pthread_mutex_lock(&messenger->mutex);
	messenger->is_awake = true;
	pthread_cond_signal(&messenger->wake);
	pthread_mutex_unlock(&messenger->mutex);
}

/* ------------------------------------------------------------------ one errand */

static void free_errand(struct errand *errand)
{
	message_settings_release(&errand->copy);
	message_release(&errand->message);
	free(errand);
}

static void *go(void *context)
{
	struct errand *errand = context;

	errand->result = message_send(&errand->copy.items[0], errand->message.id, errand->message.facts, &errand->messenger->is_ending, errand->error);
	pthread_mutex_lock(&errand->messenger->mutex);
	errand->is_over = true;
	errand->messenger->is_awake = true;
	pthread_cond_signal(&errand->messenger->wake);
	pthread_mutex_unlock(&errand->messenger->mutex);
	return NULL;
}

static void send_out(struct errand *errand)
{
	int r = pthread_create(&errand->thread, NULL, go, errand);

	errand->has_thread = r == 0;
	if (!r)
		return;
	errand->result = -r;
	strcpy(errand->error, "there is no thread for it");
	errand->is_over = true;
}

/* ------------------------------------------------------------------ what came of it, within the lock of all */

static bool is_test(const struct message *message)
{
	const char *class = json_get_string(message->facts, "class");

	return class && !strcmp(class, "test");
}

static uint32_t random_number(void)
{
	uint32_t number = 0;

	return getrandom(&number, sizeof number, GRND_NONBLOCK) == (ssize_t)sizeof number ? number : 256;
}

static int note_success(struct control *control, struct message_state *state, const struct message *message)
{
	if (state->failures)
		log_info("messages to %s arrive again", state->name);
	state->failures = 0;
	state->failing_since = 0;
	state->sent++;
	return store_end_message(control->store, message);
}

static int note_failure(struct control *control, struct message_state *state, const struct errand *errand, int64_t now)
{
	const struct message *message = &errand->message;
	const struct message_target *target = &errand->copy.items[0];

	if (!state->failures)
		log_warning("a message to %s failed: %s", state->name, errand->error);
	state->failures++;
	state->failed++;
	if (!state->failing_since)
		state->failing_since = now;
	/* Who tries looks at the answer himself. */
	if (is_test(message))
		return store_end_message(control->store, message);
	state->pause_until = steady_ms() + 1000 * (int64_t)message_backoff(target->retry, state->failures, random_number());
	return store_delay_message(control->store, message->sequence, now + message_backoff(target->retry, message->tries + 1, random_number()), errand->error);
}

static void note_try(struct message_try *try, const struct errand *errand, int64_t now)
{
	strcpy(try->id, errand->message.id);
	try->at = now;
	try->ok = errand->result == 0;
	strcpy(try->error, errand->error);
}

static void come_back(struct control *control, const struct errand *errand, int64_t now)
{
	struct message_state *state = messages_state(control->messages, errand->message.target);
	int r;

	/* The settings may have changed meanwhile, and with a target its messages go. */
	if (!state)
		return;
	state->busy = false;
	if (errand->result == -ECANCELED)
		return;
	note_try(&state->last, errand, now);
	if (is_test(&errand->message))
		note_try(&state->test, errand, now);
	r = errand->result ? note_failure(control, state, errand, now) : note_success(control, state, &errand->message);
	if (r < 0)
		state->pause_until = steady_ms() + STORE_PAUSE_MS;
}

/* ------------------------------------------------------------------ what is next, within the lock of all */

static void give_up(struct control *control, const struct message_target *target, struct message_state *state, int64_t now)
{
	uint64_t waiting = 0, dropped = 0;
	int64_t oldest = 0;
	int r = store_count_messages(control->store, target->name, &waiting, &oldest);

	if (r < 0 || !waiting || oldest >= now - (int64_t)target->give_up || store_begin(control->store) < 0)
		return;
	r = store_drop_messages(control->store, target->name, "", now - (int64_t)target->give_up, &dropped);
	if (!r && dropped)
		r = control_event(control, now, "", SEVERITY_WARNING, MESSAGE_LOST_KIND, json_pack("{ss sI}", "target", target->name, "messages",
				  (json_int_t)dropped), "%llu message(s) to %s were given up after %u s: %.160s", (unsigned long long)dropped, target->name,
				  target->give_up, state->last.error);
	if (!r)
		r = store_commit(control->store);
	else
		store_rollback(control->store);
	if (!r)
		state->lost += dropped;
}

/* The errand for the target's next message; NULL without. */
static struct errand *take_next(struct messenger *messenger, const struct message_target *target, int64_t now)
{
	struct messages *messages = messenger->control->messages;
	struct errand *errand = calloc(1, sizeof *errand);
	int r = errand ? store_next_message(messenger->control->store, target->name, now, MESSAGE_BACKOFF_MOST, &errand->message) : -ENOMEM;

	if (!r)
		r = message_target_copy(target, messages->folder, &messages->settings, &errand->copy);
	if (!r && errand->message.count &&
	    (json_object_set_new(errand->message.facts, "count", json_integer((json_int_t)errand->message.count)) < 0 ||
	     json_object_set_new(errand->message.facts, "alarms", json_integer((json_int_t)errand->message.alarms)) < 0))
		r = -ENOMEM;
	if (r < 0 && errand)
		free_errand(errand);
	if (r < 0)
		return NULL;
	errand->messenger = messenger;
	return errand;
}

static void choose(struct messenger *messenger, int64_t now)
{
	struct messages *messages = messenger->control->messages;
	int64_t now_ms = steady_ms();

	for (size_t i = 0; i < messages->settings.count; i++) {
		struct message_state *state = &messages->states[i];
		struct errand *errand;

		if (state->busy || messenger->count == MESSAGE_TARGETS_MOST)
			continue;
		give_up(messenger->control, &messages->settings.items[i], state, now);
		if (state->pause_until > now_ms)
			continue;
		errand = take_next(messenger, &messages->settings.items[i], now);
		if (!errand)
			continue;
		state->busy = true;
		messenger->errands[messenger->count++] = errand;
	}
}

/* ------------------------------------------------------------------ the thread */

/* Moves those that are over to `ret_over`. */
static size_t collect(struct messenger *messenger, struct errand *ret_over[MESSAGE_TARGETS_MOST])
{
	size_t over = 0, kept = 0;

	pthread_mutex_lock(&messenger->mutex);
	for (size_t i = 0; i < messenger->count; i++) {
		if (messenger->errands[i]->is_over)
			ret_over[over++] = messenger->errands[i];
		else
			messenger->errands[kept++] = messenger->errands[i];
	}
	messenger->count = kept;
	pthread_mutex_unlock(&messenger->mutex);
	for (size_t i = 0; i < over; i++)
		if (ret_over[i]->has_thread)
			pthread_join(ret_over[i]->thread, NULL);
	return over;
}

static void look(struct messenger *messenger)
{
	struct errand *over[MESSAGE_TARGETS_MOST];
	size_t ended = collect(messenger, over), before;
	int64_t now = control_lock(messenger->control);

	for (size_t i = 0; i < ended; i++)
		come_back(messenger->control, over[i], now);
	before = messenger->count;
	if (!atomic_load(&messenger->is_ending))
		choose(messenger, now);
	control_leave(messenger->control);
	for (size_t i = 0; i < ended; i++)
		free_errand(over[i]);
	for (size_t i = before; i < messenger->count; i++)
		send_out(messenger->errands[i]);
}

static void wait(struct messenger *messenger)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += LOOK_SECONDS;
	pthread_mutex_lock(&messenger->mutex);
	while (!messenger->is_awake && !pthread_cond_timedwait(&messenger->wake, &messenger->mutex, &until))
		;
	messenger->is_awake = false;
	pthread_mutex_unlock(&messenger->mutex);
}

static void *run(void *context)
{
	struct messenger *messenger = context;

	/* Those under way end soon when it ends: they look at is_ending. */
	while (!atomic_load(&messenger->is_ending) || messenger->count) {
		look(messenger);
		wait(messenger);
	}
	return NULL;
}

static void free_messenger(struct messenger *messenger)
{
	pthread_mutex_destroy(&messenger->mutex);
	pthread_cond_destroy(&messenger->wake);
	free(messenger);
}

int messenger_start(struct control *control)
{
	struct messenger *messenger = calloc(1, sizeof *messenger);
	pthread_condattr_t monotonic;
	int r;

	if (!messenger)
		return -ENOMEM;
	messenger->control = control;
	pthread_mutex_init(&messenger->mutex, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&messenger->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	r = pthread_create(&messenger->thread, NULL, run, messenger);
	if (r) {
		free_messenger(messenger);
		return log_error(-r, "can't start a thread; are its limits of threads and memory too small?");
	}
	control_lock(control);
	control->messages->messenger = messenger;
	control_leave(control);
	return 0;
}

void messenger_stop(struct control *control)
{
	struct messenger *messenger = control->messages ? control->messages->messenger : NULL;

	if (!messenger)
		return;
	control_lock(control);
	control->messages->messenger = NULL;
	control_leave(control);
	atomic_store(&messenger->is_ending, true);
	messenger_wake(messenger);
	pthread_join(messenger->thread, NULL);
	free_messenger(messenger);
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/control.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/log.h"
#include "control/message-desk.h"

int64_t control_enter(struct control *control, bool wait)
{
	int64_t now = time(NULL);

	catalogue_follow(control->catalogue, now, wait);
	pthread_mutex_lock(&control->lock);
	return now;
}

int64_t control_lock(struct control *control)
{
	pthread_mutex_lock(&control->lock);
	return time(NULL);
}

void control_leave(struct control *control)
{
	pthread_mutex_unlock(&control->lock);
}

const char *control_bearer(const char *authorization)
{
	static const char scheme[] = "Bearer ";

	return authorization && !strncmp(authorization, scheme, sizeof scheme - 1) ? authorization + sizeof scheme - 1 : NULL;
}

/* Of a clock that nobody sets. */
static int64_t steady_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec;
}

bool control_throttled(struct control *control, const struct http_call *call, struct http_answer *answer)
{
	unsigned seconds = throttle_wait(control->throttle, call->peer, steady_seconds());

	if (seconds) {
		http_answer_error(answer, 429, "too many wrong tokens came from this address; wait, and check the token");
		answer->retry_after = seconds;
	}
	return seconds != 0;
}

void control_note_wrong(struct control *control, const struct http_call *call)
{
	int64_t now = steady_seconds();

	throttle_note(control->throttle, call->peer, now);
	if (!throttle_wait(control->throttle, call->peer, now))
		return;
	now = control_lock(control);
	control_event(control, now, "", SEVERITY_WARNING, "wrong-tokens", json_pack("{ss}", "address", call->peer),
		      "%s showed %u wrong tokens within a minute; tokens from there aren't looked at until that is over", call->peer, THROTTLE_MOST);
	control_leave(control);
}

/* An event and what is told of it are durable together. */
static int store_event(struct control *control, const struct event *event)
{
	int r;

	if (!messages_want_event(control, event))
		return store_add_event(control->store, event);
	r = store_begin(control->store);
	if (r < 0)
		return r;
	r = store_add_event(control->store, event);
	if (!r)
		r = messages_note_event(control, event);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

int control_event(struct control *control, int64_t now, const char *node, enum severity severity, const char *kind, json_t *data,
		  const char *format, ...)
{
	char text[ERROR_TEXT];
	struct event event = { .time = now, .node = node, .severity = severity, .kind = kind, .text = text, .data = data };
	va_list args;
	int r;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	control->meters.events[severity]++;
	r = store_event(control, &event);
	json_decref(data);
	/* It is tried again and again until the store takes it. */
	if (r < 0 || store_trouble(control->store) != STORE_SOUND)
		return r;
	if (severity >= SEVERITY_WARNING)
		log_warning("%s%s%s", node, node[0] ? ": " : "", text);
	else
		log_info("%s%s%s", node, node[0] ? ": " : "", text);
	return r;
}

void control_log_refused(struct control *control, const char *format, ...)
{
	struct refusals *refusals = &control->refusals;
	int64_t minute = steady_seconds() / 60;
	unsigned left_out = 0;
	bool is_said = false;
	char text[ERROR_TEXT];
	va_list args;

	pthread_mutex_lock(&refusals->mutex);
	if (minute != refusals->minute) {
		left_out = refusals->left_out;
		refusals->minute = minute;
		refusals->said = refusals->left_out = 0;
	}
	if (format && refusals->said < REFUSALS_SAID) {
		refusals->said++;
		is_said = true;
	} else if (format) {
		refusals->left_out++;
	}
	pthread_mutex_unlock(&refusals->mutex);
	if (left_out)
		log_warning("%u more requests were refused within a minute; after the first %u they are only counted", left_out, REFUSALS_SAID);
	if (!is_said)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_warning("%s", text);
}

#define DECISIONS_SETTING "decisions"

int control_load_decisions(struct control *control)
{
	struct decision_settings initial;
	char why[ERROR_TEXT] = "";
	json_t *stored = NULL;
	int r = decision_settings_init(&initial);

	if (r < 0)
		return r;
	control->decisions = initial;
	r = store_get_setting(control->store, DECISIONS_SETTING, &stored);
	if (r < 0 || !stored)
		return r;
	r = decision_settings_change(&initial, json_object_get(stored, "decisions"), json_object_get(stored, "rules"), &control->decisions, why);
	json_decref(stored);
	if (r == -EINVAL)
		return log_error(r, "the settings of decisions in the database are damaged: %s", why);
	if (!r)
		decision_settings_release(&initial);
	return r;
}

int control_store_decisions(struct control *control, const struct decision_settings *settings)
{
	json_t *stored = decision_settings_format(settings);
	int r = stored ? store_put_setting(control->store, DECISIONS_SETTING, stored) : -ENOMEM;

	json_decref(stored);
	return r;
}

unsigned control_status(int error)
{
	switch (error) {
	case -EINVAL:
		return 400;
	case -ENOENT:
		return 404;
	case -EEXIST:
	case -ENOTUNIQ:
	case -EMEDIUMTYPE:
	case -EBUSY:
	case -EAGAIN:
	case -EDQUOT:
		return 409;
	}
	return 500;
}

void control_explain(const struct control *control, struct http_answer *answer)
{
	enum store_trouble trouble = store_trouble(control->store);
	char sentence[ERROR_TEXT];

	if (answer->status != 500 || trouble == STORE_SOUND)
		return;
	store_trouble_sentence(control->store, sentence);
	http_answer_error(answer, trouble == STORE_FULL ? 507 : trouble == STORE_DAMAGED ? 500 : 503, sentence);
}

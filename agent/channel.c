/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/channel.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"

#define WAIT_MOST_MS 60000u
#define WAIT_LEAST_MS 200u

static const char *const result_names[] = { [RESULT_DONE] = "done", [RESULT_FAILED] = "failed", [RESULT_REFUSED] = "refused" };

const char *order_result_name(enum order_result result)
{
	return result_names[result];
}

/* Paths, names and programs' outputs may hold anything; what is cut may end within a character. */
static void copy_clean(char *to, size_t room, const char *from)
{
	size_t i;

	for (i = 0; i + 1 < room && from[i] != '\0'; i++)
		to[i] = from[i] >= 0x20 && from[i] < 0x7f ? from[i] : '?';
	to[i] = '\0';
}

void channel_init(struct channel *channel, const char *boot_id, double uptime)
{
	memset(channel, 0, sizeof(*channel));
	copy_clean(channel->boot_id, sizeof(channel->boot_id), boot_id);
	channel->interval = INTERVAL_DEFAULT;
	channel->sequence = channel->alarm_sequence = uptime > 0 && uptime < 1e12 ? (uint64_t)(uptime * 1000) : 0;
}

void channel_alarm(struct channel *channel, int64_t now, const char *kind, const char *text)
{
	struct alarm_entry *alarm;

	if (channel->alarm_count == ALARMS_MOST) {
		channel->alarms_lost++;
		return;
	}
	alarm = &channel->alarms[(channel->alarm_first + channel->alarm_count++) % ALARMS_MOST];
	alarm->sequence = ++channel->alarm_sequence;
	alarm->time = now;
	copy_clean(alarm->kind, sizeof(alarm->kind), kind);
	copy_clean(alarm->text, sizeof(alarm->text), text);
}

/* ------------------------------------------------------------------ status */
size_t channel_status_begin(struct channel *channel)
{
	channel->sequence++;
	for (size_t i = 0; i < RESULTS_MOST; i++)
		channel->outcomes[i].in_flight = channel->outcomes[i].number != 0 && !channel->outcomes[i].told;
	return channel->alarm_count < ALARMS_IN_STATUS ? channel->alarm_count : ALARMS_IN_STATUS;
}

void channel_status_failed(struct channel *channel)
{
	for (size_t i = 0; i < RESULTS_MOST; i++)
		channel->outcomes[i].in_flight = false;
	channel->failures++;
}

static struct order_outcome *outcome_of(struct channel *channel, uint64_t number)
{
	for (size_t i = 0; i < RESULTS_MOST; i++)
		if (channel->outcomes[i].number == number && number != 0)
			return &channel->outcomes[i];
	return NULL;
}

static void note_outcome(struct channel *channel, uint64_t number, enum order_result result, const char *text)
{
	struct order_outcome *outcome = outcome_of(channel, number);

	if (outcome == NULL) {
		outcome = &channel->outcomes[channel->outcome_next];
		channel->outcome_next = (channel->outcome_next + 1) % RESULTS_MOST;
	}
	*outcome = (struct order_outcome){ .number = number, .result = result };
	copy_clean(outcome->text, sizeof(outcome->text), text);
}

static bool is_queued(const struct channel *channel, uint64_t number)
{
	for (size_t i = 0; i < channel->queue_count; i++)
		if (channel->queue[i].number == number)
			return true;
	return false;
}

/* An order that isn't carried out again: its answer was lost on the way, or on the control unit. */
static void tell_again(struct channel *channel, uint64_t number)
{
	struct order_outcome *outcome = outcome_of(channel, number);

	if (outcome != NULL)
		outcome->told = false;
	else
		note_outcome(channel, number, RESULT_FAILED, "it isn't a new one, and how it ended isn't known");
}

static void take_order(struct channel *channel, const struct order *order)
{
	if (order->number == channel->running || is_queued(channel, order->number))
		return;
	if (order->number <= channel->begun || outcome_of(channel, order->number) != NULL)
		tell_again(channel, order->number);
	else if (order->boot_id[0] != '\0' && strcmp(order->boot_id, channel->boot_id) != 0)
		note_outcome(channel, order->number, RESULT_REFUSED, "it is for another boot of this server");
	else if (order->action == ACTION_INVALID)
		note_outcome(channel, order->number, RESULT_REFUSED, order->text);
	else if (channel->queue_count < ORDERS_MOST)
		channel->queue[channel->queue_count++] = *order;
	/* else it comes again, as it isn't answered */
}

void channel_status_answered(struct channel *channel, const struct control_answer *answer)
{
	channel->failures = 0;
	channel->interval = answer->interval;
	while (channel->alarm_count > 0 && channel->alarms[channel->alarm_first].sequence <= answer->acknowledged) {
		channel->alarm_first = (channel->alarm_first + 1) % ALARMS_MOST;
		channel->alarm_count--;
	}
	for (size_t i = 0; i < RESULTS_MOST; i++) {
		channel->outcomes[i].told |= channel->outcomes[i].in_flight;
		channel->outcomes[i].in_flight = false;
	}
	for (size_t i = 0; i < answer->order_count; i++)
		take_order(channel, &answer->orders[i]);
}

/* ------------------------------------------------------------------ orders */
static void refuse_late(struct channel *channel, const struct order *order, int64_t now)
{
	char text[80];

	snprintf(text, sizeof(text), "it expired %" PRId64 " s ago by this server's clock", now - order->expires);
	note_outcome(channel, order->number, RESULT_REFUSED, text);
}

bool channel_begin_order(struct channel *channel, int64_t now, struct order *ret_order)
{
	while (channel->running == 0 && channel->queue_count > 0) {
		*ret_order = channel->queue[0];
		channel->queue_count--;
		memmove(channel->queue, channel->queue + 1, channel->queue_count * sizeof(*channel->queue));
		if (ret_order->expires <= now) {
			refuse_late(channel, ret_order, now);
			continue;
		}
		channel->running = ret_order->number;
		if (ret_order->number > channel->begun)
			channel->begun = ret_order->number;
		return true;
	}
	return false;
}

void channel_end_order(struct channel *channel, uint64_t number, enum order_result result, const char *text)
{
	if (channel->running == number)
		channel->running = 0;
	note_outcome(channel, number, result, text);
}

bool channel_was_told(const struct channel *channel, uint64_t number)
{
	for (size_t i = 0; i < RESULTS_MOST; i++)
		if (channel->outcomes[i].number == number)
			return channel->outcomes[i].told;
	return false;
}

bool channel_has_news(const struct channel *channel)
{
	for (size_t i = 0; i < RESULTS_MOST; i++)
		if (channel->outcomes[i].number != 0 && !channel->outcomes[i].told)
			return true;
	return false;
}

unsigned channel_wait_ms(unsigned failures, unsigned interval, uint32_t random)
{
	uint64_t most = (uint64_t)interval * 1000;

	for (unsigned i = 1; i < failures && most < WAIT_MOST_MS; i++)
		most *= 2;
	if (most > WAIT_MOST_MS)
		most = WAIT_MOST_MS;
	return WAIT_LEAST_MS + (unsigned)(most * random >> 32);
}

/* ------------------------------------------------------------------ the state file */
char *channel_state_format(const struct channel *channel)
{
	json_t *json = json_pack("{s:i,s:I,s:[]}", "format", 1, "begun", (json_int_t)channel->begun, "ended");
	json_t *ended = json_object_get(json, "ended");
	char *text;

	for (size_t i = 0; i < RESULTS_MOST; i++) {
		const struct order_outcome *outcome = &channel->outcomes[(channel->outcome_next + i) % RESULTS_MOST];

		if (outcome->number != 0)
			json_array_append_new(ended, json_pack("{s:I,s:s,s:s,s:b}", "order", (json_int_t)outcome->number, "result",
							       result_names[outcome->result], "text", outcome->text, "told", outcome->told));
	}
	text = json != NULL ? json_format(json) : NULL;
	json_decref(json);
	return text;
}

static int outcome_parse(const json_t *json, struct channel *channel)
{
	const char *result = json_get_string(json, "result"), *text = json_get_string(json, "text");
	uint64_t number;

	if (result == NULL || text == NULL || json_get_u64(json, "order", &number) < 0 || number == 0)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(result_names) / sizeof(*result_names); i++) {
		if (strcmp(result, result_names[i]) != 0)
			continue;
		note_outcome(channel, number, (enum order_result)i, text);
		outcome_of(channel, number)->told = json_is_true(json_object_get(json, "told"));
		return 0;
	}
	return -EINVAL;
}

int channel_state_parse(struct channel *channel, const void *text, size_t size)
{
	char error[160];
	json_t *json = json_parse(text, size, error);
	const json_t *ended = json_get_array(json, "ended");
	uint64_t format, begun;
	int r = -EINVAL;

	if (ended != NULL && json_array_size(ended) <= RESULTS_MOST && json_get_u64(json, "format", &format) == 0 &&
	    format == 1 && json_get_u64(json, "begun", &begun) == 0) {
		r = 0;
		for (size_t i = 0; r == 0 && i < json_array_size(ended); i++)
			r = outcome_parse(json_array_get(ended, i), channel);
		if (r == 0)
			channel->begun = begun;
		else
			memset(channel->outcomes, 0, sizeof(channel->outcomes)), channel->outcome_next = 0;
	}
	json_decref(json);
	return r;
}

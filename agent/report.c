/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Three digits are more than any of these numbers is worth, and short in the text. */
static json_t *real(double value)
{
	return json_real(round(value * 1000) / 1000);
}

/* Names that others chose: bytes that JSON doesn't take must not cost the whole status. */
static json_t *text_json(const char *text)
{
	json_t *json = json_string(text);
	char clean[160];
	size_t i;

	if (json != NULL)
		return json;
	for (i = 0; i + 1 < sizeof(clean) && text[i] != '\0'; i++)
		clean[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	clean[i] = '\0';
	return json_string(clean);
}

static json_t *pressure_json(const struct measures *m)
{
	static const char *const names[] = { "cpu", "memory", "io" };
	json_t *json = json_object();

	for (int i = 0; i < 3; i++)
		if (m->has_pressure[i])
			json_object_set_new(json, names[i],
					    json_pack("{s:o,s:o}", "some", real(m->pressure[i].some), "full", real(m->pressure[i].full)));
	return json;
}

static json_t *disks_json(const struct measures *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->disk_count; i++)
		json_array_append_new(list, json_pack("{s:o,s:o,s:I,s:I}", "mount", text_json(m->disks[i].mount.place), "type",
						      text_json(m->disks[i].mount.type), "size", (json_int_t)m->disks[i].size, "used",
						      (json_int_t)m->disks[i].used));
	return list;
}

static json_t *network_json(const struct measures *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->interface_count; i++) {
		const struct interface *at = &m->interfaces[i];

		json_array_append_new(list, json_pack("{s:o,s:I,s:I,s:I,s:I}", "name", text_json(at->name), "received",
						      (json_int_t)at->received, "sent", (json_int_t)at->sent, "receive_errors",
						      (json_int_t)at->receive_errors, "send_errors", (json_int_t)at->send_errors));
	}
	return list;
}

static json_t *users_json(const struct measures *m)
{
	json_t *list = json_array();

	for (size_t i = 0; i < m->user_count && i < USERS_MOST; i++) {
		const struct logged_in *user = &m->users[i];
		json_t *json = json_pack("{s:o,s:i}", "name", text_json(user->name), "process", (int)user->process);

		if (user->terminal[0] != '\0')
			json_object_set_new(json, "terminal", text_json(user->terminal));
		if (user->from[0] != '\0')
			json_object_set_new(json, "from", text_json(user->from));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *health_json(const struct health *health)
{
	static const char *const names[] = { [HEALTH_UNKNOWN] = "unknown", [HEALTH_NONE] = "none", [HEALTH_GOOD] = "healthy",
					     [HEALTH_BAD] = "unhealthy" };
	json_t *json = json_pack("{s:s}", "state", names[health->state]);

	if (health->state == HEALTH_GOOD || health->state == HEALTH_BAD)
		json_object_set_new(json, "milliseconds", real(health->milliseconds));
	if (health->state == HEALTH_BAD)
		json_object_set_new(json, "error", text_json(health->error));
	return json;
}

static void add_slot(json_t *images, const char *name, const struct slot_state *slot)
{
	json_t *json;

	if (slot->root_hash[0] == '\0')
		return;
	json = json_pack("{s:s}", "root_hash", slot->root_hash);
	if (slot->verity != 0)
		json_object_set_new(json, "verity", json_stringn(&slot->verity, 1));
	json_object_set_new(images, name, json);
}

json_t *measures_json(const struct measures *m)
{
	json_t *images = json_object();
	json_t *json = json_pack("{s:[o,o,o],s:{s:i,s:o},s:{s:I,s:I,s:I,s:I},s:o,s:o,s:o,s:o,s:I,s:o,s:b}", "load", real(m->load[0]),
				 real(m->load[1]), real(m->load[2]), "cpu", "count", (int)m->cpus, "busy", real(m->busy), "memory", "total",
				 (json_int_t)m->memory.total, "available", (json_int_t)m->memory.available, "swap_total",
				 (json_int_t)m->memory.swap_total, "swap_free", (json_int_t)m->memory.swap_free, "pressure",
				 pressure_json(m), "disks", disks_json(m), "network", network_json(m), "users", users_json(m),
				 "user_count", (json_int_t)m->user_count, "health", health_json(&m->health), "draining", (int)m->draining);

	if (json == NULL || images == NULL) {
		json_decref(json);
		json_decref(images);
		return NULL;
	}
	if (m->has_application)
		json_object_set_new(json, "sessions",
				    json_pack("{s:I,s:I}", "connections", (json_int_t)m->connections, "peers", (json_int_t)m->peers));
	if (m->h_state[0] != '\0')
		json_object_set_new(json, "h", json_pack("{s:s,s:s}", "state", m->h_state, "text", m->h_text));
	add_slot(images, "c", &m->c);
	add_slot(images, "d", &m->d);
	json_object_set_new(json, "images", images);
	return json;
}

static json_t *alarms_json(const struct channel *channel, size_t count)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		const struct alarm_entry *alarm = &channel->alarms[(channel->alarm_first + i) % ALARMS_MOST];

		json_array_append_new(list, json_pack("{s:I,s:I,s:s,s:s}", "sequence", (json_int_t)alarm->sequence, "time",
						      (json_int_t)alarm->time, "kind", alarm->kind, "text", alarm->text));
	}
	return list;
}

static json_t *answers_json(const struct channel *channel)
{
	json_t *list = json_array();

	for (size_t i = 0; i < RESULTS_MOST; i++) {
		const struct order_outcome *outcome = &channel->outcomes[(channel->outcome_next + i) % RESULTS_MOST];

		if (outcome->in_flight)
			json_array_append_new(list, json_pack("{s:I,s:s,s:s}", "order", (json_int_t)outcome->number, "result",
							      order_result_name(outcome->result), "text", outcome->text));
	}
	return list;
}

char *status_format(const struct channel *channel, size_t alarms, const struct measures *measures, const char *user, const char *os)
{
	json_t *json = json_pack("{s:i,s:s,s:I,s:o,s:o,s:o,s:o}", "format", 1, "boot_id", channel->boot_id, "sequence",
				 (json_int_t)channel->sequence, "uptime", real(measures->uptime), "measures", measures_json(measures), "alarms",
				 alarms_json(channel, alarms), "answers", answers_json(channel));
	char *text;

	if (json != NULL && channel->alarms_lost > 0)
		json_object_set_new(json, "alarms_lost", json_integer((json_int_t)channel->alarms_lost));
	if (json != NULL && user != NULL)
		json_object_set_new(json, "request", json_pack("{s:s,s:s}", "user", user, "os", os));
	text = json != NULL ? json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
	json_decref(json);
	return text;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/relays.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "common/log.h"
#include "control/holds.h"
#include "control/lifecycle.h"

#define DAY 86400
#define EXPIRY_WARN_DAYS 30
#define LATE_MS (2 * RELAY_HELLO_SECONDS * 1000) /* a hello may be late without anything being wrong */

struct relay *relays_find(const struct control *control, const char *name)
{
	struct relay *relay = control->relays;

	while (relay && strcmp(relay->record.name, name))
		relay = relay->next;
	return relay;
}

/* ------------------------------------------------------------------ loading */

static int add(struct control *control, const struct monitor_record *record)
{
	struct relay *relay = calloc(1, sizeof *relay), **at = &control->relays;

	if (!relay)
		return -ENOMEM;
	relay->record = *record;
	while (*at && strcmp((*at)->record.name, record->name) < 0)
		at = &(*at)->next;
	relay->next = *at;
	*at = relay;
	return 0;
}

static int take_stored(void *context, const struct monitor_record *record)
{
	return add(context, record);
}

static int take_given(void *context, const char *node_id, const char *monitor)
{
	struct control *control = context;
	struct node *node = fleet_get(control->fleet, node_id);

	if (node)
		strcpy(node->monitor, monitor);
	return 0;
}

int relays_load(struct control *control)
{
	int r = store_each_monitor(control->store, take_stored, control);

	return r ? r : store_each_monitored(control->store, take_given, control);
}

void relays_free(struct relay *relays)
{
	while (relays) {
		struct relay *next = relays->next;

		free(relays);
		relays = next;
	}
}

/* ------------------------------------------------------------------ what operators change */

/* "HOST:PORT" or "[IPv6]:PORT", into the record. 0, or -EINVAL with a sentence. */
static int parse_address(const char *text, struct monitor_record *record, char ret_error[ERROR_TEXT])
{
	const char *colon = strrchr(text, ':'), *begin = text[0] == '[' ? text + 1 : text;
	size_t size = colon ? (size_t)(colon - begin) : 0;
	uint64_t port = 0;

	if (text[0] == '[' && size > 0 && colon[-1] == ']')
		size--;
	else if (text[0] == '[' || (size > 0 && memchr(begin, ':', size)))
		size = 0;
	if (size < 1 || size > MONITOR_HOST_MOST || parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)
		return refused(ret_error, "a monitor's address is HOST:PORT, as servers reach it, or [IPv6]:PORT");
	memcpy(record->host, begin, size);
	record->host[size] = 0;
	record->port = (unsigned)port;
	if (!text_of(record->host, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:%_-", MONITOR_HOST_MOST))
		return refused(ret_error, "a monitor's host is a name or a numeric address");
	return 0;
}

static int store_made(struct control *control, struct relay *relay, const struct monitor_record *record)
{
	int r = store_put_monitor(control->store, record);

	if (r < 0)
		return r;
	if (!relay)
		return add(control, record);
	relay->record = *record;
	return 0;
}

int relays_make(struct control *control, const char *name, const char *address, const struct public_key *key, int64_t now,
		struct buffer *ret_certificate, char ret_error[ERROR_TEXT])
{
	struct monitor_record record = { .issued = now, .expires = now + (int64_t)MONITOR_CERTIFICATE_DAYS * DAY };
	struct relay *relay;
	unsigned count = 0;
	int r;

	if (!monitor_name_valid(name))
		return refused(ret_error, "a monitor's name is 1 to %u lower-case letters, digits and inner hyphens, and not \"none\"", MONITOR_NAME_MOST);
	strcpy(record.name, name);
	strcpy(record.key, key->hash);
	r = parse_address(address, &record, ret_error);
	if (r < 0)
		return r;
	relay = relays_find(control, name);
	for (const struct relay *other = control->relays; other; other = other->next)
		count++;
	if (!relay && count >= RELAYS_MOST)
		return refused(ret_error, "there are %u monitors already; `repave monitor revoke` removes one", RELAYS_MOST);
	r = pki_issue(control->signer, key, name, CLIENT_MONITOR, now - DAY, MONITOR_CERTIFICATE_DAYS + 1, ret_certificate);
	return r < 0 ? r : store_made(control, relay, &record);
}

/* A status that waits is answered now: with the new way, or with the refusal of the old one. */
static void wake(struct control *control, struct node *node)
{
	if (!node->live)
		return;
	node->live->told_ms = 0;
	if (node->live->held)
		holds_wake(control->holds, node->live->held);
}

int relays_revoke(struct control *control, const char *name, int64_t now, char ret_error[ERROR_TEXT])
{
	struct relay *relay = relays_find(control, name), **at = &control->relays;
	int r;

	if (!relay) {
		snprintf(ret_error, ERROR_TEXT, "there is no monitor \"%s\"; `repave monitor list` shows them", name);
		return -ENOENT;
	}
	r = store_remove_monitor(control->store, relay->record.name);
	if (r < 0)
		return r;
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		struct node *node = fleet_at(control->fleet, i);

		if (strcmp(node->monitor, relay->record.name))
			continue;
		node->monitor[0] = 0;
		wake(control, node);
	}
	control_event(control, now, "", SEVERITY_NOTICE, "monitor", json_pack("{ss}", "monitor", relay->record.name), "monitor %s is revoked",
		      relay->record.name);
	while (*at != relay)
		at = &(*at)->next;
	*at = relay->next;
	free(relay);
	return 0;
}

int relays_give(struct control *control, struct node *node, const char *name, char ret_error[ERROR_TEXT])
{
	int r;

	if (name[0] && !relays_find(control, name)) {
		snprintf(ret_error, ERROR_TEXT, "there is no monitor \"%.40s\"; `repave monitor create` makes one", name);
		return -ENOENT;
	}
	if (!strcmp(node->monitor, name))
		return 0;
	r = store_put_monitored(control->store, node->id, name);
	if (r < 0)
		return r;
	strcpy(node->monitor, name);
	wake(control, node);
	return 0;
}

/* ------------------------------------------------------------------ who speaks */

const char *relays_refuse(const struct control *control, const struct http_peer *peer, const char *node_id)
{
	const struct relay *relay = peer->refused ? NULL : relays_find(control, peer->name);
	const struct node *node;

	if (peer->refused)
		return peer->refused;
	if (strcmp(peer->unit, client_kind_name(CLIENT_MONITOR)))
		return "this address is for a monitor, with its own certificate";
	if (!relay)
		return "the monitor was revoked";
	if (strcmp(relay->record.key, peer->key))
		return "the monitor's certificate was replaced by a newer one";
	node = node_id ? fleet_get(control->fleet, node_id) : NULL;
	if (node_id && (!node || strcmp(node->monitor, relay->record.name)))
		return "the node isn't given to this monitor; `repave node monitor` does that";
	return NULL;
}

void relays_heard(struct control *control, const struct http_peer *peer, const char *from, int64_t now)
{
	struct relay *relay = relays_find(control, peer->name);

	if (!relay)
		return;
	if (relay->silent)
		control_event(control, now, "", SEVERITY_NOTICE, "monitor", json_pack("{ss}", "monitor", relay->record.name),
			      "monitor %s is heard again", relay->record.name);
	relay->heard = true;
	relay->silent = false;
	relay->heard_ms = control->round_ms;
	if (from)
		snprintf(relay->from, sizeof relay->from, "%s", from);
}

static int64_t silence_ms(const struct control *control, const struct relay *relay)
{
	return control->round_ms - relay->heard_ms;
}

bool relays_tell(struct control *control, struct node *node, const char *via, char ret_line[MONITOR_LINE_MOST + 1])
{
	const struct relay *relay = node->monitor[0] ? relays_find(control, node->monitor) : NULL;
	struct live *live = node->live;

	if (!relay || !strcmp(via, node->monitor) || !relay->heard || silence_ms(control, relay) > LATE_MS)
		return false;
	if (live->told_ms && control->round_ms - live->told_ms < RELAY_TELL_SECONDS * 1000)
		return false;
	live->told_ms = control->round_ms;
	snprintf(ret_line, MONITOR_LINE_MOST + 1, "%s %u %s" MONITOR_DOMAIN, relay->record.host, relay->record.port, relay->record.name);
	return true;
}

bool relays_excuse(const struct control *control, const struct node *node)
{
	const struct relay *relay = node->live && node->live->via[0] ? relays_find(control, node->live->via) : NULL;
	int64_t silent = relay ? silence_ms(control, relay) : 0;

	return silent > RELAY_HELLO_SECONDS * 1000 && silent < (RELAY_SILENT_SECONDS + RELAY_EXCUSE_SECONDS) * 1000;
}

/* ------------------------------------------------------------------ looking */

static unsigned count_given(const struct control *control, const char *name, bool only_present)
{
	unsigned count = 0;

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);

		count += only_present ? node->live && !strcmp(node->live->via, name) : !strcmp(node->monitor, name);
	}
	return count;
}

void relays_watch(struct control *control, int64_t now)
{
	for (struct relay *relay = control->relays; relay; relay = relay->next) {
		int64_t most = RELAY_SILENT_SECONDS * 1000 + (relay->heard ? 0 : RETURN_SECONDS * 1000);
		unsigned given;

		if (relay->silent || silence_ms(control, relay) < most)
			continue;
		/* One that never spoke and that nobody needs may be on its way to its machine. */
		given = count_given(control, relay->record.name, false);
		if (!relay->heard && !given)
			continue;
		relay->silent = true;
		control_event(control, now, "", SEVERITY_WARNING, "monitor", json_pack("{ss si}", "monitor", relay->record.name, "nodes", (int)given),
			      "monitor %s is silent; its %u server(s) speak with the control unit directly", relay->record.name, given);
	}
}

void relays_health(struct control *control, struct health *health, int64_t now)
{
	for (const struct relay *relay = control->relays; relay; relay = relay->next) {
		int64_t left = (relay->record.expires - now) / DAY;

		if (relay->silent)
			health_add(health, SEVERITY_WARNING, "monitor %s is silent; look at repave-monitor on its machine, or `repave monitor revoke %s`",
				   relay->record.name, relay->record.name);
		if (left < EXPIRY_WARN_DAYS)
			health_add(health, SEVERITY_WARNING, "the certificate of monitor %s ends in %lld day(s): `repave monitor create %s` makes another",
				   relay->record.name, (long long)(left > 0 ? left : 0), relay->record.name);
	}
}

json_t *relays_describe(const struct control *control)
{
	json_t *list = json_array();

	for (const struct relay *relay = control->relays; relay; relay = relay->next) {
		const struct monitor_record *record = &relay->record;
		bool six = strchr(record->host, ':') != NULL;

		json_array_append_new(list, json_pack("{ss so sI sI sb so so si si}", "name", record->name, "address",
						      json_sprintf("%s%s%s:%u", six ? "[" : "", record->host, six ? "]" : "", record->port), "issued",
						      (json_int_t)record->issued, "expires", (json_int_t)record->expires, "silent", (int)relay->silent,
						      "heard_seconds", relay->heard ? json_real((double)silence_ms(control, relay) / 1000) : json_null(),
						      "from", relay->from[0] ? json_string(relay->from) : json_null(), "nodes",
						      (int)count_given(control, record->name, false), "present",
						      (int)count_given(control, record->name, true)));
	}
	return list;
}

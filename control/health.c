// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/health.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "control/message-desk.h"
#include "control/relays.h"
#include "control/store.h"
#include "control/tpm-trust.h"

#define DAY 86400
/* A stage that says nothing for so long isn't going on. */
#define SILENT_SECONDS 120
#define BACKUP_DAYS 2
#define CERTIFICATE_DAYS 60
#define NODE_CERTIFICATE_DAYS 14
#define NODE_CERTIFICATE_LIFE 365
#define NAMES_SHOWN 3u
#define ALARMS_LOOKED_AT 1000u

void health_add(struct health *health, enum severity severity, const char *format, ...)
{
	char text[ERROR_TEXT + 200];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_array_append_new(severity == SEVERITY_ALARM ? health->alarms : health->warnings, json_string(text));
}

/* Servers of which the same is to be said. */
struct some {
	size_t count;
	char names[NAMES_SHOWN * (HOST_NAME_MOST + 3) + 32];
	const struct node *first;
};

static void join(struct some *group, const struct node *node)
{
	const char *name = assignment_host_name(&node->assignment);
	size_t used = strlen(group->names);

	if (group->count < NAMES_SHOWN)
		snprintf(group->names + used, sizeof group->names - used, "%s%.*s", used ? ", " : "", name ? (int)HOST_NAME_MOST : 8,
			 name ? name : node->id);
	else if (group->count == NAMES_SHOWN)
		snprintf(group->names + used, sizeof group->names - used, ", …");
	if (!group->first)
		group->first = node;
	group->count++;
}

static const char *plural(const struct some *group)
{
	return group->count == 1 ? "server" : "servers";
}

static void of_nodes(struct control *control, struct health *health, int64_t now)
{
	struct some failed = { 0 }, lost = { 0 }, suspect = { 0 }, silent = { 0 }, idle = { 0 }, ending = { 0 }, aside = { 0 },
		    unreached = { 0 };

	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		const char *state = node_state(node);

		if (!strcmp(state, "failed"))
			join(&failed, node);
		else if (node->life.state == LIFE_QUARANTINED)
			join(&aside, node);
		else if (node->life.state == LIFE_FAILED)
			join(&lost, node);
		else if (node->life.state == LIFE_SUSPECT)
			join(&suspect, node);
		else if (!strcmp(state, "waiting"))
			join(&idle, node);
		else if (!strcmp(state, "booting") && now - (node->last_seen ? node->last_seen : control->started) > SILENT_SECONDS)
			join(&silent, node);
		if (node->probe.told)
			join(&unreached, node);
		if (node->identity.key[0] && node->identity.issued + (NODE_CERTIFICATE_LIFE - NODE_CERTIFICATE_DAYS) * DAY < now)
			join(&ending, node);
	}
	if (failed.count)
		health_add(health, SEVERITY_ALARM, "%zu %s failed to boot (%s): %.120s; `repave node show %.8s` says more", failed.count, plural(&failed),
			   failed.names, failed.first->boot.error[0] ? failed.first->boot.error : "no reason given", failed.first->id);
	if (lost.count)
		health_add(health, SEVERITY_ALARM, "%zu %s failed (%s): %.120s; `repave node reboot %.8s` tries it anew", lost.count, plural(&lost),
			   lost.names, lost.first->life_reason, lost.first->id);
	if (aside.count)
		health_add(health, SEVERITY_WARNING, "%zu %s in quarantine (%s): %.120s; `repave node clear %.8s` ends it", aside.count,
			   aside.count == 1 ? "server is" : "servers are", aside.names, aside.first->life_reason, aside.first->id);
	if (suspect.count)
		health_add(health, SEVERITY_WARNING, "%zu %s may fail (%s): %.120s; `repave node show %.8s` says more", suspect.count, plural(&suspect),
			   suspect.names, suspect.first->life_reason, suspect.first->id);
	if (unreached.count)
		health_add(health, SEVERITY_WARNING, "%zu %s healthy by their agents' word and can't be reached from here (%s): %s; look at network and"
			   " firewall, `repave node show %.8s` says more", unreached.count, unreached.count == 1 ? "server is" : "servers are",
			   unreached.names, unreached.first->probe.error, unreached.first->id);
	if (silent.count)
		health_add(health, SEVERITY_WARNING, "%zu %s stopped in the middle of a boot (%s); look at the console, `repave node show %.8s` says how far it was",
			   silent.count, plural(&silent), silent.names, silent.first->id);
	if (idle.count)
		health_add(health, SEVERITY_WARNING, "%zu %s may boot nothing (%s): %.200s", idle.count, plural(&idle), idle.names,
			   idle.first->waiting_for[0] ? idle.first->waiting_for : "`repave assign` or `repave default` gives something");
	if (ending.count)
		health_add(health, SEVERITY_WARNING, "the certificates of %zu %s end within %d days (%s); a boot renews them", ending.count, plural(&ending),
			   NODE_CERTIFICATE_DAYS, ending.names);
}

static void of_enrolments(struct control *control, struct health *health, int64_t now)
{
	json_t *list = NULL, *entry;
	size_t i, waiting = 0, alarming = 0;

	(void)now;
	if (store_list(control->store, STORE_ENROLMENTS, NULL, &list) < 0)
		return;
	json_array_foreach(list, i, entry) {
		waiting += !json_is_true(json_object_get(entry, "approved"));
		alarming += json_is_true(json_object_get(entry, "alarm")) && !json_is_true(json_object_get(entry, "approved"));
	}
	json_decref(list);
	if (alarming)
		health_add(health, SEVERITY_ALARM, "%zu machine(s) show the identity of another server, and may not enrol yet; `repave node list --pending` says what differs",
			   alarming);
	if (waiting > alarming)
		health_add(health, SEVERITY_WARNING, "%zu server(s) may not enrol yet; `repave node list --pending` says why", waiting - alarming);
}

static void of_repository(struct control *control, struct health *health, int64_t now)
{
	const char *error = catalogue_error(control->catalogue), *left_out = catalogue_left_out(control->catalogue), *text;
	json_t *renewal = keeper_describe(control->keeper, now), *role;
	size_t i;

	if (error)
		health_add(health, SEVERITY_ALARM, "the repository is REFUSED, not served, and nobody can boot: %s", error);
	if (left_out)
		health_add(health, SEVERITY_WARNING, "images are LEFT OUT: %s", left_out);
	text = json_string_value(json_object_get(renewal, "error"));
	if (text)
		health_add(health, SEVERITY_ALARM, "the renewal of the repository's metadata FAILS: %s", text);
	json_array_foreach(json_object_get(renewal, "roles"), i, role) {
		text = json_string_value(json_object_get(role, "warning"));
		if (text)
			health_add(health, SEVERITY_WARNING, "%s", text);
	}
	json_decref(renewal);
}

static void of_certificates(struct control *control, struct health *health, int64_t now)
{
	const struct {
		const char *name;
		int64_t expires;
	} certificates[] = { { "the fleet's CA", control->authority_expires }, { "this control unit", control->server_expires } };

	for (size_t i = 0; i < sizeof certificates / sizeof certificates[0]; i++) {
		long long left = (long long)(certificates[i].expires - now) / DAY;

		if (left < CERTIFICATE_DAYS)
			health_add(health, left < 7 ? SEVERITY_ALARM : SEVERITY_WARNING,
				   "the certificate of %s ends in %lld days, and then no server boots; make a new state folder and boot media with it in time",
				   certificates[i].name, left);
	}
}

static void of_store(struct control *control, struct health *health, int64_t now)
{
	int64_t backup = store_backup_time(control->store_path);
	enum store_trouble trouble = store_trouble(control->store);
	char sentence[ERROR_TEXT];
	struct statvfs disk;

	store_trouble_sentence(control->store, sentence);
	if (trouble != STORE_SOUND)
		health_add(health, SEVERITY_ALARM, "%s", sentence);
	/* One is made a minute after the start at the latest. */
	if (now - backup > BACKUP_DAYS * DAY && now - control->started > 120)
		health_add(health, SEVERITY_WARNING, "the newest backup of the database is %s; the log says why, copy the state folder meanwhile",
			   backup ? "older than two days" : "missing");
	if (trouble != STORE_FULL && !statvfs(control->store_path, &disk) && disk.f_blocks && disk.f_bavail < disk.f_blocks / 20)
		health_add(health, SEVERITY_WARNING, "the state folder's file system is %u%% full; nothing can be changed when it is full: make room there",
			   (unsigned)(100 - disk.f_bavail * 100 / disk.f_blocks));
}

static void of_events(struct control *control, struct health *health, int64_t now)
{
	const struct store_filter filter = { .after = -1, .most = ALARMS_LOOKED_AT, .node = "", .least = SEVERITY_ALARM };
	json_t *list = NULL, *event, *newest = NULL;
	size_t i, recent = 0;

	if (store_list(control->store, STORE_EVENTS, &filter, &list) < 0)
		return;
	/* A node's life is told as the node is now. */
	json_array_foreach(list, i, event)
		if (now - json_integer_value(json_object_get(event, "time")) < DAY && strcmp(json_string_value(json_object_get(event, "kind")), "life")) {
			newest = event;
			recent++;
		}
	if (newest)
		health_add(health, SEVERITY_WARNING, "%zu alarm(s) within a day, the last: %.160s; `repave event list --severity alarm` has them all", recent,
			   json_string_value(json_object_get(newest, "text")));
	json_decref(list);
}

static void (*const pieces[])(struct control *control, struct health *health, int64_t now) = {
	of_repository, of_nodes, of_enrolments, of_certificates, of_store, of_events, relays_health, messages_health,
	tpm_trust_health,
};

static void take(json_t *all, const json_t *texts, const char *severity)
{
	json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
		json_array_append_new(all, json_pack("{ss sO}", "severity", severity, "text", text));
}

json_t *health_describe(struct control *control, int64_t now)
{
	struct health health = { json_array(), json_array() };
	json_t *all = json_array();

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
		pieces[i](control, &health, now);
	take(all, health.alarms, severity_name(SEVERITY_ALARM));
	take(all, health.warnings, severity_name(SEVERITY_WARNING));
	json_decref(health.alarms);
	json_decref(health.warnings);
	return all;
}

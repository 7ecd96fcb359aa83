// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/metrics.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "control/attestation.h"
#include "control/message-desk.h"
#include "control/store.h"

/* ------------------------------------------------------------------ the format */

static void print(struct metrics *metrics, int r)
{
	if (r < 0)
		metrics->error = r;
}

void metrics_family(struct metrics *metrics, const char *name, const char *type, const char *help)
{
	metrics->family = name;
	print(metrics, buffer_printf(&metrics->text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type));
}

/* {label="value"}, escaped. `more` is a further label as it is written, or "". */
static void print_labels(struct metrics *metrics, const char *label, const char *value, const char *more)
{
	if (!label && !more[0])
		return;
	print(metrics, buffer_add(&metrics->text, "{", 1));
	if (label) {
		print(metrics, buffer_printf(&metrics->text, "%s=\"", label));
		for (; *value; value++) {
			if (*value == '\n')
				print(metrics, buffer_add(&metrics->text, "\\n", 2));
			else if (*value == '"' || *value == '\\')
				print(metrics, buffer_printf(&metrics->text, "\\%c", *value));
			else
				print(metrics, buffer_add(&metrics->text, value, 1));
		}
		print(metrics, buffer_printf(&metrics->text, "\"%s", more[0] ? "," : ""));
	}
	print(metrics, buffer_printf(&metrics->text, "%s}", more));
}

static void print_line(struct metrics *metrics, const char *suffix, const char *label, const char *value_of_label, const char *more,
		       double value)
{
	print(metrics, buffer_printf(&metrics->text, "%s%s", metrics->family, suffix));
	print_labels(metrics, label, value_of_label, more);
	/* 15 digits: more than a time in seconds has. */
	print(metrics, buffer_printf(&metrics->text, " %.15g\n", value));
}

void metrics_sample(struct metrics *metrics, const char *label, const char *value_of_label, double value)
{
	print_line(metrics, "", label, value_of_label, "", value);
}

void metrics_histogram(struct metrics *metrics, const char *label, const char *value_of_label, const struct meter_histogram *histogram,
		       const double bounds[METER_BUCKETS])
{
	unsigned long long count = 0;
	char bound[32];

	for (unsigned i = 0; i <= METER_BUCKETS; i++) {
		count += histogram->counts[i];
		if (i < METER_BUCKETS)
			snprintf(bound, sizeof bound, "le=\"%g\"", bounds[i]);
		else
			strcpy(bound, "le=\"+Inf\"");
		print_line(metrics, "_bucket", label, value_of_label, bound, (double)count);
	}
	print_line(metrics, "_sum", label, value_of_label, "", (double)histogram->microseconds / 1e6);
	print_line(metrics, "_count", label, value_of_label, "", (double)count);
}

/* ------------------------------------------------------------------ the pieces */

static void of_nodes(struct control *control, struct metrics *m, int64_t now)
{
	static const char *const states[] = { "waiting", "booting", "booted", "failed" };
	double counts[sizeof states / sizeof states[0]] = { 0 };
	uint64_t waiting = 0;

	(void)now;
	for (size_t i = 0; i < fleet_count(control->fleet); i++)
		for (size_t s = 0; s < sizeof states / sizeof states[0]; s++)
			counts[s] += !strcmp(node_state(fleet_node(control->fleet, i)), states[s]);
	metrics_family(m, "repave_nodes", "gauge", "Servers, by state.");
	for (size_t s = 0; s < sizeof states / sizeof states[0]; s++)
		metrics_sample(m, "state", states[s], counts[s]);
	metrics_family(m, "repave_enrolments_waiting", "gauge", "Machines that may not enrol yet.");
	store_count_enrolments(control->store, &waiting);
	metrics_sample(m, NULL, NULL, (double)waiting);
}

/* Servers whose groups ask for a proof, by what they proved last; and the others together, which nobody asks. */
static void of_attestation(struct control *control, struct metrics *m, int64_t now)
{
	double counts[LEVEL_ATTESTED + 1] = { 0 }, unasked = 0;

	(void)now;
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct node *node = fleet_node(control->fleet, i);
		enum attest_level level = attestation_level(node);

		if (level == LEVEL_NONE && attestation_policy(control, node) == ATTEST_OFF)
			unasked++;
		else
			counts[level]++;
	}
	metrics_family(m, "repave_nodes_attestation", "gauge", "Servers by what their TPMs proved; unasked: nothing, and their groups don't ask for it.");
	for (int level = LEVEL_NONE; level <= LEVEL_ATTESTED; level++)
		metrics_sample(m, "level", attest_level_name((enum attest_level)level), counts[level]);
	metrics_sample(m, "level", "unasked", unasked);
}

static void of_boots(struct control *control, struct metrics *m, int64_t now)
{
	const struct meters *meters = &control->meters;

	(void)now;
	metrics_family(m, "repave_boots_total", "counter", "Boots that left stage 1, or failed in it, since the control unit started.");
	for (unsigned i = 0; i < METER_BOOTS; i++)
		metrics_sample(m, "result", meter_boot_names[i], (double)meters->boots[i]);
	metrics_family(m, "repave_boot_seconds", "histogram", "Stage 1 of boots that left it, from its kernel's start.");
	metrics_histogram(m, NULL, NULL, &meters->boot, meter_long);
	metrics_family(m, "repave_boot_stage_seconds", "histogram", "Stages of boots.");
	for (unsigned i = 0; i < METER_STAGES; i++)
		metrics_histogram(m, "stage", meter_stage_names[i], &meters->stages[i], meter_long);
}

static void of_events(struct control *control, struct metrics *m, int64_t now)
{
	static const char *const names[] = { "info", "notice", "warning", "alarm" };

	(void)now;
	metrics_family(m, "repave_events_total", "counter", "Events since the control unit started, by severity.");
	for (unsigned i = 0; i < 4; i++)
		metrics_sample(m, "severity", names[i], (double)control->meters.events[i]);
}

static void of_probes(struct control *control, struct metrics *m, int64_t now)
{
	const struct meters *meters = &control->meters;
	double failing = 0, differing = 0;

	(void)now;
	for (size_t i = 0; i < fleet_count(control->fleet); i++) {
		const struct probe_record *probe = &fleet_node(control->fleet, i)->probe;

		failing += probe->failures > 0;
		differing += probe->told;
	}
	metrics_family(m, "repave_probes_total", "counter", "Questions of the control unit to services of nodes, by result.");
	metrics_sample(m, "result", "success", (double)meters->probes[0]);
	metrics_sample(m, "result", "failure", (double)meters->probes[1]);
	metrics_family(m, "repave_probe_seconds", "histogram", "Response times of services, as the control unit sees them.");
	metrics_histogram(m, NULL, NULL, &meters->probe, meter_short);
	metrics_family(m, "repave_probe_failing_nodes", "gauge", "Nodes whose service didn't answer the last question.");
	metrics_sample(m, NULL, NULL, failing);
	metrics_family(m, "repave_probe_differing_nodes", "gauge", "Those of them whose agent says that the application is healthy.");
	metrics_sample(m, NULL, NULL, differing);
}

static void of_requests(struct control *control, struct metrics *m, int64_t now)
{
	char labels[48];

	(void)now;
	metrics_family(m, "repave_http_requests_total", "counter", "Requests that were answered, by interface and class of status.");
	for (unsigned i = 0; i < METER_INTERFACES; i++)
		for (unsigned s = 2; s < 6; s++) {
			snprintf(labels, sizeof labels, "status=\"%uxx\"", s);
			print_line(m, "", "interface", meter_interface_names[i], labels, (double)control->meters.requests[i].answered[s]);
		}
	metrics_family(m, "repave_http_request_seconds", "histogram", "From a request's headers until its answer was ready, or it was held.");
	for (unsigned i = 0; i < METER_INTERFACES; i++)
		metrics_histogram(m, "interface", meter_interface_names[i], &control->meters.requests[i].seconds, meter_short);
	metrics_family(m, "repave_held_answer_late_seconds", "histogram", "How long after its time the answer to a held status was ready.");
	metrics_histogram(m, NULL, NULL, &control->meters.late, meter_short);
}

static void of_repository(struct control *control, struct metrics *m, int64_t now)
{
	const struct role_list *roles = catalogue_roles(control->catalogue);
	json_t *renewal = keeper_describe(control->keeper, now);

	metrics_family(m, "repave_images", "gauge", "Images in the repository's signed metadata.");
	metrics_sample(m, NULL, NULL, (double)catalogue_images(control->catalogue)->count);
	metrics_family(m, "repave_repository_served", "gauge", "1 when the repository verifies and is served, else 0.");
	metrics_sample(m, NULL, NULL, catalogue_error(control->catalogue) == NULL);
	metrics_family(m, "repave_metadata_renewal_failing", "gauge", "1 when snapshot and timestamp can't be signed anew, else 0.");
	metrics_sample(m, NULL, NULL, json_is_string(json_object_get(renewal, "error")));
	metrics_family(m, "repave_metadata_expiry_timestamp_seconds", "gauge", "When a role of the repository's metadata expires.");
	for (size_t i = 0; i < roles->count; i++)
		metrics_sample(m, "role", roles->items[i].name, (double)roles->items[i].expires);
	json_decref(renewal);
}

static void of_certificates(struct control *control, struct metrics *m, int64_t now)
{
	(void)now;
	metrics_family(m, "repave_certificate_expiry_timestamp_seconds", "gauge", "When a certificate of the control unit expires.");
	metrics_sample(m, "certificate", "ca", (double)control->authority_expires);
	metrics_sample(m, "certificate", "server", (double)control->server_expires);
}

static void of_store(struct control *control, struct metrics *m, int64_t now)
{
	enum store_trouble trouble = store_trouble(control->store);

	(void)now;
	metrics_family(m, "repave_store_trouble", "gauge", "1 for what keeps the database from taking changes, else 0.");
	for (enum store_trouble i = STORE_FULL; i <= STORE_DAMAGED; i++)
		metrics_sample(m, "trouble", store_trouble_name(i), i == trouble);
	metrics_family(m, "repave_store_backup_timestamp_seconds", "gauge", "When the newest backup of the database was made; 0: none.");
	metrics_sample(m, NULL, NULL, (double)store_backup_time(control->store_path));
}

static void of_messages(struct control *control, struct metrics *m, int64_t now)
{
	const struct messages *messages = control->messages;
	size_t count = messages ? messages->settings.count : 0;

	(void)now;
	metrics_family(m, "repave_messages_total", "counter", "Messages to a target: sent; given up (lost); and tries that failed.");
	for (size_t i = 0; i < count; i++) {
		print_line(m, "", "target", messages->states[i].name, "result=\"sent\"", (double)messages->states[i].sent);
		print_line(m, "", "target", messages->states[i].name, "result=\"failed\"", (double)messages->states[i].failed);
		print_line(m, "", "target", messages->states[i].name, "result=\"lost\"", (double)messages->states[i].lost);
	}
	metrics_family(m, "repave_messages_waiting", "gauge", "Messages to a target that wait to be sent, or sent again.");
	for (size_t i = 0; i < count; i++) {
		uint64_t waiting = 0;
		int64_t oldest = 0;

		store_count_messages(control->store, messages->states[i].name, &waiting, &oldest);
		metrics_sample(m, "target", messages->states[i].name, (double)waiting);
	}
}

/* ------------------------------------------------------------------ the process, under the names that all programs use */

static double seconds_of(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static double count_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	double count = -3; /* ".", ".." and this folder itself */

	if (!folder)
		return 0;
	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static void of_process(struct control *control, struct metrics *m, int64_t now)
{
	unsigned long long size = 0, resident = 0;
	struct rlimit files = { 0 };
	struct rusage usage = { 0 };
	FILE *file = fopen("/proc/self/statm", "re");

	(void)now;
	if (file && fscanf(file, "%llu %llu", &size, &resident) != 2)
		size = resident = 0;
	if (file)
		fclose(file);
	getrusage(RUSAGE_SELF, &usage);
	getrlimit(RLIMIT_NOFILE, &files);
	metrics_family(m, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.");
	metrics_sample(m, NULL, NULL, seconds_of(usage.ru_utime) + seconds_of(usage.ru_stime));
	metrics_family(m, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.");
	metrics_sample(m, NULL, NULL, (double)resident * (double)sysconf(_SC_PAGESIZE));
	metrics_family(m, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.");
	metrics_sample(m, NULL, NULL, (double)size * (double)sysconf(_SC_PAGESIZE));
	metrics_family(m, "process_open_fds", "gauge", "Number of open file descriptors.");
	metrics_sample(m, NULL, NULL, count_files());
	metrics_family(m, "process_max_fds", "gauge", "Maximum number of open file descriptors.");
	metrics_sample(m, NULL, NULL, (double)files.rlim_cur);
	metrics_family(m, "process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.");
	metrics_sample(m, NULL, NULL, (double)control->started);
}

static void (*const pieces[])(struct control *control, struct metrics *metrics, int64_t now) = {
	of_nodes, of_attestation, of_boots, of_events, of_probes, of_requests, of_repository, of_certificates, of_store, of_messages, of_process,
};

char *metrics_format(struct control *control, int64_t now)
{
	struct metrics metrics = { 0 };

	for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++)
		pieces[i](control, &metrics, now);
	if (metrics.error) {
		buffer_release(&metrics.text);
		return NULL;
	}
	return (char *)metrics.text.data;
}

void metrics_answer(void *context, const struct http_call *call, struct http_answer *answer)
{
	struct control *control = context;
	int64_t now;

	if (strcmp(call->path, "/metrics")) {
		http_answer_error(answer, 404, "this port has /metrics and nothing else");
	} else if (strcmp(call->method, "GET") && strcmp(call->method, "HEAD")) {
		http_answer_error(answer, 405, "this address takes GET");
	} else {
		now = control_lock(control);
		http_answer_text(answer, metrics_format(control, now));
		control_leave(control);
	}
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/exposition.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/bytes.h"

/* ------------------------------------------------------------------ the text */
struct writer {
	char *text;
	size_t size, room;
	int error;
};

static void __attribute__((format(printf, 2, 3))) put(struct writer *writer, const char *format, ...)
{
	size_t left = writer->room - writer->size;
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(writer->text + writer->size, left, format, args);
	va_end(args);
	if (size < 0 || (size_t)size >= left)
		writer->error = -ENOSPC;
	else
		writer->size += (size_t)size;
}

static void family(struct writer *writer, const char *name, const char *type, const char *help)
{
	put(writer, "# HELP repave_node_%s %s\n# TYPE repave_node_%s %s\n", name, help, name, type);
}

static void gauge(struct writer *writer, const char *name, const char *help, double value)
{
	family(writer, name, "gauge", help);
	put(writer, "repave_node_%s %.15g\n", name, value);
}

/* Names that a user of the machine chose, perhaps: quotes are escaped, and what isn't printable ASCII is left out. */
static void sample(struct writer *writer, const char *name, const char *label, const char *word, double value)
{
	put(writer, "repave_node_%s{%s=\"", name, label);
	for (; *word != '\0'; word++)
		put(writer, *word == '"' || *word == '\\' ? "\\%c" : "%c", *word >= 0x20 && *word < 0x7f ? *word : '?');
	put(writer, "\"} %.15g\n", value);
}

static void put_load(struct writer *writer, const struct measures *m)
{
	gauge(writer, "uptime_seconds", "Time since the boot.", m->uptime);
	gauge(writer, "load1", "Load average of one minute.", m->load[0]);
	gauge(writer, "load5", "Load average of five minutes.", m->load[1]);
	gauge(writer, "load15", "Load average of fifteen minutes.", m->load[2]);
	gauge(writer, "cpus", "Processors.", m->cpus);
	gauge(writer, "cpu_busy_ratio", "Share of time in which processors were busy, since the last status.", m->busy);
}

static void put_memory(struct writer *writer, const struct measures *m)
{
	static const char *const resources[] = { "cpu", "memory", "io" };

	gauge(writer, "memory_size_bytes", "Memory.", (double)m->memory.total);
	gauge(writer, "memory_available_bytes", "Memory that programs can still get.", (double)m->memory.available);
	gauge(writer, "swap_size_bytes", "Swap space.", (double)m->memory.swap_total);
	gauge(writer, "swap_free_bytes", "Swap space that is free.", (double)m->memory.swap_free);
	family(writer, "pressure_some_ratio", "gauge", "Share of the last 10 s in which some task waited (PSI).");
	for (size_t i = 0; i < 3; i++)
		if (m->has_pressure[i])
			sample(writer, "pressure_some_ratio", "resource", resources[i], m->pressure[i].some / 100);
	family(writer, "pressure_full_ratio", "gauge", "Share of the last 10 s in which all tasks waited (PSI).");
	for (size_t i = 0; i < 3; i++)
		if (m->has_pressure[i])
			sample(writer, "pressure_full_ratio", "resource", resources[i], m->pressure[i].full / 100);
}

static void put_disks(struct writer *writer, const struct measures *m)
{
	family(writer, "disk_size_bytes", "gauge", "Size of a writable file system.");
	for (size_t i = 0; i < m->disk_count; i++)
		sample(writer, "disk_size_bytes", "mount", m->disks[i].mount.place, (double)m->disks[i].size);
	family(writer, "disk_used_bytes", "gauge", "What is used of it.");
	for (size_t i = 0; i < m->disk_count; i++)
		sample(writer, "disk_used_bytes", "mount", m->disks[i].mount.place, (double)m->disks[i].used);
}

static void put_network(struct writer *writer, const struct measures *m)
{
	static const struct {
		const char *name, *help;
		size_t offset;
	} counts[] = {
		{ "network_receive_bytes_total", "Received since the boot.", offsetof(struct interface, received) },
		{ "network_transmit_bytes_total", "Sent since the boot.", offsetof(struct interface, sent) },
		{ "network_receive_errors_total", "Errors in receiving.", offsetof(struct interface, receive_errors) },
		{ "network_transmit_errors_total", "Errors in sending.", offsetof(struct interface, send_errors) },
	};

	for (size_t c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
		family(writer, counts[c].name, "counter", counts[c].help);
		for (size_t i = 0; i < m->interface_count; i++) {
			uint64_t value;

			memcpy(&value, (const char *)&m->interfaces[i] + counts[c].offset, sizeof(value));
			sample(writer, counts[c].name, "device", m->interfaces[i].name, (double)value);
		}
	}
}

static void put_service(struct writer *writer, const struct measures *m)
{
	gauge(writer, "users", "Log-ins.", (double)m->user_count);
	gauge(writer, "draining", "1 while the server gets no new users, else 0.", m->draining);
	if (m->has_application) {
		gauge(writer, "sessions", "Connections to the application from elsewhere.", (double)m->connections);
		gauge(writer, "session_peers", "Addresses that they come from.", m->peers);
	}
	if (m->health.state == HEALTH_GOOD || m->health.state == HEALTH_BAD) {
		gauge(writer, "healthy", "1 when the application's check succeeds, else 0.", m->health.state == HEALTH_GOOD);
		gauge(writer, "health_check_seconds", "How long the check took.", m->health.milliseconds / 1000);
	}
	if (m->c.verity != 0 || m->d.verity != 0)
		family(writer, "verity_corrupt", "gauge", "1 when dm-verity saw changed blocks of a slot, else 0.");
	if (m->c.verity != 0)
		sample(writer, "verity_corrupt", "slot", "c", m->c.verity == 'C');
	if (m->d.verity != 0)
		sample(writer, "verity_corrupt", "slot", "d", m->d.verity == 'C');
}

int exposition_format(const struct measures *measures, int64_t time, char *ret_text, size_t room, size_t *ret_size)
{
	struct writer writer = { .text = ret_text, .room = room };

	gauge(&writer, "measured_timestamp_seconds", "When all of this was measured.", (double)time);
	put_load(&writer, measures);
	put_memory(&writer, measures);
	put_disks(&writer, measures);
	put_network(&writer, measures);
	put_service(&writer, measures);
	*ret_size = writer.size;
	return writer.error;
}

/* ------------------------------------------------------------------ what is asked */
unsigned metrics_request(const char *request, size_t size)
{
	static const char method[] = "GET ", path[] = "/metrics";
	const char *end = memmem(request, size, "\r\n\r\n", 4), *line = memchr(request, '\n', size), *target, *version;

	if (end == NULL)
		return size >= METRICS_REQUEST_MOST ? 400 : 0;
	/* The first line is all that counts. */
	target = memchr(request, ' ', (size_t)(line - request));
	version = target != NULL ? memchr(target + 1, ' ', (size_t)(line - target - 1)) : NULL;
	if (version == NULL || line - version != 10 || memcmp(version, " HTTP/1.", 8) != 0 || target == request)
		return 400;
	if ((size_t)(target + 1 - request) != sizeof(method) - 1 || memcmp(request, method, sizeof(method) - 1) != 0)
		return 405;
	target++;
	return (size_t)(version - target) == sizeof(path) - 1 && memcmp(target, path, sizeof(path) - 1) == 0 ? 200 : 404;
}

int metrics_address(const char *text, size_t size, struct sockaddr_storage *ret_address, socklen_t *ret_size, uint16_t *ret_port)
{
	struct sockaddr_in *four = (struct sockaddr_in *)ret_address;
	struct sockaddr_in6 *six = (struct sockaddr_in6 *)ret_address;
	char copy[METRICS_ADDRESS_MOST + 1], *colon, *host = copy;
	uint64_t port;

	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '\r' || text[size - 1] == ' '))
		size--;
	if (size == 0 || size > METRICS_ADDRESS_MOST || memchr(text, '\0', size) != NULL)
		return -EINVAL;
	memcpy(copy, text, size);
	copy[size] = '\0';
	colon = strrchr(copy, ':');
	if (colon == NULL || parse_u64(colon + 1, &port) < 0 || port < 1 || port > 65535)
		return -EINVAL;
	*colon = '\0';
	*ret_port = (uint16_t)port;
	memset(ret_address, 0, sizeof(*ret_address));
	if (copy[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		host++;
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(*ret_port);
		*ret_size = sizeof(*six);
		return inet_pton(AF_INET6, host, &six->sin6_addr) == 1 ? 0 : -EINVAL;
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(*ret_port);
	*ret_size = sizeof(*four);
	return inet_pton(AF_INET, host, &four->sin_addr) == 1 ? 0 : -EINVAL;
}

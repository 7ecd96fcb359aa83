/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine says: texts of /proc, some of which hold names that anybody chooses, and log lines, in which strangers write. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/login.h"
#include "agent/measure.h"
#include "agent/order.h"
#include "agent/sensors.h"
#include "agent/session.h"
#include "agent/tcp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void whole(const char *text)
{
	struct pressure pressure;
	struct cpu_times times;
	struct memory memory;
	double load[3], up;
	char hash[65];

	measure_uptime(text, &up);
	measure_load(text, load);
	if (measure_cpu(text, &times) == 0 && !(cpu_share(&(struct cpu_times){ 0 }, &times) <= 1))
		abort();
	measure_memory(text, &memory);
	measure_pressure(text, &pressure);
	if (cmdline_root_hash(text, "repave.c", hash) == 0 && strlen(hash) != 64)
		abort();
	argument_allowed(text, "level", "low");
}

static void line(const char *text)
{
	static struct login_watch watch;
	struct net_socket socket;
	struct login_event event;
	struct interface interface;
	struct process process;
	struct mount mount;
	struct session session;
	char name[64], alarm[LOGIN_TEXT], terminal[16], address[ADDRESS_TEXT];

	login_parse(text, &event);
	if (event.kind != LOGIN_NONE && login_note(&watch, &event, 1, alarm) && strpbrk(alarm, "\x1b\n\r") != NULL)
		abort();
	if (net_socket_parse(text, false, &socket) == 0 || net_socket_parse(text, true, &socket) == 0)
		address_text(socket.remote, address);
	measure_interface(text, &interface);
	if (measure_mount(text, &mount) == 0)
		mount_counts(&mount);
	if (process_parse(text, &process) == 0) {
		terminal_text(process.terminal, terminal);
		sessions_find(&process, 1, &session, 1);
	}
	module_parse(text, name);
	verity_state(text);
	upper_is_finding(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *rest = text, *next;
	struct port_set ports;

	if (text == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	ports_parse(data, size, &ports);
	whole(text);
	while ((next = strsep(&rest, "\n")) != NULL)
		line(next);
	free(text);
	return 0;
}

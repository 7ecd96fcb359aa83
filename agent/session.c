/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/session.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define GENERATIONS 64 /* a table read while processes come and go may hold a circle */

int process_parse(const char *stat, struct process *ret_process)
{
	/* The name may hold anything, brackets too. */
	const char *open = strchr(stat, '('), *close = strrchr(stat, ')');
	int pid, parent, session, terminal;
	size_t size;

	if (open == NULL || close == NULL || close < open)
		return -EINVAL;
	size = (size_t)(close - open - 1);
	if (size >= sizeof(ret_process->name))
		size = sizeof(ret_process->name) - 1;
	if (sscanf(stat, "%9d", &pid) != 1 || sscanf(close + 1, " %*c %9d %*9d %9d %9d", &parent, &session, &terminal) != 3 || pid <= 0)
		return -EINVAL;
	*ret_process = (struct process){ .pid = pid, .parent = parent, .session = session, .terminal = terminal };
	memcpy(ret_process->name, open + 1, size);
	return 0;
}

const char *terminal_text(int terminal, char ret_text[16])
{
	unsigned device = (unsigned)terminal, major = device >> 8 & 0xfff, minor = (device & 0xff) | (device >> 12 & 0xfff00);

	/* Documentation/admin-guide/devices.txt of Linux */
	if (major >= 136 && major <= 143)
		snprintf(ret_text, 16, "pts/%u", minor + (major - 136) * 256);
	else if (major == 4)
		snprintf(ret_text, 16, minor < 64 ? "tty%u" : "ttyS%u", minor < 64 ? minor : minor - 64);
	else if (major == 5 && minor == 1)
		snprintf(ret_text, 16, "console");
	else
		snprintf(ret_text, 16, "%u:%u", major, minor);
	return ret_text;
}

static const struct process *find(const struct process *processes, size_t count, pid_t pid)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (processes[middle].pid == pid)
			return &processes[middle];
		if (processes[middle].pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool process_descends(const struct process *processes, size_t count, pid_t pid, pid_t ancestor)
{
	for (int i = 0; i < GENERATIONS && pid > 0; i++) {
		const struct process *process;

		if (pid == ancestor)
			return true;
		process = find(processes, count, pid);
		pid = process != NULL ? process->parent : 0;
	}
	return false;
}

/* "sshd-session" of newer versions, too. */
static bool is_ssh(const struct process *process)
{
	return process != NULL && (strncmp(process->name, "sshd", 4) == 0 || strcmp(process->name, "dropbear") == 0);
}

/* The outermost process of a connection: the one below the listening server. 0: `process` didn't come by ssh. */
static pid_t gate_of(const struct process *processes, size_t count, const struct process *process)
{
	pid_t gate = 0;

	for (int i = 0; i < GENERATIONS && process != NULL; i++) {
		const struct process *parent = find(processes, count, process->parent);

		if (is_ssh(process) && is_ssh(parent))
			gate = process->pid;
		process = parent;
	}
	return gate;
}

size_t sessions_find(const struct process *processes, size_t count, struct session *ret_sessions, size_t room)
{
	size_t found = 0;

	for (size_t i = 0; i < count; i++) {
		const struct process *process = &processes[i];
		bool at_terminal = process->terminal != 0 && process->session == process->pid;
		bool below_ssh = process->terminal == 0 && !is_ssh(process) && is_ssh(find(processes, count, process->parent));
		pid_t gate = at_terminal || below_ssh ? gate_of(processes, count, process) : 0;

		/* What the listening server itself runs has no gate. */
		if (!at_terminal && gate == 0)
			continue;
		if (found < room)
			ret_sessions[found] = (struct session){ process->pid, gate, process->user, process->terminal };
		found++;
	}
	return found;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The OS's log lines as they come: of busybox's syslogd from its ring in shared memory, or of systemd-journald from the datagrams that
 * it sends to whoever holds its syslog socket (ForwardToSyslog=). */
#ifndef AGENT_LOGS_H
#define AGENT_LOGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_LINE_MOST 1024u

struct logs {
	int socket;             /* -1: none; to be polled for input */
	const char *socket_path;
	const struct log_ring *ring;
	size_t ring_room;       /* bytes of `data` that are attached */
	size_t ring_at;
	char line[LOG_LINE_MOST];
	size_t line_size;
};

/* `again`: an earlier life of the agent in this boot has seen what is in the ring. */
void logs_open(struct logs *logs, const char *journal_socket, bool again);
/* Calls `take` for each whole line that came since; never waits. */
void logs_read(struct logs *logs, bool again, void (*take)(void *context, const char *line), void *context);
void logs_close(struct logs *logs);

#endif

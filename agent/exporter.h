/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Metrics for Prometheus, where a node's configuration asks for them: a process of its own that answers `GET /metrics`, one connection at a
 * time. It has no rights (sandbox.h), no key, and nothing of the main process but a page of text that this one writes. */
#ifndef AGENT_EXPORTER_H
#define AGENT_EXPORTER_H

#include <stdint.h>
#include <sys/types.h>

#include "agent/report.h"

struct exposed;

struct exporter {
	int socket;              /* listens; -1: nobody asked for metrics */
	uint16_t port;
	struct exposed *exposed; /* shared with the process */
	pid_t process;           /* 0: none */
	int64_t started;         /* milliseconds of the steady clock */
	uid_t user;
};

/* Reads the file `path`, "ADDRESS:PORT"; without it there are no metrics. What is wrong is logged; the agent goes on without. To be called
 * while this program is small: the process gets a copy. */
void exporter_open(struct exporter *exporter, const char *path, uid_t user);
/* Replaces the process if it has ended. */
void exporter_keep(struct exporter *exporter);
void exporter_publish(struct exporter *exporter, const struct measures *measures);
void exporter_close(struct exporter *exporter);

#endif

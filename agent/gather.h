/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Measures this machine: reads what measure.c, tcp.c and session.c understand. */
#ifndef AGENT_GATHER_H
#define AGENT_GATHER_H

#include <stddef.h>

#include "agent/places.h"
#include "agent/report.h"
#include "agent/session.h"
#include "agent/tcp.h"
#include "agent/verity.h"

#define PROCESSES_MOST 8192u

/* Calls `take` for each line of a file; lines beyond 1023 bytes are cut into several. 0 or -errno. Never holds more than one line: a
 * busy server's list of sockets is larger than all of this program. */
int each_line(const char *path, void (*take)(void *context, const char *line), void *context);

/* All processes, ascending by pid, at most PROCESSES_MOST; malloc'd. 0 or -errno. */
int processes_load(struct process **ret_processes, size_t *ret_count);

/* Fills in the name of the account and of the terminal, and the process. */
void session_user(const struct session *session, struct logged_in *ret_user);

struct inode_owner {
	uint64_t inode;
	pid_t process;
	char name[16];
};
/* Who has a socket open: fills in `process` and `name` of each. */
void find_owners(struct inode_owner *owners, size_t count);

/* The ports that the application declares; none without an application. */
void load_ports(const struct places *places, struct port_set *ret_ports);

struct gatherer {
	struct cpu_times before;
	struct peers peers;
	struct verity verity; /* started by the caller, or all zeros */
};

/* Everything but `health`, which is left as it is. What can't be read stays 0. */
void gather(struct gatherer *gatherer, const struct places *places, struct measures *ret_measures);

#endif

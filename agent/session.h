/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is logged in, by the processes that run. Neither OS of rootfs/ keeps utmp: busybox and dropbear with musl can't, and Debian's
 * image has no log-in manager; and root could leave himself out of it. Pure: gather.c reads /proc. */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process {
	pid_t pid, parent, session;
	int terminal;   /* tty_nr of proc(5); 0: none */
	uid_t user;     /* parse leaves it alone: the owner of the folder in /proc */
	char name[16];
};

/* /proc/PID/stat. 0 or -EINVAL. */
int process_parse(const char *stat, struct process *ret_process);
/* "pts/0", "tty1", "ttyS0", "console", or "MAJOR:MINOR". Returns `ret_text`. */
const char *terminal_text(int terminal, char ret_text[16]);

struct session {
	pid_t leader; /* its process with the terminal or, without one, what ssh runs */
	pid_t gate;   /* the process of the ssh server that serves this connection; 0 on a console */
	uid_t user;
	int terminal; /* 0: none, such as `ssh HOST COMMAND` */
};

/* `processes` ascend by pid, as /proc lists them. Writes at most `room` sessions; returns how many there are. */
size_t sessions_find(const struct process *processes, size_t count, struct session *ret_sessions, size_t room);
/* Whether `pid` is `ancestor` or descends from it. */
bool process_descends(const struct process *processes, size_t count, pid_t pid, pid_t ancestor);

#endif

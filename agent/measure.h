/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the texts of /proc and /sys say about a machine. Pure: gather.c reads the files. Formats: proc(5) and
 * Documentation/accounting/psi.rst of Linux. Sizes are in bytes, times in seconds. */
#ifndef AGENT_MEASURE_H
#define AGENT_MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu_times {
	uint64_t busy, total; /* ticks of all processors since the boot */
	unsigned count;       /* processors */
};

struct memory {
	uint64_t total, available, swap_total, swap_free;
};

/* Percent of the last 10 s in which some or all tasks waited. */
struct pressure {
	double some, full;
};

struct interface {
	char name[16];
	uint64_t received, receive_errors, sent, send_errors;
};

struct mount {
	char place[128];
	char type[16];
};

/* Each: 0, or -EINVAL when the text isn't of that form. */
int measure_uptime(const char *text, double *ret_seconds);         /* /proc/uptime */
int measure_load(const char *text, double ret_load[3]);            /* /proc/loadavg */
int measure_cpu(const char *text, struct cpu_times *ret_times);    /* /proc/stat */
int measure_memory(const char *text, struct memory *ret_memory);   /* /proc/meminfo */
int measure_pressure(const char *text, struct pressure *ret_pressure); /* /proc/pressure/… */

/* The share of time, 0 to 1, in which processors were busy between two looks; 0 without a time between them. */
double cpu_share(const struct cpu_times *before, const struct cpu_times *after);

/* One line of /proc/net/dev. 0; -ENOENT for a heading and for the loopback interface; -EINVAL. */
int measure_interface(const char *line, struct interface *ret_interface);

/* One line of /proc/mounts. 0; -EINVAL, also for a place that is too long to tell. */
int measure_mount(const char *line, struct mount *ret_mount);
/* Whether how full it is says something: local, writable kinds. Asking a network file system could wait for ever. */
bool mount_counts(const struct mount *mount);

/* Copies the value of the word `key=value` of a kernel command line. 0; -ENOENT; -EINVAL when it is there twice or is too long. */
int cmdline_word(const char *cmdline, const char *key, char *ret_value, size_t room);
/* The root hash of a slot (`key` "repave.c" or "repave.d") in a kernel command line of stage 1 (docs/protocol.md). 0, -ENOENT, -EINVAL. */
int cmdline_root_hash(const char *cmdline, const char *key, char ret_hash[65]);

/* How a verity device is, of the status line of its target: 'V' sound so far, 'C' corruption was seen. 0 for anything else. */
char verity_state(const char *status);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an operator sees: one line per event with the up-time, progress of long work, and how long each stage took. */
#ifndef PROVISIONER_CONSOLE_H
#define PROVISIONER_CONSOLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STAGES_MOST 16u

struct stage {
	char name[16];
	double seconds;
};

struct stages {
	struct stage done[STAGES_MOST];
	unsigned count;
	const char *current; /* NULL between stages */
	double since;        /* up-time at which it began */
};

double uptime(void); /* seconds since the kernel started */

/* Lines go to standard output; after this, to every other console of the kernel too. Call once. */
void console_open_all(void);

/* "[  12.3 s] stage      text"; control characters become spaces. */
void console_line(const struct stages *stages, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The last 48 KiB of the lines so far, without progress on screens; printable ASCII. Not terminated; valid until the next line. */
const char *console_said(size_t *ret_size);

/* Adds a stage that others measured. */
void stages_add(struct stages *stages, const char *name, double seconds);
/* Ends the current stage and begins `name` (a literal). */
void stages_begin(struct stages *stages, const char *name);
void stages_end(struct stages *stages);
/* [{"name": …, "seconds": …}, …], the running one included. A new reference, or NULL. */
json_t *stages_json(const struct stages *stages);

/* Progress of one piece of work. On a screen it rewrites one line; on a serial line or in a file it prints a line per
 * tenth, and at least one in 10 s. */
struct progress {
	const struct stages *stages;
	const char *label; /* "debian 12.11" */
	const char *what;  /* "checking" … */
	unsigned tenth;
	double since, shown, logged;
};

/* How fast bytes have been coming lately. All 0 at first. */
struct speed {
	double when;      /* up-time of the last look; 0: none yet */
	uint64_t done;
	double rate;      /* bytes per second */
};

/* Pure: `done` bytes of a phase have been done at up-time `now`. Each look's own rate counts for half, so that a stall shows and a
 * burst doesn't mislead; fewer bytes than before begin anew. Returns bytes per second. */
uint64_t speed_look(struct speed *speed, uint64_t done, double now);

#define PROGRESS_TEXT 96u
/* Pure. " 42%  12.6 MiB/30.0 MiB  4.2 MiB/s  4 s left", after `seconds` of work. */
void progress_format(uint64_t done, uint64_t total, double seconds, char ret_text[PROGRESS_TEXT]);
/* Pure. "fetching minimal 1.0+20261121      42%  12.6 MiB/30.0 MiB  4.2 MiB/s  4 s left": one row of a screen, so that a carriage
 * return can write over all of it. A long label is cut, the figures never are. */
void progress_line(const char *what, const char *label, const char *figures, char ret_text[PROGRESS_TEXT]);

void progress_init(struct progress *ret_progress, const struct stages *stages, const char *label);
/* `what` is a literal; another one than before starts a new piece of work. Bytes. */
void progress_show(struct progress *progress, const char *what, uint64_t done, uint64_t total);
void progress_end(struct progress *progress);

#endif

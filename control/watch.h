/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `repave node watch` shows of the nodes, from the answers of the operator's interface. Pure. */
#ifndef CONTROL_WATCH_H
#define CONTROL_WATCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define WATCH_STATES 4u

/* The states that end a watch. */
struct watch_goal {
	bool wanted[WATCH_STATES]; /* in the order of a table */
	unsigned count;            /* 0: none, watch for ever */
};

/* "booted,failed" of waiting, booting, booted and failed. 0 or -EINVAL. */
int watch_goal_parse(const char *text, struct watch_goal *ret_goal);
/* Whether every node is in one of the wanted states; never when there is no node. "booted" counts for the assignment that is in force: a
 * node that still runs what it had before isn't there yet. */
bool watch_goal_reached(const struct watch_goal *goal, const json_t *nodes);
/* Whether a node ended in "failed" though that wasn't the only state wanted. */
bool watch_goal_missed(const struct watch_goal *goal, const json_t *nodes);

/* Whether anything but the time of the last contact differs. */
bool watch_same(const json_t *before, const json_t *node);
/* Of `progress` (null: -1). 0 to 100; 100 only when all is done. */
int watch_percent(const json_t *progress);

/* How wide each column has been: it doesn't shrink again, so that a table doesn't jump about. All 0 at first. */
#define WATCH_COLUMNS 8u
struct watch_widths {
	size_t of[WATCH_COLUMNS];
};

/* A line with the time, for a log: no table, no control characters but the line's end. `now` in seconds since 1970. */
void watch_line(const json_t *node, int64_t now, FILE *to);
/* A table of at most `lines` lines, each at most `columns` wide and ended by `end`; what moves comes first. Characters that the locale
 * doesn't know become "?". */
void watch_table(const json_t *nodes, int64_t now, size_t columns, size_t lines, const char *end, struct watch_widths *widths, FILE *to);

/* Writes at most `columns` columns of `text`, and with `pad` spaces up to them; with `to` NULL nothing. Returns the columns. */
size_t watch_cut(const char *text, size_t columns, bool pad, FILE *to);

#endif

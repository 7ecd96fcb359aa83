/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What was decided, from what, and what is learned for decisions; in SQLite. */
#ifndef CONTROL_STORE_JOURNAL_H
#define CONTROL_STORE_JOURNAL_H

#include "control/store.h"

#define JOURNAL_KEPT 100000u
#define ROUNDS_BYTES_MOST (64 * 1024 * 1024)
#define ROUND_BYTES_MOST (256u * 1024 * 1024)  /* unpacked */

enum journal_state {
	JOURNAL_GRANTED,   /* it is being done */
	JOURNAL_ADVISED,   /* it would be done, but for the mode "advise" */
	JOURNAL_DENIED,
	JOURNAL_LATER,
	JOURNAL_DONE,
	JOURNAL_FAILED,
	JOURNAL_CANCELLED,
};

/* Texts are borrowed, "" for none; ids are of nodes. */
struct journal_entry {
	int64_t time;            /* seconds since 1970 */
	uint64_t round;          /* 0 without one */
	const char *origin;      /* "rule", "operator NAME", "plan", "user NAME" */
	const char *rule;        /* its name */
	const char *action;      /* "reimage", "cut" … "move" */
	const char *verdict;     /* "do", "hurry", "later", "denied" */
	const char *urgency;
	const char *node, *group, *spare;
	const char *reason;
	const json_t *data;      /* measured values; NULL for none */
	uint64_t restart;        /* that carries it out: its end is the entry's; 0 without */
	enum journal_state state;
};

const char *journal_state_name(enum journal_state state);

/* 0 or -EIO. Rows beyond JOURNAL_KEPT go, the oldest first. */
int store_add_decision(struct store *store, const struct journal_entry *entry, uint64_t *ret_id);
/* What came of it; one that has ended stays so. `restart` 0: as it was. 0 or -EIO. */
int store_follow_decision(struct store *store, uint64_t id, enum journal_state state, uint64_t restart, bool ended, int64_t now);
/* One that waited, or was denied, holds no longer. 0 or -EIO. */
int store_close_decision(struct store *store, uint64_t id, int64_t now);
/* Of those that this restart carries out, which has ended; how many there were. 0 or -EIO. */
int store_end_decisions(struct store *store, uint64_t restart, enum journal_state state, int64_t now, unsigned *ret_count);
/* Those that wait for nothing but time, when the control unit starts: they are decided anew. 0 or -EIO. */
int store_end_standing(struct store *store, int64_t now);

struct journal_filter {
	int64_t after;           /* ids above; negative: the last `most` */
	unsigned most;
	const char *node, *group; /* "": all */
};
/* JSON objects as in docs/openapi.yaml, oldest first; a new reference. 0 or -EIO. */
int store_list_decisions(struct store *store, const struct journal_filter *filter, json_t **ret_list);

/* What a round saw and decided, packed by zstd; the oldest go when all are more than ROUNDS_BYTES_MOST. 0 or -EIO. */
int store_add_round(struct store *store, int64_t now, const void *packed, size_t size, uint64_t *ret_id);
/* Unpacked, malloc'd, with a NUL behind. 0, -ENOENT, -ENOMEM or -EIO. */
int store_get_round(struct store *store, uint64_t id, char **ret_text, size_t *ret_size);
/* [{"round", "time", "bytes"}] since then, oldest first. 0 or -EIO. */
int store_list_rounds(struct store *store, int64_t since, unsigned most, json_t **ret_list);

/* What is learned: a JSON object for each name of a kind. `value` NULL forgets it. 0 or -EIO. */
int store_put_memory(struct store *store, const char *kind, const char *name, const json_t *value);
/* Calls `each` for all; `value` is borrowed. Stops when it returns non-zero, and returns that. */
int store_each_memory(struct store *store, int (*each)(void *context, const char *kind, const char *name, const json_t *value), void *context);

#endif

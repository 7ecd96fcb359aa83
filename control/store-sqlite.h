/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the SQLite store share; nobody else includes it. */
#ifndef CONTROL_STORE_SQLITE_H
#define CONTROL_STORE_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include "control/store.h"

struct store {
	sqlite3 *db;
	char *path;
	unsigned depth;                  /* of transactions within one another; the outermost counts */
	bool is_doomed;                  /* one within failed: so does the outermost */
	int changed;                     /* rows, by the last sql_finish */
	const struct audit_entry *audit; /* goes into the next transaction; borrowed */
	atomic_int trouble;              /* enum store_trouble */
	int64_t told;                    /* when it was last logged, by a clock that nobody sets */
};

/* -EIO, after a line with SQLite's own words and what to do; once a minute while the trouble is the same. */
int sql_fail(struct store *store, const char *what);
/* Runs statements that give no rows. 0 or -EIO. */
int sql_run(struct store *store, const char *sql, const char *what);
int sql_prepare(struct store *store, const char *sql, sqlite3_stmt **ret_statement);
/* Runs a statement that gives no rows, and frees it; with the audit entry that waits, where it is a transaction of its own. */
int sql_finish(struct store *store, sqlite3_stmt *statement, const char *what);

void sql_bind_text(sqlite3_stmt *statement, int at, const char *text);
/* A value that couldn't be bound is NULL and fails NOT NULL. */
void sql_bind_json(sqlite3_stmt *statement, int at, const json_t *value);
/* Copies a text column that must fit. 0 or -EIO. */
int sql_text(sqlite3_stmt *row, int column, char *ret_text, size_t most);
json_t *sql_json(sqlite3_stmt *row, int column);

/* Makes the tables, or brings those of an older version up to date. 0, -EPROTO, -EBADMSG or -errno; logs the cause. */
int schema_prepare(struct store *store);
/* Writes the version, which makes a page anew even where it stays the same; within a transaction. 0 or -EIO. */
int schema_touch(struct store *store);

/* The folder of the store at `path`, malloc'd, or NULL; and its newest backup, NULL without one. */
char *store_folder(const char *path);
char *store_newest_backup(const char *path);

#endif

// SPDX-License-Identifier: GPL-2.0-or-later
/* Restarts, in SQLite. */
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "control/store-sqlite.h"

int store_put_restart(struct store *store, struct restart_record *record)
{
	json_t *state = restart_record_format(record);
	sqlite3_stmt *put;
	int r = state ? sql_prepare(store, "INSERT INTO restarts (id, node, started, ended, state) VALUES (?1, ?2, ?3, ?4, ?5)"
					   " ON CONFLICT (id) DO UPDATE SET ended=?4, state=?5", &put) : -ENOMEM;

	if (!r) {
		if (record->id)
			sqlite3_bind_int64(put, 1, (sqlite3_int64)record->id);
		sql_bind_text(put, 2, record->node);
		sqlite3_bind_int64(put, 3, record->started);
		sqlite3_bind_int64(put, 4, record->ended);
		sql_bind_json(put, 5, state);
		r = sql_finish(store, put, "store a restart");
	}
	if (!r && !record->id)
		record->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	json_decref(state);
	return r;
}

int store_prune_restarts(struct store *store)
{
	sqlite3_stmt *prune;
	int r = sql_prepare(store, "DELETE FROM restarts WHERE ended > 0 AND id <= (SELECT max(id) FROM restarts) - ?1", &prune);

	if (r < 0)
		return r;
	sqlite3_bind_int64(prune, 1, RESTARTS_KEPT);
	return sql_finish(store, prune, "forget old restarts");
}

static int read_restart(sqlite3_stmt *row, struct restart_record *record)
{
	json_t *state = sql_json(row, 4);
	int r = state ? restart_record_parse(state, record) : -EINVAL;

	json_decref(state);
	record->id = (uint64_t)sqlite3_column_int64(row, 0);
	record->started = sqlite3_column_int64(row, 2);
	record->ended = sqlite3_column_int64(row, 3);
	if (!r)
		r = sql_text(row, 1, record->node, sizeof record->node - 1);
	return r;
}

int store_each_restart(struct store *store, const struct restart_filter *filter,
		       int (*each)(void *context, struct restart_record *record), void *context)
{
	int step = SQLITE_ROW;
	sqlite3_stmt *rows;
	int r = sql_prepare(store, "SELECT id, node, started, ended, state FROM restarts WHERE (?1 = '' OR node = ?1) AND (?2 = 0 OR id = ?2)"
				   " AND (?3 = 0 OR ended = 0) ORDER BY id DESC LIMIT ?4", &rows);

	if (r < 0)
		return r;
	sql_bind_text(rows, 1, filter->node);
	sqlite3_bind_int64(rows, 2, (sqlite3_int64)filter->id);
	sqlite3_bind_int(rows, 3, filter->active);
	sqlite3_bind_int64(rows, 4, filter->most);
	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		struct restart_record record = { 0 };

		r = read_restart(rows, &record);
		if (r == -EINVAL || r == -EIO)
			r = store_damaged(store, "a restart makes no sense");
		if (r < 0)
			restart_record_release(&record);
		else
			r = each(context, &record);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	return r;
}

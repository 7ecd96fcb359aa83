// SPDX-License-Identifier: GPL-2.0-or-later
/* Alarms, in SQLite. */
#include "control/store-alarms.h"

#include <errno.h>

#include "control/store-sqlite.h"

int store_put_alarms(struct store *store, const char *node, const struct node_alarms *alarms)
{
	json_t *state = alarms ? node_alarms_format(alarms) : NULL;
	sqlite3_stmt *put;
	int r;

	if (alarms && !state)
		return -ENOMEM;
	r = sql_prepare(store, alarms ? "INSERT OR REPLACE INTO alarms (node, state) VALUES (?1, ?2)" : "DELETE FROM alarms WHERE node = ?1", &put);
	if (!r) {
		sql_bind_text(put, 1, node);
		if (state)
			sql_bind_json(put, 2, state);
		r = sql_finish(store, put, "store a node's alarms");
	}
	json_decref(state);
	return r;
}

int store_each_alarms(struct store *store, int (*each)(void *context, const char *node, const struct node_alarms *alarms), void *context)
{
	char node[NODE_ID_SIZE + 1];
	struct node_alarms alarms;
	sqlite3_stmt *all;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT node, state FROM alarms ORDER BY node", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		json_t *state = sql_json(all, 1);

		if (sql_text(all, 0, node, NODE_ID_SIZE) < 0 || node_alarms_parse(state, &alarms) < 0)
			r = store_damaged(store, "a node's alarms make no sense");
		else
			r = each(context, node, &alarms);
		json_decref(state);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

/* ------------------------------------------------------------------ evidence */

int store_put_evidence(struct store *store, const struct evidence_row *row)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT OR REPLACE INTO evidence (restart, node, time, bytes, sha256) VALUES (?1, ?2, ?3, ?4, ?5)", &put);

	if (r < 0)
		return r;
	sqlite3_bind_int64(put, 1, (sqlite3_int64)row->restart);
	sql_bind_text(put, 2, row->node);
	sqlite3_bind_int64(put, 3, row->time);
	sqlite3_bind_int64(put, 4, (sqlite3_int64)row->bytes);
	sql_bind_text(put, 5, row->sha256);
	return sql_finish(store, put, "store what evidence there is");
}

static int evidence_of_row(sqlite3_stmt *row, struct evidence_row *ret_row)
{
	*ret_row = (struct evidence_row){ .restart = (uint64_t)sqlite3_column_int64(row, 0), .time = sqlite3_column_int64(row, 2),
					  .bytes = (uint64_t)sqlite3_column_int64(row, 3) };
	return sql_text(row, 1, ret_row->node, NODE_ID_SIZE) < 0 || sql_text(row, 4, ret_row->sha256, DIGEST_TEXT) < 0 ? -EIO : 0;
}

int store_each_evidence(struct store *store, const char *node, int (*each)(void *context, const struct evidence_row *row), void *context)
{
	struct evidence_row row;
	sqlite3_stmt *all;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT restart, node, time, bytes, sha256 FROM evidence WHERE ?1 = '' OR node = ?1"
						" ORDER BY restart DESC", &all);

	if (r < 0)
		return r;
	sql_bind_text(all, 1, node);
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW)
		r = evidence_of_row(all, &row) < 0 ? store_damaged(store, "a record of evidence makes no sense") : each(context, &row);
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

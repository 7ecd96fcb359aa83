// SPDX-License-Identifier: GPL-2.0-or-later
/* What nodes said, in SQLite. */
#include <string.h>

#include "control/store-sqlite.h"

/* The same boot says the same thing again when an answer was lost. */
static int forget_same(struct store *store, const char *node, const struct node_log *log)
{
	sqlite3_stmt *forget;
	int r = sql_prepare(store, "DELETE FROM logs WHERE node = ?1 AND nonce = ?2 AND kind = ?3", &forget);

	if (r < 0)
		return r;
	sql_bind_text(forget, 1, node);
	sql_bind_text(forget, 2, log->nonce);
	sql_bind_text(forget, 3, log_kind_name(log->kind));
	return sql_finish(store, forget, "replace a log");
}

static int insert(struct store *store, const char *node, const struct node_log *log, int64_t now)
{
	sqlite3_stmt *add;
	int r = sql_prepare(store, "INSERT INTO logs (node, time, kind, nonce, text) VALUES (?1, ?2, ?3, ?4, ?5)", &add);

	if (r < 0)
		return r;
	sql_bind_text(add, 1, node);
	sqlite3_bind_int64(add, 2, now);
	sql_bind_text(add, 3, log_kind_name(log->kind));
	sql_bind_text(add, 4, log->nonce);
	sql_bind_text(add, 5, json_string_value(log->text));
	return sql_finish(store, add, "store a log");
}

/* What is beyond the bounds, counted from the newest on. */
static int prune(struct store *store, const char *node, int64_t now)
{
	sqlite3_stmt *forget;
	int r = sql_prepare(store, "DELETE FROM logs WHERE node = ?1 AND (time < ?2 OR sequence IN (SELECT sequence FROM"
				   " (SELECT sequence, sum(length(text)) OVER newest AS bytes, count(*) OVER newest AS count FROM logs"
				   " WHERE node = ?1 WINDOW newest AS (ORDER BY sequence DESC)) WHERE bytes > ?3 OR count > ?4))", &forget);

	if (r < 0)
		return r;
	sql_bind_text(forget, 1, node);
	sqlite3_bind_int64(forget, 2, now - LOGS_SECONDS_KEPT);
	sqlite3_bind_int64(forget, 3, LOGS_BYTES_KEPT);
	sqlite3_bind_int64(forget, 4, LOGS_KEPT);
	return sql_finish(store, forget, "forget old logs");
}

int store_add_log(struct store *store, const char *node, const struct node_log *log, int64_t now)
{
	int r = store_begin(store);

	if (r < 0)
		return r;
	r = forget_same(store, node, log);
	if (!r)
		r = insert(store, node, log, now);
	if (!r)
		r = prune(store, node, now);
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

int store_list_logs(struct store *store, const char *node, json_t **ret_list)
{
	sqlite3_stmt *query;
	json_t *list = json_array();
	int step, r = sql_prepare(store, "SELECT sequence, time, kind, nonce, text FROM logs WHERE node = ?1 ORDER BY sequence", &query);

	if (r < 0) {
		json_decref(list);
		return r;
	}
	sql_bind_text(query, 1, node);
	while ((step = sqlite3_step(query)) == SQLITE_ROW)
		json_array_append_new(list, json_pack("{sI sI ss ss ss}", "sequence", (json_int_t)sqlite3_column_int64(query, 0), "time",
						      (json_int_t)sqlite3_column_int64(query, 1), "kind",
						      (const char *)sqlite3_column_text(query, 2), "nonce",
						      (const char *)sqlite3_column_text(query, 3), "text",
						      (const char *)sqlite3_column_text(query, 4)));
	r = step == SQLITE_DONE ? 0 : sql_fail(store, "be read");
	sqlite3_finalize(query);
	if (r < 0)
		json_decref(list);
	else
		*ret_list = list;
	return r;
}

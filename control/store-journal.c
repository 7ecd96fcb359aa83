// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/store-journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "common/json.h"
#include "control/store-sqlite.h"

#define PRUNE_EVERY 256u /* rows: so seldom it costs nothing */

static const char *const state_names[] = { "granted", "advised", "denied", "later", "done", "failed", "cancelled" };

const char *journal_state_name(enum journal_state state)
{
	return state_names[state];
}

/* ------------------------------------------------------------------ the journal */

static int prune(struct store *store)
{
	sqlite3_stmt *forget;
	int r = sql_prepare(store, "DELETE FROM journal WHERE id <= (SELECT max(id) FROM journal) - ?1", &forget);

	if (r < 0)
		return r;
	sqlite3_bind_int64(forget, 1, JOURNAL_KEPT);
	return sql_finish(store, forget, "forget old decisions");
}

int store_add_decision(struct store *store, const struct journal_entry *e, uint64_t *ret_id)
{
	bool lasts = e->state == JOURNAL_GRANTED || e->state == JOURNAL_LATER || e->state == JOURNAL_DENIED || e->state == JOURNAL_ADVISED;
	json_t *data = e->data ? json_incref(json_iterable(e->data)) : json_object();
	sqlite3_stmt *add;
	int r = sql_prepare(store, "INSERT INTO journal (time, round, origin, rule, action, verdict, urgency, node, team, spare, reason, data, restart,"
				   " state, ended) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)", &add);

	if (!r) {
		const char *const texts[] = { e->origin, e->rule, e->action, e->verdict, e->urgency, e->node, e->group, e->spare, e->reason };

		sqlite3_bind_int64(add, 1, e->time);
		sqlite3_bind_int64(add, 2, (sqlite3_int64)e->round);
		for (int i = 0; i < 9; i++)
			sql_bind_text(add, 3 + i, texts[i]);
		sql_bind_json(add, 12, data);
		sqlite3_bind_int64(add, 13, (sqlite3_int64)e->restart);
		sql_bind_text(add, 14, state_names[e->state]);
		sqlite3_bind_int64(add, 15, lasts ? 0 : e->time);
		r = sql_finish(store, add, "note a decision");
	}
	json_decref(data);
	if (r < 0)
		return r;
	*ret_id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	return *ret_id % PRUNE_EVERY ? 0 : prune(store);
}

int store_follow_decision(struct store *store, uint64_t id, enum journal_state state, uint64_t restart, bool ended, int64_t now)
{
	sqlite3_stmt *follow;
	int r = sql_prepare(store, "UPDATE journal SET state = ?2, restart = CASE ?3 WHEN 0 THEN restart ELSE ?3 END, ended = ?4"
				   " WHERE id = ?1 AND ended = 0", &follow);

	if (r < 0)
		return r;
	sqlite3_bind_int64(follow, 1, (sqlite3_int64)id);
	sql_bind_text(follow, 2, state_names[state]);
	sqlite3_bind_int64(follow, 3, (sqlite3_int64)restart);
	sqlite3_bind_int64(follow, 4, ended ? now : 0);
	return sql_finish(store, follow, "note what came of a decision");
}

int store_close_decision(struct store *store, uint64_t id, int64_t now)
{
	sqlite3_stmt *close;
	int r = sql_prepare(store, "UPDATE journal SET ended = ?2 WHERE id = ?1 AND ended = 0", &close);

	if (r < 0)
		return r;
	sqlite3_bind_int64(close, 1, (sqlite3_int64)id);
	sqlite3_bind_int64(close, 2, now);
	return sql_finish(store, close, "note that a decision holds no longer");
}

int store_end_decisions(struct store *store, uint64_t restart, enum journal_state state, int64_t now, unsigned *ret_count)
{
	sqlite3_stmt *end;
	int r = sql_prepare(store, "UPDATE journal SET state = ?2, ended = ?3 WHERE restart = ?1 AND restart <> 0 AND ended = 0", &end);

	if (r < 0)
		return r;
	sqlite3_bind_int64(end, 1, (sqlite3_int64)restart);
	sql_bind_text(end, 2, state_names[state]);
	sqlite3_bind_int64(end, 3, now);
	r = sql_finish(store, end, "note what came of a decision");
	*ret_count = r < 0 ? 0 : (unsigned)store->changed;
	return r;
}

int store_end_standing(struct store *store, int64_t now)
{
	sqlite3_stmt *end;
	int r = sql_prepare(store, "UPDATE journal SET ended = ?1 WHERE ended = 0 AND state <> 'granted'", &end);

	if (r < 0)
		return r;
	sqlite3_bind_int64(end, 1, now);
	return sql_finish(store, end, "note that decisions are made anew");
}

static json_t *cell(sqlite3_stmt *row, int column)
{
	const char *type = sqlite3_column_decltype(row, column);
	json_t *value;

	if (sqlite3_column_type(row, column) == SQLITE_INTEGER)
		return json_integer(sqlite3_column_int64(row, column));
	value = type && !strcmp(type, "JSON") ? sql_json(row, column) : json_string((const char *)sqlite3_column_text(row, column));
	return value ? value : json_string("?");
}

/* All rows of a query as objects, the other way round when `newest_first`; frees the statement. */
static int list_rows(struct store *store, sqlite3_stmt *rows, bool newest_first, json_t **ret_list)
{
	json_t *list = json_array();
	int step = SQLITE_ROW, r = list ? 0 : -ENOMEM;

	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		json_t *object = json_object();

		for (int i = 0; object && i < sqlite3_column_count(rows); i++)
			json_object_set_new(object, sqlite3_column_name(rows, i), cell(rows, i));
		r = newest_first ? json_array_insert_new(list, 0, object) : json_array_append_new(list, object);
		r = r ? -ENOMEM : 0;
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	if (r < 0)
		json_decref(list);
	else
		*ret_list = list;
	return r;
}

int store_list_decisions(struct store *store, const struct journal_filter *filter, json_t **ret_list)
{
	static const char what[] = "SELECT id AS sequence, time, round, origin, rule, action, verdict, urgency, node, team AS \"group\", spare, reason,"
				   " data, restart, state, ended FROM journal WHERE id > ?1 AND (?3 = '' OR node = ?3 OR spare = ?3)"
				   " AND (?4 = '' OR team = ?4) ORDER BY id %s LIMIT ?2";
	char sql[sizeof what + 8];
	sqlite3_stmt *rows;
	int r;

	snprintf(sql, sizeof sql, what, filter->after < 0 ? "DESC" : "");
	r = sql_prepare(store, sql, &rows);
	if (r < 0)
		return r;
	sqlite3_bind_int64(rows, 1, filter->after);
	sqlite3_bind_int64(rows, 2, filter->most);
	sql_bind_text(rows, 3, filter->node);
	sql_bind_text(rows, 4, filter->group);
	return list_rows(store, rows, filter->after < 0, ret_list);
}

/* ------------------------------------------------------------------ rounds */

static int prune_rounds(struct store *store)
{
	sqlite3_stmt *forget;
	int r = sql_prepare(store, "DELETE FROM rounds WHERE id <= (SELECT id FROM (SELECT id, sum(length(snapshot)) OVER (ORDER BY id DESC) AS total"
				   " FROM rounds) WHERE total > ?1 ORDER BY id DESC LIMIT 1)", &forget);

	if (r < 0)
		return r;
	sqlite3_bind_int64(forget, 1, ROUNDS_BYTES_MOST);
	return sql_finish(store, forget, "forget old rounds");
}

int store_add_round(struct store *store, int64_t now, const void *packed, size_t size, uint64_t *ret_id)
{
	sqlite3_stmt *add;
	int r = store_begin(store);

	if (r < 0)
		return r;
	r = sql_prepare(store, "INSERT INTO rounds (time, snapshot) VALUES (?1, ?2)", &add);
	if (!r) {
		sqlite3_bind_int64(add, 1, now);
		sqlite3_bind_blob64(add, 2, packed, size, SQLITE_STATIC);
		r = sql_finish(store, add, "keep what was decided from");
	}
	if (!r)
		*ret_id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	if (!r && *ret_id % 16 == 0)
		r = prune_rounds(store);
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

/* It is the control unit's own, and the database may be damaged all the same. */
static int unpack(const void *packed, size_t size, char **ret_text, size_t *ret_size)
{
	unsigned long long room = ZSTD_getFrameContentSize(packed, size);
	char *text;

	if (room > ROUND_BYTES_MOST)
		return -EIO;
	text = malloc((size_t)room + 1);
	if (!text)
		return -ENOMEM;
	*ret_size = ZSTD_decompress(text, (size_t)room, packed, size);
	if (ZSTD_isError(*ret_size)) {
		free(text);
		return -EIO;
	}
	text[*ret_size] = '\0';
	*ret_text = text;
	return 0;
}

int store_get_round(struct store *store, uint64_t id, char **ret_text, size_t *ret_size)
{
	sqlite3_stmt *get;
	int r = sql_prepare(store, "SELECT snapshot FROM rounds WHERE id = ?1", &get);

	if (r < 0)
		return r;
	sqlite3_bind_int64(get, 1, (sqlite3_int64)id);
	r = sqlite3_step(get);
	if (r == SQLITE_ROW) {
		r = unpack(sqlite3_column_blob(get, 0), (size_t)sqlite3_column_bytes(get, 0), ret_text, ret_size);
		if (r == -EIO)
			store_damaged(store, "a round of decisions makes no sense");
	} else {
		r = r == SQLITE_DONE ? -ENOENT : sql_fail(store, "be read");
	}
	sqlite3_finalize(get);
	return r;
}

int store_list_rounds(struct store *store, int64_t since, unsigned most, json_t **ret_list)
{
	sqlite3_stmt *rows;
	int r = sql_prepare(store, "SELECT id AS round, time, length(snapshot) AS bytes FROM rounds WHERE time >= ?1 ORDER BY id LIMIT ?2", &rows);

	if (r < 0)
		return r;
	sqlite3_bind_int64(rows, 1, since);
	sqlite3_bind_int64(rows, 2, most);
	return list_rows(store, rows, false, ret_list);
}

/* ------------------------------------------------------------------ what is learned */

int store_put_memory(struct store *store, const char *kind, const char *name, const json_t *value)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, value ? "INSERT OR REPLACE INTO memories (kind, name, value) VALUES (?1, ?2, ?3)" :
					   "DELETE FROM memories WHERE kind = ?1 AND name = ?2", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, kind);
	sql_bind_text(put, 2, name);
	if (value)
		sql_bind_json(put, 3, value);
	return sql_finish(store, put, "keep what was learned");
}

int store_each_memory(struct store *store, int (*each)(void *context, const char *kind, const char *name, const json_t *value), void *context)
{
	int step = SQLITE_ROW;
	sqlite3_stmt *rows;
	int r = sql_prepare(store, "SELECT kind, name, value FROM memories ORDER BY kind, name", &rows);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		json_t *value = sql_json(rows, 2);

		if (json_is_object(value))
			r = each(context, (const char *)sqlite3_column_text(rows, 0), (const char *)sqlite3_column_text(rows, 1), value);
		else
			r = store_damaged(store, "what was learned makes no sense");
		json_decref(value);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Tokens, enrolments, the allow list, operators, audit log and events, in SQLite. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/store-sqlite.h"

/* Runs a statement whose one parameter is `key`. 0, -ENOENT when no row changed, -EIO. */
static int change_by_key(struct store *store, const char *sql, const char *key, const char *what)
{
	sqlite3_stmt *change;
	int r = sql_prepare(store, sql, &change);

	if (r < 0)
		return r;
	sql_bind_text(change, 1, key);
	r = sql_finish(store, change, what);
	return r < 0 ? r : store->changed ? 0 : -ENOENT;
}

/* Steps a query to its only row: 0 with the row in place, -ENOENT or -EIO with the statement gone. */
static int first_row(struct store *store, sqlite3_stmt *query)
{
	int step = sqlite3_step(query), r;

	if (step == SQLITE_ROW)
		return 0;
	r = step == SQLITE_DONE ? -ENOENT : sql_fail(store, "be read");
	sqlite3_finalize(query);
	return r;
}

static int find_by_key(struct store *store, const char *sql, const char *key, sqlite3_stmt **ret_row)
{
	int r = sql_prepare(store, sql, ret_row);

	if (r < 0)
		return r;
	sql_bind_text(*ret_row, 1, key);
	return first_row(store, *ret_row);
}

/* ------------------------------------------------------------------ tokens */

int store_add_token(struct store *store, const struct token *token)
{
	sqlite3_stmt *add;
	int r = sql_prepare(store, "INSERT INTO tokens (id, hash, created, expires, revoked, uses, used, note)"
				   " VALUES (?1, ?2, ?3, ?4, 0, ?5, 0, ?6)", &add);

	if (r < 0)
		return r;
	sql_bind_text(add, 1, token->id);
	sql_bind_text(add, 2, token->hash);
	sqlite3_bind_int64(add, 3, token->created);
	sqlite3_bind_int64(add, 4, token->expires);
	sqlite3_bind_int64(add, 5, (sqlite3_int64)token->uses);
	sql_bind_text(add, 6, token->note);
	return sql_finish(store, add, "store a token");
}

int store_use_token(struct store *store, const char *id)
{
	return change_by_key(store, "UPDATE tokens SET used = used + 1 WHERE id = ?1", id, "count a token's use");
}

int store_revoke_token(struct store *store, const char *id, int64_t now)
{
	sqlite3_stmt *revoke;
	/* A second time is as good as the first. */
	int r = sql_prepare(store, "UPDATE tokens SET revoked = CASE revoked WHEN 0 THEN ?2 ELSE revoked END WHERE id = ?1", &revoke);

	if (r < 0)
		return r;
	sql_bind_text(revoke, 1, id);
	sqlite3_bind_int64(revoke, 2, now);
	r = sql_finish(store, revoke, "revoke a token");
	return r < 0 ? r : store->changed ? 0 : -ENOENT;
}

int store_find_token(struct store *store, const char *hash, struct token *ret_token)
{
	struct token *token = ret_token;
	sqlite3_stmt *row;
	int r = find_by_key(store, "SELECT id, hash, created, expires, revoked, uses, used, note FROM tokens WHERE hash = ?1", hash, &row);

	if (r < 0)
		return r;
	*token = (struct token){ .created = sqlite3_column_int64(row, 2), .expires = sqlite3_column_int64(row, 3),
				 .revoked = sqlite3_column_int64(row, 4), .uses = (uint64_t)sqlite3_column_int64(row, 5),
				 .used = (uint64_t)sqlite3_column_int64(row, 6) };
	if (sql_text(row, 0, token->id, TOKEN_ID_SIZE) < 0 || sql_text(row, 1, token->hash, DIGEST_TEXT) < 0 ||
	    sql_text(row, 7, token->note, NOTE_MOST) < 0)
		r = store_damaged(store, "a token makes no sense");
	sqlite3_finalize(row);
	return r;
}

/* ------------------------------------------------------------------ machines that wait */

int store_put_enrolment(struct store *store, const struct enrolment *e)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT OR REPLACE INTO enrolments (id, key, serial, macs, reason, address, since, alarm, approved)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, e->id);
	sql_bind_text(put, 2, e->key);
	sql_bind_text(put, 3, e->serial);
	sql_bind_json(put, 4, e->macs);
	sql_bind_text(put, 5, e->reason);
	sql_bind_text(put, 6, e->address);
	sqlite3_bind_int64(put, 7, e->since);
	sqlite3_bind_int(put, 8, e->alarm);
	sqlite3_bind_int(put, 9, e->approved);
	return sql_finish(store, put, "store an enrolment");
}

int store_get_enrolment(struct store *store, const char *id, struct enrolment *ret_enrolment)
{
	struct enrolment *e = ret_enrolment;
	sqlite3_stmt *row;
	int r = find_by_key(store, "SELECT id, key, serial, macs, reason, address, since, alarm, approved FROM enrolments WHERE id = ?1",
			    id, &row);

	if (r < 0)
		return r;
	*e = (struct enrolment){ .macs = sql_json(row, 3), .since = sqlite3_column_int64(row, 6),
				 .alarm = sqlite3_column_int(row, 7) != 0, .approved = sqlite3_column_int(row, 8) != 0 };
	if (!json_is_array(e->macs) || sql_text(row, 0, e->id, NODE_ID_SIZE) < 0 || sql_text(row, 1, e->key, DIGEST_TEXT) < 0 ||
	    sql_text(row, 2, e->serial, DMI_TEXT_MOST) < 0 || sql_text(row, 4, e->reason, ERROR_TEXT - 1) < 0 ||
	    sql_text(row, 5, e->address, ADDRESS_MOST) < 0) {
		enrolment_release(e);
		r = store_damaged(store, "an enrolment makes no sense");
	}
	sqlite3_finalize(row);
	return r;
}

int store_remove_enrolment(struct store *store, const char *id)
{
	int r = change_by_key(store, "DELETE FROM enrolments WHERE id = ?1", id, "forget an enrolment");

	return r == -ENOENT ? 0 : r;
}

int store_count_enrolments(struct store *store, uint64_t *ret_count)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store, "SELECT COUNT(*) FROM enrolments", &row);

	if (!r)
		r = first_row(store, row);
	if (r < 0)
		return r;
	*ret_count = (uint64_t)sqlite3_column_int64(row, 0);
	sqlite3_finalize(row);
	return 0;
}

/* ------------------------------------------------------------------ the allow list */

int store_put_allowed(struct store *store, const char *kind, const char *value, const char *note, int64_t now)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT OR REPLACE INTO allowed (kind, value, note, created) VALUES (?1, ?2, ?3, ?4)", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, kind);
	sql_bind_text(put, 2, value);
	sql_bind_text(put, 3, note);
	sqlite3_bind_int64(put, 4, now);
	return sql_finish(store, put, "store an entry of the allow list");
}

int store_remove_allowed(struct store *store, const char *kind, const char *value)
{
	sqlite3_stmt *change;
	int r = sql_prepare(store, "DELETE FROM allowed WHERE kind = ?1 AND value = ?2", &change);

	if (r < 0)
		return r;
	sql_bind_text(change, 1, kind);
	sql_bind_text(change, 2, value);
	r = sql_finish(store, change, "remove an entry of the allow list");
	return r < 0 ? r : store->changed ? 0 : -ENOENT;
}

int store_is_allowed(struct store *store, const char *kind, const char *value)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store, "SELECT 1 FROM allowed WHERE kind = ?1 AND value = ?2", &row);

	if (r < 0)
		return r;
	sql_bind_text(row, 1, kind);
	sql_bind_text(row, 2, value);
	r = first_row(store, row);
	if (r < 0)
		return r == -ENOENT ? 0 : r;
	sqlite3_finalize(row);
	return 1;
}

/* ------------------------------------------------------------------ operators */

int store_add_operator(struct store *store, const struct operator_record *record)
{
	sqlite3_stmt *add;
	int r = sql_prepare(store, "INSERT INTO operators (name, role, hash, created) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (name) DO NOTHING",
			    &add);

	if (r < 0)
		return r;
	sql_bind_text(add, 1, record->name);
	sql_bind_text(add, 2, role_name(record->role));
	sql_bind_text(add, 3, record->hash);
	sqlite3_bind_int64(add, 4, record->created);
	r = sql_finish(store, add, "store an operator");
	return r < 0 ? r : store->changed ? 0 : -EEXIST;
}

int store_remove_operator(struct store *store, const char *name)
{
	return change_by_key(store, "DELETE FROM operators WHERE name = ?1", name, "remove an operator");
}

int store_find_operator(struct store *store, const char *hash, struct operator_record *ret_record)
{
	struct operator_record *record = ret_record;
	char role[16];
	sqlite3_stmt *row;
	int r = find_by_key(store, "SELECT name, role, hash, created FROM operators WHERE hash = ?1", hash, &row);

	if (r < 0)
		return r;
	*record = (struct operator_record){ .created = sqlite3_column_int64(row, 3) };
	if (sql_text(row, 0, record->name, OPERATOR_NAME_MOST) < 0 || sql_text(row, 1, role, sizeof role - 1) < 0 ||
	    role_parse(role, &record->role) < 0 || sql_text(row, 2, record->hash, DIGEST_TEXT) < 0)
		r = store_damaged(store, "an operator makes no sense");
	sqlite3_finalize(row);
	return r;
}

/* ------------------------------------------------------------------ audit log and events */

int store_add_audit(struct store *store, const struct audit_entry *entry)
{
	sqlite3_stmt *add;
	int r = sql_prepare(store, "INSERT INTO audit (time, who, role, source, method, path, what, status)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)", &add);

	if (r < 0)
		return r;
	sqlite3_bind_int64(add, 1, entry->time);
	sql_bind_text(add, 2, entry->who);
	sql_bind_text(add, 3, entry->role);
	sql_bind_text(add, 4, entry->from);
	sql_bind_text(add, 5, entry->method);
	sql_bind_text(add, 6, entry->path);
	sql_bind_text(add, 7, entry->what);
	sqlite3_bind_int(add, 8, (int)entry->status);
	return sql_finish(store, add, "add to its audit log");
}

static int prune_events(struct store *store)
{
	sqlite3_stmt *prune;
	int r = sql_prepare(store, "DELETE FROM events WHERE sequence <= (SELECT MAX(sequence) FROM events) - ?1", &prune);

	if (r < 0)
		return r;
	sqlite3_bind_int64(prune, 1, EVENTS_KEPT);
	return sql_finish(store, prune, "forget old events");
}

int store_add_event(struct store *store, const struct event *event)
{
	json_t *none = event->data ? NULL : json_object();
	sqlite3_stmt *add;
	int r = sql_prepare(store, "INSERT INTO events (time, node, severity, kind, text, data) VALUES (?1, ?2, ?3, ?4, ?5, ?6)", &add);

	if (!r) {
		sqlite3_bind_int64(add, 1, event->time);
		sql_bind_text(add, 2, event->node);
		sqlite3_bind_int(add, 3, (int)event->severity);
		sql_bind_text(add, 4, event->kind);
		sql_bind_text(add, 5, event->text);
		sql_bind_json(add, 6, event->data ? event->data : none);
		r = sql_finish(store, add, "store an event");
	}
	json_decref(none);
	return r < 0 ? r : prune_events(store);
}

/* ------------------------------------------------------------------ lists */

static const char *const list_sql[] = {
	[STORE_TOKENS] = "SELECT id, created, expires, revoked, uses, used, note FROM tokens ORDER BY created, id",
	[STORE_ENROLMENTS] = "SELECT id, key, serial, macs, reason, address, since, alarm, approved FROM enrolments ORDER BY since, id",
	[STORE_ALLOWED] = "SELECT kind, value, note, created FROM allowed ORDER BY kind, value",
	[STORE_OPERATORS] = "SELECT name, role, created FROM operators ORDER BY name",
	[STORE_AUDIT] = "SELECT sequence, time, who, role, source AS \"from\", method, path, what, status FROM audit"
			" WHERE sequence > ?1",
	[STORE_EVENTS] = "SELECT sequence, time, node, severity, kind, text, data FROM events WHERE sequence > ?1 AND severity >= ?4"
			 " AND (?3 = '' OR node = ?3)",
};

static json_t *column_value(enum store_list which, sqlite3_stmt *row, int column)
{
	const char *type = sqlite3_column_decltype(row, column);
	sqlite3_int64 number;
	json_t *text;

	if (sqlite3_column_type(row, column) != SQLITE_INTEGER) {
		text = type && !strcmp(type, "JSON") ? sql_json(row, column) :
						       json_string((const char *)sqlite3_column_text(row, column));
		/* One that isn't UTF-8 must not hide all others. */
		return text ? text : json_string("?");
	}
	number = sqlite3_column_int64(row, column);
	if (type && !strcmp(type, "BOOLEAN"))
		return json_boolean(number != 0);
	if (which == STORE_EVENTS && !strcmp(sqlite3_column_name(row, column), "severity"))
		return json_string(number >= SEVERITY_INFO && number <= SEVERITY_ALARM ? severity_name((enum severity)number) : "?");
	return json_integer(number);
}

static json_t *row_object(enum store_list which, sqlite3_stmt *row)
{
	json_t *object = json_object();

	for (int i = 0; object && i < sqlite3_column_count(row); i++) {
		if (json_object_set_new(object, sqlite3_column_name(row, i), column_value(which, row, i)) < 0) {
			json_decref(object);
			return NULL;
		}
	}
	return object;
}

int store_list(struct store *store, enum store_list which, const struct store_filter *filter, json_t **ret_list)
{
	bool is_log = which == STORE_AUDIT || which == STORE_EVENTS, newest_first = is_log && filter->after < 0;
	json_t *list = json_array();
	sqlite3_stmt *rows;
	char sql[320];
	int step = SQLITE_ROW, r;

	snprintf(sql, sizeof sql, "%s%s%s", list_sql[which], is_log ? " ORDER BY sequence" : "",
		 newest_first ? " DESC LIMIT ?2" : is_log ? " LIMIT ?2" : "");
	r = sql_prepare(store, sql, &rows);
	if (r < 0 || !list) {
		json_decref(list);
		return r < 0 ? r : -EIO;
	}
	if (is_log) {
		sqlite3_bind_int64(rows, 1, filter->after);
		sqlite3_bind_int64(rows, 2, filter->most);
	}
	if (which == STORE_EVENTS) {
		sql_bind_text(rows, 3, filter->node);
		sqlite3_bind_int(rows, 4, (int)filter->least);
	}
	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		json_t *object = row_object(which, rows);

		/* NULL fails, and is freed by either. */
		r = newest_first ? json_array_insert_new(list, 0, object) : json_array_append_new(list, object);
	}
	if (r < 0)
		r = log_error(-EIO, "there isn't enough memory for the list that was asked for");
	else if (step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	if (r < 0)
		json_decref(list);
	else
		*ret_list = list;
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Messages that wait, in SQLite. */
#include "control/store-messages.h"

#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "control/store-sqlite.h"

#define COLUMNS "sequence, id, target, created, next, tries, count, alarms, facts"

void message_release(struct message *message)
{
	json_decref(message->facts);
	*message = (struct message){ 0 };
}

static int insert(struct store *store, const char *sql, int64_t slot, bool is_alarm, const struct message *message)
{
	sqlite3_stmt *add;
	int r = sql_prepare(store, sql, &add);

	if (r < 0)
		return r;
	sql_bind_text(add, 1, message->id);
	sql_bind_text(add, 2, message->target);
	sqlite3_bind_int64(add, 3, message->created);
	sqlite3_bind_int64(add, 4, message->next);
	sql_bind_json(add, 5, message->facts);
	if (slot >= 0) {
		sqlite3_bind_int64(add, 6, slot);
		sqlite3_bind_int(add, 7, is_alarm);
	}
	return sql_finish(store, add, "store a message");
}

int store_add_message(struct store *store, const struct message *message)
{
	return insert(store, "INSERT INTO messages (id, target, created, next, facts, tries, count, alarms, error)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, 0, 0, 0, '')", -1, false, message);
}

int store_count_message(struct store *store, int64_t slot, bool is_alarm, const struct message *message)
{
	return insert(store, "INSERT INTO messages (id, target, created, next, facts, tries, count, alarms, error, slot)"
			     " VALUES (?1, ?2, ?3, ?4, ?5, 0, 1, ?7, '', ?6)"
			     " ON CONFLICT (target, slot) DO UPDATE SET count = count + 1, alarms = alarms + ?7, id = ?1", slot, is_alarm, message);
}

static int read_message(struct store *store, sqlite3_stmt *row, struct message *m)
{
	*m = (struct message){ .sequence = sqlite3_column_int64(row, 0), .created = sqlite3_column_int64(row, 3), .next = sqlite3_column_int64(row, 4),
			       .tries = (unsigned)sqlite3_column_int(row, 5), .count = (uint64_t)sqlite3_column_int64(row, 6),
			       .alarms = (uint64_t)sqlite3_column_int64(row, 7), .facts = sql_json(row, 8) };
	if (!m->facts || sql_text(row, 1, m->id, MESSAGE_ID_SIZE) < 0 || sql_text(row, 2, m->target, MESSAGE_TARGET_NAME_MOST) < 0) {
		message_release(m);
		return store_damaged(store, "a message makes no sense");
	}
	return 0;
}

int store_next_message(struct store *store, const char *target, int64_t now, int64_t longest, struct message *ret_message)
{
	sqlite3_stmt *next;
	int step, r = sql_prepare(store, "SELECT " COLUMNS " FROM messages WHERE target = ?1 AND (next <= ?2 OR next > ?3) ORDER BY next, sequence LIMIT 1", &next);

	if (r < 0)
		return r;
	sql_bind_text(next, 1, target);
	sqlite3_bind_int64(next, 2, now);
	sqlite3_bind_int64(next, 3, now + longest);
	step = sqlite3_step(next);
	r = step == SQLITE_ROW ? read_message(store, next, ret_message) : step == SQLITE_DONE ? -ENOENT : sql_fail(store, "be read");
	sqlite3_finalize(next);
	return r;
}

/* With ?1 to ?3. */
static int change(struct store *store, const char *sql, int64_t a, int64_t b, int64_t c)
{
	sqlite3_stmt *statement;
	int r = sql_prepare(store, sql, &statement);

	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, a);
	sqlite3_bind_int64(statement, 2, b);
	sqlite3_bind_int64(statement, 3, c);
	return sql_finish(store, statement, "forget a message");
}

int store_end_message(struct store *store, const struct message *message)
{
	int r = store_begin(store);

	if (r < 0)
		return r;
	/* More may have been counted while it was sent. */
	r = change(store, "DELETE FROM messages WHERE sequence = ?1 AND count <= ?2 AND ?3 = ?3", message->sequence, (int64_t)message->count, 0);
	if (!r && message->count)
		r = change(store, "UPDATE messages SET count = count - ?2, alarms = max(alarms - ?3, 0) WHERE sequence = ?1", message->sequence,
			   (int64_t)message->count, (int64_t)message->alarms);
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

int store_delay_message(struct store *store, int64_t sequence, int64_t next, const char *error)
{
	sqlite3_stmt *delay;
	int r = sql_prepare(store, "UPDATE messages SET tries = tries + 1, next = ?2, error = ?3 WHERE sequence = ?1", &delay);

	if (r < 0)
		return r;
	sqlite3_bind_int64(delay, 1, sequence);
	sqlite3_bind_int64(delay, 2, next);
	sql_bind_text(delay, 3, error);
	return sql_finish(store, delay, "store a message");
}

int store_hurry_messages(struct store *store, const char *target, int64_t now, uint64_t *ret_count)
{
	sqlite3_stmt *hurry;
	int r = sql_prepare(store, "UPDATE messages SET next = ?2 WHERE target = ?1", &hurry);

	if (r < 0)
		return r;
	sql_bind_text(hurry, 1, target);
	sqlite3_bind_int64(hurry, 2, now);
	r = sql_finish(store, hurry, "store messages");
	*ret_count = r ? 0 : (uint64_t)store->changed;
	return r;
}

int store_drop_messages(struct store *store, const char *target, const char *id, int64_t before, uint64_t *ret_count)
{
	sqlite3_stmt *drop;
	int r = sql_prepare(store, "DELETE FROM messages WHERE (?1 = '' OR target = ?1) AND (?2 = '' OR id = ?2) AND created < ?3", &drop);

	if (r < 0)
		return r;
	sql_bind_text(drop, 1, target);
	sql_bind_text(drop, 2, id);
	sqlite3_bind_int64(drop, 3, before);
	r = sql_finish(store, drop, "forget messages");
	*ret_count = r ? 0 : (uint64_t)store->changed;
	return r;
}

int store_keep_message_targets(struct store *store, const json_t *names)
{
	sqlite3_stmt *keep;
	int r = sql_prepare(store, "DELETE FROM messages WHERE target NOT IN (SELECT value FROM json_each(?1))", &keep);

	if (r < 0)
		return r;
	sql_bind_json(keep, 1, names);
	return sql_finish(store, keep, "forget messages");
}

int store_count_messages(struct store *store, const char *target, uint64_t *ret_count, int64_t *ret_oldest)
{
	sqlite3_stmt *count;
	int r = sql_prepare(store, "SELECT count(*), min(created) FROM messages WHERE target = ?1", &count);

	if (r < 0)
		return r;
	sql_bind_text(count, 1, target);
	r = sqlite3_step(count) == SQLITE_ROW ? 0 : sql_fail(store, "be read");
	*ret_count = r ? 0 : (uint64_t)sqlite3_column_int64(count, 0);
	*ret_oldest = r ? 0 : sqlite3_column_int64(count, 1);
	sqlite3_finalize(count);
	return r;
}

static json_t *describe(sqlite3_stmt *row, const struct message *m)
{
	const char *error = (const char *)sqlite3_column_text(row, 9);

	return json_pack("{ss ss sI sI si so sO sI sI}", "id", m->id, "target", m->target, "created", (json_int_t)m->created, "next", (json_int_t)m->next,
			 "tries", (int)m->tries, "error", error && error[0] ? json_string(error) : json_null(), "facts", m->facts, "count",
			 (json_int_t)m->count, "alarms", (json_int_t)m->alarms);
}

int store_list_messages(struct store *store, const char *target, unsigned most, json_t **ret_list)
{
	json_t *list = json_array();
	sqlite3_stmt *rows;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT " COLUMNS ", error FROM messages WHERE (?1 = '' OR target = ?1) ORDER BY sequence LIMIT ?2", &rows);

	if (!r) {
		sql_bind_text(rows, 1, target);
		sqlite3_bind_int64(rows, 2, most);
		while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
			struct message message;

			r = read_message(store, rows, &message);
			if (!r)
				json_array_append_new(list, describe(rows, &message));
			message_release(&message);
		}
		if (!r && step != SQLITE_DONE)
			r = sql_fail(store, "be read");
		sqlite3_finalize(rows);
	}
	if (r < 0)
		json_decref(list);
	else
		*ret_list = list;
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/store-tenancy.h"

#include <errno.h>
#include <string.h>

#include "control/store-sqlite.h"

/* ------------------------------------------------------------------ tenants */

int store_get_tenant(struct store *store, const char *node, char ret_account[ACCOUNT_MOST + 1])
{
	sqlite3_stmt *rows;
	int step, r = sql_prepare(store, "SELECT account FROM tenants WHERE node = ?1", &rows);

	ret_account[0] = 0;
	if (r < 0)
		return r;
	sql_bind_text(rows, 1, node);
	step = sqlite3_step(rows);
	if (step == SQLITE_ROW)
		r = sql_text(rows, 0, ret_account, ACCOUNT_MOST) < 0 ? store_damaged(store, "a tenant makes no sense") : 0;
	else if (step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	return r;
}

int store_put_tenant(struct store *store, const char *node, const char *account, int64_t now)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT INTO tenants (node, account, since) VALUES (?1, ?2, ?3)"
				   " ON CONFLICT (node) DO UPDATE SET account=?2, since=?3", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node);
	sql_bind_text(put, 2, account);
	sqlite3_bind_int64(put, 3, now);
	return sql_finish(store, put, "store a tenant");
}

/* ------------------------------------------------------------------ keys */

/* One table for each kind. */
static const char *const get_key[] = { [STORE_KEY_HOME] = "SELECT sealed FROM home_keys WHERE node = ?1 AND account = ?2",
				       [STORE_KEY_DISK] = "SELECT sealed FROM disk_keys WHERE node = ?1 AND account = ?2" };
static const char *const put_key[] = { [STORE_KEY_HOME] = "INSERT INTO home_keys (node, account, made, sealed) VALUES (?1, ?2, ?3, ?4)",
				       [STORE_KEY_DISK] = "INSERT INTO disk_keys (node, account, made, sealed) VALUES (?1, ?2, ?3, ?4)" };

int store_get_key(struct store *store, enum store_key kind, const char *node, const char *account, struct buffer *ret_sealed)
{
	sqlite3_stmt *rows;
	int step, r = sql_prepare(store, get_key[kind], &rows);

	if (r < 0)
		return r;
	sql_bind_text(rows, 1, node);
	sql_bind_text(rows, 2, account);
	step = sqlite3_step(rows);
	if (step == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(rows, 0);

		r = text ? buffer_printf(ret_sealed, "%s", text) : -ENOMEM;
	} else {
		r = step == SQLITE_DONE ? -ENOENT : sql_fail(store, "be read");
	}
	sqlite3_finalize(rows);
	return r;
}

int store_put_key(struct store *store, enum store_key kind, const char *node, const char *account, const char *sealed, int64_t now)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, put_key[kind], &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node);
	sql_bind_text(put, 2, account);
	sqlite3_bind_int64(put, 3, now);
	sql_bind_text(put, 4, sealed);
	return sql_finish(store, put, "store a key");
}

/* SQLite leaves what was deleted in its pages till they are used again: overwritten first, it is gone from them. */
int store_forget_keys(struct store *store, const char *node, uint64_t *ret_count)
{
	static const char *const statements[] = { "UPDATE home_keys SET sealed = hex(zeroblob(length(sealed) / 2)) WHERE node = ?1",
						  "DELETE FROM home_keys WHERE node = ?1",
						  "UPDATE disk_keys SET sealed = hex(zeroblob(length(sealed) / 2)) WHERE node = ?1",
						  "DELETE FROM disk_keys WHERE node = ?1" };
	uint64_t count = 0;
	int r = 0;

	for (size_t i = 0; !r && i < sizeof statements / sizeof statements[0]; i++) {
		sqlite3_stmt *forget;

		r = sql_prepare(store, statements[i], &forget);
		if (r < 0)
			break;
		sql_bind_text(forget, 1, node);
		r = sql_finish(store, forget, "destroy a key");
		count += !r && i % 2 ? (uint64_t)store->changed : 0;
	}
	*ret_count = r < 0 ? 0 : count;
	return r;
}

/* ------------------------------------------------------------------ what was cleared */

static int prune(struct store *store)
{
	sqlite3_stmt *forget;
	int r = sql_prepare(store, "DELETE FROM sanitizings WHERE ended > 0 AND id <= (SELECT max(id) FROM sanitizings) - ?1", &forget);

	if (r < 0)
		return r;
	sqlite3_bind_int64(forget, 1, SANITIZINGS_KEPT);
	return sql_finish(store, forget, "forget what is old");
}

int store_put_sanitizing(struct store *store, struct sanitizing *sanitizing, const char *text, const char *signature)
{
	json_t *state = sanitizing_format(sanitizing);
	sqlite3_stmt *put;
	int r = state ? sql_prepare(store, "INSERT INTO sanitizings (id, node, ended, state, text, signature) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
					   " ON CONFLICT (id) DO UPDATE SET ended=?3, state=?4, text=?5, signature=?6", &put) : -ENOMEM;

	if (!r) {
		if (sanitizing->id)
			sqlite3_bind_int64(put, 1, (sqlite3_int64)sanitizing->id);
		sql_bind_text(put, 2, sanitizing->node);
		sqlite3_bind_int64(put, 3, sanitizing->ended);
		sql_bind_json(put, 4, state);
		sql_bind_text(put, 5, text);
		sql_bind_text(put, 6, signature);
		r = sql_finish(store, put, "store how a server is cleared");
	}
	json_decref(state);
	if (r < 0 || sanitizing->id)
		return r;
	sanitizing->id = (uint64_t)sqlite3_last_insert_rowid(store->db);
	return prune(store);
}

static int read_row(struct store *store, sqlite3_stmt *row, struct sanitizing *sanitizing)
{
	json_t *state = sql_json(row, 2);
	int r = state ? sanitizing_read(state, sanitizing) : -EINVAL;

	json_decref(state);
	if (!r)
		r = sql_text(row, 1, sanitizing->node, NODE_ID_SIZE);
	sanitizing->id = (uint64_t)sqlite3_column_int64(row, 0);
	return r < 0 ? store_damaged(store, "how a server is cleared makes no sense") : 0;
}

int store_open_sanitizing(struct store *store, const char *node, struct sanitizing *ret_sanitizing)
{
	sqlite3_stmt *rows;
	int step, r = sql_prepare(store, "SELECT id, node, state FROM sanitizings WHERE node = ?1 AND ended = 0 ORDER BY id LIMIT 1", &rows);

	if (r < 0)
		return r;
	sql_bind_text(rows, 1, node);
	step = sqlite3_step(rows);
	if (step == SQLITE_ROW)
		r = read_row(store, rows, ret_sanitizing);
	else
		r = step == SQLITE_DONE ? -ENOENT : sql_fail(store, "be read");
	sqlite3_finalize(rows);
	return r;
}

int store_each_sanitizing(struct store *store, const char *node, unsigned most,
			  int (*each)(void *context, const struct sanitizing *sanitizing, const char *text, const char *signature), void *context)
{
	int step = SQLITE_ROW;
	sqlite3_stmt *rows;
	int r = sql_prepare(store, "SELECT id, node, state, text, signature FROM sanitizings WHERE ?1 = '' OR node = ?1 ORDER BY id DESC LIMIT ?2",
			    &rows);

	if (r < 0)
		return r;
	sql_bind_text(rows, 1, node);
	sqlite3_bind_int64(rows, 2, most);
	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		const char *text = (const char *)sqlite3_column_text(rows, 3), *signature = (const char *)sqlite3_column_text(rows, 4);
		struct sanitizing sanitizing;

		r = text && signature ? read_row(store, rows, &sanitizing) : -ENOMEM;
		if (!r)
			r = each(context, &sanitizing, text, signature);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(rows);
	return r;
}

// SPDX-License-Identifier: GPL-2.0-or-later
/* Monitors, and which node goes by which, in SQLite. */
#include "control/store-relays.h"

#include <errno.h>

#include "common/log.h"
#include "control/store-sqlite.h"

int store_put_monitor(struct store *store, const struct monitor_record *record)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT INTO monitors (name, host, port, key, issued, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
			    " ON CONFLICT (name) DO UPDATE SET host = ?2, port = ?3, key = ?4, issued = ?5, expires = ?6", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, record->name);
	sql_bind_text(put, 2, record->host);
	sqlite3_bind_int(put, 3, (int)record->port);
	sql_bind_text(put, 4, record->key);
	sqlite3_bind_int64(put, 5, record->issued);
	sqlite3_bind_int64(put, 6, record->expires);
	return sql_finish(store, put, "store a monitor");
}

int store_remove_monitor(struct store *store, const char *name)
{
	sqlite3_stmt *remove;
	int r = sql_prepare(store, "DELETE FROM monitors WHERE name = ?1", &remove);

	if (r < 0)
		return r;
	sql_bind_text(remove, 1, name);
	return sql_finish(store, remove, "forget a monitor");
}

static int record_of(sqlite3_stmt *row, struct monitor_record *ret_record)
{
	int port = sqlite3_column_int(row, 2);

	*ret_record = (struct monitor_record){ .port = (unsigned)port, .issued = sqlite3_column_int64(row, 4),
					       .expires = sqlite3_column_int64(row, 5) };
	if (sql_text(row, 0, ret_record->name, MONITOR_NAME_MOST) < 0 || sql_text(row, 1, ret_record->host, MONITOR_HOST_MOST) < 0 ||
	    sql_text(row, 3, ret_record->key, DIGEST_TEXT) < 0 || port < 1 || port > 65535)
		return log_error(-EIO, "a monitor in the database is damaged");
	return 0;
}

int store_each_monitor(struct store *store, int (*each)(void *context, const struct monitor_record *record), void *context)
{
	struct monitor_record record;
	sqlite3_stmt *all;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT name, host, port, key, issued, expires FROM monitors ORDER BY name", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		r = record_of(all, &record);
		if (!r)
			r = each(context, &record);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

int store_put_monitored(struct store *store, const char *node_id, const char *monitor)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, monitor[0] ? "INSERT INTO monitored (node, monitor) VALUES (?1, ?2) ON CONFLICT (node) DO UPDATE SET monitor = ?2" :
						"DELETE FROM monitored WHERE node = ?1", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node_id);
	if (monitor[0])
		sql_bind_text(put, 2, monitor);
	return sql_finish(store, put, "store which monitor a node goes by");
}

int store_each_monitored(struct store *store, int (*each)(void *context, const char *node_id, const char *monitor), void *context)
{
	char id[NODE_ID_SIZE + 1], monitor[MONITOR_NAME_MOST + 1];
	sqlite3_stmt *all;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT node, monitor FROM monitored", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		if (sql_text(all, 0, id, NODE_ID_SIZE) < 0 || sql_text(all, 1, monitor, MONITOR_NAME_MOST) < 0)
			r = log_error(-EIO, "which monitor a node goes by is damaged in the database");
		else
			r = each(context, id, monitor);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

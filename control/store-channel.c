// SPDX-License-Identifier: GPL-2.0-or-later
/* Lives, what agents were acknowledged, and orders, in SQLite. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "control/store-sqlite.h"

int store_put_life(struct store *store, const struct node *node)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "UPDATE nodes SET life = ?2, life_before = ?3, life_since = ?4, life_reason = ?5 WHERE id = ?1", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node->id);
	sql_bind_text(put, 2, life_name(node->life.state));
	sql_bind_text(put, 3, life_name(node->life.before));
	sqlite3_bind_int64(put, 4, node->life_since);
	sql_bind_text(put, 5, node->life_reason);
	return sql_finish(store, put, "store a node's life");
}

int store_put_channel(struct store *store, const char *node_id, const struct channel *channel)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT INTO channels (node, boot_id, alarms, lost) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (node) DO UPDATE"
				   " SET boot_id = ?2, alarms = ?3, lost = ?4", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node_id);
	sql_bind_text(put, 2, channel->boot_id);
	sqlite3_bind_int64(put, 3, (sqlite3_int64)channel->alarms);
	sqlite3_bind_int64(put, 4, (sqlite3_int64)channel->lost);
	return sql_finish(store, put, "store what an agent was acknowledged");
}

static int channel_of_row(sqlite3_stmt *row, struct channel *ret_channel)
{
	*ret_channel = (struct channel){ .alarms = (uint64_t)sqlite3_column_int64(row, 1), .lost = (uint64_t)sqlite3_column_int64(row, 2) };
	return sql_text(row, 0, ret_channel->boot_id, BOOT_ID_SIZE);
}

int store_get_channel(struct store *store, const char *node_id, struct channel *ret_channel)
{
	sqlite3_stmt *row;
	int step, r = sql_prepare(store, "SELECT boot_id, alarms, lost FROM channels WHERE node = ?1", &row);

	if (r < 0)
		return r;
	*ret_channel = (struct channel){ 0 };
	sql_bind_text(row, 1, node_id);
	step = sqlite3_step(row);
	if (step == SQLITE_ROW)
		r = channel_of_row(row, ret_channel) < 0 ? store_damaged(store, "an agent's record makes no sense") : 0;
	else if (step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(row);
	return r;
}

/* ------------------------------------------------------------------ orders */

static int insert_order(struct store *store, const char *node_id, const struct order *order)
{
	sqlite3_stmt *add;
	int r = sql_prepare(store, "INSERT INTO orders (node, number, action, arguments, boot_id, created, expires, state, ended, text)"
				   " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, '')", &add);

	if (r < 0)
		return r;
	sql_bind_text(add, 1, node_id);
	sqlite3_bind_int64(add, 2, (sqlite3_int64)order->number);
	sql_bind_text(add, 3, order->action);
	sql_bind_json(add, 4, order->arguments);
	sql_bind_text(add, 5, order->boot_id);
	sqlite3_bind_int64(add, 6, order->created);
	sqlite3_bind_int64(add, 7, order->expires);
	sql_bind_text(add, 8, order_state_name(ORDER_WAITING));
	return sql_finish(store, add, "store an order");
}

static int prune_orders(struct store *store, const char *node_id, unsigned keep)
{
	sqlite3_stmt *prune;
	int r = sql_prepare(store, "DELETE FROM orders WHERE node = ?1 AND state != 'waiting' AND number <="
				   " (SELECT number FROM orders WHERE node = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)", &prune);

	if (r < 0)
		return r;
	sql_bind_text(prune, 1, node_id);
	sqlite3_bind_int64(prune, 2, keep);
	return sql_finish(store, prune, "forget old orders");
}

int store_add_order(struct store *store, const char *node_id, const struct order *order, unsigned keep)
{
	int r = store_begin(store);

	if (r < 0)
		return r;
	r = insert_order(store, node_id, order);
	if (!r)
		r = prune_orders(store, node_id, keep);
	if (!r)
		return store_commit(store);
	store_rollback(store);
	return r;
}

int store_end_order(struct store *store, const char *node_id, uint64_t number, enum order_state state, const char *text, int64_t now)
{
	sqlite3_stmt *end;
	/* What was given up may have been done all the same; what was answered stays as it is. */
	int r = sql_prepare(store, "UPDATE orders SET state = ?3, text = ?4, ended = ?5 WHERE node = ?1 AND number = ?2"
				   " AND state IN ('waiting', 'expired', 'void')", &end);

	if (r < 0)
		return r;
	sql_bind_text(end, 1, node_id);
	sqlite3_bind_int64(end, 2, (sqlite3_int64)number);
	sql_bind_text(end, 3, order_state_name(state));
	sql_bind_text(end, 4, text);
	sqlite3_bind_int64(end, 5, now);
	r = sql_finish(store, end, "store how an order ended");
	return r < 0 ? r : store->changed ? 0 : -ENOENT;
}

static struct order *order_of_row(sqlite3_stmt *row)
{
	struct order *order = calloc(1, sizeof *order);

	if (!order)
		return NULL;
	order->number = (uint64_t)sqlite3_column_int64(row, 1);
	order->arguments = sql_json(row, 3);
	order->created = sqlite3_column_int64(row, 5);
	order->expires = sqlite3_column_int64(row, 6);
	if (!json_is_object(order->arguments) || sql_text(row, 2, order->action, ORDER_ACTION_MOST) < 0 ||
	    sql_text(row, 4, order->boot_id, BOOT_ID_SIZE) < 0) {
		order_free(order);
		return NULL;
	}
	return order;
}

int store_each_order(struct store *store, int (*each)(void *context, const char *node_id, struct order *order), void *context)
{
	sqlite3_stmt *all;
	int step, r = sql_prepare(store, "SELECT node, number, action, arguments, boot_id, created, expires FROM orders"
					 " WHERE state = 'waiting' ORDER BY node, number", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		struct order *order = order_of_row(all);

		r = order ? each(context, (const char *)sqlite3_column_text(all, 0), order) :
			    store_damaged(store, "an order makes no sense");
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

int store_last_order(struct store *store, const char *node_id, uint64_t *ret_number)
{
	sqlite3_stmt *row;
	int r = sql_prepare(store, "SELECT MAX(number) FROM orders WHERE node = ?1", &row);

	if (r < 0)
		return r;
	sql_bind_text(row, 1, node_id);
	if (sqlite3_step(row) == SQLITE_ROW)
		*ret_number = (uint64_t)sqlite3_column_int64(row, 0);
	else
		r = sql_fail(store, "be read");
	sqlite3_finalize(row);
	return r;
}

int store_list_orders(struct store *store, const char *node_id, uint64_t number, unsigned most, json_t **ret_list)
{
	static const char sql[] = "SELECT number, action, arguments, boot_id, created, expires, state, ended, text FROM orders WHERE node = ?1"
				  " AND (?2 = 0 OR number = ?2) ORDER BY number DESC LIMIT ?3";
	json_t *list = json_array();
	sqlite3_stmt *rows;
	int step = SQLITE_DONE, r = sql_prepare(store, sql, &rows);

	if (r < 0 || !list) {
		json_decref(list);
		return r < 0 ? r : -EIO;
	}
	sql_bind_text(rows, 1, node_id);
	sqlite3_bind_int64(rows, 2, (sqlite3_int64)number);
	sqlite3_bind_int64(rows, 3, most);
	while (!r && (step = sqlite3_step(rows)) == SQLITE_ROW) {
		json_t *order = json_pack("{sI ss so ss sI sI ss sI ss}", "order", (json_int_t)sqlite3_column_int64(rows, 0), "action",
					  sqlite3_column_text(rows, 1), "arguments", sql_json(rows, 2), "boot_id",
					  sqlite3_column_text(rows, 3), "created", (json_int_t)sqlite3_column_int64(rows, 4), "expires",
					  (json_int_t)sqlite3_column_int64(rows, 5), "state", sqlite3_column_text(rows, 6), "ended",
					  (json_int_t)sqlite3_column_int64(rows, 7), "text", sqlite3_column_text(rows, 8));

		if (json_array_append_new(list, order))
			r = store_damaged(store, "an order makes no sense");
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

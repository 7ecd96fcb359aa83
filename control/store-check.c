// SPDX-License-Identifier: GPL-2.0-or-later
/* Whether all of a database makes sense, row by row: a flipped bit in a text is no damage to SQLite. */
#include <errno.h>

#include "control/store-sqlite.h"

static int drop_boot(void *context, struct boot *boot)
{
	(void)context;
	boot_release(boot);
	return 0;
}

static int check_node(void *context, struct node *node)
{
	int r = store_each_boot(context, node->id, UINT32_MAX, drop_boot, NULL);

	node_free(node);
	return r;
}

static int drop_order(void *context, const char *node, struct order *order)
{
	(void)context;
	(void)node;
	order_free(order);
	return 0;
}

static int drop_restart(void *context, struct restart_record *record)
{
	(void)context;
	restart_record_release(record);
	return 0;
}

static int check_settings(struct store *store)
{
	sqlite3_stmt *all;
	int step, r = sql_prepare(store, "SELECT value FROM settings", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		json_t *value = sql_json(all, 0);

		if (!value)
			r = store_damaged(store, "a setting makes no sense");
		json_decref(value);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}

int store_check(struct store *store)
{
	int r = check_settings(store);

	if (!r)
		r = store_each_node(store, check_node, store);
	if (!r)
		r = store_each_order(store, drop_order, NULL);
	if (!r)
		r = store_each_restart(store, &(struct restart_filter){ .node = "", .most = UINT32_MAX }, drop_restart, NULL);
	return r;
}

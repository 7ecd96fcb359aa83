// SPDX-License-Identifier: GPL-2.0-or-later
/* Groups, and which node belongs to which, in SQLite. */
#include <errno.h>
#include <string.h>

#include "common/json.h"
#include "common/log.h"
#include "control/names.h"
#include "control/store-groups.h"
#include "control/store-sqlite.h"

int store_put_group(struct store *store, const struct group *group)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT INTO groups (name, definition, denied) VALUES (?1, ?2, ?3)"
			    " ON CONFLICT (name) DO UPDATE SET definition = ?2, denied = ?3", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, group->name);
	sql_bind_json(put, 2, group->definition);
	sqlite3_bind_int(put, 3, group->denied);
	return sql_finish(store, put, "store a group");
}

int store_remove_group(struct store *store, const char *name)
{
	sqlite3_stmt *remove;
	int r = sql_prepare(store, "DELETE FROM groups WHERE name = ?1", &remove);

	if (r < 0)
		return r;
	sql_bind_text(remove, 1, name);
	return sql_finish(store, remove, "forget a group");
}

int store_put_member(struct store *store, const struct node *node)
{
	sqlite3_stmt *put;
	int r = sql_prepare(store, "INSERT INTO members (node, team, spare, address, weight, want, site, rack) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
			    " ON CONFLICT (node) DO UPDATE SET team = ?2, spare = ?3, address = ?4, weight = ?5, want = ?6, site = ?7, rack = ?8", &put);

	if (r < 0)
		return r;
	sql_bind_text(put, 1, node->id);
	sql_bind_text(put, 2, node->group);
	sqlite3_bind_int(put, 3, node->spare);
	sql_bind_text(put, 4, node->service_address);
	sqlite3_bind_int(put, 5, (int)node->weight);
	sqlite3_bind_int(put, 6, (int)node->balancer_want);
	sql_bind_text(put, 7, node->site);
	sql_bind_text(put, 8, node->rack);
	return sql_finish(store, put, "store what a node belongs to");
}

int store_load_groups(struct store *store, json_t **ret_groups, json_t **ret_denied)
{
	json_t *groups = json_object(), *denied = json_array();
	char name[GROUP_NAME_MOST + 1];
	int step = SQLITE_DONE, r = groups && denied ? 0 : -ENOMEM;
	sqlite3_stmt *all = NULL;

	if (!r)
		r = sql_prepare(store, "SELECT name, definition, denied FROM groups", &all);
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		json_t *definition = sql_json(all, 1);

		if (!definition || sql_text(all, 0, name, GROUP_NAME_MOST) < 0 || json_object_set(groups, name, definition) < 0)
			r = store_damaged(store, "a group makes no sense");
		else if (sqlite3_column_int(all, 2))
			json_array_append_new(denied, json_string(name));
		json_decref(definition);
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	if (r < 0) {
		json_decref(groups);
		json_decref(denied);
		return r;
	}
	*ret_groups = groups;
	*ret_denied = denied;
	return 0;
}

static int member_of_row(sqlite3_stmt *row, struct node *node)
{
	int weight = sqlite3_column_int(row, 4), want = sqlite3_column_int(row, 5);

	if (sql_text(row, 1, node->group, GROUP_NAME_MOST) < 0 || sql_text(row, 3, node->service_address, SERVICE_ADDRESS_MOST) < 0 ||
	    sql_text(row, 6, node->site, PLACE_MOST) < 0 || sql_text(row, 7, node->rack, PLACE_MOST) < 0 ||
	    weight < 1 || weight > (int)WEIGHT_MOST || want < BALANCER_READY || want > BALANCER_MAINT)
		return -EIO;
	node->spare = sqlite3_column_int(row, 2) != 0;
	node->weight = (unsigned)weight;
	node->balancer_want = (enum balancer_want)want;
	return 0;
}

int store_each_member(struct store *store, struct node *(*find)(void *context, const char *id), void *context)
{
	char id[NODE_ID_SIZE + 1];
	sqlite3_stmt *all;
	int step = SQLITE_DONE, r = sql_prepare(store, "SELECT node, team, spare, address, weight, want, site, rack FROM members", &all);

	if (r < 0)
		return r;
	while (!r && (step = sqlite3_step(all)) == SQLITE_ROW) {
		struct node *node = sql_text(all, 0, id, NODE_ID_SIZE) < 0 ? NULL : find(context, id);

		if (!node || member_of_row(all, node) < 0)
			r = store_damaged(store, "what a node belongs to makes no sense");
	}
	if (!r && step != SQLITE_DONE)
		r = sql_fail(store, "be read");
	sqlite3_finalize(all);
	return r;
}
